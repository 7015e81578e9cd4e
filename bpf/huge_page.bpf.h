/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Huge pages: the pool of a hugetlb mapping, whether a cgroup has room for one, whose a page is. */
#ifndef DILL_BPF_HUGE_PAGE_BPF_H
#define DILL_BPF_HUGE_PAGE_BPF_H

#include "folio.bpf.h"
#include "kernel_types.h"

#define PAGE_BYTES 4096UL
#define HUGE_BYTES (2UL << 20)   /* what an entry of the page table's second level maps, x86-64 */
#define MAPPING_ANON 1UL         /* include/linux/page-flags.h: of folio->mapping's two lowest bits */
#define MAPPING_BITS 3UL

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct hstate { /* include/linux/hugetlb.h; in pages of its size */
	unsigned int order;
	unsigned long nr_huge_pages, free_huge_pages, resv_huge_pages;
};

struct hugetlbfs_sb_info { /* include/linux/hugetlb.h */
	struct hstate *hstate;
};

typedef struct {
	unsigned long pmd;
} pmd_t;

struct vm_fault { /* include/linux/mm.h */
	struct vm_area_struct *vma;
	unsigned int flags;
	unsigned long address;
	pmd_t *pmd;
};

struct rb_root_cached {
	struct rb_root rb_root;
};

struct anon_vma { /* include/linux/rmap.h */
	struct rb_root_cached rb_root;
};

struct anon_vma_chain {
	struct vm_area_struct *vma;
	struct rb_node rb;
};

struct folio { /* include/linux/mm_types.h, since 7b230db3b8d3, 5.16; before, this is struct page's */
	void *mapping;
};

struct page {
	void *mapping;
};

#pragma clang attribute pop

#define MEMCG_LEVELS 16

/* Whether the current task's memory cgroup, or one above, has no room for @pages more: a charge of them fails. */
static __always_inline bool memcg_has_no_room(u64 pages)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct cgroup_subsys_state *state = NULL;
	struct page_counter *counter;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return false;
	bpf_probe_read_kernel(&state, sizeof(state),
			      (void *)((u64)BPF_CORE_READ(task, cgroups) + bpf_core_field_offset(struct css_set, subsys) +
				       bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id) * sizeof(void *)));
	if (!state)
		return false;
	counter = (void *)((u64)state - bpf_core_field_offset(struct mem_cgroup, css) +
			   bpf_core_field_offset(struct mem_cgroup, memory));
	for (u32 i = 0; i < MEMCG_LEVELS && counter; i++) {
		if ((u64)BPF_CORE_READ(counter, usage.counter) + pages > BPF_CORE_READ(counter, max))
			return true;
		counter = BPF_CORE_READ(counter, parent);
	}
	return false;
}

/* The pool that a hugetlb mapping's pages come from; all such mappings have a file. */
static __always_inline struct hstate *hugetlb_pool(struct vm_area_struct *vma)
{
	struct hugetlbfs_sb_info *info = BPF_CORE_READ(vma, vm_file, f_inode, i_sb, s_fs_info);

	return info ? BPF_CORE_READ(info, hstate) : NULL;
}

/* Whether an entry of the page table's second level stands for a huge page, or did so before it began to move. */
static __always_inline bool pmd_is_huge(u64 entry)
{
	return entry && ((entry & 0x80) || !(entry & 0x1)); /* _PAGE_PSE, _PAGE_PRESENT */
}

/* The head of the pages that @page is one of. */
static __always_inline u64 page_head(u64 page)
{
	u64 word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), (void *)(page + sizeof(u64))); /* compound_head, compound_info */
	return word & 1 && (word & ~1ULL) > 1ULL << 63 ? word & ~1ULL : page;
}

/*
 * A process that has the page mapped, or had; 0: it is no anonymous page. A page that several share is told of as one's.
 * The page must be held by the caller's kernel.
 */
__noinline u64 page_owner(u64 page)
{
	u64 mapping = bpf_core_type_exists(struct folio) ? (u64)BPF_CORE_READ((struct folio *)page, mapping) :
							   (u64)BPF_CORE_READ((struct page *)page, mapping);
	struct anon_vma *anon = (void *)(mapping & ~MAPPING_BITS);
	struct anon_vma_chain *chain;
	struct rb_node *node;

	if ((mapping & MAPPING_BITS) != MAPPING_ANON || !bpf_core_field_exists(((struct mm_struct *)0)->owner))
		return 0;
	node = BPF_CORE_READ(anon, rb_root.rb_root.rb_node);
	if (!node)
		return 0;
	chain = (void *)node - bpf_core_field_offset(struct anon_vma_chain, rb);
	return (u64)BPF_CORE_READ(chain, vma, vm_mm, owner);
}

/* The process whose address space it is: its main thread, as a rule; NULL: not known. */
static __always_inline struct task_struct *mm_owner(struct mm_struct *mm)
{
	return mm && bpf_core_field_exists(mm->owner) ? BPF_CORE_READ(mm, owner) : NULL;
}

#endif
