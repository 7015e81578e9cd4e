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
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "interpose.h"
#include "kernel.h"
#include "packet_link.h"
#include "stub_proxy.h"
#include "trace_words.h"

struct tracer {
	struct stub_proxy *proxy;
	struct kernel *kernel; /* owned; NULL: not opened yet */
	int control_fd;
	bool is_opening; /* the user may give up: heard only while words wait for the kernel */
	struct packet_link link;         /* as the stub's, but it can be interrupted */
	struct packet_link *stub_link;
	char banner[sizeof(((struct kernel *)0)->banner)]; /* linux_banner, as it was when the kernel was opened */
};

/* The kernel that is looked at ------------------------------------------------------------------------------ */

static void read_banner(struct kernel *kernel, char *text, size_t size)
{
	uint64_t address;

	text[0] = '\0';
	if (!kernel_symbol(kernel, "linux_banner", &address))
		kernel_read_string(kernel, address, text, size);
}

/* Whether the target, which ran, is still the kernel that was opened. */
static bool is_same_kernel(struct tracer *tracer)
{
	char banner[sizeof(tracer->banner)];

	if (source_packets_refresh(tracer->kernel->source, NULL))
		return false;
	read_banner(tracer->kernel, banner, sizeof(banner));
	return !tracer->kernel->reader.code && !strcmp(banner, tracer->banner);
}

static struct tracer *tracer_of(struct packet_link *link)
{
	return (struct tracer *)((char *)link - offsetof(struct tracer, link));
}

static int link_ask(struct packet_link *link, const char *request, char *reply, size_t capacity, size_t *ret_size,
		    struct error *err)
{
	struct packet_link *stub = tracer_of(link)->stub_link;

	return stub->ask(stub, request, reply, capacity, ret_size, err);
}

static int link_read(struct packet_link *link, struct memory_read *reads, size_t count, struct error *err)
{
	struct packet_link *stub = tracer_of(link)->stub_link;

	return stub->read(stub, reads, count, err);
}

static int link_begin(struct packet_link *link, struct error *err)
{
	struct packet_link *stub = tracer_of(link)->stub_link;

	return stub->begin ? stub->begin(stub, err) : 0;
}

static void link_end(struct packet_link *link)
{
	struct packet_link *stub = tracer_of(link)->stub_link;

	if (stub->end)
		stub->end(stub);
}

static bool link_is_interrupted(struct packet_link *link)
{
	struct tracer *tracer = tracer_of(link);

	return tracer->is_opening && control_is_cancelled(tracer->control_fd);
}

static int open_kernel(void *context, struct stub_target *target, struct kernel **ret_kernel, struct error *err)
{
	struct tracer *tracer = context;
	struct memory_source *source;
	int status;

	if (tracer->kernel && !is_same_kernel(tracer)) {
		kernel_close(tracer->kernel);
		tracer->kernel = NULL;
	}
	if (!tracer->kernel) {
		tracer->stub_link = stub_packet_link(target);
		tracer->link = (struct packet_link){
			.ask = link_ask,
			.read = tracer->stub_link->read ? link_read : NULL,
			.begin = link_begin,
			.end = link_end,
			.is_interrupted = link_is_interrupted,
			.peer = tracer->stub_link->peer,
		};
		tracer->is_opening = true;
		status = source_packets_open(&tracer->link, true, &source, err);
		if (!status)
			status = kernel_open(source, NULL, &tracer->kernel, err);
		tracer->is_opening = false;
		if (status)
			return status;
		read_banner(tracer->kernel, tracer->banner, sizeof(tracer->banner));
	}
	*ret_kernel = tracer->kernel;
	return 0;
}

/* What the words need --------------------------------------------------------------------------------------- */

static void say(void *context, const char *text, size_t size)
{
	stub_proxy_say(((struct tracer *)context)->proxy, text, size);
}

static const struct stub_proxy_counts *counts(void *context)
{
	return stub_proxy_counts(((struct tracer *)context)->proxy);
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

static int trace(struct tracer *tracer, struct trace_session *session, const int *fds, pid_t peer)
{
	struct stub_handlers handlers = { session, trace_session_on_trap, trace_session_on_resume,
					  trace_session_on_control };
	struct error err = { 0 };
	int status = stub_proxy_open(fds[0], fds[1], fds[2], &handlers, &tracer->proxy, &err);

	say_ready(fds[3], status, &err);
	if (status)
		return status;
	stub_packet_link(stub_proxy_target(tracer->proxy))->peer = peer;
	status = run(tracer->proxy, fds[3], &err);
	/* The kernel reads through the proxy. */
	kernel_close(tracer->kernel);
	stub_proxy_close(tracer->proxy);
	return status;
}

int main(int argc, char **argv)
{
	struct tracer tracer = { 0 };
	struct trace_host host = { &tracer, open_kernel, say, counts };
	struct trace_session *session;
	int fds[4], status;

	if (argc != 6)
		return 2;
	for (int i = 0; i < 4; i++) {
		fds[i] = atoi(argv[i + 1]);
		if (fds[i] < 3 || fcntl(fds[i], F_SETFD, FD_CLOEXEC) < 0)
			return 2;
	}
	leave_parent();
	tracer.control_fd = fds[2];
	if (trace_session_create(&host, &session))
		return 3;
	status = trace(&tracer, session, fds, (pid_t)atoi(argv[5]));
	trace_session_destroy(session);
	return status ? 3 : 0;
}
