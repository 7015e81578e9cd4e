/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Which part of the address space an address belongs to, and what that part says of it. Slab objects, tasks and
 * types are asked for by whoever shows it (slab_state.h, task.h, slab_guess.h).
 */
#ifndef DILL_ADDRESS_INFO_H
#define DILL_ADDRESS_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "kernel_module.h"
#include "vmalloc.h"

struct kernel;

enum address_region {
	ADDRESS_NON_CANONICAL,
	ADDRESS_USER,
	ADDRESS_IMAGE,       /* the kernel's text and data */
	ADDRESS_MODULE,
	ADDRESS_PERCPU,      /* a CPU's copy of a per-CPU variable or allocation */
	ADDRESS_DIRECT,      /* the direct map of physical memory */
	ADDRESS_VMALLOC,
	ADDRESS_STRUCT_PAGE, /* in the array of struct pages */
	ADDRESS_FIXED,       /* fixmap, cpu_entry_area, espfix: small areas at fixed places */
	ADDRESS_UNKNOWN,
	ADDRESS_REGIONS,
};

/* "user", "image", "module", …: stable names, for JSON. */
extern const char *const address_region_names[ADDRESS_REGIONS + 1];

struct address_info {
	uint64_t address;
	enum address_region region;
	const char *section;    /* of the image: "text", "rodata", "data", "init", "bss"; NULL else */
	char symbol[512];       /* "" when none covers it */
	uint64_t symbol_offset;
	bool is_mapped;         /* the page tables or the source have memory there */
	bool has_physical;
	uint64_t physical, page_size;
	struct kernel_module module;   /* ADDRESS_MODULE */
	struct vmalloc_area area;      /* start 0: none */
	uint64_t cpu, percpu_pointer;  /* ADDRESS_PERCPU: what this_cpu_ptr() was called with */
	bool is_percpu_chunk;          /* of a chunk in vmalloc space: cpu may be UINT64_MAX, not known */
	uint64_t pfn;                  /* ADDRESS_STRUCT_PAGE: of the page that it describes */
	uint64_t page_offset;          /* …: bytes into the struct page */
};

/* Never fails for an address: what can't be told is left out. -ENOMEM. */
int address_info_read(struct kernel *kernel, uint64_t address, struct address_info *ret_info);

#endif
