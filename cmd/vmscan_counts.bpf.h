/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * vmscan's maps, and how its programs count: by whom, for how long. Counters are per CPU, and added to atomically, since
 * programs can be preempted.
 */
#ifndef DILL_VMSCAN_COUNTS_BPF_H
#define DILL_VMSCAN_COUNTS_BPF_H

#include "trace.bpf.h"

#include "histogram.bpf.h"
#include "vmscan.h"

/*
 * What a thread has done that is in no group yet. A reclaim tells of each batch of pages and each shrinker, and all of it
 * belongs to one group, so it is counted there once, at the reclaim's end. By node: pages that were scanned on a node that
 * was not yet told.
 */
struct vmscan_done {
	u64 events;
	u64 scanned, reclaimed;
	u64 slabs, slab_ns, slab_freed;
};

/* What a thread is at: since when, by kind; 0: it is not. Stays for the thread's next time. */
struct thread {
	u64 started_ns[VMSCAN_KINDS];
	u64 counted_ns; /* kswapd: up to when its time has been counted */
	struct vmscan_done done;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct thread);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, VMSCAN_GROUPS);
	__type(key, struct vmscan_key);
	__type(value, struct vmscan_counts);
} groups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, VMSCAN_SHRINKERS);
	__type(key, u64);
	__type(value, struct vmscan_shrinker);
} shrinkers SEC(".maps");

HISTOGRAM_MAP(latencies, VMSCAN_KINDS);

volatile const __u32 group_by;
__u32 epoch; /* of vmscan_key: user space changes it */

#define ADD(place, count) __sync_fetch_and_add(&(place), count)

/* A function of its own, for its stack's sake. */
static __noinline struct vmscan_counts *add_group(const struct vmscan_key *key)
{
	struct vmscan_counts none = {};

	bpf_map_update_elem(&groups, key, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&groups, key);
}

/* Where the current task's work is counted; @node: where that is, or -1. Counts @events. */
static __always_inline struct vmscan_counts *counts_of(u64 ids, s64 node, u64 events)
{
	struct vmscan_key key = { .epoch = epoch };
	struct vmscan_counts *counts;

	if (group_by == VMSCAN_BY_PROCESS) {
		key.id = ids >> 32;
		bpf_get_current_comm(key.comm, sizeof(key.comm));
	} else if (group_by == VMSCAN_BY_CGROUP) {
		key.id = trace_current_cgroup_id();
	} else if (group_by == VMSCAN_BY_NODE) {
		key.id = node >= 0 ? node : bpf_get_numa_node_id();
	}
	TRACE_COUNT_ADD(seen, events);
	counts = bpf_map_lookup_elem(&groups, &key);
	if (!counts)
		counts = add_group(&key);
	if (counts)
		ADD(counts->events, events);
	else
		TRACE_COUNT_ADD(map_full, events);
	return counts;
}

/* The same, if it is wanted. */
static __always_inline struct vmscan_counts *wanted_counts(s64 node)
{
	u64 ids;

	return trace_wants(&ids) ? counts_of(ids, node, 1) : NULL;
}

static __always_inline struct thread *this_thread(void)
{
	u32 thread = bpf_get_current_pid_tgid();

	return bpf_map_lookup_elem(&threads, &thread);
}

/* A reclaim under way gathers what it does: it belongs to whom it began for. */
static __always_inline bool is_reclaiming(const struct thread *thread)
{
	return thread && (thread->started_ns[VMSCAN_DIRECT] | thread->started_ns[VMSCAN_MEMCG] |
			  thread->started_ns[VMSCAN_SOFTLIMIT] | thread->started_ns[VMSCAN_NODE]);
}

static __always_inline struct vmscan_done *gathered_by(struct thread *thread)
{
	return group_by != VMSCAN_BY_NODE && is_reclaiming(thread) ? &thread->done : NULL;
}

static __always_inline struct thread *begin(u32 kind)
{
	struct thread *thread = this_thread();
	u32 id = bpf_get_current_pid_tgid();
	u64 ids;

	if (!is_reclaiming(thread) && !trace_wants(&ids))
		return NULL;
	if (!thread) {
		struct thread none = {};

		bpf_map_update_elem(&threads, &id, &none, BPF_NOEXIST);
		thread = bpf_map_lookup_elem(&threads, &id);
	}
	if (!thread) {
		TRACE_COUNT(seen);
		TRACE_COUNT(map_full);
	} else if (kind != VMSCAN_KSWAPD || !thread->started_ns[kind]) {
		thread->started_ns[kind] = bpf_ktime_get_ns();
	}
	return thread;
}

/* What was gathered is counted. By node: what was scanned before was scanned here. */
static __always_inline void count_done(struct thread *thread, struct vmscan_counts *counts)
{
	if (!thread || !(thread->done.events | thread->done.scanned))
		return;
	ADD(counts->scanned, thread->done.scanned);
	ADD(counts->reclaimed, thread->done.reclaimed);
	ADD(counts->calls[VMSCAN_SLAB], thread->done.slabs);
	ADD(counts->time_ns[VMSCAN_SLAB], thread->done.slab_ns);
	ADD(counts->slab_freed, thread->done.slab_freed);
	__builtin_memset(&thread->done, 0, sizeof(thread->done));
}

/* How long the work took that ends now; 0: its beginning was not met. */
static __always_inline u64 latency_of(struct thread *thread, u32 kind)
{
	u64 ids, latency_ns;

	if (!thread || !thread->started_ns[kind]) {
		if (trace_wants(&ids))
			TRACE_COUNT(unpaired);
		return 0;
	}
	latency_ns = bpf_ktime_get_ns() - thread->started_ns[kind];
	thread->started_ns[kind] = 0;
	histogram_add(&latencies, kind, latency_ns);
	return latency_ns ? latency_ns : 1;
}

/* Count work of that kind, and what was gathered until its end. NULL: there is no room. */
static __always_inline struct vmscan_counts *count_work(struct thread *thread, u32 kind, s64 node, u64 latency_ns)
{
	struct vmscan_counts *counts;
	u64 ids;

	trace_current_ids(&ids);
	counts = counts_of(ids, node, 1 + thread->done.events);
	if (counts) {
		ADD(counts->calls[kind], 1);
		ADD(counts->time_ns[kind], latency_ns);
		count_done(thread, counts);
	} else {
		__builtin_memset(&thread->done, 0, sizeof(thread->done)); /* lost, as counts_of() has counted */
	}
	return counts;
}

/* kswapd did something: it was at it since it last did. It naps in between, which does not count. */
static __always_inline void kswapd_goes_on(struct thread *thread, struct vmscan_counts *counts)
{
	u64 now_ns;

	if (!thread || !thread->started_ns[VMSCAN_KSWAPD])
		return;
	now_ns = bpf_ktime_get_ns();
	ADD(counts->time_ns[VMSCAN_KSWAPD], now_ns - thread->counted_ns);
	thread->counted_ns = now_ns;
}

#endif
