/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What hfaults' programs know of something under way, and the event that comes of it. */
#ifndef DILL_HFAULTS_BOOKS_BPF_H
#define DILL_HFAULTS_BOOKS_BPF_H

#include "trace_stack.bpf.h"

#include "hfaults.h"
#include "huge_page.bpf.h"
#include "mapping.bpf.h"
#include "page_walk.bpf.h"

/* What one thread may have under way at once: a fault splits a mapping, a collapse splits a page, which splits mappings. */
enum slot { SLOT_FAULT, SLOT_COLLAPSE, SLOT_UNMAP, SLOT_SPLIT };

struct under_way {
	u64 started_ns;
	u64 address;
	u64 entry;              /* of the page table, before: as it is (function), or page_walk()'s (exceptions) */
	u64 pages;              /* of the page that is split */
	u64 owner;              /* task_struct of whom it is; 0: not known */
	s32 error;              /* of the allocation that hugetlb asked for */
	u8 is_allocated, is_retried, reserved[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct under_way);
} things_under_way SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct huge_scan_key);
	__type(value, u64);
} huge_scans SEC(".maps");

volatile const __u8 wants_stacks;
volatile const __u64 min_latency_ns;

/* What the verifier knows to be a pointer, as a number: functions of scalars take nothing else. */
static __always_inline u64 as_number(u64 pointer)
{
	volatile u64 place = pointer;
	u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), (const void *)&place);
	return number;
}

static __always_inline u64 slot_key(u32 slot)
{
	return (u64)slot << 32 | (u32)bpf_get_current_pid_tgid();
}

static __always_inline struct under_way *thing_under_way(u32 slot)
{
	u64 key = slot_key(slot);

	return bpf_map_lookup_elem(&things_under_way, &key);
}

static __always_inline void thing_is_over(u32 slot)
{
	u64 key = slot_key(slot);

	bpf_map_delete_elem(&things_under_way, &key);
}

/* A thing begins now. A function of scalars, for its stack's sake. */
__noinline int thing_begins(u32 slot, u64 address, u64 entry, u64 owner, u64 pages)
{
	u64 key = slot_key(slot);
	struct under_way thing = { .address = address, .entry = entry, .owner = owner, .pages = pages };

	thing.started_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&things_under_way, &key, &thing, BPF_ANY)) {
		TRACE_COUNT(seen);
		TRACE_COUNT(map_full);
	}
	return 0;
}

/* Everything but what is said of the memory. @task: whose it is; NULL: the current's. */
static __always_inline void fill_event(struct huge_event *event, u32 type, struct task_struct *task, u64 ids, u32 kind)
{
	u64 own = 0;

	trace_current_ids(&own);
	trace_fill(&event->head, type, ids);
	event->is_by_other = task && own >> 32 != ids >> 32;
	event->by_pid = own >> 32;
	__builtin_memcpy(event->by_comm, event->head.comm, sizeof(event->by_comm));
	if (event->is_by_other) {
		event->head.cgroup_id = BPF_CORE_READ(trace_cgroup_of(task), kn, id);
		BPF_CORE_READ_STR_INTO(&event->head.comm, task, comm);
	}
	event->kind = kind;
	event->latency_ns = 0;
	event->address = 0;
	event->size_bytes = HUGE_BYTES;
	event->pool_pages = event->pool_free = event->pool_reserved = 0;
	event->mapping.inode = 0;
	event->mapping.device = 0;
	event->mapping.class = MAPPING_UNKNOWN;
	event->stack = 0;
	event->result = HUGE_DONE;
	event->reason = HUGE_NO_REASON;
	event->status = 0;
}

static __always_inline void fill_pool(struct huge_event *event, struct vm_area_struct *vma)
{
	struct hstate *pool = hugetlb_pool(vma);

	if (!pool)
		return;
	event->size_bytes = PAGE_BYTES << BPF_CORE_READ(pool, order);
	event->pool_pages = BPF_CORE_READ(pool, nr_huge_pages);
	event->pool_free = BPF_CORE_READ(pool, free_huge_pages);
	event->pool_reserved = BPF_CORE_READ(pool, resv_huge_pages);
}

/*
 * The current task's fault is over; it is wanted, or would not be under way. A function of scalars, so that it is verified
 * once. @vma is its mapping, held by the caller's kernel or just found.
 */
__noinline int fault_is_over(u64 vma_address, u32 kind, u32 result, u32 reason)
{
	struct under_way *fault = thing_under_way(SLOT_FAULT);
	struct vm_area_struct *vma = (void *)vma_address;
	struct mapping_id mapping = { 0 };
	struct huge_event *event;
	u64 ids, latency_ns, address, stack = 0;

	if (!fault || !trace_current_ids(&ids))
		return 0;
	latency_ns = bpf_ktime_get_ns() - fault->started_ns;
	address = fault->address;
	thing_is_over(SLOT_FAULT);
	if (latency_ns < min_latency_ns)
		return 0;
	if (vma)
		mapping_of(vma, address, 0, &mapping);
	if (wants_stacks)
		stack = trace_user_stack();
	event = trace_reserve(sizeof(*event));
	if (!event)
		return 0;
	fill_event(event, 0, NULL, ids, kind);
	event->latency_ns = latency_ns;
	event->address = address;
	event->mapping = mapping;
	event->stack = stack;
	event->result = result;
	event->reason = reason;
	if (kind == HUGE_HUGETLB && vma) {
		fill_pool(event, vma);
		if (result == HUGE_SIGBUS && reason <= HUGE_POOL_LIMIT) /* a page was asked for, or that is not known */
			event->reason = event->pool_free <= event->pool_reserved ? HUGE_POOL_EMPTY :
					reason == HUGE_POOL_LIMIT ? HUGE_POOL_LIMIT : HUGE_UNKNOWN;
	}
	trace_submit(event);
	return 0;
}

#endif
