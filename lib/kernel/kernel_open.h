/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The steps of kernel_open(), which share this header and nothing else does. Each fills in what it finds, and
 * leaves alone what an earlier, better way has found.
 */
#ifndef DILL_KERNEL_OPEN_H
#define DILL_KERNEL_OPEN_H

#include "kernel.h"

/* Documentation/arch/x86/x86_64/mm.rst. */
#define START_KERNEL_MAP 0xffffffff80000000ULL /* __START_KERNEL_map */
#define LINK_BASE 0xffffffff81000000ULL        /* _text without KASLR */
#define KERNEL_IMAGE_SIZE 0x40000000ULL        /* KASLR moves within it */
#define IMAGE_STEP 0x200000ULL                 /* _text is aligned to this */

/* kernel.c: a kernel that knows its source and nothing else. Takes @source over, closes it on failure. */
int kernel_create(struct memory_source *source, struct kernel **ret_kernel, struct error *err);

/* kernel_read.c: physical_read_fn over the page cache; @context is the kernel. */
int kernel_read_table(void *context, uint64_t address, void *buffer, size_t size);

/* Set @fact, unless it is known already. */
static inline void fact_set(struct kernel_fact *fact, uint64_t value, const char *origin)
{
	if (!fact->origin)
		*fact = (struct kernel_fact){ value, origin };
}

/*
 * kernel_image.c: where the image lies and the page tables that map it, from what the source says, the
 * registers, VMCOREINFO in RAM, the shape of page tables; in this order. -EBADMSG: no kernel was found, and
 * the message says what was tried.
 */
int kernel_find_image(struct kernel *kernel, struct error *err);
/* VMCOREINFO's word on the image. Taken only if the page tables that it names map the image where it says. */
bool kernel_try_vmcoreinfo(struct kernel *kernel, const char *text, const char *origin);
/* Page tables by their root, if they map an image. @levels 0: whatever fits. */
bool kernel_try_root(struct kernel *kernel, uint64_t root, unsigned levels, const char *origin);
/* Once symbols are known: the kernel's own table instead of a process's, and VMCOREINFO's page. */
void kernel_refine_image(struct kernel *kernel);

/* kernel_ram_scan.c: the same by looking at every page of RAM; the last resort. True when found. */
bool kernel_scan_vmcoreinfo(struct kernel *kernel);
bool kernel_scan_page_tables(struct kernel *kernel);

/* kernel_banner.c: once. */
#define KERNEL_BANNER_START "Linux version "
void kernel_find_banner(struct kernel *kernel);

/* kernel_layout.c: memory bases, CPUs, nodes, banner; from symbols, VMCOREINFO, page tables. */
void kernel_find_layout(struct kernel *kernel);
/* Of these, what the variable page_offset_base says. */
void kernel_find_direct_map(struct kernel *kernel);

/* kernel_regions.c: memory bases that are not known yet, by the page tables alone. */
void kernel_find_regions(struct kernel *kernel);

/* kernel_files.c: symbols and types out of what the user gave, checked; -EBADMSG for another kernel's. */
int kernel_use_files(struct kernel *kernel, const struct kernel_files *files, struct error *err);

#endif
