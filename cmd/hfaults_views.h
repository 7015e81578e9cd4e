/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What hfaults shows: events, and at the end sums, scans, what processes have mapped, pools, the machine's counters. */
#ifndef DILL_HFAULTS_VIEWS_H
#define DILL_HFAULTS_VIEWS_H

#include "hfaults.h"
#include "trace.h"

extern const char *const huge_kind_names[];

enum {
	HUGE_EVENT_KIND = TRACE_HEAD_COUNT, HUGE_EVENT_RESULT, HUGE_EVENT_REASON, HUGE_EVENT_SIZE, HUGE_EVENT_LATENCY,
	HUGE_EVENT_ADDRESS, HUGE_EVENT_FREE, HUGE_EVENT_RESERVED, HUGE_EVENT_POOL, HUGE_EVENT_BY, HUGE_EVENT_BY_PID,
	HUGE_EVENT_CLASS, HUGE_EVENT_MAPPING, HUGE_EVENT_BY_STACK, HUGE_EVENT_STACK, HUGE_EVENT_COLUMNS
};
enum { HUGE_SUM_COMM, HUGE_SUM_PID, HUGE_SUM_KIND, HUGE_SUM_COUNT, HUGE_SUM_HUGE, HUGE_SUM_FALLBACK, HUGE_SUM_FAILED,
       HUGE_SUM_BYTES, HUGE_SUM_LATENCY, HUGE_SUM_LONGEST, HUGE_SUM_COLUMNS };
enum { HUGE_SCAN_COMM, HUGE_SCAN_PID, HUGE_SCAN_KIND, HUGE_SCAN_STATUS, HUGE_SCAN_COUNT, HUGE_SCAN_COLUMNS };
enum { HUGE_MAPPED_COMM, HUGE_MAPPED_PID, HUGE_MAPPED_RSS, HUGE_MAPPED_ANON, HUGE_MAPPED_SHMEM, HUGE_MAPPED_FILE,
       HUGE_MAPPED_SHARE, HUGE_MAPPED_PRIVATE, HUGE_MAPPED_SHARED, HUGE_MAPPED_RUNS, HUGE_MAPPED_COLUMNS };
enum { HUGE_POOL_SIZE, HUGE_POOL_PAGES, HUGE_POOL_FREE, HUGE_POOL_RESERVED, HUGE_POOL_SURPLUS, HUGE_POOL_CHANGE,
       HUGE_POOL_COLUMNS };
enum { HUGE_LATENCY_KIND, HUGE_LATENCY_HISTOGRAM, HUGE_LATENCY_COLUMNS };

extern const struct view_record huge_event_record, huge_sum_record, huge_scan_record, huge_mapped_record, huge_pool_record,
	huge_machine_record, huge_latency_record, huge_more_record;

/* One event; @stack: who wanted it, of a split, else NULL. */
int huge_show_event(struct trace *trace, const struct huge_event *event, const struct trace_stack *stack, bool wants_stack);
/* "exceed_none_pte" for a value of enum scan_result. @text of @size holds it where it has no name. */
const char *huge_scan_text(struct trace *trace, int status, char *text, size_t size);

#endif
