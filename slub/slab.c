// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Lists of slabs: taking free objects out of slabs, giving objects back. CPUs and sheaves are not known here.
#include "slab.h"

#include <stdbool.h>

#include "debug.h"
#include "report.h"
#include "slab_make.h"
#include "why.h"

#define LIST_BATCH 8 /* slabs that one hold of list_lock may discard */

static struct slab *slab_of_list(struct list *entry)
{
	return (struct slab *)((char *)entry - offsetof(struct slab, slab_list));
}

static void add_slab(struct kmem_cache_node *node, struct slab *slab)
{
	node->nr_slabs++;
	node->total_objects += slab->objects;
	node->free_objects += slab->objects;
}

static void drop_slab(struct kmem_cache_node *node, struct slab *slab)
{
	node->nr_slabs--;
	node->total_objects -= slab->objects;
	node->free_objects -= slab->objects;
}

static void add_partial(struct kmem_cache_node *node, struct slab *slab, bool at_end)
{
	struct list *head = &node->partial;

	if (at_end)
		list_insert(&slab->slab_list, head->previous, head);
	else
		list_insert(&slab->slab_list, head, head->next);
	slab->on_partial = true;
	node->nr_partial++;
}

static void remove_partial(struct kmem_cache_node *node, struct slab *slab)
{
	list_remove(&slab->slab_list);
	slab->on_partial = false;
	node->nr_partial--;
}

static bool is_object(const struct kmem_cache *cache, const struct slab *slab, const void *object)
{
	size_t offset = (size_t)((const char *)object - slab->base - cache->red_left_pad);

	// Divisible by size: Lemire, Kaser, Kurz, "Faster Remainder by Direct Computation" (2019).
	return offset < (size_t)slab->objects * cache->size && offset * cache->divisor <= cache->divisor - 1;
}

// A freelist pointer that was overwritten: what is behind it is lost, the slab is never used again. The kernel
// ("Freechain corrupt", freelist_corrupted()) does the same.
static void set_aside(struct kmem_cache_node *node, struct slab *slab)
{
	node->free_objects -= slab->objects - slab->inuse;
	slab->freelist = NULL;
	slab->inuse = slab->objects;
	slab->is_isolated = true;
}

static void isolate(struct kmem_cache *cache, struct kmem_cache_node *node, struct slab *slab, void *object)
{
	set_aside(node, slab);
	slub_report(cache, "free pointer overwritten", object);
}

// Pop up to `count` objects off a slab's freelist. The caller holds list_lock; it looks after lists.
static size_t pop_objects(struct kmem_cache *cache, struct kmem_cache_node *node, struct slab *slab, size_t count,
			  void **objects)
{
	size_t taken = 0, left = slab->objects - slab->inuse;
	void *object = slab->freelist;

	while (taken < count && taken < left && object) {
		void **slot = freelist_slot(cache, object);
		void *next = freelist_pointer(cache, *slot, slot);

		// The last one has NULL, any other an object of this slab.
		if (next ? taken + 1 == left || !is_object(cache, slab, next) : taken + 1 != left) {
			isolate(cache, node, slab, object);
			return taken;
		}
		if (cache->is_debugged && !slub_debug_alloc(cache, slab, object)) {
			set_aside(node, slab);
			return taken;
		}
		objects[taken++] = object;
		object = next;
	}
	slab->freelist = object;
	slab->inuse += (uint16_t)taken;
	node->free_objects -= taken;
	return taken;
}

static size_t take_partial(struct kmem_cache *cache, struct kmem_cache_node *node, size_t count, void **objects)
{
	size_t taken = 0;

	slub_lock(&node->list_lock);
	while (taken < count && node->nr_partial) {
		struct slab *slab = slab_of_list(node->partial.next);

		remove_partial(node, slab);
		taken += pop_objects(cache, node, slab, count - taken, objects + taken);
		slub_why(SLUB_WHY_NODE_PARTIAL, slab);
		if (slab->inuse < slab->objects)
			add_partial(node, slab, true);
	}
	slub_unlock(&node->list_lock);
	return taken;
}

size_t slub_slabs_take(struct kmem_cache *cache, unsigned node_number, size_t count, void **ret_objects)
{
	struct kmem_cache_node *node = &cache->node[node_number];
	size_t taken = take_partial(cache, node, count, ret_objects);

	while (taken < count) {
		struct slab *slab = slub_slab_make(cache, node_number);

		if (!slab)
			break;
		slub_why(SLUB_WHY_NEW_SLAB, slab);
		slub_lock(&node->list_lock);
		add_slab(node, slab);
		taken += pop_objects(cache, node, slab, count - taken, ret_objects + taken);
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
static bool put_object(struct kmem_cache *cache, struct kmem_cache_node *node, struct slab *slab, void *object)
{
	void **slot = freelist_slot(cache, object);

	if (object == slab->freelist || !slab->inuse) {
		slub_report(cache, "double free", object);
		return false;
	}
	*slot = freelist_pointer(cache, slab->freelist, slot);
	slab->freelist = object;
	slab->inuse--;
	node->free_objects++;
	return true;
}

// Push one object; the caller holds list_lock. True when the slab is to be discarded: it is on no list then.
static bool push_object(struct kmem_cache *cache, struct kmem_cache_node *node, struct slab *slab, void *object)
{
	if (cache->is_debugged && !slub_debug_free(cache, slab, object))
		return false;
	if (!put_object(cache, node, slab, object))
		return false;
	if (!slab->inuse && node->nr_partial - slab->on_partial >= cache->geometry.min_partial) {
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

// The slab of an object that is to be freed, NULL (and a report) when it can't be one of this cache.
static struct slab *checked_slab(struct kmem_cache *cache, void *object)
{
	struct slab *slab = slab_of_address(object);

	if (!slab)
		slub_report(cache, "invalid free: no object", object);
	else if (slab->slab_cache != cache)
		slub_report(slab->slab_cache, "invalid free: the object is of this cache", object);
	else if (!is_object(cache, slab, object))
		slub_report(cache, "invalid free: inside an object", object);
	else if (!slab->is_isolated)
		return slab;
	return NULL;
}

void slub_slabs_give(struct kmem_cache *cache, size_t count, void **objects)
{
	struct slab *discarded[LIST_BATCH];

	for (size_t done = 0; done < count;) {
		struct kmem_cache_node *node = NULL;
		unsigned discards = 0;

		for (; done < count && discards < LIST_BATCH; done++) {
			struct slab *slab = checked_slab(cache, objects[done]);

			if (!slab)
				continue;
			if (node != &cache->node[slab->node]) {
				if (node)
					slub_unlock(&node->list_lock);
				node = &cache->node[slab->node];
				slub_lock(&node->list_lock);
			}
			if (done + 4 < count)
				__builtin_prefetch(freelist_slot(cache, objects[done + 4]), 1);
			if (push_object(cache, node, slab, objects[done]))
				discarded[discards++] = slab;
		}
		if (node)
			slub_unlock(&node->list_lock);
		while (discards)
			slub_slab_end(discarded[--discards]);
	}
}

size_t slub_slabs_shrink(struct kmem_cache *cache)
{
	size_t gone = 0;

	for (unsigned number = 0; number < slub.nodes; number++) {
		struct kmem_cache_node *node = &cache->node[number];
		struct list empty;

		list_init(&empty);
		slub_lock(&node->list_lock);
		for (struct list *entry = node->partial.next, *next; entry != &node->partial; entry = next) {
			struct slab *slab = slab_of_list(entry);

			next = entry->next;
			if (slab->inuse)
				continue;
			remove_partial(node, slab);
			list_insert(&slab->slab_list, &empty, empty.next);
			drop_slab(node, slab);
			gone++;
		}
		slub_unlock(&node->list_lock);
		while (empty.next != &empty) {
			struct slab *slab = slab_of_list(empty.next);

			list_remove(&slab->slab_list);
			slub_slab_end(slab);
		}
	}
	return gone;
}

struct slab *slub_slab_take_partial(struct kmem_cache *cache, unsigned node_number)
{
	struct kmem_cache_node *node = &cache->node[node_number];
	struct slab *slab = NULL;

	slub_lock(&node->list_lock);
	if (node->nr_partial) {
		slab = slab_of_list(node->partial.next);
		remove_partial(node, slab);
	}
	slub_unlock(&node->list_lock);
	return slab;
}

struct slab *slub_slab_take(struct kmem_cache *cache, unsigned node_number)
{
	struct kmem_cache_node *node = &cache->node[node_number];
	struct slab *slab = slub_slab_take_partial(cache, node_number);

	if (slab) {
		slub_why(SLUB_WHY_NODE_PARTIAL, slab);
		return slab;
	}
	for (unsigned other = 0; other < slub.nodes; other++) {
		slab = other == node_number ? NULL : slub_slab_take_partial(cache, other);
		if (slab) {
			slub_why(SLUB_WHY_OTHER_NODE, slab);
			return slab;
		}
	}
	slab = slub_slab_make(cache, node_number);
	if (slab) {
		slub_why(SLUB_WHY_NEW_SLAB, slab);
		slub_lock(&node->list_lock);
		add_slab(node, slab);
		slub_unlock(&node->list_lock);
	}
	return slab;
}

static struct kmem_cache_node *lock_node(struct kmem_cache *cache, const struct slab *slab)
{
	struct kmem_cache_node *node = &cache->node[slab->node];

	slub_lock(&node->list_lock);
	return node;
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
	slub_why(slab->inuse ? SLUB_WHY_BECAME_PARTIAL : SLUB_WHY_EMPTY_KEPT, slab);
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

bool slub_slab_free_remote(struct kmem_cache *cache, void *object)
{
	struct slab *slab = checked_slab(cache, object);
	struct kmem_cache_node *node;
	bool was_full, is_gone = false;

	if (!slab)
		return false;
	node = lock_node(cache, slab);
	was_full = slab->inuse == slab->objects;
	if (slab->frozen || was_full || !slab->on_partial) {
		slub_why(slab->frozen ? SLUB_WHY_TO_FROZEN_SLAB : was_full ? SLUB_WHY_NONE : SLUB_WHY_TO_PARTIAL_SLAB, slab);
		put_object(cache, node, slab, object);
		was_full &= !slab->frozen;
	} else {
		is_gone = push_object(cache, node, slab, object);
		was_full = false;
	}
	slub_unlock(&node->list_lock);
	if (is_gone)
		slub_slab_end(slab);
	return was_full;
}
