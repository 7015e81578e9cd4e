// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Sums over a cache's contents. Reads nothing of its own where the kernel counts its slabs. */
#include "slab_totals.h"

#include <errno.h>
#include <stdlib.h>

#include "kernel.h"
#include "slab_pages.h"
#include "slab_state.h"

static uint64_t free_in(const struct slab *slab)
{
	return slab->inuse < slab->objects ? slab->objects - slab->inuse : 0;
}

static uint64_t free_on_list(const struct slab_list *list)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < list->count; i++)
		sum += free_in(&list->slabs[i]);
	return sum;
}

/* What can't be trusted makes the sums lower bounds. */
static bool is_list_cut(const struct slab_list *list)
{
	return list->damage && list->damage != LIST_BAD_BACK_LINK;
}

static void add_cpu(const struct slab_cpu *cpu, struct slab_totals *totals)
{
	if (cpu->has_slab) {
		totals->slabs_cpu++;
		totals->free_slab += free_in(&cpu->slab);
	}
	totals->free_cpu += cpu->freelist.count;
	totals->slabs_cpu_partial += cpu->partial.count;
	totals->free_cpu_partial += free_on_list(&cpu->partial);
	totals->free_slab += free_on_list(&cpu->partial);
	totals->free_sheaf += cpu->main.size + cpu->spare.size;
	totals->pending += cpu->rcu_free.size;
	totals->is_damaged |= cpu->freelist.damage || is_list_cut(&cpu->partial) || cpu->main.damage ||
			      cpu->spare.damage || cpu->rcu_free.damage;
}

static void add_node(const struct slab_node *node, struct slab_totals *totals, uint64_t *free_partial)
{
	uint64_t free_here = free_on_list(&node->partial);

	totals->slabs += node->nr_slabs;
	totals->num_objs += node->total_objects;
	totals->slabs_node_partial += node->partial.count;
	totals->free_slab += free_here;
	*free_partial += free_here;
	for (size_t s = 0; s < node->full_sheaf_count; s++) {
		totals->free_barn += node->full_sheaves[s].size;
		totals->free_sheaf += node->full_sheaves[s].size;
		totals->is_damaged |= node->full_sheaves[s].damage != SLAB_INTACT;
	}
	totals->is_damaged |= is_list_cut(&node->partial) || is_list_cut(&node->full);
	totals->has_books |= node->has_books;
}

static int count_slab(const struct slab *slab, void *context)
{
	struct slab_heap *heap = context;

	if (slab->cache != SLAB_NO_CACHE && !slab->is_bad) {
		heap->counted[slab->cache].slabs++;
		heap->counted[slab->cache].objects += slab->objects;
	}
	return 0;
}

/* Without the kernel's books: what a pass over struct page finds. */
static int count_by_pages(struct slab_heap *heap, uint32_t cache, struct slab_totals *totals, struct error *err)
{
	if (!heap->counted) {
		int status;

		heap->counted = calloc(heap->cache_count + 1, sizeof(*heap->counted));
		if (!heap->counted)
			return error_set(err, -ENOMEM, "no memory for %zu caches' slabs", heap->cache_count);
		status = slab_pages_each(heap, count_slab, heap, err);
		if (status) {
			free(heap->counted);
			heap->counted = NULL;
			return status;
		}
	}
	totals->slabs = heap->counted[cache].slabs;
	totals->num_objs = heap->counted[cache].objects;
	return 0;
}

/* Slabs of the smaller order show in the sum of objects: each has that many fewer. */
static uint64_t small_slabs(const struct slab_cache *cache, const struct slab_totals *totals)
{
	uint64_t full = totals->slabs * cache->objects;

	if (cache->objects <= cache->min_objects || full <= totals->num_objs)
		return 0;
	return (full - totals->num_objs) / (cache->objects - cache->min_objects);
}

int slab_totals_count(struct slab_heap *heap, uint32_t cache, struct slab_totals *ret_totals,
		      struct error *err)
{
	const struct slab_contents *contents = slab_heap_contents(heap, cache, err);
	uint64_t free_partial = 0, not_allocated, listed, small;
	struct slab_totals totals = { 0 };
	const struct slab_cache *of;

	if (!contents)
		return err ? err->code : -EFAULT;
	of = &heap->caches[cache];
	totals.pending = contents->deferred_count;
	for (size_t c = 0; c < contents->cpu_count; c++)
		add_cpu(&contents->cpus[c], &totals);
	for (size_t n = 0; n < contents->node_count; n++)
		add_node(&contents->nodes[n], &totals, &free_partial);
	if (!totals.has_books) {
		int status = count_by_pages(heap, cache, &totals, err);

		if (status)
			return status;
	}
	listed = totals.slabs_cpu + totals.slabs_cpu_partial + totals.slabs_node_partial;
	totals.slabs_full = totals.slabs > listed ? totals.slabs - listed : 0;
	totals.active_objs = totals.num_objs > free_partial ? totals.num_objs - free_partial : 0;
	not_allocated = totals.free_slab + totals.free_cpu + totals.free_sheaf + totals.pending;
	totals.is_damaged |= of->is_damaged || not_allocated > totals.num_objs;
	totals.allocated = totals.num_objs > not_allocated ? totals.num_objs - not_allocated : 0;
	small = small_slabs(of, &totals);
	if (small > totals.slabs)
		small = totals.slabs;
	totals.bytes = ((totals.slabs - small) << (12 + of->order)) + (small << (12 + of->min_order));
	totals.waste = totals.bytes - totals.allocated * of->object_size;
	if (totals.allocated * of->object_size > totals.bytes)
		totals.waste = 0;
	*ret_totals = totals;
	return 0;
}
