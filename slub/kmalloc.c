// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// The calls that programs make: of a cache's objects, and of memory by size.
#include "kmalloc.h"

#include <string.h>

#include "cache.h"
#include "debug.h"
#include "machine.h"
#include "report.h"
#include "runs.h"
#include "slab.h"
#include "why.h"

#define SLOW __attribute__((noinline, cold))
#define STEPS (SLUB_KMALLOC_MAX / 8 + 1)

static uint8_t index_of_size[STEPS]; // of a size in words of 8 bytes, rounded up; 0 until kmalloc is set up

// An alias may raise it meanwhile.
static unsigned object_size(const struct kmem_cache *cache)
{
	return __atomic_load_n(&cache->geometry.object_size, __ATOMIC_RELAXED);
}

void *slub_kmem_cache_alloc(struct kmem_cache *cache)
{
	return slub_alloc_fast(cache);
}

void slub_kmem_cache_free(struct kmem_cache *cache, void *object)
{
	slub_free_fast(cache, object);
}

// A CPU keeps objects of its own node (can_free_to_pcs(), mm/slub.c).
static bool is_of_other_node(const void *object)
{
	const struct slab *slab = slab_of_address(object);

	return slab && slab->node != slub_node();
}

void slub_free_elsewhere(struct kmem_cache *cache, void *object)
{
	if (cache->checks_node && is_of_other_node(object)) {
		slub_why(SLUB_WHY_TO_NODE, NULL);
		slub_slabs_give(cache, 1, &object);
	} else if (!cache->checks_node || !slub_percpu_push(cache, object)) {
		slub_free_slow(cache, object);
	}
}

#ifdef SLUB_INLINE_ABI
const char slub_abi_1[8] = "1";

void *slub_alloc_slow_1(struct kmem_cache *cache)
{
	return slub_alloc_slow(cache);
}

void slub_free_slow_1(struct kmem_cache *cache, void *object)
{
	slub_free_elsewhere(cache, object);
}
#endif

void *slub_kmem_cache_zalloc(struct kmem_cache *cache)
{
	void *object = slub_alloc_fast(cache);

	return object ? memset(object, 0, object_size(cache)) : NULL;
}

void slub_kmem_cache_free_bulk(struct kmem_cache *cache, size_t count, void **objects)
{
	for (size_t i = 0; i < count; i++)
		slub_kmem_cache_free(cache, objects[i]);
}

size_t slub_kmem_cache_alloc_bulk(struct kmem_cache *cache, size_t count, void **ret_objects)
{
	for (size_t i = 0; i < count; i++) {
		ret_objects[i] = slub_alloc_fast(cache);
		if (!ret_objects[i]) {
			slub_kmem_cache_free_bulk(cache, i, ret_objects);
			return 0;
		}
	}
	return count;
}

bool slub_kmalloc_init(void)
{
	static const char names[SLUB_KMALLOC_CACHES][SLUB_NAME_BYTES] = {
		"", "kmalloc-96", "kmalloc-192", "kmalloc-8", "kmalloc-16", "kmalloc-32", "kmalloc-64", "kmalloc-128",
		"kmalloc-256", "kmalloc-512", "kmalloc-1k", "kmalloc-2k", "kmalloc-4k", "kmalloc-8k",
	};
	struct slub_state *state = &slub;

	for (int index = 1; index < SLUB_KMALLOC_CACHES; index++) {
		struct slub_request request = { .object_size = slub_kmalloc_size(index), .is_kmalloc = true };

		if (!state->kmalloc_caches[index])
			state->kmalloc_caches[index] = slub_make_cache(names[index], &request, NULL, (uint8_t)index);
		state->cache_of_kind[index] = state->kmalloc_caches[index];
		if (!state->kmalloc_caches[index])
			return false;
	}
	for (unsigned step = 1; step < STEPS; step++)
		index_of_size[step] = (uint8_t)slub_kmalloc_index(step * 8);
	// Size 0 takes the smallest.
	index_of_size[0] = 3;
	return true;
}

static size_t page_of(const void *address)
{
	return (size_t)((const char *)address - slub.pages.base) >> SLUB_PAGE_SHIFT;
}

SLOW void *slub_kmalloc_slow(struct kmem_cache *cache, size_t size)
{
	void *object = slub_alloc_slow(cache);

	if (object && cache->is_debugged)
		slub_debug_set_size(cache, object, size);
	return object;
}

static SLOW void *kmalloc_unready(size_t size)
{
	if (size > SLUB_KMALLOC_MAX)
		return slub_alloc_pages(size, 0, false);
	return slub_init() ? slub_kmalloc(size) : NULL;
}

void *slub_kmalloc(size_t size)
{
	if (likely(size <= SLUB_KMALLOC_MAX)) {
		struct kmem_cache *cache = slub.kmalloc_caches[index_of_size[(size + 7) / 8]];

		if (likely(cache)) {
			void *object = slub_percpu_pop(cache);

			return likely(object) ? object : slub_kmalloc_slow(cache, size);
		}
	}
	return kmalloc_unready(size);
}

void *slub_kzalloc(size_t size)
{
	void *object;

	if (size > SLUB_KMALLOC_MAX)
		return slub_alloc_pages(size, 0, true);
	object = slub_kmalloc(size);
	return object ? memset(object, 0, size) : NULL;
}

// What is at an address: its cache, or the pages of a run that starts there. Neither: it is none of ours.
static struct kmem_cache *cache_at(const void *object, size_t *ret_run_pages)
{
	struct slub_pages *pages = &slub.pages;
	size_t page = page_of(object), used = __atomic_load_n(&pages->used, __ATOMIC_ACQUIRE);
	struct slab *slab = slab_of_address(object);

	*ret_run_pages = 0;
	if (slab)
		return slab->slab_cache;
	if (page < used && pages->kind[page] == SLUB_PAGE_RUN && !((uintptr_t)object & (SLUB_PAGE_SIZE - 1)))
		*ret_run_pages = pages->slab_of[page];
	return NULL;
}

SLOW void slub_kfree_slow(void *object)
{
	struct kmem_cache *cache;
	size_t run_pages;

	if (!object)
		return;
	cache = cache_at(object, &run_pages);
	if (cache)
		slub_kmem_cache_free(cache, object);
	else if (run_pages)
		slub_pages_free_run(&slub.pages, object, run_pages);
	else
		slub_report(NULL, "invalid free: no object", object);
}

void slub_kfree(void *object)
{
	slub_kfree_fast(object);
}

size_t slub_ksize(const void *object)
{
	size_t run_pages;
	struct kmem_cache *cache = object ? cache_at(object, &run_pages) : NULL;

	if (cache)
		return cache->is_debugged ? slub_debug_size(cache, object) : object_size(cache);
	if (object && !run_pages)
		slub_report(NULL, "ksize of no object", object);
	return object ? run_pages << SLUB_PAGE_SHIFT : 0;
}

void slub_note_size(void *object, size_t size)
{
	struct slab *slab = slab_of_address(object);

	if (slab && slab->slab_cache->is_debugged)
		slub_debug_set_size(slab->slab_cache, object, size);
}

void *slub_krealloc(void *object, size_t size)
{
	size_t had = slub_ksize(object);
	void *larger;

	// Kept where it is unless more than half of it would lie idle.
	if (object && had <= SLUB_KMALLOC_MAX && size <= had && (size > had / 2 || had <= 16)) {
		slub_note_size(object, size);
		return object;
	}
	if (had > SLUB_KMALLOC_MAX && size > SLUB_KMALLOC_MAX && !slab_of_address(object))
		return slub_realloc_pages(object, size);
	larger = slub_kmalloc(size);
	if (larger && object) {
		memcpy(larger, object, had < size ? had : size);
		slub_kfree(object);
	}
	return larger;
}
