/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What faults' programs and user space share. */
#ifndef DILL_FAULTS_H
#define DILL_FAULTS_H

#include "mapping.h"
#include "trace_event.h"

enum fault_kind {
	FAULT_ANONYMOUS, /* first touch of private memory */
	FAULT_FILE,      /* a page of a private file mapping, not written to */
	FAULT_SHARED,    /* a page of a shared mapping, or the first write to one */
	FAULT_COW,
	FAULT_SWAP,
	FAULT_NUMA,
	FAULT_HUGE,
	FAULT_HUGETLB,
	FAULT_MOVING,    /* waited for the page's migration, or the like */
	FAULT_AGAIN,     /* nothing was to be done any more: another thread was first, or a stale TLB */
	FAULT_UNLOCATED, /* counted by the kernel, and not seen by any event, or in a mapping that could not be looked up */
	FAULT_KINDS,
};

enum fault_mode {
	FAULT_MODE_USER,
	FAULT_MODE_KERNEL, /* a system call touched the process's memory */
	FAULT_MODE_PINNED, /* the kernel took pages itself: direct I/O, ptrace, mlock, MAP_POPULATE */
};

enum fault_access { FAULT_READ, FAULT_WRITE, FAULT_EXECUTE };

/* Faults that are counted together. */
struct fault_key {
	char comm[TRACE_COMM_BYTES];
	struct mapping_id mapping;
	__u64 stack; /* trace_user_stack() */
	__u32 pid;
	__u8 kind, mode, access, reserved;
};

/* Per CPU; all u64 (trace_counts.h). */
struct fault_value {
	__u64 count, major;
	__u64 latency_ns, timed; /* sum over those whose beginning was seen */
	__u64 latency_max_ns;
};

struct fault_event {
	struct trace_head head;
	__u64 latency_ns; /* 0: not known */
	__u64 address, instruction;
	struct mapping_id mapping;
	__u32 is_major;
	__u8 kind, mode, access, reserved;
	__u64 stack; /* trace_user_stack() */
};

#endif
