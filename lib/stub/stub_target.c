// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Requests to a stub and their answers. What requests mean is in stub_target_*.c.
 *
 * Where a stub takes requests ahead of their answers, those whose answer changes nothing are not waited for:
 * they go out with the next one, and their answers are taken off when they come.
 */
#include "stub_target.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "stub_target_private.h"
#include "target_socket.h"

/* QEMU answers late when it has much to translate and shares its CPU. */
#define TIMEOUT_MS 20000
#define REPEATS_MAX 3
#define DECODER_BYTES 262144

DEFINE_CLEANUP(target, struct stub_target *, stub_target_close(v));

int stub_fail(struct stub_target *target, struct error *err, int code, const char *text)
{
	target->is_lost = true;
	return error_set(err, code, "gdb stub: %s", text);
}

/* Sending ------------------------------------------------------------------------------------------------ */

int stub_send(struct stub_target *target, const char *request, struct error *err)
{
	size_t size = strlen(request);

	if (target->is_lost)
		return error_set(err, -ECONNRESET, "gdb stub: the connection was lost before");
	if (target->uses_acks && !target->is_qemu)
		target->last_size = gdb_encode(request, size, target->last_request, sizeof(target->last_request));
	target->repeats = 0;
	if (stub_stream_put_packet(&target->stream, request, size))
		return stub_fail(target, err, -ENOMEM, "out of memory");
	return 0;
}

static void settle(struct stub_target *target, const struct stub_frame *frame)
{
	const struct stub_deferred *deferred = &target->deferred[target->deferred_at];

	if (deferred->is_trap && (frame->body_size != 2 || memcmp(frame->body, "OK", 2) != 0))
		stub_traps_remove(&target->traps, &deferred->trap, STUB_OURS);
	target->deferred_at = (target->deferred_at + 1) % STUB_WINDOW;
	target->deferred_count--;
}

/* Receiving ---------------------------------------------------------------------------------------------- */

static void acknowledge(struct stub_target *target, const char *sign)
{
	/*
	 * QEMU waits for none, takes the next request for one, and stops its guest for any byte that comes while
	 * that runs: it gets none.
	 */
	if (target->uses_acks && !target->is_qemu)
		stub_stream_put(&target->stream, sign, 1);
}

static void repeat(struct stub_target *target)
{
	if (target->last_size && target->repeats++ < REPEATS_MAX)
		stub_stream_put(&target->stream, target->last_request, target->last_size);
}

void stub_next(struct stub_target *target, struct stub_frame *ret_frame)
{
	struct stub_stop_reply stop;

	for (;;) {
		stub_stream_next(&target->stream, ret_frame);
		switch (ret_frame->kind) {
		case STUB_FRAME_ACK:
		case STUB_FRAME_INTERRUPT:
			continue;
		case STUB_FRAME_NAK:
			repeat(target);
			continue;
		case STUB_FRAME_DAMAGED:
			acknowledge(target, "-");
			continue;
		case STUB_FRAME_PACKET:
			acknowledge(target, "+");
			if (target->deferred_count &&
			    !stub_stop_parse(ret_frame->body, ret_frame->body_size, &stop)) {
				settle(target, ret_frame);
				continue;
			}
			return;
		case STUB_FRAME_NOTIFICATION:
			target->is_non_stop = true;
			return;
		case STUB_FRAME_NONE:
			return;
		}
	}
}

static int receive(struct stub_target *target, long long deadline_ms, struct error *err)
{
	for (;;) {
		int status = stub_stream_flush(&target->stream);

		/* Hardly ever is something there at once: waiting first saves a call. */
		if (!status)
			status = target_wait(target->stream.fd,
					     stub_stream_unsent(&target->stream) ? POLLIN | POLLOUT : POLLIN,
					     deadline_ms);
		if (!status)
			status = stub_stream_receive(&target->stream);
		if (!status)
			return 0;
		if (status != -EAGAIN)
			return stub_fail(target, err, status,
					 status == -ETIMEDOUT  ? "no answer" :
					 status == -ECONNRESET ? "closed the connection" :
								 strerror(-status));
	}
}

/* With @wants_packet false, only until nothing deferred is left. */
static int await(struct stub_target *target, bool wants_packet, struct stub_frame *ret_frame, struct error *err)
{
	long long deadline_ms = 0;

	for (;;) {
		struct stub_stop_reply stop;
		int status;

		stub_next(target, ret_frame);
		/* Whoever else let the target run meanwhile (QEMU's monitor) is none of our business. */
		if (ret_frame->kind == STUB_FRAME_PACKET && wants_packet &&
		    !stub_stop_parse(ret_frame->body, ret_frame->body_size, &stop))
			return 0;
		if (!wants_packet && !target->deferred_count)
			return 0;
		if (ret_frame->kind != STUB_FRAME_NONE)
			continue;
		deadline_ms = deadline_ms ? deadline_ms : target_now_ms() + target->timeout_ms;
		status = receive(target, deadline_ms, err);
		if (status)
			return status;
	}
}

int stub_await(struct stub_target *target, struct stub_frame *ret_frame, struct error *err)
{
	return await(target, true, ret_frame, err);
}

int stub_send_deferred(struct stub_target *target, const char *request, const struct stub_trap *trap,
		       struct error *err)
{
	struct stub_frame frame;
	int status = 0;

	if (target->deferred_count == STUB_WINDOW)
		status = await(target, false, &frame, err);
	if (!status)
		status = stub_send(target, request, err);
	if (status)
		return status;
	target->deferred[(target->deferred_at + target->deferred_count++) % STUB_WINDOW] =
		(struct stub_deferred){ .is_trap = trap != NULL, .trap = trap ? *trap : (struct stub_trap){ 0 } };
	return target->is_pipelined ? 0 : await(target, false, &frame, err);
}

int stub_await_text(struct stub_target *target, const char **ret_text, size_t *ret_size, struct error *err)
{
	struct stub_frame frame;
	size_t used;
	int status = stub_await(target, &frame, err);

	if (status)
		return status;
	if (!memchr(frame.body, '*', frame.body_size)) {
		*ret_text = frame.body;
		*ret_size = frame.body_size;
		return 0;
	}
	if (gdb_decode(&target->decoder, frame.bytes, frame.size, &used) != GDB_PACKET)
		return stub_fail(target, err, -EBADMSG, "its answers make no sense");
	*ret_text = target->decoder.packet;
	*ret_size = target->decoder.size;
	return 0;
}

int stub_ask(struct stub_target *target, const char *request, const char **ret_text, size_t *ret_size,
	     struct error *err)
{
	int status = stub_send(target, request, err);

	return status ? status : stub_await_text(target, ret_text, ret_size, err);
}

int stub_await_stop(struct stub_target *target, struct stub_stop_reply *ret_reply, struct error *err)
{
	long long deadline_ms = 0;
	struct stub_frame frame;

	for (;;) {
		int status;

		stub_next(target, &frame);
		if (frame.kind == STUB_FRAME_PACKET && stub_stop_parse(frame.body, frame.body_size, ret_reply)) {
			stub_target_stopped(target, ret_reply);
			return 0;
		}
		if (frame.kind != STUB_FRAME_NONE)
			continue;
		deadline_ms = deadline_ms ? deadline_ms : target_now_ms() + target->timeout_ms;
		status = receive(target, deadline_ms, err);
		if (status)
			return status;
	}
}

void stub_target_stopped(struct stub_target *target, const struct stub_stop_reply *reply)
{
	struct stub_selection *selected = &target->selected;

	/* QEMU and gdbserver select the thread that they report; gdb counts on it. */
	stub_registers_forget(target);
	selected->is_known = target->is_qemu && reply->thread[0] &&
			     stub_thread_parse(reply->thread, strlen(reply->thread), &selected->thread);
	if (selected->is_known)
		memcpy(selected->text, reply->thread, sizeof(selected->text));
}

/* Threads ------------------------------------------------------------------------------------------------ */

int stub_select_thread(struct stub_target *target, const struct stub_selection *wanted, struct error *err)
{
	char request[STUB_THREAD_TEXT + 2];
	int status;

	if (!wanted->is_known || (target->selected.is_known &&
				  target->selected.thread.process == wanted->thread.process &&
				  target->selected.thread.thread == wanted->thread.thread))
		return 0;
	snprintf(request, sizeof(request), "Hg%s", wanted->text);
	status = stub_send_deferred(target, request, NULL, err);
	if (!status)
		target->selected = *wanted;
	return status;
}

int stub_select(struct stub_target *target, unsigned cpu, struct error *err)
{
	struct stub_selection wanted = { .is_known = true };

	if (cpu >= target->cpu_count)
		return error_set(err, -EINVAL, "there is no CPU %u", cpu);
	if (!target->cpus[cpu].text[0])
		return 0;
	wanted.thread = target->cpus[cpu].thread;
	snprintf(wanted.text, sizeof(wanted.text), "%s", target->cpus[cpu].text);
	return stub_select_thread(target, &wanted, err);
}

unsigned stub_cpu_of(struct stub_target *target, const char *thread)
{
	struct stub_thread parsed;

	if (!thread[0] || !stub_thread_parse(thread, strlen(thread), &parsed))
		return 0;
	for (unsigned cpu = 0; cpu < target->cpu_count; cpu++)
		if (target->cpus[cpu].thread.thread == parsed.thread &&
		    stub_thread_matches(&target->cpus[cpu].thread, &parsed))
			return cpu;
	/* Threads of other stubs come and go (KGDB's are tasks): the one that stopped is its CPU. */
	if (!target->is_qemu) {
		target->cpus[0].thread = parsed;
		snprintf(target->cpus[0].text, sizeof(target->cpus[0].text), "%s", thread);
	}
	return 0;
}

void stub_stop_of(struct stub_target *target, const struct stub_stop_reply *reply, struct stub_stop *ret_stop)
{
	*ret_stop = (struct stub_stop){
		.kind = reply->has_watch ? STUB_STOP_WATCH : reply->signal == 5 ? STUB_STOP_BREAK : STUB_STOP_OTHER,
		.trap = reply->trap,
		.address = reply->address,
		.cpu = stub_cpu_of(target, reply->thread),
	};
}

unsigned stub_cpu_count(const struct stub_target *target)
{
	return target->cpu_count;
}

void stub_tell_cpu(struct stub_target *target, unsigned cpu)
{
	if (cpu < target->cpu_count && target->cpus[cpu].text[0])
		target->told_cpu = (int)cpu;
}

bool stub_is_translated(const struct stub_target *target)
{
	return target->is_translated;
}

/* Connection --------------------------------------------------------------------------------------------- */

int stub_target_open(int fd, struct stub_target **ret_target, struct error *err)
{
	CLEANUP(target) struct stub_target *target = calloc(1, sizeof(*target));
	int status;

	if (!target) {
		close(fd);
		return error_set(err, -ENOMEM, "gdb stub: out of memory");
	}
	target->timeout_ms = TIMEOUT_MS;
	target->moved_cpu = target->told_cpu = -1;
	target->rip_number = target->rsp_number = -1;
	if (stub_stream_init(&target->stream, fd) || gdb_decoder_init(&target->decoder, DECODER_BYTES))
		return error_set(err, -ENOMEM, "gdb stub: out of memory");
	status = stub_greet(target, err);
	if (status)
		return status;
	*ret_target = TAKE_PTR(target);
	return 0;
}

void stub_target_close(struct stub_target *target)
{
	if (!target)
		return;
	stub_stream_deinit(&target->stream);
	gdb_decoder_deinit(&target->decoder);
	stub_traps_deinit(&target->traps);
	free(target->cpus);
	free(target);
}
