// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What gdb asks, and what the stub answers it. Most passes as it is; what is about traps, threads and running
 * is also noted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "stub_proxy_private.h"

/* To gdb --------------------------------------------------------------------------------------------------- */

int stub_pass_to_gdb(struct stub_proxy *proxy, const char *frame, size_t size)
{
	if (proxy->gdb_acks && size > proxy->last_capacity) {
		char *grown = realloc(proxy->last, size);

		if (!grown)
			return -ENOMEM;
		proxy->last = grown;
		proxy->last_capacity = size;
	}
	if (proxy->gdb_acks) {
		memcpy(proxy->last, frame, size);
		proxy->last_size = size;
	}
	return stub_stream_put(&proxy->gdb, frame, size) ? -EPIPE : 0;
}

int stub_tell_gdb(struct stub_proxy *proxy, const char *payload)
{
	char frame[8192];
	size_t size = gdb_encode(payload, strlen(payload), frame, sizeof(frame));

	return size ? stub_pass_to_gdb(proxy, frame, size) : -EMSGSIZE;
}

/* To the stub ---------------------------------------------------------------------------------------------- */

static int forward(struct stub_proxy *proxy, const struct stub_frame *frame, enum stub_word word,
		   struct error *err)
{
	struct stub_target *target = proxy->target;

	if (stub_stream_put(&target->stream, frame->bytes, frame->size))
		return stub_fail(target, err, -ENOMEM, "out of memory");
	stub_registers_forget(target);
	target->repeats = 0;
	target->last_size = frame->size <= sizeof(target->last_request) ? frame->size : 0;
	memcpy(target->last_request, frame->bytes, target->last_size);
	proxy->asked = word;
	if (word != STUB_WORD_KILL && word != STUB_WORD_FILE_ANSWER)
		proxy->state = STUB_ASKED;
	return 0;
}

/* gdb counts on the thread that it selected, or that it was told of. */
static int forward_selected(struct stub_proxy *proxy, const struct stub_frame *frame, enum stub_word word,
			    struct error *err)
{
	int status = stub_select_thread(proxy->target, &proxy->selected, err);

	return status ? status : forward(proxy, frame, word, err);
}

static int forward_trap(struct stub_proxy *proxy, const struct stub_frame *frame, struct error *err)
{
	struct stub_traps *traps = &proxy->target->traps;
	struct stub_trap trap;
	bool is_set;

	proxy->asked_trap = (struct stub_trap){ .size = 0 };
	if (!stub_trap_parse(frame->body, frame->body_size, &is_set, &trap))
		return forward_selected(proxy, frame, STUB_WORD_PLAIN, err);
	if (!is_set)
		stub_traps_remove(traps, &trap, STUB_GDBS);
	/* The stub has it for us, and keeps it: gdb's may come and go beside. */
	if (stub_traps_owners(traps, &trap) == STUB_OURS) {
		if (is_set && stub_traps_add(traps, &trap, STUB_GDBS))
			return stub_tell_gdb(proxy, "E0c");
		return stub_tell_gdb(proxy, "OK");
	}
	proxy->asked_trap = trap;
	proxy->asked_is_set = is_set;
	return forward_selected(proxy, frame, STUB_WORD_TRAP, err);
}

static void note_selection(const struct stub_frame *frame, struct stub_selection *selection)
{
	size_t size = frame->body_size - 2;

	selection->is_known = size < sizeof(selection->text) &&
			      stub_thread_parse(frame->body + 2, size, &selection->thread);
	if (!selection->is_known)
		return;
	memcpy(selection->text, frame->body + 2, size);
	selection->text[size] = '\0';
}

/* QEMU takes away all traps at this, for a debugger that has just come: ours are set again afterwards. */
static int keep_traps(struct stub_proxy *proxy, struct error *err)
{
	struct stub_traps *traps = &proxy->target->traps;
	int status;

	free(proxy->kept);
	proxy->kept_count = 0;
	proxy->kept = calloc(traps->our_count + 1, sizeof(*proxy->kept));
	if (!proxy->kept)
		return error_set(err, -ENOMEM, "gdb stub: out of memory");
	for (size_t i = 0; i < traps->count; i++) {
		const struct stub_traps_entry *entry = &traps->entries[i];

		if (entry->owners & STUB_OURS)
			proxy->kept[proxy->kept_count++] = (struct stub_trap){
				.kind = entry->kind, .address = entry->address, .size = entry->size
			};
	}
	status = stub_traps_clear(proxy->target, err);
	if (proxy->target->is_qemu)
		traps->count = 0;
	return status;
}

static int forward_packet(struct stub_proxy *proxy, const struct stub_frame *frame, enum stub_word word,
			  struct error *err)
{
	struct stub_target *target = proxy->target;
	int status;

	switch (word) {
	case STUB_WORD_RESUME:
	case STUB_WORD_RESUME_BACK:
		return stub_resume(proxy, frame, err);
	case STUB_WORD_TRAP:
		return forward_trap(proxy, frame, err);
	case STUB_WORD_SELECT:
		note_selection(frame, &proxy->selected);
		target->selected = proxy->selected;
		return forward(proxy, frame, word, err);
	case STUB_WORD_SELECT_RUN:
		if (!stub_thread_parse(frame->body + 2, frame->body_size - 2, &proxy->selected_run))
			proxy->selected_run = (struct stub_thread){ 0, 0 };
		return forward(proxy, frame, word, err);
	case STUB_WORD_STATUS:
		status = keep_traps(proxy, err);
		return status ? status : forward(proxy, frame, word, err);
	case STUB_WORD_DETACH:
	case STUB_WORD_KILL:
		status = stub_traps_clear(target, err);
		return status ? status : forward(proxy, frame, word, err);
	case STUB_WORD_NON_STOP:
		status = frame->body[frame->body_size - 1] == '1' ? stub_traps_clear(target, err) : 0;
		target->is_non_stop = frame->body[frame->body_size - 1] == '1';
		return status ? status : forward_selected(proxy, frame, word, err);
	case STUB_WORD_PHYSICAL:
		target->is_physical = frame->body[frame->body_size - 1] == '1';
		return forward(proxy, frame, word, err);
	case STUB_WORD_PLAIN:
	case STUB_WORD_NO_ACK:
	case STUB_WORD_MONITOR:
	case STUB_WORD_FILE_ANSWER:
		break;
	}
	return forward_selected(proxy, frame, word, err);
}

/* See enum stub_proxy_state. */
static int interrupt(struct stub_proxy *proxy, struct error *err)
{
	if (proxy->state != STUB_RUNNING && !proxy->target->is_non_stop) {
		if (proxy->has_said || proxy->has_told_step)
			proxy->kept_ns = stub_now_ns();
		return 0;
	}
	proxy->is_interrupted |= proxy->state == STUB_RUNNING;
	if (stub_stream_put(&proxy->target->stream, "\x03", 1))
		return stub_fail(proxy->target, err, -ENOMEM, "out of memory");
	return 0;
}

static int take_packet(struct stub_proxy *proxy, const struct stub_frame *frame, struct error *err)
{
	enum stub_word word = stub_word_of(frame->body, frame->body_size);
	int status;

	/* At once: gdb sends a request again that isn't acknowledged within two seconds. */
	if (proxy->gdb_acks) {
		status = stub_stream_put(&proxy->gdb, "+", 1);
		if (!status)
			status = stub_stream_flush(&proxy->gdb);
		if (status)
			return -EPIPE;
	}
	/* In non-stop mode a request to run is answered at once, and stops come as notifications. */
	if (proxy->target->is_non_stop && word != STUB_WORD_NON_STOP)
		word = STUB_WORD_PLAIN;
	proxy->is_detached = false; /* an extended one: gdb has more to say */
	proxy->has_said = true;
	if (proxy->state == STUB_IDLE)
		return forward_packet(proxy, frame, word, err);
	/* While gdb waits for something it asks nothing; should it do so all the same, that is passed. */
	if (stub_stream_put(&proxy->target->stream, frame->bytes, frame->size))
		return stub_fail(proxy->target, err, -ENOMEM, "out of memory");
	return 0;
}

int stub_take_from_gdb(struct stub_proxy *proxy, const struct stub_frame *frame, struct error *err)
{
	switch (frame->kind) {
	case STUB_FRAME_PACKET:
		return take_packet(proxy, frame, err);
	case STUB_FRAME_INTERRUPT:
		return interrupt(proxy, err);
	case STUB_FRAME_NAK:
		return stub_stream_put(&proxy->gdb, proxy->last, proxy->last_size) ? -EPIPE : 0;
	case STUB_FRAME_DAMAGED:
		return proxy->gdb_acks && stub_stream_put(&proxy->gdb, "-", 1) ? -EPIPE : 0;
	case STUB_FRAME_NOTIFICATION:
	case STUB_FRAME_ACK:
	case STUB_FRAME_NONE:
		break;
	}
	return 0;
}

/* Answers -------------------------------------------------------------------------------------------------- */

static int set_kept_traps(struct stub_proxy *proxy, struct error *err)
{
	CLEANUP(free) struct stub_trap *kept = TAKE_PTR(proxy->kept);

	return stub_traps_change(proxy->target, NULL, 0, kept, proxy->kept_count, err);
}

int stub_take_answer(struct stub_proxy *proxy, const struct stub_frame *frame, struct error *err)
{
	struct stub_target *target = proxy->target;
	bool is_ok = frame->body_size == 2 && memcmp(frame->body, "OK", 2) == 0;
	int status = stub_pass_to_gdb(proxy, frame->bytes, frame->size);

	if (status || (proxy->asked == STUB_WORD_MONITOR && frame->body_size > 2 && frame->body[0] == 'O'))
		return status;
	proxy->state = STUB_IDLE;
	switch (proxy->asked) {
	case STUB_WORD_TRAP:
		if (is_ok && proxy->asked_is_set)
			stub_traps_add(&target->traps, &proxy->asked_trap, STUB_GDBS);
		break;
	case STUB_WORD_SELECT:
		target->selected.is_known &= is_ok;
		break;
	case STUB_WORD_NO_ACK:
		if (is_ok)
			proxy->gdb_acks = target->uses_acks = false;
		target->is_pipelined |= is_ok;
		break;
	case STUB_WORD_STATUS:
		return set_kept_traps(proxy, err);
	case STUB_WORD_DETACH:
		proxy->is_detached = is_ok;
		if (is_ok)
			target_guard_decide(&proxy->guard, "");
		break;
	default:
		break;
	}
	return 0;
}
