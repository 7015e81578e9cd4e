// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill compact: who compacts memory, where, for what order, with what success, and for how long. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "compact.h"
#include "compact.skel.h"
#include "error.h"
#include "trace.h"

struct compact_options {
	uint64_t min_latency_ns;
	bool wants_stacks, wants_index;
};

/* Sums of one kind. */
struct compact_sum {
	uint64_t count, successes, scanned, migrated, failed, latency_ns;
	uint64_t latency[HISTOGRAM_SLOTS_MAX];
};

struct compact_state {
	struct compact_sum sums[COMPACTION_KINDS];
};

#define OFFSET(field) offsetof(struct compact_options, field)

static const struct option_spec compact_option_specs[] = {
	{ 'm', "min-latency", "TIME", OPTION_DURATION, OFFSET(min_latency_ns), NULL,
	  "only compactions that took this long (default 0: all)" },
	{ 'F', "fragmentation", NULL, OPTION_FLAG, OFFSET(wants_index), NULL,
	  "the zone's fragmentation index for the order, before and after" },
	{ 'K', "stacks", NULL, OPTION_FLAG, OFFSET(wants_stacks), NULL, "the kernel's stack of each: what wanted it" },
};

/* Views ----------------------------------------------------------------------------------------------------- */

static const char *const kind_names[] = { "direct", "kcompactd", "requested", NULL };

enum { COMPACT_KIND = TRACE_HEAD_COUNT, COMPACT_NODE, COMPACT_ZONE, COMPACT_ORDER, COMPACT_MODE, COMPACT_STATUS,
       COMPACT_SCANNED, COMPACT_FREE_SCANNED, COMPACT_ISOLATED, COMPACT_MIGRATED, COMPACT_FAILED, COMPACT_LATENCY,
       COMPACT_BEFORE, COMPACT_AFTER, COMPACT_STACK, COMPACT_COLUMNS };
#define EVENT_COLUMNS                                                                                                  \
	TRACE_HEAD_COLUMNS,                                                                                            \
	[COMPACT_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = kind_names, .width = 9 },                       \
	[COMPACT_NODE] = { .name = "node", .type = VIEW_U64, .width = 4, .is_optional = true },                        \
	[COMPACT_ZONE] = { .name = "zone", .type = VIEW_TEXT, .width = 7, .is_optional = true },                       \
	[COMPACT_ORDER] = { .name = "order", .type = VIEW_U64, .width = 5, .is_optional = true },                      \
	[COMPACT_MODE] = { .name = "mode", .type = VIEW_TEXT, .width = 10 },                                           \
	[COMPACT_STATUS] = { .name = "status", .type = VIEW_TEXT, .width = 15 },                                       \
	[COMPACT_SCANNED] = { .name = "scanned_pages", .title = "SCANNED", .type = VIEW_U64, .width = 7 },             \
	[COMPACT_FREE_SCANNED] = { .name = "free_scanned_pages", .type = VIEW_U64, .is_json_only = true },             \
	[COMPACT_ISOLATED] = { .name = "isolated_pages", .type = VIEW_U64, .is_json_only = true },                     \
	[COMPACT_MIGRATED] = { .name = "migrated_pages", .title = "MIGRATED", .type = VIEW_U64, .width = 8 },          \
	[COMPACT_FAILED] = { .name = "failed_pages", .title = "FAILED", .type = VIEW_U64, .width = 6 },                \
	[COMPACT_LATENCY] = { .name = "latency_ns", .title = "LATENCY", .type = VIEW_DURATION_NS },                    \
	[COMPACT_STACK] = { .name = "stack", .type = VIEW_STACK, .is_optional = true }
static const struct view_column plain_columns[COMPACT_COLUMNS] = {
	EVENT_COLUMNS,
	[COMPACT_BEFORE] = { .name = "fragmentation_before", .type = VIEW_DECIMAL, .is_optional = true, .is_json_only = true },
	[COMPACT_AFTER] = { .name = "fragmentation_after", .type = VIEW_DECIMAL, .is_optional = true, .is_json_only = true },
};
static const struct view_column index_columns[COMPACT_COLUMNS] = {
	EVENT_COLUMNS,
	[COMPACT_BEFORE] = { .name = "fragmentation_before", .title = "BEFORE", .type = VIEW_DECIMAL, .is_optional = true },
	[COMPACT_AFTER] = { .name = "fragmentation_after", .title = "AFTER", .type = VIEW_DECIMAL, .is_optional = true },
};
/* Two forms of one record, with and without -F. */
static const struct view_record compaction_record = { .type = "compaction", .columns = plain_columns,
						      .column_count = COMPACT_COLUMNS };
static const struct view_record indexed_record = { .type = "compaction", .columns = index_columns,
						   .column_count = COMPACT_COLUMNS };

enum { SUM_KIND, SUM_COUNT, SUM_SUCCESSES, SUM_SCANNED, SUM_MIGRATED, SUM_FAILED, SUM_LATENCY, SUM_HISTOGRAM, SUM_COLUMNS };
static const struct view_column sum_columns[SUM_COLUMNS] = {
	[SUM_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = kind_names },
	[SUM_COUNT] = { .name = "count", .type = VIEW_U64 },
	[SUM_SUCCESSES] = { .name = "successes", .type = VIEW_U64 },
	[SUM_SCANNED] = { .name = "scanned_pages", .type = VIEW_U64 },
	[SUM_MIGRATED] = { .name = "migrated_pages", .type = VIEW_U64 },
	[SUM_FAILED] = { .name = "failed_pages", .type = VIEW_U64 },
	[SUM_LATENCY] = { .name = "latency_sum_ns", .type = VIEW_DURATION_NS },
	[SUM_HISTOGRAM] = { .name = "latency_ns", .type = VIEW_HISTOGRAM },
};
static const struct view_record sum_record = {
	.type = "compactions", .columns = sum_columns, .column_count = SUM_COLUMNS, .starts_section = true,
	.text = "{kind}: {count} {count:compaction|compactions}, {successes} with success, {scanned_pages} pages scanned, "
		"{migrated_pages} migrated, {failed_pages} failed; {latency_sum_ns} in all:",
};

static const struct view_record *const compact_records[] = { &compaction_record, &indexed_record, &sum_record,
							     &trace_losses_record, NULL };

/* Events ---------------------------------------------------------------------------------------------------- */

static const struct trace_argument compact_arguments[] = {
	{ "end_sync", "mm_compaction_end", "sync" },
	{ "end_control", "mm_compaction_end", "cc" },
	{ "end_status", "mm_compaction_end", "status" },
	{ 0 },
};

static int compact_prepare(struct trace *trace, struct error *err)
{
	const struct compact_options *options = trace->run->options;
	int status = trace_set(trace, "min_latency_ns", options->min_latency_ns, err);

	if (!status)
		status = trace_set(trace, "wants_index", options->wants_index, err);
	return status ? status : trace_set(trace, "wants_stacks", options->wants_stacks, err);
}

static struct view_value index_value(int thousandths)
{
	return thousandths == FRAGMENTATION_UNKNOWN ? view_absent() : view_double(thousandths / 1000.0);
}

static void count(struct compact_sum *sum, const struct compaction_event *event, bool is_success)
{
	sum->count++;
	sum->successes += is_success;
	sum->scanned += event->migrate_scanned;
	sum->migrated += event->migrated;
	sum->failed += event->failed;
	sum->latency_ns += event->latency_ns;
	sum->latency[event->latency_ns ? 63 - __builtin_clzll(event->latency_ns) : 0]++;
}

static int compact_on_event(struct trace *trace, const struct trace_head *head, size_t size)
{
	const struct compact_options *options = trace->run->options;
	const struct compaction_event *event = (const void *)head;
	struct compact_state *state = trace->state;
	struct view_value values[COMPACT_COLUMNS];
	char status[32], mode[32];

	if (size < sizeof(*event) || event->kind >= COMPACTION_KINDS)
		return -EBADMSG;
	trace_enumerator(trace, "compact_result", "COMPACT_", event->status, status, sizeof(status));
	if (event->mode >= 0)
		trace_enumerator(trace, "migrate_mode", "MIGRATE_", event->mode, mode, sizeof(mode));
	else
		snprintf(mode, sizeof(mode), "%s", event->is_sync ? "sync" : "async");
	count(&state->sums[event->kind], event, strcmp(status, "success") == 0);
	trace_head_values(trace, head, values);
	values[COMPACT_KIND] = view_u64(event->kind);
	values[COMPACT_NODE] = event->node < 0 ? view_absent() : view_u64(event->node);
	values[COMPACT_ZONE] = event->zone[0] ? view_text_n(event->zone, sizeof(event->zone)) : view_absent();
	values[COMPACT_ORDER] = event->order < 0 ? view_absent() : view_u64(event->order);
	values[COMPACT_MODE] = view_text(mode);
	values[COMPACT_STATUS] = view_text(status);
	values[COMPACT_SCANNED] = view_u64(event->migrate_scanned);
	values[COMPACT_FREE_SCANNED] = view_u64(event->free_scanned);
	values[COMPACT_ISOLATED] = view_u64(event->isolated);
	values[COMPACT_MIGRATED] = view_u64(event->migrated);
	values[COMPACT_FAILED] = view_u64(event->failed);
	values[COMPACT_LATENCY] = view_u64(event->latency_ns);
	values[COMPACT_BEFORE] = index_value(event->index_before);
	values[COMPACT_AFTER] = index_value(event->index_after);
	values[COMPACT_STACK] = view_frames(trace_frames(trace, 0, &event->stack, false));
	return trace_row(trace, options->wants_index ? &indexed_record : &compaction_record, values);
}

static int compact_report(struct trace *trace, bool is_last, struct error *err)
{
	struct compact_state *state = trace->state;
	int status = 0;

	(void)err;
	for (size_t kind = 0; is_last && kind < COMPACTION_KINDS && !status; kind++) {
		struct compact_sum *sum = &state->sums[kind];
		struct view_histogram histogram = { sum->latency, HISTOGRAM_SLOTS_MAX, HISTOGRAM_DURATION_NS };
		const struct view_value values[SUM_COLUMNS] = {
			view_u64(kind), view_u64(sum->count), view_u64(sum->successes), view_u64(sum->scanned),
			view_u64(sum->migrated), view_u64(sum->failed), view_u64(sum->latency_ns), view_slots(&histogram),
		};

		if (sum->count)
			status = trace_object(trace, &sum_record, values);
	}
	return status;
}

static const struct trace_program compact_programs[] = {
	{ .name = "compaction_begun", .rungs = 1 },
	{ .name = "compaction_ended", .rungs = 1 },
	{ .name = "compaction_asked", .rungs = 1, .without = "node, zone and order are not known" },
	{ .name = "pages_isolated", .rungs = 1, .without = "scanned pages are not counted" },
	{ .name = "free_isolated", .rungs = 1, .without = "scanned free pages are not counted" },
	{ .name = "pages_migrated", .rungs = 1, .without = "migrated pages are not counted" },
	{ 0 },
};

static const struct event_source compact_events = {
	.elf = compact_bpf__elf_bytes,
	.programs = compact_programs,
	.arguments = compact_arguments,
	.state_size = sizeof(struct compact_state),
	.prepare = compact_prepare,
	.on_event = compact_on_event,
	.report = compact_report,
};

static const struct rung compact_rungs[] = {
	{ "tracepoints", { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_BPF_RINGBUF }, 3, NULL,
	  "raw_tp/mm_compaction_begin raw_tp/mm_compaction_end" },
};

static const struct tracer compact_tracer = {
	TRACE_CALLBACKS,
	.events = &compact_events,
	.ladder = { compact_rungs, sizeof(compact_rungs) / sizeof(*compact_rungs) },
	.takes_command = true,
};

const struct command compact_command = {
	.name = "compact",
	.summary = "who compacts memory, where, with what success and for how long",
	.usage = "[OPTIONS]\n[OPTIONS] -- COMMAND ARGS...\n--replay FILE [OPTIONS]",
	.description = "Shows each compaction of a zone: pages are moved together so that greater blocks become free. A task\n"
		       "that wants such a block does it itself (direct), kcompactd does it ahead, users request it.",
	.options = compact_option_specs,
	.option_count = sizeof(compact_option_specs) / sizeof(*compact_option_specs),
	.settings_size = sizeof(struct compact_options),
	.tracer = &compact_tracer,
	.records = compact_records,
};
