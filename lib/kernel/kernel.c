// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Opening and closing a kernel: the order of the steps that kernel_open.h lists. */
#include "kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel_open.h"
#include "kernel_symbols.h"
#include "kernel_types.h"
#include "live_hidden.h"
#include "page_cache.h"
#include "page_table.h"
#include "slub_process.h"

#define PAGE_STRUCT_SIZE 64 /* on every x86-64 kernel seen; VMCOREINFO or types correct it */

DEFINE_CLEANUP(kernel, struct kernel *, kernel_close(v));

void kernel_close(struct kernel *kernel)
{
	if (!kernel)
		return;
	kernel_symbols_destroy(kernel->symbols);
	kernel_types_close(kernel->types);
	slub_process_destroy(kernel->process);
	page_cache_destroy(kernel->cache);
	free(kernel->page_table);
	free((void *)kernel->percpu_offsets);
	free(kernel->vmcoreinfo);
	memory_source_close(kernel->source);
	free(kernel);
}

int kernel_create(struct memory_source *source, struct kernel **ret_kernel, struct error *err)
{
	CLEANUP(kernel) struct kernel *kernel = calloc(1, sizeof(*kernel));

	if (!kernel) {
		memory_source_close(source);
		return error_set(err, -ENOMEM, "out of memory");
	}
	kernel->source = source;
	kernel->generation = source->generation;
	kernel->page_struct_size = PAGE_STRUCT_SIZE;
	if (page_cache_create(source, CACHE_PAGES_MAX, &kernel->cache) ||
	    kernel_symbols_create(&kernel->symbols))
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < source->symbol_count; i++)
		if (kernel_symbols_add(kernel->symbols, source->symbols[i].name, source->symbols[i].address))
			return error_set(err, -ENOMEM, "out of memory");
	*ret_kernel = TAKE_PTR(kernel);
	return 0;
}

/*
 * A dump's headers may map less than the kernel does, so the kernel's own tables come first. A running kernel
 * follows its tables itself, and better.
 */
static void choose_reads(struct kernel *kernel)
{
	const struct memory_source *source = kernel->source;

	kernel->is_translating = kernel->page_table && source->has_space[SPACE_PHYSICAL] &&
				 !(source->is_live && source->has_space[SPACE_VIRTUAL]);
}

static void find_symbols(struct kernel *kernel)
{
	kernel_symbols_add_kallsyms(kernel->symbols, kernel, NULL);
	if (kernel->source->is_this_machine)
		kernel_symbols_add_running(kernel->symbols, NULL);
}

/* What can't be had now is missed by whoever asks for a type: some commands need none. */
static void find_types(struct kernel *kernel)
{
	size_t size;

	if (!kernel->types && kernel->source->is_this_machine)
		kernel_types_open_file("/sys/kernel/btf/vmlinux", &kernel->types, NULL);
	if (!kernel->types)
		kernel_types_open_memory(kernel, &kernel->types, NULL);
	size = kernel->types && !kernel->vmcoreinfo ? kernel_sizeof(kernel->types, "page") : 0;
	if (size)
		kernel->page_struct_size = size;
}

int kernel_open(struct memory_source *source, const struct kernel_files *files, struct kernel **ret_kernel,
		struct error *err)
{
	CLEANUP(kernel) struct kernel *kernel = NULL;
	int status = kernel_create(source, &kernel, err);

	if (status)
		return status;
	status = kernel_find_image(kernel, err);
	if (status)
		return status;
	choose_reads(kernel);
	find_symbols(kernel);
	status = files ? kernel_use_files(kernel, files, err) : 0;
	if (status)
		return status;
	kernel_refine_image(kernel);
	choose_reads(kernel);
	kernel_find_layout(kernel);
	find_types(kernel);
	if (source->is_this_machine && kernel->types)
		live_find_hidden(kernel);
	if (kernel->reader.code)
		return error_set(err, kernel->reader.code, "%s", kernel->reader.text);
	if (source->is_live) /* what is looked at now should be of now */
		kernel_forget(kernel);
	*ret_kernel = TAKE_PTR(kernel);
	return 0;
}
