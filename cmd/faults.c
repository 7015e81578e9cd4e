// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill faults: whose memory is touched for the first time, where, and what that costs. */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "faults.h"
#include "faults.skel.h"
#include "faults_views.h"
#include "trace.h"
#include "trace_counts.h"


struct faults_options {
	bool wants_stacks, wants_events, is_brief;
	uint64_t min_latency_ns, top;
};

struct faults_state {
	struct trace_counts *counts;
	uint64_t reported_ns; /* CLOCK_MONOTONIC: the interval's beginning */
	double seconds;       /* its length, while it is reported */
	uint64_t kinds[FAULT_KINDS][HISTOGRAM_SLOTS_MAX];
	uint64_t count, major; /* of the interval; events come here by on_event() */
};

#define OFFSET(field) offsetof(struct faults_options, field)

static const struct option_spec faults_option_specs[] = {
	{ 'e', "events", NULL, OPTION_FLAG, OFFSET(wants_events), NULL, "each fault by itself, instead of sums" },
	{ 'u', "user-stacks", NULL, OPTION_FLAG, OFFSET(wants_stacks), NULL,
	  "by user stack, too: the code that touched the memory" },
	{ 'b', "brief", NULL, OPTION_FLAG, OFFSET(is_brief), NULL, "by process and kind alone, not by mapping" },
	{ 't', "top", "N", OPTION_NUMBER, OFFSET(top), NULL, "the N most frequent of each report (default 0: all)" },
	{ 'm', "min-latency", "TIME", OPTION_DURATION, OFFSET(min_latency_ns), NULL,
	  "with --events: only faults that took this long" },
};

/* Events ---------------------------------------------------------------------------------------------------- */

enum { SOURCE_FUNCTION, SOURCE_SOFTWARE };

static int faults_configure(struct trace *trace, struct error *err)
{
	const struct faults_options *options = trace->run->options;

	if (options->wants_events && (options->top || options->is_brief))
		return error_set(err, -EINVAL, "--events shows each fault: it takes neither --top nor --brief");
	if (options->min_latency_ns && !options->wants_events)
		return error_set(err, -EINVAL, "--min-latency is for --events");
	return 0;
}

static int faults_prepare(struct trace *trace, struct error *err)
{
	const struct faults_options *options = trace->run->options;
	bool is_software = trace->run->rung == SOURCE_SOFTWARE, knows_tables, finds;
	int status = trace_set_page_tables(trace, &knows_tables, err);

	if (!status && !knows_tables)
		run_notice(trace->run, "page tables cannot be read: swap-in, huge, numa-hint and migration are not told apart");
	finds = kernel_targets_enumerator(trace_targets(trace), "bpf_func_id", BPF_FUNC_find_vma);
	trace_leave_out(trace, finds ? "software_with_tree" : "software_with_search");
	if (!status)
		status = trace_user_stacks(trace, options->wants_stacks, err);
	if (!status)
		status = trace_set(trace, "is_software", is_software, err);
	if (!status)
		status = trace_set(trace, "trace_began_ns", run_monotonic_ns(), err);
	if (!status)
		status = trace_set(trace, "wants_stacks", options->wants_stacks, err);
	if (!status)
		status = trace_set(trace, "wants_events", options->wants_events, err);
	if (!status)
		status = trace_set(trace, "wants_mappings", !options->is_brief, err);
	return status ? status : trace_set(trace, "min_latency_ns", options->min_latency_ns, err);
}

static int faults_begin(struct trace *trace, struct error *err)
{
	struct faults_state *state = trace->state;

	state->reported_ns = run_monotonic_ns();
	return trace_counts_create(trace, "fault_counts", 1U << offsetof(struct fault_value, latency_max_ns) / sizeof(uint64_t),
				   &state->counts, err);
}

static int faults_on_event(struct trace *trace, const struct trace_head *head, size_t size)
{
	const struct fault_event *event = (const void *)head;
	struct faults_state *state = trace->state;
	struct view_value values[EVENT_COLUMNS];

	if (head->type == TRACE_NOTE_FILE)
		return trace_mapping_learn(trace, head, size);
	if (size < sizeof(*event) || event->kind >= FAULT_KINDS)
		return -EBADMSG;
	state->count++;
	state->major += event->is_major;
	if (event->latency_ns)
		state->kinds[event->kind][63 - __builtin_clzll(event->latency_ns)]++;
	trace_head_values(trace, head, values);
	values[EVENT_KIND] = view_u64(event->kind);
	values[EVENT_MODE] = view_u64(event->mode);
	values[EVENT_ACCESS] = view_u64(event->access);
	values[EVENT_MAJOR] = view_bool(event->is_major);
	values[EVENT_LATENCY] = event->latency_ns ? view_u64(event->latency_ns) : view_absent();
	values[EVENT_ADDRESS] = view_u64(event->address);
	values[EVENT_INSTRUCTION] = view_u64(event->instruction);
	values[EVENT_CLASS] = view_u64(event->mapping.class);
	values[EVENT_MAPPING] = view_text(trace_mapping_name(trace, &event->mapping));
	values[EVENT_STACK] = view_frames(trace_user_frames(trace, head->pid, event->stack, false));
	return trace_row(trace, &event_record, values);
}

/* Reports --------------------------------------------------------------------------------------------------- */

#define WORD(field) (offsetof(struct fault_value, field) / sizeof(uint64_t))

static int show_sum(struct trace *trace, const struct trace_count *count)
{
	const struct faults_state *state = trace->state;
	const struct fault_key *key = count->key;
	const uint64_t *since = count->since;
	bool is_timed = since[WORD(timed)] != 0, is_file = key->mapping.class == MAPPING_FILE;
	char device[24];

	snprintf(device, sizeof(device), "%u:%u", key->mapping.device >> 20, key->mapping.device & 0xfffff);

	const struct view_value values[SUM_COLUMNS] = {
		[SUM_COMM] = view_text_n(key->comm, sizeof(key->comm)),
		[SUM_PID] = view_u64(key->pid),
		[SUM_KIND] = view_u64(key->kind),
		[SUM_MODE] = view_u64(key->mode),
		[SUM_ACCESS] = view_u64(key->access),
		[SUM_COUNT] = view_u64(since[WORD(count)]),
		[SUM_MAJOR] = view_u64(since[WORD(major)]),
		[SUM_RATE] = view_u64(since[WORD(count)] / state->seconds + 0.5),
		[SUM_LATENCY] = is_timed ? view_u64(since[WORD(latency_ns)] / since[WORD(timed)]) : view_absent(),
		[SUM_LONGEST] = is_timed ? view_u64(since[WORD(latency_max_ns)]) : view_absent(),
		[SUM_TIMED] = view_u64(since[WORD(timed)]),
		[SUM_DEVICE] = is_file ? view_text(device) : view_absent(),
		[SUM_INODE] = is_file ? view_u64(key->mapping.inode) : view_absent(),
		[SUM_CLASS] = view_u64(key->mapping.class),
		[SUM_MAPPING] = view_text(trace_mapping_name(trace, &key->mapping)),
		[SUM_STACK] = view_frames(trace_user_frames(trace, key->pid, key->stack, false)),
	};

	return trace_row(trace, &sum_record, values);
}

static bool take_sum(struct trace *trace, const struct trace_count *count, uint64_t ret_rank[2])
{
	struct faults_state *state = trace->state;

	state->count += count->since[WORD(count)];
	state->major += count->since[WORD(major)];
	trace->counted += count->since[WORD(count)];
	ret_rank[0] = count->since[WORD(count)];
	return ret_rank[0];
}

static const struct trace_ranking most_frequent_first = { take_sum, show_sum };

static int show_latencies(struct trace *trace)
{
	const struct faults_options *options = trace->run->options;
	struct faults_state *state = trace->state;
	int status = 0;

	for (uint32_t kind = 0; !options->wants_events && kind < FAULT_KINDS && !status; kind++)
		status = trace_map_sum(trace_map_fd(trace, "fault_latencies"), &kind, state->kinds[kind], HISTOGRAM_SLOTS_MAX);
	for (size_t kind = 0; kind < FAULT_KINDS && !status; kind++) {
		const struct view_value kinds[] = { view_u64(kind) };

		status = trace_durations(trace, &latency_record, kinds, state->kinds[kind]);
	}
	return status;
}

static int faults_on_look(struct trace *trace)
{
	const struct faults_options *options = trace->run->options;
	struct faults_state *state = trace->state;

	return options->wants_events ? 0 : trace_counts_drain(state->counts, offsetof(struct fault_key, pid),
							     offsetof(struct fault_key, pid));
}

static int faults_report(struct trace *trace, bool is_last, struct error *err)
{
	const struct faults_options *options = trace->run->options;
	struct faults_state *state = trace->state;
	uint64_t now = run_monotonic_ns(), span = now - state->reported_ns, left_out = 0;
	int status = 0;

	state->seconds = span ? span / 1e9 : 1;
	if (!options->wants_events)
		status = trace_counts_show(trace, state->counts, &most_frequent_first, options->top, &left_out, err);
	if (!status) {
		const struct view_value values[TOTAL_COLUMNS] = {
			[TOTAL_TIME] = view_u64(run_wall_ns(trace->run, now)),
			[TOTAL_MONOTONIC] = view_u64(now),
			[TOTAL_COUNT] = view_u64(state->count),
			[TOTAL_MINOR] = view_u64(state->count - state->major),
			[TOTAL_MAJOR] = view_u64(state->major),
			[TOTAL_RATE] = view_u64(state->count / state->seconds + 0.5),
			[TOTAL_SPAN] = view_u64(span),
			[TOTAL_MORE] = view_u64(left_out),
		};

		status = trace_object(trace, &total_record, values);
	}
	state->reported_ns = now;
	state->count = state->major = 0;
	return status || !is_last ? status : show_latencies(trace);
}

static void faults_destroy(struct trace *trace)
{
	trace_counts_destroy(((struct faults_state *)trace->state)->counts);
}

#define BOTH (1U << SOURCE_FUNCTION | 1U << SOURCE_SOFTWARE)

#define SOFTWARE_EVENTS (1U << PERF_COUNT_SW_PAGE_FAULTS_MIN | 1U << PERF_COUNT_SW_PAGE_FAULTS_MAJ)

static const struct trace_program faults_programs[] = {
	{ .name = "function_begin", .rungs = 1U << SOURCE_FUNCTION },
	{ .name = "function_end", .rungs = 1U << SOURCE_FUNCTION },
	{ .name = "exception_user", .rungs = 1U << SOURCE_SOFTWARE },
	{ .name = "exception_kernel", .rungs = 1U << SOURCE_SOFTWARE },
	{ .name = "software_with_search", .rungs = 1U << SOURCE_SOFTWARE, .software_events = SOFTWARE_EVENTS },
	{ .name = "software_with_tree", .rungs = 1U << SOURCE_SOFTWARE, .software_events = SOFTWARE_EVENTS },
	{ .name = "thread_exit", .rungs = BOTH },
	{ 0 },
};

static const struct event_source faults_events = {
	.elf = faults_bpf__elf_bytes,
	.programs = faults_programs,
	.state_size = sizeof(struct faults_state),
	.configure = faults_configure,
	.prepare = faults_prepare,
	.begin = faults_begin,
	.on_event = faults_on_event,
	.on_look = faults_on_look,
	.report = faults_report,
	.destroy = faults_destroy,
};

static const struct rung faults_rungs[] = {
	[SOURCE_FUNCTION] = { "function", { KERNEL_CAP_BTF, KERNEL_CAP_FENTRY, KERNEL_CAP_BPF_RINGBUF }, 3, NULL,
			      "fentry/handle_mm_fault" },
	[SOURCE_SOFTWARE] = { "software-events",
			      { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_PERF_SOFTWARE, KERNEL_CAP_BPF_RINGBUF }, 4,
			      "faults that the kernel makes itself (get_user_pages) are counted, not located",
			      "raw_tp/page_fault_user raw_tp/page_fault_kernel" },
};

static const struct tracer faults_tracer = {
	TRACE_CALLBACKS,
	.events = &faults_events,
	.ladder = { faults_rungs, sizeof(faults_rungs) / sizeof(*faults_rungs) },
	.takes_command = true,
};

const struct command faults_command = {
	.name = "faults",
	.summary = "page faults by process, kind, mapping and stack, and how long they take",
	.usage = "[OPTIONS]\n[OPTIONS] -- COMMAND ARGS...\n--replay FILE [OPTIONS]",
	.description = "Counts page faults: whose memory was touched that was not there, what it was, and what it took to get it.",
	.options = faults_option_specs,
	.option_count = sizeof(faults_option_specs) / sizeof(*faults_option_specs),
	.settings_size = sizeof(struct faults_options),
	.tracer = &faults_tracer,
	.records = faults_records,
};
