/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What migrate's programs and user space share. */
#ifndef DILL_MIGRATE_H
#define DILL_MIGRATE_H

#include "trace_event.h"

/* One call of migrate_pages(): pages that are moved for one reason, by one task. */
struct migration_event {
	struct trace_head head;
	__u64 latency_ns; /* 0: not known */
	__u64 succeeded, failed; /* pages, as /proc/vmstat's pgmigrate_success and pgmigrate_fail */
	__u64 huge_succeeded, huge_failed, huge_split; /* transparent huge pages */
	__u64 large_split; /* large folios, huge ones among them */
	__u64 from, to;    /* nodes: 1 << number */
	__s32 reason;      /* enum migrate_reason */
	__s32 mode;        /* enum migrate_mode; -1: not known */
	struct trace_stack stack; /* left out where none are wanted */
};

/* Reasons by number; those of kernels to come that have more share the last place. */
#define MIGRATE_REASONS 16

/* Per CPU; all u64 (trace_counts.h), as those below. */
struct migrate_reason_value {
	__u64 calls, succeeded, failed, huge_succeeded, huge_failed, huge_split, large_split;
	__u64 timed, latency_ns, latency_max_ns;
};

struct migrate_task_key {
	char comm[TRACE_COMM_BYTES];
	__u32 pid, tid;
};

struct migrate_task_value {
	__u64 events; /* what came to user space by this alone: hint faults, the scheduler's events, calls without rows */
	__u64 calls, succeeded, failed, latency_ns, latency_max_ns;
	__u64 numa_succeeded, numa_failed; /* of these pages, those of NUMA balancing */
	__u64 hint_faults, hint_pages, hint_local; /* faults, their pages; faults on the task's own node */
	__u64 moved, swapped, stayed; /* the task: to another CPU, for another task, not although it should have */
	__u64 skipped; /* mappings that NUMA balancing left alone */
};

#endif
