// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Places, from the most particular to the widest. Documentation/arch/x86/x86_64/mm.rst has the map of the
 * address space; with KASLR the bases of direct map, vmalloc space and struct pages are where the kernel's
 * variables say.
 */
#include "address_info.h"

#include <errno.h>
#include <string.h>

#include "kernel.h"
#include "kernel_types.h"

#define TERABYTE (UINT64_C(1) << 40)
#define MODULES_END UINT64_C(0xffffffffff000000)

const char *const address_region_names[ADDRESS_REGIONS + 1] = {
	[ADDRESS_NON_CANONICAL] = "non_canonical",
	[ADDRESS_USER] = "user",
	[ADDRESS_IMAGE] = "image",
	[ADDRESS_MODULE] = "module",
	[ADDRESS_PERCPU] = "percpu",
	[ADDRESS_DIRECT] = "direct",
	[ADDRESS_VMALLOC] = "vmalloc",
	[ADDRESS_STRUCT_PAGE] = "struct_page",
	[ADDRESS_FIXED] = "fixed",
	[ADDRESS_UNKNOWN] = "unknown",
};

static uint64_t symbol_or_zero(struct kernel *kernel, const char *name)
{
	uint64_t address;

	return kernel_symbol(kernel, name, &address) ? 0 : address;
}

/* Sections by the linker's marks, each from its begin to its end. */
static const char *section_of(struct kernel *kernel, uint64_t address)
{
	static const struct {
		const char *name, *begin, *end;
	} sections[] = {
		{ "text", "_text", "_etext" },          { "rodata", "__start_rodata", "__end_rodata" },
		{ "init", "__init_begin", "__init_end" }, { "bss", "__bss_start", "__bss_stop" },
		{ "data", "_sdata", "_edata" },
	};

	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++) {
		uint64_t begin = symbol_or_zero(kernel, sections[i].begin),
			 end = symbol_or_zero(kernel, sections[i].end);

		if (begin && address >= begin && address < end)
			return sections[i].name;
	}
	return NULL;
}

static bool in_image(struct kernel *kernel, uint64_t address)
{
	uint64_t base = kernel->layout.base.value, end = symbol_or_zero(kernel, "_end");

	/* Without _end: what a kernel with data of 64 MiB takes at most. */
	return kernel->layout.base.origin && address >= base &&
	       address < (end > base ? end : base + (64 << 20));
}

/* Bytes of a CPU's unit in the first chunk. */
static uint64_t unit_size(struct kernel *kernel, uint64_t *ret_start)
{
	uint64_t start = symbol_or_zero(kernel, "__per_cpu_start"),
		 end = symbol_or_zero(kernel, "__per_cpu_end"), size;

	*ret_start = start;
	if (!kernel_read_variable(kernel, "pcpu_unit_size", 4, &size) && size && size <= (64 << 20))
		return size;
	return end > start ? end - start : 0;
}

static bool find_percpu(struct kernel *kernel, uint64_t address, struct address_info *info)
{
	uint64_t start, size = unit_size(kernel, &start);

	for (size_t cpu = 0; cpu < kernel->cpu_count; cpu++) {
		uint64_t unit = kernel->percpu_offsets[cpu] + start;

		if (!kernel->percpu_offsets[cpu] || address - unit >= size)
			continue;
		info->region = ADDRESS_PERCPU;
		info->cpu = cpu;
		info->percpu_pointer = address - kernel->percpu_offsets[cpu];
		return true;
	}
	return false;
}

/*
 * Further chunks lie in vmalloc space, a unit for each CPU one after the other; distances are those of the
 * first chunk (pcpu_unit_offsets). With one group of CPUs the area begins with the unit of the lowest.
 */
static void find_percpu_chunk(struct kernel *kernel, uint64_t address, struct address_info *info)
{
	uint64_t start, size = unit_size(kernel, &start), lowest = UINT64_MAX, offset;
	char caller[64];

	if (!info->area.caller || !size ||
	    kernel_symbol_at(kernel, info->area.caller, caller, sizeof(caller), &offset) ||
	    strncmp(caller, "pcpu_", 5))
		return;
	info->is_percpu_chunk = true;
	info->region = ADDRESS_PERCPU;
	info->cpu = UINT64_MAX;
	for (size_t cpu = 0; cpu < kernel->cpu_count; cpu++)
		if (kernel->percpu_offsets[cpu] && kernel->percpu_offsets[cpu] < lowest)
			lowest = kernel->percpu_offsets[cpu];
	for (size_t cpu = 0; cpu < kernel->cpu_count; cpu++) {
		uint64_t unit = info->area.start + kernel->percpu_offsets[cpu] - lowest;

		if (!kernel->percpu_offsets[cpu] || address - unit >= size)
			continue;
		info->cpu = cpu;
		info->percpu_pointer = address - kernel->percpu_offsets[cpu];
		return;
	}
}

static void name_symbol(struct kernel *kernel, uint64_t address, struct address_info *info)
{
	if (kernel_symbol_at(kernel, address, info->symbol, sizeof(info->symbol), &info->symbol_offset))
		info->symbol[0] = 0;
}

/* Into the array of struct pages, at a struct's begin or inside. */
static bool find_struct_page(struct kernel *kernel, uint64_t address, struct address_info *info)
{
	size_t size = kernel_sizeof(kernel->types, "page");
	uint64_t first;

	if (!size || kernel_pfn_to_page(kernel, 0, &first) || address < first)
		return false;
	info->page_offset = (address - first) % size;
	return !kernel_page_to_pfn(kernel, address - info->page_offset, &info->pfn);
}

static void find_region(struct kernel *kernel, uint64_t address, struct address_info *info)
{
	uint64_t vmalloc = kernel->layout.vmalloc_base.value;
	bool has_five = kernel->layout.paging_levels.value == 5;
	unsigned int bits = has_five ? 56 : 47;
	uint64_t vmalloc_size = (has_five ? 12800 : 32) * TERABYTE;

	info->region = ADDRESS_UNKNOWN;
	if (address >> bits == 0)
		info->region = ADDRESS_USER;
	else if ((int64_t)(address << (63 - bits)) >> (63 - bits) != (int64_t)address)
		info->region = ADDRESS_NON_CANONICAL;
	else if (in_image(kernel, address))
		info->region = ADDRESS_IMAGE;
	else if (!kernel_module_at(kernel, address, &info->module, NULL))
		info->region = ADDRESS_MODULE;
	else if (find_percpu(kernel, address, info))
		;
	else if (find_struct_page(kernel, address, info))
		info->region = ADDRESS_STRUCT_PAGE;
	else if (!kernel_direct_to_physical(kernel, address, &info->physical))
		info->region = ADDRESS_DIRECT;
	else if (kernel->layout.vmalloc_base.origin && address >= vmalloc && address - vmalloc < vmalloc_size)
		info->region = ADDRESS_VMALLOC;
	else if (address >= MODULES_END || address >> 39 == 0x1fffffc || address >> 39 == 0x1fffffe)
		info->region = ADDRESS_FIXED; /* fixmap; cpu_entry_area at fffffe0000000000; espfix at
						 ffffff0000000000 */
}

int address_info_read(struct kernel *kernel, uint64_t address, struct address_info *ret_info)
{
	struct address_info info = { .address = address };
	uint8_t byte;

	find_region(kernel, address, &info);
	switch (info.region) {
	case ADDRESS_IMAGE:
		info.section = section_of(kernel, address);
		name_symbol(kernel, address, &info);
		break;
	case ADDRESS_MODULE:
		name_symbol(kernel, address, &info);
		vmalloc_find(kernel, address, &info.area, NULL);
		break;
	case ADDRESS_UNKNOWN: /* the modules' space has areas of others too: compiled BPF programs, trampolines */
		if (!vmalloc_find(kernel, address, &info.area, NULL))
			info.region = ADDRESS_VMALLOC;
		break;
	case ADDRESS_PERCPU:
		/* Dynamic ones lie behind the static ones, where no symbol is. */
		if (info.percpu_pointer < symbol_or_zero(kernel, "__per_cpu_end"))
			name_symbol(kernel, info.percpu_pointer, &info);
		break;
	case ADDRESS_VMALLOC:
		if (!vmalloc_find(kernel, address, &info.area, NULL))
			find_percpu_chunk(kernel, address, &info);
		break;
	default:
		break;
	}
	info.has_physical = info.region > ADDRESS_USER && info.region != ADDRESS_UNKNOWN &&
			    !kernel_translate(kernel, address, &info.physical, &info.page_size);
	info.is_mapped = info.has_physical || !kernel_read(kernel, address, &byte, 1);
	*ret_info = info;
	return 0;
}
