/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What swapin's programs and user space share. */
#ifndef DILL_SWAPIN_H
#define DILL_SWAPIN_H

#include "trace_event.h"

enum swap_store {
	SWAP_DISK,    /* any block device but zram */
	SWAP_ZRAM,
	SWAP_ZSWAP,
	SWAP_ZEROS,   /* pages of zeros: only that they are such is kept */
	SWAP_UNKNOWN, /* written out, and not by way of the block layer: zswap, zeros, zram up to 6.2 */
	SWAP_STORES,
};

enum swap_direction { SWAP_IN, SWAP_OUT, SWAP_DIRECTIONS };

/* Folios that are counted together. */
struct swap_key {
	char comm[TRACE_COMM_BYTES]; /* of who read or wrote it */
	__u64 owner;                 /* id of the cgroup that the memory is charged to; 0: none */
	__u32 pid;
	__u32 device;                /* dev_t as in the kernel; 0: none */
	__u32 store, reserved;
};

struct swap_sum {
	__u64 count; /* folios */
	__u64 pages;
	__u64 latency_ns, timed; /* sum over those that are complete */
	__u64 latency_max_ns;
};

/* Per CPU; all u64 (trace_counts.h). */
struct swap_value {
	struct swap_sum sums[SWAP_DIRECTIONS];
	__u64 demanded, ahead; /* of the pages in; what is in neither is not told apart */
};

enum swap_reason { SWAP_REASON_NONE, SWAP_REASON_DEMANDED, SWAP_REASON_AHEAD };

struct swap_event {
	struct trace_head head; /* who began it, and when */
	__u64 owner;
	__u64 entry; /* type << 58 | offset, in pages */
	__u64 latency_ns;
	__u32 pages, device;
	__u8 store, direction, reason, is_timed;
	__u32 reserved;
};

#endif
