// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill shmsnoop: shared memory segments, who makes, attaches, detaches and removes them, and which are left behind. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "mapping_names.h"
#include "shm_segments.h"
#include "shm_names.h"
#include "shmsnoop.h"
#include "shmsnoop.skel.h"
#include "trace.h"

struct shmsnoop_options {
	bool wants_posix, wants_failed_only;
};

#define OFFSET(field) offsetof(struct shmsnoop_options, field)

static const struct option_spec shmsnoop_option_specs[] = {
	{ 'P', "posix", NULL, OPTION_FLAG, OFFSET(wants_posix), NULL,
	  "also shm_open and shm_unlink (files of /dev/shm) and memfd_create" },
	{ 'f', "failed", NULL, OPTION_FLAG, OFFSET(wants_failed_only), NULL, "only calls that failed" },
};

static const char *const call_names[] = { "shmget", "shmat", "shmdt", "shmctl", "shm_open", "shm_unlink", "memfd_create", NULL };

/* Views ----------------------------------------------------------------------------------------------------- */

enum { CALL_NAME = TRACE_HEAD_COUNT, CALL_ID, CALL_KEY, CALL_SIZE, CALL_ADDRESS, CALL_COMMAND, CALL_FLAGS, CALL_RESULT,
       CALL_VALUE, CALL_ERROR, CALL_CREATOR, CALL_CREATOR_COMM, CALL_32BIT, CALL_OBJECT, CALL_COLUMNS };
static const struct view_column call_columns[CALL_COLUMNS] = {
	TRACE_HEAD_COLUMNS,
	[CALL_NAME] = { .name = "call", .type = VIEW_ENUM, .names = call_names, .width = 12 },
	[CALL_ID] = { .name = "id", .type = VIEW_I64, .width = 7, .is_optional = true },
	[CALL_KEY] = { .name = "key", .type = VIEW_TEXT, .width = 10, .is_optional = true },
	[CALL_SIZE] = { .name = "size_bytes", .title = "SIZE", .type = VIEW_BYTES, .is_optional = true },
	[CALL_ADDRESS] = { .name = "address", .type = VIEW_HEX, .width = 14, .is_optional = true },
	[CALL_COMMAND] = { .name = "command", .type = VIEW_TEXT, .width = 9, .is_optional = true },
	[CALL_FLAGS] = { .name = "flags", .type = VIEW_TEXT, .width = 26, .is_optional = true },
	[CALL_RESULT] = { .name = "result_text", .title = "RESULT", .type = VIEW_TEXT, .width = 14, .is_text_only = true },
	[CALL_VALUE] = { .name = "result", .type = VIEW_HEX, .is_json_only = true, .is_optional = true },
	[CALL_ERROR] = { .name = "error", .type = VIEW_TEXT, .is_json_only = true, .is_optional = true },
	[CALL_CREATOR] = { .name = "creator_pid", .title = "CREATOR", .type = VIEW_I64, .is_optional = true },
	[CALL_CREATOR_COMM] = { .name = "creator_comm", .type = VIEW_TEXT, .is_json_only = true, .is_optional = true },
	[CALL_32BIT] = { .name = "is_32bit", .type = VIEW_BOOL, .is_json_only = true },
	[CALL_OBJECT] = { .name = "name", .type = VIEW_TEXT, .is_optional = true },
};
static const struct view_record call_record = { .type = "shm_call", .columns = call_columns, .column_count = CALL_COLUMNS };

enum { SEGMENT_ID, SEGMENT_KEY, SEGMENT_SIZE, SEGMENT_ATTACHED, SEGMENT_STATE, SEGMENT_CREATOR, SEGMENT_CREATOR_COMM,
       SEGMENT_LAST, SEGMENT_ATTACHERS, SEGMENT_COLUMNS };
static const char *const state_names[] = { "in_use", "left_behind", "removed", NULL };
enum { STATE_IN_USE, STATE_LEFT_BEHIND, STATE_REMOVED };
static const struct view_column segment_columns[SEGMENT_COLUMNS] = {
	[SEGMENT_ID] = { .name = "id", .type = VIEW_I64, .width = 7 },
	[SEGMENT_KEY] = { .name = "key", .type = VIEW_TEXT, .width = 10 },
	[SEGMENT_SIZE] = { .name = "size_bytes", .title = "SIZE", .type = VIEW_BYTES },
	[SEGMENT_ATTACHED] = { .name = "attached", .type = VIEW_U64 },
	[SEGMENT_STATE] = { .name = "state", .type = VIEW_ENUM, .names = state_names, .width = 11 },
	[SEGMENT_CREATOR] = { .name = "creator_pid", .title = "CREATOR", .type = VIEW_I64 },
	[SEGMENT_CREATOR_COMM] = { .name = "creator_comm", .title = "COMM", .type = VIEW_TEXT, .width = 15, .is_optional = true },
	[SEGMENT_LAST] = { .name = "last_pid", .title = "LAST", .type = VIEW_I64, .is_optional = true },
	[SEGMENT_ATTACHERS] = { .name = "attachers", .type = VIEW_TEXT, .is_optional = true },
};
static const struct view_record segment_record = { .type = "shm_segment", .columns = segment_columns,
						   .column_count = SEGMENT_COLUMNS, .starts_section = true };

static const struct view_record *const shmsnoop_records[] = { &call_record, &segment_record, &trace_losses_record, NULL };

/* Names ----------------------------------------------------------------------------------------------------- */

static const char *key_text(uint32_t key, char *text, size_t size)
{
	if (key)
		snprintf(text, size, "0x%08x", key);
	else
		snprintf(text, size, "PRIVATE");
	return text;
}

/* Events ---------------------------------------------------------------------------------------------------- */

static int shmsnoop_prepare(struct trace *trace, struct error *err)
{
	const struct shmsnoop_options *options = trace->run->options;
	int status = trace_set(trace, "wants_posix", options->wants_posix, err);

	return status ? status : trace_set(trace, "wants_failed_only", options->wants_failed_only, err);
}

static int shmsnoop_begin(struct trace *trace, struct error *err)
{
	int status = shm_segments_read(trace->state);

	(void)err;
	if (status)
		run_notice(trace->run, "/proc/sysvipc/shm: %s: segments that are there already are not known", strerror(-status));
	return 0;
}

/* The segment that the call is about, after what the call changed; -1: none. */
static int note_call(struct shm_segments *segments, const struct shm_event *event, bool has_failed)
{
	struct shm_user user = { .pid = (pid_t)event->head.pid };
	struct shm_segment *segment;
	int id = event->call == SHM_GET ? (int)event->result : (int)event->arguments[0];

	memcpy(user.comm, event->head.comm, sizeof(user.comm) - 1);
	if (event->call == SHM_DT)
		return has_failed ? -1 : shm_segment_detached(segments, user.pid, event->arguments[0]);
	if (event->call > SHM_CTL || (event->call == SHM_GET && has_failed))
		return -1;
	if (has_failed)
		return id;
	segment = event->call == SHM_CTL ? shm_segment_find(segments, id) : shm_segment_of(segments, id);
	if (event->call == SHM_GET && segment && !segment->creator.pid) { /* the first that is heard of it */
		segment->creator = user;
		segment->key = (uint32_t)event->arguments[0];
		segment->size = event->arguments[1];
	}
	if (segment)
		segment->is_used = true;
	if (event->call == SHM_AT)
		shm_segment_attached(segments, id, &user, (uint64_t)event->result);
	return id;
}

struct call_texts {
	char key[16], flags[256], result[32];
};

static void arguments_values(const struct shm_event *event, struct call_texts *texts, struct view_value *values)
{
	const __u64 *arguments = event->arguments;
	char *flags = texts->flags;

	flags[0] = '\0';
	switch (event->call) {
	case SHM_GET:
		values[CALL_KEY] = view_text(key_text((uint32_t)arguments[0], texts->key, sizeof(texts->key)));
		values[CALL_SIZE] = view_u64(arguments[1]);
		shmget_flags_text(arguments[2], flags, sizeof(texts->flags));
		break;
	case SHM_AT:
		values[CALL_ADDRESS] = view_u64(arguments[1]);
		shmat_flags_text(arguments[2], flags, sizeof(texts->flags));
		break;
	case SHM_OPEN:
		shm_open_flags_text(arguments[0], arguments[1], flags, sizeof(texts->flags));
		break;
	case SHM_MEMFD:
		memfd_flags_text(arguments[0], flags, sizeof(texts->flags));
		break;
	case SHM_CTL:
		values[CALL_COMMAND] = view_text(shmctl_command_name(arguments[1]));
		break;
	case SHM_DT:
		values[CALL_ADDRESS] = view_u64(arguments[0]);
		break;
	}
	values[CALL_FLAGS] = view_text(*flags ? flags : NULL);
}

static void segment_values(const struct shm_segment *segment, struct call_texts *texts, struct view_value *values)
{
	values[CALL_ID] = view_i64(segment->id);
	if (segment->creator.pid) {
		values[CALL_KEY] = view_text(key_text(segment->key, texts->key, sizeof(texts->key)));
		values[CALL_SIZE] = view_u64(segment->size);
		values[CALL_CREATOR] = view_i64(segment->creator.pid);
		values[CALL_CREATOR_COMM] = view_text(segment->creator.comm[0] ? segment->creator.comm : NULL);
	}
}

static int shmsnoop_on_event(struct trace *trace, const struct trace_head *head, size_t size)
{
	const struct shm_event *event = (const void *)head;
	bool has_failed = event->result < 0 && event->result >= -4095;
	struct view_value values[CALL_COLUMNS] = { 0 };
	const struct shm_segment *segment;
	struct call_texts texts;
	int id;

	if (size < sizeof(*event) || event->call >= SHM_CALLS)
		return -EBADMSG;
	id = note_call(trace->state, event, has_failed);
	segment = id >= 0 ? shm_segment_find(trace->state, id) : NULL;
	trace_head_values(trace, head, values);
	values[CALL_NAME] = view_u64(event->call);
	arguments_values(event, &texts, values);
	if (segment)
		segment_values(segment, &texts, values);
	else if (id >= 0 || event->call == SHM_AT || event->call == SHM_CTL)
		values[CALL_ID] = view_i64((int)event->arguments[0]);
	if (has_failed) {
		values[CALL_ERROR] = view_text(errno_text((int)-event->result, texts.result, sizeof(texts.result)));
	} else {
		snprintf(texts.result, sizeof(texts.result), event->call == SHM_AT ? "%#llx" : "%lld", (long long)event->result);
		values[CALL_VALUE] = view_u64((uint64_t)event->result);
	}
	values[CALL_RESULT] = view_text(texts.result);
	values[CALL_32BIT] = view_bool(event->is_32bit);
	if (event->call >= SHM_OPEN)
		values[CALL_OBJECT] = view_text_n(event->name, sizeof(event->name));
	return trace_row(trace, &call_record, values);
}

/* Segments at the end --------------------------------------------------------------------------------------- */

static const char *attachers_text(const struct shm_segment *segment, char *text, size_t size)
{
	size_t used = 0, shown = segment->attacher_count < SHM_ATTACHERS ? segment->attacher_count : SHM_ATTACHERS;

	text[0] = '\0';
	for (size_t i = 0; i < shown && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%d %s", i ? ", " : "", segment->attachers[i].pid,
					 segment->attachers[i].comm);
	if (segment->attacher_count > shown && used < size)
		snprintf(text + used, size - used, ", %zu more", segment->attacher_count - shown);
	return *text ? text : NULL;
}

static int show_segment(struct trace *trace, const struct shm_segment *segment)
{
	struct view_value values[SEGMENT_COLUMNS] = { 0 };
	char key[16], attachers[SHM_ATTACHERS * 32];

	values[SEGMENT_ID] = view_i64(segment->id);
	values[SEGMENT_KEY] = view_text(key_text(segment->key, key, sizeof(key)));
	values[SEGMENT_SIZE] = view_u64(segment->size);
	values[SEGMENT_ATTACHED] = view_u64(segment->exists ? segment->attached : 0);
	values[SEGMENT_STATE] = view_u64(!segment->exists ? STATE_REMOVED : segment->attached ? STATE_IN_USE : STATE_LEFT_BEHIND);
	values[SEGMENT_CREATOR] = view_i64(segment->creator.pid);
	values[SEGMENT_CREATOR_COMM] = view_text(segment->creator.comm[0] ? segment->creator.comm : NULL);
	if (segment->last_pid)
		values[SEGMENT_LAST] = view_i64(segment->last_pid);
	values[SEGMENT_ATTACHERS] = view_text(attachers_text(segment, attachers, sizeof(attachers)));
	return trace_row(trace, &segment_record, values);
}

/* Those that calls were about, and all that nobody has attached. */
static int shmsnoop_report(struct trace *trace, bool is_last, struct error *err)
{
	struct shm_segments *segments = trace->state;
	int status = 0;

	(void)err;
	if (!is_last || shm_segments_read(segments))
		return 0;
	for (size_t i = 0; i < segments->count && !status; i++) {
		const struct shm_segment *segment = &segments->list[i];

		if (segment->is_used || (segment->exists && !segment->attached))
			status = show_segment(trace, segment);
	}
	return status;
}

static void shmsnoop_destroy(struct trace *trace)
{
	shm_segments_deinit(trace->state);
}

static const struct trace_program shmsnoop_programs[] = {
	{ .name = "shm_call_ended", .rungs = 1 },
	{ 0 },
};

static const struct event_source shmsnoop_events = {
	.elf = shmsnoop_bpf__elf_bytes,
	.programs = shmsnoop_programs,
	.state_size = sizeof(struct shm_segments),
	.prepare = shmsnoop_prepare,
	.begin = shmsnoop_begin,
	.on_event = shmsnoop_on_event,
	.report = shmsnoop_report,
	.destroy = shmsnoop_destroy,
};

static const struct rung shmsnoop_rungs[] = {
	{ "tracepoints", { KERNEL_CAP_BTF, KERNEL_CAP_TP_BTF, KERNEL_CAP_BPF_RINGBUF }, 3, NULL, "tp_btf/sys_exit" },
};

static const struct tracer shmsnoop_tracer = {
	TRACE_CALLBACKS,
	.events = &shmsnoop_events,
	.ladder = { shmsnoop_rungs, sizeof(shmsnoop_rungs) / sizeof(*shmsnoop_rungs) },
	.takes_command = true,
};

const struct command shmsnoop_command = {
	.name = "shmsnoop",
	.summary = "shared memory: who makes, attaches and removes it, and what is left behind",
	.usage = "[OPTIONS]\n[OPTIONS] -- COMMAND ARGS...\n--replay FILE [OPTIONS]",
	.description = "Shows each shmget, shmat, shmdt and shmctl with its segment, key and creator; at the end the segments\n"
		       "that were used, and those that nobody has attached any more.",
	.options = shmsnoop_option_specs,
	.option_count = sizeof(shmsnoop_option_specs) / sizeof(*shmsnoop_option_specs),
	.settings_size = sizeof(struct shmsnoop_options),
	.tracer = &shmsnoop_tracer,
	.records = shmsnoop_records,
};
