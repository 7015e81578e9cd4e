/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What the page tables of x86-64 hold for an address: of the entry that is no table, on whatever level it stands.
 * Read without locks, so a table that goes away meanwhile gives a wrong entry, once; nothing is believed because of it.
 * Constants are filled by trace_set_page_tables(); without them there is nothing to walk.
 *
 * Entries: arch/x86/include/asm/pgtable_types.h, pgtable_64.h (swap entries).
 */
#ifndef DILL_BPF_PAGE_WALK_H
#define DILL_BPF_PAGE_WALK_H

#include "kernel_types.h"

#define PAGE_PRESENT 0x001ULL
#define PAGE_RW 0x002ULL
#define PAGE_LEAF 0x080ULL     /* PSE, above the last level */
#define PAGE_PROTNONE 0x100ULL /* where PRESENT is not set */
#define PAGE_FRAME 0x000ffffffffff000ULL
#define PAGE_LEVELS_MAX 5

#define SWAP_TYPE_SHIFT 59
#define SWAP_TYPES_SURE 23 /* MAX_SWAPFILES, include/linux/swap.h, at least: types above may be migration, poison … */

volatile const __u64 page_walk_base;  /* page_offset_base; 0: not known */
volatile const __u32 page_walk_levels = 4;

/*
 * The entry's flags in its lowest 12 bits, PAGE_IS_ENTRY when it is not 0, above: the level on which it stands (1: of a
 * page, 2: of 2 MiB, 3: of 1 GiB …), and the type if it is a swap entry. 0: not known. A function of scalars, so that it
 * is verified once.
 */
#define PAGE_IS_ENTRY 0x1000ULL
#define PAGE_STATE_LEVEL(state) ((u32)((state) >> 16 & 7))
#define PAGE_STATE_SWAP_TYPE(state) ((u32)((state) >> 24 & 31))

static __always_inline u64 page_walk_down(u64 mm, u64 address, u32 *ret_level)
{
	u64 table = (u64)BPF_CORE_READ((struct mm_struct *)mm, pgd), entry = 0;

	*ret_level = 0;
	if (!page_walk_base || !table)
		return 0;
#pragma unroll
	for (u32 level = PAGE_LEVELS_MAX; level; level--) {
		if (level > page_walk_levels)
			continue;
		if (bpf_probe_read_kernel(&entry, sizeof(entry), (void *)(table + (address >> 9 * level & 0xff8))))
			return 0;
		*ret_level = level;
		if (level == 1 || !(entry & PAGE_PRESENT) || (level <= 3 && entry & PAGE_LEAF))
			return entry;
		table = page_walk_base + (entry & PAGE_FRAME);
	}
	return 0;
}

__noinline u64 page_walk(u64 mm, u64 address)
{
	u32 level;
	u64 entry = page_walk_down(mm, address, &level);

	return level ? (entry & 0xfff) | (entry ? PAGE_IS_ENTRY : 0) | level << 16 | entry >> SWAP_TYPE_SHIFT << 24 : 0;
}

/* The place in swap that the page table has for an address, as struct folio has it (include/linux/swapops.h); 0: none. */
__noinline u64 page_walk_swap(u64 mm, u64 address)
{
	u32 level;
	u64 entry = page_walk_down(mm, address, &level), type = entry >> SWAP_TYPE_SHIFT;

	if (level != 1 || !entry || entry & (PAGE_PRESENT | PAGE_PROTNONE) || type >= SWAP_TYPES_SURE)
		return 0;
	return type << 58 | ~entry << 5 >> 14;
}

#endif
