/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What drsnoop's programs and user space share. */
#ifndef DILL_DRSNOOP_H
#define DILL_DRSNOOP_H

#include "trace_event.h"

/* Throttled: made to wait before a direct reclaim. Soft limit: within direct reclaim or kswapd's. */
enum reclaim_kind { RECLAIM_DIRECT, RECLAIM_MEMCG, RECLAIM_NODE, RECLAIM_THROTTLED, RECLAIM_SOFTLIMIT, RECLAIM_KINDS };

struct reclaim_event {
	struct trace_head head;
	__u64 started_ns, latency_ns;
	__u64 throttled_ns; /* of the latency: it was made to wait */
	__u64 reclaimed;    /* pages */
	__u64 gfp_flags;
	__u64 free_pages;   /* of the machine, at the beginning; 0: not known */
	__u32 order;
	__u32 kind;             /* enum reclaim_kind */
	__u32 throttle_reasons; /* 1 << enum vmscan_throttle_state */
	__u32 reserved;
	__u64 memcg_cgroup_id; /* of the memory cgroup that is reclaimed; 0: not known */
	__u64 user_stack;      /* key of the walker; 0: none */
	struct trace_stack stack;
};

#endif
