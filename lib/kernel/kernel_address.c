// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Addresses by name, by CPU, by page frame. Reads nothing but variables. */
#include <errno.h>
#include <string.h>

#include "kernel.h"
#include "kernel_symbols.h"
#include "slub_process.h"
#include "vmcoreinfo.h"

int kernel_symbol(struct kernel *kernel, const char *name, uint64_t *ret_address)
{
	int status = kernel_symbols_find(kernel->symbols, name, ret_address);

	/* VMCOREINFO names a few that kallsyms may hide: node_data, mem_section … */
	return status == -ENOENT && kernel->vmcoreinfo
		       ? vmcoreinfo_symbol(kernel->vmcoreinfo, name, ret_address)
		       : status;
}

int kernel_symbol_at(struct kernel *kernel, uint64_t address, char *name, size_t size, uint64_t *ret_offset)
{
	uint64_t start;
	int status;

	if (kernel->process)
		return slub_symbol_at(kernel, address, name, size, ret_offset);
	status = kernel_symbols_at(kernel->symbols, address, name, size, &start, NULL);
	if (!status)
		*ret_offset = address - start;
	return status;
}

int kernel_read_variable(struct kernel *kernel, const char *name, size_t size, uint64_t *ret_value)
{
	const struct memory_source *source = kernel->source;
	uint64_t address, value = 0;
	int status = kernel_symbol(kernel, name, &address);

	if (size > sizeof(value))
		return -EINVAL;
	if (!status)
		status = kernel_read(kernel, address, &value, size);
	/* What the source found out in a way of its own helps where the name is hidden. */
	for (size_t i = 0; status && i < source->value_count; i++) {
		if (strcmp(source->values[i].name, name))
			continue;
		value = source->values[i].address;
		status = 0;
	}
	if (!status)
		*ret_value = value;
	return status;
}

int kernel_percpu(struct kernel *kernel, uint64_t pointer, size_t cpu, uint64_t *ret_address)
{
	if (cpu >= kernel->cpu_count || !kernel->percpu_offsets[cpu])
		return -ENOENT;
	*ret_address = pointer + kernel->percpu_offsets[cpu];
	return 0;
}

/* As far as physical memory goes; without that, as far as x86-64 can address. */
static uint64_t pfn_limit(const struct kernel *kernel)
{
	return kernel->layout.max_pfn.origin ? kernel->layout.max_pfn.value : 1ULL << (52 - 12);
}

int kernel_direct_to_physical(const struct kernel *kernel, uint64_t address, uint64_t *ret_physical)
{
	const struct kernel_fact *base = &kernel->layout.page_offset_base;

	if (!base->origin)
		return -ENOENT;
	if (address < base->value || (address - base->value) >> 12 >= pfn_limit(kernel))
		return -EFAULT;
	*ret_physical = address - base->value;
	return 0;
}

int kernel_pfn_to_direct(const struct kernel *kernel, uint64_t pfn, uint64_t *ret_address)
{
	const struct kernel_fact *base = &kernel->layout.page_offset_base;

	if (!base->origin)
		return -ENOENT;
	if (pfn >= pfn_limit(kernel))
		return -EFAULT;
	*ret_address = base->value + (pfn << 12);
	return 0;
}

int kernel_pfn_to_page(const struct kernel *kernel, uint64_t pfn, uint64_t *ret_page)
{
	const struct kernel_fact *base = &kernel->layout.vmemmap_base;

	if (!base->origin)
		return -ENOENT;
	if (pfn >= pfn_limit(kernel))
		return -EFAULT;
	*ret_page = base->value + pfn * kernel->page_struct_size;
	return 0;
}

int kernel_page_to_pfn(const struct kernel *kernel, uint64_t page, uint64_t *ret_pfn)
{
	const struct kernel_fact *base = &kernel->layout.vmemmap_base;

	if (!base->origin)
		return -ENOENT;
	if (page < base->value || (page - base->value) / kernel->page_struct_size >= pfn_limit(kernel) ||
	    (page - base->value) % kernel->page_struct_size)
		return -EFAULT;
	*ret_pfn = (page - base->value) / kernel->page_struct_size;
	return 0;
}
