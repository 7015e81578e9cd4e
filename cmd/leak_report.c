// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Orders, cuts and shows what memleak has recorded. */
#include "leak_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "memleak_options.h"
#include "stack_layout.h"
#include "view.h"

struct leak_report {
	const struct memleak_options *options;
	bool has_head;
	struct leak_report_head head;
	char comm[64];
	struct leak_site *sites;
	size_t site_count, site_capacity;
	struct leak_block *blocks;
	size_t block_count, block_capacity;
};

static const char *const reason_names[] = { "interval", "end", "exit", "exec", NULL };

/* Indexes of values in the columns below. */
enum { REPORT_TIME, REPORT_PID, REPORT_COMM, REPORT_REASON, REPORT_INTERVAL, REPORT_STACKS, REPORT_BYTES, REPORT_COUNT,
       REPORT_SEEN, REPORT_FREED, REPORT_DROPPED, REPORT_HELD, REPORT_OLDER_THAN, REPORT_SAMPLE, REPORT_COLUMNS };
static const struct view_column report_columns[REPORT_COLUMNS] = {
	[REPORT_TIME] = { .name = "time", .type = VIEW_TIME },
	[REPORT_PID] = { .name = "pid", .type = VIEW_U64 },
	[REPORT_COMM] = { .name = "comm", .type = VIEW_TEXT },
	[REPORT_REASON] = { .name = "reason", .type = VIEW_ENUM, .names = reason_names },
	[REPORT_INTERVAL] = { .name = "interval_ns", .type = VIEW_DURATION_NS, .is_optional = true },
	[REPORT_STACKS] = { .name = "stacks", .type = VIEW_U64 },
	[REPORT_BYTES] = { .name = "bytes", .type = VIEW_BYTES },
	[REPORT_COUNT] = { .name = "count", .type = VIEW_U64 },
	[REPORT_SEEN] = { .name = "seen", .type = VIEW_U64 },
	[REPORT_FREED] = { .name = "freed", .type = VIEW_U64 },
	[REPORT_DROPPED] = { .name = "dropped", .type = VIEW_U64, .is_bad_when_set = true },
	[REPORT_HELD] = { .name = "held", .type = VIEW_U64 },
	[REPORT_OLDER_THAN] = { .name = "older_than_ns", .type = VIEW_DURATION_NS, .is_optional = true },
	[REPORT_SAMPLE] = { .name = "sample_bytes", .type = VIEW_BYTES, .is_optional = true },
};
static const struct view_record report_record = {
	.type = "report", .columns = report_columns, .column_count = REPORT_COLUMNS, .starts_section = true,
	.text = "[{time}] pid {pid} {comm}: {stacks} {stacks:stack|stacks}, {bytes:raw} bytes in {count} "
		"{count:allocation|allocations} still held{? for {older_than_ns} or more?} "
		"(seen {seen}, freed {freed}, dropped {dropped}){? sampled every {sample_bytes}?}",
};

enum { SITE_BYTES, SITE_COUNT, SITE_GROWTH, SITE_TREND, SITE_DROPPED, SITE_DROPPED_BYTES, SITE_ESTIMATE_BYTES,
       SITE_ESTIMATE_COUNT, SITE_ESTIMATE_ERROR, SITE_NOTE, SITE_FRAMES, SITE_COLUMNS };
static const struct view_column site_columns[SITE_COLUMNS] = {
	[SITE_BYTES] = { .name = "bytes", .type = VIEW_BYTES },
	[SITE_COUNT] = { .name = "count", .type = VIEW_U64 },
	[SITE_GROWTH] = { .name = "growth_bytes", .type = VIEW_BYTES, .is_optional = true },
	[SITE_TREND] = { .name = "trend", .type = VIEW_TEXT, .is_optional = true },
	[SITE_DROPPED] = { .name = "dropped", .type = VIEW_U64, .is_bad_when_set = true },
	[SITE_DROPPED_BYTES] = { .name = "dropped_bytes", .type = VIEW_BYTES, .is_bad_when_set = true },
	[SITE_ESTIMATE_BYTES] = { .name = "estimated_bytes", .type = VIEW_BYTES, .is_optional = true },
	[SITE_ESTIMATE_COUNT] = { .name = "estimated_count", .type = VIEW_U64, .is_optional = true },
	[SITE_ESTIMATE_ERROR] = { .name = "estimated_error_bytes", .type = VIEW_BYTES, .is_optional = true },
	[SITE_NOTE] = { .name = "stack_note", .type = VIEW_TEXT, .is_optional = true },
	[SITE_FRAMES] = { .name = "frames", .type = VIEW_STACK },
};
static const struct view_record site_record = {
	.type = "stack", .columns = site_columns, .column_count = SITE_COLUMNS, .indent = 2,
	.text = "{bytes:raw} bytes in {count} {count:allocation|allocations}"
		"{? ({growth_bytes:raw+} since last)?}{?, {trend} at each report?}"
		"{?, dropped {dropped_bytes:raw} bytes in {dropped}?}{? [{stack_note}]?}",
};
static const struct view_record estimated_site_record = {
	.type = "stack", .columns = site_columns, .column_count = SITE_COLUMNS, .indent = 2,
	.text = "about {estimated_bytes} +- {estimated_error_bytes} in {estimated_count} "
		"{estimated_count:allocation|allocations} (sampled {count}: {bytes:raw} bytes)"
		"{? ({growth_bytes:raw+} sampled bytes since last)?}{? [{stack_note}]?}",
};

enum { BLOCK_ADDRESS, BLOCK_SIZE, BLOCK_AGE, BLOCK_COLUMNS };
static const struct view_column block_columns[BLOCK_COLUMNS] = {
	[BLOCK_ADDRESS] = { .name = "address", .type = VIEW_HEX },
	[BLOCK_SIZE] = { .name = "size", .type = VIEW_U64 },
	[BLOCK_AGE] = { .name = "age_ns", .type = VIEW_DURATION_NS },
};
static const struct view_record block_record = {
	.type = "block", .columns = block_columns, .column_count = BLOCK_COLUMNS, .indent = 8,
	.text = "{address} {size} bytes, age {age_ns}",
};

enum { SUMMARY_PID, SUMMARY_SEEN, SUMMARY_FREED, SUMMARY_HELD, SUMMARY_DROPPED, SUMMARY_SEEN_BYTES,
       SUMMARY_FREED_BYTES, SUMMARY_HELD_BYTES, SUMMARY_DROPPED_BYTES, SUMMARY_ESTIMATE, SUMMARY_ESTIMATE_ERROR,
       SUMMARY_SHOWN, SUMMARY_STACKS, SUMMARY_MEMORY, SUMMARY_BUDGET, SUMMARY_LOSSES, SUMMARY_COLUMNS };
static const struct view_column summary_columns[SUMMARY_COLUMNS] = {
	[SUMMARY_PID] = { .name = "pid", .type = VIEW_U64 },
	[SUMMARY_SEEN] = { .name = "seen", .type = VIEW_U64 },
	[SUMMARY_FREED] = { .name = "freed", .type = VIEW_U64 },
	[SUMMARY_HELD] = { .name = "held", .type = VIEW_U64 },
	[SUMMARY_DROPPED] = { .name = "dropped", .type = VIEW_U64, .is_bad_when_set = true },
	[SUMMARY_SEEN_BYTES] = { .name = "seen_bytes", .type = VIEW_BYTES },
	[SUMMARY_FREED_BYTES] = { .name = "freed_bytes", .type = VIEW_BYTES },
	[SUMMARY_HELD_BYTES] = { .name = "held_bytes", .type = VIEW_BYTES },
	[SUMMARY_DROPPED_BYTES] = { .name = "dropped_bytes", .type = VIEW_BYTES, .is_bad_when_set = true },
	[SUMMARY_ESTIMATE] = { .name = "estimated_bytes", .type = VIEW_BYTES, .is_optional = true },
	[SUMMARY_ESTIMATE_ERROR] = { .name = "estimated_error_bytes", .type = VIEW_BYTES, .is_optional = true },
	[SUMMARY_SHOWN] = { .name = "stacks_shown", .type = VIEW_U64 },
	[SUMMARY_STACKS] = { .name = "stacks", .type = VIEW_U64 },
	[SUMMARY_MEMORY] = { .name = "memory_bytes", .type = VIEW_BYTES },
	[SUMMARY_BUDGET] = { .name = "memory_budget_bytes", .type = VIEW_BYTES },
	[SUMMARY_LOSSES] = { .name = "counters", .type = VIEW_COUNTERS },
};
static const struct view_record summary_record = {
	.type = "summary", .columns = summary_columns, .column_count = SUMMARY_COLUMNS, .indent = 2, .is_remark = true,
	.text = "{?about {estimated_bytes} +- {estimated_error_bytes} held in all; ?}{stacks_shown} of {stacks} "
		"{stacks:stack|stacks} shown; maps take {memory_bytes} of {memory_budget_bytes}{?; {counters}?}",
};

enum { EVENT_TIME, EVENT_PID, EVENT_TID, EVENT_KIND, EVENT_ADDRESS, EVENT_SIZE, EVENT_FRAMES, EVENT_COLUMNS };
static const char *const event_names[] = { "", "fork", "exec", "exit", "loaded", "unknown_code", "mmap", "mremap", "unmap",
					   "unmap_failed", "alloc", "free", NULL };
static const struct view_column event_columns[EVENT_COLUMNS] = {
	[EVENT_TIME] = { .name = "time", .type = VIEW_TIME },
	[EVENT_PID] = { .name = "pid", .type = VIEW_U64 },
	[EVENT_TID] = { .name = "tid", .type = VIEW_U64 },
	[EVENT_KIND] = { .name = "event", .type = VIEW_ENUM, .names = event_names, .width = 12 },
	[EVENT_ADDRESS] = { .name = "address", .type = VIEW_HEX },
	[EVENT_SIZE] = { .name = "size", .type = VIEW_U64, .width = 12 },
	[EVENT_FRAMES] = { .name = "frames", .type = VIEW_STACK, .is_optional = true },
};
static const struct view_record event_record = { .type = "event", .columns = event_columns, .column_count = EVENT_COLUMNS };

static const char *const counter_names[COUNTER_COUNT] = {
	[COUNTER_CALLS] = "calls", [COUNTER_CALL_BYTES] = "call_bytes", [COUNTER_FAILED] = "failed",
	[COUNTER_NESTED] = "nested", [COUNTER_UNMATCHED_FREES] = "unmatched_frees", [COUNTER_REPLACED] = "replaced",
	[COUNTER_STACKS_NEW] = "stacks_walked", [COUNTER_STACKS_INCOMPLETE] = "stacks_incomplete",
	[COUNTER_STACKS_UNSAVED] = "stacks_unsaved", [COUNTER_STACKS_UNREADABLE] = "stacks_unreadable",
	[COUNTER_THREADS_LOST] = "threads_lost", [COUNTER_THREADS_LOST_BYTES] = "threads_lost_bytes",
	[COUNTER_SITES_LOST] = "sites_lost", [COUNTER_SITES_LOST_BYTES] = "sites_lost_bytes",
	[COUNTER_MAP_RETRIES] = "map_retries", [COUNTER_MAP_FAILURES] = "map_failures",
	[COUNTER_EVENTS_LOST] = "events_lost",
};

const struct view_record *const leak_report_records[] = { &report_record, &site_record, &estimated_site_record, &block_record,
							  &summary_record, &event_record, NULL };

int leak_report_create(const struct memleak_options *options, struct leak_report **ret_report)
{
	struct leak_report *report = calloc(1, sizeof(*report));

	if (!report)
		return -ENOMEM;
	report->options = options;
	*ret_report = report;
	return 0;
}

static void clear(struct leak_report *report)
{
	for (size_t i = 0; i < report->site_count; i++)
		leak_site_deinit(&report->sites[i]);
	report->site_count = report->block_count = 0;
	report->has_head = false;
}

void leak_report_destroy(struct leak_report *report)
{
	if (!report)
		return;
	clear(report);
	free(report->sites);
	free(report->blocks);
	free(report);
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

/* Largest first; ties by the other figure, then by key, so that the order is stable from report to report. */
static int compare_sites(const void *a, const void *b, void *context)
{
	const struct leak_site *x = a, *y = b;
	enum leak_order order = *(const unsigned int *)context;
	int result = 0;

	if (order == LEAK_BY_GROWTH)
		result = x->growth_bytes < y->growth_bytes ? 1 : x->growth_bytes > y->growth_bytes ? -1 : 0;
	if (!result && order == LEAK_BY_COUNT)
		result = compare_u64(x->count + x->dropped, y->count + y->dropped);
	if (!result)
		result = compare_u64(x->bytes + x->dropped_bytes, y->bytes + y->dropped_bytes);
	return result ? result : compare_u64(x->stack_key, y->stack_key);
}

static const char *stack_note(const struct leak_site *site)
{
	if (!(site->stack_key & STACK_KEY_IS_HASH))
		return (site->stack_key & 0xff) == STACK_TABLE_FULL ? "no stack: the table of stacks is full"
								    : "no stack: it could not be read";
	if (site->stack_flags & STACK_IS_COMPLETE)
		return NULL;
	if (site->stack_flags & STACK_HIT_DEPTH)
		return "cut at the depth limit";
	if (site->stack_flags & STACK_UNKNOWN_CODE)
		return "stack ends in code of no known object";
	if (site->stack_flags & STACK_UNREADABLE)
		return "stack ends in memory that was not there";
	return "stack ends where no unwind rule leads on";
}

static int with_frames(const struct leak_site *site, struct view_frame **ret_frames, struct view_stack *ret_stack)
{
	struct view_frame *frames = calloc(site->frame_count + 1, sizeof(*frames));

	if (!frames)
		return -ENOMEM;
	for (size_t i = 0; i < site->frame_count; i++) {
		const struct source_frame *frame = &site->frames[i];

		frames[i] = (struct view_frame){ .symbol = frame->symbol, .offset = frame->symbol_offset,
						 .object = frame->object, .file = frame->file, .line = frame->line,
						 .is_inlined = frame->is_inlined, .address = site->addresses[i] };
	}
	*ret_stack = (struct view_stack){ .frames = frames, .count = site->frame_count,
					  .is_truncated = site->frame_count && !(site->stack_flags & STACK_IS_COMPLETE) };
	*ret_frames = frames;
	return 0;
}

static int show_blocks(const struct leak_report *report, struct run *run, uint64_t stack_key)
{
	int status = 0;

	for (size_t i = 0; i < report->block_count && !status; i++) {
		const struct leak_block *block = &report->blocks[i];
		const struct view_value values[BLOCK_COLUMNS] = { view_u64(block->address), view_u64(block->size),
								  view_u64(block->age_ns) };

		if (block->stack_key == stack_key)
			status = view_object(run->view, &block_record, values);
	}
	return status;
}

static int show_site(const struct leak_report *report, struct run *run, const struct leak_site *site)
{
	bool is_sampled = report->head.sample_bytes;
	struct view_frame *frames;
	struct view_stack stack;
	int status = with_frames(site, &frames, &stack);
	const struct view_value values[SITE_COLUMNS] = {
		[SITE_BYTES] = view_u64(site->bytes),
		[SITE_COUNT] = view_u64(site->count),
		[SITE_GROWTH] = site->has_growth ? view_i64(site->growth_bytes) : view_absent(),
		[SITE_TREND] = view_text(site->is_growing ? "growing" : NULL),
		[SITE_DROPPED] = view_u64(site->dropped),
		[SITE_DROPPED_BYTES] = view_u64(site->dropped_bytes),
		[SITE_ESTIMATE_BYTES] = is_sampled ? view_u64(site->estimate_bytes) : view_absent(),
		[SITE_ESTIMATE_COUNT] = is_sampled ? view_u64(site->estimate_count) : view_absent(),
		[SITE_ESTIMATE_ERROR] = is_sampled ? view_u64(site->estimate_error_bytes) : view_absent(),
		[SITE_NOTE] = view_text(stack_note(site)),
		[SITE_FRAMES] = view_frames(&stack),
	};

	if (status)
		return status;
	status = view_object(run->view, is_sampled ? &estimated_site_record : &site_record, values);
	free(frames);
	return status ? status : show_blocks(report, run, site->stack_key);
}

static int show_head(const struct leak_report *report, struct run *run, uint64_t count, uint64_t bytes)
{
	const struct leak_report_head *head = &report->head;
	const struct view_value values[REPORT_COLUMNS] = {
		[REPORT_TIME] = view_u64(head->time_ns),
		[REPORT_PID] = view_u64(head->pid),
		[REPORT_COMM] = view_text(report->comm),
		[REPORT_REASON] = view_u64(head->reason),
		[REPORT_INTERVAL] = head->interval_ns ? view_u64(head->interval_ns) : view_absent(),
		[REPORT_STACKS] = view_u64(report->site_count),
		[REPORT_BYTES] = view_u64(bytes),
		[REPORT_COUNT] = view_u64(count),
		[REPORT_SEEN] = view_u64(head->seen),
		[REPORT_FREED] = view_u64(head->freed),
		[REPORT_DROPPED] = view_u64(head->dropped),
		[REPORT_HELD] = view_u64(head->held),
		[REPORT_OLDER_THAN] = head->older_than_ns ? view_u64(head->older_than_ns) : view_absent(),
		[REPORT_SAMPLE] = head->sample_bytes ? view_u64(head->sample_bytes) : view_absent(),
	};

	return view_object(run->view, &report_record, values);
}

static int show_summary(const struct leak_report *report, struct run *run, const struct leak_report_end *end,
			uint64_t shown)
{
	const struct leak_report_head *head = &report->head;
	struct view_counter counters[COUNTER_COUNT + 1];
	uint64_t estimate = 0;
	double variance = 0;

	for (int i = 0; i < COUNTER_COUNT; i++)
		counters[i] = (struct view_counter){ counter_names[i], end->counters.value[i] };
	counters[COUNTER_COUNT] = (struct view_counter){ "missed_runs", end->recursion_misses };
	for (size_t i = 0; i < report->site_count; i++) {
		estimate += report->sites[i].estimate_bytes;
		variance += (double)report->sites[i].estimate_error_bytes * report->sites[i].estimate_error_bytes;
	}
	const struct view_value values[SUMMARY_COLUMNS] = {
		[SUMMARY_PID] = view_u64(head->pid),
		[SUMMARY_SEEN] = view_u64(head->seen),
		[SUMMARY_FREED] = view_u64(head->freed),
		[SUMMARY_HELD] = view_u64(head->held),
		[SUMMARY_DROPPED] = view_u64(head->dropped),
		[SUMMARY_SEEN_BYTES] = view_u64(head->seen_bytes),
		[SUMMARY_FREED_BYTES] = view_u64(head->freed_bytes),
		[SUMMARY_HELD_BYTES] = view_u64(head->held_bytes),
		[SUMMARY_DROPPED_BYTES] = view_u64(head->dropped_bytes),
		[SUMMARY_ESTIMATE] = head->sample_bytes ? view_u64(estimate) : view_absent(),
		[SUMMARY_ESTIMATE_ERROR] =
			head->sample_bytes ? view_u64((uint64_t)__builtin_sqrt(variance)) : view_absent(),
		[SUMMARY_SHOWN] = view_u64(shown),
		[SUMMARY_STACKS] = view_u64(report->site_count),
		[SUMMARY_MEMORY] = view_u64(end->memory_used),
		[SUMMARY_BUDGET] = view_u64(end->memory_budget),
		[SUMMARY_LOSSES] = view_counters(counters, COUNTER_COUNT + 1),
	};

	return view_object(run->view, &summary_record, values);
}

/* What makes the result incomplete is said once, and makes the exit code 3. */
static void judge(const struct leak_report *report, struct run *run, const struct leak_report_end *end)
{
	const unsigned long long *counters = end->counters.value;

	if (report->head.dropped)
		run_incomplete(run, "%" PRIu64 " allocations could not be kept one by one: frees of them went unnoticed "
			       "(--max-memory raises the limit)", report->head.dropped);
	if (counters[COUNTER_EVENTS_LOST])
		run_incomplete(run, "%llu events were lost: the ring was full", counters[COUNTER_EVENTS_LOST]);
	if (counters[COUNTER_MAP_FAILURES])
		run_incomplete(run, "%llu allocations or frees were not counted: the kernel refused to lock its map",
			       counters[COUNTER_MAP_FAILURES]);
	if (end->recursion_misses)
		run_incomplete(run, "%" PRIu64 " hits of probes were missed: the kernel was running a program already",
			       end->recursion_misses);
	if (counters[COUNTER_THREADS_LOST] || counters[COUNTER_SITES_LOST])
		run_incomplete(run, "calls of %llu threads and %llu stacks could not be counted",
			       counters[COUNTER_THREADS_LOST], counters[COUNTER_SITES_LOST]);
	for (size_t i = 0; i < report->site_count && report->options->threshold; i++)
		if (report->sites[i].bytes + report->sites[i].dropped_bytes > report->options->threshold)
			run_found(run);
}

static int show(struct leak_report *report, struct run *run, const struct leak_report_end *end)
{
	uint64_t top = report->options->top, count = 0, bytes = 0;
	unsigned int order = report->options->order;
	int status;

	if (!report->has_head)
		return -EBADMSG;
	for (size_t i = 0; i < report->site_count; i++) {
		count += report->sites[i].count;
		bytes += report->sites[i].bytes;
	}
	qsort_r(report->sites, report->site_count, sizeof(*report->sites), compare_sites, &order);
	if (!top || top > report->site_count)
		top = report->site_count;
	status = show_head(report, run, count, bytes);
	for (size_t i = 0; i < top && !status; i++)
		status = show_site(report, run, &report->sites[i]);
	if (!status)
		status = show_summary(report, run, end, top);
	judge(report, run, end);
	clear(report);
	return status;
}

static int grow(void **list, size_t count, size_t *capacity, size_t size)
{
	size_t larger = *capacity ? 2 * *capacity : 64;
	void *grown;

	if (count < *capacity)
		return 0;
	grown = reallocarray(*list, larger, size);
	if (!grown)
		return -ENOMEM;
	*list = grown;
	*capacity = larger;
	return 0;
}

static int show_event(struct run *run, const struct leak_event *event)
{
	struct view_frame *frames;
	struct view_stack stack;
	int status = with_frames(&event->stack, &frames, &stack);
	const struct view_value values[EVENT_COLUMNS] = {
		view_u64(event->time_ns), view_u64(event->pid), view_u64(event->tid), view_u64(event->kind),
		view_u64(event->address), view_u64(event->size), stack.count ? view_frames(&stack) : view_absent(),
	};

	if (status)
		return status;
	status = view_row(run->view, &event_record, values);
	free(frames);
	return status;
}

int leak_report_take(struct leak_report *report, struct run *run, uint32_t type, struct payload_reader *payload)
{
	struct leak_report_end end;
	struct leak_event event;
	int status;

	switch (type) {
	case LEAK_RECORD_REPORT:
		clear(report);
		status = leak_decode_head(payload, &report->head);
		if (status)
			return status;
		snprintf(report->comm, sizeof(report->comm), "%s", report->head.comm ? report->head.comm : "?");
		report->has_head = true;
		return 0;
	case LEAK_RECORD_SITE:
		status = grow((void **)&report->sites, report->site_count, &report->site_capacity, sizeof(*report->sites));
		if (!status)
			status = leak_decode_site(payload, &report->sites[report->site_count]);
		report->site_count += !status;
		return status;
	case LEAK_RECORD_BLOCK:
		status = grow((void **)&report->blocks, report->block_count, &report->block_capacity, sizeof(*report->blocks));
		if (!status)
			status = leak_decode_block(payload, &report->blocks[report->block_count]);
		report->block_count += !status;
		return status;
	case LEAK_RECORD_END:
		status = leak_decode_end(payload, &end);
		return status ? status : show(report, run, &end);
	case LEAK_RECORD_EVENT:
		status = leak_decode_event(payload, &event);
		if (status)
			return status;
		status = show_event(run, &event);
		leak_site_deinit(&event.stack);
		return status;
	}
	return -EBADMSG;
}
