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

/* What a thread is at: since when, by kind; 0: it is not. Stays for the thread's next time. */
struct thread {
	u64 started_ns[VMSCAN_KINDS];
	u64 counted_ns; /* kswapd: up to when its time has been counted */
	u64 pending;    /* by node: pages that were scanned on a node that was not yet told */
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

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} epoch SEC(".maps");

HISTOGRAM_MAP(latencies, VMSCAN_KINDS);

volatile const __u32 group_by;

#define ADD(place, count) __sync_fetch_and_add(&(place), count)

/* Where the current task's work is counted; @node: where that is, or -1. Counts one event. */
static __always_inline struct vmscan_counts *counts_of(u64 ids, s64 node)
{
	struct vmscan_counts none = {}, *counts;
	struct vmscan_key key = {};
	u32 zero = 0, *now = bpf_map_lookup_elem(&epoch, &zero);

	key.epoch = now ? *now : 0;
	if (group_by == VMSCAN_BY_PROCESS) {
		key.id = ids >> 32;
		bpf_get_current_comm(key.comm, sizeof(key.comm));
	} else if (group_by == VMSCAN_BY_CGROUP) {
		key.id = trace_current_cgroup_id();
	} else if (group_by == VMSCAN_BY_NODE) {
		key.id = node >= 0 ? node : bpf_get_numa_node_id();
	}
	TRACE_COUNT(seen);
	counts = bpf_map_lookup_elem(&groups, &key);
	if (!counts) {
		bpf_map_update_elem(&groups, &key, &none, BPF_NOEXIST);
		counts = bpf_map_lookup_elem(&groups, &key);
	}
	if (counts)
		ADD(counts->events, 1);
	else
		TRACE_COUNT(map_full);
	return counts;
}

/* The same, if it is wanted. */
static __always_inline struct vmscan_counts *wanted_counts(s64 node)
{
	u64 ids;

	return trace_wants(&ids) ? counts_of(ids, node) : NULL;
}

static __always_inline struct thread *this_thread(void)
{
	u32 thread = bpf_get_current_pid_tgid();

	return bpf_map_lookup_elem(&threads, &thread);
}

static __always_inline struct thread *begin(u32 kind)
{
	struct thread none = {}, *thread = this_thread();
	u32 id = bpf_get_current_pid_tgid();
	u64 ids;

	if (!trace_wants(&ids))
		return NULL;
	if (!thread) {
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

/* By node: what was scanned before was scanned here. */
static __always_inline void count_pending(struct thread *thread, struct vmscan_counts *counts)
{
	if (!thread || !thread->pending)
		return;
	ADD(counts->scanned, thread->pending);
	thread->pending = 0;
}

/* The time since begin() is counted. NULL: it was not met, or there is no room. */
static __always_inline struct vmscan_counts *end(u32 kind, s64 node, u64 *ret_latency_ns)
{
	struct thread *thread = this_thread();
	struct vmscan_counts *counts;
	u64 ids, latency_ns;

	if (!thread || !thread->started_ns[kind]) {
		if (trace_wants(&ids))
			TRACE_COUNT(unpaired);
		return NULL;
	}
	latency_ns = bpf_ktime_get_ns() - thread->started_ns[kind];
	thread->started_ns[kind] = 0;
	trace_current_ids(&ids);
	histogram_add(&latencies, kind, latency_ns);
	counts = counts_of(ids, node);
	if (counts) {
		ADD(counts->calls[kind], 1);
		ADD(counts->time_ns[kind], latency_ns);
		count_pending(thread, counts);
	}
	*ret_latency_ns = latency_ns;
	return counts;
}

/* kswapd did something: it was at it since it last did. It naps in between, which does not count. */
static __always_inline void kswapd_goes_on(struct thread *thread, struct vmscan_counts *counts)
{
	u64 now_ns = bpf_ktime_get_ns();

	if (!thread || !thread->started_ns[VMSCAN_KSWAPD])
		return;
	ADD(counts->time_ns[VMSCAN_KSWAPD], now_ns - thread->counted_ns);
	thread->counted_ns = now_ns;
}

#endif
