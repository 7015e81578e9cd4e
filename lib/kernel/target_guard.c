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
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"

#define FAREWELL_BYTES 256
#define CUE_BYTES 16
/* The peer may be busy when we come, and says its cue when it gets to us. */
#define CUE_MS 5000
/* So much silence of the peer ends it: until then it may have answers to get rid of first. */
#define LINGER_MS 300

/* A page that both processes see. Texts are complete before the number of the one in use changes. */
struct target_farewell {
	char cue[CUE_BYTES];
	char texts[2][FAREWELL_BYTES];
	/* How often; its lowest bit is the text. 0 waits for the cue, if there is one. */
	volatile uint32_t decided;
};

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

/*
 * A farewell that stops a QEMU and lets it go again ($D) does the latter when the stop is answered: a CPU that meets
 * a trap as the others are being stopped has QEMU stop once more, which is for nothing if it stands still by then,
 * but for good if it was told to run in the same breath.
 */
static void say_farewell(const char *farewell)
{
	const char *release = strstr(farewell, "$D");
	struct pollfd peer = { .fd = 0 };
	size_t at = 0, size = strlen(farewell);
	size_t part = release ? (size_t)(release - farewell) : size;
	char answers[4096];

	for (int waited = 0; waited < LINGER_MS;) {
		int ready;

		peer.events = at < part ? POLLIN | POLLOUT : POLLIN;
		ready = poll(&peer, 1, 100);
		if (ready == 0 && at == part && at < size)
			part = size; /* it has nothing to answer */
		else if (ready == 0)
			waited += 100;
		if (ready <= 0)
			continue;
		if (peer.revents & POLLOUT && at < part) {
			ssize_t sent = send(0, farewell + at, part - at, MSG_NOSIGNAL);

			at += sent > 0 ? (size_t)sent : 0;
		}
		if (peer.revents & (POLLIN | POLLHUP | POLLERR)) {
			ssize_t got = recv(0, answers, sizeof(answers), 0);

			if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
				return;
			if (at == part && got > 0 && memmem(answers, (size_t)got, "$T", 2))
				part = size;
			/* What still comes after the farewell is little; time passes with it as well. */
			waited += at == size;
		}
	}
}

/* Whether the peer's next words hold the cue. */
static bool hears(const char *cue)
{
	struct pollfd peer = { .fd = 0, .events = POLLIN };
	char words[512];
	ssize_t got;

	if (poll(&peer, 1, CUE_MS) <= 0)
		return false;
	got = recv(0, words, sizeof(words), 0);
	return got > 0 && memmem(words, (size_t)got, cue, strlen(cue));
}

static void guard(int fd, int alarm, const struct target_farewell *farewell)
{
	char byte;
	ssize_t got;

	setsid();
	signal(SIGPIPE, SIG_IGN);
	keep_only(fd, alarm);
	do {
		got = read(1, &byte, 1);
	} while (got < 0 && errno == EINTR);
	if (got == 0 && (farewell->decided || !farewell->cue[0] || hears(farewell->cue)))
		say_farewell(farewell->texts[farewell->decided & 1]);
	_exit(0);
}

static struct target_farewell *share(const char *farewell, const char *cue)
{
	struct target_farewell *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	memcpy(page->texts[0], farewell, strlen(farewell));
	if (cue)
		memcpy(page->cue, cue, strlen(cue));
	return page;
}

int target_guard_start(int fd, const char *farewell, const char *cue, struct target_guard *ret_guard,
		       struct error *err)
{
	struct target_farewell *page;
	int alarm[2];
	pid_t pid;

	if (strlen(farewell) >= FAREWELL_BYTES || (cue && strlen(cue) >= CUE_BYTES))
		return error_set(err, -EINVAL, "the farewell is too long");
	page = share(farewell, cue);
	if (!page)
		return error_set(err, -ENOMEM, "out of memory");
	if (pipe2(alarm, O_CLOEXEC) < 0) {
		munmap(page, sizeof(*page));
		return error_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
	}
	pid = fork();
	if (pid == 0) {
		close(alarm[1]);
		guard(fd, alarm[0], page);
	}
	close(alarm[0]);
	if (pid < 0) {
		int failure = errno;

		close(alarm[1]);
		munmap(page, sizeof(*page));
		return error_set(err, -failure, "cannot fork: %s", strerror(failure));
	}
	*ret_guard = (struct target_guard){ .pid = pid, .alarm = alarm[1], .farewell = page };
	return 0;
}

void target_guard_decide(struct target_guard *target_guard, const char *farewell)
{
	size_t size = strlen(farewell);

	uint32_t next;

	if (!target_guard->pid || size >= FAREWELL_BYTES)
		return;
	next = target_guard->farewell->decided + 1;
	memcpy(target_guard->farewell->texts[next & 1], farewell, size + 1);
	__sync_synchronize();
	target_guard->farewell->decided = next;
}

void target_guard_release(struct target_guard *target_guard)
{
	if (!target_guard->pid)
		return;
	close(target_guard->alarm);
	while (waitpid(target_guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
	munmap(target_guard->farewell, sizeof(*target_guard->farewell));
	*target_guard = (struct target_guard){ 0 };
}

void target_guard_end(struct target_guard *target_guard)
{
	if (!target_guard->pid)
		return;
	/* Never SIGPIPE: the child lives until it has read this. */
	while (write(target_guard->alarm, "", 1) < 0 && errno == EINTR)
		;
	target_guard_release(target_guard);
}
