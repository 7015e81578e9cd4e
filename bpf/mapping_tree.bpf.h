/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The tree of a process's mappings, on kernels that have it as a tree of struct rb_node. */
#ifndef DILL_BPF_MAPPING_TREE_BPF_H
#define DILL_BPF_MAPPING_TREE_BPF_H

#include "kernel_types.h"

/*
 * The mapping of @address in the process's tree of them, as kernels without bpf_find_vma() have it; 0: none. Without
 * lock: in a fault the caller's kernel holds it.
 */
__noinline u64 mapping_search(u64 mm, u64 address)
{
	struct mm_struct___with_tree *tree = (void *)mm;
	struct rb_node *node;

	if (!bpf_core_field_exists(tree->mm_rb))
		return 0;
	node = BPF_CORE_READ(tree, mm_rb.rb_node);
	for (u32 i = 0; i < 40 && node; i++) { /* twice log2 of the 65530 that a process may have, and more */
		struct vm_area_struct *vma =
			(void *)node - bpf_core_field_offset(struct vm_area_struct___with_tree, vm_rb);

		if (address < BPF_CORE_READ(vma, vm_start))
			node = BPF_CORE_READ(node, rb_left);
		else if (address >= BPF_CORE_READ(vma, vm_end))
			node = BPF_CORE_READ(node, rb_right);
		else
			return (u64)vma;
	}
	return 0;
}

#endif
