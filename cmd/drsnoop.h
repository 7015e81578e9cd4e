/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What drsnoop's programs and user space share. */
#ifndef DILL_DRSNOOP_H
#define DILL_DRSNOOP_H

#include "trace_event.h"

enum reclaim_kind { RECLAIM_DIRECT, RECLAIM_MEMCG, RECLAIM_NODE, RECLAIM_THROTTLED, RECLAIM_KINDS };

struct reclaim_event {
	struct trace_head head;
	__u64 started_ns, latency_ns;
	__u64 reclaimed; /* pages */
	__u64 gfp_flags;
	__u64 free_pages;      /* of the machine, at the beginning */
	__u32 order;
	__u32 kind;            /* enum reclaim_kind */
	__u64 memcg_cgroup_id; /* of the memory cgroup that is reclaimed; 0: not known */
	__u64 user_stack;      /* key of the walker; 0: none */
	struct trace_stack stack;
};

#endif
