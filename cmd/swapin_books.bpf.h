/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What swapin's programs know of a thread and of a folio on its way, and where folios are counted: when they set out, as
 * the kernel does (PSWPIN, PSWPOUT), so that an end that is missed costs a latency alone.
 */
#ifndef DILL_SWAPIN_BOOKS_BPF_H
#define DILL_SWAPIN_BOOKS_BPF_H

#include "trace.bpf.h"

#include "folio.bpf.h"
#include "histogram.bpf.h"
#include "page_walk.bpf.h"
#include "swapin.h"

#define PAGE_SHIFT 12

/* What a thread is at. Kept while it lives, or until others need the room. */
struct thread {
	u64 wanted;     /* the place in swap that it waits for; */
	u64 address;    /* or where it touched memory last, whose place in swap is looked up when something is read */
	u64 folio;      /* that is read or written; */
	u64 started_ns; /* since when, or since when within */
	u64 handled;    /* the folio that went to a device, or HANDLED */
	u32 has_wanted, reserved;
};

#define HANDLED 1ULL

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct thread);
} threads SEC(".maps");

/* A folio on its way to or from a device, by the folio. */
struct flight {
	struct swap_event event;
	u64 bio;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, u64);
	__type(value, struct flight);
} flights SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct swap_key);
	__type(value, struct swap_value);
} swap_counts SEC(".maps");

HISTOGRAM_MAP(swap_latencies, SWAP_STORES * SWAP_DIRECTIONS);

volatile const __u8 wants_events;
volatile const __u8 is_tracepoints; /* the source */
volatile const __u64 min_latency_ns;

static __always_inline struct thread *thread_if_known(void)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();

	return bpf_map_lookup_elem(&threads, &tid);
}

static __always_inline struct thread *thread_of_current(void)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid), none = { 0 };

	if (thread)
		return thread;
	bpf_map_update_elem(&threads, &tid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&threads, &tid);
}

/* Whether somebody waits for one of @pages pages from @entry on, that are read now. */
static __always_inline u32 reason_of(u64 entry, u32 pages)
{
	struct thread *thread = thread_if_known();
	u64 wanted;

	if (!is_tracepoints) {
		if (!thread || !thread->has_wanted)
			return SWAP_REASON_DEMANDED; /* read by itself: whoever does that waits */
		wanted = thread->wanted;
	} else {
		if (!thread || !thread->address)
			return SWAP_REASON_NONE;
		wanted = page_walk_swap((u64)BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), mm), thread->address);
		if (!wanted)
			return SWAP_REASON_NONE;
	}
	return wanted >= entry && wanted - entry < pages ? SWAP_REASON_DEMANDED : SWAP_REASON_AHEAD;
}

/* The folio's part of an event whose store, device and direction are set; false: not wanted. */
static __always_inline bool fill_event(struct swap_event *event, const void *folio, struct mem_cgroup *memcg, u64 started_ns)
{
	struct cgroup *owner = memcg ? BPF_CORE_READ(memcg, css.cgroup) : NULL;
	u64 ids;

	if (!trace_wants_process(&ids) || (trace_cgroup_level && (!owner || !trace_wants_cgroup(owner))))
		return false;
	trace_fill(&event->head, 0, ids);
	if (started_ns)
		event->head.time_ns = started_ns;
	event->owner = owner ? BPF_CORE_READ(owner, kn, id) : 0;
	if (folio)
		event->entry = folio_swap_entry(folio);
	if (event->direction == SWAP_IN)
		event->reason = reason_of(event->entry, event->pages);
	return true;
}

static __always_inline void set_device(struct swap_event *event, struct gendisk *disk, struct block_device *device)
{
	u32 name = 0;

	bpf_probe_read_kernel(&name, sizeof(name), &disk->disk_name);
	event->store = name == 0x6d61727a /* "zram" */ ? SWAP_ZRAM : SWAP_DISK;
	event->device = device ? BPF_CORE_READ(device, bd_dev) :
				 BPF_CORE_READ(disk, major) << 20 | BPF_CORE_READ(disk, first_minor);
}

static __always_inline void fill_key(const struct swap_event *event, struct swap_key *key)
{
	__builtin_memcpy(key->comm, event->head.comm, sizeof(key->comm));
	key->owner = event->owner;
	key->pid = event->head.pid;
	key->device = event->device;
	key->store = event->store;
	key->reserved = 0;
}

/* A folio sets out. Events are counted when they are complete. */
static __always_inline void count_begin(const struct swap_event *event)
{
	struct swap_value *value, none = { 0 };
	struct swap_key key;
	struct swap_sum *sum;

	if (wants_events)
		return;
	fill_key(event, &key);
	TRACE_COUNT(seen);
	value = bpf_map_lookup_elem(&swap_counts, &key);
	if (!value) {
		bpf_map_update_elem(&swap_counts, &key, &none, BPF_NOEXIST);
		value = bpf_map_lookup_elem(&swap_counts, &key); /* another CPU may have made it */
	}
	if (!value) {
		TRACE_COUNT(map_full);
		return;
	}
	sum = event->direction == SWAP_OUT ? &value->sums[SWAP_OUT] : &value->sums[SWAP_IN];
	__sync_fetch_and_add(&sum->count, 1);
	__sync_fetch_and_add(&sum->pages, event->pages);
	if (event->reason == SWAP_REASON_DEMANDED)
		__sync_fetch_and_add(&value->demanded, event->pages);
	if (event->reason == SWAP_REASON_AHEAD)
		__sync_fetch_and_add(&value->ahead, event->pages);
}

static __always_inline void count_end(const struct swap_event *event)
{
	struct swap_value *value;
	struct swap_key key;
	struct swap_sum *sum;

	fill_key(event, &key);
	value = bpf_map_lookup_elem(&swap_counts, &key);
	if (!value)
		return; /* it was counted as lost */
	sum = event->direction == SWAP_OUT ? &value->sums[SWAP_OUT] : &value->sums[SWAP_IN];
	__sync_fetch_and_add(&sum->timed, 1);
	__sync_fetch_and_add(&sum->latency_ns, event->latency_ns);
	if (sum->latency_max_ns < event->latency_ns)
		sum->latency_max_ns = event->latency_ns;
	histogram_add(&swap_latencies, event->store * SWAP_DIRECTIONS + event->direction, event->latency_ns);
}

/* It has arrived. */
static __always_inline void finish(struct swap_event *event, bool is_timed)
{
	struct swap_event *room;

	event->latency_ns = is_timed ? bpf_ktime_get_ns() - event->head.time_ns : 0;
	event->is_timed = is_timed;
	if (!wants_events) {
		if (is_timed)
			count_end(event);
		return;
	}
	if (event->latency_ns < min_latency_ns)
		return;
	room = trace_reserve(sizeof(*room));
	if (!room)
		return;
	*room = *event;
	trace_submit(room);
}

/* What was done while the caller waited: a folio that is in another store than a block device. */
static __always_inline void count_whole(const void *folio, u32 store, u32 direction, u64 started_ns)
{
	struct swap_event event = { .store = store, .direction = direction, .pages = folio_pages(folio) };

	if (!fill_event(&event, folio, folio_memory_cgroup(folio), started_ns))
		return;
	count_begin(&event);
	finish(&event, started_ns != 0);
}

#endif
