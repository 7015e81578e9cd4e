// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill drsnoop: who has to reclaim memory itself, for how long, and for what allocation. */
#include <errno.h>

#include "drsnoop.h"
#include "drsnoop.skel.h"
#include "error.h"
#include "gfp_names.h"
#include "trace.h"

struct drsnoop_options {
	uint64_t min_latency_ns;
	bool wants_stacks;
};

struct drsnoop_state {
	struct gfp_names *gfp;
	uint64_t latency[RECLAIM_KINDS][HISTOGRAM_SLOTS_MAX];
};

#define OFFSET(field) offsetof(struct drsnoop_options, field)

static const struct option_spec drsnoop_option_specs[] = {
	{ 'm', "min-latency", "TIME", OPTION_DURATION, OFFSET(min_latency_ns), NULL,
	  "only reclaims that took this long (default 0: all)" },
	{ 'K', "stacks", NULL, OPTION_FLAG, OFFSET(wants_stacks), NULL, "the stack of each, the kernel's and the program's: which allocation it was" },
};

/* Views ----------------------------------------------------------------------------------------------------- */

static const char *const kind_names[] = { "direct", "memcg", "node", "throttled", NULL };

enum { RECLAIM_KIND = TRACE_HEAD_COUNT, RECLAIM_LATENCY, RECLAIM_PAGES, RECLAIM_ORDER, RECLAIM_GFP, RECLAIM_GFP_FLAGS,
       RECLAIM_STACK, RECLAIM_USER_STACK, RECLAIM_COLUMNS };
static const struct view_column reclaim_columns[RECLAIM_COLUMNS] = {
	TRACE_HEAD_COLUMNS,
	[RECLAIM_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = kind_names, .width = 9 },
	[RECLAIM_LATENCY] = { .name = "latency_ns", .title = "LATENCY", .type = VIEW_DURATION_NS },
	[RECLAIM_PAGES] = { .name = "reclaimed_pages", .title = "PAGES", .type = VIEW_U64 },
	[RECLAIM_ORDER] = { .name = "order", .type = VIEW_U64 },
	[RECLAIM_GFP] = { .name = "gfp", .type = VIEW_TEXT },
	[RECLAIM_GFP_FLAGS] = { .name = "gfp_flags", .type = VIEW_HEX, .is_json_only = true },
	[RECLAIM_STACK] = { .name = "stack", .type = VIEW_STACK, .is_optional = true },
	[RECLAIM_USER_STACK] = { .name = "user_stack", .type = VIEW_STACK, .is_optional = true },
};
static const struct view_record reclaim_record = { .type = "reclaim", .columns = reclaim_columns,
						   .column_count = RECLAIM_COLUMNS };

enum { SUM_KIND, SUM_HISTOGRAM, SUM_COLUMNS };
static const struct view_column sum_columns[SUM_COLUMNS] = {
	[SUM_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = kind_names },
	[SUM_HISTOGRAM] = { .name = "latency_ns", .type = VIEW_HISTOGRAM },
};
static const struct view_record sum_record = { .type = "latencies", .columns = sum_columns, .column_count = SUM_COLUMNS,
					       .text = "{kind} reclaim, latency:", .starts_section = true };

static const struct view_record *const drsnoop_records[] = { &reclaim_record, &sum_record, &trace_losses_record, NULL };

/* Events ---------------------------------------------------------------------------------------------------- */

static int drsnoop_prepare(struct trace *trace, struct error *err)
{
	static const struct {
		const char *variable, *tracepoint, *argument;
	} arguments[] = {
		{ "direct_order", "mm_vmscan_direct_reclaim_begin", "order" },
		{ "direct_gfp", "mm_vmscan_direct_reclaim_begin", "gfp_flags" },
		{ "memcg_order", "mm_vmscan_memcg_reclaim_begin", "order" },
		{ "memcg_gfp", "mm_vmscan_memcg_reclaim_begin", "gfp_flags" },
		{ "node_order", "mm_vmscan_node_reclaim_begin", "order" },
		{ "node_gfp", "mm_vmscan_node_reclaim_begin", "gfp_flags" },
	};
	const struct drsnoop_options *options = trace->run->options;
	struct drsnoop_state *state = trace->state;
	int status = gfp_names_open(trace_targets(trace), &state->gfp, err);

	for (size_t i = 0; i < sizeof(arguments) / sizeof(*arguments) && !status; i++)
		status = trace_set_argument(trace, arguments[i].variable, arguments[i].tracepoint, arguments[i].argument, err);
	if (!status)
		status = trace_user_stacks(trace, options->wants_stacks, err);
	if (!status)
		status = trace_set(trace, "min_latency_ns", options->min_latency_ns, err);
	return status ? status : trace_set(trace, "wants_stacks", options->wants_stacks, err);
}

static int drsnoop_on_event(struct trace *trace, const struct trace_head *head, size_t size)
{
	const struct reclaim_event *event = (const void *)head;
	struct drsnoop_state *state = trace->state;
	struct view_value values[RECLAIM_COLUMNS];
	char gfp[512];

	if (size < sizeof(*event) || event->kind >= RECLAIM_KINDS)
		return -EBADMSG;
	state->latency[event->kind][event->latency_ns ? 63 - __builtin_clzll(event->latency_ns) : 0]++;
	gfp_names_text(state->gfp, event->gfp_flags, gfp, sizeof(gfp));
	trace_head_values(trace, head, values);
	values[RECLAIM_KIND] = view_u64(event->kind);
	values[RECLAIM_LATENCY] = view_u64(event->latency_ns);
	values[RECLAIM_PAGES] = view_u64(event->reclaimed);
	values[RECLAIM_ORDER] = view_u64(event->order);
	values[RECLAIM_GFP] = view_text(gfp);
	values[RECLAIM_GFP_FLAGS] = view_u64(event->gfp_flags);
	values[RECLAIM_STACK] = view_frames(trace_frames(trace, 0, &event->stack, false));
	values[RECLAIM_USER_STACK] = view_frames(trace_user_frames(trace, head->pid, event->user_stack, true));
	return trace_row(trace, &reclaim_record, values);
}

static int drsnoop_report(struct trace *trace, bool is_last, struct error *err)
{
	struct drsnoop_state *state = trace->state;
	int status = 0;

	(void)err;
	for (size_t kind = 0; is_last && kind < RECLAIM_KINDS && !status; kind++) {
		struct view_histogram histogram = { state->latency[kind], HISTOGRAM_SLOTS_MAX, HISTOGRAM_DURATION_NS };
		const struct view_value values[SUM_COLUMNS] = { view_u64(kind), view_slots(&histogram) };
		uint64_t sum = 0;

		for (size_t i = 0; i < HISTOGRAM_SLOTS_MAX; i++)
			sum += state->latency[kind][i];
		if (sum)
			status = trace_object(trace, &sum_record, values);
	}
	return status;
}

static void drsnoop_destroy(struct trace *trace)
{
	gfp_names_close(((struct drsnoop_state *)trace->state)->gfp);
}

static const struct trace_program drsnoop_programs[] = {
	{ .name = "direct_begin", .rungs = 1 },
	{ .name = "direct_end", .rungs = 1 },
	{ .name = "memcg_begin", .rungs = 1, .without = "reclaim by memory cgroups is not seen (CONFIG_MEMCG)" },
	{ .name = "memcg_end", .rungs = 1, .without = "reclaim by memory cgroups is not seen (CONFIG_MEMCG)" },
	{ .name = "node_begin", .rungs = 1, .without = "reclaim of a node is not seen (CONFIG_NUMA)" },
	{ .name = "node_end", .rungs = 1, .without = "reclaim of a node is not seen (CONFIG_NUMA)" },
	{ 0 },
};

static const struct event_source drsnoop_events = {
	.elf = drsnoop_bpf__elf_bytes,
	.programs = drsnoop_programs,
	.state_size = sizeof(struct drsnoop_state),
	.prepare = drsnoop_prepare,
	.on_event = drsnoop_on_event,
	.report = drsnoop_report,
	.destroy = drsnoop_destroy,
};

static const struct rung drsnoop_rungs[] = {
	{ "tracepoints", { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_BPF_RINGBUF }, 3, NULL,
	  "raw_tp/mm_vmscan_direct_reclaim_begin raw_tp/mm_vmscan_direct_reclaim_end" },
};

static const struct tracer drsnoop_tracer = {
	TRACE_CALLBACKS,
	.events = &drsnoop_events,
	.ladder = { drsnoop_rungs, sizeof(drsnoop_rungs) / sizeof(*drsnoop_rungs) },
	.takes_command = true,
};

const struct command drsnoop_command = {
	.name = "drsnoop",
	.summary = "who has to reclaim memory itself, and how long that takes",
	.usage = "[OPTIONS]\n[OPTIONS] -- COMMAND ARGS...\n--replay FILE [OPTIONS]",
	.description = "Shows each direct reclaim: a task wanted memory, there was too little, and it had to free some\n"
		       "before it could go on. Latency is what it lost by that.",
	.options = drsnoop_option_specs,
	.option_count = sizeof(drsnoop_option_specs) / sizeof(*drsnoop_option_specs),
	.settings_size = sizeof(struct drsnoop_options),
	.tracer = &drsnoop_tracer,
	.records = drsnoop_records,
};
