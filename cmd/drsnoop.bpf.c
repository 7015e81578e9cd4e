// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Direct reclaim: the time that a task spends in the reclaimer because it wants memory. Begin and end are tracepoints
 * of one thread; which argument of the begin is the order and which the flags differs (swapped in 7.1).
 */
#include "trace_stack.bpf.h"

#include "drsnoop.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct reclaim {
	u64 started_ns;
	u64 gfp_flags;
	u32 order, kind;
};

/* Reclaims that have begun, by thread. Each ends, in this thread. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, u32);
	__type(value, struct reclaim);
} reclaims SEC(".maps");

volatile const __s32 direct_order, direct_gfp, memcg_order, memcg_gfp, node_order, node_gfp;
volatile const __u8 wants_stacks;
volatile const __u64 min_latency_ns;

static __always_inline int begin(struct bpf_raw_tracepoint_args *ctx, u32 kind, s32 order, s32 gfp)
{
	u32 thread = (u32)bpf_get_current_pid_tgid();
	struct reclaim reclaim = { .kind = kind };
	u64 ids;

	if (!trace_wants(&ids))
		return 0;
	reclaim.order = trace_argument(ctx, order);
	reclaim.gfp_flags = (u32)trace_argument(ctx, gfp);
	reclaim.started_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&reclaims, &thread, &reclaim, BPF_ANY)) {
		TRACE_COUNT(seen);
		TRACE_COUNT(map_full);
	}
	return 0;
}

static __always_inline int end(struct bpf_raw_tracepoint_args *ctx, u64 reclaimed)
{
	u32 thread = (u32)bpf_get_current_pid_tgid();
	struct reclaim *reclaim = bpf_map_lookup_elem(&reclaims, &thread);
	struct reclaim_event *event;
	u64 ids, latency_ns, user_stack;

	if (!reclaim) {
		if (trace_wants(&ids))
			TRACE_COUNT(unpaired);
		return 0;
	}
	latency_ns = bpf_ktime_get_ns() - reclaim->started_ns;
	trace_current_ids(&ids);
	user_stack = wants_stacks && latency_ns >= min_latency_ns ? trace_user_stack() : 0;
	if (latency_ns >= min_latency_ns && (event = trace_reserve(sizeof(*event)))) {
		trace_fill(&event->head, 0, ids);
		event->started_ns = reclaim->started_ns;
		event->latency_ns = latency_ns;
		event->reclaimed = reclaimed;
		event->gfp_flags = reclaim->gfp_flags;
		event->free_pages = 0;
		event->order = reclaim->order;
		event->kind = reclaim->kind;
		event->memcg_cgroup_id = 0;
		event->user_stack = user_stack;
		event->stack.count = 0;
		if (wants_stacks)
			trace_stack_get(ctx, &event->stack, 0);
		trace_submit(event);
	}
	bpf_map_delete_elem(&reclaims, &thread);
	return 0;
}

SEC("raw_tp/mm_vmscan_direct_reclaim_begin")
int direct_begin(struct bpf_raw_tracepoint_args *ctx)
{
	return begin(ctx, RECLAIM_DIRECT, direct_order, direct_gfp);
}

SEC("raw_tp/mm_vmscan_direct_reclaim_end")
int direct_end(struct bpf_raw_tracepoint_args *ctx)
{
	return end(ctx, ctx->args[0]);
}

SEC("raw_tp/mm_vmscan_memcg_reclaim_begin")
int memcg_begin(struct bpf_raw_tracepoint_args *ctx)
{
	return begin(ctx, RECLAIM_MEMCG, memcg_order, memcg_gfp);
}

SEC("raw_tp/mm_vmscan_memcg_reclaim_end")
int memcg_end(struct bpf_raw_tracepoint_args *ctx)
{
	return end(ctx, ctx->args[0]);
}

SEC("raw_tp/mm_vmscan_node_reclaim_begin")
int node_begin(struct bpf_raw_tracepoint_args *ctx)
{
	return begin(ctx, RECLAIM_NODE, node_order, node_gfp);
}

SEC("raw_tp/mm_vmscan_node_reclaim_end")
int node_end(struct bpf_raw_tracepoint_args *ctx)
{
	return end(ctx, ctx->args[0]);
}
