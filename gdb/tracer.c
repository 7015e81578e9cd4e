// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill-tracer: the process between gdb and its stub (stub_proxy.h), started by interpose.c. Is no tool for the
 * command line: its arguments are descriptors.
 *
 *     dill-tracer GDB TARGET CONTROL RETURN PEER
 *
 * GDB and TARGET are the two connections, CONTROL the plugin's words, RETURN the way back: what became of the
 * start (struct interpose_ready), and in the end the target's connection itself, so that gdb has it again and
 * nobody holds it open should this process die. PEER is the stub's process if it is on this machine, else 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "interpose.h"
#include "packet_link.h"
#include "stub_proxy.h"

/* No words yet: the end of them means to leave. */
static int on_control(void *context, struct stub_target *target, int control_fd)
{
	char words[512];
	ssize_t got = recv(control_fd, words, sizeof(words), MSG_DONTWAIT);

	(void)context;
	(void)target;
	return got > 0 || (got < 0 && errno == EAGAIN) ? 0 : -ECONNRESET;
}

static void say_ready(int return_fd, int status, const struct error *err)
{
	struct interpose_ready ready = { .status = status, .pid = getpid() };

	memcpy(ready.text, err->text, sizeof(ready.text));
	send(return_fd, &ready, sizeof(ready), MSG_NOSIGNAL);
}

static int give_back(int return_fd, int target_fd)
{
	char room[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &target_fd, sizeof(target_fd));
	return sendmsg(return_fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int run(struct stub_proxy *proxy, int return_fd, struct error *err)
{
	int target_fd, status = stub_proxy_run(proxy, err);

	if (status)
		return status;
	target_fd = stub_proxy_target_fd(proxy);
	/* gdb may have gone in this very moment, and with it whoever would take the target. */
	return target_fd >= 0 && give_back(return_fd, target_fd) ? stub_proxy_abandon(proxy, err) : 0;
}

/* A process of nobody's: gdb doesn't get to see its end, nor it gdb's terminal. */
static void leave_parent(void)
{
	pid_t pid = fork();

	if (pid != 0)
		_exit(pid < 0);
	setsid();
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	struct stub_handlers handlers = { .on_control = on_control };
	struct error err = { 0 };
	struct stub_proxy *proxy;
	int fds[4], status;

	if (argc != 6)
		return 2;
	for (int i = 0; i < 4; i++) {
		fds[i] = atoi(argv[i + 1]);
		if (fds[i] < 3 || fcntl(fds[i], F_SETFD, FD_CLOEXEC) < 0)
			return 2;
	}
	leave_parent();
	status = stub_proxy_open(fds[0], fds[1], fds[2], &handlers, &proxy, &err);
	say_ready(fds[3], status, &err);
	if (status)
		return 3;
	stub_packet_link(stub_proxy_target(proxy))->peer = (pid_t)atoi(argv[5]);
	status = run(proxy, fds[3], &err);
	stub_proxy_close(proxy);
	return status ? 3 : 0;
}
