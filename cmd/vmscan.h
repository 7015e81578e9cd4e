/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What vmscan's programs and user space share. */
#ifndef DILL_VMSCAN_H
#define DILL_VMSCAN_H

#include "trace_event.h"

/* Work that has a beginning and an end. */
enum vmscan_kind {
	VMSCAN_DIRECT,
	VMSCAN_MEMCG,
	VMSCAN_SOFTLIMIT, /* within direct reclaim and kswapd's */
	VMSCAN_NODE,
	VMSCAN_SLAB,      /* within all others */
	VMSCAN_KSWAPD,
	VMSCAN_THROTTLED, /* within all others */
	VMSCAN_KINDS
};

enum vmscan_group { VMSCAN_BY_ALL, VMSCAN_BY_PROCESS, VMSCAN_BY_CGROUP, VMSCAN_BY_NODE };

struct vmscan_key {
	__u64 id;    /* pid, id of the cgroup, node; 0 for all */
	__u32 epoch; /* intervals alternate between two, so that one can be read while the other one counts */
	__u32 reserved;
	char comm[TRACE_COMM_BYTES];
};

/* All u64: user space adds up what CPUs have word by word. */
struct vmscan_counts {
	__u64 events; /* all that was counted here, each once */
	__u64 calls[VMSCAN_KINDS], time_ns[VMSCAN_KINDS];
	__u64 wakeups;                     /* times that kswapd was asked for */
	__u64 scanned, reclaimed, written; /* pages */
	__u64 slab_freed;                  /* objects, as shrinkers count them */
};

struct vmscan_shrinker {
	__u64 calls, time_ns, freed;
};

#define VMSCAN_GROUPS 2048
#define VMSCAN_SHRINKERS 512

#endif
