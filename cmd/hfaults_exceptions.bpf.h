/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Faults without functions to attach to: the exception's tracepoint says where, the page table before and after what came
 * of it; the software events of minor and major faults say that it is complete, the signal that it failed.
 */
#ifndef DILL_HFAULTS_EXCEPTIONS_BPF_H
#define DILL_HFAULTS_EXCEPTIONS_BPF_H

#include "hfaults_books.bpf.h"

#define SIGBUS 7
#define VM_WRITE 0x2UL
#define VM_HUGEPAGE 0x20000000UL
#define VM_NOHUGEPAGE 0x40000000UL

volatile const __u8 huge_pages_always; /* transparent_hugepage/enabled: not only where madvise(2) asked for them */

/* Whether a whole huge page's range around @address lies in the mapping. */
static __always_inline bool huge_page_fits(struct vm_area_struct *vma, u64 address)
{
	u64 start = address & ~(HUGE_BYTES - 1);

	return start >= BPF_CORE_READ(vma, vm_start) && start + HUGE_BYTES <= BPF_CORE_READ(vma, vm_end);
}

/* What happened to private memory whose entry was @before and stands for a huge page now. */
static __always_inline u32 result_of_entries(u64 before, u64 after, u64 vm_flags)
{
	if (before & PAGE_PRESENT)
		return !((before ^ after) & PAGE_FRAME) ? HUGE_MAPPED : HUGE_COPIED;
	return vm_flags & VM_WRITE && !(after & PAGE_RW) ? HUGE_ZERO : HUGE_ALLOCATED;
}

static __always_inline int exception(u64 address)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	u64 ids, entry;

	if ((s64)address < 0 || !trace_wants(&ids))
		return 0;
	entry = page_walk((u64)BPF_CORE_READ(task, mm), address);
	if (PAGE_STATE_LEVEL(entry) == 1) { /* small pages are there already */
		if (thing_under_way(SLOT_FAULT))
			thing_is_over(SLOT_FAULT);
		return 0;
	}
	return thing_begins(SLOT_FAULT, address, entry, 0, 0);
}

SEC("raw_tp/page_fault_user")
int exception_user(struct bpf_raw_tracepoint_args *ctx)
{
	return exception(ctx->args[0]);
}

SEC("raw_tp/page_fault_kernel")
int exception_kernel(struct bpf_raw_tracepoint_args *ctx)
{
	return exception(ctx->args[0]);
}

/* Transparent, as far as page tables tell; @entry: the state after the fault. */
static __always_inline int transparent_is_over(struct under_way *fault, struct vm_area_struct *vma, u64 entry)
{
	bool is_private = !BPF_CORE_READ(vma, vm_ops), is_huge = PAGE_STATE_LEVEL(entry) == 2 && entry & PAGE_PRESENT;
	u64 vm_flags = BPF_CORE_READ(vma, vm_flags), before = fault->entry;
	bool was_huge = PAGE_STATE_LEVEL(before) == 2 && before & PAGE_PRESENT;

	if (is_huge && !is_private && !was_huge)
		return fault_is_over((u64)vma, HUGE_MAP, HUGE_MAPPED, 0);
	if (is_huge && is_private && !was_huge)
		return fault_is_over((u64)vma, HUGE_FAULT, result_of_entries(0, entry, vm_flags), 0);
	if (is_huge && is_private && !(before & PAGE_RW) && entry & PAGE_RW)
		return fault_is_over((u64)vma, HUGE_WRITE, HUGE_DONE, 0); /* copied or not */
	if (is_private && was_huge && PAGE_STATE_LEVEL(entry) == 1)
		return fault_is_over((u64)vma, HUGE_WRITE, HUGE_FALLBACK, HUGE_UNKNOWN);
	if (is_private && PAGE_STATE_LEVEL(before) >= 2 && !(before & PAGE_IS_ENTRY) && PAGE_STATE_LEVEL(entry) == 1 &&
	    !(vm_flags & VM_NOHUGEPAGE) && (vm_flags & VM_HUGEPAGE || huge_pages_always) && huge_page_fits(vma, fault->address))
		return fault_is_over((u64)vma, HUGE_FAULT, HUGE_FALLBACK,
				     memcg_has_no_room(HUGE_BYTES / PAGE_BYTES) ? HUGE_CHARGE : HUGE_UNKNOWN);
	thing_is_over(SLOT_FAULT);
	return 0;
}

static __always_inline int exception_is_over(struct under_way *fault, u64 vma_address, bool is_sigbus)
{
	struct vm_area_struct *vma = (void *)vma_address;
	u64 mm = (u64)BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), mm);

	if (vma && BPF_CORE_READ(vma, vm_flags) & VM_HUGETLB)
		return fault_is_over(vma_address, HUGE_HUGETLB, is_sigbus ? HUGE_SIGBUS : HUGE_DONE, 0);
	if (vma && !is_sigbus)
		return transparent_is_over(fault, vma, page_walk(mm, fault->address));
	thing_is_over(SLOT_FAULT);
	return 0;
}

/* The fault that is complete now, if it is one that may be about huge pages. @address: 0: whatever is under way. */
static __always_inline struct under_way *exception_under_way(u64 address)
{
	struct under_way *fault = thing_under_way(SLOT_FAULT);

	return fault && (!address || fault->address >> 12 == address >> 12) ? fault : NULL;
}

static long found(struct task_struct *task, struct vm_area_struct *vma, u64 *ret_vma)
{
	(void)task;
	*ret_vma = as_number((u64)vma);
	return 0;
}

/* bpf_find_vma(): 7c7e3d31e785, 5.17. */
static __always_inline int over_with_search(u64 address, bool is_sigbus)
{
	struct under_way *fault = exception_under_way(address);
	u64 vma = 0;

	if (!fault)
		return 0;
	bpf_find_vma(bpf_get_current_task_btf(), fault->address, found, &vma, 0);
	return exception_is_over(fault, vma, is_sigbus);
}

static __always_inline int over_with_tree(u64 address, bool is_sigbus)
{
	struct under_way *fault = exception_under_way(address);

	if (!fault)
		return 0;
	return exception_is_over(fault, mapping_search((u64)BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), mm),
						       fault->address), is_sigbus);
}

/* struct bpf_perf_event_data, include/uapi/linux/bpf_perf_event.h: known to the verifier by its offsets */
struct software_event {
	struct pt_regs regs;
	u64 sample_period;
	u64 addr;
};

SEC("perf_event")
int software_with_search(struct software_event *ctx)
{
	return over_with_search(ctx->addr, false);
}

SEC("perf_event")
int software_with_tree(struct software_event *ctx)
{
	return over_with_tree(ctx->addr, false);
}

static __always_inline bool is_own_sigbus(struct bpf_raw_tracepoint_args *ctx)
{
	return (u32)ctx->args[0] == SIGBUS && ctx->args[2] == bpf_get_current_task(); /* sig, info, task */
}

SEC("raw_tp/signal_generate")
int signal_with_search(struct bpf_raw_tracepoint_args *ctx)
{
	return is_own_sigbus(ctx) ? over_with_search(0, true) : 0;
}

SEC("raw_tp/signal_generate")
int signal_with_tree(struct bpf_raw_tracepoint_args *ctx)
{
	return is_own_sigbus(ctx) ? over_with_tree(0, true) : 0;
}

#endif
