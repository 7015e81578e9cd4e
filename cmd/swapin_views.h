/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What swapin shows: sums, events, totals, latencies. Declarations for one file, swapin.c. */
#ifndef DILL_SWAPIN_VIEWS_H
#define DILL_SWAPIN_VIEWS_H

#include "trace.h"

static const char *const store_names[] = { "disk", "zram", "zswap", "zeros", "unknown", NULL };
static const char *const direction_names[] = { "in", "out", NULL };
static const char *const reason_names[] = { "unknown", "demanded", "readahead", NULL };

#define OWNER_COLUMNS(index)                                                                                  \
	[index] = { .name = "owner", .title = "CGROUP", .type = VIEW_PATH, .is_optional = true },             \
	[index + 1] = { .name = "owner_id", .type = VIEW_U64, .is_json_only = true },                         \
	[index + 2] = { .name = "owner_container", .type = VIEW_TEXT, .is_json_only = true, .is_optional = true }
#define PAGES_COLUMN(json, heading) { .name = json, .title = heading, .type = VIEW_U64, .width = 8 }
#define BYTES_COLUMN(json) { .name = json, .title = "BYTES", .type = VIEW_BYTES, .width = 9 }
#define LATENCY_COLUMN(json, heading) \
	{ .name = json, .title = heading, .type = VIEW_DURATION_NS, .width = 8, .is_optional = true }
#define JSON_COUNT(json) { .name = json, .type = VIEW_U64, .is_json_only = true }

enum { SUM_COMM, SUM_PID, SUM_STORE, SUM_DEVICE, SUM_IN, SUM_IN_BYTES, SUM_DEMANDED, SUM_AHEAD, SUM_IN_LATENCY,
       SUM_IN_LONGEST, SUM_OUT, SUM_OUT_BYTES, SUM_OUT_LATENCY, SUM_OUT_LONGEST, SUM_IN_FOLIOS, SUM_OUT_FOLIOS,
       SUM_IN_TIMED, SUM_OUT_TIMED, SUM_OWNER, SUM_COLUMNS = SUM_OWNER + 3 };
static const struct view_column sum_columns[SUM_COLUMNS] = {
	[SUM_COMM] = { .name = "comm", .type = VIEW_TEXT, .width = 15 },
	[SUM_PID] = { .name = "pid", .type = VIEW_U64, .width = 7 },
	[SUM_STORE] = { .name = "store", .type = VIEW_ENUM, .names = store_names, .width = 7 },
	[SUM_DEVICE] = { .name = "device", .type = VIEW_TEXT, .width = 8, .is_optional = true },
	[SUM_IN] = PAGES_COLUMN("in_pages", "IN"),
	[SUM_IN_BYTES] = BYTES_COLUMN("in_bytes"),
	[SUM_DEMANDED] = PAGES_COLUMN("demanded_pages", "DEMANDED"),
	[SUM_AHEAD] = PAGES_COLUMN("readahead_pages", "AHEAD"),
	[SUM_IN_LATENCY] = LATENCY_COLUMN("in_latency_ns", "LATENCY"),
	[SUM_IN_LONGEST] = LATENCY_COLUMN("in_latency_max_ns", "LONGEST"),
	[SUM_OUT] = PAGES_COLUMN("out_pages", "OUT"),
	[SUM_OUT_BYTES] = BYTES_COLUMN("out_bytes"),
	[SUM_OUT_LATENCY] = LATENCY_COLUMN("out_latency_ns", "LATENCY"),
	[SUM_OUT_LONGEST] = LATENCY_COLUMN("out_latency_max_ns", "LONGEST"),
	[SUM_IN_FOLIOS] = JSON_COUNT("in_folios"),
	[SUM_OUT_FOLIOS] = JSON_COUNT("out_folios"),
	[SUM_IN_TIMED] = JSON_COUNT("in_timed"),
	[SUM_OUT_TIMED] = JSON_COUNT("out_timed"),
	OWNER_COLUMNS(SUM_OWNER),
};
static const struct view_record sum_record = { .type = "swap", .columns = sum_columns, .column_count = SUM_COLUMNS };

enum { EVENT_DIRECTION = TRACE_HEAD_COUNT, EVENT_STORE, EVENT_DEVICE, EVENT_PAGES, EVENT_BYTES, EVENT_REASON, EVENT_LATENCY,
       EVENT_AREA, EVENT_OFFSET, EVENT_OWNER, EVENT_COLUMNS = EVENT_OWNER + 3 };
static const struct view_column event_columns[EVENT_COLUMNS] = {
	TRACE_HEAD_COLUMNS,
	[EVENT_DIRECTION] = { .name = "direction", .title = "WAY", .type = VIEW_ENUM, .names = direction_names, .width = 3 },
	[EVENT_STORE] = { .name = "store", .type = VIEW_ENUM, .names = store_names, .width = 7 },
	[EVENT_DEVICE] = { .name = "device", .type = VIEW_TEXT, .width = 8, .is_optional = true },
	[EVENT_PAGES] = { .name = "pages", .type = VIEW_U64, .width = 5 },
	[EVENT_BYTES] = { .name = "bytes", .type = VIEW_BYTES, .width = 8 },
	[EVENT_REASON] = { .name = "reason", .type = VIEW_ENUM, .names = reason_names, .width = 9, .is_optional = true },
	[EVENT_LATENCY] = LATENCY_COLUMN("latency_ns", "LATENCY"),
	[EVENT_AREA] = { .name = "swap_area", .type = VIEW_U64, .is_json_only = true, .is_optional = true },
	[EVENT_OFFSET] = { .name = "swap_offset_pages", .type = VIEW_U64, .is_json_only = true, .is_optional = true },
	OWNER_COLUMNS(EVENT_OWNER),
};
static const struct view_record event_record = { .type = "swapped", .columns = event_columns, .column_count = EVENT_COLUMNS };

enum { TOTAL_TIME, TOTAL_MONOTONIC, TOTAL_SPAN, TOTAL_IN, TOTAL_IN_BYTES, TOTAL_DEMANDED, TOTAL_AHEAD, TOTAL_OUT,
       TOTAL_OUT_BYTES, TOTAL_MORE, TOTAL_COLUMNS };
static const struct view_column total_columns[TOTAL_COLUMNS] = {
	[TOTAL_TIME] = { .name = "time", .type = VIEW_TIME },
	[TOTAL_MONOTONIC] = JSON_COUNT("monotonic_ns"),
	[TOTAL_SPAN] = { .name = "interval_ns", .type = VIEW_DURATION_NS },
	[TOTAL_IN] = { .name = "in_pages", .type = VIEW_U64 },
	[TOTAL_IN_BYTES] = { .name = "in_bytes", .type = VIEW_BYTES },
	[TOTAL_DEMANDED] = { .name = "demanded_pages", .type = VIEW_U64 },
	[TOTAL_AHEAD] = { .name = "readahead_pages", .type = VIEW_U64 },
	[TOTAL_OUT] = { .name = "out_pages", .type = VIEW_U64 },
	[TOTAL_OUT_BYTES] = { .name = "out_bytes", .type = VIEW_BYTES },
	[TOTAL_MORE] = { .name = "rows_left_out", .type = VIEW_U64 },
};
static const struct view_record total_record = {
	.type = "total", .columns = total_columns, .column_count = TOTAL_COLUMNS,
	.text = "{time}: {in_pages} {in_pages:page|pages} in ({in_bytes}), {demanded_pages} demanded and {readahead_pages} read "
		"ahead, {out_pages} out ({out_bytes}), in {interval_ns}"
		"{?; {rows_left_out} more {rows_left_out:row is|rows are} left out?}",
};

enum { LATENCY_STORE, LATENCY_DIRECTION, LATENCY_HISTOGRAM, LATENCY_COLUMNS };
static const struct view_column latency_columns[LATENCY_COLUMNS] = {
	[LATENCY_STORE] = { .name = "store", .type = VIEW_ENUM, .names = store_names },
	[LATENCY_DIRECTION] = { .name = "direction", .type = VIEW_ENUM, .names = direction_names },
	[LATENCY_HISTOGRAM] = { .name = "latency_ns", .type = VIEW_HISTOGRAM },
};
static const struct view_record latency_record = { .type = "latencies", .columns = latency_columns,
						   .column_count = LATENCY_COLUMNS, .text = "{store}, {direction}:",
						   .starts_section = true };

static const struct view_record *const swapin_records[] = { &sum_record, &event_record, &total_record, &latency_record,
							    &trace_losses_record, NULL };

#endif
