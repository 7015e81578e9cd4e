// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill hfaults: who gets huge pages, who does not and why, and what becomes of them. */
#include <bpf/btf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "hfaults.h"
#include "hfaults.skel.h"
#include "hfaults_processes.h"
#include "hfaults_views.h"
#include "huge_pages.h"
#include "trace_counts.h"
#include "trace_mappings.h"

struct hfaults_options {
	bool wants_user_stacks, wants_stacks, is_brief;
	uint64_t min_latency_ns;
};

struct hfaults_state {
	struct huge_processes *processes;
	struct trace_counts *scans;
	uint64_t kinds[HUGE_KINDS][HISTOGRAM_SLOTS_MAX];
	struct huge_counter counters[HUGE_COUNTERS]; /* at the beginning */
	struct huge_pool pools[HUGE_POOLS];
	size_t counter_count, pool_count;
};

#define OFFSET(field) offsetof(struct hfaults_options, field)

static const struct option_spec hfaults_option_specs[] = {
	{ 'm', "min-latency", "TIME", OPTION_DURATION, OFFSET(min_latency_ns), NULL,
	  "only what took this long (default 0: all; with it no unmaps, which are not timed)" },
	{ 'b', "brief", NULL, OPTION_FLAG, OFFSET(is_brief), NULL, "no events, what is said at the end alone" },
	{ 'u', "user-stacks", NULL, OPTION_FLAG, OFFSET(wants_user_stacks), NULL, "the user stack of each fault" },
	{ 'K', "stacks", NULL, OPTION_FLAG, OFFSET(wants_stacks), NULL, "the kernel's stack of each split: what wanted it" },
};

enum { SOURCE_FUNCTION, SOURCE_TRACEPOINTS };

/* Programs ---------------------------------------------------------------------------------------------------- */

/* The prototype of function @name; NULL: none. */
static const struct btf_type *prototype(struct trace *trace, const char *name)
{
	const struct btf *btf = kernel_targets_btf(trace_targets(trace));
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);

	return id > 0 ? btf__type_by_id(btf, btf__type_by_id(btf, id)->type) : NULL;
}

/* Of functions that do the same, the innermost alone; those whose arguments are not as the programs take them, not at all. */
static void leave_out_functions(struct trace *trace)
{
	const struct btf_type *write = prototype(trace, "do_huge_pmd_wp_page"), *file = prototype(trace, "collapse_file");
	const struct btf *btf = kernel_targets_btf(trace_targets(trace));

	if (!write || btf_vlen(write) != 1) {
		trace_leave_out(trace, "write_begin");
		trace_leave_out(trace, "write_end");
	}
	if (trace_has_program(trace, "file_mapped"))
		trace_leave_out(trace, "file_fault_finished");
	if (trace_has_program(trace, "split_folio_begin")) {
		trace_leave_out(trace, "split_order_begin");
		trace_leave_out(trace, "split_order_end");
	}
	if (!file || btf_vlen(file) != 5 || strcmp(btf__name_by_offset(btf, btf_params(file)[1].name_off), "addr") != 0) {
		trace_leave_out(trace, "collapse_file_begin");
		trace_leave_out(trace, "collapse_file_returns");
	}
	if (trace_has_program(trace, "collapse_file_end"))
		trace_leave_out(trace, "collapse_file_returns");
	else if (trace->run->rung != SOURCE_FUNCTION || !trace_has_program(trace, "collapse_file_returns"))
		run_notice(trace->run, "this kernel does not tell of collapses of files");
}

static const struct trace_argument hfaults_arguments[] = {
	{ "collapse_order", "mm_collapse_huge_page", "order" },
	{ "collapse_status", "mm_collapse_huge_page", "status" },
	{ "file_mm", "mm_khugepaged_collapse_file", "mm" },
	{ "file_address", "mm_khugepaged_collapse_file", "addr" },
	{ "file_file", "mm_khugepaged_collapse_file", "file" },
	{ "file_result", "mm_khugepaged_collapse_file", "result" },
	{ "scan_status", "mm_khugepaged_scan_pmd", "status" },
	{ "scan_file_result", "mm_khugepaged_scan_file", "result" },
	{ 0 },
};

static int set_success(struct trace *trace, struct error *err)
{
	int status = 0;

	for (unsigned int value = 0; value < 64 && !status; value++) {
		const char *name = kernel_targets_enumerator(trace_targets(trace), "scan_result", value);

		if (name && strcmp(name, "SCAN_SUCCEED") == 0)
			status = trace_set(trace, "collapse_succeeds", value, err);
	}
	return status;
}

static int hfaults_prepare(struct trace *trace, struct error *err)
{
	const struct hfaults_options *options = trace->run->options;
	bool finds = kernel_targets_enumerator(trace_targets(trace), "bpf_func_id", BPF_FUNC_find_vma), knows_tables;
	int status = trace_set_page_tables(trace, &knows_tables, err);

	if (!status && !knows_tables && trace->run->rung == SOURCE_TRACEPOINTS)
		run_notice(trace->run, "page tables cannot be read: of faults, those of hugetlb alone are seen");
	trace_leave_out(trace, finds ? "software_with_tree" : "software_with_search");
	trace_leave_out(trace, finds ? "signal_with_tree" : "signal_with_search");
	leave_out_functions(trace);
	if (!status)
		status = set_success(trace, err);
	if (!status)
		status = trace_user_stacks(trace, options->wants_user_stacks, err);
	if (!status)
		status = trace_set(trace, "wants_stacks", options->wants_user_stacks, err);
	if (!status)
		status = trace_set(trace, "huge_pages_always", huge_pages_are_always(HUGE_ENABLED_PATH), err);
	return status ? status : trace_set(trace, "min_latency_ns", options->min_latency_ns, err);
}

static int hfaults_begin(struct trace *trace, struct error *err)
{
	struct hfaults_state *state = trace->state;

	state->processes = huge_processes_create();
	if (!state->processes)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < trace->run->target_count; i++)
		huge_processes_meet(state->processes, trace->run->targets[i]);
	state->counter_count = huge_counters_read(HUGE_COUNTERS_PATH, state->counters);
	state->pool_count = huge_pools_read(HUGE_POOLS_PATH, state->pools);
	return trace_counts_create(trace, "huge_scans", 0, &state->scans, err);
}

static int hfaults_on_event(struct trace *trace, const struct trace_head *head, size_t size)
{
	const struct hfaults_options *options = trace->run->options;
	const struct huge_split_event *split = (const void *)head;
	const struct huge_event *event = &split->event;
	struct hfaults_state *state = trace->state;
	bool has_stack = head->type == HUGE_EVENT_WITH_STACK;

	if (head->type == TRACE_NOTE_FILE)
		return trace_mapping_learn(trace, head, size);
	if (size < (has_stack ? sizeof(*split) : sizeof(*event)) || event->kind >= HUGE_KINDS)
		return -EBADMSG;
	if (event->latency_ns)
		state->kinds[event->kind][63 - __builtin_clzll(event->latency_ns)]++;
	huge_processes_add(state->processes, event);
	if (options->is_brief)
		return 0;
	return huge_show_event(trace, event, has_stack ? &split->by : NULL, options->wants_stacks);
}

static int hfaults_on_look(struct trace *trace)
{
	huge_processes_look(((struct hfaults_state *)trace->state)->processes, false);
	return 0;
}

/* Reports ----------------------------------------------------------------------------------------------------- */

static int show_scans(struct trace *trace, struct error *err)
{
	struct hfaults_state *state = trace->state;
	struct trace_count *list;
	size_t count;
	int status = trace_counts_look(state->scans, &list, &count, err);

	for (size_t i = 0; i < count && !status; i++) {
		const struct huge_scan_key *key = list[i].key;
		char text[40];
		const struct view_value values[HUGE_SCAN_COLUMNS] = {
			[HUGE_SCAN_COMM] = view_text_n(key->comm, sizeof(key->comm)),
			[HUGE_SCAN_PID] = view_u64(key->pid),
			[HUGE_SCAN_KIND] = view_u64(key->is_file),
			[HUGE_SCAN_STATUS] = view_text(huge_scan_text(trace, key->status, text, sizeof(text))),
			[HUGE_SCAN_COUNT] = view_u64(list[i].total[0]),
		};

		trace->counted += list[i].since[0];
		status = trace_row(trace, &huge_scan_record, values);
	}
	return status;
}

static int show_pools(struct trace *trace)
{
	struct hfaults_state *state = trace->state;
	struct huge_pool pools[HUGE_POOLS];
	size_t count = huge_pools_read(HUGE_POOLS_PATH, pools);
	int status = 0;

	for (size_t i = 0; i < count && !status; i++) {
		const struct huge_pool *pool = &pools[i];
		const struct view_value values[HUGE_POOL_COLUMNS] = {
			view_u64(pool->size_bytes), view_u64(pool->pages), view_u64(pool->free), view_u64(pool->reserved),
			view_u64(pool->surplus),
			view_i64(i < state->pool_count ? (int64_t)(pool->free - state->pools[i].free) : 0),
		};

		if (pool->pages || (i < state->pool_count && state->pools[i].pages))
			status = trace_row(trace, &huge_pool_record, values);
	}
	return status;
}

static int show_machine(struct trace *trace)
{
	struct hfaults_state *state = trace->state;
	struct huge_counter counters[HUGE_COUNTERS];
	struct view_counter items[HUGE_COUNTERS];
	size_t count = huge_counters_read(HUGE_COUNTERS_PATH, counters);
	const struct view_value values[] = { view_counters(items, count) };

	for (size_t i = 0; i < count; i++)
		items[i] = (struct view_counter){ counters[i].name,
						  i < state->counter_count ? counters[i].value - state->counters[i].value : 0 };
	return count ? trace_object(trace, &huge_machine_record, values) : 0;
}

static int show_latencies(struct trace *trace)
{
	struct hfaults_state *state = trace->state;
	int status = 0;

	for (size_t kind = 0; kind < HUGE_KINDS && !status; kind++) {
		const struct view_value kinds[] = { view_u64(kind) };

		status = trace_durations(trace, &huge_latency_record, kinds, state->kinds[kind]);
	}
	return status;
}

static int hfaults_report(struct trace *trace, bool is_last, struct error *err)
{
	struct hfaults_state *state = trace->state;
	int status;

	if (!is_last)
		return 0;
	huge_processes_look(state->processes, true);
	status = huge_processes_show(trace, state->processes);
	if (!status)
		status = show_scans(trace, err);
	if (!status)
		status = show_pools(trace);
	if (!status)
		status = show_machine(trace);
	return status ? status : show_latencies(trace);
}

static void hfaults_destroy(struct trace *trace)
{
	struct hfaults_state *state = trace->state;

	huge_processes_destroy(state->processes);
	trace_counts_destroy(state->scans);
}

/* Declarations ------------------------------------------------------------------------------------------------ */

#define FUNCTION (1U << SOURCE_FUNCTION)
#define TRACEPOINTS (1U << SOURCE_TRACEPOINTS)
#define SOFTWARE_EVENTS (1U << PERF_COUNT_SW_PAGE_FAULTS_MIN | 1U << PERF_COUNT_SW_PAGE_FAULTS_MAJ)
#define NO_SPLITS "splits of huge pages are not seen"
#define NO_PAGES "whether hugetlb took a page of its pool is not known"

static const struct trace_program hfaults_programs[] = {
	{ .name = "hugetlb_begin", .rungs = FUNCTION },
	{ .name = "hugetlb_end", .rungs = FUNCTION },
	{ .name = "hugetlb_folio", .rungs = FUNCTION, .one_of = "hugetlb page", .without = NO_PAGES },
	{ .name = "hugetlb_page", .rungs = FUNCTION, .one_of = "hugetlb page", .without = NO_PAGES },
	{ .name = "anonymous_begin", .rungs = FUNCTION },
	{ .name = "anonymous_end", .rungs = FUNCTION },
	{ .name = "write_begin", .rungs = FUNCTION, .without = "first writes to huge pages are not seen" },
	{ .name = "write_end", .rungs = FUNCTION, .without = "first writes to huge pages are not seen" },
	{ .name = "file_mapped", .rungs = FUNCTION, .one_of = "map", .without = "huge pages of files are not seen" },
	{ .name = "file_fault_finished", .rungs = FUNCTION, .one_of = "map", .without = "huge pages of files are not seen" },
	{ .name = "unmap_begin", .rungs = FUNCTION, .one_of = "unmap", .without = NO_SPLITS },
	{ .name = "unmap_end", .rungs = FUNCTION, .one_of = "unmap", .without = NO_SPLITS },
	{ .name = "unmap_locked", .rungs = FUNCTION, .one_of = "unmap", .without = NO_SPLITS },
	{ .name = "split_folio_begin", .rungs = FUNCTION, .one_of = "split", .without = NO_SPLITS },
	{ .name = "split_folio_end", .rungs = FUNCTION, .one_of = "split", .without = NO_SPLITS },
	{ .name = "split_order_begin", .rungs = FUNCTION, .one_of = "split", .without = NO_SPLITS },
	{ .name = "split_order_end", .rungs = FUNCTION, .one_of = "split", .without = NO_SPLITS },
	{ .name = "split_page_begin", .rungs = FUNCTION, .one_of = "split", .without = NO_SPLITS },
	{ .name = "split_page_end", .rungs = FUNCTION, .one_of = "split", .without = NO_SPLITS },
	{ .name = "exception_user", .rungs = TRACEPOINTS },
	{ .name = "exception_kernel", .rungs = TRACEPOINTS },
	{ .name = "software_with_search", .rungs = TRACEPOINTS, .software_events = SOFTWARE_EVENTS },
	{ .name = "software_with_tree", .rungs = TRACEPOINTS, .software_events = SOFTWARE_EVENTS },
	{ .name = "signal_with_search", .rungs = TRACEPOINTS },
	{ .name = "signal_with_tree", .rungs = TRACEPOINTS },
	{ .name = "collapse_begin", .rungs = FUNCTION, .without = "where and how long a collapse is done is not known" },
	{ .name = "collapse_end", .rungs = FUNCTION | TRACEPOINTS, .without = "collapses are not seen" },
	{ .name = "collapse_file_begin", .rungs = FUNCTION, .without = "how long a file's collapse takes is not known" },
	{ .name = "collapse_file_end", .rungs = FUNCTION | TRACEPOINTS, .one_of = "collapse of files",
	  .without = "collapses of files are not seen" },
	{ .name = "collapse_file_returns", .rungs = FUNCTION, .one_of = "collapse of files",
	  .without = "collapses of files are not seen" },
	{ .name = "scan_ended", .rungs = FUNCTION | TRACEPOINTS, .without = "what khugepaged looks at is not counted" },
	{ .name = "scan_file_ended", .rungs = FUNCTION | TRACEPOINTS, .without = "what khugepaged looks at of files is not counted" },
	{ 0 },
};

static const struct event_source hfaults_events = {
	.elf = hfaults_bpf__elf_bytes,
	.programs = hfaults_programs,
	.arguments = hfaults_arguments,
	.state_size = sizeof(struct hfaults_state),
	.prepare = hfaults_prepare,
	.begin = hfaults_begin,
	.on_event = hfaults_on_event,
	.on_look = hfaults_on_look,
	.report = hfaults_report,
	.destroy = hfaults_destroy,
};

static const struct rung hfaults_rungs[] = {
	[SOURCE_FUNCTION] = { "function", { KERNEL_CAP_BTF, KERNEL_CAP_FENTRY, KERNEL_CAP_BPF_RINGBUF }, 3, NULL,
			      "fentry/hugetlb_fault fentry/do_huge_pmd_anonymous_page" },
	[SOURCE_TRACEPOINTS] = { "tracepoints",
				 { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_PERF_SOFTWARE, KERNEL_CAP_BPF_RINGBUF }, 4,
				 "no splits, no faults of get_user_pages; not told: what a hugetlb fault did, where collapses are",
				 "raw_tp/page_fault_user raw_tp/page_fault_kernel raw_tp/signal_generate" },
};

static const struct tracer hfaults_tracer = {
	TRACE_CALLBACKS,
	.events = &hfaults_events,
	.ladder = { hfaults_rungs, sizeof(hfaults_rungs) / sizeof(*hfaults_rungs) },
	.takes_command = true,
};

static const struct view_record *const hfaults_records[] = {
	&huge_event_record, &huge_sum_record, &huge_mapped_record, &huge_more_record, &huge_scan_record, &huge_pool_record,
	&huge_machine_record, &huge_latency_record, &trace_losses_record, NULL };

const struct command hfaults_command = {
	.name = "hfaults",
	.summary = "who gets huge pages, who does not and why, and what becomes of them",
	.usage = "[OPTIONS]\n[OPTIONS] -- COMMAND ARGS...\n--replay FILE [OPTIONS]",
	.description = "Shows faults in memory of huge pages, of hugetlb and transparent ones, with the reason where there was\n"
		       "none; their collapses and splits; at the end what of each process is mapped by huge pages.",
	.options = hfaults_option_specs,
	.option_count = sizeof(hfaults_option_specs) / sizeof(*hfaults_option_specs),
	.settings_size = sizeof(struct hfaults_options),
	.tracer = &hfaults_tracer,
	.records = hfaults_records,
};
