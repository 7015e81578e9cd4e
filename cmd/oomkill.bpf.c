// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The OOM killer: __oom_kill_process() signals a process, then marks it (mm/oom_kill.c). Both are tracepoints, in the
 * task whose allocation failed, under oom_lock: so one kill at a time. What the allocation was is in oom_control, which
 * functions alone have; without them the last reclaim of that task says it, since none is killed for before it was tried.
 */
#include "trace_stack.bpf.h"

#include <bpf/bpf_tracing.h>

#include "oomkill.h"
#include "task_memory.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SIGKILL 9
#define SEND_SIG_PRIV 1 /* include/linux/sched/signal.h: by the kernel */

/* What a task on its way to a kill has told so far. */
struct attempt {
	struct task_struct *signalled; /* the last one that got SIGKILL from the kernel */
	struct mem_cgroup *memcg;
	u64 nodes, total_pages;
	s64 points;
	u32 kills;
	u32 constraint, has_request, has_points, gfp_flags;
	s32 order, node;
};

/* Entries of tasks that got their memory after all stay until there are too many. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct attempt);
} attempts SEC(".maps");

struct greatest {
	struct oom_task top[OOM_TOP_TASKS];
	u32 process_count, is_cut;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct greatest);
} greatest SEC(".maps");

volatile const __u8 marks_a_task; /* mark_victim's argument is a task since 72ba14deb40a, 6.9; before it was a pid */
volatile const __s32 direct_order = -1, direct_gfp = -1, memcg_gfp = -1, memcg_memcg = -1;

static __always_inline void describe(struct oom_task *to, struct task_struct *task, u64 ids)
{
	to->pid = ids >> 32;
	to->uid = BPF_CORE_READ(task, real_cred, uid.val);
	to->oom_score_adj = BPF_CORE_READ(task, signal, oom_score_adj);
	to->reserved = 0;
	__builtin_memset(to->comm, 0, sizeof(to->comm));
	BPF_CORE_READ_STR_INTO(&to->comm, task, comm);
}

/*
 * Takes a process into the greatest, if it is one. The next one in the list of all; 0 behind the last, before @first.
 * The verifier goes through loops step by step, so what is in them is verified once, apart, and has no way out of them.
 */
__attribute__((noinline)) u64 consider(u64 address, u64 first)
{
	struct task_struct *task = (struct task_struct *)address;
	u32 zero = 0, place = 0;
	struct greatest *all = bpf_map_lookup_elem(&greatest, &zero);
	u64 next, pages, least = ~0ULL;
	struct mm_struct *mm;

	if (!address || !all)
		return 0;
	next = (u64)BPF_CORE_READ(task, tasks.next) - bpf_core_field_offset(struct task_struct, tasks);
	if (next == first)
		next = 0;
	mm = BPF_CORE_READ(task, mm);
	if (!mm)
		return next;
	all->process_count++;
	pages = mm_resident_pages(mm);
	for (u32 i = 0; i < OOM_TOP_TASKS; i++)
		if (all->top[i].resident_pages < least) {
			least = all->top[i].resident_pages;
			place = i;
		}
	if (pages <= least || place >= OOM_TOP_TASKS)
		return next;
	all->top[place].resident_pages = pages;
	describe(&all->top[place], task, trace_task_ids(task));
	return next;
}

#define PROCESSES_AT_ONCE 128
__attribute__((noinline)) u64 consider_some(u64 next, u64 first)
{
	for (u32 i = 0; i < PROCESSES_AT_ONCE; i++)
		next = consider(next, first);
	return next;
}

static __always_inline void find_greatest(struct oom_event *event)
{
	u64 first = (u64)BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), group_leader), next = first;
	u32 zero = 0;
	struct greatest *all = bpf_map_lookup_elem(&greatest, &zero);

	if (!all)
		return;
	__builtin_memset(all, 0, sizeof(*all));
	for (u32 i = 0; i < OOM_MOST_PROCESSES / PROCESSES_AT_ONCE && next; i++)
		next = consider_some(next, first);
	__builtin_memcpy(event->top, all->top, sizeof(event->top));
	event->process_count = all->process_count;
	event->is_cut = next != 0;
}

/* Pages that a memory cgroup charges at once: MEMCG_CHARGE_BATCH, include/linux/memcontrol.h. */
#define CHARGED_AT_ONCE 64

static __always_inline bool is_full(u64 usage, u64 limit)
{
	return usage + CHARGED_AT_ONCE >= limit;
}

/* The memory cgroup at its limit: the victim's own, or the first one above that is full. */
static __always_inline struct mem_cgroup *find_full(struct task_struct *victim)
{
	struct mem_cgroup *memcg = task_memory_cgroup(victim);

	for (u32 i = 0; i < 16 && memcg; i++) {
		if (is_full(BPF_CORE_READ(memcg, memory.usage.counter), BPF_CORE_READ(memcg, memory.max)))
			return memcg;
		if (trace_memory_subsystem >= 0 && /* v1 limits both together */
		    is_full(BPF_CORE_READ(memcg, memsw.usage.counter), BPF_CORE_READ(memcg, memsw.max)))
			return memcg;
		memcg = (struct mem_cgroup *)BPF_CORE_READ(memcg, css.parent);
	}
	return NULL;
}

static __always_inline void fill_limit(struct oom_event *event, struct mem_cgroup *memcg)
{
	event->memcg_cgroup_id = BPF_CORE_READ(memcg, css.cgroup, kn, id);
	event->memcg_pages = BPF_CORE_READ(memcg, memory.usage.counter);
	event->memcg_limit = BPF_CORE_READ(memcg, memory.max);
	event->memcg_swap_pages = BPF_CORE_READ(memcg, swap.usage.counter);
	event->memcg_swap_limit = BPF_CORE_READ(memcg, swap.max);
	event->is_v1 = trace_memory_subsystem >= 0;
}

static __always_inline void fill_victim(struct oom_event *event, struct task_struct *task, u64 ids)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);

	if (!mm)
		mm = BPF_CORE_READ(task, signal, oom_mm);
	describe(&event->victim, task, ids);
	event->victim_cgroup_id = BPF_CORE_READ(trace_cgroup_of(task), kn, id);
	event->anon_pages = mm_pages(mm, RSS_ANON);
	event->file_pages = mm_pages(mm, RSS_FILE);
	event->shmem_pages = mm_pages(mm, RSS_SHMEM);
	event->swap_pages = mm_pages(mm, RSS_SWAP);
	event->victim.resident_pages = event->anon_pages + event->file_pages + event->shmem_pages;
	event->virtual_pages = BPF_CORE_READ(mm, total_vm);
	event->page_table_bytes = BPF_CORE_READ(mm, pgtables_bytes.counter);
}

static __always_inline void fill_request(struct oom_event *event, struct attempt *attempt)
{
	event->constraint = attempt->constraint;
	event->has_request = attempt->has_request;
	event->order = attempt->order;
	event->gfp_flags = attempt->gfp_flags;
	event->node = attempt->node;
	event->nodes = attempt->nodes;
	event->total_pages = attempt->total_pages;
	event->has_points = attempt->has_points;
	event->points = attempt->points;
}

/* A kill that is wanted, because of the victim or of the trigger. */
static __always_inline void tell(void *ctx, struct task_struct *victim, u32 kind, struct attempt *attempt)
{
	struct attempt nothing = { .constraint = OOM_CONSTRAINT_UNKNOWN, .order = OOM_ORDER_UNKNOWN, .node = -1 };
	struct task_struct *current_task = (struct task_struct *)bpf_get_current_task();
	struct mem_cgroup *memcg;
	struct oom_event *event;
	u64 ids, victim_ids, user_stack;
	bool wants_trigger = trace_wants(&ids), wants_victim = trace_wants_task(victim, &victim_ids);

	if (!wants_trigger && !wants_victim)
		return;
	user_stack = trace_user_stack();
	event = trace_reserve(sizeof(*event));
	if (!event)
		return;
	trace_fill(&event->head, 0, ids);
	event->kind = kind;
	event->trigger_uid = BPF_CORE_READ(current_task, real_cred, uid.val);
	fill_request(event, attempt ? attempt : &nothing);
	fill_victim(event, victim, victim_ids);
	memcg = attempt ? attempt->memcg : NULL;
	if (!memcg && (event->constraint == bpf_core_enum_value(enum oom_constraint, CONSTRAINT_MEMCG) ||
		       event->constraint == OOM_CONSTRAINT_UNKNOWN))
		memcg = find_full(victim);
	event->memcg_cgroup_id = 0;
	if (memcg)
		fill_limit(event, memcg);
	if (attempt)
		attempt->memcg = memcg; /* its first victim makes it less full, and the others of a group come then */
	find_greatest(event);
	trace_stack_get(ctx, &event->kernel_stack, 0);
	event->user_stack = user_stack;
	bpf_ringbuf_submit(event, BPF_RB_FORCE_WAKEUP); /* what else is read must be of this moment */
}

static __always_inline struct attempt *attempt_of_current(void)
{
	u32 thread = (u32)bpf_get_current_pid_tgid();

	return bpf_map_lookup_elem(&attempts, &thread);
}

static __always_inline void begin_attempt(struct attempt *attempt)
{
	u32 thread = (u32)bpf_get_current_pid_tgid();

	bpf_map_update_elem(&attempts, &thread, attempt, BPF_ANY); /* fails never: the oldest one goes */
}

SEC("raw_tp/signal_generate")
int signal_sent(struct bpf_raw_tracepoint_args *ctx)
{
	struct attempt unknown = { .constraint = OOM_CONSTRAINT_UNKNOWN, .order = OOM_ORDER_UNKNOWN, .node = -1 };
	struct task_struct *task = (struct task_struct *)ctx->args[2];
	struct attempt *attempt;

	if ((u32)ctx->args[0] != SIGKILL || ctx->args[1] != SEND_SIG_PRIV)
		return 0;
	attempt = attempt_of_current();
	if (attempt) {
		attempt->signalled = task;
	} else {
		unknown.signalled = task;
		begin_attempt(&unknown);
	}
	return 0;
}

SEC("raw_tp/mark_victim")
int victim_marked(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *current_task = (struct task_struct *)bpf_get_current_task(), *victim;
	struct attempt *attempt = attempt_of_current();
	struct task_struct *signalled = attempt ? attempt->signalled : NULL;
	u32 kind = OOM_DYING;

	if (marks_a_task)
		victim = (struct task_struct *)ctx->args[0];
	else if (signalled && BPF_CORE_READ(signalled, pid) == (int)ctx->args[0])
		victim = signalled;
	else
		victim = current_task; /* who is dying, and in need of memory for it */
	if (attempt && signalled == victim) {
		kind = attempt->kills++ ? OOM_GROUP : OOM_CHOSEN;
		attempt->signalled = NULL;
	}
	tell(ctx, victim, kind, attempt);
	return 0;
}

/* What the allocation was, from the function ------------------------------------------------------------------ */

static __always_inline int begin_kill(struct oom_control *oc)
{
	struct task_struct *current_task = (struct task_struct *)bpf_get_current_task();
	struct attempt attempt = { .node = -1, .has_request = 1, .has_points = 1 };
	struct zone *zone;

	attempt.constraint = BPF_CORE_READ(oc, constraint);
	attempt.order = BPF_CORE_READ(oc, order);
	attempt.gfp_flags = BPF_CORE_READ(oc, gfp_mask);
	attempt.total_pages = BPF_CORE_READ(oc, totalpages);
	attempt.points = BPF_CORE_READ(oc, chosen_points);
	attempt.memcg = BPF_CORE_READ(oc, memcg);
	zone = BPF_CORE_READ(oc, zonelist, _zonerefs[0].zone);
	if (zone)
		attempt.node = bpf_core_field_exists(zone->node) ? BPF_CORE_READ(zone, node) : 0;
	if (attempt.constraint == bpf_core_enum_value(enum oom_constraint, CONSTRAINT_MEMORY_POLICY))
		attempt.nodes = BPF_CORE_READ(oc, nodemask, bits[0]);
	else if (attempt.constraint == bpf_core_enum_value(enum oom_constraint, CONSTRAINT_CPUSET))
		attempt.nodes = BPF_CORE_READ(current_task, mems_allowed.bits[0]);
	begin_attempt(&attempt);
	return 0;
}

static __always_inline int end_kill(void)
{
	u32 thread = (u32)bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&attempts, &thread);
	return 0;
}

SEC("fentry/oom_kill_process")
int BPF_PROG(kill_entered, struct oom_control *oc)
{
	return begin_kill(oc);
}

SEC("fexit/oom_kill_process")
int BPF_PROG(kill_left)
{
	return end_kill();
}

SEC("kprobe/oom_kill_process")
int kill_entry_probed(struct pt_regs *ctx)
{
	return begin_kill((struct oom_control *)ctx->di);
}

SEC("kretprobe/oom_kill_process")
int kill_return_probed(struct pt_regs *ctx)
{
	return end_kill();
}

/* The same, from the last reclaim that was tried for it; and who may be killed soon ------------------------------------------------------- */

/* Nobody is killed for a task that has not reclaimed before. */
static __always_inline void expect_kill(void)
{
	u64 ids;

	if (trace_wants(&ids))
		trace_expect_user_stack();
}

SEC("raw_tp/mm_vmscan_direct_reclaim_begin")
int direct_begun(struct bpf_raw_tracepoint_args *ctx)
{
	struct attempt attempt = { .constraint = OOM_NOT_MEMCG, .has_request = 1, .node = -1 };

	attempt.order = trace_argument(ctx, direct_order);
	attempt.gfp_flags = trace_argument(ctx, direct_gfp);
	begin_attempt(&attempt);
	expect_kill();
	return 0;
}

SEC("raw_tp/mm_vmscan_memcg_reclaim_begin")
int memcg_begun(struct bpf_raw_tracepoint_args *ctx)
{
	struct attempt attempt = { .has_request = 1, .order = OOM_ORDER_UNKNOWN, .node = -1 };

	attempt.constraint = bpf_core_enum_value(enum oom_constraint, CONSTRAINT_MEMCG);
	attempt.gfp_flags = trace_argument(ctx, memcg_gfp);
	attempt.memcg = (struct mem_cgroup *)trace_argument(ctx, memcg_memcg); /* since 7.1 */
	begin_attempt(&attempt);
	expect_kill();
	return 0;
}
