// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The page reclaimer's work, counted where it happens: no event leaves the kernel. Who does it is the current task, since
 * kswapd is one too.
 */
#include "vmscan_counts.bpf.h"

#include "folio.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { INACTIVE_ANON = 0, INACTIVE_FILE = 2 }; /* enum lru_list, include/linux/mmzone.h */

struct shrinker { /* include/linux/shrinker.h */
	void *scan_objects;
} __attribute__((preserve_access_index));

volatile const __u8 counts_taken; /* the multi-generational LRU is on: /proc/vmstat counts what it takes as scanned */
volatile const __s32 isolate_lru, isolate_scanned, isolate_taken;

static __always_inline void end(u32 kind)
{
	struct thread *thread = this_thread();
	u64 latency_ns = latency_of(thread, kind);

	if (thread && latency_ns)
		count_work(thread, kind, -1, latency_ns);
}

/* Reclaims: begin and end. */
#define RECLAIM(name, tracepoint, kind) \
	SEC("raw_tp/" tracepoint "_begin") \
	int name##_begin(void *ctx) \
	{ \
		begin(kind); \
		return 0; \
	} \
	SEC("raw_tp/" tracepoint "_end") \
	int name##_end(void *ctx) \
	{ \
		end(kind); \
		return 0; \
	}
RECLAIM(direct, "mm_vmscan_direct_reclaim", VMSCAN_DIRECT)
RECLAIM(memcg, "mm_vmscan_memcg_reclaim", VMSCAN_MEMCG)
RECLAIM(softlimit, "mm_vmscan_memcg_softlimit_reclaim", VMSCAN_SOFTLIMIT)
RECLAIM(node, "mm_vmscan_node_reclaim", VMSCAN_NODE)

SEC("raw_tp/mm_shrink_slab_start")
int slab_begin(void *ctx)
{
	begin(VMSCAN_SLAB);
	return 0;
}

static __always_inline void count_shrinker(struct shrinker *shrinker, u64 latency_ns, u64 freed)
{
	struct vmscan_shrinker none = {}, *sums;
	u64 function = (u64)BPF_CORE_READ(shrinker, scan_objects);

	sums = bpf_map_lookup_elem(&shrinkers, &function);
	if (!sums) {
		bpf_map_update_elem(&shrinkers, &function, &none, BPF_NOEXIST);
		sums = bpf_map_lookup_elem(&shrinkers, &function);
	}
	if (!sums)
		return;
	ADD(sums->calls, 1);
	ADD(sums->time_ns, latency_ns);
	ADD(sums->freed, freed);
}

SEC("raw_tp/mm_shrink_slab_end")
int slab_end(struct bpf_raw_tracepoint_args *ctx) /* shrinker, node, freed or SHRINK_STOP … */
{
	struct thread *thread = this_thread();
	u64 latency_ns = latency_of(thread, VMSCAN_SLAB), freed = (s32)ctx->args[2] > 0 ? (u32)ctx->args[2] : 0;
	struct vmscan_done *done = gathered_by(thread);
	struct vmscan_counts *counts;

	if (!thread || !latency_ns)
		return 0;
	if (done) {
		done->events++;
		done->slabs++;
		done->slab_ns += latency_ns;
		done->slab_freed += freed;
	} else {
		counts = count_work(thread, VMSCAN_SLAB, (s32)ctx->args[1], latency_ns);
		if (!counts)
			return 0;
		ADD(counts->slab_freed, freed);
		kswapd_goes_on(thread, counts);
	}
	count_shrinker((struct shrinker *)ctx->args[0], latency_ns, freed);
	return 0;
}

SEC("raw_tp/mm_vmscan_lru_isolate")
int isolate(struct bpf_raw_tracepoint_args *ctx)
{
	u32 list = trace_argument(ctx, isolate_lru);
	u64 scanned = trace_argument(ctx, counts_taken ? isolate_taken : isolate_scanned);
	struct thread *thread;
	struct vmscan_done *done;
	struct vmscan_counts *counts;

	if (list != INACTIVE_ANON && list != INACTIVE_FILE)
		return 0; /* what active lists give is not counted as scanned */
	thread = this_thread();
	if (group_by == VMSCAN_BY_NODE && thread) {
		thread->done.scanned += scanned;
		return 0;
	}
	done = gathered_by(thread);
	if (done) {
		done->events++;
		done->scanned += scanned;
		return 0;
	}
	counts = wanted_counts(-1);
	if (!counts)
		return 0;
	ADD(counts->scanned, scanned);
	kswapd_goes_on(thread, counts);
	return 0;
}

SEC("raw_tp/mm_vmscan_lru_shrink_inactive")
int shrink(struct bpf_raw_tracepoint_args *ctx) /* node, scanned, reclaimed … */
{
	struct thread *thread = this_thread();
	struct vmscan_done *done = gathered_by(thread);
	struct vmscan_counts *counts;

	if (done) {
		done->events++;
		done->reclaimed += ctx->args[2];
		return 0;
	}
	counts = wanted_counts((s32)ctx->args[0]);
	if (!counts)
		return 0;
	ADD(counts->reclaimed, ctx->args[2]);
	count_done(thread, counts);
	kswapd_goes_on(thread, counts);
	return 0;
}

SEC("raw_tp/mm_vmscan_kswapd_wake")
int kswapd_begin(struct bpf_raw_tracepoint_args *ctx) /* node … ; each time that it begins to balance the node */
{
	struct thread *thread = begin(VMSCAN_KSWAPD);
	struct vmscan_counts *counts = thread ? wanted_counts((s32)ctx->args[0]) : NULL;

	if (!thread)
		return 0;
	thread->counted_ns = bpf_ktime_get_ns();
	if (counts) {
		ADD(counts->calls[VMSCAN_KSWAPD], 1);
		count_done(thread, counts);
	}
	return 0;
}

SEC("raw_tp/mm_vmscan_kswapd_sleep")
int kswapd_end(void *ctx)
{
	struct thread *thread = this_thread();

	if (!thread || !thread->started_ns[VMSCAN_KSWAPD])
		return 0;
	histogram_add(&latencies, VMSCAN_KSWAPD, thread->counted_ns - thread->started_ns[VMSCAN_KSWAPD]);
	thread->started_ns[VMSCAN_KSWAPD] = 0;
	return 0;
}

SEC("raw_tp/mm_vmscan_wakeup_kswapd")
int wakeup(struct bpf_raw_tracepoint_args *ctx) /* node … */
{
	struct vmscan_counts *counts = wanted_counts((s32)ctx->args[0]);

	if (counts)
		ADD(counts->wakeups, 1);
	return 0;
}

static __always_inline int count_written(u64 pages)
{
	struct vmscan_counts *counts = wanted_counts(-1); /* kswapd runs on its node */

	if (counts)
		ADD(counts->written, pages);
	return 0;
}

SEC("raw_tp/mm_vmscan_writepage")
int write_page(void *ctx)
{
	return count_written(1);
}

SEC("raw_tp/mm_vmscan_write_folio")
int write_folio(struct bpf_raw_tracepoint_args *ctx)
{
	return count_written(folio_pages((const void *)ctx->args[0]));
}

static __always_inline int count_throttled(s64 node, u64 usec)
{
	struct vmscan_counts *counts = wanted_counts(node);

	if (!counts)
		return 0;
	ADD(counts->calls[VMSCAN_THROTTLED], 1);
	ADD(counts->time_ns[VMSCAN_THROTTLED], usec * 1000);
	histogram_add(&latencies, VMSCAN_THROTTLED, usec * 1000);
	return 0;
}

SEC("raw_tp/mm_vmscan_throttled")
int throttled(struct bpf_raw_tracepoint_args *ctx) /* node, time to wait at most, time waited, reason; in us */
{
	return count_throttled((s32)ctx->args[0], (u32)ctx->args[2]);
}

/* Before 8cd7c588decf ("mm/vmscan: throttle reclaim until some writeback completes if congested"), 5.16: waits that others do too. */
static __always_inline int congested(struct bpf_raw_tracepoint_args *ctx)
{
	struct thread *thread = this_thread();

	if (!thread || (!is_reclaiming(thread) && !thread->started_ns[VMSCAN_KSWAPD]))
		return 0;
	return count_throttled(-1, (u32)ctx->args[1]);
}

SEC("raw_tp/writeback_congestion_wait")
int congestion_wait(struct bpf_raw_tracepoint_args *ctx)
{
	return congested(ctx);
}

SEC("raw_tp/writeback_wait_iff_congested")
int congestion_wait_if(struct bpf_raw_tracepoint_args *ctx)
{
	return congested(ctx);
}
