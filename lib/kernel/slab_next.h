/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What a CPU will hand out next, in the order of the allocator's paths: main sheaf (last in, first out),
 * spare, barn; or lockless freelist, the CPU slab's own freelist, CPU partial slabs; then node partial slabs.
 * Holds as long as nothing is freed meanwhile. What comes after that (new slabs) can't be known.
 */
#ifndef DILL_SLAB_NEXT_H
#define DILL_SLAB_NEXT_H

#include "slab_state.h"

struct slab_next {
	uint64_t address;
	uint64_t slab; /* struct slab, 0 when unknown */
	uint8_t from;  /* enum slab_object_state: where it waits now */
	bool is_certain; /* false: from a node's list, whose order other CPUs may change */
};

/* Up to @count objects, owned by the caller. @ret_count may be smaller. -ENOENT: no such CPU. */
int slab_next_objects(struct slab_heap *heap, uint32_t cache, uint32_t cpu, size_t count,
		      struct slab_next **ret_objects, size_t *ret_count, struct error *err);

#endif
