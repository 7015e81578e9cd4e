/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The fast paths, inline, and what stands behind them: for the calls of slub.h and those of malloc().
 */
#ifndef SLUB_KMALLOC_H
#define SLUB_KMALLOC_H

#include "layout.h"
#include "percpu.h"
#include "sheaf.h"

#define likely(condition) __builtin_expect(!!(condition), 1)

static inline __attribute__((always_inline)) void *slub_alloc_fast(struct kmem_cache *cache)
{
	void *object = slub_percpu_pop(cache);

	return likely(object) ? object : slub_alloc_slow(cache);
}

/* What doesn't go into this CPU's main sheaf at once. */
void slub_free_elsewhere(struct kmem_cache *cache, void *object);

static inline __attribute__((always_inline)) void slub_free_fast(struct kmem_cache *cache, void *object)
{
	if (!likely(slub_percpu_push_unchecked(cache, object)))
		slub_free_elsewhere(cache, object);
}

/* An object of a cache that serves sizes, when this CPU has none. */
void *slub_kmalloc_slow(struct kmem_cache *cache, size_t size);

/* What is no object of a cache that pages tell by their kind: NULL, runs, objects of other caches, and errors. */
void slub_kfree_slow(void *object);

static inline __attribute__((always_inline)) void slub_kfree_fast(void *object)
{
	struct slub_pages *pages = &slub.pages;
	size_t page = (size_t)((char *)object - pages->base) >> SLUB_PAGE_SHIFT;

	if (likely(page < __atomic_load_n(&pages->used, __ATOMIC_ACQUIRE))) {
		struct kmem_cache *cache = slub.cache_of_kind[pages->kind[page]];

		if (likely(cache)) {
			slub_free_fast(cache, object);
			return;
		}
	}
	slub_kfree_slow(object);
}

/* An object is from now on of another size in the same place: only debugging wants to know. */
void slub_note_size(void *object, size_t size);

#endif
