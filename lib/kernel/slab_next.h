/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What a CPU will hand out next, in the order of the allocator's paths: main sheaf (last in, first out),
 * spare, barn; or lockless freelist, the CPU slab's own freelist, CPU partial slabs; then node partial slabs.
 * Holds as long as nothing is freed meanwhile. What comes after that (new slabs) can't be known. Of a node's list a CPU takes
 * several slabs at once and not in their order, which is left to libslub's model (cmd/kcache_order.c): here it is the list's.
 *
 * Damage on the way ends certainty. The allocator doesn't see it: behind a free object whose pointer was overwritten
 * it hands out what the pointer says, which is listed, and then follows what lies there, which can't be. Pointers in
 * objects that wait in a sheaf are not followed by anybody, and no damage here.
 */
#ifndef DILL_SLAB_NEXT_H
#define DILL_SLAB_NEXT_H

#include "slab_state.h"

struct slab_next {
	uint64_t address;
	uint64_t slab; /* struct slab, 0 when unknown */
	uint8_t from;  /* enum slab_object_state: where it waits now */
	uint8_t damage; /* enum slab_damage that the allocator meets before it hands this out */
	bool is_certain; /* false: behind damage, or from a node's list, whose order other CPUs may change */
};

struct slab_forecast {
	struct slab_next *objects; /* owned */
	size_t count;
	/* The first damage on the way, as in slab_finding. */
	enum slab_damage damage;
	uint64_t damaged_object; /* the object or sheaf that holds the pointer; 0: the head of a list */
	uint64_t damaged_value;  /* that pointer, decoded; 0: unknown, or none */
};

/*
 * Up to @count objects, fewer when there are no more. Of a running kernel, what looks like damage is read again, up to
 * a dozen times, until it is the same twice in a row. -ENOENT: no such CPU.
 */
int slab_forecast_read(struct slab_heap *heap, uint32_t cache, uint32_t cpu, size_t count,
		       struct slab_forecast *ret_forecast, struct error *err);
void slab_forecast_deinit(struct slab_forecast *forecast);

#endif
