// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Where memory areas begin, told from what the page tables map, for kernels that hide the names of variables.
 * The areas' order and sizes are fixed, with and without KASLR, which moves each by multiples of 1 GiB:
 *
 *     direct map | vmalloc area (32 TiB, with 5 levels 12800 TiB) | struct page array | CPU entry area …
 *
 * Source: Documentation/arch/x86/x86_64/mm.rst, arch/x86/mm/kaslr.c.
 */
#include "kernel.h"
#include "kernel_open.h"
#include "page_table.h"

#define GIB (1ULL << 30)
#define TIB (1ULL << 40)
#define CPU_ENTRY_AREA 0xfffffe0000000000ULL
#define DIRECT_MAP_TRIES 64
#define TABLE_BUDGET 16384 /* 64 MiB of tables */
#define ORIGIN "page tables"

static bool find_mapped(struct kernel *kernel, uint64_t from, struct page_table_range *ret_range)
{
	struct page_table_iterator iterator;
	bool is_found;

	if (page_table_iterate_begin(&iterator, kernel->page_table, from, CPU_ENTRY_AREA - 1, TABLE_BUDGET))
		return false;
	is_found = page_table_iterate(&iterator, ret_range);
	page_table_iterate_end(&iterator);
	return is_found;
}

/* The first mapping that is as far from its physical address as only the direct map is: LDTs may lie before. */
static bool find_direct_map(struct kernel *kernel, uint64_t *ret_base)
{
	uint64_t at = kernel->page_table->levels == 5 ? 0xff00000000000000 : 0xffff800000000000;
	struct page_table_range range;

	for (int i = 0; i < DIRECT_MAP_TRIES && find_mapped(kernel, at, &range); i++) {
		if ((range.virtual_start - range.physical_start) % GIB == 0) {
			*ret_base = range.virtual_start - range.physical_start;
			return true;
		}
		at = range.virtual_start + range.size;
	}
	return false;
}

void kernel_find_regions(struct kernel *kernel)
{
	struct kernel_layout *layout = &kernel->layout;
	struct page_table_range range;
	uint64_t base, vmalloc_size;

	if (!kernel->page_table)
		return;
	vmalloc_size = kernel->page_table->levels == 5 ? 12800 * TIB : 32 * TIB;
	if (!layout->page_offset_base.origin && find_direct_map(kernel, &base))
		fact_set(&layout->page_offset_base, base, ORIGIN);
	if (!layout->page_offset_base.origin || !layout->max_pfn.origin)
		return;
	base = layout->page_offset_base.value + (layout->max_pfn.value << 12);
	/* The first page of the area is taken at boot and stays. */
	if (!layout->vmalloc_base.origin && find_mapped(kernel, (base + GIB - 1) & ~(GIB - 1), &range))
		fact_set(&layout->vmalloc_base, range.virtual_start & ~(GIB - 1), ORIGIN);
	/* Frame 0 is RAM's, so the array is mapped from its start. */
	if (!layout->vmemmap_base.origin && layout->vmalloc_base.origin &&
	    find_mapped(kernel, layout->vmalloc_base.value + vmalloc_size, &range) &&
	    range.virtual_start % GIB == 0)
		fact_set(&layout->vmemmap_base, range.virtual_start, ORIGIN);
}
