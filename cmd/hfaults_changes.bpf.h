/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Collapses and splits: what becomes of memory without a fault. */
#ifndef DILL_HFAULTS_CHANGES_BPF_H
#define DILL_HFAULTS_CHANGES_BPF_H

#include "hfaults_books.bpf.h"

/* Splits ---------------------------------------------------------------------------------------------------- */

/* Whose split it is, if wanted: its owner's, else the current task's. */
static __always_inline bool wants_split(struct task_struct *owner, u64 *ret_ids)
{
	return owner ? trace_wants_task(owner, ret_ids) : trace_wants(ret_ids);
}

static __always_inline void fill_split(struct huge_split_event *split, void *ctx, struct task_struct *owner, u64 ids,
				       u32 kind)
{
	fill_event(&split->event, HUGE_EVENT_WITH_STACK, owner, ids, kind);
	trace_stack_get(ctx, &split->by, 0);
}

/* @pmd_place: of the entry that is split. */
static __always_inline int unmap_huge(void *ctx, struct vm_area_struct *vma, u64 address, u64 pmd_place)
{
	struct task_struct *owner = mm_owner(BPF_CORE_READ(vma, vm_mm));
	struct huge_split_event *split;
	struct mapping_id mapping = { 0 };
	u64 entry = 0, ids;

	bpf_probe_read_kernel(&entry, sizeof(entry), (void *)pmd_place);
	if (!pmd_is_huge(entry) || min_latency_ns || !wants_split(owner, &ids))
		return 0;
	mapping_of(vma, address, 0, &mapping);
	split = trace_reserve(sizeof(*split));
	if (!split)
		return 0;
	fill_split(split, ctx, owner, ids, HUGE_UNMAP);
	split->event.address = address & ~(HUGE_BYTES - 1);
	split->event.mapping = mapping;
	trace_submit(split);
	return 0;
}

SEC("fentry/__split_huge_pmd")
int unmap_begin(u64 *ctx) /* (struct vm_area_struct *, pmd_t *, unsigned long address, bool …) */
{
	thing_begins(SLOT_UNMAP, ctx[2], 0, 0, 0);
	return unmap_huge(ctx, (void *)ctx[0], ctx[2], ctx[1]);
}

SEC("fexit/__split_huge_pmd")
int unmap_end(u64 *ctx)
{
	thing_is_over(SLOT_UNMAP);
	return 0;
}

/* Also called by the function above: 29e847d2ade3, 6.11. */
SEC("fentry/split_huge_pmd_locked")
int unmap_locked(u64 *ctx) /* (struct vm_area_struct *, unsigned long address, pmd_t *, bool …) */
{
	return thing_under_way(SLOT_UNMAP) ? 0 : unmap_huge(ctx, (void *)ctx[0], ctx[1], ctx[2]);
}

static __always_inline int split_begin(u64 page)
{
	u64 head = page_head(as_number(page)), owner = page_owner(head), ids, pages = folio_pages((void *)head);

	if (!wants_split((void *)owner, &ids))
		return 0;
	if (!bpf_core_field_exists(((struct folio___with_nr_pages *)0)->_nr_pages) &&
	    !bpf_core_field_exists(((struct folio___with_folio_nr_pages *)0)->_folio_nr_pages))
		pages = HUGE_BYTES / PAGE_BYTES; /* there are no others then */
	return thing_begins(SLOT_SPLIT, 0, 0, owner, pages);
}

static __always_inline int split_end(void *ctx, s32 status)
{
	struct under_way *thing = thing_under_way(SLOT_SPLIT);
	struct huge_split_event *split;
	u64 ids = 0, latency_ns, pages;
	struct task_struct *owner;

	if (!thing)
		return 0;
	latency_ns = bpf_ktime_get_ns() - thing->started_ns;
	pages = thing->pages;
	owner = (void *)thing->owner;
	thing_is_over(SLOT_SPLIT);
	if (latency_ns < min_latency_ns || !wants_split(owner, &ids) || !(split = trace_reserve(sizeof(*split))))
		return 0;
	fill_split(split, ctx, owner, ids, HUGE_SPLIT);
	split->event.latency_ns = latency_ns;
	split->event.size_bytes = pages * PAGE_BYTES;
	split->event.result = status ? HUGE_FAILED : HUGE_DONE;
	split->event.status = status;
	trace_submit(split);
	return 0;
}

/* The function that all others call: __folio_split() since 6384dd1d18de, 6.15; with orders since c010d47f107f, 6.9. */
SEC("fentry/__folio_split")
int split_folio_begin(u64 *ctx)
{
	return split_begin(ctx[0]);
}

SEC("fexit/__folio_split")
int split_folio_end(u64 *ctx) /* six arguments */
{
	return split_end(ctx, ctx[6]);
}

SEC("fentry/split_huge_page_to_list_to_order")
int split_order_begin(u64 *ctx)
{
	return split_begin(ctx[0]);
}

SEC("fexit/split_huge_page_to_list_to_order")
int split_order_end(u64 *ctx) /* (struct page *, struct list_head *, unsigned int) */
{
	return split_end(ctx, ctx[3]);
}

SEC("fentry/split_huge_page_to_list")
int split_page_begin(u64 *ctx)
{
	return split_begin(ctx[0]);
}

SEC("fexit/split_huge_page_to_list")
int split_page_end(u64 *ctx) /* (struct page *, struct list_head *) */
{
	return split_end(ctx, ctx[2]);
}

/* Collapses ------------------------------------------------------------------------------------------------- */

volatile const __s32 collapse_order = -1; /* an argument since smaller huge pages are collapsed to, too */
volatile const __s32 collapse_status = -1, file_mm = -1, file_address = -1, file_file = -1, file_result = -1;
volatile const __s32 scan_status = -1, scan_file_result = -1;
volatile const __s32 collapse_succeeds = 1; /* SCAN_SUCCEED */

/* @file: whose pages; NULL: private memory. */
static __always_inline int collapse_is_over(struct mm_struct *mm, u64 address, u64 size_bytes, struct file *file,
					    s32 status)
{
	struct under_way *thing = thing_under_way(SLOT_COLLAPSE);
	struct task_struct *owner = mm_owner(mm);
	u64 ids, latency_ns = 0;
	struct huge_event *event;
	struct inode *inode;

	if (thing) {
		latency_ns = bpf_ktime_get_ns() - thing->started_ns;
		address = address ? address : thing->address;
		thing_is_over(SLOT_COLLAPSE);
	}
	if (!wants_split(owner, &ids) || latency_ns < min_latency_ns || !(event = trace_reserve(sizeof(*event))))
		return 0;
	fill_event(event, 0, owner, ids, file ? HUGE_COLLAPSE_FILE : HUGE_COLLAPSE);
	event->latency_ns = latency_ns;
	event->address = address;
	event->size_bytes = size_bytes;
	event->status = status;
	event->result = status == collapse_succeeds ? HUGE_DONE : HUGE_FAILED;
	if (file) {
		inode = BPF_CORE_READ(file, f_inode);
		event->mapping.inode = BPF_CORE_READ(inode, i_ino);
		event->mapping.device = BPF_CORE_READ(inode, i_sb, s_dev);
		event->mapping.class = MAPPING_FILE;
		mapping_tell_file((u64)file, event->mapping.inode, event->mapping.device);
	}
	trace_submit(event);
	return 0;
}

SEC("fentry/collapse_huge_page")
int collapse_begin(u64 *ctx) /* (struct mm_struct *, unsigned long address, …) */
{
	return thing_begins(SLOT_COLLAPSE, ctx[1], 0, 0, 0);
}

SEC("raw_tp/mm_collapse_huge_page")
int collapse_end(struct bpf_raw_tracepoint_args *ctx)
{
	u64 bytes = collapse_order < 0 ? HUGE_BYTES : PAGE_BYTES << (trace_argument(ctx, collapse_order) & 31);

	return collapse_is_over((void *)ctx->args[0], 0, bytes, NULL, trace_argument(ctx, collapse_status));
}

SEC("fentry/collapse_file")
int collapse_file_begin(u64 *ctx) /* (struct mm_struct *, unsigned long address, struct file *, …): 34488399fa08, 6.1 */
{
	return thing_begins(SLOT_COLLAPSE, ctx[1], 0, 0, 0);
}

SEC("raw_tp/mm_khugepaged_collapse_file")
int collapse_file_end(struct bpf_raw_tracepoint_args *ctx)
{
	return collapse_is_over((void *)trace_argument(ctx, file_mm), trace_argument(ctx, file_address), HUGE_BYTES,
				(void *)trace_argument(ctx, file_file), trace_argument(ctx, file_result));
}

/* Where there is no such tracepoint: before 4c9473e87e75, 6.2. */
SEC("fexit/collapse_file")
int collapse_file_returns(u64 *ctx)
{
	return collapse_is_over((void *)ctx[0], ctx[1], HUGE_BYTES, (void *)as_number(ctx[2]), ctx[5]);
}

static __always_inline int scanned(struct mm_struct *mm, u32 status, bool is_file)
{
	struct huge_scan_key key = { .status = status, .is_file = is_file };
	struct task_struct *owner = mm_owner(mm);
	u64 ids, *count, none = 0;

	if (!wants_split(owner, &ids))
		return 0;
	TRACE_COUNT(seen);
	key.pid = ids >> 32;
	if (owner)
		BPF_CORE_READ_STR_INTO(&key.comm, owner, comm);
	else
		bpf_get_current_comm(key.comm, sizeof(key.comm));
	count = bpf_map_lookup_elem(&huge_scans, &key);
	if (!count) {
		bpf_map_update_elem(&huge_scans, &key, &none, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&huge_scans, &key); /* another CPU may have made it */
	}
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		TRACE_COUNT(map_full);
	return 0;
}

SEC("raw_tp/mm_khugepaged_scan_pmd")
int scan_ended(struct bpf_raw_tracepoint_args *ctx)
{
	return scanned((void *)ctx->args[0], trace_argument(ctx, scan_status), false);
}

SEC("raw_tp/mm_khugepaged_scan_file")
int scan_file_ended(struct bpf_raw_tracepoint_args *ctx)
{
	return scanned((void *)ctx->args[0], trace_argument(ctx, scan_file_result), true);
}

#endif
