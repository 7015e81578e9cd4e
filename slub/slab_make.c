// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Slabs come and go: pages, a descriptor, the chain of free objects in random order.
#include "slab_make.h"

#include <stdbool.h>

#include "debug.h"

#define LEAST_SEQUENCE 3 /* room for a pointer */

// Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (2014).
uint64_t slub_random(void)
{
	uint64_t word = __atomic_add_fetch(&slub.seed, 0x9e3779b97f4a7c15, __ATOMIC_RELAXED);

	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
	word = (word ^ word >> 27) * 0x94d049bb133111eb;
	return word ^ word >> 31;
}

// Sequences have 1 << order bytes, so that one that was given back serves another. Most are far shorter than a page, and
// a process that starts pays for each page that is touched: they stand side by side.
static unsigned sequence_order(unsigned count)
{
	unsigned order = LEAST_SEQUENCE;

	while ((size_t)1 << order < count * sizeof(uint32_t))
		order++;
	return order;
}

static uint32_t *new_sequence(unsigned order)
{
	struct slub_state *state = &slub;
	struct slub_sequence *sequence = state->free_sequences[order];
	size_t bytes = (size_t)1 << order, pages = (bytes + SLUB_PAGE_SIZE - 1) >> SLUB_PAGE_SHIFT;
	struct slub_dirty_part dirty;

	if (sequence) {
		state->free_sequences[order] = sequence->next;
		return (uint32_t *)sequence;
	}
	if ((size_t)(state->sequences_end - state->sequences) < bytes) {
		char *block = slub_pages_alloc_run(&state->pages, pages, 0, &dirty);

		if (!block)
			return NULL;
		state->sequences = block;
		state->sequences_end = block + (pages << SLUB_PAGE_SHIFT);
	}
	state->sequences += bytes;
	return (uint32_t *)(state->sequences - bytes);
}

bool slub_shuffle_init(struct kmem_cache *cache)
{
	unsigned count = cache->geometry.objects;
	uint32_t *sequence;

	if (count < 2 || cache->flags & SLUB_NO_RANDOM)
		return true;
	sequence = new_sequence(sequence_order(count));
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
	struct slub_sequence *sequence = (struct slub_sequence *)cache->random_seq;
	unsigned order = sequence_order(cache->geometry.objects);

	if (sequence) {
		sequence->next = slub.free_sequences[order];
		slub.free_sequences[order] = sequence;
	}
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

struct slab *slub_slab_make(struct kmem_cache *cache, unsigned node)
{
	struct slub_pages *pages = &slub.pages;
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

void slub_slab_end(struct slab *slab)
{
	slub_pages_free(&slub.pages, slab->base, slab->order);
	slub_slab_descriptor_put(&slub.pages, slab);
}
