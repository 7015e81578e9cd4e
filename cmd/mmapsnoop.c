// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill mmapsnoop: every call that changes a process's mappings, what it asked for and what it got. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "mapping_names.h"
#include "mmapsnoop.h"
#include "mmapsnoop.skel.h"
#include "trace.h"

#define PAGE_BYTES 4096

struct mmapsnoop_options {
	const char *calls;
	uint64_t min_length;
	bool wants_failed_only, is_summary;
};

#define OFFSET(field) offsetof(struct mmapsnoop_options, field)

static const struct option_spec mmapsnoop_option_specs[] = {
	{ 'C', "calls", "NAMES", OPTION_TEXT, OFFSET(calls), NULL,
	  "only these, with commas between: mmap, munmap, mremap, mprotect, madvise, brk" },
	{ 'f', "failed", NULL, OPTION_FLAG, OFFSET(wants_failed_only), NULL, "only calls that failed" },
	{ 'm', "min-length", "SIZE", OPTION_SIZE, OFFSET(min_length), NULL, "only calls for at least so many bytes (not brk)" },
	{ 'S', "summary", NULL, OPTION_FLAG, OFFSET(is_summary), NULL, "count by process instead, in the kernel" },
};

static const char *const call_names[] = { "mmap", "munmap", "mremap", "mprotect", "madvise", "brk", NULL };

/* Views ----------------------------------------------------------------------------------------------------- */

enum { CALL_NAME = TRACE_HEAD_COUNT, CALL_ADDRESS, CALL_LENGTH, CALL_OLD_LENGTH, CALL_PROT, CALL_FLAGS, CALL_OFFSET,
       CALL_RESULT, CALL_VALUE, CALL_ERROR, CALL_NET, CALL_SIZE, CALL_32BIT, CALL_FD, CALL_FILE, CALL_COLUMNS };
static const struct view_column call_columns[CALL_COLUMNS] = {
	TRACE_HEAD_COLUMNS,
	[CALL_NAME] = { .name = "call", .type = VIEW_ENUM, .names = call_names, .width = 8 },
	[CALL_ADDRESS] = { .name = "address", .type = VIEW_HEX, .width = 14 },
	[CALL_LENGTH] = { .name = "length_bytes", .title = "LENGTH", .type = VIEW_BYTES, .is_optional = true },
	[CALL_OLD_LENGTH] = { .name = "old_length_bytes", .type = VIEW_BYTES, .is_optional = true, .is_json_only = true },
	[CALL_PROT] = { .name = "prot", .type = VIEW_TEXT, .width = 10, .is_optional = true },
	[CALL_FLAGS] = { .name = "flags", .type = VIEW_TEXT, .width = 27, .is_optional = true },
	[CALL_OFFSET] = { .name = "offset", .type = VIEW_HEX, .width = 8, .is_optional = true },
	[CALL_RESULT] = { .name = "result_text", .title = "RESULT", .type = VIEW_TEXT, .width = 14, .is_text_only = true },
	[CALL_VALUE] = { .name = "result", .type = VIEW_HEX, .is_json_only = true, .is_optional = true },
	[CALL_ERROR] = { .name = "error", .type = VIEW_TEXT, .is_json_only = true, .is_optional = true },
	[CALL_NET] = { .name = "net_bytes", .title = "NET", .type = VIEW_BYTES },
	[CALL_SIZE] = { .name = "mapped_bytes", .type = VIEW_BYTES, .is_json_only = true },
	[CALL_32BIT] = { .name = "is_32bit", .type = VIEW_BOOL, .is_json_only = true },
	[CALL_FD] = { .name = "fd", .type = VIEW_I64, .is_json_only = true, .is_optional = true },
	[CALL_FILE] = { .name = "file", .type = VIEW_TEXT, .is_optional = true },
};
static const struct view_record call_record = { .type = "mapping_call", .columns = call_columns,
						.column_count = CALL_COLUMNS };

enum { SUM_COMM, SUM_PID, SUM_CALLS, SUM_FAILED, SUM_MAPPED, SUM_UNMAPPED, SUM_NET, SUM_SIZE, SUM_COUNTS, SUM_COLUMNS };
static const struct view_column sum_columns[SUM_COLUMNS] = {
	[SUM_COMM] = { .name = "comm", .type = VIEW_TEXT, .width = 15 },
	[SUM_PID] = { .name = "pid", .type = VIEW_U64, .width = 7 },
	[SUM_CALLS] = { .name = "calls", .type = VIEW_U64 },
	[SUM_FAILED] = { .name = "failed", .type = VIEW_U64 },
	[SUM_MAPPED] = { .name = "added_bytes", .title = "ADDED", .type = VIEW_BYTES },
	[SUM_UNMAPPED] = { .name = "removed_bytes", .title = "REMOVED", .type = VIEW_BYTES },
	[SUM_NET] = { .name = "net_bytes", .title = "NET", .type = VIEW_BYTES },
	[SUM_SIZE] = { .name = "mapped_bytes", .title = "MAPPED", .type = VIEW_BYTES },
	[SUM_COUNTS] = { .name = "by_call", .type = VIEW_COUNTERS },
};
static const struct view_record sum_record = { .type = "process_mappings", .columns = sum_columns,
					       .column_count = SUM_COLUMNS };

static const struct view_record *const mmapsnoop_records[] = { &call_record, &sum_record, &trace_losses_record, NULL };

/* Options ----------------------------------------------------------------------------------------------------- */

static int wanted_calls(const char *names, uint32_t *ret_calls, struct error *err)
{
	CLEANUP(free) char *copy = strdup(names);
	char *rest = copy;
	uint32_t calls = 0;

	for (char *name; copy && (name = strsep(&rest, ","));) {
		size_t i = 0;

		while (call_names[i] && strcmp(call_names[i], name) != 0)
			i++;
		if (!call_names[i])
			return error_set(err, -EINVAL, "--calls: no call of mappings is named \"%s\"", name);
		calls |= 1U << i;
	}
	*ret_calls = calls;
	return 0;
}

static int mmapsnoop_configure(struct trace *trace, struct error *err)
{
	const struct mmapsnoop_options *options = trace->run->options;
	uint32_t calls;

	return options->calls ? wanted_calls(options->calls, &calls, err) : 0;
}

static int mmapsnoop_prepare(struct trace *trace, struct error *err)
{
	const struct mmapsnoop_options *options = trace->run->options;
	uint32_t calls = (1U << MAPPING_CALLS) - 1;
	int status = options->calls ? wanted_calls(options->calls, &calls, err) : 0;

	if (!status)
		status = trace_set(trace, "wanted_calls", calls, err);
	if (!status)
		status = trace_set(trace, "wants_failed_only", options->wants_failed_only, err);
	if (!status)
		status = trace_set(trace, "min_length", options->min_length, err);
	return status ? status : trace_set(trace, "is_summary", options->is_summary, err);
}

/* Events ---------------------------------------------------------------------------------------------------- */

/* brk() gives the break as it is now: a failure is one that stays below what was asked for. */
static int error_of(const struct mapping_event *event)
{
	if (event->call == MAPPING_BRK)
		return event->arguments[0] > (uint64_t)event->result ? ENOMEM : 0;
	return event->result < 0 && event->result >= -4095 ? (int)-event->result : 0;
}

struct call_texts {
	char prot[64], flags[256], result[32], path[FILE_PATH_BYTES + FILE_PATH_NAME_BYTES + 64];
};

static void arguments_values(const struct mapping_event *event, struct call_texts *texts, struct view_value *values)
{
	const __u64 *arguments = event->arguments;

	values[CALL_ADDRESS] = view_u64(arguments[0]);
	if (event->call != MAPPING_BRK)
		values[CALL_LENGTH] = view_u64(arguments[1]);
	if (event->call == MAPPING_MMAP || event->call == MAPPING_MPROTECT)
		values[CALL_PROT] = view_text(mapping_prot_text(arguments[2], texts->prot, sizeof(texts->prot)));
	if (event->call == MAPPING_MMAP) {
		values[CALL_FLAGS] = view_text(mapping_flags_text(arguments[3], texts->flags, sizeof(texts->flags)));
		values[CALL_FD] = view_i64((int32_t)arguments[4]);
		values[CALL_OFFSET] = view_u64(arguments[5]);
	} else if (event->call == MAPPING_MREMAP) {
		values[CALL_OLD_LENGTH] = view_u64(arguments[1]);
		values[CALL_LENGTH] = view_u64(arguments[2]);
		values[CALL_FLAGS] = view_text(mremap_flags_text(arguments[3], texts->flags, sizeof(texts->flags)));
	} else if (event->call == MAPPING_MADVISE) {
		values[CALL_FLAGS] = view_text(madvise_text(arguments[2], texts->flags, sizeof(texts->flags)));
	}
}

static int mmapsnoop_on_event(struct trace *trace, const struct trace_head *head, size_t size)
{
	const struct mapping_event *event = (const void *)head;
	const struct file_mapping_event *with_file = (const void *)head;
	struct view_value values[CALL_COLUMNS] = { 0 };
	struct call_texts texts;
	int error;

	if (size < sizeof(*event) || event->call >= MAPPING_CALLS)
		return -EBADMSG;
	error = error_of(event);
	trace_head_values(trace, head, values);
	values[CALL_NAME] = view_u64(event->call);
	arguments_values(event, &texts, values);
	if (error) {
		values[CALL_ERROR] = view_text(errno_text(error, texts.result, sizeof(texts.result)));
	} else {
		snprintf(texts.result, sizeof(texts.result), event->result ? "%#llx" : "0", (unsigned long long)event->result);
		values[CALL_VALUE] = view_u64((uint64_t)event->result);
	}
	values[CALL_RESULT] = view_text(texts.result);
	values[CALL_NET] = view_i64(event->net_pages * PAGE_BYTES);
	values[CALL_SIZE] = view_u64(event->vm_pages * PAGE_BYTES);
	values[CALL_32BIT] = view_bool(event->is_32bit);
	if (size >= sizeof(*with_file))
		values[CALL_FILE] = view_text(file_path_text(&with_file->path, texts.path, sizeof(texts.path)));
	return trace_row(trace, &call_record, values);
}

/* Summary --------------------------------------------------------------------------------------------------- */

struct process_sum {
	uint32_t pid;
	struct mapping_sums sums;
};

static void add_cpu(struct mapping_sums *to, const struct mapping_sums *from)
{
	for (size_t i = 0; i < MAPPING_CALLS; i++)
		to->calls[i] += from->calls[i];
	to->failed += from->failed;
	to->mapped += from->mapped;
	to->unmapped += from->unmapped;
	if (from->last_ns < to->last_ns || !from->last_ns)
		return;
	to->last_ns = from->last_ns;
	to->vm_pages = from->vm_pages;
	to->net_pages = from->net_pages;
	memcpy(to->comm, from->comm, sizeof(to->comm));
}

static int by_net(const void *one, const void *other)
{
	const struct process_sum *a = one, *b = other;

	if (a->sums.net_pages != b->sums.net_pages)
		return a->sums.net_pages > b->sums.net_pages ? -1 : 1;
	return a->pid < b->pid ? -1 : a->pid > b->pid;
}

static int show_sum(struct trace *trace, const struct process_sum *process)
{
	const struct mapping_sums *sums = &process->sums;
	struct view_counter counters[MAPPING_CALLS];
	struct view_value values[SUM_COLUMNS];
	uint64_t calls = 0;

	for (size_t i = 0; i < MAPPING_CALLS; i++) {
		counters[i] = (struct view_counter){ call_names[i], sums->calls[i] };
		calls += sums->calls[i];
	}
	values[SUM_COMM] = view_text_n(sums->comm, sizeof(sums->comm));
	values[SUM_PID] = view_u64(process->pid);
	values[SUM_CALLS] = view_u64(calls);
	values[SUM_FAILED] = view_u64(sums->failed);
	values[SUM_MAPPED] = view_u64(sums->mapped);
	values[SUM_UNMAPPED] = view_u64(sums->unmapped);
	values[SUM_NET] = view_i64(sums->net_pages * PAGE_BYTES);
	values[SUM_SIZE] = view_u64(sums->vm_pages * PAGE_BYTES);
	values[SUM_COUNTS] = view_counters(counters, MAPPING_CALLS);
	return trace_row(trace, &sum_record, values);
}

static int mmapsnoop_report(struct trace *trace, bool is_last, struct error *err)
{
	const struct mmapsnoop_options *options = trace->run->options;
	int map = trace_map_fd(trace, "sums"), cpus = libbpf_num_possible_cpus(), status = 0;
	size_t count = 0, room = bpf_map__max_entries(trace_map(trace, "sums"));
	CLEANUP(free) struct mapping_sums *each = calloc(cpus > 0 ? cpus : 1, sizeof(*each));
	CLEANUP(free) struct process_sum *processes = options->is_summary ? calloc(room, sizeof(*processes)) : NULL;
	uint32_t pid, *last = NULL;

	(void)is_last;
	if (!options->is_summary)
		return 0;
	if (!each || !processes || cpus < 0)
		return error_set(err, -ENOMEM, "out of memory");
	trace->counted = 0;
	for (; count < room && !bpf_map_get_next_key(map, last, &pid); last = &processes[count++].pid) {
		processes[count].pid = pid;
		if (bpf_map_lookup_elem(map, &pid, each))
			continue;
		for (int i = 0; i < cpus; i++)
			add_cpu(&processes[count].sums, &each[i]);
		for (size_t i = 0; i < MAPPING_CALLS; i++)
			trace->counted += processes[count].sums.calls[i];
	}
	qsort(processes, count, sizeof(*processes), by_net);
	for (size_t i = 0; i < count && !status; i++)
		status = show_sum(trace, &processes[i]);
	return status;
}

static const struct trace_program mmapsnoop_programs[] = {
	{ .name = "mapping_call_ended", .rungs = 1 },
	{ 0 },
};

static const struct event_source mmapsnoop_events = {
	.elf = mmapsnoop_bpf__elf_bytes,
	.programs = mmapsnoop_programs,
	.configure = mmapsnoop_configure,
	.prepare = mmapsnoop_prepare,
	.on_event = mmapsnoop_on_event,
	.report = mmapsnoop_report,
};

static const struct rung mmapsnoop_rungs[] = {
	{ "tracepoints", { KERNEL_CAP_BTF, KERNEL_CAP_TP_BTF, KERNEL_CAP_BPF_RINGBUF }, 3, NULL, "tp_btf/sys_exit" },
};

static const struct tracer mmapsnoop_tracer = {
	TRACE_CALLBACKS,
	.events = &mmapsnoop_events,
	.ladder = { mmapsnoop_rungs, sizeof(mmapsnoop_rungs) / sizeof(*mmapsnoop_rungs) },
	.takes_command = true,
};

const struct command mmapsnoop_command = {
	.name = "mmapsnoop",
	.summary = "what processes map, unmap, protect and advise, with result and file",
	.usage = "[OPTIONS]\n[OPTIONS] -- COMMAND ARGS...\n--replay FILE [OPTIONS]",
	.description = "Shows each mmap, munmap, mremap, mprotect, madvise and brk: arguments by name, what came of it, the\n"
		       "file, and by how much the process's mappings have grown since its first call that was seen.",
	.options = mmapsnoop_option_specs,
	.option_count = sizeof(mmapsnoop_option_specs) / sizeof(*mmapsnoop_option_specs),
	.settings_size = sizeof(struct mmapsnoop_options),
	.tracer = &mmapsnoop_tracer,
	.records = mmapsnoop_records,
};
