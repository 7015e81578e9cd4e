// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill drsnoop: who has to reclaim memory itself, for how long, and for what allocation. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
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

static const char *const kind_names[] = { "direct", "memcg", "node", "throttled", "softlimit", NULL };

enum { RECLAIM_KIND = TRACE_HEAD_COUNT, RECLAIM_LATENCY, RECLAIM_THROTTLED_NS, RECLAIM_REASONS, RECLAIM_PAGES, RECLAIM_ORDER,
       RECLAIM_FREE, RECLAIM_WHOSE, RECLAIM_WHOSE_ID, RECLAIM_GFP, RECLAIM_GFP_FLAGS, RECLAIM_STACK, RECLAIM_USER_STACK, RECLAIM_COLUMNS };
static const struct view_column reclaim_columns[RECLAIM_COLUMNS] = {
	TRACE_HEAD_COLUMNS,
	[RECLAIM_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = kind_names, .width = 9 },
	[RECLAIM_LATENCY] = { .name = "latency_ns", .title = "LATENCY", .type = VIEW_DURATION_NS, .width = 9 },
	[RECLAIM_THROTTLED_NS] = { .name = "throttled_ns", .title = "THROTTLED", .type = VIEW_DURATION_NS, .width = 9 },
	[RECLAIM_REASONS] = { .name = "throttle_reasons", .type = VIEW_TEXT, .is_json_only = true, .is_optional = true },
	[RECLAIM_PAGES] = { .name = "reclaimed_pages", .title = "PAGES", .type = VIEW_U64, .width = 6 },
	[RECLAIM_ORDER] = { .name = "order", .type = VIEW_U64, .width = 5 },
	[RECLAIM_FREE] = { .name = "free_bytes", .title = "FREE", .type = VIEW_BYTES, .is_optional = true },
	[RECLAIM_WHOSE] = { .name = "memcg", .type = VIEW_PATH, .width = 16, .is_optional = true },
	[RECLAIM_WHOSE_ID] = { .name = "memcg_id", .type = VIEW_U64, .is_json_only = true, .is_optional = true },
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

/* Node numbers are below this: "0-3" is 4. */
static unsigned int possible_nodes(void)
{
	CLEANUP(fclose) FILE *file = fopen("/sys/devices/system/node/possible", "re");
	unsigned int number, most = 0;

	while (file && fscanf(file, "%u", &number) == 1) {
		most = number > most ? number : most;
		if (fgetc(file) == EOF)
			break;
	}
	return most + 1;
}

/* "WRITEBACK|NOPROGRESS" of a mask of enum vmscan_throttle_state; NULL for none. */
static const char *reasons_text(struct trace *trace, uint32_t reasons, char *text, size_t size)
{
	static const char prefix[] = "VMSCAN_THROTTLE_";
	size_t length = 0;

	for (unsigned int reason = 0; reason < 32 && reasons >> reason && length < size; reason++) {
		const char *name;

		if (!(reasons & 1U << reason))
			continue;
		name = kernel_targets_enumerator(trace_targets(trace), "vmscan_throttle_state", reason); /* slow */
		if (name && strncmp(name, prefix, sizeof(prefix) - 1) == 0)
			length += snprintf(text + length, size - length, "%s%s", length ? "|" : "", name + sizeof(prefix) - 1);
		else
			length += snprintf(text + length, size - length, "%s%u", length ? "|" : "", reason);
	}
	return length ? text : NULL;
}

/* Of each end there are two programs, one of which walks user stacks. */
static void choose_ends(struct trace *trace, bool wants_stacks)
{
	static const char *const ends[] = { "direct_end", "memcg_end", "node_end" };
	char walking[32];

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		snprintf(walking, sizeof(walking), "%s_stacks", ends[i]);
		bpf_program__set_autoload(bpf_object__find_program_by_name(trace->object, wants_stacks ? ends[i] : walking), false);
	}
}

static const struct trace_argument drsnoop_arguments[] = {
	{ "direct_order", "mm_vmscan_direct_reclaim_begin", "order" },
	{ "direct_gfp", "mm_vmscan_direct_reclaim_begin", "gfp_flags" },
	{ "memcg_order", "mm_vmscan_memcg_reclaim_begin", "order" },
	{ "memcg_gfp", "mm_vmscan_memcg_reclaim_begin", "gfp_flags" },
	{ "node_order", "mm_vmscan_node_reclaim_begin", "order" },
	{ "node_gfp", "mm_vmscan_node_reclaim_begin", "gfp_flags" },
	{ "softlimit_order", "mm_vmscan_memcg_softlimit_reclaim_begin", "order" },
	{ "softlimit_gfp", "mm_vmscan_memcg_softlimit_reclaim_begin", "gfp_flags" },
	{ "softlimit_memcg", "mm_vmscan_memcg_softlimit_reclaim_begin", "memcg" },
	{ 0 },
};

static int drsnoop_prepare(struct trace *trace, struct error *err)
{
	const struct drsnoop_options *options = trace->run->options;
	struct drsnoop_state *state = trace->state;
	int status = gfp_names_open(trace_targets(trace), &state->gfp, err);

	choose_ends(trace, options->wants_stacks);
	if (!status)
		status = trace_user_stacks(trace, options->wants_stacks, err);
	if (!status)
		status = trace_set(trace, "nodes", possible_nodes(), err);
	if (!status)
		status = trace_set(trace, "min_latency_ns", options->min_latency_ns, err);
	return status ? status : trace_set(trace, "wants_stacks", options->wants_stacks, err);
}

static int drsnoop_on_event(struct trace *trace, const struct trace_head *head, size_t size)
{
	const struct reclaim_event *event = (const void *)head;
	struct drsnoop_state *state = trace->state;
	struct view_value values[RECLAIM_COLUMNS];
	char gfp[512], reasons[128];

	if (size < sizeof(*event) || event->kind >= RECLAIM_KINDS)
		return -EBADMSG;
	state->latency[event->kind][event->latency_ns ? 63 - __builtin_clzll(event->latency_ns) : 0]++;
	gfp_names_text(state->gfp, event->gfp_flags, gfp, sizeof(gfp));
	trace_head_values(trace, head, values);
	values[RECLAIM_KIND] = view_u64(event->kind);
	values[RECLAIM_LATENCY] = view_u64(event->latency_ns);
	values[RECLAIM_THROTTLED_NS] = view_u64(event->throttled_ns);
	values[RECLAIM_REASONS] = view_text(reasons_text(trace, event->throttle_reasons, reasons, sizeof(reasons)));
	values[RECLAIM_FREE] = event->free_pages ? view_u64(event->free_pages * sysconf(_SC_PAGESIZE)) : view_absent();
	values[RECLAIM_WHOSE] = event->memcg_cgroup_id ? view_text(trace_cgroup(trace, event->memcg_cgroup_id, NULL)) :
							 view_absent();
	values[RECLAIM_WHOSE_ID] = event->memcg_cgroup_id ? view_u64(event->memcg_cgroup_id) : view_absent();
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
		const struct view_value kinds[] = { view_u64(kind) };

		status = trace_durations(trace, &sum_record, kinds, state->latency[kind]);
	}
	return status;
}

static void drsnoop_destroy(struct trace *trace)
{
	gfp_names_close(((struct drsnoop_state *)trace->state)->gfp);
}

enum { BY_FENTRY = 1, BY_KPROBES = 2, BY_TRACEPOINTS = 4, BY_ANY = 7 };
#define NO_MEMCG "reclaim by memory cgroups is not seen (CONFIG_MEMCG)"
#define NO_SOFTLIMIT "reclaim by soft limits is not seen"
#define NO_SOFTLIMIT_MEMCG "whose soft limit it is is not seen"
static const struct trace_program drsnoop_programs[] = {
	{ .name = "direct_begin", .rungs = BY_TRACEPOINTS },
	{ .name = "direct_begin_wait", .rungs = BY_FENTRY | BY_KPROBES },
	{ .name = "direct_end", .rungs = BY_ANY },
	{ .name = "direct_end_stacks", .rungs = BY_ANY },
	{ .name = "memcg_begin", .rungs = BY_ANY, .without = NO_MEMCG },
	{ .name = "memcg_end", .rungs = BY_ANY, .without = NO_MEMCG },
	{ .name = "memcg_end_stacks", .rungs = BY_ANY, .without = NO_MEMCG },
	{ .name = "node_begin", .rungs = BY_ANY, .without = "reclaim of a node is not seen (CONFIG_NUMA)" },
	{ .name = "node_end", .rungs = BY_ANY, .without = "reclaim of a node is not seen (CONFIG_NUMA)" },
	{ .name = "node_end_stacks", .rungs = BY_ANY, .without = "reclaim of a node is not seen (CONFIG_NUMA)" },
	{ .name = "softlimit_begin", .rungs = BY_ANY, .without = NO_SOFTLIMIT },
	{ .name = "softlimit_end", .rungs = BY_ANY, .without = NO_SOFTLIMIT },
	{ .name = "throttled", .rungs = BY_ANY, .without = "throttling within a reclaim is not seen" },
	{ .name = "free_pages_fentry", .rungs = BY_FENTRY },
	{ .name = "free_pages_fexit", .rungs = BY_FENTRY },
	{ .name = "shrink_node_fentry", .rungs = BY_FENTRY, .without = NO_SOFTLIMIT_MEMCG },
	{ .name = "free_pages_kprobe", .rungs = BY_KPROBES },
	{ .name = "free_pages_kretprobe", .rungs = BY_KPROBES },
	{ .name = "shrink_node_kprobe", .rungs = BY_KPROBES, .without = NO_SOFTLIMIT_MEMCG },
	{ 0 },
};

static const struct event_source drsnoop_events = {
	.elf = drsnoop_bpf__elf_bytes,
	.programs = drsnoop_programs,
	.arguments = drsnoop_arguments,
	.state_size = sizeof(struct drsnoop_state),
	.prepare = drsnoop_prepare,
	.on_event = drsnoop_on_event,
	.report = drsnoop_report,
	.destroy = drsnoop_destroy,
};

#define BEGIN_AND_END "raw_tp/mm_vmscan_direct_reclaim_begin raw_tp/mm_vmscan_direct_reclaim_end"
static const struct rung drsnoop_rungs[] = {
	{ "fentry", { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_BPF_RINGBUF, KERNEL_CAP_FENTRY }, 4, NULL,
	  BEGIN_AND_END " fentry/try_to_free_pages" },
	{ "kprobes", { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_BPF_RINGBUF, KERNEL_CAP_KPROBE }, 4, NULL,
	  BEGIN_AND_END " kprobe/try_to_free_pages" },
	{ "tracepoints", { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_BPF_RINGBUF }, 3,
	  "waits before a reclaim (kind throttled)", BEGIN_AND_END },
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
