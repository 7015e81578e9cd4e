// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The guard and its child. After the fork the child calls async-signal-safe functions only: other threads of
 * this process may have held locks.
 */
#include "target_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"

#define FAREWELL_BYTES 256
/* So much silence of the peer ends it: until then it may have answers to get rid of first. */
#define LINGER_MS 300

/* Of all descriptors the child keeps two, at 0 and 1. */
static void keep_only(int fd, int alarm)
{
	if (alarm == 0)
		alarm = dup(alarm);
	dup2(fd, 0);
	dup2(alarm, 1);
	if (syscall(SYS_close_range, 2, ~0U, 0) < 0)
		for (int other = 2; other < 1024; other++)
			close(other);
}

static void say_farewell(const char *farewell)
{
	struct pollfd peer = { .fd = 0, .events = POLLIN | POLLOUT };
	size_t at = 0, size = strlen(farewell);
	char answers[4096];

	for (int waited = 0; waited < LINGER_MS;) {
		int ready = poll(&peer, 1, 100);

		if (ready == 0)
			waited += 100;
		if (ready <= 0)
			continue;
		if (peer.revents & POLLOUT && at < size) {
			ssize_t sent = send(0, farewell + at, size - at, MSG_NOSIGNAL);

			at += sent > 0 ? (size_t)sent : 0;
		}
		if (at == size)
			peer.events = POLLIN;
		if (peer.revents & (POLLIN | POLLHUP | POLLERR)) {
			ssize_t got = recv(0, answers, sizeof(answers), 0);

			if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
				return;
			/* What is left on the way after the farewell is little; time passes with it as well. */
			waited += at == size;
		}
	}
}

static void guard(int fd, int alarm, const char *farewell)
{
	char byte;
	ssize_t got;

	setsid();
	signal(SIGPIPE, SIG_IGN);
	keep_only(fd, alarm);
	do {
		got = read(1, &byte, 1);
	} while (got < 0 && errno == EINTR);
	if (got == 0)
		say_farewell(farewell);
	_exit(0);
}

int target_guard_start(int fd, const char *farewell, struct target_guard *ret_guard, struct error *err)
{
	char text[FAREWELL_BYTES] = "";
	int alarm[2];
	pid_t pid;

	if (strlen(farewell) >= sizeof(text))
		return error_set(err, -EINVAL, "the farewell is too long");
	memcpy(text, farewell, strlen(farewell));
	if (pipe2(alarm, O_CLOEXEC) < 0)
		return error_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		close(alarm[1]);
		guard(fd, alarm[0], text);
	}
	close(alarm[0]);
	if (pid < 0) {
		int failure = errno;

		close(alarm[1]);
		return error_set(err, -failure, "cannot fork: %s", strerror(failure));
	}
	*ret_guard = (struct target_guard){ .pid = pid, .alarm = alarm[1] };
	return 0;
}

void target_guard_end(struct target_guard *target_guard)
{
	if (!target_guard->pid)
		return;
	/* Never SIGPIPE: the child lives until it has read this. */
	while (write(target_guard->alarm, "", 1) < 0 && errno == EINTR)
		;
	close(target_guard->alarm);
	while (waitpid(target_guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*target_guard = (struct target_guard){ 0 };
}
