// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Lists of slabs: taking free objects out of slabs, giving objects back, all under list_lock. CPUs and sheaves are not known
// here. The engine of CPU slabs has its own ways to slabs (slab_whole.c); only shrinking and counting are for both.
#include "slab.h"

#include <stdbool.h>

#include "debug.h"
#include "point.h"
#include "report.h"
#include "slab_lists.h"
#include "slab_make.h"
#include "slab_update.h"
#include "why.h"

#define GIVE_BATCH 64 /* objects that one hold of list_lock may give back */
#define LOOK_AHEAD 3  /* build_detached_freelist(), mm/slub.c */

static void set_aside(struct slab *slab)
{
	struct freelist_counters isolation = isolated(slab->objects);

	slab->freelist = isolation.freelist;
	slab->counters = isolation.counters;
}

// Pop up to `count` objects off a slab's freelist. The caller holds list_lock; it looks after lists.
static size_t pop_objects(struct kmem_cache *cache, struct slab *slab, size_t count, void **objects)
{
	size_t taken = 0, left = slab->objects - slab->inuse;
	void *object = slab->freelist;

	while (taken < count && taken < left && object) {
		void **slot = freelist_slot(cache, object);
		void *next = freelist_pointer(cache, *slot, slot);

		// The last one has NULL, any other an object of this slab.
		if (next ? taken + 1 == left || !is_object(cache, slab, next) : taken + 1 != left) {
			set_aside(slab);
			slub_report(cache, "free pointer overwritten", object);
			return taken;
		}
		if (cache->is_debugged && !slub_debug_alloc(cache, slab, object)) {
			set_aside(slab);
			return taken;
		}
		objects[taken++] = object;
		object = next;
	}
	slab->freelist = object;
	slab->inuse += (uint16_t)taken;
	return taken;
}

static bool has_free(const struct slab *slab)
{
	return slab->inuse < slab->objects;
}

// One object of the first partial slab, which stays where it is unless it is full now: get_from_partial_node().
static size_t take_one(struct kmem_cache *cache, struct kmem_cache_node *node, void **object)
{
	size_t taken = 0;

	while (node->nr_partial && !taken) {
		struct slab *slab = slab_of_list(node->partial.next);

		taken = pop_objects(cache, slab, 1, object);
		slub_why(SLUB_WHY_NODE_PARTIAL, slab);
		if (!has_free(slab))
			remove_partial(node, slab);
	}
	return taken;
}

// As many slabs off the list as have the objects, then their freelists, the last slab's first; what is left goes to the
// list's end: get_partial_node_bulk(), __refill_objects_node().
static size_t take_many(struct kmem_cache *cache, struct kmem_cache_node *node, size_t count, void **objects)
{
	struct list *entry = node->partial.next;
	size_t slabs = 1, taken = 0;

	for (size_t found = 0;; slabs++, entry = entry->next) {
		const struct slab *slab = slab_of_list(entry);

		found += slab->objects - slab->inuse;
		if (found >= count || slabs == node->nr_partial)
			break;
	}
	while (slabs--) {
		struct slab *slab = slab_of_list(entry);

		entry = entry->previous;
		remove_partial(node, slab);
		if (taken < count) {
			taken += pop_objects(cache, slab, count - taken, objects + taken);
			slub_why(SLUB_WHY_NODE_PARTIAL, slab);
		}
		if (has_free(slab))
			add_partial(node, slab, true);
	}
	return taken;
}

static size_t take_partial(struct kmem_cache *cache, struct kmem_cache_node *node, size_t count, void **objects)
{
	size_t taken = 0;

	slub_point(SLUB_POINT_LIST_LOCK);
	slub_lock(&node->list_lock);
	if (count == 1)
		taken = take_one(cache, node, objects);
	else if (node->nr_partial)
		taken = take_many(cache, node, count, objects);
	slub_unlock(&node->list_lock);
	return taken;
}

static size_t take_elsewhere(struct kmem_cache *cache, unsigned node, size_t count, void **objects)
{
	size_t taken = 0;

	for (unsigned i = 1; i < slub.nodes && taken < count; i++) {
		unsigned other = (node + i) % slub.nodes;

		if (!has_to_spare(cache, other))
			continue;
		slub_why(SLUB_WHY_OTHER_NODE, NULL);
		taken += take_partial(cache, &cache->node[other], count - taken, objects + taken);
	}
	return taken;
}

size_t slub_slabs_take(struct kmem_cache *cache, unsigned node_number, size_t count, void **ret_objects)
{
	struct kmem_cache_node *node = &cache->node[node_number];
	size_t taken = take_partial(cache, node, count, ret_objects);

	if (taken < count && slub.nodes > 1)
		taken += take_elsewhere(cache, node_number, count - taken, ret_objects + taken);
	while (taken < count) {
		struct slab *slab = slub_slab_make(cache, node_number);

		if (!slab)
			break;
		slub_why(SLUB_WHY_NEW_SLAB, slab);
		slub_point(SLUB_POINT_NEW_SLAB);
		slub_lock(&node->list_lock);
		add_slab(node, slab);
		taken += pop_objects(cache, slab, count - taken, ret_objects + taken);
		if (slab->inuse < slab->objects)
			add_partial(node, slab, false);
		slub_unlock(&node->list_lock);
	}
	// Another node's slabs before none at all.
	for (unsigned other = 0; !taken && other < slub.nodes; other++) {
		if (other == node_number)
			continue;
		slub_why(SLUB_WHY_OTHER_NODE, NULL);
		taken = take_partial(cache, &cache->node[other], count, ret_objects);
	}
	return taken;
}

// Chain one object in. False when it is free already.
static bool put_object(struct kmem_cache *cache, struct slab *slab, void *object)
{
	void **slot = freelist_slot(cache, object);

	if (object == slab->freelist || !slab->inuse) {
		slub_report(cache, "double free", object);
		return false;
	}
	*slot = freelist_pointer(cache, slab->freelist, slot);
	slab->freelist = object;
	slab->inuse--;
	return true;
}

// Push objects of one slab, the last one first; the caller holds list_lock. True when the slab is to be discarded: it is
// on no list then (__slab_free(), mm/slub.c). A slab that is on the node's list counts for min_partial itself.
static bool push_objects(struct kmem_cache *cache, struct kmem_cache_node *node, struct slab *slab, size_t count,
			 void **objects)
{
	size_t pushed = 0;

	while (count--) {
		if (!cache->is_debugged || slub_debug_free(cache, slab, objects[count]))
			pushed += put_object(cache, slab, objects[count]);
	}
	if (!pushed)
		return false;
	if (!slab->inuse && node->nr_partial >= cache->geometry.min_partial) {
		if (slab->on_partial)
			remove_partial(node, slab);
		drop_slab(node, slab);
		slub_why(SLUB_WHY_EMPTY_DISCARDED, slab);
		return true;
	}
	slub_why(!slab->inuse ? SLUB_WHY_EMPTY_KEPT : slab->on_partial ? SLUB_WHY_TO_PARTIAL_SLAB : SLUB_WHY_BECAME_PARTIAL,
		 slab);
	if (!slab->on_partial)
		add_partial(node, slab, true);
	return false;
}

// The objects of the last one's slab come together at the end, as far as they stand close to each other. Returns where
// they start.
static size_t gather(size_t count, void **objects, struct slab **slabs)
{
	struct slab *slab = slabs[count - 1];
	size_t same = count - 1;
	int others = LOOK_AHEAD;

	for (size_t at = same; at-- > 0;) {
		void *object = objects[at];

		if (slabs[at] != slab) {
			if (!--others)
				break;
			continue;
		}
		same--;
		objects[at] = objects[same];
		slabs[at] = slabs[same];
		objects[same] = object;
		slabs[same] = slab;
	}
	return same;
}

static void give_batch(struct kmem_cache *cache, size_t count, void **objects, struct slab **slabs)
{
	struct slab *discarded[GIVE_BATCH];
	struct kmem_cache_node *node = NULL;
	size_t discards = 0;

	while (count) {
		size_t first = gather(count, objects, slabs);
		struct slab *slab = slabs[first];

		if (node != &cache->node[slab->node]) {
			if (node)
				slub_unlock(&node->list_lock);
			node = &cache->node[slab->node];
			slub_point(SLUB_POINT_LIST_LOCK);
			slub_lock(&node->list_lock);
		}
		if (first >= 4)
			__builtin_prefetch(freelist_slot(cache, objects[first - 4]), 1);
		if (push_objects(cache, node, slab, count - first, objects + first))
			discarded[discards++] = slab;
		count = first;
	}
	if (node)
		slub_unlock(&node->list_lock);
	while (discards)
		slub_slab_end(discarded[--discards]);
}

void slub_slabs_give(struct kmem_cache *cache, size_t count, void **objects)
{
	struct slab *slabs[GIVE_BATCH];

	while (count) {
		size_t batch = count < GIVE_BATCH ? count : GIVE_BATCH, good = 0;
		void **first = objects + count - batch;

		for (size_t i = 0; i < batch; i++) {
			struct slab *slab = checked_slab(cache, first[i]);

			slabs[good] = slab;
			first[good] = first[i];
			good += slab && !slab->is_isolated;
		}
		give_batch(cache, good, first, slabs);
		count -= batch;
	}
}

// kmem_cache_shrink() leaves a node's list in the order of free objects, the fewest first; slabs with more than this at
// its end, as they were (SHRINK_PROMOTE_MAX, mm/slub.c).
#define SORTED_FREE 32

static void sort_partial(struct kmem_cache_node *node)
{
	struct list sorted[SORTED_FREE + 1];

	for (unsigned free = 1; free <= SORTED_FREE; free++)
		list_init(&sorted[free]);
	for (struct list *entry = node->partial.next, *next; entry != &node->partial; entry = next) {
		unsigned free = slab_free_objects(slab_of_list(entry));

		next = entry->next;
		if (free > SORTED_FREE)
			continue;
		list_remove(entry);
		list_insert(entry, &sorted[free], sorted[free].next);
	}
	for (unsigned free = SORTED_FREE; free; free--) {
		while (sorted[free].previous != &sorted[free]) {
			struct list *entry = sorted[free].previous;

			list_remove(entry);
			list_insert(entry, &node->partial, node->partial.next);
		}
	}
}

size_t slub_slabs_shrink(struct kmem_cache *cache)
{
	size_t gone = 0;

	for (unsigned number = 0; number < slub.nodes; number++) {
		struct kmem_cache_node *node = &cache->node[number];
		struct list empty;

		list_init(&empty);
		slub_point(SLUB_POINT_LIST_LOCK);
		slub_lock(&node->list_lock);
		for (struct list *entry = node->partial.next, *next; entry != &node->partial; entry = next) {
			struct slab *slab = slab_of_list(entry);

			next = entry->next;
			if (slab_read(slab).inuse)
				continue;
			slub_why(SLUB_WHY_EMPTY_SHRUNK, slab);
			remove_partial(node, slab);
			list_insert(&slab->slab_list, &empty, empty.next);
			drop_slab(node, slab);
			gone++;
		}
		sort_partial(node);
		slub_unlock(&node->list_lock);
		while (empty.next != &empty) {
			struct slab *slab = slab_of_list(empty.next);

			list_remove(&slab->slab_list);
			slub_slab_end(slab);
		}
	}
	return gone;
}

size_t slub_slabs_count_free(struct kmem_cache_node *node)
{
	size_t count = 0;

	for (struct list *entry = node->partial.next; entry != &node->partial; entry = entry->next)
		count += slab_free_objects(slab_of_list(entry));
	return count;
}
