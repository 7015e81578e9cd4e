/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What memleak's BPF programs share: maps, settings, counters, and how they write to them. */
#ifndef DILL_MEMLEAK_MAPS_BPF_H
#define DILL_MEMLEAK_MAPS_BPF_H

#include "kernel_types.h"
#include "memleak.h"
#include "walk_memory.bpf.h"

enum call_kind { CALL_NONE, CALL_ALLOC, CALL_REALLOC, CALL_POSIX_MEMALIGN, CALL_MMAP, CALL_MUNMAP, CALL_MREMAP };

/* An allocation call that has not returned. `sp` names it: its return comes with sp + 8. */
struct call {
	u64 sp;
	u64 return_address;
	u64 size;
	u64 stack_key;
	u64 result_pointer; /* posix_memalign */
	u64 old_address;    /* realloc, mremap */
	struct allocation old; /* realloc: taken out at entry, since the block can be someone else's before we return */
	u8 kind;
	u8 has_old;
	u8 is_sampled;
	u8 needs_walk;
	u8 is_seen_by_ret; /* the return address is left alone, since the function may throw: see lib/function_exits.h */
};

struct thread_state {
	u32 tgid;
	u32 space;
	s64 sample_countdown; /* bytes */
	u32 random;
	struct call call;
	struct walk walk;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 32768);
	__type(key, u32);
	__type(value, struct thread_state);
} threads SEC(".maps");

static __always_inline struct walk *walk_of_thread(u32 tid)
{
	struct thread_state *thread = bpf_map_lookup_elem(&threads, &tid);

	return thread ? &thread->walk : NULL;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct thread_state);
} thread_template SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct allocation_key);
	__type(value, struct allocation);
} allocations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, struct site_counts);
} sites SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct followed_process);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/*
 * Single allocations and frees have a ring of their own, so that they can't crowd out what happens to
 * processes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 22);
} stream SEC(".maps");

volatile const __u64 min_size;
volatile const __u64 max_size = ~0ULL;
volatile const __u64 sample_bytes; /* mean bytes between samples; 0: every allocation */
volatile const __u8 wants_times;
volatile const __u8 streams_events;
volatile const __u8 has_cookies;
volatile const __u32 sample_weight[SAMPLE_WEIGHTS];
volatile const __u32 sample_quantile[SAMPLE_QUANTILES];

/* Programs that the entry programs go on with: the walk is verified once, and only slow paths come here. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} walk_program SEC(".maps");

/*
 * Kernels from 6.13 on ("bpf: Support private stack for bpf progs") may give a program of type kprobe one
 * stack per CPU,
 * trusting that it is not preempted by itself. Programs on uprobes are: two threads of a process then write
 * into each other's
 * variables. The kernel spares programs that contain a tail call, so every uprobe program contains one; it
 * is not reached.
 */
volatile const __u8 never;
#define KEEP_OWN_STACK(regs)                                    \
	do {                                                    \
		if (never)                                      \
			bpf_tail_call(regs, &walk_program, 0);  \
	} while (0)

static const struct site_counts no_counts;

static __always_inline void count(enum memleak_counter which, u64 amount)
{
	u32 zero = 0;
	struct counters *all = bpf_map_lookup_elem(&counters, &zero);

	if (all)
		__sync_fetch_and_add(&all->value[which], amount);
}

/* Insert and delete, against refusals that pass: see kernel_types.h. */
#define MAP_TRIES 64

static __always_inline s32 map_insert(void *map, const void *key, const void *value)
{
	s32 status = 0;
	u32 i;

	for (i = 0; i < MAP_TRIES; i++) {
		status = bpf_map_update_elem(map, key, value, BPF_NOEXIST);
		if (!status || status == -EEXIST || status == -E2BIG)
			return status;
		count(COUNTER_MAP_RETRIES, 1);
	}
	if (status != -ENOMEM)
		count(COUNTER_MAP_FAILURES, 1);
	return status;
}

static __always_inline void emit_to(void *ring, enum memleak_event_type type, u32 space, u64 address, u64 size,
				    u64 stack_key)
{
	struct memleak_event *event = bpf_ringbuf_reserve(ring, sizeof(*event), 0);

	if (!event) {
		count(COUNTER_EVENTS_LOST, 1);
		return;
	}
	event->type = type;
	event->space = space;
	event->tid = bpf_get_current_pid_tgid();
	event->reserved = 0;
	event->time_ns = bpf_ktime_get_ns();
	event->address = address;
	event->size = size;
	event->stack_key = stack_key;
	bpf_ringbuf_submit(event, 0);
}

static __always_inline void emit(enum memleak_event_type type, u32 space, u64 address, u64 size, u64 stack_key)
{
	emit_to(&events, type, space, address, size, stack_key);
}

#endif
