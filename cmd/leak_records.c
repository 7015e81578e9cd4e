// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Encodes and decodes memleak's records. */
#include "leak_records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FRAMES 4096 /* 127 addresses and what is inlined at each */

/* Fields are written and read in one order by one list. */
#define EACH_HEAD_NUMBER(X) \
	X(time_ns) X(pid) X(reason) X(interval_ns) X(older_than_ns) X(sample_bytes) X(seen) X(freed) X(dropped) \
	X(held) X(seen_bytes) X(freed_bytes) X(dropped_bytes) X(held_bytes)
#define EACH_SITE_NUMBER(X) \
	X(stack_key) X(count) X(bytes) X(dropped) X(dropped_bytes) X(growth_bytes) X(has_growth) X(is_growing) \
	X(estimate_count) X(estimate_bytes) X(estimate_error_bytes) X(stack_flags) X(frame_count)
#define EACH_BLOCK_NUMBER(X) X(stack_key) X(address) X(size) X(age_ns)
#define EACH_END_NUMBER(X) X(memory_used) X(memory_budget) X(recursion_misses)
#define EACH_EVENT_NUMBER(X) X(time_ns) X(pid) X(tid) X(kind) X(address) X(size)

#define WRITE(field) payload_u64(payload, from->field);
#define READ(field) to.field = payload_read_u64(reader);

void leak_encode_head(struct payload *payload, const struct leak_report_head *from)
{
	EACH_HEAD_NUMBER(WRITE)
	payload_text(payload, from->comm);
}

int leak_decode_head(struct payload_reader *reader, struct leak_report_head *ret_head)
{
	struct leak_report_head to = { 0 };

	EACH_HEAD_NUMBER(READ)
	to.comm = payload_read_text(reader);
	if (reader->has_failed || to.reason > LEAK_AT_EXEC)
		return -EBADMSG;
	*ret_head = to;
	return 0;
}

void leak_encode_site(struct payload *payload, const struct leak_site *from)
{
	EACH_SITE_NUMBER(WRITE)
	for (size_t i = 0; i < from->frame_count; i++) {
		const struct source_frame *frame = &from->frames[i];

		payload_u64(payload, from->addresses[i]);
		payload_u64(payload, frame->symbol ? frame->symbol_offset : frame->object_vaddr);
		payload_u64(payload, frame->line);
		payload_u64(payload, frame->is_inlined);
		payload_text(payload, frame->symbol);
		payload_text(payload, frame->object);
		payload_text(payload, frame->file);
	}
}

static char *copy_text(const char *text)
{
	return text ? strdup(text) : NULL;
}

int leak_decode_site(struct payload_reader *reader, struct leak_site *ret_site)
{
	struct leak_site to = { 0 };

	EACH_SITE_NUMBER(READ)
	if (reader->has_failed || to.frame_count > MAX_FRAMES)
		return -EBADMSG;
	to.frames = calloc(to.frame_count + 1, sizeof(*to.frames));
	to.addresses = calloc(to.frame_count + 1, sizeof(*to.addresses));
	if (!to.frames || !to.addresses) {
		free(to.frames);
		free(to.addresses);
		return -ENOMEM;
	}
	for (size_t i = 0; i < to.frame_count; i++) {
		struct source_frame *frame = &to.frames[i];

		to.addresses[i] = payload_read_u64(reader);
		frame->symbol_offset = frame->object_vaddr = payload_read_u64(reader);
		frame->line = payload_read_u64(reader);
		frame->is_inlined = payload_read_u64(reader);
		frame->symbol = copy_text(payload_read_text(reader));
		frame->object = copy_text(payload_read_text(reader));
		frame->file = copy_text(payload_read_text(reader));
	}
	if (reader->has_failed) {
		leak_site_deinit(&to);
		return -EBADMSG;
	}
	*ret_site = to;
	return 0;
}

void leak_site_deinit(struct leak_site *site)
{
	for (size_t i = 0; i < site->frame_count; i++) {
		free((char *)site->frames[i].symbol);
		free((char *)site->frames[i].object);
		free((char *)site->frames[i].file);
	}
	free(site->frames);
	free(site->addresses);
	*site = (struct leak_site){ 0 };
}

void leak_encode_block(struct payload *payload, const struct leak_block *from)
{
	EACH_BLOCK_NUMBER(WRITE)
}

int leak_decode_block(struct payload_reader *reader, struct leak_block *ret_block)
{
	struct leak_block to;

	EACH_BLOCK_NUMBER(READ)
	if (reader->has_failed)
		return -EBADMSG;
	*ret_block = to;
	return 0;
}

void leak_encode_end(struct payload *payload, const struct leak_report_end *from)
{
	EACH_END_NUMBER(WRITE)
	payload_u64(payload, COUNTER_COUNT);
	for (int i = 0; i < COUNTER_COUNT; i++)
		payload_u64(payload, from->counters.value[i]);
}

int leak_decode_end(struct payload_reader *reader, struct leak_report_end *ret_end)
{
	struct leak_report_end to = { 0 };

	EACH_END_NUMBER(READ)
	if (payload_read_u64(reader) != COUNTER_COUNT)
		return -EBADMSG;
	for (int i = 0; i < COUNTER_COUNT; i++)
		to.counters.value[i] = payload_read_u64(reader);
	if (reader->has_failed)
		return -EBADMSG;
	*ret_end = to;
	return 0;
}

void leak_encode_event(struct payload *payload, const struct leak_event *from)
{
	EACH_EVENT_NUMBER(WRITE)
	leak_encode_site(payload, &from->stack);
}

int leak_decode_event(struct payload_reader *reader, struct leak_event *ret_event)
{
	struct leak_event to = { 0 };
	int status;

	EACH_EVENT_NUMBER(READ)
	status = leak_decode_site(reader, &to.stack);
	if (status)
		return status;
	*ret_event = to;
	return 0;
}
