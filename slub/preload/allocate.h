/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The fast path of malloc(), inline, for its family and for C++'s operators.
 */
#ifndef SLUB_PRELOAD_ALLOCATE_H
#define SLUB_PRELOAD_ALLOCATE_H

#include "kmalloc.h"

/* Every class is a multiple of it, so that each object has malloc's alignment, but for those of 8 bytes. */
#define SLUB_MALLOC_STEP 16

/* The cache of a size in steps, rounded up. */
extern struct kmem_cache *slub_malloc_caches[SLUB_KMALLOC_MAX / SLUB_MALLOC_STEP + 1]
	__attribute__((visibility("hidden")));
/* Sizes below this have a cache: none until all are there. */
extern size_t slub_malloc_limit __attribute__((visibility("hidden")));

/* Any size, when no CPU has such an object at hand. NULL and errno when memory is out. */
void *slub_malloc_slow(size_t size, bool wants_zero);

/* An object that this CPU has at hand, or NULL. */
static inline __attribute__((always_inline)) void *slub_malloc_fast(size_t size)
{
	if (!likely(size < __atomic_load_n(&slub_malloc_limit, __ATOMIC_ACQUIRE)))
		return NULL;
	return slub_percpu_pop(slub_malloc_caches[(size + SLUB_MALLOC_STEP - 1) / SLUB_MALLOC_STEP]);
}

/* Not malloc() itself: the compiler makes calloc() of malloc() and memset(), inside calloc() too. */
static inline void *slub_malloc(size_t size)
{
	void *memory = slub_malloc_fast(size);

	return likely(memory) ? memory : slub_malloc_slow(size, false);
}

/* Aligned to a power of two. NULL and errno when memory is out. */
void *slub_malloc_aligned(size_t align, size_t size);

#endif
