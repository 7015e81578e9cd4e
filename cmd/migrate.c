// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill migrate: pages that are moved to other frames: why, by whom, with what success, and for how long; and what NUMA
 * balancing does for each task. Rows come through the ring, sums out of maps.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "migrate.h"
#include "migrate.skel.h"
#include "migrate_views.h"
#include "trace.h"
#include "trace_counts.h"


struct migrate_options {
	uint64_t min_latency_ns, top;
	bool is_summary, wants_stacks;
};
static const struct migrate_options migrate_defaults = { .top = 20 };

struct migrate_state {
	struct trace_counts *reasons, *tasks;
	bool tells_large_splits, tells_hint_faults;
	uint64_t reported_wall_ns; /* of the report that is being made */
};

#define OFFSET(field) offsetof(struct migrate_options, field)

static const struct option_spec migrate_option_specs[] = {
	{ 's', "summary", NULL, OPTION_FLAG, OFFSET(is_summary), NULL, "sums alone, no line for each call" },
	{ 'm', "min-latency", "TIME", OPTION_DURATION, OFFSET(min_latency_ns), NULL,
	  "lines only for calls that took this long (default 0: all); sums have all" },
	{ 'K', "stacks", NULL, OPTION_FLAG, OFFSET(wants_stacks), NULL, "the kernel's stack of each: what wanted it" },
	{ 't', "top", "N", OPTION_NUMBER, OFFSET(top), NULL, "of tasks, the N that moved most (default 20; 0: all)" },
};

static int migrate_configure(struct trace *trace, struct error *err)
{
	const struct migrate_options *options = trace->run->options;

	if (options->is_summary && (options->min_latency_ns || options->wants_stacks))
		return error_set(err, -EINVAL, "--summary shows no single call: it takes neither --min-latency nor --stacks");
	return 0;
}

enum { SOURCE_FUNCTIONS, SOURCE_TRACEPOINTS };

static const struct trace_argument migrate_arguments[] = {
	{ "end_mode", "mm_migrate_pages", "mode" },
	{ "end_reason", "mm_migrate_pages", "reason" },
	{ "end_large_split", "mm_migrate_pages", "large_folio_split" },
	{ 0 },
};

static int migrate_prepare(struct trace *trace, struct error *err)
{
	const struct migrate_options *options = trace->run->options;
	struct migrate_state *state = trace->state;
	int status = trace_set_nodes(trace, err);

	if (!status)
		status = trace_set(trace, "min_latency_ns", options->min_latency_ns, err);
	if (!status)
		status = trace_set(trace, "wants_rows", !options->is_summary, err);
	if (!status)
		status = trace_set(trace, "wants_stacks", options->wants_stacks, err);
	if (trace_has_program(trace, "migration_begun"))
		trace_leave_out(trace, "migration_entered");
	state->tells_large_splits = kernel_targets_argument(trace_targets(trace), "mm_migrate_pages", "large_folio_split") >= 0;
	state->tells_hint_faults = trace_has_program(trace, "hint_fault");
	return status;
}

#define WORD(type, field) (offsetof(struct type, field) / sizeof(uint64_t))

static int migrate_begin(struct trace *trace, struct error *err)
{
	struct migrate_state *state = trace->state;
	int status = trace_counts_create(trace, "reasons", 1U << WORD(migrate_reason_value, latency_max_ns), &state->reasons, err);

	return status ? status : trace_counts_create(trace, "tasks", 1U << WORD(migrate_task_value, latency_max_ns),
						     &state->tasks, err);
}

/* Calls ----------------------------------------------------------------------------------------------------- */

/* "0,3"; absent when none is known. */
static struct view_value nodes_value(uint64_t nodes, char *text, size_t size)
{
	size_t length = 0;

	for (unsigned int node = 0; node < 64 && length < size; node++)
		if (nodes >> node & 1)
			length += snprintf(text + length, size - length, "%s%u", length ? "," : "", node);
	return nodes ? view_text(text) : view_absent();
}

static int migrate_on_event(struct trace *trace, const struct trace_head *head, size_t size)
{
	const struct migration_event *event = (const void *)head;
	struct migrate_state *state = trace->state;
	struct view_value values[EVENT_COLUMNS];
	char reason[32], mode[32], from[256], to[256];

	if (size < offsetof(struct migration_event, stack))
		return -EBADMSG;
	trace_enumerator(trace, "migrate_reason", "MR_", event->reason, reason, sizeof(reason));
	trace_enumerator(trace, "migrate_mode", "MIGRATE_", event->mode, mode, sizeof(mode));
	trace_head_values(trace, head, values);
	values[EVENT_REASON] = view_text(reason);
	values[EVENT_MODE] = event->mode < 0 ? view_absent() : view_text(mode);
	values[EVENT_SUCCEEDED] = view_u64(event->succeeded);
	values[EVENT_FAILED] = view_u64(event->failed);
	values[EVENT_HUGE] = view_u64(event->huge_succeeded);
	values[EVENT_HUGE_FAILED] = view_u64(event->huge_failed);
	values[EVENT_HUGE_SPLIT] = view_u64(event->huge_split);
	values[EVENT_LARGE_SPLIT] = state->tells_large_splits ? view_u64(event->large_split) : view_absent();
	values[EVENT_FROM] = nodes_value(event->from, from, sizeof(from));
	values[EVENT_TO] = nodes_value(event->to, to, sizeof(to));
	values[EVENT_LATENCY] = event->latency_ns ? view_u64(event->latency_ns) : view_absent();
	values[EVENT_STACK] = view_frames(size < sizeof(*event) ? NULL : trace_frames(trace, 0, &event->stack, false));
	return trace_row(trace, &event_record, values);
}

/* Sums ------------------------------------------------------------------------------------------------------ */

static int show_reason(struct trace *trace, const struct trace_count *count)
{
	const struct migrate_reason_value *since = (const void *)count->since;
	struct migrate_state *state = trace->state;
	uint32_t reason;
	char name[32];

	memcpy(&reason, count->key, sizeof(reason));
	trace_enumerator(trace, "migrate_reason", "MR_", reason, name, sizeof(name));

	const struct view_value values[REASON_COLUMNS] = {
		[REASON_TIME] = view_u64(state->reported_wall_ns),
		[REASON_NAME] = view_text(name),
		[REASON_CALLS] = view_u64(since->calls),
		[REASON_SUCCEEDED] = view_u64(since->succeeded),
		[REASON_FAILED] = view_u64(since->failed),
		[REASON_HUGE] = view_u64(since->huge_succeeded),
		[REASON_HUGE_FAILED] = view_u64(since->huge_failed),
		[REASON_HUGE_SPLIT] = view_u64(since->huge_split),
		[REASON_LARGE_SPLIT] = state->tells_large_splits ? view_u64(since->large_split) : view_absent(),
		[REASON_TIMED] = view_u64(since->timed),
		[REASON_LATENCY_SUM] = since->timed ? view_u64(since->latency_ns) : view_absent(),
		[REASON_LATENCY] = since->timed ? view_u64(since->latency_ns / since->timed) : view_absent(),
		[REASON_LONGEST] = since->timed ? view_u64(since->latency_max_ns) : view_absent(),
	};

	return since->calls ? trace_row(trace, &reason_record, values) : 0;
}

static int show_task(struct trace *trace, const struct trace_count *count)
{
	const struct migrate_task_value *since = (const void *)count->since;
	const struct migrate_task_key *key = count->key;
	struct migrate_state *state = trace->state;
	const struct view_value none = view_absent();
	const struct view_value values[TASK_COLUMNS] = {
		[TASK_TIME] = view_u64(state->reported_wall_ns),
		[TASK_COMM] = view_text_n(key->comm, sizeof(key->comm)),
		[TASK_PID] = view_u64(key->pid),
		[TASK_TID] = view_u64(key->tid),
		[TASK_CALLS] = view_u64(since->calls),
		[TASK_SUCCEEDED] = view_u64(since->succeeded),
		[TASK_FAILED] = view_u64(since->failed),
		[TASK_LATENCY_SUM] = since->latency_ns || !since->calls ? view_u64(since->latency_ns) : none,
		[TASK_LONGEST] = since->latency_max_ns || !since->calls ? view_u64(since->latency_max_ns) : none,
		[TASK_HINTS] = state->tells_hint_faults ? view_u64(since->hint_faults) : none,
		[TASK_HINT_PAGES] = state->tells_hint_faults ? view_u64(since->hint_pages) : none,
		[TASK_HINT_LOCAL] = state->tells_hint_faults ? view_u64(since->hint_local) : none,
		[TASK_NUMA_SUCCEEDED] = view_u64(since->numa_succeeded),
		[TASK_NUMA_FAILED] = view_u64(since->numa_failed),
		[TASK_MOVED] = view_u64(since->moved),
		[TASK_SWAPPED] = view_u64(since->swapped),
		[TASK_STAYED] = view_u64(since->stayed),
		[TASK_SKIPPED] = view_u64(since->skipped),
	};

	return trace_row(trace, &task_record, values);
}

static bool take_task(struct trace *trace, const struct trace_count *count, uint64_t ret_rank[2])
{
	const struct migrate_task_value *since = (const void *)count->since;

	trace->counted += since->events;
	ret_rank[0] = since->succeeded + since->failed;
	ret_rank[1] = since->events;
	return since->events || since->calls;
}

/* The most pages first, then the most hint faults. */
static const struct trace_ranking most_pages_first = { take_task, show_task };

static int show_tasks(struct trace *trace, struct error *err)
{
	const struct migrate_options *options = trace->run->options;
	struct migrate_state *state = trace->state;
	uint64_t left_out;
	int status = trace_counts_show(trace, state->tasks, &most_pages_first, options->top, &left_out, err);
	struct view_value more;

	if (status || !left_out)
		return status;
	more = view_u64(left_out);
	return trace_object(trace, &more_record, &more);
}

static int show_latencies(struct trace *trace)
{
	int map = trace_map_fd(trace, "latencies"), status = 0;

	for (uint32_t reason = 0; reason < MIGRATE_REASONS && !status; reason++) {
		uint64_t slots[HISTOGRAM_SLOTS_MAX];
		struct view_value kinds[1];
		char name[32];

		trace_enumerator(trace, "migrate_reason", "MR_", reason, name, sizeof(name));
		kinds[0] = view_text(name);
		status = trace_map_sum(map, &reason, slots, HISTOGRAM_SLOTS_MAX);
		if (!status)
			status = trace_durations(trace, &latency_record, kinds, slots);
	}
	return status;
}

static int migrate_report(struct trace *trace, bool is_last, struct error *err)
{
	struct migrate_state *state = trace->state;
	struct trace_count *list;
	size_t count;
	int status = trace_counts_look(state->reasons, &list, &count, err);

	state->reported_wall_ns = run_wall_ns(trace->run, run_monotonic_ns());
	for (size_t i = 0; !status && i < count; i++)
		status = show_reason(trace, &list[i]);
	if (!status)
		status = show_tasks(trace, err);
	return status || !is_last ? status : show_latencies(trace);
}

static int migrate_on_look(struct trace *trace)
{
	struct migrate_state *state = trace->state;

	return trace_counts_drain(state->tasks, offsetof(struct migrate_task_key, pid),
				  offsetof(struct migrate_task_key, tid));
}

static void migrate_destroy(struct trace *trace)
{
	struct migrate_state *state = trace->state;

	trace_counts_destroy(state->reasons);
	trace_counts_destroy(state->tasks);
}

/* Sources --------------------------------------------------------------------------------------------------- */

#define FUNCTIONS (1U << SOURCE_FUNCTIONS)
#define TRACEPOINTS (1U << SOURCE_TRACEPOINTS)
#define BOTH (FUNCTIONS | TRACEPOINTS)

static const struct trace_program migrate_programs[] = {
	{ .name = "migration_begun", .rungs = BOTH, .without = "latency is not known", .one_of = "begin" },
	{ .name = "migration_entered", .rungs = FUNCTIONS, .one_of = "begin" },
	{ .name = "migration_ended", .rungs = BOTH, .one_of = "end" },
	{ .name = "huge_begun", .rungs = FUNCTIONS, .one_of = "end", .only_with = "fentry/migrate_misplaced_transhuge_page" },
	{ .name = "huge_ended", .rungs = FUNCTIONS, .one_of = "end", .only_with = "fentry/migrate_misplaced_transhuge_page" },
	{ .name = "move_page", .rungs = FUNCTIONS, .one_of = "move" },
	{ .name = "move_folio", .rungs = FUNCTIONS, .one_of = "move" },
	{ .name = "set_migration_pte", .rungs = TRACEPOINTS, .without = "nodes that pages came from are not known" },
	{ .name = "remove_migration_pte", .rungs = TRACEPOINTS, .without = "nodes that pages went to are not known" },
	{ .name = "set_migration_pmd", .rungs = TRACEPOINTS, .without = "nodes that huge pages came from are not known" },
	{ .name = "remove_migration_pmd", .rungs = TRACEPOINTS, .without = "nodes that huge pages went to are not known" },
	{ .name = "hint_fault", .rungs = FUNCTIONS, .without = "hint faults of NUMA balancing are not counted" },
	{ .name = "sched_move_numa", .rungs = BOTH, .without = "tasks that are moved to their memory are not counted" },
	{ .name = "sched_swap_numa", .rungs = BOTH, .without = "tasks that swap their CPUs are not counted" },
	{ .name = "sched_stick_numa", .rungs = BOTH, .without = "tasks that stay where they are are not counted" },
	{ .name = "sched_skip_vma_numa", .rungs = BOTH, .without = "mappings that NUMA balancing skips are not counted" },
	{ 0 },
};

static const struct event_source migrate_events = {
	.elf = migrate_bpf__elf_bytes,
	.programs = migrate_programs,
	.arguments = migrate_arguments,
	.state_size = sizeof(struct migrate_state),
	.configure = migrate_configure,
	.prepare = migrate_prepare,
	.begin = migrate_begin,
	.on_event = migrate_on_event,
	.on_look = migrate_on_look,
	.report = migrate_report,
	.destroy = migrate_destroy,
};

static const struct rung migrate_rungs[] = {
	[SOURCE_FUNCTIONS] = { "functions",
			       { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_FENTRY, KERNEL_CAP_BPF_RINGBUF }, 4, NULL,
			       "raw_tp/mm_migrate_pages fentry/migrate_pages fexit/move_to_new_page|fexit/move_to_new_folio" },
	[SOURCE_TRACEPOINTS] = { "tracepoints", { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_BPF_RINGBUF }, 3,
				 "hint faults of NUMA balancing are not counted, and nodes are known of mapped pages alone",
				 "raw_tp/mm_migrate_pages" },
};

static const struct tracer migrate_tracer = {
	TRACE_CALLBACKS,
	.events = &migrate_events,
	.ladder = { migrate_rungs, sizeof(migrate_rungs) / sizeof(*migrate_rungs) },
	.takes_command = true,
};

const struct command migrate_command = {
	.name = "migrate",
	.summary = "which pages are moved, why, between what nodes, with what success and for how long",
	.usage = "[OPTIONS]\n[OPTIONS] -- COMMAND ARGS...\n--replay FILE [OPTIONS]",
	.description = "Shows each time that the kernel moves pages to other frames: for a system call, for NUMA balancing,\n"
		       "compaction, demotion, offlining. Then sums by reason and by task, with what NUMA balancing did for it.",
	.options = migrate_option_specs,
	.option_count = sizeof(migrate_option_specs) / sizeof(*migrate_option_specs),
	.settings_size = sizeof(struct migrate_options),
	.defaults = &migrate_defaults,
	.tracer = &migrate_tracer,
	.records = migrate_records,
};
