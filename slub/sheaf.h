/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The slow paths of caches with sheaves, and those of caches without.
 */
#ifndef SLUB_SHEAF_H
#define SLUB_SHEAF_H

#include "layout.h"

/* An object when this CPU's main sheaf is empty; NULL when memory is out. */
void *slub_alloc_slow(struct kmem_cache *cache);

/* Free an object when this CPU's main sheaf is full. */
void slub_free_slow(struct kmem_cache *cache, void *object);

/* Give all that CPUs and barns hold back to the slabs. */
void slub_sheaves_flush(struct kmem_cache *cache);

/* Free objects in sheaves of all CPUs and barns; of a moment only in a cache that nobody uses meanwhile. */
size_t slub_sheaves_count(struct kmem_cache *cache);

#endif
