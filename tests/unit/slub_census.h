/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A count of all that a cache has, by walking its structures: every object in one place, every counter true. It knows
 * libslub's insides (layout.h), takes nothing from its functions but where things are, and allocates by mmap(2) alone.
 *
 * Threads that use the cache must be quiet meanwhile.
 */
#ifndef SLUB_CENSUS_H
#define SLUB_CENSUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "layout.h"
#include "percpu.h"

struct slub_census {
	size_t slabs, objects, sheaves;
	size_t in_slabs, on_cpus, in_sheaves; /* free objects; the rest is allocated */
	const char *fault;                    /* NULL: all is as it must be */
	const void *where;
	struct kmem_cache *cache;
	size_t frozen, cpu_slabs, homeless, cpu_partials, on_partial;
};

/* One per 8 bytes of the pages in use: number of the census that met a free object there. */
static struct census_marks {
	uint8_t *marks;
	size_t bytes;
	uint8_t number;
} census_marks;

static inline void census_fault(struct slub_census *census, const char *fault, const void *where)
{
	if (census->fault)
		return;
	census->fault = fault;
	census->where = where;
}

static inline bool census_is_object(const struct slub_census *census, const struct slab *slab, const void *object)
{
	size_t offset = (size_t)((const char *)object - slab->base - census->cache->red_left_pad);

	return slab->slab_cache == census->cache && offset / census->cache->size < slab->objects &&
	       offset % census->cache->size == 0;
}

static inline bool census_mark(struct slub_census *census, const void *object)
{
	const struct slab *slab = slab_of_address(object);
	uint8_t *mark;

	if (!slab || !census_is_object(census, slab, object)) {
		census_fault(census, "free, but no object of this cache", object);
		return false;
	}
	mark = &census_marks.marks[((const char *)object - slub.pages.base) / 8];
	if (*mark == census_marks.number)
		census_fault(census, "free in two places", object);
	*mark = census_marks.number;
	return true;
}

/* In the last census, which was of the object's cache. */
static inline bool census_is_free(const void *object)
{
	return census_marks.marks[((const char *)object - slub.pages.base) / 8] == census_marks.number;
}

static inline bool census_begin(void)
{
	struct census_marks *own = &census_marks;
	size_t bytes = slub.pages.used * (SLUB_PAGE_SIZE / 8) + 1;

	if (bytes > own->bytes || ++own->number == 0) {
		if (own->bytes)
			munmap(own->marks, own->bytes);
		own->bytes = bytes * 2;
		own->number = 1;
		own->marks = mmap(NULL, own->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (own->marks == MAP_FAILED)
			own->bytes = 0;
	}
	return own->bytes;
}

static inline size_t census_chain(struct slub_census *census, void *object)
{
	size_t count = 0;

	while (object && !census->fault && census_mark(census, object)) {
		void **slot = freelist_slot(census->cache, object);

		object = freelist_pointer(census->cache, *slot, slot);
		count++;
	}
	return count;
}

static inline void census_sheaf(struct slub_census *census, void **top)
{
	struct slab_sheaf *sheaf = sheaf_of_top(census->cache, top);

	census->sheaves++;
	if (sheaf->bottom)
		census_fault(census, "a sheaf's bottom is not NULL", sheaf);
	for (void **at = sheaf->objects; at < top; at++)
		census->in_sheaves += census_mark(census, *at);
}

static inline void census_freelist(struct slub_census *census, struct slab *slab)
{
	size_t free = census_chain(census, slab->freelist);

	census->in_slabs += free;
	if (free + slab->inuse != slab->objects)
		census_fault(census, "inuse does not fit the freelist", slab);
}

/*
 * A slab with free objects that is on no list of a node is on a CPU's partial list, and its freelist is walked from there.
 * In a child of fork(2) it may also be one that another thread of the parent was making: its chain is not made, and nobody
 * has it any more.
 */
static inline void census_slab(struct slub_census *census, struct slab *slab)
{
	bool is_homeless = !slab->frozen && !slab->on_partial && slab->inuse < slab->objects;

	census->slabs++;
	census->objects += slab->objects;
	census->frozen += slab->frozen;
	census->on_partial += slab->on_partial;
	census->homeless += is_homeless;
	if (!is_homeless)
		census_freelist(census, slab);
	if (slab->on_partial && (slab->frozen || slab->inuse == slab->objects))
		census_fault(census, "on the partial list, and frozen or full", slab);
}

static inline void census_slabs(struct slub_census *census)
{
	struct slub_pages *pages = &slub.pages;

	for (uint32_t number = 0; number < pages->slabs_used; number++) {
		struct slab *slab = &pages->slabs[number];
		size_t page = (size_t)(slab->base - pages->base) >> SLUB_PAGE_SHIFT;

		if (slab->slab_cache == census->cache && page < pages->used && pages->slab_of[page] == number + 1 &&
		    pages->kind[page] == census->cache->kind)
			census_slab(census, slab);
	}
}

static inline void census_cpu(struct slub_census *census, const struct slub_cpu_slab *cpu)
{
	struct kmem_cache *cache = census->cache;

	if (!cache->has_cpu_slabs) {
		if (cpu->none.main != SLUB_BOOTSTRAP_TOP)
			census_sheaf(census, cpu->none.main);
		if (cpu->none.spare)
			census_sheaf(census, cpu->none.spare);
		return;
	}
	if (cpu->slab) {
		census->cpu_slabs++;
		if (!cpu->slab->frozen)
			census_fault(census, "a CPU's slab is not frozen", cpu->slab);
	} else if (cpu->freelist) {
		census_fault(census, "a CPU has a freelist without a slab", cpu);
	}
	census->on_cpus += census_chain(census, cpu->freelist);
	for (struct slab *slab = cpu->partial; slab && census->cpu_partials <= census->homeless; slab = slab->next) {
		census->cpu_partials++;
		if (slab->frozen || slab->on_partial)
			census_fault(census, "on a CPU's partial list, and frozen or on the node's", slab);
		else if (slab->inuse == slab->objects)
			census_fault(census, "on a CPU's partial list, and full", slab);
		else
			census_freelist(census, slab);
	}
}

static inline void census_cpus(struct slub_census *census)
{
#ifdef SLUB_MODEL
	for (unsigned cpu = 0; cpu < slub.cpus; cpu++)
		census_cpu(census, (struct slub_cpu_slab *)census->cache->percpu_home + cpu);
#else
	// The second half are the stripes of threads without restartable sequences.
	for (size_t number = 0; number < 2 * (size_t)slub.cpus; number++)
		census_cpu(census, (struct slub_cpu_slab *)(census->cache->percpu_home + (number << SLUB_PERCPU_SHIFT)));
#endif
}

static inline void census_node(struct slub_census *census, struct kmem_cache_node *node, size_t *partial)
{
	struct slab_sheaf *sheaf = node->barn.sheaves_full;
	size_t full = 0, empty = 0, listed = 0;

	for (; sheaf && full <= SLUB_MAX_FULL_SHEAVES; sheaf = sheaf->next, full++)
		census_sheaf(census, (void **)((char *)sheaf + census->cache->sheaf_mask + 1));
	for (sheaf = node->barn.sheaves_empty; sheaf && empty <= SLUB_MAX_EMPTY_SHEAVES; sheaf = sheaf->next, empty++)
		census->sheaves++;
	if (full != node->barn.nr_full || empty != node->barn.nr_empty)
		census_fault(census, "a barn's count is not its list's", node);
	for (struct list *at = node->partial.next; at != &node->partial && listed <= node->nr_partial; at = at->next)
		listed++;
	if (listed != node->nr_partial)
		census_fault(census, "nr_partial is not the list's length", node);
	*partial += node->nr_partial;
}

/* False, and why, when anything is wrong. */
static inline bool census_take(struct kmem_cache *cache, struct slub_census *census)
{
	size_t slabs = 0, objects = 0, partial = 0;

	*census = (struct slub_census){ .cache = cache };
	if (!census_begin()) {
		census_fault(census, "no memory to count with", NULL);
		return false;
	}
	census_slabs(census);
	census_cpus(census);
	for (unsigned number = 0; number < slub.nodes; number++) {
		census_node(census, &cache->node[number], &partial);
		slabs += cache->node[number].nr_slabs;
		objects += cache->node[number].total_objects;
	}
	if (census->homeless != census->cpu_partials)
		census_fault(census, "a slab with free objects is on no list", cache);
	if (slabs != census->slabs || objects != census->objects)
		census_fault(census, "the nodes' counts are not those of the slabs", cache);
	if (partial != census->on_partial)
		census_fault(census, "slabs say that they are on a partial list and are not, or the other way", cache);
	if (census->frozen != census->cpu_slabs)
		census_fault(census, "a frozen slab is no CPU's", cache);
	return !census->fault;
}

static inline size_t census_allocated(const struct slub_census *census)
{
	return census->objects - census->in_slabs - census->on_cpus - census->in_sheaves;
}

#endif
