// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// What the engine of CPU slabs does to slabs: a CPU takes one with all its free objects, and gives it up; others free to it
// meanwhile. How they stay out of each other's way: slab_update.h.
#include "slab.h"

#include "report.h"
#include "slab_lists.h"
#include "slab_make.h"
#include "slab_update.h"
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
	// Another node's before none at all.
	for (unsigned other = 0; !slab && other < slub.nodes; other++)
		slab = slub_slab_take_partial(cache, other);
	return slab;
}

void *slub_slab_freeze(struct kmem_cache *cache, struct slab *slab)
{
	struct freelist_counters old, new;

	do {
		old = slab_read(slab);
		new = (struct freelist_counters){ .inuse = old.objects, .objects = old.objects, .frozen = true };
	} while (!slab_update_freelist(cache, slab, &old, &new));
	return old.freelist;
}

void *slub_slab_collect(struct kmem_cache *cache, struct slab *slab)
{
	struct freelist_counters old, new;

	do {
		old = slab_read(slab);
		new = (struct freelist_counters){ .inuse = old.objects, .objects = old.objects, .frozen = old.freelist };
	} while (!slab_update_freelist(cache, slab, &old, &new));
	slub_why(old.freelist ? SLUB_WHY_NONE : SLUB_WHY_CPU_SLAB_FULL, slab);
	return old.freelist;
}

// A chain of free objects that a CPU had.
struct chain {
	void *first, *last;
	unsigned count;
	void *damaged; // the chain can't be followed behind it
	const char *damage;
};

// A chain is as long as the slab has objects in use at most; one that leaves the slab was overwritten.
static struct chain follow(const struct kmem_cache *cache, const struct slab *slab, void *freelist)
{
	struct chain chain = { .first = freelist };

	// The fast path took whatever lies in the CPU's slab.
	if (freelist && !is_object(cache, slab, freelist)) {
		chain.damaged = freelist;
		chain.damage = "invalid free: inside an object";
		return chain;
	}
	for (void *object = freelist, *next; object; object = next) {
		void **slot = freelist_slot(cache, object);

		next = freelist_pointer(cache, *slot, slot);
		if (++chain.count > slab_read(slab).inuse || (next && !is_object(cache, slab, next))) {
			chain.damaged = object;
			chain.damage = "free pointer overwritten";
			return chain;
		}
		chain.last = object;
	}
	return chain;
}

// Put the chain in front of the slab's freelist; the slab is no CPU's any more. The caller holds list_lock.
static struct freelist_counters unfreeze(const struct kmem_cache *cache, struct slab *slab, struct chain *chain)
{
	struct freelist_counters old, new;

	do {
		old = slab_read(slab);
		new = old;
		new.frozen = false;
		if (chain->damaged || chain->count > old.inuse) {
			new = isolated(old.objects);
		} else if (chain->first) {
			void **slot = freelist_slot(cache, chain->last);

			*slot = freelist_pointer(cache, old.freelist, slot);
			new.freelist = chain->first;
			new.inuse -= (uint16_t)chain->count;
		}
	} while (!slab_update_freelist_locked(cache, slab, &old, &new));
	return new;
}

// A slab with free objects that no CPU has any more: to its node's list, away if it is empty and others suffice. The caller
// holds list_lock. True when it is to be freed.
static bool settle(struct kmem_cache *cache, struct kmem_cache_node *node, struct slab *slab, bool at_end)
{
	bool is_empty = !slab_read(slab).inuse;

	if (is_empty && node->nr_partial >= cache->geometry.min_partial) {
		slub_why(SLUB_WHY_EMPTY_DISCARDED, slab);
		drop_slab(node, slab);
		return true;
	}
	slub_why(is_empty ? SLUB_WHY_EMPTY_KEPT : SLUB_WHY_TO_NODE_LIST, slab);
	add_partial(node, slab, at_end);
	return false;
}

void slub_slab_thaw(struct kmem_cache *cache, struct slab *slab, void *freelist)
{
	bool is_gone = false, had_remote_frees = slab_read(slab).freelist;
	struct chain chain = follow(cache, slab, freelist);
	struct kmem_cache_node *node = lock_node(cache, slab);
	struct freelist_counters now = unfreeze(cache, slab, &chain);

	// What is full may be another thread's already, who freed to it.
	if (now.freelist)
		is_gone = settle(cache, node, slab, had_remote_frees);
	else if (!now.is_isolated)
		slub_why(SLUB_WHY_CPU_SLAB_FULL, slab);
	slub_unlock(&node->list_lock);
	if (now.is_isolated)
		slub_report(cache, chain.damage ? chain.damage : "double free", chain.damaged ? chain.damaged : freelist);
	if (is_gone)
		slub_slab_end(slab);
}

void slub_slabs_put_partial(struct kmem_cache *cache, struct slab *slabs)
{
	struct kmem_cache_node *node = NULL;
	struct slab *gone = NULL;

	while (slabs) {
		struct slab *slab = slabs;

		slabs = slab->next;
		if (node != &cache->node[slab->node]) {
			if (node)
				slub_unlock(&node->list_lock);
			node = lock_node(cache, slab);
		}
		if (settle(cache, node, slab, true)) {
			slab->next = gone;
			gone = slab;
		}
	}
	if (node)
		slub_unlock(&node->list_lock);
	while (gone) {
		struct slab *slab = gone;

		gone = slab->next;
		slub_slab_end(slab);
	}
}

// The slab after a free that list_lock was taken for. True when it is to be freed.
static bool settle_empty(struct kmem_cache *cache, struct kmem_cache_node *node, struct slab *slab)
{
	// Somebody has it in hands, who will see that it is empty.
	if (!slab->on_partial) {
		slub_why(SLUB_WHY_TO_PARTIAL_SLAB, slab);
		return false;
	}
	if (node->nr_partial < cache->geometry.min_partial) {
		slub_why(SLUB_WHY_EMPTY_KEPT, slab);
		return false;
	}
	slub_why(SLUB_WHY_EMPTY_DISCARDED, slab);
	remove_partial(node, slab);
	drop_slab(node, slab);
	return true;
}

static bool free_and_empty(struct kmem_cache *cache, struct slab *slab, const struct freelist_counters *old,
			   const struct freelist_counters *new)
{
	struct kmem_cache_node *node = lock_node(cache, slab);
	bool is_done = slab_update_freelist_locked(cache, slab, old, new);
	bool is_gone = is_done && settle_empty(cache, node, slab);

	slub_unlock(&node->list_lock);
	if (is_gone)
		slub_slab_end(slab);
	return is_done;
}

bool slub_slab_free_remote(struct kmem_cache *cache, void *object)
{
	struct slab *slab = checked_slab(cache, object);
	struct freelist_counters old, new;
	bool is_done;

	if (!slab)
		return false;
	do {
		void **slot = freelist_slot(cache, object);

		old = slab_read(slab);
		if (old.is_isolated)
			return false;
		// set_freepointer(), mm/slub.c: "naive detection of double free or corruption".
		if (object == old.freelist || !old.inuse) {
			slub_report(cache, "double free", object);
			return false;
		}
		*slot = freelist_pointer(cache, old.freelist, slot);
		new = old;
		new.freelist = object;
		new.inuse--;
		if (!new.inuse && old.freelist && !old.frozen)
			is_done = free_and_empty(cache, slab, &old, &new);
		else
			is_done = slab_update_freelist(cache, slab, &old, &new);
	} while (!is_done);
	if (old.frozen || (old.freelist && new.inuse))
		slub_why(old.frozen ? SLUB_WHY_TO_FROZEN_SLAB : SLUB_WHY_TO_PARTIAL_SLAB, slab);
	return !old.frozen && !old.freelist;
}
