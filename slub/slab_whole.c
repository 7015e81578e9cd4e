// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Whole slabs, for the engine of CPU slabs: a CPU takes one with all its free objects, and gives it up. Single objects are
// slab.c's.
#include "slab.h"

#include "report.h"
#include "slab_lists.h"
#include "slab_make.h"
#include "why.h"

struct slab *slub_slab_take_partial(struct kmem_cache *cache, unsigned node_number)
{
	struct kmem_cache_node *node = &cache->node[node_number];
	struct slab *slab = NULL;

	slub_point(SLUB_POINT_LIST_LOCK);
	slub_lock(&node->list_lock);
	if (node->nr_partial) {
		slab = slab_of_list(node->partial.next);
		remove_partial(node, slab);
	}
	slub_unlock(&node->list_lock);
	return slab;
}

struct slab *slub_slab_take(struct kmem_cache *cache, unsigned node_number, bool *ret_is_new)
{
	struct kmem_cache_node *node = &cache->node[node_number];
	struct slab *slab = slub_slab_take_partial(cache, node_number);

	*ret_is_new = false;
	if (slab) {
		slub_why(SLUB_WHY_NODE_PARTIAL, slab);
		return slab;
	}
	for (unsigned i = 1; i < slub.nodes; i++) {
		unsigned other = (node_number + i) % slub.nodes;

		slab = has_to_spare(cache, other) ? slub_slab_take_partial(cache, other) : NULL;
		if (slab) {
			slub_why(SLUB_WHY_OTHER_NODE, slab);
			return slab;
		}
	}
	slab = slub_slab_make(cache, node_number);
	if (slab) {
		*ret_is_new = true;
		slub_why(SLUB_WHY_NEW_SLAB, slab);
		slub_point(SLUB_POINT_NEW_SLAB);
		slub_lock(&node->list_lock);
		add_slab(node, slab);
		slub_unlock(&node->list_lock);
	}
	return slab;
}

// All free objects leave the slab as one chain.
static void *take_freelist(struct kmem_cache_node *node, struct slab *slab)
{
	void *freelist = slab->freelist;

	node->free_objects -= slab->objects - slab->inuse;
	slab->freelist = NULL;
	slab->inuse = slab->objects;
	return freelist;
}

void *slub_slab_freeze(struct kmem_cache *cache, struct slab *slab)
{
	struct kmem_cache_node *node = lock_node(cache, slab);
	void *freelist = take_freelist(node, slab);

	slab->frozen = true;
	slub_unlock(&node->list_lock);
	return freelist;
}

void *slub_slab_collect(struct kmem_cache *cache, struct slab *slab)
{
	struct kmem_cache_node *node = lock_node(cache, slab);
	void *freelist = take_freelist(node, slab);

	slub_unlock(&node->list_lock);
	return freelist;
}

// Put a chain of free objects in front of a slab's freelist. It is as long as the slab has objects in use at most;
// a chain that leaves the slab was overwritten.
static bool give_freelist(struct kmem_cache *cache, struct kmem_cache_node *node, struct slab *slab, void *freelist)
{
	unsigned count = 0;

	// The fast path took whatever lies in the CPU's slab.
	if (freelist && !is_object(cache, slab, freelist)) {
		set_aside(node, slab);
		slub_report(cache, "invalid free: inside an object", freelist);
		return false;
	}
	for (void *object = freelist; object;) {
		void **slot = freelist_slot(cache, object);
		void *next = freelist_pointer(cache, *slot, slot);

		if (++count > slab->inuse || (next && !is_object(cache, slab, next))) {
			isolate(cache, node, slab, object);
			return false;
		}
		if (!next)
			*slot = freelist_pointer(cache, slab->freelist, slot);
		object = next;
	}
	if (freelist)
		slab->freelist = freelist;
	slab->inuse -= (uint16_t)count;
	node->free_objects += count;
	return true;
}

// A slab that no CPU has any more: to its node's list, to none if it is full, away if it is empty and others suffice.
// The caller holds list_lock. True when it is to be freed.
static bool settle(struct kmem_cache *cache, struct kmem_cache_node *node, struct slab *slab, bool at_end)
{
	if (slab->inuse == slab->objects) {
		slub_why(SLUB_WHY_CPU_SLAB_FULL, slab);
		return false;
	}
	if (!slab->inuse && node->nr_partial >= cache->geometry.min_partial) {
		slub_why(SLUB_WHY_EMPTY_DISCARDED, slab);
		drop_slab(node, slab);
		return true;
	}
	slub_why(slab->inuse ? SLUB_WHY_TO_NODE_LIST : SLUB_WHY_EMPTY_KEPT, slab);
	add_partial(node, slab, at_end);
	return false;
}

void slub_slab_thaw(struct kmem_cache *cache, struct slab *slab, void *freelist)
{
	struct kmem_cache_node *node = lock_node(cache, slab);
	bool is_gone, had_remote_frees = slab->freelist;

	slab->frozen = false;
	is_gone = give_freelist(cache, node, slab, freelist) && settle(cache, node, slab, had_remote_frees);
	slub_unlock(&node->list_lock);
	if (is_gone)
		slub_slab_end(slab);
}

void slub_slab_put_partial(struct kmem_cache *cache, struct slab *slab)
{
	struct kmem_cache_node *node = lock_node(cache, slab);
	bool is_gone = settle(cache, node, slab, true);

	slub_unlock(&node->list_lock);
	if (is_gone)
		slub_slab_end(slab);
}
