// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* slub_stress's counts: every cache by a census, while all threads stand still, beside slots and slabinfo. */
#include "slub_census.h"
#include "slub_stress.h"

size_t counts;

static size_t count_sheaves(struct kmem_cache *cache, struct slub_census *census)
{
	size_t alive = 0;

	if (!census_take(cache, census))
		fail(census->fault, census->where);
	for (size_t i = 0; i < SLOTS; i++) {
		const struct slab *slab = slots[i].object && slots[i].kind != MALLOC ? slab_of_address(slots[i].object) : NULL;

		if (!slab || slab->slab_cache != cache)
			continue;
		alive++;
		if (census_is_free(slots[i].object))
			fail("a live object is free", slots[i].object);
	}
	if (cache->kind != SLUB_PAGE_SHEAF && census_allocated(census) != alive)
		fail(census_allocated(census) > alive ? "an object was lost" : "an object is free and alive", cache->name);
	return census->sheaves;
}

void count_all(void)
{
	static struct slub_cache_info info[64];
	size_t sheaves[SLUB_KMALLOC_CACHES] = {}, count, at;
	struct slub_census census;

	count = at = slub_slabinfo(info, 64);
	for (struct kmem_cache *cache = slub.caches; cache; cache = cache->next) {
		int index = cache->has_sheaves ? slub_kmalloc_index(cache->sheaf_mask + 1) : 0;

		sheaves[index] += count_sheaves(cache, &census);
		if (--at < 64 && (info[at].objects != census.objects || info[at].slabs != census.slabs ||
				  info[at].free_in_slabs != census.in_slabs ||
				  info[at].free_in_sheaves != census.in_sheaves + census.on_cpus))
			fail("slabinfo counts wrongly", cache->name);
	}
	for (unsigned bytes = 64; count && bytes <= SLUB_MAX_SHEAF; bytes *= 2) {
		count_sheaves(slub.sheaf_caches[slub_kmalloc_index(bytes)], &census);
		if (census_allocated(&census) != sheaves[slub_kmalloc_index(bytes)])
			fail("a sheaf was lost", slub.sheaf_caches[slub_kmalloc_index(bytes)]);
	}
	counts++;
}
