/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Allocation calls from their entry to their return: the thread that makes one, its stack, its arguments,
 * and whether it is a
 * part of another.
 */
#ifndef DILL_MEMLEAK_CALLS_BPF_H
#define DILL_MEMLEAK_CALLS_BPF_H

#include "memleak_books.bpf.h"

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

/*
 * Argument @index of the probed function. A cookie says in which registers the site keeps them: a byte each
 * (leak_probes.c).
 */
/*
 * In assembly, since the compiler would add the offset to the context pointer first, which the verifier
 * refuses.
 */
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
	s32 status;

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
				  regs->sp, regs->bp, 0);
	call->stack_key = key ? key : STACK_KEY_ABSENT(thread->space, STACK_NOT_READ);
	call->needs_walk = !key;
}

/*
 * Where the kernel puts the page that return probes return to: as high as possible
 * (kernel/events/uprobes.c, xol_add_vma()),
 * above every stack and library.
 */
#define TRAMPOLINE_LOWEST 0x7fffffffe000ULL

/*
 * Is this call part of one that hasn't returned? The outer one's frame lies above, or at the same place when it
 * jumped here (realloc(NULL, n) ends in a jump to malloc). A call that never returned, left by a throw or a
 * longjmp, must not hide
 * later ones. A live one has the trampoline for its return address, or where that is left alone still its
 * own; a
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

#endif
