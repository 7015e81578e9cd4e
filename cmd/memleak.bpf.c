// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Follows user-space allocations: one program per shape of allocation function, one for all returns, one
 * for free.
 *
 * The cost of a pair is the kernel's: two traps and a return trampoline. What is added: thread state, the
 * stack (recalled, seldom walked), one insert, one delete, two per-CPU additions. No counter on that path is
 * shared between CPUs.
 *
 * Every allocation that returned a block is seen; it is held until freed, or dropped when it could not be
 * kept. A call made while this thread is inside another allocation call belongs to that one.
 */
#include "memleak_calls.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

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

/* A product that overflows makes the call fail. It must not look like a size that can be had, 0 above all. */
static __always_inline u64 product(u64 count, u64 size)
{
	u64 most = size ? ~0ULL / size : ~0ULL;

	asm volatile("" : "+r"(most)); /* or the compiler makes it a multiplication in 128 bits, which BPF lacks */
	return count > most ? ~0ULL : count * size;
}

SEC("uprobe")
int enter_calloc(struct pt_regs *regs)
{
	return call_entered(regs, call_enter(regs, CALL_ALLOC, product(argument(regs, 0), argument(regs, 1))));
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
	return enter_any_realloc(regs, product(argument(regs, 1), argument(regs, 2)));
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

/*
 * Told at entry: once the kernel has unmapped it, another thread may be given the same address before we
 * are back.
 */
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
