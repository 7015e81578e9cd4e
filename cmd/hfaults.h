/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What hfaults' programs and user space share. */
#ifndef DILL_HFAULTS_H
#define DILL_HFAULTS_H

#include "mapping.h"
#include "trace_event.h"

enum huge_kind {
	HUGE_HUGETLB,       /* a fault in a mapping of hugetlbfs */
	HUGE_FAULT,         /* transparent: a fault where private memory could become a huge page */
	HUGE_WRITE,         /* the first write to one that is not this process's alone */
	HUGE_MAP,           /* a fault that mapped a huge page of a file or of shared memory */
	HUGE_COLLAPSE,      /* small pages are made a huge one */
	HUGE_COLLAPSE_FILE,
	HUGE_UNMAP,         /* the entry of a page table is split: the page is mapped by small ones */
	HUGE_SPLIT,         /* the page itself */
	HUGE_KINDS,
};

enum huge_result {
	HUGE_ALLOCATED,
	HUGE_MAPPED,   /* the page was there: of the file, or this process's own */
	HUGE_COPIED,
	HUGE_ZERO,     /* the one page of zeroes that all share */
	HUGE_DONE,     /* by a rung that does not see which of these; collapsed, split */
	HUGE_FALLBACK, /* small pages were taken */
	HUGE_SIGBUS,
	HUGE_FAILED,
	HUGE_RESULTS,
};

enum huge_reason {
	HUGE_NO_REASON,
	HUGE_POOL_EMPTY, /* of hugetlb: no page is free that nobody has reserved */
	HUGE_POOL_LIMIT, /* pages are free: a cgroup's or the mount's limit */
	HUGE_BEYOND_END, /* of the file; no page was asked for */
	HUGE_POISON,
	HUGE_NO_MEMORY,
	HUGE_CHARGE,     /* the cgroup's limit */
	HUGE_POLICY,     /* a shared page: the kernel copies what is written to only */
	HUGE_UNKNOWN,
	HUGE_REASONS,
};

struct huge_event {
	struct trace_head head; /* whose memory it is; of a page split whose owner is not known: who splits */
	__u64 latency_ns;       /* 0: not known */
	__u64 address;          /* 0: not known */
	__u64 size_bytes;
	__u64 pool_pages, pool_free, pool_reserved; /* hugetlb: of this size, afterwards */
	struct mapping_id mapping;
	__u64 stack;            /* trace_user_stack() */
	__u32 kind, result, reason;
	__s32 status;           /* collapse: enum scan_result; split: -errno or 0 */
	__u32 by_pid;           /* who did it; 0: not visible in dill's PID namespace */
	__u32 is_by_other;
	char by_comm[TRACE_COMM_BYTES];
};

/* A split: events of this type tell who wanted it. */
#define HUGE_EVENT_WITH_STACK 1
struct huge_split_event {
	struct huge_event event;
	struct trace_stack by; /* the kernel's stack */
};

/* Ranges that were looked at for collapse, by what came of it. Per CPU, one u64: how many. */
struct huge_scan_key {
	char comm[TRACE_COMM_BYTES];
	__u32 pid;
	__u16 is_file;
	__u16 status; /* enum scan_result */
};

#endif
