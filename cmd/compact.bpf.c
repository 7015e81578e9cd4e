// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Compaction of a zone, compact_zone(), mm/compaction.c: begin and end are tracepoints of one thread, and neither tells the
 * zone on all kernels. compact_finished() does: it is asked before the first step and after each. What is moved is told by
 * migrate_pages() in the same thread.
 */
#include "trace.bpf.h"

#include "compact.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ORDERS 11 /* of free_area, MAX_PAGE_ORDER + 1 on x86-64 */

struct compaction {
	u64 started_ns;
	u64 migrate_scanned, free_scanned, isolated, migrated, failed;
	struct zone *zone;
	s32 order, index_before;
};

/* Compactions that have begun, by thread. Each ends, in this thread. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct compaction);
} compactions SEC(".maps");

volatile const __s32 end_control = -1; /* compact_control is an argument since abd4349ff9b8, 5.18 */
volatile const __s32 end_sync = -1, end_status = -1;
volatile const __u8 wants_stacks, wants_index;
volatile const __u64 min_latency_ns;

/*
 * How far a failure to find 2^order pages is due to fragmentation, in thousandths: towards 0 memory is short, towards 1000
 * it is in pieces; -1000: such a block is there. As fragmentation_index(), mm/vmstat.c.
 */
static __always_inline s32 fragmentation_index(struct zone *zone, s32 order)
{
	u64 blocks = 0, pages = 0, suitable = 0, requested;

	if (!wants_index || order < 0 || order >= ORDERS)
		return FRAGMENTATION_UNKNOWN;
	for (s32 i = 0; i < ORDERS; i++) {
		u64 count = 0;

		bpf_probe_read_kernel(&count, sizeof(count),
				      (void *)((u64)zone + bpf_core_field_offset(struct zone, free_area) +
					       i * bpf_core_type_size(struct free_area) +
					       bpf_core_field_offset(struct free_area, nr_free)));
		blocks += count;
		pages += count << i;
		if (i >= order)
			suitable += count;
	}
	requested = 1ULL << order;
	if (!blocks)
		return 0;
	if (suitable)
		return -1000;
	return 1000 - (1000 + pages * 1000 / requested) / blocks;
}

static __always_inline struct compaction *compaction_of_current(void)
{
	u32 thread = (u32)bpf_get_current_pid_tgid();

	return bpf_map_lookup_elem(&compactions, &thread);
}

SEC("raw_tp/mm_compaction_begin")
int compaction_begun(struct bpf_raw_tracepoint_args *ctx)
{
	u32 thread = (u32)bpf_get_current_pid_tgid();
	struct compaction compaction = { .order = -1, .index_before = FRAGMENTATION_UNKNOWN };
	u64 ids;

	if (!trace_wants(&ids))
		return 0;
	compaction.started_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&compactions, &thread, &compaction, BPF_ANY)) {
		TRACE_COUNT(seen);
		TRACE_COUNT(map_full);
	}
	return 0;
}

SEC("raw_tp/mm_compaction_finished")
int compaction_asked(struct bpf_raw_tracepoint_args *ctx)
{
	struct compaction *compaction = compaction_of_current();

	if (!compaction || compaction->zone)
		return 0;
	compaction->zone = (struct zone *)ctx->args[0];
	compaction->order = ctx->args[1];
	compaction->index_before = fragmentation_index(compaction->zone, compaction->order);
	return 0;
}

SEC("raw_tp/mm_compaction_isolate_migratepages")
int pages_isolated(struct bpf_raw_tracepoint_args *ctx)
{
	struct compaction *compaction = compaction_of_current();

	if (!compaction)
		return 0;
	compaction->migrate_scanned += ctx->args[2];
	compaction->isolated += ctx->args[3];
	return 0;
}

SEC("raw_tp/mm_compaction_isolate_freepages")
int free_isolated(struct bpf_raw_tracepoint_args *ctx)
{
	struct compaction *compaction = compaction_of_current();

	if (compaction)
		compaction->free_scanned += ctx->args[2];
	return 0;
}

SEC("raw_tp/mm_migrate_pages")
int pages_migrated(struct bpf_raw_tracepoint_args *ctx)
{
	struct compaction *compaction = compaction_of_current();

	if (!compaction)
		return 0;
	compaction->migrated += ctx->args[0];
	compaction->failed += ctx->args[1];
	return 0;
}

static __always_inline void fill_compaction(struct compaction_event *event, const struct compaction *compaction)
{
	const char daemon[] = "kcompactd";
	struct zone *zone = compaction->zone;
	bool is_daemon = !BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), mm);

	event->started_ns = compaction->started_ns;
	event->migrate_scanned = compaction->migrate_scanned;
	event->free_scanned = compaction->free_scanned;
	event->isolated = compaction->isolated;
	event->migrated = compaction->migrated;
	event->failed = compaction->failed;
	event->order = compaction->order;
	for (u32 i = 0; i < sizeof(daemon) - 1; i++)
		is_daemon = is_daemon && event->head.comm[i] == daemon[i];
	event->kind = is_daemon ? COMPACTION_KCOMPACTD : compaction->order < 0 ? COMPACTION_REQUESTED : COMPACTION_DIRECT;
	event->node = -1;
	event->zone[0] = '\0';
	event->index_before = compaction->index_before;
	event->index_after = FRAGMENTATION_UNKNOWN;
	if (!zone)
		return;
	event->node = bpf_core_field_exists(zone->node) ? BPF_CORE_READ(zone, node) : 0;
	bpf_probe_read_kernel_str(event->zone, sizeof(event->zone), BPF_CORE_READ(zone, name));
	event->index_after = fragmentation_index(zone, compaction->order);
}

/* What the kernel itself counts is more than its tracepoints tell: the first steps are taken by short cuts. */
static __always_inline void fill_totals(struct compaction_event *event, struct compact_control *control)
{
	event->mode = -1;
	if (!control)
		return;
	event->mode = BPF_CORE_READ(control, mode);
	event->migrate_scanned = BPF_CORE_READ(control, total_migrate_scanned);
	event->free_scanned = BPF_CORE_READ(control, total_free_scanned);
}

SEC("raw_tp/mm_compaction_end")
int compaction_ended(struct bpf_raw_tracepoint_args *ctx)
{
	u32 thread = (u32)bpf_get_current_pid_tgid();
	struct compaction *compaction = compaction_of_current();
	struct compaction_event *event;
	u64 ids, latency_ns;

	if (!compaction) {
		if (trace_wants(&ids))
			TRACE_COUNT(unpaired);
		return 0;
	}
	latency_ns = bpf_ktime_get_ns() - compaction->started_ns;
	trace_current_ids(&ids);
	if (latency_ns >= min_latency_ns && (event = trace_reserve(sizeof(*event)))) {
		trace_fill(&event->head, 0, ids);
		event->latency_ns = latency_ns;
		event->is_sync = trace_argument(ctx, end_sync) & 1;
		event->status = trace_argument(ctx, end_status);
		fill_compaction(event, compaction);
		fill_totals(event, (struct compact_control *)trace_argument(ctx, end_control));
		event->stack.count = 0;
		if (wants_stacks)
			trace_stack_get(ctx, &event->stack, 0);
		trace_submit(event);
	}
	bpf_map_delete_elem(&compactions, &thread);
	return 0;
}
