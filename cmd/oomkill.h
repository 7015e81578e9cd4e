/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What oomkill's programs and user space share. */
#ifndef DILL_OOMKILL_H
#define DILL_OOMKILL_H

#include "trace_event.h"

#define OOM_TOP_TASKS 10
#define OOM_MOST_PROCESSES 8192 /* that are looked at for the greatest */
#define OOM_ORDER_UNKNOWN (-2)

/* Why a process was killed, or marked. */
enum oom_kind {
	OOM_CHOSEN,
	OOM_GROUP,   /* with one that was chosen: memory.oom.group */
	OOM_DYING,   /* was ending already: may use the reserves, and is not killed */
	OOM_KINDS
};

/* enum oom_constraint is the kernel's; more is known on no rung, or less. */
enum { OOM_NOT_MEMCG = 0xfe, OOM_CONSTRAINT_UNKNOWN = 0xff };

struct oom_task {
	__u32 pid, uid;
	__u64 resident_pages;
	__s32 oom_score_adj;
	__u32 reserved;
	char comm[TRACE_COMM_BYTES];
};

/* The head is of the task whose allocation could not be met: the trigger. */
struct oom_event {
	struct trace_head head;
	__u32 kind;       /* enum oom_kind */
	__u32 constraint; /* enum oom_constraint, or as above */
	__u32 trigger_uid;
	__u32 has_request; /* order and flags are known */
	__s32 order;       /* -1: asked for by a user (SysRq f); OOM_ORDER_UNKNOWN */
	__u32 gfp_flags;
	__s32 node;        /* where the allocation looks first; -1: not known */
	__u32 has_points;
	__u64 nodes;       /* where it may look, the first 64; 0: not known */
	__u64 total_pages; /* what the victims' share is measured by: all that the OOM domain can have; 0: not known */
	__s64 points;      /* the victim's */

	struct oom_task victim;
	__u64 victim_cgroup_id;
	__u64 anon_pages, file_pages, shmem_pages, swap_pages, virtual_pages;
	__u64 page_table_bytes;

	__u64 memcg_cgroup_id; /* of the memory cgroup that is at its limit; 0: none, or not known */
	__u64 memcg_pages, memcg_limit;           /* no limit is a number beyond all memory: PAGE_COUNTER_MAX */
	__u64 memcg_swap_pages, memcg_swap_limit; /* v2: swap; v1: memory and swap */
	__u32 is_v1;
	__u32 reserved;

	__u32 process_count; /* with memory of their own */
	__u32 is_cut;        /* there are more, which were not looked at */
	struct oom_task top[OOM_TOP_TASKS];
	__u64 user_stack; /* its key (trace_stack.bpf.h) */
	struct trace_stack kernel_stack;
};

#endif
