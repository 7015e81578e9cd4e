/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The kernel's stack depot (lib/stackdepot.c): stacks by handle, as slub_debug=U, page_owner and KASAN store them. */
#ifndef DILL_STACK_DEPOT_H
#define DILL_STACK_DEPOT_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "kernel_types.h"

struct kernel;

struct stack_depot {
	struct field handle_pool, handle_offset; /* bit-fields of union handle_parts */
	struct field record_size;
	uint32_t record_entries; /* offset of the addresses */
	uint64_t pools;          /* stack_pools[], before 6.3 (94b7d32855ea) stack_slabs[] */
	bool counts_from_one;    /* pool_index_plus_1: 6.9 */
};

/* -ENOENT: this kernel has no stack depot. */
int stack_depot_open(struct kernel *kernel, struct stack_depot *ret_depot, struct error *err);

#define STACK_DEPOT_DEPTH 64 /* CONFIG_STACKDEPOT_MAX_FRAMES is 64 */

/* The return addresses behind @handle, innermost first. -ENOENT: 0 handle; -EFAULT, -EBADMSG. */
int stack_depot_read(struct kernel *kernel, const struct stack_depot *depot, uint32_t handle,
		     uint64_t *ret_addresses, size_t *ret_count);

#endif
