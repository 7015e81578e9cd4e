// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Page migration: migrate_pages(), mm/migrate.c, which tells at its end what /proc/vmstat is told, too. When it began and
 * what frames pages came from and went to is collected on the way, by thread.
 *
 * Nodes: by the frames that move_to_new_folio() is called with, or by those in page-table entries: that of the old page in
 * the migration entry, that of the new one in the entry that replaces it.
 */
#include "trace.bpf.h"

#include "histogram.bpf.h"
#include "migrate.h"
#include "page_node.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define HUGE_PAGES 512 /* HPAGE_PMD_NR of x86-64 */
#define CALLS 4

/* include/linux/sched/numa_balancing.h */
#define TNF_FAULT_LOCAL 0x08

/* arch/x86/include/asm/pgtable_types.h, pgtable_64.h: an entry that is not present has its frame inverted (L1TF). */
#define ENTRY_PRESENT 1ULL
#define ENTRY_FRAME_SHIFT 12
#define SWAP_TYPE_BITS 5
#define SWAP_OFFSET_SHIFT 14

enum migrate_reason { MR_NUMA_MISPLACED = 5 }; /* include/linux/migrate_mode.h */

struct call {
	u64 started_ns;
	u64 from, to; /* nodes */
};

/* Calls under way in a thread: one that allocates its targets may have to reclaim memory, and demote pages for that. */
struct thread_calls {
	u64 depth;
	struct call calls[CALLS];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct thread_calls);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MIGRATE_REASONS);
	__type(key, u32);
	__type(value, struct migrate_reason_value);
} reasons SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct migrate_task_key);
	__type(value, struct migrate_task_value);
} tasks SEC(".maps");

HISTOGRAM_MAP(latencies, MIGRATE_REASONS);

volatile const __s32 end_mode, end_reason, end_large_split = -1; /* of mm_migrate_pages */
volatile const __u8 wants_rows, wants_stacks;
volatile const __u64 min_latency_ns;

/* Beginning ------------------------------------------------------------------------------------------------- */

static __always_inline struct thread_calls *calls_of_current(void)
{
	u32 thread = (u32)bpf_get_current_pid_tgid();

	return bpf_map_lookup_elem(&threads, &thread);
}

static __always_inline int begin(void)
{
	u32 thread = (u32)bpf_get_current_pid_tgid();
	struct thread_calls none = {}, *calls;
	u64 ids, depth;

	if (!trace_wants(&ids))
		return 0;
	calls = calls_of_current();
	if (!calls) {
		bpf_map_update_elem(&threads, &thread, &none, BPF_NOEXIST); /* without, the call has no latency */
		calls = calls_of_current();
	}
	if (!calls)
		return 0;
	depth = calls->depth++;
	if (depth < CALLS) {
		calls->calls[depth].from = calls->calls[depth].to = 0;
		calls->calls[depth].started_ns = bpf_ktime_get_ns();
	}
	return 0;
}

/* The call under way that began last is over; all 0 when its beginning was not seen. */
static __always_inline void take_call(struct call *ret_call)
{
	u32 thread = (u32)bpf_get_current_pid_tgid();
	struct thread_calls *calls = calls_of_current();
	u64 depth;

	__builtin_memset(ret_call, 0, sizeof(*ret_call));
	if (!calls || !calls->depth)
		return;
	depth = --calls->depth;
	if (depth < CALLS)
		*ret_call = calls->calls[depth];
	if (!depth)
		bpf_map_delete_elem(&threads, &thread);
}

static __always_inline void note_nodes(u64 from, u64 to)
{
	struct thread_calls *calls = calls_of_current();
	u64 depth;

	if (!calls || !calls->depth)
		return;
	depth = calls->depth - 1;
	if (depth >= CALLS)
		return;
	calls->calls[depth].from |= from;
	calls->calls[depth].to |= to;
}

/* Since 7bc1aec5e287 ("mm: cma: add trace events for CMA alloc perf testing"), 5.13. */
SEC("raw_tp/mm_migrate_pages_start")
int migration_begun(void *ctx)
{
	return begin();
}

SEC("fentry/migrate_pages")
int migration_entered(void *ctx)
{
	return begin();
}

/* Where pages are ------------------------------------------------------------------------------------------- */

static __always_inline int page_moved(u64 *ctx) /* (new, old, mode): 0 or an error */
{
	note_nodes(node_of_page((void *)ctx[1]), (s32)ctx[3] ? 0 : node_of_page((void *)ctx[0]));
	return 0;
}

SEC("fexit/move_to_new_page")
int move_page(u64 *ctx)
{
	return page_moved(ctx);
}

SEC("fexit/move_to_new_folio") /* since e7e3ffeb274f, 5.19 */
int move_folio(u64 *ctx)
{
	return page_moved(ctx);
}

static __always_inline int entry_set(u64 entry)
{
	note_nodes(node_of_frame(~entry << SWAP_TYPE_BITS >> SWAP_OFFSET_SHIFT), 0);
	return 0;
}

static __always_inline int entry_removed(u64 entry)
{
	note_nodes(0, node_of_frame((entry & ENTRY_PRESENT ? entry : ~entry) >> ENTRY_FRAME_SHIFT));
	return 0;
}

/* Since 4cc79b3303f2 ("mm/migration: add trace events for base page and HugeTLB migrations"), 5.18, and 283fd6fe0528. */
#define ENTRY_EVENT(name, handler) \
	SEC("raw_tp/" #name) \
	int name(struct bpf_raw_tracepoint_args *ctx) /* address, entry … */ \
	{ \
		return handler(ctx->args[1]); \
	}
ENTRY_EVENT(set_migration_pte, entry_set)
ENTRY_EVENT(set_migration_pmd, entry_set)
ENTRY_EVENT(remove_migration_pte, entry_removed)
ENTRY_EVENT(remove_migration_pmd, entry_removed)

/* Ends ------------------------------------------------------------------------------------------------------ */

/* Adding what is known to be 0 would become another atomic instruction, which kernels don't have before 5.12. */
#define ADD(field, count) \
	do { \
		u64 count_ = count; \
		if (count_) \
			__sync_fetch_and_add(&(field), count_); \
	} while (0)

/* The current task's sums; NULL: the map is full. */
static __always_inline struct migrate_task_value *task_value(u64 ids)
{
	struct migrate_task_key key = { .pid = ids >> 32, .tid = (u32)ids };
	struct migrate_task_value *value;

	bpf_get_current_comm(key.comm, sizeof(key.comm));
	value = bpf_map_lookup_elem(&tasks, &key);
	if (!value) {
		struct migrate_task_value none = {};

		bpf_map_update_elem(&tasks, &key, &none, BPF_NOEXIST);
		value = bpf_map_lookup_elem(&tasks, &key); /* another CPU may have made it */
	}
	return value;
}

/* An event of the current task, if that is wanted, that is nowhere but in its sums. NULL: it is not, or the map is full. */
static __always_inline struct migrate_task_value *task_event(void)
{
	struct migrate_task_value *value;
	u64 ids;

	if (!trace_wants(&ids))
		return NULL;
	TRACE_COUNT(seen);
	value = task_value(ids);
	if (value)
		ADD(value->events, 1);
	else
		TRACE_COUNT(map_full);
	return value;
}

struct outcome {
	u64 succeeded, failed, huge_succeeded, huge_failed, huge_split, large_split;
	s32 reason, mode;
};

static __always_inline void count_reason(const struct outcome *outcome, u64 latency_ns)
{
	u32 index = (u32)outcome->reason < MIGRATE_REASONS ? outcome->reason : MIGRATE_REASONS - 1;
	struct migrate_reason_value *value = bpf_map_lookup_elem(&reasons, &index);

	if (!value)
		return;
	ADD(value->calls, 1);
	ADD(value->succeeded, outcome->succeeded);
	ADD(value->failed, outcome->failed);
	ADD(value->huge_succeeded, outcome->huge_succeeded);
	ADD(value->huge_failed, outcome->huge_failed);
	ADD(value->huge_split, outcome->huge_split);
	ADD(value->large_split, outcome->large_split);
	if (!latency_ns)
		return;
	ADD(value->timed, 1);
	ADD(value->latency_ns, latency_ns);
	if (value->latency_max_ns < latency_ns)
		value->latency_max_ns = latency_ns;
	histogram_add(&latencies, index, latency_ns);
}

static __always_inline void count_task(const struct outcome *outcome, u64 ids, u64 latency_ns)
{
	struct migrate_task_value *value = task_value(ids);

	if (!wants_rows)
		TRACE_COUNT(seen);
	if (!value) {
		TRACE_COUNT(map_full);
		return;
	}
	if (!wants_rows)
		ADD(value->events, 1);
	ADD(value->calls, 1);
	ADD(value->succeeded, outcome->succeeded);
	ADD(value->failed, outcome->failed);
	ADD(value->latency_ns, latency_ns);
	if (value->latency_max_ns < latency_ns)
		value->latency_max_ns = latency_ns;
	if ((u32)outcome->reason != bpf_core_enum_value(enum migrate_reason, MR_NUMA_MISPLACED))
		return;
	ADD(value->numa_succeeded, outcome->succeeded);
	ADD(value->numa_failed, outcome->failed);
}

static __always_inline void send_row(void *ctx, const struct outcome *outcome, const struct call *call, u64 ids,
				     u64 latency_ns)
{
	struct migration_event *event;

	if (wants_stacks)
		event = trace_reserve(sizeof(*event));
	else
		event = trace_reserve(__builtin_offsetof(struct migration_event, stack));
	if (!event)
		return;
	trace_fill(&event->head, 0, ids);
	event->latency_ns = latency_ns;
	event->succeeded = outcome->succeeded;
	event->failed = outcome->failed;
	event->huge_succeeded = outcome->huge_succeeded;
	event->huge_failed = outcome->huge_failed;
	event->huge_split = outcome->huge_split;
	event->large_split = outcome->large_split;
	event->from = call->from;
	event->to = outcome->succeeded ? call->to : 0;
	event->reason = outcome->reason;
	event->mode = outcome->mode;
	if (wants_stacks)
		trace_stack_get(ctx, &event->stack, 0);
	trace_submit(event);
}

static __always_inline int end(void *ctx, const struct outcome *outcome)
{
	struct call call;
	u64 ids, latency_ns;

	take_call(&call);
	if (!trace_wants(&ids))
		return 0;
	latency_ns = call.started_ns ? bpf_ktime_get_ns() - call.started_ns : 0;
	count_reason(outcome, latency_ns);
	count_task(outcome, ids, latency_ns);
	if (wants_rows && latency_ns >= min_latency_ns)
		send_row(ctx, outcome, &call, ids, latency_ns);
	return 0;
}

SEC("raw_tp/mm_migrate_pages")
int migration_ended(struct bpf_raw_tracepoint_args *ctx) /* pages: succeeded, failed; huge pages: succeeded, failed, split … */
{
	struct outcome outcome = {
		.succeeded = ctx->args[0],
		.failed = ctx->args[1],
		.huge_succeeded = ctx->args[2],
		.huge_failed = ctx->args[3],
		.huge_split = ctx->args[4],
		.large_split = trace_argument(ctx, end_large_split),
		.reason = trace_argument(ctx, end_reason),
		.mode = trace_argument(ctx, end_mode),
	};

	return end(ctx, &outcome);
}

/* A huge page to the node of its user, which went another way up to c5b5a3dd2c1f ("mm: thp: refactor NUMA fault handling"), 5.14. */
SEC("kprobe/migrate_misplaced_transhuge_page")
int huge_begun(struct pt_regs *ctx)
{
	return begin();
}

SEC("kretprobe/migrate_misplaced_transhuge_page")
int huge_ended(struct pt_regs *ctx)
{
	bool is_moved = (u32)ctx->ax;
	struct outcome outcome = {
		.succeeded = is_moved ? HUGE_PAGES : 0,
		.failed = is_moved ? 0 : HUGE_PAGES,
		.huge_succeeded = is_moved,
		.huge_failed = !is_moved,
		.reason = bpf_core_enum_value(enum migrate_reason, MR_NUMA_MISPLACED),
		.mode = -1,
	};

	return end(ctx, &outcome);
}

/* NUMA balancing -------------------------------------------------------------------------------------------- */

SEC("fentry/task_numa_fault")
int hint_fault(u64 *ctx) /* (int last_cpupid, int mem_node, int pages, int flags) */
{
	struct migrate_task_value *value = task_event();

	if (!value)
		return 0;
	ADD(value->hint_faults, 1);
	ADD(value->hint_pages, (u32)ctx[2]);
	if ((u32)ctx[3] & TNF_FAULT_LOCAL)
		ADD(value->hint_local, 1);
	return 0;
}

/* Tasks move themselves: current is the one. */
#define TASK_EVENT(name, field) \
	SEC("raw_tp/" #name) \
	int name(void *ctx) \
	{ \
		struct migrate_task_value *value = task_event(); \
		if (value) \
			ADD(value->field, 1); \
		return 0; \
	}
TASK_EVENT(sched_move_numa, moved)
TASK_EVENT(sched_swap_numa, swapped)
TASK_EVENT(sched_stick_numa, stayed)
TASK_EVENT(sched_skip_vma_numa, skipped) /* since ed2da8b725b9, 6.7 */
