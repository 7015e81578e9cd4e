/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A node's lists and counts, and a slab's place in them: shared by slab.c and slab_whole.c, under list_lock. And what
 * both ask of an object before it is freed.
 */
#ifndef SLUB_SLAB_LISTS_H
#define SLUB_SLAB_LISTS_H

#include <stdbool.h>

#include "layout.h"
#include "point.h"
#include "report.h"

static inline struct slab *slab_of_list(struct list *entry)
{
	return (struct slab *)((char *)entry - offsetof(struct slab, slab_list));
}

static inline void add_slab(struct kmem_cache_node *node, struct slab *slab)
{
	node->nr_slabs++;
	node->total_objects += slab->objects;
}

static inline void drop_slab(struct kmem_cache_node *node, struct slab *slab)
{
	node->nr_slabs--;
	node->total_objects -= slab->objects;
}

/* has_to_spare() looks at it without the lock. */
static inline void set_nr_partial(struct kmem_cache_node *node, size_t count)
{
	__atomic_store_n(&node->nr_partial, count, __ATOMIC_RELAXED);
}

static inline void add_partial(struct kmem_cache_node *node, struct slab *slab, bool at_end)
{
	struct list *head = &node->partial;

	if (at_end)
		list_insert(&slab->slab_list, head->previous, head);
	else
		list_insert(&slab->slab_list, head, head->next);
	slab->on_partial = true;
	set_nr_partial(node, node->nr_partial + 1);
}

static inline void remove_partial(struct kmem_cache_node *node, struct slab *slab)
{
	list_remove(&slab->slab_list);
	slab->on_partial = false;
	set_nr_partial(node, node->nr_partial - 1);
}

static inline bool is_object(const struct kmem_cache *cache, const struct slab *slab, const void *object)
{
	size_t offset = (size_t)((const char *)object - slab->base - cache->red_left_pad);
	/* A slab's number of objects never changes, but it is written with what does: slab_update.h. */
	size_t objects = __atomic_load_n(&slab->objects, __ATOMIC_RELAXED);

	/* Divisible by size: Lemire, Kaser, Kurz, "Faster Remainder by Direct Computation" (2019). */
	return offset < objects * cache->size && offset * cache->divisor <= cache->divisor - 1;
}

/* A freelist pointer that was overwritten: what is behind it is lost, the slab is never used again. The kernel
 * ("Freechain corrupt", freelist_corrupted()) does the same. */
static inline struct freelist_counters isolated(uint16_t objects)
{
	return (struct freelist_counters){ .inuse = objects, .objects = objects, .is_isolated = true };
}

/* The slab of an object that is to be freed, NULL (and a report) when it can't be one of this cache. */
static inline struct slab *checked_slab(struct kmem_cache *cache, void *object)
{
	struct slab *slab = slab_of_address(object);

	if (!slab)
		slub_report(cache, "invalid free: no object", object);
	else if (slab->slab_cache != cache)
		slub_report(slab->slab_cache, "invalid free: the object is of this cache", object);
	else if (!is_object(cache, slab, object))
		slub_report(cache, "invalid free: inside an object", object);
	else
		return slab;
	return NULL;
}

/* A node may be asked for objects by another one while it keeps more than min_partial slabs (get_from_any_partial()). */
static inline bool has_to_spare(struct kmem_cache *cache, unsigned node)
{
	return __atomic_load_n(&cache->node[node].nr_partial, __ATOMIC_RELAXED) > cache->geometry.min_partial;
}

static inline struct kmem_cache_node *lock_node(struct kmem_cache *cache, const struct slab *slab)
{
	struct kmem_cache_node *node = &cache->node[slab->node];

	slub_point(SLUB_POINT_LIST_LOCK);
	slub_lock(&node->list_lock);
	return node;
}

#endif
