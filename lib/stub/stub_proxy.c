// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Waits for the three who may say something, and ends in order whoever leaves first. */
#include "stub_proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "stub_proxy_private.h"

/* So much that gdb hasn't taken: the target's answers wait then. */
#define GDB_UNSENT_BYTES (1u << 20)

DEFINE_CLEANUP(proxy, struct stub_proxy *, stub_proxy_close(v));

/* Opening -------------------------------------------------------------------------------------------------- */

static int make_room_for_guard(struct stub_proxy *proxy, struct error *err)
{
	int status = target_guard_start(proxy->target->stream.fd, "", NULL, &proxy->guard, err);

	if (!status)
		target_guard_decide(&proxy->guard, proxy->target->is_qemu ? STUB_FAREWELL_STOPPED : "");
	return status;
}

static int open_streams(struct stub_proxy *proxy, int gdb_fd, int target_fd, struct error *err)
{
	int is_on = 1, status = stub_stream_init(&proxy->gdb, gdb_fd);

	if (status || stub_say_init(proxy)) {
		close(target_fd);
		return error_set(err, -ENOMEM, "out of memory");
	}
	/* Each packet waits for an answer: none may wait for more to be sent with it. Not for Unix sockets. */
	setsockopt(gdb_fd, IPPROTO_TCP, TCP_NODELAY, &is_on, sizeof(is_on));
	setsockopt(target_fd, IPPROTO_TCP, TCP_NODELAY, &is_on, sizeof(is_on));
	status = stub_target_open(target_fd, &proxy->target, err);
	if (status)
		return status;
	status = stub_stream_receive(&proxy->gdb);
	if (status == -ECONNRESET)
		return error_set(err, status, "gdb closed its connection");
	return status == -EAGAIN ? 0 : error_set(err, -EBUSY, "gdb's connection is busy");
}

int stub_proxy_open(int gdb_fd, int target_fd, int control_fd, const struct stub_handlers *handlers,
		    struct stub_proxy **ret_proxy, struct error *err)
{
	CLEANUP(proxy) struct stub_proxy *proxy = calloc(1, sizeof(*proxy));
	int status;

	if (!proxy) {
		close(gdb_fd);
		close(target_fd);
		return error_set(err, -ENOMEM, "out of memory");
	}
	proxy->control_fd = control_fd;
	proxy->handlers = *handlers;
	status = open_streams(proxy, gdb_fd, target_fd, err);
	if (!status)
		status = make_room_for_guard(proxy, err);
	if (status)
		return status;
	proxy->gdb_acks = proxy->target->uses_acks;
	proxy->selected = proxy->target->selected;
	proxy->has_said = true; /* it knows of the stop */
	*ret_proxy = TAKE_PTR(proxy);
	return 0;
}

void stub_proxy_close(struct stub_proxy *proxy)
{
	if (!proxy)
		return;
	target_guard_end(&proxy->guard);
	stub_target_close(proxy->target);
	stub_stream_deinit(&proxy->gdb);
	free(proxy->last);
	free(proxy->kept);
	free(proxy->say);
	free(proxy);
}

struct stub_target *stub_proxy_target(struct stub_proxy *proxy)
{
	return proxy->target;
}

const struct stub_proxy_counts *stub_proxy_counts(const struct stub_proxy *proxy)
{
	return &proxy->counts;
}

/* Ending --------------------------------------------------------------------------------------------------- */

static int await_answer(struct stub_proxy *proxy, struct error *err)
{
	struct stub_frame frame;
	int status = 0;

	/* gdb is gone, or hears of it later: what can't be passed on is nobody's. */
	while (!status && proxy->state == STUB_ASKED) {
		status = stub_await(proxy->target, &frame, err);
		if (!status)
			stub_take_answer(proxy, &frame, NULL);
	}
	return status;
}

int stub_proxy_abandon(struct stub_proxy *proxy, struct error *err)
{
	struct stub_target *target = proxy->target;
	struct stub_stop_reply reply;
	const char *text;
	size_t size;
	int status;

	if (proxy->is_detached)
		return 0;
	status = await_answer(proxy, err);
	if (!status && proxy->state == STUB_RUNNING) {
		if (stub_stream_put(&target->stream, "\x03", 1))
			return stub_fail(target, err, -ENOMEM, "out of memory");
		status = stub_await_stop(target, &reply, err);
	}
	if (!status)
		status = stub_traps_clear(target, err);
	/* gdb was killed while it read physical memory: whoever comes next expects virtual memory. */
	if (!status && target->is_physical)
		status = stub_ask(target, "Qqemu.PhyMemMode:0", &text, &size, err);
	/*
	 * Its answer comes when all others have. And a QEMU in which two CPUs met traps in the same moment stops once
	 * more after what it is asked first: for good, if that is to let the target go.
	 */
	if (!status)
		status = stub_ask(target, "qC", &text, &size, err);
	if (!status && proxy->state == STUB_RUNNING)
		status = stub_ask(target, target->is_multiprocess ? "D;1" : "D", &text, &size, err);
	if (!status)
		target_guard_decide(&proxy->guard, "");
	return status;
}

int stub_proxy_target_fd(const struct stub_proxy *proxy)
{
	return proxy->is_leaving && !proxy->is_detached && !proxy->target->is_lost ? proxy->target->stream.fd : -1;
}

/* The connection is as without us: nothing is under way in it, gdb's thread is selected, all is acknowledged. */
static int leave(struct stub_proxy *proxy, struct error *err)
{
	struct stub_target *target = proxy->target;
	const char *text;
	size_t size;
	int status = 0;

	if (proxy->is_detached)
		return 0;
	if (proxy->state == STUB_IDLE)
		status = stub_select_thread(target, &proxy->selected, err);
	if (!status && proxy->state == STUB_IDLE)
		status = stub_ask(target, "qC", &text, &size, err);
	/* While it runs QEMU must get no byte more. */
	if (!status && proxy->state == STUB_IDLE && target->uses_acks && target->is_qemu)
		stub_stream_put(&target->stream, "+", 1);
	while (!status && stub_stream_unsent(&target->stream)) {
		struct pollfd peer = { .fd = target->stream.fd, .events = POLLOUT };

		poll(&peer, 1, 1000);
		status = stub_stream_flush(&target->stream);
	}
	stub_stream_flush(&proxy->gdb);
	return status;
}

/* Running -------------------------------------------------------------------------------------------------- */

static int take_gdb(struct stub_proxy *proxy, struct error *err)
{
	struct stub_frame frame;
	int status = stub_stream_receive(&proxy->gdb);

	if (status)
		return status == -EAGAIN ? 0 : -EPIPE;
	do {
		stub_stream_next(&proxy->gdb, &frame);
		status = frame.kind == STUB_FRAME_NONE ? 0 : stub_take_from_gdb(proxy, &frame, err);
	} while (!status && frame.kind != STUB_FRAME_NONE);
	return status;
}

static int take_while_running(struct stub_proxy *proxy, const struct stub_frame *frame, struct error *err)
{
	struct stub_stop_reply reply;

	if (frame->body_size && memchr("OF", frame->body[0], 2)) /* a text, a request for a file */
		return stub_pass_to_gdb(proxy, frame->bytes, frame->size);
	if (stub_stop_parse(frame->body, frame->body_size, &reply))
		return stub_take_stop(proxy, frame, err);
	proxy->state = STUB_IDLE; /* it refuses to run */
	return stub_pass_to_gdb(proxy, frame->bytes, frame->size);
}

/* What came from the target, also while something else was waited for. */
static int take_target(struct stub_proxy *proxy, struct error *err)
{
	struct stub_frame frame;
	int status = 0;

	while (!status && !proxy->is_leaving) {
		stub_next(proxy->target, &frame);
		if (frame.kind == STUB_FRAME_NONE)
			break;
		if (frame.kind == STUB_FRAME_NOTIFICATION && proxy->state == STUB_RUNNING)
			proxy->state = STUB_IDLE;
		if (frame.kind != STUB_FRAME_NOTIFICATION && proxy->state == STUB_RUNNING)
			status = take_while_running(proxy, &frame, err);
		else if (frame.kind != STUB_FRAME_NOTIFICATION && proxy->state == STUB_ASKED)
			status = stub_take_answer(proxy, &frame, err);
		else
			status = stub_pass_to_gdb(proxy, frame.bytes, frame.size);
	}
	return status;
}

static int take_control(struct stub_proxy *proxy, struct error *err)
{
	/* Nobody has the target: it runs, and whatever is said to a QEMU would stop it. */
	if (proxy->is_detached) {
		proxy->is_leaving = true;
		return 0;
	}
	if (proxy->state == STUB_RUNNING) {
		proxy->wants_control = true;
		return stub_stream_put(&proxy->target->stream, "\x03", 1) ?
			       stub_fail(proxy->target, err, -ENOMEM, "out of memory") : 0;
	}
	return stub_control(proxy, err);
}

static int flush(struct stub_proxy *proxy, struct error *err)
{
	int status = stub_stream_flush(&proxy->target->stream);

	if (status)
		return stub_fail(proxy->target, err, status, "closed the connection");
	status = stub_say_flush(proxy, false);
	if (!status)
		status = stub_stream_flush(&proxy->gdb);
	return status ? -EPIPE : 0;
}

static int pass_once(struct stub_proxy *proxy, struct error *err)
{
	struct stub_stream *gdb = &proxy->gdb, *stub = &proxy->target->stream;
	struct pollfd peers[3];
	bool is_full = stub_stream_unsent(gdb) > GDB_UNSENT_BYTES;
	int status = flush(proxy, err);

	if (status)
		return status;
	peers[0] = (struct pollfd){ gdb->fd, (short)(POLLIN | (stub_stream_unsent(gdb) ? POLLOUT : 0)), 0 };
	peers[1] = (struct pollfd){ stub->fd, (short)((is_full ? 0 : POLLIN) | (stub_stream_unsent(stub) ? POLLOUT : 0)),
				    0 };
	/* One thing at a time: control words wait for the answer that gdb waits for. */
	peers[2] = (struct pollfd){ proxy->state == STUB_ASKED || proxy->wants_control ? -1 : proxy->control_fd,
				    POLLIN, 0 };
	if (poll(peers, 3, stub_say_wait_ms(proxy)) < 0)
		return errno == EINTR ? 0 : error_set(err, -errno, "poll: %s", strerror(errno));
	if (peers[0].revents & ~POLLOUT)
		status = take_gdb(proxy, err);
	if (!status && peers[1].revents & ~POLLOUT) {
		status = stub_stream_receive(stub);
		status = status == -EAGAIN ? 0 :
			 status	      ? stub_fail(proxy->target, err, status, "closed the connection") : 0;
	}
	/* A request of gdb's may have been waited for with what came after it. */
	if (!status)
		status = take_target(proxy, err);
	if (!status && peers[2].revents && proxy->state != STUB_ASKED && !proxy->is_leaving)
		status = take_control(proxy, err);
	return status;
}

int stub_proxy_run(struct stub_proxy *proxy, struct error *err)
{
	int status = 0;

	while (!status && !proxy->is_leaving)
		status = pass_once(proxy, err);
	/* "k" ends a QEMU, and gdb may close its connection before. */
	if (status && proxy->target->is_lost && proxy->asked == STUB_WORD_KILL)
		return 0;
	if (status == -EPIPE) /* gdb is gone */
		return stub_proxy_abandon(proxy, err);
	return status ? status : leave(proxy, err);
}
