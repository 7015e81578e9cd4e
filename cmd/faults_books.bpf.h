/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What faults' programs know of a fault, of what kind it is, and where it is counted. */
#ifndef DILL_FAULTS_BOOKS_BPF_H
#define DILL_FAULTS_BOOKS_BPF_H

#include "trace_stack.bpf.h"

#include "faults.h"
#include "histogram.bpf.h"
#include "mapping.bpf.h"
#include "page_walk.bpf.h"

/* A thread's fault under way, and what its task has counted. */
struct fault {
	u64 started_ns; /* 0: none is under way */
	u64 address, instruction, sp;
	u64 page, vm_flags; /* page_walk(), when it began; of the mapping */
	u64 mm;             /* its page table's */
	u64 bp;             /* of software events in user mode: the walk of the stack begins with it */
	u64 minor, major;   /* of software events: what the task had counted when it was last looked at */
	struct mapping_id mapping;
	struct mapping_memory last; /* of software events */
	u32 code;           /* the segment of that code; 0: the walk begins where the thread entered the kernel */
	u8 mode, access;
	u8 is_retried;      /* the kernel will try again: it is the same fault */
	u8 is_known;        /* minor, major are */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct fault);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct fault_key);
	__type(value, struct fault_value);
} fault_counts SEC(".maps");

HISTOGRAM_MAP(fault_latencies, FAULT_KINDS);

volatile const __u8 wants_stacks, wants_events, wants_mappings = 1;
volatile const __u8 is_software;   /* the source */
volatile const __u64 trace_began_ns; /* threads that are younger began with no faults */
volatile const __u64 min_latency_ns;

/*
 * By what the page table had (page_walk()); without it by the mapping alone. A function of scalars, whose result is any
 * number to the verifier: it need not look at all that follows once for each kind.
 */
__noinline u32 fault_kind(u64 page, u64 vm_flags, u32 class, u32 is_write)
{
	if (vm_flags & VM_HUGETLB)
		return FAULT_HUGETLB;
	if (page & PAGE_IS_ENTRY && !(page & PAGE_PRESENT)) {
		if (page & PAGE_PROTNONE)
			return FAULT_NUMA;
		return PAGE_STATE_LEVEL(page) == 1 && PAGE_STATE_SWAP_TYPE(page) < SWAP_TYPES_SURE ? FAULT_SWAP : FAULT_MOVING;
	}
	if (page & PAGE_PRESENT && (!is_write || page & PAGE_RW))
		return FAULT_AGAIN;
	if (!class)
		return FAULT_UNLOCATED;
	if (vm_flags & VM_SHARED)
		return FAULT_SHARED;
	if (page & PAGE_PRESENT || (is_write && class == MAPPING_FILE))
		return FAULT_COW;
	return class == MAPPING_ANONYMOUS || class == MAPPING_HEAP || class == MAPPING_STACK ? FAULT_ANONYMOUS : FAULT_FILE;
}

static __always_inline void count_fault(struct fault_key *key, u64 count, bool is_major, u64 latency_ns)
{
	struct fault_value *value = bpf_map_lookup_elem(&fault_counts, key);

	TRACE_COUNT_ADD(seen, count);
	if (!value) {
		struct fault_value none = { 0 };

		bpf_map_update_elem(&fault_counts, key, &none, BPF_NOEXIST);
		value = bpf_map_lookup_elem(&fault_counts, key); /* another CPU may have made it */
	}
	if (!value) {
		TRACE_COUNT_ADD(map_full, count);
		return;
	}
	__sync_fetch_and_add(&value->count, count);
	if (is_major)
		__sync_fetch_and_add(&value->major, count);
	if (!latency_ns)
		return;
	__sync_fetch_and_add(&value->latency_ns, latency_ns);
	__sync_fetch_and_add(&value->timed, 1);
	if (value->latency_max_ns < latency_ns)
		value->latency_max_ns = latency_ns;
	histogram_add(&fault_latencies, key->kind, latency_ns);
}

static __always_inline void send_fault(const struct fault *fault, const struct fault_key *key, u64 ids,
				       bool is_major, u64 latency_ns)
{
	struct fault_event *event = trace_reserve(sizeof(*event));

	if (!event)
		return;
	trace_fill(&event->head, 0, ids);
	event->latency_ns = latency_ns;
	event->address = fault->address;
	event->instruction = fault->instruction;
	event->mapping = key->mapping;
	event->is_major = is_major;
	event->kind = key->kind;
	event->mode = key->mode;
	event->access = key->access;
	event->reserved = 0;
	event->stack = key->stack;
	trace_submit(event);
}

/* A function of its own, for its stack's sake. */
static __noinline u64 fault_stack(const struct fault *fault)
{
	struct trace_registers regs = { .ip = fault->instruction, .cs = fault->code, .sp = fault->sp, .bp = fault->bp };

	return fault->code ? trace_user_stack_at(&regs) : trace_user_stack();
}

/* A fault of the current task is complete. A function of its own as well. */
static __noinline int finish_fault(struct fault *fault, u64 ids, u32 is_major)
{
	struct fault_key key = { .pid = ids >> 32 };
	u64 latency_ns;

	key.mode = fault->mode;
	key.access = fault->access;
	latency_ns = fault->started_ns ? bpf_ktime_get_ns() - fault->started_ns : 0;
	fault->started_ns = 0;
	fault->is_retried = 0;
	key.kind = fault_kind(fault->page, fault->vm_flags, fault->mapping.class, fault->access == FAULT_WRITE);
	if (PAGE_STATE_LEVEL(fault->page) > 1 && !(fault->page & PAGE_IS_ENTRY) && key.kind <= FAULT_SHARED) {
		u64 page = page_walk(fault->mm, fault->address);

		if (PAGE_STATE_LEVEL(page) > 1 && page & PAGE_PRESENT)
			key.kind = FAULT_HUGE;
	}
	bpf_get_current_comm(key.comm, sizeof(key.comm));
	if (wants_mappings)
		key.mapping = fault->mapping;
	if (wants_events && latency_ns < min_latency_ns)
		return 0;
	if (wants_stacks)
		key.stack = fault_stack(fault);
	if (wants_events) {
		send_fault(fault, &key, ids, is_major, latency_ns);
		return 0;
	}
	count_fault(&key, 1, is_major, latency_ns);
	return 0;
}

/* A function of its own, since its stack would be too much beside that of what looks for mappings. */
__noinline int fault_add_thread(u32 tid)
{
	struct fault none = { 0 };

	return bpf_map_update_elem(&threads, &tid, &none, BPF_NOEXIST);
}

static __always_inline struct fault *fault_of_thread(void)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct fault *fault = bpf_map_lookup_elem(&threads, &tid);

	if (fault)
		return fault;
	fault_add_thread(tid);
	return bpf_map_lookup_elem(&threads, &tid);
}

#endif
