// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Making slabs, taking free objects out of them, giving objects back. CPUs and sheaves are not known here.
#include "slab.h"

#include <sched.h>
#include <stdbool.h>

#include "debug.h"
#include "report.h"

#define LIST_BATCH 8 /* slabs that one hold of list_lock may discard */

static struct slab *slab_of_list(struct list *entry)
{
	return (struct slab *)((char *)entry - offsetof(struct slab, slab_list));
}

unsigned slub_node(void)
{
	unsigned cpu, node = 0;

	if (slub_state.nodes > 1 && !getcpu(&cpu, &node) && node >= slub_state.nodes)
		node = 0;
	return node;
}

// Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (2014).
uint64_t slub_random(void)
{
	uint64_t word = __atomic_add_fetch(&slub_state.seed, 0x9e3779b97f4a7c15, __ATOMIC_RELAXED);

	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
	word = (word ^ word >> 27) * 0x94d049bb133111eb;
	return word ^ word >> 31;
}

bool slub_shuffle_init(struct kmem_cache *cache)
{
	unsigned count = cache->geometry.objects;
	size_t pages = (count * sizeof(uint32_t) + SLUB_PAGE_SIZE - 1) >> SLUB_PAGE_SHIFT;
	bool is_zero;
	uint32_t *sequence;

	if (count < 2 || cache->flags & SLUB_NO_RANDOM)
		return true;
	sequence = slub_pages_alloc_run(&slub_state.pages, pages, 0, &is_zero);
	if (!sequence)
		return false;
	for (unsigned i = 0; i < count; i++)
		sequence[i] = i * cache->size;
	for (unsigned i = count - 1; i > 0; i--) {
		unsigned other = (unsigned)(slub_random() % (i + 1));
		uint32_t offset = sequence[i];

		sequence[i] = sequence[other];
		sequence[other] = offset;
	}
	cache->random_seq = sequence;
	return true;
}

void slub_shuffle_end(struct kmem_cache *cache)
{
	size_t bytes = cache->geometry.objects * sizeof(uint32_t);

	if (cache->random_seq)
		slub_pages_free_run(&slub_state.pages, cache->random_seq,
				    (bytes + SLUB_PAGE_SIZE - 1) >> SLUB_PAGE_SHIFT);
	cache->random_seq = NULL;
}

// The offsets of a new slab's objects in the order in which they will be handed out: shuffle_freelist().
struct walk {
	const uint32_t *sequence;
	unsigned count, at, limit, step;
};

static unsigned next_offset(struct walk *walk)
{
	unsigned offset;

	if (!walk->sequence)
		return walk->at++ * walk->step;
	do {
		offset = walk->sequence[walk->at++];
		if (walk->at == walk->count)
			walk->at = 0;
	} while (offset >= walk->limit);
	return offset;
}

static void chain_objects(struct kmem_cache *cache, struct slab *slab)
{
	struct walk walk = { cache->random_seq, cache->geometry.objects, 0, slab->objects * cache->size, cache->size };
	char *first = slab->base + cache->red_left_pad;
	void **slot, *object;

	if (walk.sequence)
		walk.at = (unsigned)(slub_random() % walk.count);
	object = slab->freelist = first + next_offset(&walk);
	for (unsigned i = 1;; i++) {
		void *next = i < slab->objects ? first + next_offset(&walk) : NULL;

		if (cache->is_debugged)
			slub_debug_init(cache, object);
		if (cache->ctor)
			cache->ctor(object);
		slot = freelist_slot(cache, object);
		*slot = freelist_pointer(cache, next, slot);
		if (!next)
			return;
		object = next;
	}
}

// A slab whose objects are all free, on no list: allocate_slab().
static struct slab *new_slab(struct kmem_cache *cache, unsigned node)
{
	struct slub_pages *pages = &slub_state.pages;
	unsigned order = cache->geometry.order;
	struct slab *slab = slub_slab_descriptor(pages);
	char *base;
	bool is_zero;

	if (!slab)
		return NULL;
	base = slub_pages_alloc(pages, order, &is_zero);
	if (!base && cache->geometry.min_order < order)
		base = slub_pages_alloc(pages, order = cache->geometry.min_order, &is_zero);
	if (!base) {
		slub_slab_descriptor_put(pages, slab);
		return NULL;
	}
	*slab = (struct slab){
		.slab_cache = cache, .base = base, .order = (uint8_t)order, .node = (uint8_t)node,
		.objects = (uint16_t)((SLUB_PAGE_SIZE << order) / cache->size),
	};
	slub_pages_set(pages, base, 1ul << order, slab, cache->kind);
	chain_objects(cache, slab);
	return slab;
}

static void free_slab(struct slab *slab)
{
	slub_pages_free(&slub_state.pages, slab->base, slab->order);
	slub_slab_descriptor_put(&slub_state.pages, slab);
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
		struct slab *slab = new_slab(cache, node_number);

		if (!slab)
			break;
		slub_lock(&node->list_lock);
		node->nr_slabs++;
		node->total_objects += slab->objects;
		node->free_objects += slab->objects;
		taken += pop_objects(cache, node, slab, count - taken, ret_objects + taken);
		if (slab->inuse < slab->objects)
			add_partial(node, slab, false);
		slub_unlock(&node->list_lock);
	}
	// Another node's slabs before none at all.
	for (unsigned other = 0; !taken && other < slub_state.nodes; other++) {
		if (other != node_number)
			taken = take_partial(cache, &cache->node[other], count, ret_objects);
	}
	return taken;
}

// Push one object; the caller holds list_lock. True when the slab is to be discarded: it is on no list then.
static bool push_object(struct kmem_cache *cache, struct kmem_cache_node *node, struct slab *slab, void *object)
{
	void **slot = freelist_slot(cache, object);

	if (cache->is_debugged && !slub_debug_free(cache, slab, object))
		return false;
	if (object == slab->freelist || !slab->inuse) {
		slub_report(cache, "double free", object);
		return false;
	}
	*slot = freelist_pointer(cache, slab->freelist, slot);
	slab->freelist = object;
	slab->inuse--;
	node->free_objects++;
	if (!slab->inuse && node->nr_partial - slab->on_partial >= cache->geometry.min_partial) {
		if (slab->on_partial)
			remove_partial(node, slab);
		node->nr_slabs--;
		node->total_objects -= slab->objects;
		node->free_objects -= slab->objects;
		return true;
	}
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
			free_slab(discarded[--discards]);
	}
}

size_t slub_slabs_shrink(struct kmem_cache *cache)
{
	size_t gone = 0;

	for (unsigned number = 0; number < slub_state.nodes; number++) {
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
			node->nr_slabs--;
			node->total_objects -= slab->objects;
			node->free_objects -= slab->objects;
			gone++;
		}
		slub_unlock(&node->list_lock);
		while (empty.next != &empty) {
			struct slab *slab = slab_of_list(empty.next);

			list_remove(&slab->slab_list);
			free_slab(slab);
		}
	}
	return gone;
}
