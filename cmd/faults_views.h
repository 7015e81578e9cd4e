/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What faults shows: sums, events, totals, latencies. Declarations for one file, faults.c. */
#ifndef DILL_FAULTS_VIEWS_H
#define DILL_FAULTS_VIEWS_H

#include "trace.h"
#include "trace_mappings.h"

static const char *const kind_names[] = { "anonymous", "file", "shared", "copy-on-write", "swap-in", "numa-hint", "huge",
					  "hugetlb", "migration", "again", "unlocated", NULL };
static const char *const mode_names[] = { "user", "kernel", "pinned", NULL };
static const char *const access_names[] = { "read", "write", "execute", NULL };

enum { SUM_COMM, SUM_PID, SUM_KIND, SUM_MODE, SUM_ACCESS, SUM_COUNT, SUM_MAJOR, SUM_RATE, SUM_LATENCY, SUM_LONGEST,
       SUM_TIMED, SUM_DEVICE, SUM_INODE, SUM_CLASS, SUM_MAPPING, SUM_STACK, SUM_COLUMNS };
static const struct view_column sum_columns[SUM_COLUMNS] = {
	[SUM_COMM] = { .name = "comm", .type = VIEW_TEXT, .width = 15 },
	[SUM_PID] = { .name = "pid", .type = VIEW_U64, .width = 7 },
	[SUM_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = kind_names, .width = 13 },
	[SUM_MODE] = { .name = "mode", .type = VIEW_ENUM, .names = mode_names, .width = 6 },
	[SUM_ACCESS] = { .name = "access", .type = VIEW_ENUM, .names = access_names, .width = 7 },
	[SUM_COUNT] = { .name = "faults", .type = VIEW_U64, .width = 8 },
	[SUM_MAJOR] = { .name = "major", .type = VIEW_U64, .width = 7 },
	[SUM_RATE] = { .name = "per_second", .title = "PER-S", .type = VIEW_COUNT },
	[SUM_LATENCY] = { .name = "latency_ns", .title = "LATENCY", .type = VIEW_DURATION_NS, .is_optional = true },
	[SUM_LONGEST] = { .name = "latency_max_ns", .title = "LONGEST", .type = VIEW_DURATION_NS, .is_optional = true },
	[SUM_TIMED] = { .name = "timed", .type = VIEW_U64, .is_json_only = true },
	[SUM_DEVICE] = { .name = "device", .type = VIEW_TEXT, .is_json_only = true, .is_optional = true },
	[SUM_INODE] = { .name = "inode", .type = VIEW_U64, .is_json_only = true, .is_optional = true },
	[SUM_CLASS] = { .name = "class", .type = VIEW_ENUM, .names = trace_mapping_classes, .is_json_only = true },
	[SUM_MAPPING] = { .name = "mapping", .type = VIEW_PATH, .is_optional = true },
	[SUM_STACK] = { .name = "stack", .type = VIEW_STACK, .is_optional = true },
};
static const struct view_record sum_record = { .type = "faults", .columns = sum_columns, .column_count = SUM_COLUMNS };

enum { EVENT_KIND = TRACE_HEAD_COUNT, EVENT_MODE, EVENT_ACCESS, EVENT_MAJOR, EVENT_LATENCY, EVENT_ADDRESS, EVENT_INSTRUCTION,
       EVENT_CLASS, EVENT_MAPPING, EVENT_STACK, EVENT_COLUMNS };
static const struct view_column event_columns[EVENT_COLUMNS] = {
	TRACE_HEAD_COLUMNS,
	[EVENT_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = kind_names, .width = 13 },
	[EVENT_MODE] = { .name = "mode", .type = VIEW_ENUM, .names = mode_names, .width = 6 },
	[EVENT_ACCESS] = { .name = "access", .type = VIEW_ENUM, .names = access_names, .width = 7 },
	[EVENT_MAJOR] = { .name = "is_major", .title = "MAJOR", .type = VIEW_BOOL },
	[EVENT_LATENCY] = { .name = "latency_ns", .title = "LATENCY", .type = VIEW_DURATION_NS, .is_optional = true },
	[EVENT_ADDRESS] = { .name = "address", .type = VIEW_HEX },
	[EVENT_INSTRUCTION] = { .name = "instruction", .type = VIEW_HEX, .is_json_only = true },
	[EVENT_CLASS] = { .name = "class", .type = VIEW_ENUM, .names = trace_mapping_classes, .is_json_only = true },
	[EVENT_MAPPING] = { .name = "mapping", .type = VIEW_PATH, .is_optional = true },
	[EVENT_STACK] = { .name = "stack", .type = VIEW_STACK, .is_optional = true },
};
static const struct view_record event_record = { .type = "fault", .columns = event_columns, .column_count = EVENT_COLUMNS };

enum { TOTAL_TIME, TOTAL_MONOTONIC, TOTAL_COUNT, TOTAL_MINOR, TOTAL_MAJOR, TOTAL_RATE, TOTAL_SPAN, TOTAL_MORE, TOTAL_COLUMNS };
static const struct view_column total_columns[TOTAL_COLUMNS] = {
	[TOTAL_TIME] = { .name = "time", .type = VIEW_TIME },
	[TOTAL_MONOTONIC] = { .name = "monotonic_ns", .type = VIEW_U64, .is_json_only = true },
	[TOTAL_COUNT] = { .name = "faults", .type = VIEW_U64 },
	[TOTAL_MINOR] = { .name = "minor", .type = VIEW_U64 },
	[TOTAL_MAJOR] = { .name = "major", .type = VIEW_U64 },
	[TOTAL_RATE] = { .name = "per_second", .type = VIEW_COUNT },
	[TOTAL_SPAN] = { .name = "interval_ns", .type = VIEW_DURATION_NS },
	[TOTAL_MORE] = { .name = "rows_left_out", .type = VIEW_U64 },
};
static const struct view_record total_record = {
	.type = "total", .columns = total_columns, .column_count = TOTAL_COLUMNS,
	.text = "{time}: {faults} {faults:fault|faults} in {interval_ns}, {per_second} a second: {minor} minor, {major} major"
		"{?; {rows_left_out} more {rows_left_out:row is|rows are} left out?}",
};

enum { LATENCY_KIND, LATENCY_HISTOGRAM, LATENCY_COLUMNS };
static const struct view_column latency_columns[LATENCY_COLUMNS] = {
	[LATENCY_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = kind_names },
	[LATENCY_HISTOGRAM] = { .name = "latency_ns", .type = VIEW_HISTOGRAM },
};
static const struct view_record latency_record = { .type = "latencies", .columns = latency_columns,
						   .column_count = LATENCY_COLUMNS, .text = "{kind}, latency:",
						   .starts_section = true };

static const struct view_record *const faults_records[] = { &sum_record, &event_record, &total_record, &latency_record,
							    &trace_losses_record, NULL };

#endif
