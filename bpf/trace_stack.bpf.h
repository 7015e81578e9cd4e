/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * User stacks for event commands, by unwind tables as memleak's (stack_walk.bpf.h): code without frame pointers is walked
 * too. cmd/trace_tables.c makes the tables of a process when it is told of it, so a process's first stacks are walked
 * before that, by frame pointers, and say so (STACK_UNKNOWN_CODE). Include it in one program file, and call
 * trace_user_stack() for the current task; the key that comes back stands for the stack in events and in maps.
 */
#ifndef DILL_BPF_TRACE_STACK_BPF_H
#define DILL_BPF_TRACE_STACK_BPF_H

#include "walk_memory.bpf.h"
#include "trace.bpf.h"

#define KERNEL_STACK_BYTES 16384  /* THREAD_SIZE of x86-64 without KASAN */
#define USER_CODE_64 0x33         /* __USER_CS, arch/x86/include/asm/segment.h */
#define ASK_AGAIN_NS 200000000ULL /* between two requests for the tables of one process */
#define WALKS_AT_ONCE 256
#define INSERT_TRIES 16

/*
 * A walk takes 4 KiB, so it is not on the stack. There is one for each CPU; who finds it taken, by a thread that was
 * preempted, makes one of its own in `walks`.
 */
struct cpu_walk {
	u64 users; /* who adds 1 and then reads 1 has it */
	u32 tid;   /* of whom has it */
	u32 reserved;
	struct walk walk;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cpu_walk);
} cpu_walks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WALKS_AT_ONCE);
	__type(key, u32);
	__type(value, struct walk);
} walks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct walk);
} walk_template SEC(".maps");

/* Address spaces that user space was asked for, by process (in the machine's first PID namespace): when last. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, u64);
} trace_spaces SEC(".maps");

static __always_inline struct walk *walk_of_thread(u32 tid)
{
	u32 zero = 0;
	struct cpu_walk *here = bpf_map_lookup_elem(&cpu_walks, &zero);

	return here && here->tid == tid ? &here->walk : bpf_map_lookup_elem(&walks, &tid);
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

/* Have the tables made, or made anew: not more often than it takes. */
static __always_inline void trace_ask_for_space(u32 space)
{
	u64 *asked_ns = bpf_map_lookup_elem(&trace_spaces, &space), now_ns = bpf_ktime_get_ns(), ids;
	struct trace_space_event *event;

	if ((asked_ns && now_ns - *asked_ns < ASK_AGAIN_NS) || !trace_current_ids(&ids))
		return;
	bpf_map_update_elem(&trace_spaces, &space, &now_ns, BPF_ANY);
	event = bpf_ringbuf_reserve(&trace_requests, sizeof(*event), 0);
	if (!event)
		return;
	trace_fill(&event->head, TRACE_SPACE_WANTED, ids);
	event->space = space;
	event->reserved = 0;
	bpf_ringbuf_submit(event, BPF_RB_FORCE_WAKEUP);
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
	if (bpf_probe_read_kernel(ret_regs, 4 * sizeof(u64), (void *)(place + __builtin_offsetof(struct pt_regs, ip))) ||
	    bpf_probe_read_kernel(&ret_regs->bp, sizeof(u64), (void *)(place + __builtin_offsetof(struct pt_regs, bp))))
		return -1;
	return ret_regs->cs == USER_CODE_64 ? 0 : -1;
}

/* Keep the finished walk's stack. A function of scalars, verified once. */
__noinline u64 trace_keep_stack(u32 tid, u64 pc)
{
	struct walk *walk = walk_of_thread(tid);
	u64 key;
	s32 status;

	if (!walk)
		return 0;
	key = walk->hash | STACK_KEY_IS_HASH;
	if (walk->trace.flags & STACK_UNKNOWN_CODE)
		trace_ask_for_space(walk->trace.space);
	status = trace_insert(&stacks, &key, &walk->trace);
	if (status && status != -EEXIST) {
		TRACE_COUNT(stacks_lost);
		return STACK_KEY_ABSENT(walk->trace.space, STACK_TABLE_FULL);
	}
	walk_remember(walk, walk_identity(walk->trace.space, walk->start_sp, pc), key);
	return key;
}

/* Walk, or recall. A function of scalars, verified once. */
__noinline u64 trace_walk(u32 space, u32 tid, u64 pc, u64 sp, u64 bp)
{
	struct walk *walk = walk_of_thread(tid);
	u64 key;

	if (!walk)
		return 0;
	key = walk_is_cached ? walk_recall(walk, walk_identity(space, sp, pc), sp, bp, 1) : 0;
	if (key)
		return key;
	walk_start_at(walk, space, pc, sp, bp);
	walk_frames(tid);
	return trace_keep_stack(tid, pc);
}

/* With a walk of the thread's own. */
static __always_inline u64 trace_walk_apart(u32 space, u32 tid, const struct trace_registers *regs)
{
	u32 zero = 0;
	struct walk *template = bpf_map_lookup_elem(&walk_template, &zero);
	u64 key;
	s32 status;

	if (!template)
		return 0;
	status = trace_insert(&walks, &tid, template);
	if (status && status != -EEXIST /* this thread's last walk, which the map refused to let go of */) {
		TRACE_COUNT(stacks_lost);
		return STACK_KEY_ABSENT(space, STACK_TABLE_FULL);
	}
	key = trace_walk(space, tid, regs->ip, regs->sp, regs->bp);
	bpf_map_delete_elem(&walks, &tid);
	return key;
}

/*
 * The stack of the current task in user mode, as a key of `stacks`; STACK_KEY_ABSENT(space, why) when it can't be kept,
 * 0 for kernel threads and 32-bit programs.
 */
static __always_inline u64 trace_user_stack(void)
{
	u64 id = bpf_get_current_pid_tgid(), key = 0;
	u32 zero = 0, tid = id, space = id >> 32;
	struct cpu_walk *here = bpf_map_lookup_elem(&cpu_walks, &zero);
	struct trace_registers regs;

	if (!here || trace_user_registers(&regs))
		return 0;
	if (!bpf_map_lookup_elem(&trace_spaces, &space))
		trace_ask_for_space(space);
	__sync_fetch_and_add(&here->users, 1); /* its result came with 5.12 */
	if (*(volatile u64 *)&here->users == 1) {
		here->tid = tid;
		key = trace_walk(space, tid, regs.ip, regs.sp, regs.bp);
		here->tid = 0;
	} else if (here->tid != tid) {
		key = trace_walk_apart(space, tid, &regs);
	}
	__sync_fetch_and_add(&here->users, -1);
	return key;
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
