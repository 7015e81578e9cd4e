// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Descriptors: four socket ends go to the tracer under fixed numbers, the others stay here and close on exec.
 * gdb's own number is replaced in one step (dup3), and only when the tracer has said that it is ready.
 */
#include "interpose.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "control.h"
#include "target_socket.h"

/* The stub answers what the tracer asks it first; QEMU may be slow. */
#define READY_MS 60000
/* A stop of the target, and what the tracer has to put in order. */
#define LEAVE_MS 60000
/* The tracer's descriptors, in the order of its arguments. */
enum { TRACER_GDB = 3, TRACER_TARGET, TRACER_CONTROL, TRACER_RETURN, TRACER_END };

extern char **environ;

struct interpose {
	int gdb_fd; /* gdb's number */
	dev_t gdb_device; /* and what we put behind it */
	ino_t gdb_inode;
	int control, way_back;
	pid_t pid;
};

static void interpose_free(struct interpose *interpose)
{
	if (!interpose)
		return;
	if (interpose->control >= 0)
		close(interpose->control);
	if (interpose->way_back >= 0)
		close(interpose->way_back);
	free(interpose);
}

DEFINE_CLEANUP(interpose, struct interpose *, interpose_free(v));

static void close_pair(int *pair)
{
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
}

/* Signals as the system has them: gdb blocks and handles many. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
}

/* @fds are numbers beyond TRACER_END. Returns 0 or an errno. */
static int spawn_with(const int *fds, const char *tracer, char *const *arguments)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	pid_t pid;
	int status = posix_spawn_file_actions_init(&actions);

	if (status)
		return status;
	status = posix_spawnattr_init(&attributes);
	if (!status)
		status = set_attributes(&attributes);
	if (!status)
		status = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (!status)
		status = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	for (int i = TRACER_GDB; !status && i < TRACER_END; i++)
		status = posix_spawn_file_actions_adddup2(&actions, fds[i - TRACER_GDB], i);
	if (!status)
		status = posix_spawn_file_actions_addclosefrom_np(&actions, TRACER_END);
	if (!status)
		status = posix_spawn(&pid, tracer, &actions, &attributes, arguments, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	/* It goes on in a child of its own, and ends. gdb may have waited for it before us. */
	while (!status && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int spawn(const int *fds, pid_t peer, const char *tracer, struct error *err)
{
	char numbers[TRACER_END - TRACER_GDB + 1][16];
	char *arguments[] = { (char *)"dill-tracer", numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], NULL };
	int high[TRACER_END - TRACER_GDB], status = 0;

	for (int i = 0; i < TRACER_END - TRACER_GDB; i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%d", TRACER_GDB + i);
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, TRACER_END);
		if (high[i] < 0)
			status = errno;
	}
	snprintf(numbers[4], sizeof(numbers[4]), "%d", (int)peer);
	if (!status)
		status = spawn_with(high, tracer, arguments);
	for (int i = 0; i < TRACER_END - TRACER_GDB; i++)
		if (high[i] >= 0)
			close(high[i]);
	return status ? error_set(err, -status, "cannot start %s: %s", tracer, strerror(status)) : 0;
}

static int await_ready(struct interpose *interpose, struct error *err)
{
	struct interpose_ready ready;
	int status = target_wait(interpose->way_back, POLLIN, target_now_ms() + READY_MS);

	if (status)
		return error_set(err, status, "dill-tracer doesn't say that it is ready");
	if (recv(interpose->way_back, &ready, sizeof(ready), MSG_DONTWAIT) != (ssize_t)sizeof(ready))
		return error_set(err, -EPIPE, "dill-tracer ended as soon as it began");
	ready.text[sizeof(ready.text) - 1] = '\0';
	if (ready.status)
		return error_set(err, ready.status, "%s", ready.text);
	interpose->pid = ready.pid;
	return 0;
}

/* The ends for us are kept in @interpose and @ret_gdb_end, those for the tracer go to it and are closed. */
static int start(struct interpose *interpose, pid_t peer, const char *tracer, int *ret_gdb_end, struct error *err)
{
	int gdb[2] = { -1, -1 }, control[2] = { -1, -1 }, back[2] = { -1, -1 }, fds[4], status;

	status = control_pair(control, err);
	if (!status && (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gdb) < 0 ||
			socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, back) < 0))
		status = error_set(err, -errno, "cannot make sockets: %s", strerror(errno));
	if (!status) {
		fds[0] = gdb[1];
		fds[1] = interpose->gdb_fd;
		fds[2] = control[1];
		fds[3] = back[1];
		interpose->control = TAKE_FD(control[0]);
		interpose->way_back = TAKE_FD(back[0]);
		status = spawn(fds, peer, tracer, err);
	}
	/* Whose other ends must be the tracer's alone, so that its end is seen. */
	if (!status) {
		close(TAKE_FD(gdb[1]));
		close(TAKE_FD(control[1]));
		close(TAKE_FD(back[1]));
		status = await_ready(interpose, err);
	}
	if (!status)
		*ret_gdb_end = TAKE_FD(gdb[0]);
	close_pair(gdb);
	close_pair(control);
	close_pair(back);
	return status;
}

/* What is behind gdb's number from now on; the flags of the open file are as gdb had them. */
static int replace(int gdb_fd, int with, struct error *err)
{
	int flags = fcntl(gdb_fd, F_GETFL), descriptor = fcntl(gdb_fd, F_GETFD);

	if (flags >= 0)
		fcntl(with, F_SETFL, flags & O_NONBLOCK);
	if (dup3(with, gdb_fd, descriptor & FD_CLOEXEC ? O_CLOEXEC : 0) < 0)
		return error_set(err, -errno, "cannot replace gdb's connection: %s", strerror(errno));
	return 0;
}

/* gdb may have closed its connection since, and have something else under that number. */
static bool is_still_there(const struct interpose *interpose)
{
	struct stat status;

	return !fstat(interpose->gdb_fd, &status) && status.st_dev == interpose->gdb_device &&
	       status.st_ino == interpose->gdb_inode;
}

static int remember(struct interpose *interpose, struct error *err)
{
	struct stat status;

	if (fstat(interpose->gdb_fd, &status) < 0)
		return error_set(err, -errno, "gdb's connection: %s", strerror(errno));
	interpose->gdb_device = status.st_dev;
	interpose->gdb_inode = status.st_ino;
	return 0;
}

int interpose_start(int fd, pid_t peer, const char *tracer, struct interpose **ret_interpose, struct error *err)
{
	CLEANUP(interpose) struct interpose *interpose = calloc(1, sizeof(*interpose));
	CLEANUP(close) int gdb_end = -1;
	int status;

	if (!interpose)
		return error_set(err, -ENOMEM, "out of memory");
	*interpose = (struct interpose){ .gdb_fd = fd, .control = -1, .way_back = -1 };
	status = start(interpose, peer, tracer, &gdb_end, err);
	if (!status)
		status = replace(fd, gdb_end, err);
	if (!status)
		status = remember(interpose, err);
	if (status)
		return status;
	*ret_interpose = TAKE_PTR(interpose);
	return 0;
}

int interpose_control_fd(const struct interpose *interpose)
{
	return interpose->control;
}

pid_t interpose_tracer(const struct interpose *interpose)
{
	return interpose->pid;
}

int interpose_check(const struct interpose *interpose, struct error *err)
{
	struct pollfd way_back = { .fd = interpose->way_back, .events = POLLIN };

	if (poll(&way_back, 1, 0) <= 0 || !(way_back.revents & POLLHUP))
		return 0;
	return error_set(err, -EPIPE,
			 "dill-tracer (process %d) has ended, and with it gdb's connection to the stub: if the stub "
			 "still runs, `target remote` connects to it anew",
			 (int)interpose->pid);
}

/* The target's connection, from the tracer. */
static int take_back(struct interpose *interpose, int *ret_fd, struct error *err)
{
	char room[CMSG_SPACE(sizeof(int))], byte;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *header;
	int status = target_wait(interpose->way_back, POLLIN, target_now_ms() + LEAVE_MS);

	if (status)
		return error_set(err, status, "dill-tracer (process %d) doesn't leave", (int)interpose->pid);
	if (recvmsg(interpose->way_back, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
		return interpose_check(interpose, err) ? -EPIPE : error_set(err, -EPIPE, "dill-tracer: no connection");
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
		return error_set(err, -EPROTO, "dill-tracer gave no connection back");
	memcpy(ret_fd, CMSG_DATA(header), sizeof(*ret_fd));
	return 0;
}

int interpose_stop(struct interpose *interpose, struct error *err)
{
	CLEANUP(interpose) struct interpose *ours = interpose;
	CLEANUP(close) int target_fd = -1;
	int status;

	/* Without gdb's end of the connection the tracer puts all in order by itself, and ends. */
	if (!ours || !is_still_there(ours))
		return 0;
	shutdown(ours->control, SHUT_WR);
	status = take_back(ours, &target_fd, err);
	return status ? status : replace(ours->gdb_fd, target_fd, err);
}
