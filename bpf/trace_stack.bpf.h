/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * User stacks for event commands, by unwind tables as memleak's (stack_walk.bpf.h): code without frame pointers is walked
 * too. cmd/trace_tables.c makes the tables of a process when it is told of it, so a process's first stacks are walked
 * before that, by frame pointers, and say so (STACK_UNKNOWN_CODE). Include it in one program file, and call
 * trace_user_stack() for the current task; the key that comes back stands for the stack in events and in maps.
 */
#ifndef DILL_BPF_TRACE_STACK_BPF_H
#define DILL_BPF_TRACE_STACK_BPF_H

#include "trace.bpf.h"
#include "walk_memory.bpf.h"

#define KERNEL_STACK_BYTES 16384  /* THREAD_SIZE of x86-64 without KASAN */
#define USER_CODE_64 0x33         /* __USER_CS, arch/x86/include/asm/segment.h */
#define ASK_AGAIN_NS 200000000ULL /* between two requests for the tables of one process */
#define WALK_LEVELS 4 /* walks at once on one CPU */
#define INSERT_TRIES 16

/*
 * A walk takes 4 KiB, so it is not on the stack. Each CPU has a few: who finds the first taken, by a thread that was
 * preempted, takes the next. All are of one map, so that the verifier tells no walk from another.
 */
struct cpu_walk {
	u64 users; /* who adds 1 and then reads 1 has it */
	struct walk walk;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WALK_LEVELS);
	__type(key, u32);
	__type(value, struct cpu_walk);
} cpu_walks SEC(".maps");

/* Address spaces that user space was asked for, by process (in the machine's first PID namespace): when last. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, u64);
} trace_spaces SEC(".maps");

/* What the walker calls a thread is the walk's level here. */
static __always_inline struct walk *walk_of_thread(u32 level)
{
	struct cpu_walk *here = bpf_map_lookup_elem(&cpu_walks, &level);

	return here ? &here->walk : NULL;
}

/* A map that is locked elsewhere refuses (kernel_types.h): tried again. */
static __always_inline s32 trace_insert(void *map, const void *key, const void *value)
{
	s32 status = 0;

	for (u32 i = 0; i < INSERT_TRIES; i++) {
		status = bpf_map_update_elem(map, key, value, BPF_NOEXIST);
		if (!status || status == -EEXIST || status == -E2BIG)
			break;
	}
	return status;
}

/* Have the tables made, or made anew: not more often than it takes. False: later. */
static __always_inline bool trace_ask_for_space(u32 space)
{
	u64 *asked_ns = bpf_map_lookup_elem(&trace_spaces, &space), now_ns = bpf_ktime_get_ns(), ids;
	struct trace_space_event *event;

	if ((asked_ns && now_ns - *asked_ns < ASK_AGAIN_NS) || !trace_current_ids(&ids))
		return false;
	event = bpf_ringbuf_reserve(&trace_requests, sizeof(*event), 0);
	if (!event)
		return false;
	bpf_map_update_elem(&trace_spaces, &space, &now_ns, BPF_ANY);
	trace_fill(&event->head, TRACE_SPACE_WANTED, ids);
	event->space = space;
	event->reserved = 0;
	bpf_ringbuf_submit(event, BPF_RB_FORCE_WAKEUP);
	return true;
}

/*
 * The registers that the thread entered the kernel with: at the top of its kernel stack.
 * bpf_task_pt_regs() came with dd6e10fbd9fb, 5.15, and knows of paddings.
 */
struct trace_registers { /* five of struct pt_regs: the whole is too much for the stack; ip to sp lie so there */
	u64 ip, cs, flags, sp;
	u64 bp;
};

static __always_inline int trace_user_registers(struct trace_registers *ret_regs)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	u64 place;

	if (!BPF_CORE_READ(task, mm))
		return -1;
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		place = (u64)bpf_task_pt_regs((void *)bpf_get_current_task_btf());
	else
		place = (u64)BPF_CORE_READ(task, stack) + KERNEL_STACK_BYTES - sizeof(struct pt_regs);
	return bpf_probe_read_kernel(ret_regs, 4 * sizeof(u64), (void *)(place + __builtin_offsetof(struct pt_regs, ip))) ||
	       bpf_probe_read_kernel(&ret_regs->bp, sizeof(u64), (void *)(place + __builtin_offsetof(struct pt_regs, bp)));
}

/* Walk anew, and keep the stack. Functions of scalars, verified once: this one, and the next. */
__noinline u64 trace_walk_anew(u32 level, u32 space, u64 pc, u64 sp, u64 bp)
{
	struct walk *walk = walk_of_thread(level);
	bool is_final = true;
	u64 key;
	s32 status;

	if (!walk)
		return 0;
	walk_start_at(walk, space, pc, sp, bp);
	walk_frames(level);
	key = walk->hash | STACK_KEY_IS_HASH;
	if (walk->trace.flags & STACK_UNKNOWN_CODE || !bpf_map_lookup_elem(&trace_spaces, &space))
		is_final = trace_ask_for_space(space); /* new tables void what is remembered */
	status = trace_insert(&stacks, &key, &walk->trace);
	if (status && status != -EEXIST) {
		TRACE_COUNT(stacks_lost);
		return STACK_KEY_ABSENT(space, STACK_TABLE_FULL);
	}
	if (is_final)
		walk_remember(walk, walk_identity(space, sp, pc), key);
	return key;
}

__noinline u64 trace_walk_recall(u32 level, u64 identity, u64 sp, u64 bp)
{
	struct walk *walk = walk_of_thread(level);

	return walk ? walk_recall(walk, identity, sp, bp, 1) : 0;
}

/* A walk of this CPU that nobody has: its level; WALK_LEVELS: all are taken. */
static __always_inline u32 trace_take_walk(void)
{
#pragma unroll
	for (u32 level = 0; level < WALK_LEVELS; level++) {
		u32 key = level;
		struct cpu_walk *here = bpf_map_lookup_elem(&cpu_walks, &key);

		if (!here)
			break;
		__sync_fetch_and_add(&here->users, 1); /* its result came with 5.12 */
		if (*(volatile u64 *)&here->users == 1)
			return level;
		__sync_fetch_and_add(&here->users, -1);
	}
	return WALK_LEVELS;
}

/*
 * The stack of the current task from its registers in user mode on, as a key of `stacks`; STACK_KEY_ABSENT(space, why) when
 * it can't be kept, 0 for 32-bit programs.
 */
static __always_inline u64 trace_user_stack_at(const struct trace_registers *regs)
{
	u32 space = bpf_get_current_pid_tgid() >> 32, level;
	struct cpu_walk *here;
	u64 key = 0;

	if (regs->cs != USER_CODE_64)
		return 0;
	level = trace_take_walk();
	here = bpf_map_lookup_elem(&cpu_walks, &level);
	if (!here) {
		TRACE_COUNT(stacks_lost);
		return STACK_KEY_ABSENT(space, STACK_TABLE_FULL);
	}
	if (walk_is_cached)
		key = trace_walk_recall(level, walk_identity(space, regs->sp, regs->ip), regs->sp, regs->bp);
	if (!key)
		key = trace_walk_anew(level, space, regs->ip, regs->sp, regs->bp);
	__sync_fetch_and_add(&here->users, -1);
	return key;
}

/* The same from where it entered the kernel; 0 for kernel threads too. */
static __always_inline u64 trace_user_stack(void)
{
	struct trace_registers regs;

	return trace_user_registers(&regs) ? 0 : trace_user_stack_at(&regs);
}

/*
 * The stack of the current process may be wanted when it is about to die, in whatever thread: that is too late to make
 * tables, so they are made now, and what it maps is opened.
 */
static __always_inline void trace_expect_user_stack(void)
{
	u32 space = bpf_get_current_pid_tgid() >> 32;

	if (!bpf_map_lookup_elem(&trace_spaces, &space) &&
	    BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), mm))
		trace_ask_for_space(space);
}

static __always_inline void trace_forget_space(u32 space)
{
	if (!bpf_map_lookup_elem(&trace_spaces, &space))
		return;
	bpf_map_delete_elem(&trace_spaces, &space);
	bpf_map_delete_elem(&layouts, &space);
	__sync_fetch_and_add(&walk_epoch, 1);
}

/* Another program: nothing of its mappings is known. */
SEC("raw_tp/sched_process_exec")
int trace_space_exec(struct bpf_raw_tracepoint_args *ctx)
{
	trace_forget_space(bpf_get_current_pid_tgid() >> 32);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int trace_space_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];

	if (!BPF_CORE_READ(task, signal, live.counter))
		trace_forget_space(BPF_CORE_READ(task, tgid));
	return 0;
}

#endif
