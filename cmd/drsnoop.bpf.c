// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Direct reclaim: the time that a task spends in the reclaimer because it wants memory. Begin and end are tracepoints
 * of one thread; which argument of the begin is the order and which the flags differs (swapped in 7.1).
 *
 * Before that, a task may be made to wait since reserves are low (throttle_direct_reclaim(), which is inlined). It is
 * caught as what happened between the entry of try_to_free_pages() and the begin, if the task went to sleep in between.
 */
#include "trace_stack.bpf.h"

#include "drsnoop.h"
#include "reclaim.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct reclaim {
	u64 started_ns, throttled_ns;
	u64 gfp_flags;
	u64 free_pages, memcg_cgroup_id;
	u32 order, kind;
	u32 throttle_reasons; /* 1 << reason */
	u32 reserved;
};

/* Reclaims that have begun, by thread and whether it is one within another (a soft limit's). Each ends, in its thread. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, u64);
	__type(value, struct reclaim);
} reclaims SEC(".maps");

/* Threads that have entered a function that leads to a reclaim. */
struct entry {
	u64 entered_ns, sleeps;
	u64 gfp_flags, memcg_cgroup_id;
	u32 order, reserved;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 10240);
	__type(key, u32);
	__type(value, struct entry);
} entries SEC(".maps");

struct task_struct___sleeps { /* include/linux/sched.h */
	unsigned long nvcsw;
} __attribute__((preserve_access_index));

volatile const __s32 direct_order, direct_gfp, memcg_order, memcg_gfp, node_order, node_gfp, softlimit_order, softlimit_gfp;
volatile const __s32 softlimit_memcg = -1;
volatile const __u8 wants_stacks;
volatile const __u32 nodes = 1;
volatile const __u64 min_latency_ns;

static __always_inline u64 key_of(u32 kind)
{
	return (u64)(kind == RECLAIM_SOFTLIMIT) << 32 | (u32)bpf_get_current_pid_tgid();
}

static __always_inline int begin(struct bpf_raw_tracepoint_args *ctx, u32 kind, s32 order, s32 gfp, u64 memcg_cgroup_id)
{
	struct reclaim reclaim = { .kind = kind, .memcg_cgroup_id = memcg_cgroup_id };
	u64 key = key_of(kind), ids;

	if (!trace_wants(&ids))
		return 0;
	reclaim.order = trace_argument(ctx, order);
	reclaim.gfp_flags = (u32)trace_argument(ctx, gfp);
	reclaim.free_pages = machine_free_pages(nodes);
	reclaim.started_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&reclaims, &key, &reclaim, BPF_ANY)) {
		TRACE_COUNT(seen);
		TRACE_COUNT(map_full);
	}
	return 0;
}

/* The walker of user stacks is verified anew in each program that has it, wanted or not: so it is in programs of its own. */
static __always_inline void tell(void *ctx, const struct reclaim *reclaim, u64 latency_ns, u64 reclaimed, bool walks)
{
	struct reclaim_event *event;
	u64 ids, user_stack;

	if (latency_ns < min_latency_ns)
		return;
	trace_current_ids(&ids);
	user_stack = walks ? trace_user_stack() : 0;
	event = trace_reserve(sizeof(*event));
	if (!event)
		return;
	trace_fill(&event->head, 0, ids);
	event->started_ns = reclaim->started_ns;
	event->latency_ns = latency_ns;
	event->throttled_ns = reclaim->throttled_ns;
	event->reclaimed = reclaimed;
	event->gfp_flags = reclaim->gfp_flags;
	event->free_pages = reclaim->free_pages;
	event->order = reclaim->order;
	event->kind = reclaim->kind;
	event->throttle_reasons = reclaim->throttle_reasons;
	event->reserved = 0;
	event->memcg_cgroup_id = reclaim->memcg_cgroup_id;
	event->user_stack = user_stack;
	event->stack.count = 0;
	if (wants_stacks)
		trace_stack_get(ctx, &event->stack, 0);
	trace_submit(event);
}

static __always_inline int end(struct bpf_raw_tracepoint_args *ctx, u32 kind, bool walks)
{
	u64 key = key_of(kind), ids;
	struct reclaim *reclaim = bpf_map_lookup_elem(&reclaims, &key);

	if (!reclaim) {
		if (trace_wants(&ids))
			TRACE_COUNT(unpaired);
		return 0;
	}
	tell(ctx, reclaim, bpf_ktime_get_ns() - reclaim->started_ns, ctx->args[0], walks);
	bpf_map_delete_elem(&reclaims, &key);
	return 0;
}

static __always_inline u64 sleeps_of_current(void)
{
	return BPF_CORE_READ((struct task_struct___sleeps *)bpf_get_current_task(), nvcsw);
}

static __always_inline int enter(u32 order, u32 gfp_flags, u64 memcg_cgroup_id)
{
	u32 thread = bpf_get_current_pid_tgid();
	struct entry entry = { .order = order, .gfp_flags = gfp_flags, .memcg_cgroup_id = memcg_cgroup_id };
	u64 ids;

	if (!trace_wants(&ids))
		return 0;
	entry.sleeps = sleeps_of_current();
	entry.entered_ns = bpf_ktime_get_ns();
	bpf_map_update_elem(&entries, &thread, &entry, BPF_ANY);
	return 0;
}

/* The wait before a reclaim is over, or there is none after it: the task is to be killed. */
static __always_inline int waited(void *ctx)
{
	u32 thread = bpf_get_current_pid_tgid();
	struct entry *entry = bpf_map_lookup_elem(&entries, &thread);
	struct reclaim wait = { .kind = RECLAIM_THROTTLED };

	if (!entry)
		return 0;
	wait.started_ns = entry->entered_ns;
	wait.order = entry->order;
	wait.gfp_flags = entry->gfp_flags;
	if (sleeps_of_current() != entry->sleeps)
		tell(ctx, &wait, bpf_ktime_get_ns() - wait.started_ns, 0, false);
	bpf_map_delete_elem(&entries, &thread);
	return 0;
}

SEC("raw_tp/mm_vmscan_direct_reclaim_begin")
int direct_begin(struct bpf_raw_tracepoint_args *ctx)
{
	return begin(ctx, RECLAIM_DIRECT, direct_order, direct_gfp, 0);
}

/* The same where entries are met. */
SEC("raw_tp/mm_vmscan_direct_reclaim_begin")
int direct_begin_wait(struct bpf_raw_tracepoint_args *ctx)
{
	waited(ctx);
	return begin(ctx, RECLAIM_DIRECT, direct_order, direct_gfp, 0);
}

SEC("raw_tp/mm_vmscan_direct_reclaim_end")
int direct_end(struct bpf_raw_tracepoint_args *ctx)
{
	return end(ctx, RECLAIM_DIRECT, false);
}

SEC("raw_tp/mm_vmscan_direct_reclaim_end")
int direct_end_stacks(struct bpf_raw_tracepoint_args *ctx)
{
	return end(ctx, RECLAIM_DIRECT, true);
}

SEC("raw_tp/mm_vmscan_memcg_reclaim_begin")
int memcg_begin(struct bpf_raw_tracepoint_args *ctx)
{
	return begin(ctx, RECLAIM_MEMCG, memcg_order, memcg_gfp, reclaimed_cgroup_id());
}

SEC("raw_tp/mm_vmscan_memcg_reclaim_end")
int memcg_end(struct bpf_raw_tracepoint_args *ctx)
{
	return end(ctx, RECLAIM_MEMCG, false);
}

SEC("raw_tp/mm_vmscan_memcg_reclaim_end")
int memcg_end_stacks(struct bpf_raw_tracepoint_args *ctx)
{
	return end(ctx, RECLAIM_MEMCG, true);
}

SEC("raw_tp/mm_vmscan_node_reclaim_begin")
int node_begin(struct bpf_raw_tracepoint_args *ctx)
{
	return begin(ctx, RECLAIM_NODE, node_order, node_gfp, 0);
}

SEC("raw_tp/mm_vmscan_node_reclaim_end")
int node_end(struct bpf_raw_tracepoint_args *ctx)
{
	return end(ctx, RECLAIM_NODE, false);
}

SEC("raw_tp/mm_vmscan_node_reclaim_end")
int node_end_stacks(struct bpf_raw_tracepoint_args *ctx)
{
	return end(ctx, RECLAIM_NODE, true);
}

SEC("raw_tp/mm_vmscan_memcg_softlimit_reclaim_begin")
int softlimit_begin(struct bpf_raw_tracepoint_args *ctx)
{
	u32 thread = bpf_get_current_pid_tgid();
	struct entry *entry = softlimit_memcg < 0 ? bpf_map_lookup_elem(&entries, &thread) : NULL;
	u64 memcg_cgroup_id = memory_cgroup_id((void *)trace_argument(ctx, softlimit_memcg));

	if (entry) {
		memcg_cgroup_id = entry->memcg_cgroup_id;
		bpf_map_delete_elem(&entries, &thread);
	}
	return begin(ctx, RECLAIM_SOFTLIMIT, softlimit_order, softlimit_gfp, memcg_cgroup_id);
}

SEC("raw_tp/mm_vmscan_memcg_softlimit_reclaim_end")
int softlimit_end(struct bpf_raw_tracepoint_args *ctx)
{
	return end(ctx, RECLAIM_SOFTLIMIT, false);
}

SEC("raw_tp/mm_vmscan_throttled")
int throttled(struct bpf_raw_tracepoint_args *ctx) /* node, time to wait at most, time waited, reason; in us */
{
	u64 key = key_of(RECLAIM_DIRECT);
	struct reclaim *reclaim = bpf_map_lookup_elem(&reclaims, &key);

	if (reclaim) {
		reclaim->throttled_ns += (u32)ctx->args[2] * 1000ULL;
		reclaim->throttle_reasons |= 1U << (ctx->args[3] & 31);
	}
	return 0;
}

SEC("fentry/try_to_free_pages")
int free_pages_fentry(u64 *ctx) /* zonelist, order, gfp_mask, nodemask */
{
	return enter(ctx[1], ctx[2], 0);
}

SEC("fexit/try_to_free_pages")
int free_pages_fexit(void *ctx)
{
	return waited(ctx);
}

SEC("fentry/mem_cgroup_shrink_node")
int shrink_node_fentry(u64 *ctx) /* memcg … */
{
	return enter(0, 0, memory_cgroup_id((void *)ctx[0]));
}

SEC("kprobe/try_to_free_pages")
int free_pages_kprobe(struct pt_regs *ctx)
{
	return enter(ctx->si, ctx->dx, 0);
}

SEC("kretprobe/try_to_free_pages")
int free_pages_kretprobe(struct pt_regs *ctx)
{
	return waited(ctx);
}

SEC("kprobe/mem_cgroup_shrink_node")
int shrink_node_kprobe(struct pt_regs *ctx)
{
	return enter(0, 0, memory_cgroup_id((void *)ctx->di));
}
