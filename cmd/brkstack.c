// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill brkstack: who grows the heap, by how many bytes, from which place of the program. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "brkstack.h"
#include "brkstack.skel.h"
#include "cleanup.h"
#include "error.h"
#include "mapping_names.h"
#include "trace.h"

struct brkstack_options {
	bool wants_events, wants_mmap, without_stacks;
	uint64_t top;
};

#define OFFSET(field) offsetof(struct brkstack_options, field)

static const struct option_spec brkstack_option_specs[] = {
	{ 'e', "events", NULL, OPTION_FLAG, OFFSET(wants_events), NULL, "a row for each call when it returns, instead of sums" },
	{ 'M', "mmap", NULL, OPTION_FLAG, OFFSET(wants_mmap), NULL,
	  "also growth by mmap, mremap and mprotect, as of malloc's arenas and large blocks; shrinking by munmap" },
	{ 'T', "top", "NUMBER", OPTION_NUMBER, OFFSET(top), NULL, "show so many stacks in a report (default 10, 0: all)" },
	{ 0, "no-stacks", NULL, OPTION_FLAG, OFFSET(without_stacks), NULL, "by process only" },
};
static const struct brkstack_options brkstack_defaults = { .top = 10 };

static const char *const call_names[] = { "brk", "mmap", "munmap", "mremap", "mprotect", NULL };

/* Views ----------------------------------------------------------------------------------------------------- */

enum { CALL_NAME = TRACE_HEAD_COUNT, CALL_CHANGE, CALL_OLD, CALL_NEW, CALL_WANTED, CALL_ERROR, CALL_STACK, CALL_COLUMNS };
static const struct view_column call_columns[CALL_COLUMNS] = {
	TRACE_HEAD_COLUMNS,
	[CALL_NAME] = { .name = "call", .type = VIEW_ENUM, .names = call_names, .width = 8 },
	[CALL_CHANGE] = { .name = "change_bytes", .title = "CHANGE", .type = VIEW_BYTES },
	[CALL_OLD] = { .name = "old_break", .type = VIEW_HEX, .width = 14, .is_optional = true },
	[CALL_NEW] = { .name = "new_break", .type = VIEW_HEX, .width = 14, .is_optional = true },
	[CALL_WANTED] = { .name = "wanted", .type = VIEW_HEX, .width = 14 },
	[CALL_ERROR] = { .name = "error", .type = VIEW_TEXT, .width = 6, .is_optional = true },
	[CALL_STACK] = { .name = "stack", .type = VIEW_STACK, .is_optional = true },
};
static const struct view_record call_record = { .type = "heap_call", .columns = call_columns, .column_count = CALL_COLUMNS };

enum { SUM_COMM, SUM_PID, SUM_NET, SUM_GROWN, SUM_SHRUNK, SUM_CALLS, SUM_FAILED, SUM_OLD, SUM_NEW, SUM_STACK, SUM_COLUMNS };
static const struct view_column sum_columns[SUM_COLUMNS] = {
	[SUM_COMM] = { .name = "comm", .type = VIEW_TEXT, .width = 15 },
	[SUM_PID] = { .name = "pid", .type = VIEW_U64, .width = 7 },
	[SUM_NET] = { .name = "net_bytes", .title = "NET", .type = VIEW_BYTES },
	[SUM_GROWN] = { .name = "grown_bytes", .title = "GROWN", .type = VIEW_BYTES },
	[SUM_SHRUNK] = { .name = "shrunk_bytes", .title = "SHRUNK", .type = VIEW_BYTES },
	[SUM_CALLS] = { .name = "calls", .type = VIEW_U64 },
	[SUM_FAILED] = { .name = "failed", .type = VIEW_U64 },
	[SUM_OLD] = { .name = "old_break", .type = VIEW_HEX, .width = 14, .is_optional = true },
	[SUM_NEW] = { .name = "new_break", .type = VIEW_HEX, .width = 14, .is_optional = true },
	[SUM_STACK] = { .name = "stack", .type = VIEW_STACK, .is_optional = true },
};
static const struct view_record sum_record = { .type = "heap_growth", .columns = sum_columns, .column_count = SUM_COLUMNS };

static const struct view_record *const brkstack_records[] = { &call_record, &sum_record, &trace_losses_record, NULL };

/* Events ---------------------------------------------------------------------------------------------------- */

static int brkstack_prepare(struct trace *trace, struct error *err)
{
	const struct brkstack_options *options = trace->run->options;
	int status = trace_user_stacks(trace, !options->without_stacks, err);

	if (!status)
		status = trace_set(trace, "wants_stacks", !options->without_stacks, err);
	if (!status)
		status = trace_set(trace, "wants_events", options->wants_events, err);
	return status ? status : trace_set(trace, "wants_mmap", options->wants_mmap, err);
}

static int brkstack_on_event(struct trace *trace, const struct trace_head *head, size_t size)
{
	const struct growth *event = &((const struct growth_event *)(const void *)head)->growth;
	struct view_value values[CALL_COLUMNS] = { 0 };
	char error[32];

	if (size < sizeof(struct growth_event) || event->call >= GROWTH_CALLS)
		return -EBADMSG;
	trace_head_values(trace, head, values);
	values[CALL_NAME] = view_u64(event->call);
	values[CALL_CHANGE] = view_i64(event->change);
	if (event->call == GROWTH_BRK) {
		values[CALL_OLD] = view_u64(event->old_break);
		values[CALL_NEW] = view_u64(event->new_break);
	}
	values[CALL_WANTED] = view_u64(event->wanted);
	if (event->error)
		values[CALL_ERROR] = view_text(errno_text(event->error, error, sizeof(error)));
	values[CALL_STACK] = view_frames(trace_user_frames(trace, (pid_t)head->pid, event->stack, false));
	return trace_row(trace, &call_record, values);
}

/* Sums ------------------------------------------------------------------------------------------------------ */

struct growth_line {
	struct growth_key key;
	struct growth_sums sums;
};

static int64_t net_of(const struct growth_line *growth)
{
	return (int64_t)(growth->sums.grown - growth->sums.shrunk);
}

static int by_net(const void *one, const void *other)
{
	const struct growth_line *a = one, *b = other;

	if (net_of(a) != net_of(b))
		return net_of(a) > net_of(b) ? -1 : 1;
	return a->sums.calls > b->sums.calls ? -1 : a->sums.calls < b->sums.calls;
}

static int show_growth(struct trace *trace, const struct growth_line *growth)
{
	const struct growth_sums *sums = &growth->sums;
	struct view_value values[SUM_COLUMNS] = { 0 };

	values[SUM_COMM] = view_text_n(sums->comm, sizeof(sums->comm));
	values[SUM_PID] = view_u64(growth->key.pid);
	values[SUM_NET] = view_i64(net_of(growth));
	values[SUM_GROWN] = view_u64(sums->grown);
	values[SUM_SHRUNK] = view_u64(sums->shrunk);
	values[SUM_CALLS] = view_u64(sums->calls);
	values[SUM_FAILED] = view_u64(sums->failed);
	if (sums->new_break) {
		values[SUM_OLD] = view_u64(sums->old_break);
		values[SUM_NEW] = view_u64(sums->new_break);
	}
	values[SUM_STACK] = view_frames(trace_user_frames(trace, (pid_t)growth->key.pid, growth->key.stack, false));
	return trace_row(trace, &sum_record, values);
}

static int brkstack_report(struct trace *trace, bool is_last, struct error *err)
{
	const struct brkstack_options *options = trace->run->options;
	size_t count = 0, room = bpf_map__max_entries(trace_map(trace, "sums"));
	CLEANUP(free) struct growth_line *growths = options->wants_events ? NULL : calloc(room, sizeof(*growths));
	int map = trace_map_fd(trace, "sums"), status = 0;
	struct growth_key *last = NULL;

	(void)is_last;
	if (options->wants_events)
		return 0;
	if (!growths)
		return error_set(err, -ENOMEM, "out of memory");
	trace->counted = 0;
	while (count < room && !bpf_map_get_next_key(map, last, &growths[count].key)) {
		if (!bpf_map_lookup_elem(map, &growths[count].key, &growths[count].sums))
			trace->counted += growths[count].sums.calls;
		last = &growths[count++].key;
	}
	qsort(growths, count, sizeof(*growths), by_net);
	for (size_t i = 0; i < count && (!options->top || i < options->top) && !status; i++)
		status = show_growth(trace, &growths[i]);
	return status;
}

static const struct trace_program brkstack_programs[] = {
	{ .name = "growth_call_begins", .rungs = 1 },
	{ .name = "growth_call_ended", .rungs = 1 },
	{ 0 },
};

static const struct event_source brkstack_events = {
	.elf = brkstack_bpf__elf_bytes,
	.programs = brkstack_programs,
	.prepare = brkstack_prepare,
	.on_event = brkstack_on_event,
	.report = brkstack_report,
};

static const struct rung brkstack_rungs[] = {
	{ "tracepoints", { KERNEL_CAP_BTF, KERNEL_CAP_TP_BTF, KERNEL_CAP_BPF_RINGBUF }, 3, NULL,
	  "tp_btf/sys_enter tp_btf/sys_exit" },
};

static const struct tracer brkstack_tracer = {
	TRACE_CALLBACKS,
	.events = &brkstack_events,
	.ladder = { brkstack_rungs, sizeof(brkstack_rungs) / sizeof(*brkstack_rungs) },
	.takes_command = true,
};

const struct command brkstack_command = {
	.name = "brkstack",
	.summary = "who grows the heap, by how many bytes, from where",
	.usage = "[OPTIONS]\n[OPTIONS] -- COMMAND ARGS...\n--replay FILE [OPTIONS]",
	.description = "Adds up by how many bytes each place of a program grew and shrank the heap: the break, and with --mmap\n"
		       "private writable memory by mmap and what follows it.",
	.options = brkstack_option_specs,
	.option_count = sizeof(brkstack_option_specs) / sizeof(*brkstack_option_specs),
	.settings_size = sizeof(struct brkstack_options),
	.defaults = &brkstack_defaults,
	.tracer = &brkstack_tracer,
	.records = brkstack_records,
};
