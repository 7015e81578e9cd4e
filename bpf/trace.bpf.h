/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The kernel's side of event commands (cmd/trace.h): who is wanted, the head of an event, the ring, what is lost.
 * Maps and settings here are filled by cmd/trace_filter.c.
 *
 * The ring wakes user space when it is a quarter full; what is less waits for the next look, ten times a second.
 */
#ifndef DILL_BPF_TRACE_BPF_H
#define DILL_BPF_TRACE_BPF_H

#include "kernel_types.h"
#include "trace_event.h"

#define TRACE_NAMESPACE_LEVELS 33 /* MAX_PID_NS_LEVEL, kernel/pid_namespace.c, and the first */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} trace_ring SEC(".maps");

/* What user space has to do at once, of processes: read before any event, and not crowded out by them. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} trace_requests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct trace_counters);
} trace_counters SEC(".maps");

/* Processes that are wanted, by pid in dill's namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, u32);
	__type(value, u8);
} trace_pids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__uint(key_size, TRACE_COMM_BYTES);
	__uint(value_size, 1);
} trace_comms SEC(".maps");

volatile const __u8 trace_has_pids, trace_has_comms;
volatile const __u32 trace_cgroup_level; /* of the wanted cgroup below the root; 0: all cgroups */
volatile const __s32 trace_memory_subsystem = -1; /* cgroup v1's memory hierarchy is meant: its number; -1: v2 */
volatile const __u64 trace_cgroup_id;
volatile const __u32 trace_namespace_inode; /* of dill's PID namespace; 0: it is the machine's first */
volatile const __u64 trace_ring_quarter = 1 << 18;

#define TRACE_COUNT_ADD(field, count) \
	do { \
		u32 zero_ = 0; \
		struct trace_counters *counters_ = bpf_map_lookup_elem(&trace_counters, &zero_); \
		if (counters_) \
			__sync_fetch_and_add(&counters_->field, count); /* programs can be preempted, by themselves too */ \
	} while (0)
#define TRACE_COUNT(field) TRACE_COUNT_ADD(field, 1)

/* The number of @pid in dill's PID namespace, on whatever level that is; 0 when it has none there. */
static __always_inline u32 trace_pid_number(struct pid *pid)
{
	u32 level = BPF_CORE_READ(pid, level);

	for (u32 i = 0; i < TRACE_NAMESPACE_LEVELS && i <= level; i++) {
		struct upid *slot = (struct upid *)((u64)pid + bpf_core_field_offset(struct pid, numbers) +
						    i * bpf_core_type_size(struct upid));

		if (BPF_CORE_READ(slot, ns, ns.inum) == trace_namespace_inode)
			return BPF_CORE_READ(slot, nr);
	}
	return 0;
}

/* pid << 32 | tid of a task in dill's PID namespace; 0 when it is not visible there. */
static __always_inline u64 trace_task_ids(struct task_struct *task)
{
	u32 pid, tid;

	if (!trace_namespace_inode)
		return (u64)BPF_CORE_READ(task, tgid) << 32 | (u32)BPF_CORE_READ(task, pid);
	pid = trace_pid_number(BPF_CORE_READ(task, group_leader, thread_pid));
	tid = trace_pid_number(BPF_CORE_READ(task, thread_pid));
	return pid && tid ? (u64)pid << 32 | tid : 0;
}

/* The same of the current task, cheaper. Tasks that are not visible have no ids, and are wanted by nobody. */
static __always_inline bool trace_current_ids(u64 *ret_ids)
{
	*ret_ids = trace_namespace_inode ? trace_task_ids((struct task_struct *)bpf_get_current_task()) :
					   bpf_get_current_pid_tgid();
	return *ret_ids || !trace_namespace_inode;
}

/* The cgroup of a task in the hierarchy that counts for memory. */
static __always_inline struct cgroup *trace_cgroup_of(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup_subsys_state *state = NULL;

	if (trace_memory_subsystem < 0)
		return BPF_CORE_READ(set, dfl_cgrp);
	bpf_probe_read_kernel(&state, sizeof(state), (void *)((u64)set + bpf_core_field_offset(struct css_set, subsys) +
							      trace_memory_subsystem * sizeof(void *)));
	return BPF_CORE_READ(state, cgroup);
}

static __always_inline u64 trace_current_cgroup_id(void)
{
	if (trace_memory_subsystem < 0)
		return bpf_get_current_cgroup_id();
	return BPF_CORE_READ(trace_cgroup_of((struct task_struct *)bpf_get_current_task()), kn, id);
}

/*
 * The id of the cgroup above (or at) @cgroup that lies @level below the root; 0: it is not that deep.
 * bpf_get_current_ancestor_cgroup_id() does it for v2, in tracing programs only since 95b861a7935b, 5.15.
 */
static __always_inline u64 trace_ancestor_id(struct cgroup *cgroup, u32 level)
{
	struct cgroup *ancestor = NULL;
	u64 id = 0;

	if ((u32)BPF_CORE_READ(cgroup, level) < level)
		return 0;
	if (bpf_core_field_exists(((struct cgroup___with_pointers *)0)->ancestors)) {
		bpf_probe_read_kernel(&ancestor, sizeof(ancestor),
				      (void *)((u64)cgroup + bpf_core_field_offset(struct cgroup___with_pointers, ancestors) +
					       level * sizeof(void *)));
		return BPF_CORE_READ(ancestor, kn, id);
	}
	bpf_probe_read_kernel(&id, sizeof(id),
			      (void *)((u64)cgroup + bpf_core_field_offset(struct cgroup___with_ids, ancestor_ids) +
				       level * sizeof(u64)));
	return id;
}

static __always_inline bool trace_wants_cgroup(struct cgroup *cgroup)
{
	return !trace_cgroup_level || trace_ancestor_id(cgroup, trace_cgroup_level) == trace_cgroup_id;
}

static __always_inline bool trace_wants_cgroup_of(struct task_struct *task)
{
	return !trace_cgroup_level || trace_wants_cgroup(trace_cgroup_of(task));
}

/* @comm: of TRACE_COMM_BYTES, zeros behind its end; not looked at unless trace_has_comms. */
static __always_inline bool trace_wants_name(u64 ids, const char *comm)
{
	u32 pid = ids >> 32;

	return (!trace_has_pids || bpf_map_lookup_elem(&trace_pids, &pid)) &&
	       (!trace_has_comms || bpf_map_lookup_elem(&trace_comms, comm));
}

/* Is the current task wanted, in whatever cgroup it is? Its ids come back when it is. */
static __always_inline bool trace_wants_process(u64 *ret_ids)
{
	char comm[TRACE_COMM_BYTES] = { 0 }; /* what follows the name's end is not always written to: strscpy(), 6.1 */

	return trace_current_ids(ret_ids) && !(trace_has_comms && bpf_get_current_comm(comm, sizeof(comm))) &&
	       trace_wants_name(*ret_ids, comm);
}

/* Is the current task wanted? */
static __always_inline bool trace_wants(u64 *ret_ids)
{
	return trace_wants_process(ret_ids) && trace_wants_cgroup_of((struct task_struct *)bpf_get_current_task());
}

/* The same of any task: for events about another one than the current. */
static __always_inline bool trace_wants_task(struct task_struct *task, u64 *ret_ids)
{
	char comm[TRACE_COMM_BYTES] = "";

	*ret_ids = trace_task_ids(task);
	if (!*ret_ids && trace_namespace_inode)
		return false;
	if (trace_has_comms)
		BPF_CORE_READ_STR_INTO(&comm, task, comm);
	return trace_wants_name(*ret_ids, comm) && trace_wants_cgroup_of(task);
}

static __always_inline void trace_fill(struct trace_head *head, u32 type, u64 ids)
{
	head->time_ns = bpf_ktime_get_ns();
	head->cgroup_id = trace_current_cgroup_id();
	head->pid = ids >> 32;
	head->tid = (u32)ids;
	head->type = type;
	head->cpu = bpf_get_smp_processor_id();
	bpf_get_current_comm(head->comm, sizeof(head->comm));
}

/*
 * Argument @index of a raw tracepoint, where that is a setting (struct trace_argument); below 0: 0. The context is read at
 * constant offsets only, and what the kernel knows to be dead does not count as read.
 */
#define TRACE_ARGUMENT_CASE(ctx, number, value) \
	case number: \
		value = (ctx)->args[number]; \
		asm volatile("" : "+r"(value)); \
		break
static __always_inline u64 trace_argument(struct bpf_raw_tracepoint_args *ctx, s32 index)
{
	u64 value = 0;

	switch (index) {
		TRACE_ARGUMENT_CASE(ctx, 0, value);
		TRACE_ARGUMENT_CASE(ctx, 1, value);
		TRACE_ARGUMENT_CASE(ctx, 2, value);
		TRACE_ARGUMENT_CASE(ctx, 3, value);
		TRACE_ARGUMENT_CASE(ctx, 4, value);
		TRACE_ARGUMENT_CASE(ctx, 5, value);
		TRACE_ARGUMENT_CASE(ctx, 6, value);
		TRACE_ARGUMENT_CASE(ctx, 7, value);
	}
	return value;
}

/*
 * Room for an event of a constant size, counted as seen, or as lost in the ring. Fill all of it, padding too:
 * then trace_submit().
 */
static __always_inline void *trace_reserve(u64 size)
{
	void *event = bpf_ringbuf_reserve(&trace_ring, size, 0);

	TRACE_COUNT(seen);
	if (!event)
		TRACE_COUNT(ring_full);
	return event;
}

static __always_inline void trace_submit(void *event)
{
	bpf_ringbuf_submit(event, bpf_ringbuf_query(&trace_ring, BPF_RB_AVAIL_DATA) >= trace_ring_quarter ?
					  BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

/*
 * The kernel's stack, with what the kernel put on top to run the program (the view leaves that out); with
 * BPF_F_USER_STACK the user's, by frame pointers alone: trace_user_stack() follows code without them, too.
 */
static __always_inline void trace_stack_get(void *context, struct trace_stack *stack, u64 flags)
{
	s64 bytes = bpf_get_stack(context, stack->addresses, sizeof(stack->addresses), flags);

	stack->reserved = 0;
	stack->count = bytes < 0 ? bytes : bytes / sizeof(u64);
}

static __always_inline void trace_tell_process(u32 type, u64 ids)
{
	struct trace_head *head = bpf_ringbuf_reserve(&trace_requests, sizeof(*head), 0);

	if (!head) {
		TRACE_COUNT(processes_lost);
		return;
	}
	trace_fill(head, type, ids);
	bpf_ringbuf_submit(head, BPF_RB_FORCE_WAKEUP);
}

/* With --follow: children of the wanted are wanted from their first instruction on. */
SEC("raw_tp/sched_process_fork")
int trace_follow_fork(struct bpf_raw_tracepoint_args *ctx)
{
	u64 parent = trace_task_ids((struct task_struct *)ctx->args[0]);
	u64 child = trace_task_ids((struct task_struct *)ctx->args[1]);
	u32 parent_pid = parent >> 32, child_pid = child >> 32;
	u8 one = 1;

	if (parent_pid == child_pid || !child || !bpf_map_lookup_elem(&trace_pids, &parent_pid))
		return 0;
	if (bpf_map_update_elem(&trace_pids, &child_pid, &one, BPF_ANY)) {
		TRACE_COUNT(processes_lost);
		return 0;
	}
	trace_tell_process(TRACE_PROCESS_FORKED, child);
	return 0;
}

/* With -p or a command: the last thread is gone, and the number may become another's. */
SEC("raw_tp/sched_process_exit")
int trace_follow_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	u64 ids = trace_task_ids(task);
	u32 pid = ids >> 32;

	if (BPF_CORE_READ(task, signal, live.counter) || !bpf_map_lookup_elem(&trace_pids, &pid))
		return 0;
	bpf_map_delete_elem(&trace_pids, &pid);
	trace_tell_process(TRACE_PROCESS_ENDED, ids);
	return 0;
}

#endif
