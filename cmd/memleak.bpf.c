// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Follows user-space allocations: one program per shape of allocation function, one for all returns, one for free.
 *
 * The cost of a pair is the kernel's: two traps and a return trampoline. What is added: thread state, the stack (recalled,
 * seldom walked), one insert, one delete, two per-CPU additions. No lock and no shared counter is on that path.
 *
 * Every allocation that returned a block is seen; it is held until freed, or dropped when it could not be
 * kept. A call made while this thread is inside another allocation call belongs to that one.
 */
#include "kernel_types.h"

#include "memleak.h"
#include "stack_walk.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

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

/* Single allocations and frees have a ring of their own, so that they can't crowd out what happens to processes. */
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
 * Kernels from 6.13 on ("bpf: Support private stack for bpf progs") may give a program of type kprobe one stack per CPU,
 * trusting that it is not preempted by itself. Programs on uprobes are: two threads of a process then write into each other's
 * variables. The kernel spares programs that contain a tail call, so every uprobe program contains one; it is not reached.
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

/*
 * Insert and delete. A map that is locked by another CPU, or by a program that this one interrupted, refuses: -EBUSY through 6.14, since
 * then (4fa8d68aa53e, "bpf: Convert hashtab.c to rqspinlock", 6.15) -EDEADLK and -ETIMEDOUT. Elements that the kernel allocates come from a
 * small store that an interrupt fills: -ENOMEM until it has run. All of these pass.
 */
#define MAP_TRIES 64
#define ENOENT 2
#define ENOMEM 12
#define EEXIST 17
#define E2BIG 7

static __always_inline long map_insert(void *map, const void *key, const void *value)
{
	long status = 0;
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

/*
 * Poisson sampling by bytes: the distance to the next sample is drawn from an exponential distribution, so an
 * allocation of s bytes is taken with probability 1 - exp(-s / mean), whatever its neighbours are.
 */
static __always_inline void sample_draw(struct thread_state *thread)
{
	u32 random = thread->random; /* xorshift: a helper call less than bpf_get_prandom_u32() */

	random ^= random << 13;
	random ^= random >> 17;
	random ^= random << 5;
	thread->random = random;
	thread->sample_countdown = (sample_bytes * (u64)sample_quantile[random & (SAMPLE_QUANTILES - 1)]) >> 16;
}

static __always_inline int sample_decide(struct thread_state *thread, u64 size)
{
	if (!sample_bytes || size > 1ULL << 40)
		return 1;
	thread->sample_countdown -= size;
	if (thread->sample_countdown > 0)
		return 0;
	sample_draw(thread);
	return 1;
}

static __noinline struct thread_state *thread_create(u64 id)
{
	u32 tgid = id >> 32, tid = id, zero = 0;
	struct followed_process *process = bpf_map_lookup_elem(&processes, &tgid);
	void *template = bpf_map_lookup_elem(&thread_template, &zero);
	struct thread_state *thread;

	if (!process || !template)
		return NULL;
	bpf_map_delete_elem(&threads, &tid); /* of a thread that had this number before */
	map_insert(&threads, &tid, template);
	thread = bpf_map_lookup_elem(&threads, &tid);
	if (!thread) {
		count(COUNTER_THREADS_LOST, 1);
		return NULL;
	}
	thread->tgid = tgid;
	thread->space = process->space;
	thread->random = (u32)bpf_get_prandom_u32() | 1;
	if (sample_bytes)
		sample_draw(thread);
	return thread;
}

static __always_inline struct thread_state *thread_get(void)
{
	u64 id = bpf_get_current_pid_tgid();
	u32 tid = id;
	struct thread_state *thread = bpf_map_lookup_elem(&threads, &tid);

	if (thread && thread->tgid == id >> 32)
		return thread;
	return thread_create(id);
}

/* Argument @index of the probed function. A cookie says in which registers the site keeps them: a byte each (leak_probes.c). */
/* In assembly, since the compiler would add the offset to the context pointer first, which the verifier refuses. */
#define READ_REGISTER(value, regs, name) \
	asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(value) : "r"(regs), "i"(__builtin_offsetof(struct pt_regs, name)))

static __noinline u64 register_value(struct pt_regs *regs, u32 number)
{
	u64 value = 0;

	switch (number) {
	case 0: READ_REGISTER(value, regs, ax); break;
	case 1: READ_REGISTER(value, regs, cx); break;
	case 2: READ_REGISTER(value, regs, dx); break;
	case 3: READ_REGISTER(value, regs, bx); break;
	case 5: READ_REGISTER(value, regs, bp); break;
	case 6: READ_REGISTER(value, regs, si); break;
	case 7: READ_REGISTER(value, regs, di); break;
	case 8: READ_REGISTER(value, regs, r8); break;
	case 9: READ_REGISTER(value, regs, r9); break;
	case 10: READ_REGISTER(value, regs, r10); break;
	case 11: READ_REGISTER(value, regs, r11); break;
	case 12: READ_REGISTER(value, regs, r12); break;
	case 13: READ_REGISTER(value, regs, r13); break;
	case 14: READ_REGISTER(value, regs, r14); break;
	case 15: READ_REGISTER(value, regs, r15); break;
	}
	return value;
}

static __always_inline u64 argument(struct pt_regs *regs, u32 index)
{
	u64 cookie;

	if (has_cookies && (cookie = bpf_get_attach_cookie(regs)))
		return register_value(regs, (cookie >> (8 * index)) & 15);
	return index == 0 ? regs->di : index == 1 ? regs->si : regs->dx;
}

/* Keep a stack that was not known. Its site is made first: a stack without site could lose counts. */
static __noinline u64 stack_keep(struct thread_state *thread, u64 key, u64 identity)
{
	struct walk *walk = &thread->walk;
	long status;

	count(COUNTER_STACKS_NEW, 1);
	if (!(walk->trace.flags & STACK_IS_COMPLETE))
		count(COUNTER_STACKS_INCOMPLETE, 1);
	if (!bpf_map_lookup_elem(&sites, &key)) {
		if (walk->trace.flags & STACK_UNKNOWN_CODE)
			emit(EVENT_UNKNOWN_CODE, thread->space, walk->pc, 0, key);
		status = map_insert(&stacks, &key, &walk->trace);
		if (status && status != -EEXIST) {
			count(COUNTER_STACKS_UNSAVED, 1);
			return STACK_KEY_ABSENT(thread->space, STACK_TABLE_FULL);
		}
		map_insert(&sites, &key, &no_counts);
		if (!bpf_map_lookup_elem(&sites, &key)) {
			count(COUNTER_STACKS_UNSAVED, 1);
			return STACK_KEY_ABSENT(thread->space, STACK_TABLE_FULL);
		}
	}
	walk_remember(walk, identity, key);
	return key;
}

SEC("uprobe")
int walk_stack(struct pt_regs *regs)
{
	struct thread_state *thread = thread_get();
	struct call *call;
	u64 key;

	KEEP_OWN_STACK(regs);
	if (!thread)
		return 0;
	call = &thread->call;
	key = walk_anew(&thread->walk, thread->space, regs->sp, regs->bp, call->return_address);
	call->stack_key =
		stack_keep(thread, key, walk_identity(thread->space, regs->sp, call->return_address));
	return 0;
}

/* Find the call's stack: recalled here, or else walked by the program that call_entered() goes on with. */
static __always_inline void call_find_stack(struct thread_state *thread, struct pt_regs *regs)
{
	struct call *call = &thread->call;
	u64 key = STACK_KEY_NONE;

	if (!call->return_address) {
		count(COUNTER_STACKS_UNREADABLE, 1);
		call->stack_key = STACK_KEY_ABSENT(thread->space, STACK_NOT_READ);
		return;
	}
	if (walk_is_cached)
		key = walk_recall(&thread->walk, walk_identity(thread->space, regs->sp, call->return_address),
				  regs->sp, regs->bp);
	call->stack_key = key ? key : STACK_KEY_ABSENT(thread->space, STACK_NOT_READ);
	call->needs_walk = !key;
}

/* What one sampled allocation of @size bytes stands for, in bytes: size / (1 - exp(-size / mean)). */
static __always_inline u64 sample_stands_for(u64 size)
{
	u64 position = size * SAMPLE_WEIGHT_STEPS * 16 / sample_bytes; /* in 1/16 of a step */
	u32 index = position >> 4, part = position & 15;
	u64 low, high;

	if (position >= SAMPLE_WEIGHT_MAX * SAMPLE_WEIGHT_STEPS * 16)
		return size;
	if (index >= SAMPLE_WEIGHTS - 1)
		return size;
	low = sample_weight[index];
	high = sample_weight[index + 1];
	return (sample_bytes * (low * (16 - part) + high * part)) >> 20;
}

struct estimate {
	u64 count, bytes, variance;
};

static __always_inline void estimate_of(u64 size, struct estimate *ret)
{
	u64 kib;

	ret->bytes = sample_stands_for(size);
	ret->count = size ? (ret->bytes << 10) / size : 1 << 10;
	kib = ret->bytes >> 10;
	ret->variance = ret->bytes ? kib * ((ret->bytes - size) >> 10) : 0;
}

static __always_inline void site_count_seen(struct site_counts *site, u64 size)
{
	__sync_fetch_and_add(&site->seen, 1);
	__sync_fetch_and_add(&site->seen_bytes, size);
	if (sample_bytes) {
		struct estimate estimate;

		estimate_of(size, &estimate);
		__sync_fetch_and_add(&site->estimate_seen, estimate.count);
		__sync_fetch_and_add(&site->estimate_seen_bytes, estimate.bytes);
		__sync_fetch_and_add(&site->estimate_seen_variance, estimate.variance);
	}
}

static __always_inline void site_count_freed(u64 stack_key, u64 size)
{
	struct site_counts *site = bpf_map_lookup_elem(&sites, &stack_key);

	if (!site)
		return;
	__sync_fetch_and_add(&site->freed, 1);
	__sync_fetch_and_add(&site->freed_bytes, size);
	if (sample_bytes) {
		struct estimate estimate;

		estimate_of(size, &estimate);
		__sync_fetch_and_add(&site->estimate_freed, estimate.count);
		__sync_fetch_and_add(&site->estimate_freed_bytes, estimate.bytes);
		__sync_fetch_and_add(&site->estimate_freed_variance, estimate.variance);
	}
}

/* Take a block off the books. Returns 1 and fills *ret_old when it was on them. */
static __always_inline int allocation_take(u32 space, u64 address, struct allocation *ret_old)
{
	struct allocation_key key = {.address = address, .space = space};
	struct allocation *found = bpf_map_lookup_elem(&allocations, &key);
	long status;
	u32 i;

	if (!found)
		return 0;
	*ret_old = *found;
	/* Two threads freeing one block: only the one whose delete succeeds counts it. */
	for (i = 0; i < MAP_TRIES; i++) {
		status = bpf_map_delete_elem(&allocations, &key);
		if (!status || status == -ENOENT)
			return !status;
		count(COUNTER_MAP_RETRIES, 1);
	}
	count(COUNTER_MAP_FAILURES, 1);
	return 0;
}

static __always_inline void allocation_put(u32 space, u64 address, struct allocation *block)
{
	struct allocation_key key = {.address = address, .space = space};
	struct site_counts *site = bpf_map_lookup_elem(&sites, &block->stack_key);
	struct allocation old;
	long status;

	if (!site) { /* stack_keep makes those of stacks; this is one of the others, or the table is full */
		map_insert(&sites, &block->stack_key, &no_counts);
		site = bpf_map_lookup_elem(&sites, &block->stack_key);
	}
	if (!site) {
		count(COUNTER_SITES_LOST, 1);
		count(COUNTER_SITES_LOST_BYTES, block->size);
		return;
	}
	site_count_seen(site, block->size);
	status = map_insert(&allocations, &key, block);
	if (!status)
		return;
	if (status == -EEXIST && allocation_take(space, address, &old)) {
		site_count_freed(old.stack_key, old.size);
		count(COUNTER_REPLACED, 1);
		if (!map_insert(&allocations, &key, block))
			return;
	}
	__sync_fetch_and_add(&site->dropped, 1);
	__sync_fetch_and_add(&site->dropped_bytes, block->size);
}

/*
 * Where the kernel puts the page that return probes return to: as high as possible (kernel/events/uprobes.c, xol_add_vma()),
 * above every stack and library.
 */
#define TRAMPOLINE_LOWEST 0x7fffffffe000ULL

/*
 * Is this call part of one that hasn't returned? The outer one's frame lies above, or at the same place when it
 * jumped here (realloc(NULL, n) ends in a jump to malloc). A call that never returned, left by a throw or a longjmp, must not hide
 * later ones. A live one has the trampoline for its return address, or where that is left alone still its own; a
 * throw is followed by calls that overwrite it, and by a new call at the same place.
 */
static __always_inline int call_is_nested(struct thread_state *thread, u64 sp, int is_seen_by_ret)
{
	struct call *call = &thread->call;
	u64 word;

	if (call->sp < sp || bpf_probe_read_user(&word, sizeof(word), (void *)call->sp))
		return 0;
	if (call->is_seen_by_ret ? word != call->return_address || (is_seen_by_ret && call->sp == sp)
				 : word < TRAMPOLINE_LOWEST)
		return 0;
	count(COUNTER_NESTED, 1);
	return 1;
}

static __always_inline struct thread_state *call_enter_any(struct pt_regs *regs, enum call_kind kind, u64 size,
							   int is_seen_by_ret)
{
	struct thread_state *thread = thread_get();
	struct call *call;

	if (!thread)
		return NULL;
	if (thread->call.kind && call_is_nested(thread, regs->sp, is_seen_by_ret))
		return NULL;
	call = &thread->call;
	call->sp = regs->sp;
	call->kind = kind;
	call->size = size;
	call->has_old = 0;
	call->needs_walk = 0;
	call->is_seen_by_ret = is_seen_by_ret;
	if (bpf_probe_read_user(&call->return_address, sizeof(u64), (void *)regs->sp))
		call->return_address = 0;
	call->is_sampled = size >= min_size && size <= max_size && (kind >= CALL_MMAP || sample_decide(thread, size));
	if (call->is_sampled && kind != CALL_MUNMAP)
		call_find_stack(thread, regs);
	return thread;
}

static __always_inline struct thread_state *call_enter(struct pt_regs *regs, enum call_kind kind, u64 size)
{
	return call_enter_any(regs, kind, size, 0);
}

static __always_inline int call_entered(struct pt_regs *regs, struct thread_state *thread)
{
	if (thread && thread->call.needs_walk)
		bpf_tail_call(regs, &walk_program, 0);
	return 0;
}

SEC("uprobe")
int enter_malloc(struct pt_regs *regs)
{
	return call_entered(regs, call_enter(regs, CALL_ALLOC, argument(regs, 0)));
}

/* operator new where it may throw */
SEC("uprobe")
int enter_new(struct pt_regs *regs)
{
	return call_entered(regs, call_enter_any(regs, CALL_ALLOC, argument(regs, 0), 1));
}

/* An overflow of the product makes calloc return NULL, so the size is never used then. */
SEC("uprobe")
int enter_calloc(struct pt_regs *regs)
{
	return call_entered(regs, call_enter(regs, CALL_ALLOC, argument(regs, 0) * argument(regs, 1)));
}

/* memalign, aligned_alloc */
SEC("uprobe")
int enter_memalign(struct pt_regs *regs)
{
	return call_entered(regs, call_enter(regs, CALL_ALLOC, argument(regs, 1)));
}

SEC("uprobe")
int enter_posix_memalign(struct pt_regs *regs)
{
	struct thread_state *thread = call_enter(regs, CALL_POSIX_MEMALIGN, argument(regs, 2));

	if (thread)
		thread->call.result_pointer = argument(regs, 0);
	return call_entered(regs, thread);
}

static __always_inline int enter_any_realloc(struct pt_regs *regs, u64 size)
{
	struct thread_state *thread = call_enter(regs, CALL_REALLOC, size);
	u64 old = argument(regs, 0);

	if (thread && old) {
		thread->call.old_address = old;
		if (allocation_take(thread->space, old, &thread->call.old))
			thread->call.has_old = 1;
		else
			count(COUNTER_UNMATCHED_FREES, 1);
	}
	return call_entered(regs, thread);
}

SEC("uprobe")
int enter_realloc(struct pt_regs *regs)
{
	return enter_any_realloc(regs, argument(regs, 1));
}

SEC("uprobe")
int enter_reallocarray(struct pt_regs *regs)
{
	return enter_any_realloc(regs, argument(regs, 1) * argument(regs, 2));
}

SEC("uprobe")
int enter_free(struct pt_regs *regs)
{
	struct thread_state *thread;
	u64 address = argument(regs, 0);
	struct allocation old;

	KEEP_OWN_STACK(regs);
	if (!address)
		return 0;
	thread = thread_get();
	if (!thread)
		return 0;
	if (!allocation_take(thread->space, address, &old)) {
		count(COUNTER_UNMATCHED_FREES, 1);
		return 0;
	}
	site_count_freed(old.stack_key, old.size);
	if (streams_events)
		emit_to(&stream, EVENT_FREE, thread->space, address, old.size, old.stack_key);
	return 0;
}

SEC("uprobe")
int enter_mmap(struct pt_regs *regs)
{
	return call_entered(regs, call_enter(regs, CALL_MMAP, argument(regs, 1)));
}

/* Told at entry: once the kernel has unmapped it, another thread may be given the same address before we are back. */
SEC("uprobe")
int enter_munmap(struct pt_regs *regs)
{
	struct thread_state *thread = call_enter(regs, CALL_MUNMAP, argument(regs, 1));

	KEEP_OWN_STACK(regs);
	if (thread)
		emit(EVENT_UNMAP, thread->space, argument(regs, 0), thread->call.size, 0);
	return 0;
}

SEC("uprobe")
int enter_mremap(struct pt_regs *regs)
{
	struct thread_state *thread = call_enter(regs, CALL_MREMAP, argument(regs, 2));

	if (thread)
		emit(EVENT_UNMAP, thread->space, argument(regs, 0), argument(regs, 1), 0);
	return call_entered(regs, thread);
}

static __noinline void return_mapping(struct thread_state *thread, u64 result)
{
	struct call *call = &thread->call;
	int has_failed = call->kind == CALL_MUNMAP ? result != 0 : result == ~0ULL;

	if (has_failed) {
		count(COUNTER_FAILED, call->kind != CALL_MUNMAP);
		if (call->kind != CALL_MMAP)
			emit(EVENT_UNMAP_FAILED, thread->space, 0, 0, 0);
	} else if (call->kind != CALL_MUNMAP && call->is_sampled) {
		emit(call->kind == CALL_MREMAP ? EVENT_REMAP : EVENT_MMAP, thread->space, result, call->size,
		     call->stack_key);
	}
}

/* realloc's old block: gone when a new one came back or when size 0 asked for that; kept otherwise. */
static __always_inline void return_old_block(struct thread_state *thread, u64 address)
{
	struct call *call = &thread->call;

	if (!call->has_old)
		return;
	if (address || !call->size) {
		site_count_freed(call->old.stack_key, call->old.size);
		if (streams_events)
			emit_to(&stream, EVENT_FREE, thread->space, call->old_address, call->old.size, call->old.stack_key);
		return;
	}
	{
		struct allocation_key key = {.address = call->old_address, .space = thread->space};

		if (map_insert(&allocations, &key, &call->old)) {
			struct site_counts *site = bpf_map_lookup_elem(&sites, &call->old.stack_key);

			if (site) {
				__sync_fetch_and_add(&site->dropped, 1);
				__sync_fetch_and_add(&site->dropped_bytes, call->old.size);
			}
		}
	}
}

static __always_inline int call_leave(struct pt_regs *regs, struct thread_state *thread)
{
	struct call *call = &thread->call;
	u64 address = regs->ax;
	struct allocation block;

	if (call->kind >= CALL_MMAP) {
		return_mapping(thread, address);
		call->kind = CALL_NONE;
		return 0;
	}
	if (call->kind == CALL_POSIX_MEMALIGN) {
		if (address || bpf_probe_read_user(&address, sizeof(address), (void *)call->result_pointer))
			address = 0;
	}
	if (call->kind == CALL_REALLOC)
		return_old_block(thread, address);
	call->kind = CALL_NONE;
	if (!address) {
		count(COUNTER_FAILED, 1);
		return 0;
	}
	if (sample_bytes) {
		count(COUNTER_CALLS, 1);
		count(COUNTER_CALL_BYTES, call->size);
	}
	if (!call->is_sampled)
		return 0;
	block.size = call->size;
	block.stack_key = call->stack_key;
	block.time_ns = wants_times ? bpf_ktime_get_ns() : 0;
	allocation_put(thread->space, address, &block);
	if (streams_events)
		emit_to(&stream, EVENT_ALLOC, thread->space, address, block.size, block.stack_key);
	return 0;
}

/* The call that returns to @sp; NULL for a nested one, or one that began before we attached. */
static __always_inline struct thread_state *call_returning_to(u64 sp)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct thread_state *thread = bpf_map_lookup_elem(&threads, &tid);

	return thread && thread->call.kind && thread->call.sp + 8 == sp ? thread : NULL;
}

SEC("uprobe")
int leave(struct pt_regs *regs)
{
	struct thread_state *thread = call_returning_to(regs->sp);

	KEEP_OWN_STACK(regs);
	return thread && !thread->call.is_seen_by_ret ? call_leave(regs, thread) : 0;
}

/* On a `ret` itself: the return address is still on the stack. */
SEC("uprobe")
int leave_by_ret(struct pt_regs *regs)
{
	struct thread_state *thread = call_returning_to(regs->sp + 8);

	KEEP_OWN_STACK(regs);
	return thread && thread->call.is_seen_by_ret ? call_leave(regs, thread) : 0;
}

/* The loader's rendezvous with debuggers (_dl_debug_state): objects were mapped or unmapped. */
SEC("uprobe")
int loader_changed(struct pt_regs *regs)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct followed_process *process = bpf_map_lookup_elem(&processes, &tgid);

	KEEP_OWN_STACK(regs);
	if (!process)
		return 0;
	emit(EVENT_LOADED, process->space, 0, 0, 0);
	if (process->stops_at_exec)
		bpf_send_signal(SIGSTOP);
	return 0;
}

SEC("raw_tp/sched_process_exec")
int process_execs(void *context)
{
	u64 id = bpf_get_current_pid_tgid();
	u32 tgid = id >> 32, tid = id;
	struct followed_process *process = bpf_map_lookup_elem(&processes, &tgid);

	if (!process)
		return 0;
	bpf_map_delete_elem(&threads, &tid);
	process->space += 1U << SPACE_TGID_BITS;
	emit(EVENT_EXEC, process->space, process->space, 0, 0);
	if (process->stops_at_exec)
		bpf_send_signal(SIGSTOP);
	return 0;
}

SEC("raw_tp/sched_process_fork")
int process_forks(struct bpf_raw_tracepoint_args *context)
{
	struct task_struct *child_task = (struct task_struct *)context->args[1];
	u32 tgid = bpf_get_current_pid_tgid() >> 32, child;
	struct followed_process *process = bpf_map_lookup_elem(&processes, &tgid), new;
	struct layout *layout;

	if (!process || !process->follows_children)
		return 0;
	child = BPF_CORE_READ(child_task, tgid);
	if (child == tgid)
		return 0; /* a thread */
	new = *process;
	new.space = child;
	new.stops_at_exec = 0; /* user space wakes the command it started, not that one's children */
	layout = bpf_map_lookup_elem(&layouts, &process->space);
	if (layout)
		bpf_map_update_elem(&layouts, &child, layout, BPF_ANY);
	bpf_map_update_elem(&processes, &child, &new, BPF_ANY);
	emit(EVENT_FORK, process->space, child, child, 0);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int process_exits(void *context)
{
	u64 id = bpf_get_current_pid_tgid();
	u32 tgid = id >> 32, tid = id;
	struct followed_process *process;

	bpf_map_delete_elem(&threads, &tid);
	if (tid != tgid)
		return 0;
	process = bpf_map_lookup_elem(&processes, &tgid);
	if (process)
		emit(EVENT_EXIT, process->space, 0, 0, 0);
	return 0;
}
