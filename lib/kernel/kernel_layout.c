// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Memory bases, CPUs, nodes and the banner of a kernel whose image is found. The variables are read by name.
 * Where names of data are hidden (no KALLSYMS_ALL), VMCOREINFO, registers, page tables and the running
 * machine's own files fill in.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "kernel_open.h"
#include "kernel_symbols.h"
#include "kernel_types.h"
#include "vmcoreinfo.h"

#define CPUS_MAX 8192 /* NR_CPUS_RANGE_END */
#define NODES_MAX 1024
#define KERNEL_HALF 0xff00000000000000ULL /* with 5 levels; with 4 it is higher */

static void take_variable(struct kernel *kernel, struct kernel_fact *fact, const char *name, const char *origin)
{
	uint64_t address, value;

	if (fact->origin || kernel_read_variable(kernel, name, sizeof(value), &value) || !value)
		return;
	fact_set(fact, value, kernel_symbol(kernel, name, &address) ? "source" : origin);
}

void kernel_find_direct_map(struct kernel *kernel)
{
	take_variable(kernel, &kernel->layout.page_offset_base, "page_offset_base",
		      "variable page_offset_base");
}

static void take_vmcoreinfo(struct kernel *kernel)
{
	struct kernel_layout *layout = &kernel->layout;
	uint64_t address;
	int64_t number;

	if (!kernel->vmcoreinfo)
		return;
	if (!vmcoreinfo_number(kernel->vmcoreinfo, "VMALLOC_START", &number))
		fact_set(&layout->vmalloc_base, number, "VMCOREINFO");
	/* 6.12 on; before, vmemmap was no symbol in it. */
	if (!vmcoreinfo_symbol(kernel->vmcoreinfo, "vmemmap", &address) && address >= KERNEL_HALF)
		fact_set(&layout->vmemmap_base, address, "VMCOREINFO");
	if (!vmcoreinfo_entry(kernel->vmcoreinfo, "SIZE", "page", &number) && number >= 32 && number <= 256)
		kernel->page_struct_size = number;
}

static void find_bases(struct kernel *kernel)
{
	struct kernel_layout *layout = &kernel->layout;
	const struct memory_source *source = kernel->source;
	uint64_t end = 0;

	kernel_find_direct_map(kernel);
	take_variable(kernel, &layout->vmalloc_base, "vmalloc_base", "variable vmalloc_base");
	take_variable(kernel, &layout->vmemmap_base, "vmemmap_base", "variable vmemmap_base");
	take_variable(kernel, &layout->max_pfn, "max_pfn", "variable max_pfn");
	take_vmcoreinfo(kernel);
	for (size_t i = 0; i < source->ram_count; i++)
		if (source->ram[i].start + source->ram[i].size > end)
			end = source->ram[i].start + source->ram[i].size;
	if (end)
		fact_set(&layout->max_pfn, end >> 12, "the source's RAM");
}

/* Offsets of impossible CPUs are left as the image has them, or as a hotplug left them: not for use. */
static void clear_holes(struct kernel *kernel, uint64_t *offsets, size_t count)
{
	uint64_t mask[CPUS_MAX / 64], address;
	bool has_mask = !kernel_symbol(kernel, "__cpu_possible_mask", &address) &&
			!kernel_read(kernel, address, mask, (count + 63) / 64 * 8);

	for (size_t cpu = 0; cpu < count; cpu++)
		if (has_mask && !(mask[cpu / 64] >> (cpu % 64) & 1))
			offsets[cpu] = 0;
}

static bool read_percpu_offsets(struct kernel *kernel)
{
	CLEANUP(free) uint64_t *offsets = NULL;
	uint64_t address, count;

	if (kernel_symbol(kernel, "__per_cpu_offset", &address) ||
	    kernel_read_variable(kernel, "nr_cpu_ids", 4, &count) || !count || count > CPUS_MAX)
		return false;
	offsets = calloc(count, sizeof(*offsets));
	if (!offsets || kernel_read(kernel, address, offsets, count * sizeof(*offsets)))
		return false;
	clear_holes(kernel, offsets, count);
	kernel->percpu_offsets = TAKE_PTR(offsets);
	kernel->percpu_origin = "variable __per_cpu_offset";
	kernel->cpu_count = count;
	return true;
}

static bool copy_percpu_offsets(struct kernel *kernel)
{
	const struct memory_source *source = kernel->source;
	uint64_t *offsets;

	if (!source->percpu_count)
		return false;
	offsets = malloc(source->percpu_count * sizeof(*offsets));
	if (!offsets)
		return false;
	memcpy(offsets, source->percpu_offsets, source->percpu_count * sizeof(*offsets));
	kernel->percpu_offsets = offsets;
	kernel->percpu_origin = "source";
	kernel->cpu_count = source->percpu_count;
	return true;
}

/* GS is the CPU's offset in kernel mode; in user mode the other one is. */
static void take_gs_bases(struct kernel *kernel)
{
	const struct memory_source *source = kernel->source;
	uint64_t *offsets = source->cpu_count ? calloc(source->cpu_count, sizeof(*offsets)) : NULL;
	size_t known = 0;

	if (!offsets)
		return;
	for (size_t i = 0; i < source->cpu_count; i++) {
		const struct cpu_registers *cpu = &source->cpus[i];

		if (cpu->gs_base >= KERNEL_HALF)
			offsets[i] = cpu->gs_base;
		else if (cpu->kernel_gs_base >= KERNEL_HALF)
			offsets[i] = cpu->kernel_gs_base;
		known += offsets[i] != 0;
	}
	if (!known) {
		free(offsets);
		return;
	}
	kernel->percpu_offsets = offsets;
	kernel->percpu_origin = "GS base";
	kernel->cpu_count = source->cpu_count;
}

/* Highest possible node and one, from "0", "0-3" or "0,2". */
static size_t count_running_nodes(void)
{
	CLEANUP(fclose) FILE *file = fopen("/sys/devices/system/node/possible", "re");
	char text[4096];
	const char *last;

	if (!file || !fgets(text, sizeof(text), file))
		return 0;
	last = text + strlen(text);
	while (last > text && !strchr(",-", last[-1]))
		last--;
	return strtoul(last, NULL, 10) + 1;
}

/* One past the last pointer of node_data. */
static size_t count_node_data(struct kernel *kernel)
{
	uint64_t address, nodes[NODES_MAX];
	int64_t length;
	size_t count = 0;

	if (!kernel->vmcoreinfo || vmcoreinfo_symbol(kernel->vmcoreinfo, "node_data", &address) ||
	    vmcoreinfo_entry(kernel->vmcoreinfo, "LENGTH", "node_data", &length) || length <= 0 ||
	    length > NODES_MAX || kernel_read(kernel, address, nodes, length * sizeof(*nodes)))
		return 0;
	for (int64_t i = 0; i < length; i++)
		if (nodes[i])
			count = i + 1;
	return count;
}

static bool take_nodes(struct kernel *kernel, size_t count, const char *origin)
{
	if (!count || count > NODES_MAX)
		return false;
	kernel->node_count = count;
	kernel->node_origin = origin;
	return true;
}

static void find_nodes(struct kernel *kernel)
{
	uint64_t count;

	if ((!kernel_read_variable(kernel, "nr_node_ids", 4, &count) &&
	     take_nodes(kernel, count, "variable nr_node_ids")) ||
	    take_nodes(kernel, count_node_data(kernel), "VMCOREINFO node_data") ||
	    (kernel->source->is_this_machine &&
	     take_nodes(kernel, count_running_nodes(), "/sys/devices/system/node")))
		return;
	/* nr_node_ids is the constant 1 without NUMA. */
	take_nodes(kernel, 1, "no variable nr_node_ids");
}

static void find_release(struct kernel *kernel)
{
	if (kernel->vmcoreinfo &&
	    !vmcoreinfo_text(kernel->vmcoreinfo, "OSRELEASE", kernel->release, sizeof(kernel->release)))
		return;
	if (kernel->banner[0])
		snprintf(kernel->release, sizeof(kernel->release), "%.*s",
			 (int)strcspn(kernel->banner + strlen(KERNEL_BANNER_START), " "),
			 kernel->banner + strlen(KERNEL_BANNER_START));
}

void kernel_find_layout(struct kernel *kernel)
{
	find_bases(kernel);
	kernel_find_regions(kernel);
	if (!copy_percpu_offsets(kernel) && !read_percpu_offsets(kernel))
		take_gs_bases(kernel);
	find_nodes(kernel);
	kernel_find_banner(kernel);
	find_release(kernel);
}
