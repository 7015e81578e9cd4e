// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill vmscan: what reclaiming memory costs, and what it yields. The programs count in one of two epochs; at each report
 * the other one begins, and what the first has counted is read, shown and taken out.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "trace.h"
#include "vmscan.h"
#include "vmscan.skel.h"

struct vmscan_options {
	unsigned int by;
	uint64_t top;
};

struct group {
	struct vmscan_key key;
	struct vmscan_counts counts;
};

struct vmscan_state {
	uint32_t epoch;
	struct group groups[VMSCAN_GROUPS];
	size_t count;
	uint64_t reports;
};

#define OFFSET(field) offsetof(struct vmscan_options, field)

static const char *const group_names[] = { "all", "process", "cgroup", "node", NULL };

static const struct option_spec vmscan_option_specs[] = {
	{ 0, "by", "WHAT", OPTION_CHOICE, OFFSET(by), group_names, "all (default): one line each interval; else one for\n"
	  "each process, cgroup or node that reclaimed" },
	{ 0, "top", "N", OPTION_NUMBER, OFFSET(top), NULL, "at most N lines each interval (default 20, 0: no limit)" },
};
static const struct vmscan_options vmscan_defaults = { .top = 20 };

/* Views ----------------------------------------------------------------------------------------------------- */

enum { DIRECT, MEMCG, NODE, SLAB, KSWAPD, WAKEUPS, SCANNED, RECLAIMED, EFFICIENCY, WRITTEN, THROTTLED,
       SOFTLIMIT, SLAB_FREED, DIRECT_COUNT, MEMCG_COUNT, SOFTLIMIT_COUNT, NODE_COUNT, SLAB_COUNT, KSWAPD_COUNT,
       THROTTLED_COUNT, WORK_COLUMNS };

#define DURATION(json, heading) { .name = json, .title = heading, .type = VIEW_DURATION_NS, .width = 9 }
#define JSON_COUNT(json) { .name = json, .type = VIEW_U64, .is_json_only = true }
#define WORK                                                                                                  \
	DURATION("direct_ns", "DIRECT"), DURATION("memcg_ns", "MEMCG"), DURATION("node_reclaim_ns", "NODE-R"), \
	DURATION("slab_ns", "SLAB"), DURATION("kswapd_ns", "KSWAPD"),                                         \
	{ .name = "kswapd_wakeups", .title = "WAKEUPS", .type = VIEW_U64, .width = 7 },                       \
	{ .name = "scanned_pages", .title = "SCANNED", .type = VIEW_U64, .width = 8 },                        \
	{ .name = "reclaimed_pages", .title = "FREED", .type = VIEW_U64, .width = 8 },                        \
	{ .name = "efficiency_percent", .title = "EFF", .type = VIEW_PERCENT, .is_optional = true, .width = 6 }, \
	{ .name = "written_pages", .title = "WRITTEN", .type = VIEW_U64, .width = 7 },                        \
	DURATION("throttled_ns", "THROTTLED"),                                                                \
	{ .name = "softlimit_ns", .type = VIEW_DURATION_NS, .is_json_only = true },                           \
	JSON_COUNT("slab_freed_objects"), JSON_COUNT("direct_count"), JSON_COUNT("memcg_count"),              \
	JSON_COUNT("softlimit_count"), JSON_COUNT("node_reclaim_count"), JSON_COUNT("slab_count"),            \
	JSON_COUNT("kswapd_runs"), JSON_COUNT("throttled_count")
#define TIME_COLUMN { .name = "time", .type = VIEW_TIME }

static const struct view_column all_columns[] = { TIME_COLUMN, WORK };
static const struct view_column process_columns[] = {
	TIME_COLUMN, { .name = "comm", .type = VIEW_TEXT, .width = 15 }, { .name = "pid", .type = VIEW_U64, .width = 7 }, WORK };
static const struct view_column cgroup_columns[] = {
	TIME_COLUMN, { .name = "cgroup", .type = VIEW_PATH, .width = 24, .is_optional = true },
	{ .name = "cgroup_id", .type = VIEW_U64, .is_json_only = true },
	{ .name = "container", .type = VIEW_TEXT, .is_json_only = true, .is_optional = true }, WORK };
static const struct view_column node_columns[] = { TIME_COLUMN, { .name = "node", .type = VIEW_U64, .width = 4 }, WORK };

#define RECORD(name, list) { .type = name, .columns = list, .column_count = sizeof(list) / sizeof(*(list)) }
static const struct view_record group_records[] = {
	[VMSCAN_BY_ALL] = RECORD("reclaim", all_columns),
	[VMSCAN_BY_PROCESS] = RECORD("process_reclaim", process_columns),
	[VMSCAN_BY_CGROUP] = RECORD("cgroup_reclaim", cgroup_columns),
	[VMSCAN_BY_NODE] = RECORD("node_reclaim", node_columns),
};

static const struct view_column more_columns[] = { { .name = "left_out", .type = VIEW_U64 } };
static const struct view_record more_record = {
	.type = "more", .columns = more_columns, .column_count = 1, .is_remark = true,
	.text = "{left_out} more {left_out:line|lines} with less time (--top)",
};

enum { SHRINKER_NAME, SHRINKER_CALLS, SHRINKER_TIME, SHRINKER_FREED, SHRINKER_COLUMNS };
static const struct view_column shrinker_columns[SHRINKER_COLUMNS] = {
	[SHRINKER_NAME] = { .name = "shrinker", .type = VIEW_SYMBOL, .width = 32 },
	[SHRINKER_CALLS] = { .name = "calls", .type = VIEW_U64 },
	[SHRINKER_TIME] = { .name = "time_ns", .title = "TIME", .type = VIEW_DURATION_NS },
	[SHRINKER_FREED] = { .name = "freed_objects", .title = "FREED", .type = VIEW_U64 },
};
static const struct view_record shrinker_record = { .type = "shrinker", .columns = shrinker_columns,
						    .column_count = SHRINKER_COLUMNS, .starts_section = true };

static const char *const kind_names[] = { "direct reclaim", "memcg reclaim", "soft limit reclaim", "node reclaim",
					  "slab shrinking", "kswapd awake", "throttled", NULL };
enum { SUM_KIND, SUM_HISTOGRAM, SUM_COLUMNS };
static const struct view_column sum_columns[SUM_COLUMNS] = {
	[SUM_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = kind_names },
	[SUM_HISTOGRAM] = { .name = "latency_ns", .type = VIEW_HISTOGRAM },
};
static const struct view_record sum_record = { .type = "latencies", .columns = sum_columns, .column_count = SUM_COLUMNS,
					       .text = "{kind}:", .starts_section = true };

static const struct view_record *const vmscan_records[] = {
	&group_records[VMSCAN_BY_ALL], &group_records[VMSCAN_BY_PROCESS], &group_records[VMSCAN_BY_CGROUP],
	&group_records[VMSCAN_BY_NODE], &more_record, &shrinker_record, &sum_record, &trace_losses_record, NULL };

/* Counts ---------------------------------------------------------------------------------------------------- */

static bool lru_has_generations(void)
{
	CLEANUP(fclose) FILE *file = fopen("/sys/kernel/mm/lru_gen/enabled", "re");
	unsigned int enabled;

	return file && fscanf(file, "%x", &enabled) == 1 && (enabled & 1);
}

static const struct trace_argument vmscan_arguments[] = {
	{ "isolate_lru", "mm_vmscan_lru_isolate", "lru" },
	{ "isolate_scanned", "mm_vmscan_lru_isolate", "nr_scanned" },
	{ "isolate_taken", "mm_vmscan_lru_isolate", "nr_taken" },
	{ 0 },
};

static int vmscan_prepare(struct trace *trace, struct error *err)
{
	const struct vmscan_options *options = trace->run->options;
	int status = trace_set(trace, "counts_taken", lru_has_generations(), err);

	return status ? status : trace_set(trace, "group_by", options->by, err);
}

static uint64_t lost_ns(const struct vmscan_counts *counts)
{
	return counts->time_ns[VMSCAN_DIRECT] + counts->time_ns[VMSCAN_MEMCG] + counts->time_ns[VMSCAN_NODE] +
	       counts->time_ns[VMSCAN_KSWAPD];
}

static int by_lost_time(const void *left, const void *right)
{
	const struct group *a = left, *b = right;
	uint64_t lost_a = lost_ns(&a->counts), lost_b = lost_ns(&b->counts);

	if (lost_a != lost_b)
		return lost_a < lost_b ? 1 : -1;
	return a->key.id < b->key.id ? -1 : a->key.id > b->key.id;
}

/* Take the groups of the epoch that is over. Programs that saw it as the current one have ended by then. */
static int take_groups(struct trace *trace)
{
	struct vmscan_state *state = trace->state;
	int map = trace_map_fd(trace, "groups"), status = 0;
	uint32_t *epoch = trace_variable(trace, "epoch"), over = state->epoch;
	struct vmscan_key key, *previous = NULL;

	if (!epoch)
		return -ENOENT;
	state->epoch = !over;
	__atomic_store_n(epoch, state->epoch, __ATOMIC_SEQ_CST);
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0)) /* a grace period of RCU */
		usleep(20000);
	state->count = 0;
	for (; state->count < VMSCAN_GROUPS && !bpf_map_get_next_key(map, previous, &key); previous = &key)
		if (key.epoch == over)
			state->groups[state->count++].key = key;
	for (size_t i = 0; i < state->count && !status; i++) {
		struct group *group = &state->groups[i];

		status = trace_map_sum(map, &group->key, (uint64_t *)&group->counts, sizeof(group->counts) / sizeof(uint64_t));
		bpf_map_delete_elem(map, &group->key);
		trace->counted += group->counts.events;
	}
	qsort(state->groups, state->count, sizeof(*state->groups), by_lost_time);
	return status;
}

/* Showing --------------------------------------------------------------------------------------------------- */

static void work_values(const struct vmscan_counts *counts, struct view_value *values)
{
	static const struct {
		uint8_t column, kind;
	} times[] = { { DIRECT, VMSCAN_DIRECT }, { MEMCG, VMSCAN_MEMCG }, { NODE, VMSCAN_NODE }, { SLAB, VMSCAN_SLAB },
		      { KSWAPD, VMSCAN_KSWAPD }, { THROTTLED, VMSCAN_THROTTLED }, { SOFTLIMIT, VMSCAN_SOFTLIMIT } };
	static const uint8_t calls[] = { DIRECT_COUNT, MEMCG_COUNT, SOFTLIMIT_COUNT, NODE_COUNT, SLAB_COUNT, KSWAPD_COUNT,
					 THROTTLED_COUNT }; /* by kind */

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++)
		values[times[i].column] = view_u64(counts->time_ns[times[i].kind]);
	for (size_t kind = 0; kind < VMSCAN_KINDS; kind++)
		values[calls[kind]] = view_u64(counts->calls[kind]);
	values[WAKEUPS] = view_u64(counts->wakeups);
	values[SCANNED] = view_u64(counts->scanned);
	values[RECLAIMED] = view_u64(counts->reclaimed);
	values[EFFICIENCY] = counts->scanned ? view_double(100.0 * counts->reclaimed / counts->scanned) : view_absent();
	values[WRITTEN] = view_u64(counts->written);
	values[SLAB_FREED] = view_u64(counts->slab_freed);
}

static int show_group(struct trace *trace, unsigned int by, const struct group *group, uint64_t now_ns)
{
	struct view_value values[4 + WORK_COLUMNS];
	const char *container = NULL;
	size_t count = 0;

	values[count++] = view_u64(run_wall_ns(trace->run, now_ns));
	if (by == VMSCAN_BY_PROCESS) {
		values[count++] = view_text_n(group->key.comm, sizeof(group->key.comm));
		values[count++] = view_u64(group->key.id);
	} else if (by == VMSCAN_BY_CGROUP) {
		values[count++] = view_text(trace_cgroup(trace, group->key.id, &container));
		values[count++] = view_u64(group->key.id);
		values[count++] = view_text(container);
	} else if (by == VMSCAN_BY_NODE) {
		values[count++] = view_u64(group->key.id);
	}
	work_values(&group->counts, values + count);
	return trace_row(trace, &group_records[by], values);
}

static int show_shrinkers(struct trace *trace)
{
	int map = trace_map_fd(trace, "shrinkers"), status = 0;
	uint64_t function, *previous = NULL;

	for (size_t i = 0; i < VMSCAN_SHRINKERS && !status && !bpf_map_get_next_key(map, previous, &function); i++) {
		struct trace_stack place = { .count = 1, .addresses = { function } };
		const struct view_stack *frames = trace_frames(trace, 0, &place, false);
		struct view_value values[SHRINKER_COLUMNS];
		struct vmscan_shrinker sum;
		char name[32];

		previous = &function;
		status = trace_map_sum(map, &function, (uint64_t *)&sum, sizeof(sum) / sizeof(uint64_t));
		snprintf(name, sizeof(name), "0x%llx", (unsigned long long)function);
		values[SHRINKER_NAME] = view_text(frames && frames->count && frames->frames->symbol ? frames->frames->symbol : name);
		values[SHRINKER_CALLS] = view_u64(sum.calls);
		values[SHRINKER_TIME] = view_u64(sum.time_ns);
		values[SHRINKER_FREED] = view_u64(sum.freed);
		if (!status)
			status = trace_row(trace, &shrinker_record, values);
	}
	return status;
}

static int show_latencies(struct trace *trace)
{
	int map = trace_map_fd(trace, "latencies"), status = 0;

	for (uint32_t kind = 0; kind < VMSCAN_KINDS && !status; kind++) {
		const struct view_value kinds[] = { view_u64(kind) };
		uint64_t slots[HISTOGRAM_SLOTS_MAX];

		status = trace_map_sum(map, &kind, slots, HISTOGRAM_SLOTS_MAX);
		if (!status)
			status = trace_durations(trace, &sum_record, kinds, slots);
	}
	return status;
}

static int vmscan_report(struct trace *trace, bool is_last, struct error *err)
{
	const struct vmscan_options *options = trace->run->options;
	struct vmscan_state *state = trace->state;
	uint64_t now_ns = run_monotonic_ns();
	int status = take_groups(trace);
	bool is_whole = ++state->reports == trace->run->settings->count || !is_last; /* not cut short by the trace's end */
	struct view_value more;

	if (status)
		return error_set(err, status, "what was counted cannot be read: %s", strerror(-status));
	if (!state->count && options->by == VMSCAN_BY_ALL && is_whole)
		state->groups[state->count++] = (struct group){ 0 }; /* nothing happened: that is an answer, too */
	for (size_t i = 0; i < state->count && (!options->top || i < options->top) && !status; i++)
		status = show_group(trace, options->by, &state->groups[i], now_ns);
	if (options->top && state->count > options->top && !status) {
		more = view_u64(state->count - options->top);
		status = trace_object(trace, &more_record, &more);
	}
	if (is_last && !status)
		status = show_shrinkers(trace);
	return is_last && !status ? show_latencies(trace) : status;
}

static const struct trace_program vmscan_programs[] = {
	{ .name = "direct_begin", .rungs = 1 },
	{ .name = "direct_end", .rungs = 1 },
	{ .name = "memcg_begin", .rungs = 1, .without = "reclaim by memory cgroups is not seen" },
	{ .name = "memcg_end", .rungs = 1, .without = "reclaim by memory cgroups is not seen" },
	{ .name = "softlimit_begin", .rungs = 1, .without = "reclaim by soft limits is not seen" },
	{ .name = "softlimit_end", .rungs = 1, .without = "reclaim by soft limits is not seen" },
	{ .name = "node_begin", .rungs = 1, .without = "reclaim of a node is not seen" },
	{ .name = "node_end", .rungs = 1, .without = "reclaim of a node is not seen" },
	{ .name = "slab_begin", .rungs = 1, .without = "time in shrinkers is not seen" },
	{ .name = "slab_end", .rungs = 1, .without = "time in shrinkers is not seen" },
	{ .name = "isolate", .rungs = 1, .without = "pages scanned are not counted" },
	{ .name = "shrink", .rungs = 1, .without = "pages reclaimed are not counted" },
	{ .name = "kswapd_begin", .rungs = 1, .without = "kswapd's time is not seen" },
	{ .name = "kswapd_end", .rungs = 1, .without = "kswapd's time is not seen" },
	{ .name = "wakeup", .rungs = 1, .without = "kswapd's wakeups are not counted" },
	{ .name = "write_page", .rungs = 1, .without = "write-outs are not counted", .one_of = "write" },
	{ .name = "write_folio", .rungs = 1, .without = "write-outs are not counted", .one_of = "write" },
	{ .name = "throttled", .rungs = 1, .without = "throttling is not seen", .one_of = "throttle" },
	{ .name = "congestion_wait", .rungs = 1, .without = "throttling is not seen", .one_of = "throttle" },
	{ .name = "congestion_wait_if", .rungs = 1, .without = "throttling is not seen", .one_of = "throttle" },
	{ 0 },
};

static const struct event_source vmscan_events = {
	.elf = vmscan_bpf__elf_bytes,
	.programs = vmscan_programs,
	.arguments = vmscan_arguments,
	.state_size = sizeof(struct vmscan_state),
	.prepare = vmscan_prepare,
	.report = vmscan_report,
};

static const struct rung vmscan_rungs[] = {
	{ "tracepoints", { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_BPF_RINGBUF }, 3, NULL,
	  "raw_tp/mm_vmscan_direct_reclaim_begin raw_tp/mm_vmscan_direct_reclaim_end" },
};

static const struct tracer vmscan_tracer = {
	TRACE_CALLBACKS,
	.events = &vmscan_events,
	.ladder = { vmscan_rungs, sizeof(vmscan_rungs) / sizeof(*vmscan_rungs) },
	.takes_command = true,
	.interval_ns = 1000000000,
};

const struct command vmscan_command = {
	.name = "vmscan",
	.summary = "what reclaiming memory costs, and what it yields",
	.usage = "[OPTIONS]\n[OPTIONS] -- COMMAND ARGS...\n--replay FILE [OPTIONS]",
	.description = "Shows, for each interval, the time that was spent to make memory free: by tasks that wanted some, by\n"
		       "kswapd, in shrinkers; and how many pages that took and gave. Histograms follow at the end.",
	.options = vmscan_option_specs,
	.option_count = sizeof(vmscan_option_specs) / sizeof(*vmscan_option_specs),
	.settings_size = sizeof(struct vmscan_options),
	.defaults = &vmscan_defaults,
	.tracer = &vmscan_tracer,
	.records = vmscan_records,
};
