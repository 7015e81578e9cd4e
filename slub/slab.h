/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Slabs and the lists of them: where free objects come from and go to when no CPU and no barn has or wants them.
 */
#ifndef SLUB_SLAB_H
#define SLUB_SLAB_H

#include "layout.h"

/* The node that the calling thread allocates from. */
unsigned slub_node(void);

/*
 * Take up to `count` free objects: whole freelists of partial slabs, first to last, then new slabs. Fewer, down to
 * none, when memory is out. A slab of which objects are left goes to its list's end (refill_objects(), mm/slub.c).
 */
size_t slub_slabs_take(struct kmem_cache *cache, unsigned node, size_t count, void **ret_objects);

/*
 * Give objects back to their slabs. A slab that was full goes to the end of its node's partial list; one that is empty
 * now, while the node has min_partial others, goes back to the page layer (__slab_free(), mm/slub.c). Objects that
 * can't be right are reported and left alone.
 */
void slub_slabs_give(struct kmem_cache *cache, size_t count, void **objects);

/* Discard the empty slabs of a cache. Returns how many went. */
size_t slub_slabs_shrink(struct kmem_cache *cache);

/* The random_seq of a cache: a permutation of its slabs' object offsets. False when there is no memory for it. */
bool slub_shuffle_init(struct kmem_cache *cache);
void slub_shuffle_end(struct kmem_cache *cache);

/* A random word (the state's seed, stepped). */
uint64_t slub_random(void);

#endif
