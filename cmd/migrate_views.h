/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What migrate shows: calls, sums by reason and by task, latencies. Declarations for one file, migrate.c. */
#ifndef DILL_MIGRATE_VIEWS_H
#define DILL_MIGRATE_VIEWS_H

#include "trace.h"

#define PAGES(json, heading) { .name = json, .title = heading, .type = VIEW_U64, .width = 7 }
#define COUNT_IN_JSON(json) { .name = json, .type = VIEW_U64, .is_json_only = true }
#define LARGE_SPLITS { .name = "large_folio_split", .type = VIEW_U64, .is_optional = true, .is_json_only = true }
#define TIME_IN_JSON { .name = "time", .type = VIEW_TIME, .is_json_only = true }
#define DURATION(json, heading) { .name = json, .title = heading, .type = VIEW_DURATION_NS, .is_optional = true }

enum { EVENT_REASON = TRACE_HEAD_COUNT, EVENT_MODE, EVENT_SUCCEEDED, EVENT_FAILED, EVENT_HUGE, EVENT_HUGE_FAILED,
       EVENT_HUGE_SPLIT, EVENT_LARGE_SPLIT, EVENT_FROM, EVENT_TO, EVENT_LATENCY, EVENT_STACK, EVENT_COLUMNS };
static const struct view_column event_columns[EVENT_COLUMNS] = {
	TRACE_HEAD_COLUMNS,
	[EVENT_REASON] = { .name = "reason", .type = VIEW_TEXT, .width = 15 },
	[EVENT_MODE] = { .name = "mode", .type = VIEW_TEXT, .width = 10, .is_optional = true },
	[EVENT_SUCCEEDED] = PAGES("succeeded_pages", "MOVED"),
	[EVENT_FAILED] = PAGES("failed_pages", "FAILED"),
	[EVENT_HUGE] = { .name = "thp_succeeded", .title = "THP", .type = VIEW_U64, .width = 4 },
	[EVENT_HUGE_FAILED] = { .name = "thp_failed", .title = "THP-F", .type = VIEW_U64, .width = 5 },
	[EVENT_HUGE_SPLIT] = { .name = "thp_split", .title = "SPLIT", .type = VIEW_U64, .width = 5 },
	[EVENT_LARGE_SPLIT] = LARGE_SPLITS,
	[EVENT_FROM] = { .name = "from_nodes", .title = "FROM", .type = VIEW_TEXT, .width = 5, .is_optional = true },
	[EVENT_TO] = { .name = "to_nodes", .title = "TO", .type = VIEW_TEXT, .width = 5, .is_optional = true },
	[EVENT_LATENCY] = DURATION("latency_ns", "LATENCY"),
	[EVENT_STACK] = { .name = "stack", .type = VIEW_STACK, .is_optional = true },
};
static const struct view_record event_record = { .type = "migration", .columns = event_columns,
						 .column_count = EVENT_COLUMNS };

enum { REASON_TIME, REASON_NAME, REASON_CALLS, REASON_SUCCEEDED, REASON_FAILED, REASON_HUGE, REASON_HUGE_FAILED,
       REASON_HUGE_SPLIT, REASON_LARGE_SPLIT, REASON_TIMED, REASON_LATENCY_SUM, REASON_LATENCY, REASON_LONGEST, REASON_COLUMNS };
static const struct view_column reason_columns[REASON_COLUMNS] = {
	[REASON_TIME] = TIME_IN_JSON,
	[REASON_NAME] = { .name = "reason", .type = VIEW_TEXT, .width = 15 },
	[REASON_CALLS] = PAGES("calls", "CALLS"),
	[REASON_SUCCEEDED] = PAGES("succeeded_pages", "MOVED"),
	[REASON_FAILED] = PAGES("failed_pages", "FAILED"),
	[REASON_HUGE] = { .name = "thp_succeeded", .title = "THP", .type = VIEW_U64, .width = 4 },
	[REASON_HUGE_FAILED] = { .name = "thp_failed", .title = "THP-F", .type = VIEW_U64, .width = 5 },
	[REASON_HUGE_SPLIT] = { .name = "thp_split", .title = "SPLIT", .type = VIEW_U64, .width = 5 },
	[REASON_LARGE_SPLIT] = LARGE_SPLITS,
	[REASON_TIMED] = COUNT_IN_JSON("timed"),
	[REASON_LATENCY_SUM] = DURATION("latency_sum_ns", "TOTAL"),
	[REASON_LATENCY] = DURATION("latency_ns", "LATENCY"),
	[REASON_LONGEST] = DURATION("latency_max_ns", "LONGEST"),
};
static const struct view_record reason_record = { .type = "reason_migrations", .columns = reason_columns,
						  .column_count = REASON_COLUMNS, .starts_section = true };

enum { TASK_TIME, TASK_COMM, TASK_PID, TASK_TID, TASK_CALLS, TASK_SUCCEEDED, TASK_FAILED, TASK_LATENCY_SUM, TASK_LONGEST,
       TASK_HINTS, TASK_HINT_PAGES, TASK_HINT_LOCAL, TASK_NUMA_SUCCEEDED, TASK_NUMA_FAILED, TASK_MOVED, TASK_SWAPPED,
       TASK_STAYED, TASK_SKIPPED, TASK_COLUMNS };
static const struct view_column task_columns[TASK_COLUMNS] = {
	[TASK_TIME] = TIME_IN_JSON,
	[TASK_COMM] = { .name = "comm", .type = VIEW_TEXT, .width = 15 },
	[TASK_PID] = { .name = "pid", .type = VIEW_U64, .width = 7 },
	[TASK_TID] = { .name = "tid", .type = VIEW_U64, .width = 7 },
	[TASK_CALLS] = COUNT_IN_JSON("calls"),
	[TASK_SUCCEEDED] = PAGES("succeeded_pages", "MOVED"),
	[TASK_FAILED] = PAGES("failed_pages", "FAILED"),
	[TASK_LATENCY_SUM] = DURATION("latency_sum_ns", "TOTAL"),
	[TASK_LONGEST] = DURATION("latency_max_ns", "LONGEST"),
	[TASK_HINTS] = { .name = "hint_faults", .title = "HINTS", .type = VIEW_U64, .width = 7, .is_optional = true },
	[TASK_HINT_PAGES] = { .name = "hint_pages", .type = VIEW_U64, .is_optional = true, .is_json_only = true },
	[TASK_HINT_LOCAL] = { .name = "hint_local_faults", .title = "LOCAL", .type = VIEW_U64, .width = 7, .is_optional = true },
	[TASK_NUMA_SUCCEEDED] = PAGES("numa_succeeded_pages", "NUMA"),
	[TASK_NUMA_FAILED] = PAGES("numa_failed_pages", "NUMA-F"),
	[TASK_MOVED] = { .name = "task_moves", .title = "MOVES", .type = VIEW_U64, .width = 5 },
	[TASK_SWAPPED] = { .name = "task_swaps", .title = "SWAPS", .type = VIEW_U64, .width = 5 },
	[TASK_STAYED] = { .name = "task_stays", .title = "STAYS", .type = VIEW_U64, .width = 5 },
	[TASK_SKIPPED] = COUNT_IN_JSON("skipped_mappings"),
};
static const struct view_record task_record = { .type = "task_migrations", .columns = task_columns,
						.column_count = TASK_COLUMNS, .starts_section = true };

static const struct view_column more_columns[] = { { .name = "left_out", .type = VIEW_U64 } };
static const struct view_record more_record = {
	.type = "more", .columns = more_columns, .column_count = 1, .is_remark = true,
	.text = "{left_out} more {left_out:task|tasks} with fewer pages (--top)",
};

enum { LATENCY_REASON, LATENCY_HISTOGRAM, LATENCY_COLUMNS };
static const struct view_column latency_columns[LATENCY_COLUMNS] = {
	[LATENCY_REASON] = { .name = "reason", .type = VIEW_TEXT },
	[LATENCY_HISTOGRAM] = { .name = "latency_ns", .type = VIEW_HISTOGRAM },
};
static const struct view_record latency_record = { .type = "latencies", .columns = latency_columns,
						   .column_count = LATENCY_COLUMNS, .text = "{reason}:", .starts_section = true };

static const struct view_record *const migrate_records[] = { &event_record, &reason_record, &task_record, &more_record,
							     &latency_record, &trace_losses_record, NULL };

#endif
