/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The areas of vmalloc space (mm/vmalloc.c), found by address. */
#ifndef DILL_VMALLOC_H
#define DILL_VMALLOC_H

#include <stdint.h>

#include "error.h"

struct kernel;

struct vmalloc_area {
	uint64_t start, end; /* guard page included */
	uint64_t vm_struct;  /* 0: none (vm_map_ram) */
	uint64_t size;       /* as asked for, with the guard page */
	uint64_t flags, caller, physical;
	uint32_t page_count;
};

/*
 * The area that covers @address. The trees are searched: vmap_area_root, or since 6.9 (d093602919ad) those of
 * vmap_nodes[]. -ENOENT: none; or the symbols are missing, which the message tells.
 */
int vmalloc_find(struct kernel *kernel, uint64_t address, struct vmalloc_area *ret_area, struct error *err);

#endif
