// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Finds the kernel's image: where _text is, virtually and physically, and page tables that map it. Whatever
 * names a place is a claim. It counts once the page tables agree: those map the image, at a multiple of 2 MiB
 * from __START_KERNEL_map on, and at least two things between the direct map and the CPU entry area.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "kernel_open.h"
#include "kernel_symbols.h"
#include "page_table.h"
#include "vmcoreinfo.h"

#define CR4_LA57 (1ULL << 12)
#define CR3_ADDRESS 0x000ffffffffff000ULL
/* The user half's copy under page table isolation lies one page above the kernel's own. */
#define PTI_USER_TABLE 0x1000ULL
#define KERNEL_HALF 256
/* Top-level entries from here on: CPU entry area, espfix, EFI, the image. */
#define CPU_ENTRY_AREA_INDEX 507

/* Direct map, vmalloc area and struct page array take an entry each; a user table has none of them. */
static bool has_kernel_half(struct kernel *kernel, uint64_t root)
{
	uint64_t entries[512 - KERNEL_HALF];
	size_t present = 0;

	if (kernel_read_table(kernel, root + 8 * KERNEL_HALF, entries, sizeof(entries)))
		return false;
	for (size_t i = 0; i < CPU_ENTRY_AREA_INDEX - KERNEL_HALF; i++)
		present += entries[i] & 1;
	return present >= 2;
}

/* The first 2 MiB step of the image's range that is mapped: _text. */
static bool find_text(struct page_table *table, uint64_t *ret_base, uint64_t *ret_physical)
{
	for (uint64_t base = START_KERNEL_MAP; base - START_KERNEL_MAP < KERNEL_IMAGE_SIZE; base += IMAGE_STEP) {
		if (page_table_walk(table, base, ret_physical, NULL))
			continue;
		*ret_base = base;
		return true;
	}
	return false;
}

static struct page_table *new_table(struct kernel *kernel, uint64_t root, unsigned levels)
{
	struct page_table *table = malloc(sizeof(*table));

	if (table)
		page_table_init(table, root, levels, kernel_read_table, kernel);
	return table;
}

static void take_image(struct kernel *kernel, uint64_t base, uint64_t phys_base, const char *origin)
{
	fact_set(&kernel->layout.base, base, origin);
	fact_set(&kernel->layout.kaslr_offset, kernel->layout.base.value - LINK_BASE,
		 kernel->layout.base.origin);
	fact_set(&kernel->layout.phys_base, phys_base, origin);
}

static void take_table(struct kernel *kernel, struct page_table *table, const char *origin)
{
	free(kernel->page_table);
	kernel->page_table = table;
	kernel->layout.page_table = (struct kernel_fact){ table->root, origin };
	kernel->layout.paging_levels = (struct kernel_fact){ table->levels, origin };
}

bool kernel_try_root(struct kernel *kernel, uint64_t root, unsigned levels, const char *origin)
{
	unsigned from = levels ? levels : 4, to = levels ? levels : 5;

	if (!has_kernel_half(kernel, root))
		return false;
	for (levels = to; levels >= from; levels--) {
		struct page_table *table = new_table(kernel, root, levels);
		uint64_t base, physical;

		if (!table)
			return false;
		if (find_text(table, &base, &physical) &&
		    (!kernel->layout.base.origin || kernel->layout.base.value == base)) {
			take_image(kernel, base, physical - (base - START_KERNEL_MAP), origin);
			take_table(kernel, table, origin);
			return true;
		}
		free(table);
	}
	return false;
}

/* CR3 of each CPU; of one that was stopped in user mode, the kernel's table beside it. */
static bool try_registers(struct kernel *kernel)
{
	const struct memory_source *source = kernel->source;

	for (size_t i = 0; i < source->cpu_count; i++) {
		const struct cpu_registers *cpu = &source->cpus[i];
		uint64_t root = cpu->cr3 & CR3_ADDRESS;
		unsigned levels = cpu->cr4 & CR4_LA57 ? 5 : 4;

		if (!root)
			continue;
		if (!cpu->cr4)
			levels = 0;
		if (kernel_try_root(kernel, root, levels, "CR3") ||
		    (root & PTI_USER_TABLE &&
		     kernel_try_root(kernel, root & ~PTI_USER_TABLE, levels, "CR3 of user mode")))
			return true;
	}
	return false;
}

/* Where VMCOREINFO says that the image and its table are. */
struct image_claim {
	uint64_t base, phys_base, root;
	unsigned levels;
};

static bool read_claim(const char *text, struct image_claim *ret_claim)
{
	struct image_claim claim = { .levels = 4 };
	uint64_t stext, offset, table;
	int64_t number;

	if (vmcoreinfo_number(text, "phys_base", &number))
		return false;
	claim.phys_base = number;
	if (!vmcoreinfo_symbol(text, "_stext", &stext))
		claim.base = stext & ~(IMAGE_STEP - 1);
	else if (!vmcoreinfo_kernel_offset(text, &offset))
		claim.base = LINK_BASE + offset;
	else
		return false;
	if (claim.base < START_KERNEL_MAP)
		return false;
	if (vmcoreinfo_symbol(text, "swapper_pg_dir", &table) && vmcoreinfo_symbol(text, "init_top_pgt", &table))
		return false;
	claim.root = table - START_KERNEL_MAP + claim.phys_base;
	if (!vmcoreinfo_number(text, "pgtable_l5_enabled", &number) && number)
		claim.levels = 5;
	*ret_claim = claim;
	return true;
}

/* True when @table maps @base to where @phys_base says. */
static bool maps_image(struct page_table *table, uint64_t base, uint64_t phys_base)
{
	uint64_t physical;

	return !page_table_walk(table, base, &physical, NULL) && physical == base - START_KERNEL_MAP + phys_base;
}

static void keep_vmcoreinfo(struct kernel *kernel, const char *text, const char *origin)
{
	char *copy = strdup(text);

	if (!copy)
		return;
	free(kernel->vmcoreinfo);
	kernel->vmcoreinfo = copy;
	kernel->vmcoreinfo_origin = origin;
}

bool kernel_try_vmcoreinfo(struct kernel *kernel, const char *text, const char *origin)
{
	struct image_claim claim;
	struct page_table *table;

	if (!read_claim(text, &claim) ||
	    (kernel->layout.base.origin && kernel->layout.base.value != claim.base))
		return false;
	/* Physical memory is out of reach: nothing to hold it against, but the source is the kernel itself. */
	if (!kernel->source->has_space[SPACE_PHYSICAL]) {
		take_image(kernel, claim.base, claim.phys_base, origin);
		fact_set(&kernel->layout.page_table, claim.root, origin);
		fact_set(&kernel->layout.paging_levels, claim.levels, origin);
		keep_vmcoreinfo(kernel, text, origin);
		return true;
	}
	table = new_table(kernel, claim.root, claim.levels);
	if (!table)
		return false;
	if (!maps_image(table, claim.base, claim.phys_base) || !has_kernel_half(kernel, claim.root)) {
		free(table);
		return false;
	}
	take_image(kernel, claim.base, claim.phys_base, origin);
	take_table(kernel, table, origin);
	keep_vmcoreinfo(kernel, text, origin);
	return true;
}

/* A dump's headers: the lowest mapping in the image's range begins with _text. */
static bool try_mappings(struct kernel *kernel)
{
	const struct memory_source *source = kernel->source;
	const struct memory_mapping *lowest = NULL;

	for (size_t i = 0; i < source->mapping_count; i++) {
		const struct memory_mapping *mapping = &source->mappings[i];

		if (mapping->virtual_start >= START_KERNEL_MAP &&
		    mapping->virtual_start - START_KERNEL_MAP < KERNEL_IMAGE_SIZE &&
		    (!lowest || mapping->virtual_start < lowest->virtual_start))
			lowest = mapping;
	}
	if (!lowest || lowest->virtual_start % IMAGE_STEP)
		return false;
	take_image(kernel, lowest->virtual_start,
		   lowest->physical_start - (lowest->virtual_start - START_KERNEL_MAP), "the dump's headers");
	return true;
}

/* A live kernel that is read by its own addresses. */
static bool try_symbols(struct kernel *kernel)
{
	uint64_t base, phys_base;

	if (!kernel->source->has_space[SPACE_VIRTUAL] || (kernel_symbols_find(kernel->symbols, "_text", &base) &&
							  kernel_symbols_find(kernel->symbols, "_stext", &base)))
		return false;
	fact_set(&kernel->layout.base, base & ~(IMAGE_STEP - 1), "symbol _text");
	fact_set(&kernel->layout.kaslr_offset, kernel->layout.base.value - LINK_BASE, "symbol _text");
	if (!kernel_read_variable(kernel, "phys_base", sizeof(phys_base), &phys_base))
		fact_set(&kernel->layout.phys_base, phys_base, "variable phys_base");
	return true;
}

int kernel_find_image(struct kernel *kernel, struct error *err)
{
	const struct memory_source *source = kernel->source;
	bool is_physical = source->has_space[SPACE_PHYSICAL];

	if (source->vmcoreinfo && kernel_try_vmcoreinfo(kernel, source->vmcoreinfo, "VMCOREINFO"))
		return 0;
	if (is_physical && try_registers(kernel))
		return 0;
	if (source->has_space[SPACE_VIRTUAL] && (try_mappings(kernel) || try_symbols(kernel)))
		return 0;
	if (is_physical && (kernel_scan_vmcoreinfo(kernel) || kernel_scan_page_tables(kernel)))
		return 0;
	if (kernel->reader.code)
		return error_set(err, kernel->reader.code, "%s", kernel->reader.text);
	return error_set(err, -EBADMSG, "no x86-64 Linux kernel found: looked %s",
			 is_physical ? "at registers, for VMCOREINFO and for page tables in all of RAM"
				     : "for VMCOREINFO and for the address of _text");
}

/* Where the kernel's own top-level table is, and who says so. */
static const char *find_own_root(struct kernel *kernel, uint64_t *ret_root)
{
	const struct kernel_layout *layout = &kernel->layout;
	uint64_t symbol;

	if (layout->phys_base.origin && !kernel_symbol(kernel, "init_top_pgt", &symbol)) {
		*ret_root = symbol - START_KERNEL_MAP + layout->phys_base.value;
		return "symbol init_top_pgt";
	}
	*ret_root = layout->page_table.value;
	return layout->page_table.origin;
}

static unsigned own_levels(struct kernel *kernel)
{
	uint64_t l5 = 0;

	if (kernel->layout.paging_levels.origin)
		return kernel->layout.paging_levels.value;
	kernel_read_variable(kernel, "__pgtable_l5_enabled", 4, &l5);
	return l5 ? 5 : 4;
}

/* It maps what a process's does, and stays when the process ends. */
static void use_own_table(struct kernel *kernel)
{
	struct kernel_layout *layout = &kernel->layout;
	struct page_table *table;
	uint64_t root;
	const char *origin = find_own_root(kernel, &root);

	if (!origin || !layout->phys_base.origin || (kernel->page_table && kernel->page_table->root == root))
		return;
	/* Without physical memory, tables are read through the direct map. */
	kernel_find_direct_map(kernel);
	if (!kernel->source->has_space[SPACE_PHYSICAL] && !layout->page_offset_base.origin)
		return;
	table = new_table(kernel, root, own_levels(kernel));
	if (!table)
		return;
	if (maps_image(table, layout->base.value, layout->phys_base.value))
		take_table(kernel, table, origin);
	else
		free(table);
}

void kernel_refine_image(struct kernel *kernel)
{
	char text[VMCOREINFO_PAGE + 1];
	uint64_t data;

	use_own_table(kernel);
	if (kernel->vmcoreinfo || kernel_read_variable(kernel, "vmcoreinfo_data", sizeof(data), &data) ||
	    kernel_read(kernel, data, text, VMCOREINFO_PAGE))
		return;
	text[VMCOREINFO_PAGE] = '\0';
	if (!strncmp(text, VMCOREINFO_MAGIC, sizeof(VMCOREINFO_MAGIC) - 1))
		keep_vmcoreinfo(kernel, text, "symbol vmcoreinfo_data");
}
