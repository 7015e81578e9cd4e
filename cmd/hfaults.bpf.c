// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Huge pages: faults, collapses and splits where the kernel has functions to attach to; hfaults_exceptions.bpf.h is for
 * where it has none. What khugepaged and madvise(MADV_COLLAPSE) do is told by tracepoints everywhere.
 */
#include "hfaults_books.bpf.h"

#include "hfaults_exceptions.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define FLAG_WRITE 0x1U /* enum fault_flag, include/linux/mm_types.h */
#define VM_FAULT_OOM 0x1U /* enum vm_fault_reason, include/linux/mm_types.h */
#define VM_FAULT_SIGBUS 0x2U
#define VM_FAULT_HWPOISON 0x30U /* of a page, of a huge page */
#define VM_FAULT_ERROR 0x873U
#define VM_FAULT_RETRY 0x400U
#define VM_FAULT_FALLBACK 0x800U
#define PAGE_STARTED_AGAIN(thing, place) ((thing)->is_retried && (thing)->address == (place))

/* hugetlb --------------------------------------------------------------------------------------------------- */

SEC("fentry/hugetlb_fault")
int hugetlb_begin(u64 *ctx) /* (struct mm_struct *, struct vm_area_struct *, unsigned long address, unsigned int flags) */
{
	struct under_way *fault;
	u64 ids;

	if (!trace_wants(&ids))
		return 0;
	fault = thing_under_way(SLOT_FAULT);
	if (!fault || !PAGE_STARTED_AGAIN(fault, ctx[2])) /* else tried again, since a lock had to be let go */
		thing_begins(SLOT_FAULT, ctx[2], page_walk(as_number(ctx[0]), ctx[2]), 0, 0);
	return 0;
}

static __always_inline int hugetlb_allocated(u64 page)
{
	struct under_way *fault = thing_under_way(SLOT_FAULT);

	if (!fault)
		return 0;
	fault->is_allocated = (s64)page < -4095 || (s64)page > 0; /* IS_ERR() */
	fault->error = fault->is_allocated ? 0 : (s32)page;
	return 0;
}

SEC("fexit/alloc_hugetlb_folio")
int hugetlb_folio(u64 *ctx) /* (struct vm_area_struct *, unsigned long, bool) */
{
	return hugetlb_allocated(ctx[3]);
}

SEC("fexit/alloc_huge_page")
int hugetlb_page(u64 *ctx) /* (struct vm_area_struct *, unsigned long, int); a folio since d0ce0e47b323, 6.3 */
{
	return hugetlb_allocated(ctx[3]);
}

SEC("fexit/hugetlb_fault")
int hugetlb_end(u64 *ctx)
{
	struct under_way *fault = thing_under_way(SLOT_FAULT);
	u32 status = ctx[4], result, reason = HUGE_NO_REASON;

	if (!fault)
		return 0;
	fault->is_retried = !!(status & VM_FAULT_RETRY);
	if (fault->is_retried)
		return 0;
	if (status & VM_FAULT_ERROR) {
		result = status & VM_FAULT_SIGBUS ? HUGE_SIGBUS : HUGE_FAILED;
		reason = status & VM_FAULT_HWPOISON ? HUGE_POISON : status & VM_FAULT_OOM ? HUGE_NO_MEMORY :
			 fault->error ? HUGE_POOL_LIMIT : HUGE_BEYOND_END;
	} else if (fault->is_allocated) {
		result = fault->entry & PAGE_PRESENT ? HUGE_COPIED : HUGE_ALLOCATED;
	} else {
		result = HUGE_MAPPED;
	}
	return fault_is_over(as_number(ctx[1]), HUGE_HUGETLB, result, reason);
}

/* Transparent: faults --------------------------------------------------------------------------------------- */

static __always_inline u64 pmd_of_fault(struct vm_fault *fault)
{
	return BPF_CORE_READ(fault, pmd, pmd);
}

static __always_inline int huge_begin(u64 fault_address)
{
	struct vm_fault *fault = (void *)fault_address;
	u64 ids;

	if (trace_wants(&ids))
		thing_begins(SLOT_FAULT, BPF_CORE_READ(fault, address), pmd_of_fault(fault), 0, 0);
	return 0;
}

/* A fault took small pages: because a charge would fail, else since no huge page was to be had. */
static __always_inline int huge_falls_back(struct under_way *thing, struct vm_area_struct *vma, u32 kind)
{
	if (!huge_page_fits(vma, thing->address)) { /* so it was not tried */
		thing_is_over(SLOT_FAULT);
		return 0;
	}
	return fault_is_over((u64)vma, kind, HUGE_FALLBACK,
			     kind == HUGE_WRITE ? HUGE_POLICY : /* 3917c80280c9, 5.8; of the page of zeroes up to 6.12 */
			     memcg_has_no_room(HUGE_BYTES / PAGE_BYTES) ? HUGE_CHARGE : HUGE_NO_MEMORY);
}

static __always_inline int huge_end(u64 fault_address, u32 status, u32 kind)
{
	struct vm_fault *fault = (void *)fault_address;
	struct under_way *thing = thing_under_way(SLOT_FAULT);
	struct vm_area_struct *vma = BPF_CORE_READ(fault, vma);
	u64 entry = pmd_of_fault(fault);

	if (!thing)
		return 0;
	if (status & VM_FAULT_FALLBACK)
		return huge_falls_back(thing, vma, kind);
	if (status & VM_FAULT_ERROR)
		return fault_is_over((u64)vma, kind, HUGE_FAILED, status & VM_FAULT_OOM ? HUGE_NO_MEMORY : HUGE_UNKNOWN);
	if (!(entry & PAGE_PRESENT) || !(entry & PAGE_LEAF) || entry == thing->entry) {
		thing_is_over(SLOT_FAULT); /* userfaultfd's, or another thread was first */
		return 0;
	}
	return fault_is_over((u64)vma, kind, result_of_entries(thing->entry, entry, BPF_CORE_READ(vma, vm_flags)), 0);
}

SEC("fentry/do_huge_pmd_anonymous_page")
int anonymous_begin(u64 *ctx)
{
	return huge_begin(ctx[0]);
}

SEC("fexit/do_huge_pmd_anonymous_page")
int anonymous_end(u64 *ctx)
{
	return huge_end(ctx[0], ctx[1], HUGE_FAULT);
}

/* With the entry as a second argument up to 5.13 (5db4f15c4fd7): a struct, with which nothing can be attached. */
SEC("fentry/do_huge_pmd_wp_page")
int write_begin(u64 *ctx)
{
	return huge_begin(ctx[0]);
}

SEC("fexit/do_huge_pmd_wp_page")
int write_end(u64 *ctx)
{
	return huge_end(ctx[0], ctx[1], HUGE_WRITE);
}

static __always_inline int huge_mapped(u64 fault_address)
{
	struct vm_fault *fault = (void *)fault_address;
	u64 ids, entry = pmd_of_fault(fault);

	if (!(entry & PAGE_PRESENT) || !(entry & PAGE_LEAF) || !trace_wants(&ids))
		return 0;
	thing_begins(SLOT_FAULT, BPF_CORE_READ(fault, address), 0, 0, 0);
	return fault_is_over((u64)BPF_CORE_READ(fault, vma), HUGE_MAP, HUGE_MAPPED, 0);
}

SEC("fexit/do_set_pmd")
int file_mapped(u64 *ctx)
{
	return huge_mapped(ctx[0]);
}

/* Where do_set_pmd() was inlined: the only one that calls it then. */
SEC("fexit/finish_fault")
int file_fault_finished(u64 *ctx)
{
	return huge_mapped(ctx[0]);
}

#include "hfaults_changes.bpf.h"
