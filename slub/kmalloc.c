// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// The calls that programs make: of a cache's objects, and of memory by size. Their first lines are the fast path; all
// else is behind a call that is seldom taken.
#include <string.h>

#include "cache.h"
#include "percpu.h"
#include "report.h"
#include "sheaf.h"
#include "slab.h"

#define likely(condition) __builtin_expect(!!(condition), 1)
#define SLOW __attribute__((noinline, cold))
#define STEPS (SLUB_KMALLOC_MAX / 8 + 1)

static uint8_t index_of_size[STEPS]; // of a size in words of 8 bytes, rounded up; 0 until kmalloc is set up

void *slub_kmem_cache_alloc(struct kmem_cache *cache)
{
	void *object = slub_percpu_pop(cache);

	return likely(object) ? object : slub_alloc_slow(cache);
}

void slub_kmem_cache_free(struct kmem_cache *cache, void *object)
{
	if (!likely(slub_percpu_push(cache, object)))
		slub_free_slow(cache, object);
}

void *slub_kmem_cache_zalloc(struct kmem_cache *cache)
{
	void *object = slub_kmem_cache_alloc(cache);

	return object ? memset(object, 0, cache->geometry.object_size) : NULL;
}

void slub_kmem_cache_free_bulk(struct kmem_cache *cache, size_t count, void **objects)
{
	for (size_t i = 0; i < count; i++)
		slub_kmem_cache_free(cache, objects[i]);
}

size_t slub_kmem_cache_alloc_bulk(struct kmem_cache *cache, size_t count, void **ret_objects)
{
	for (size_t i = 0; i < count; i++) {
		ret_objects[i] = slub_kmem_cache_alloc(cache);
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
	struct slub_state *state = &slub_state;

	for (int index = 1; index < SLUB_KMALLOC_CACHES; index++) {
		struct slub_request request = { .object_size = slub_kmalloc_size(index), .is_kmalloc = true };

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

static SLOW void *alloc_run(size_t size, bool wants_zero)
{
	struct slub_pages *pages = &slub_state.pages;
	size_t count = (size >> SLUB_PAGE_SHIFT) + !!(size & (SLUB_PAGE_SIZE - 1));
	size_t page;
	bool is_zero;
	char *run = slub_pages_alloc_run(pages, count, &is_zero);

	if (!run)
		return NULL;
	page = (size_t)(run - pages->base) >> SLUB_PAGE_SHIFT;
	pages->slab_of[page] = (uint32_t)count;
	pages->kind[page] = SLUB_PAGE_RUN;
	if (wants_zero && !is_zero)
		memset(run, 0, size);
	return run;
}

static SLOW void *kmalloc_slow(size_t size, bool wants_zero)
{
	struct kmem_cache *cache;
	void *object;

	if (!slub_init())
		return NULL;
	if (size > SLUB_KMALLOC_MAX)
		return alloc_run(size, wants_zero);
	cache = slub_state.kmalloc_caches[index_of_size[(size + 7) / 8]];
	object = slub_kmem_cache_alloc(cache);
	return object && wants_zero ? memset(object, 0, size) : object;
}

void *slub_kmalloc(size_t size)
{
	if (likely(size <= SLUB_KMALLOC_MAX)) {
		struct kmem_cache *cache = slub_state.kmalloc_caches[index_of_size[(size + 7) / 8]];

		if (likely(cache)) {
			void *object = slub_percpu_pop(cache);

			return likely(object) ? object : slub_alloc_slow(cache);
		}
	}
	return kmalloc_slow(size, false);
}

void *slub_kzalloc(size_t size)
{
	void *object;

	if (size > SLUB_KMALLOC_MAX)
		return kmalloc_slow(size, true);
	object = slub_kmalloc(size);
	return object ? memset(object, 0, size) : NULL;
}

// What is at an address: its cache, or the pages of a run that starts there. Neither: it is none of ours.
static struct kmem_cache *cache_at(const void *object, size_t *ret_run_pages)
{
	struct slub_pages *pages = &slub_state.pages;
	size_t page = (size_t)((const char *)object - pages->base) >> SLUB_PAGE_SHIFT;
	struct slab *slab = slab_of_address(object);

	*ret_run_pages = 0;
	if (slab)
		return slab->slab_cache;
	if (page < pages->used && pages->kind[page] == SLUB_PAGE_RUN && !((uintptr_t)object & (SLUB_PAGE_SIZE - 1)))
		*ret_run_pages = pages->slab_of[page];
	return NULL;
}

static SLOW void kfree_slow(void *object)
{
	struct kmem_cache *cache;
	size_t run_pages;

	if (!object)
		return;
	cache = cache_at(object, &run_pages);
	if (cache)
		slub_kmem_cache_free(cache, object);
	else if (run_pages)
		slub_pages_free_run(&slub_state.pages, object, run_pages);
	else
		slub_report(NULL, "invalid free: no object", object);
}

void slub_kfree(void *object)
{
	struct slub_pages *pages = &slub_state.pages;
	size_t page = (size_t)((char *)object - pages->base) >> SLUB_PAGE_SHIFT;

	if (likely(page < pages->count)) {
		struct kmem_cache *cache = slub_state.cache_of_kind[pages->kind[page]];

		if (likely(cache)) {
			if (!likely(slub_percpu_push(cache, object)))
				slub_free_slow(cache, object);
			return;
		}
	}
	kfree_slow(object);
}

size_t slub_ksize(const void *object)
{
	size_t run_pages;
	struct kmem_cache *cache = object ? cache_at(object, &run_pages) : NULL;

	if (cache)
		return cache->geometry.object_size;
	if (object && !run_pages)
		slub_report(NULL, "ksize of no object", object);
	return object ? run_pages << SLUB_PAGE_SHIFT : 0;
}

void *slub_krealloc(void *object, size_t size)
{
	size_t had = slub_ksize(object);
	void *larger;

	// Kept where it is unless more than half of it would lie idle.
	if (object && size <= had && (size > had / 2 || had <= 16))
		return object;
	larger = slub_kmalloc(size);
	if (larger && object) {
		memcpy(larger, object, had < size ? had : size);
		slub_kfree(object);
	}
	return larger;
}
