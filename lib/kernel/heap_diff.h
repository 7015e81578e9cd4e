/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What differs between two snapshots of one heap: by cache, slab and object. An object that was freed and
 * allocated again in between shows no difference: snapshots know states, not events.
 */
#ifndef DILL_HEAP_DIFF_H
#define DILL_HEAP_DIFF_H

#include "heap_snapshot.h"

/* One cache, matched by address and name; one of the two may be NULL. */
struct heap_cache_change {
	const struct snapshot_cache *before, *after;
	/* After − before, counted on slabs: the totals of a live heap are of another moment. */
	int64_t allocated, num_objs, slabs, bytes;
	/* Objects that changed. A slab that is gone freed all of its own. */
	uint64_t newly_allocated, newly_freed;
	uint64_t slabs_new, slabs_gone;
	uint64_t unknown; /* objects whose state one of the two couldn't tell */
};

/* One slab that came, went, or holds other objects than before. */
struct heap_slab_change {
	const struct heap_cache_change *cache;
	const struct snapshot_slab *before, *after; /* one may be NULL */
	uint64_t newly_allocated, newly_freed;
};

/* Callbacks may be NULL; non-zero ends the comparison and is returned by it. */
struct heap_diff_callbacks {
	int (*cache)(const struct heap_cache_change *change, void *context); /* every cache, changed or not */
	int (*slab)(const struct heap_slab_change *change, void *context);
	/* Each object that was newly allocated, or freed: then @state is what it is now (or was, with its
	 * slab). */
	int (*object)(const struct heap_slab_change *change, uint64_t address, uint32_t index,
		      bool is_allocated, enum slab_object_state state, void *context);
};

/* -ENOMEM or 0. Caches come as they stand in @after, then those that are gone; within one, slabs by address.
 */
int heap_diff(const struct heap_snapshot *before, const struct heap_snapshot *after,
	      const struct heap_diff_callbacks *callbacks, void *context);

#endif
