/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Making and ending slabs, and the order in which a new one hands out its objects.
 */
#ifndef SLUB_SLAB_MAKE_H
#define SLUB_SLAB_MAKE_H

#include "layout.h"

/* A slab whose objects are all free, on no list and in no count: allocate_slab(). NULL when memory is out. */
struct slab *slub_slab_make(struct kmem_cache *cache, unsigned node);

/* Its pages go back to the page layer. */
void slub_slab_end(struct slab *slab);

/* The random_seq of a cache: a permutation of its slabs' object offsets. False when there is no memory for it. */
bool slub_shuffle_init(struct kmem_cache *cache);
void slub_shuffle_end(struct kmem_cache *cache);

/* A random word (the state's seed, stepped). */
uint64_t slub_random(void);

#endif
