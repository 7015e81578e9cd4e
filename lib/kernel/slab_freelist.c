// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Freelists inside slabs. Judges pointers one by one; what the objects hold is of no interest here. */
#include "slab_freelist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"

/* Walks in step at a time: bounds the bitmaps and reads that are held at once. */
#define WALKS_AT_ONCE 4096

uint64_t slab_pointer_decode(enum slab_encoding encoding, uint64_t random, uint64_t slot, uint64_t stored)
{
	switch (encoding) {
	case SLAB_ENCODING_XOR:
		return stored ^ random ^ slot;
	case SLAB_ENCODING_XOR_SWAP:
		return stored ^ random ^ __builtin_bswap64(slot);
	default:
		return stored;
	}
}

enum slab_damage slab_pointer_judge(const struct slab_cache *cache, const struct slab *slab, uint64_t object)
{
	uint32_t index;

	if (!slab_object_index(cache, slab, object, &index))
		return SLAB_FREELIST_OUTSIDE;
	return object == slab_object_address(cache, slab, index) ? SLAB_INTACT : SLAB_FREELIST_MISALIGNED;
}

/* A walk under way. */
struct walker {
	struct slab_freelist_walk *walk;
	uint64_t next;    /* the object to be looked at, 0: done */
	uint64_t from;    /* the object that led there, 0: the head */
	uint64_t *seen;   /* a bit for each object of the slab */
	uint32_t capacity;
	uint64_t stored;  /* the word read */
};

static void stop(struct walker *walker, enum slab_damage damage)
{
	struct slab_freelist *result = &walker->walk->result;

	if (damage) {
		result->damage = damage;
		result->damaged_object = walker->from;
		result->damaged_value = walker->next;
	}
	walker->next = 0;
}

static int keep(struct walker *walker)
{
	struct slab_freelist *result = &walker->walk->result;

	if (result->count == walker->capacity) {
		uint32_t capacity = walker->capacity ? walker->capacity * 2 : 32;
		uint64_t *larger = realloc(result->objects, capacity * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		result->objects = larger;
		walker->capacity = capacity;
	}
	result->objects[result->count++] = walker->next;
	return 0;
}

/* Take the object that the walk has come to, or stop. True when its pointer is to be read. */
static bool take(struct walker *walker, int *status)
{
	const struct slab_freelist_walk *walk = walker->walk;
	enum slab_damage damage;
	uint32_t index = 0;

	if (!walker->next || *status)
		return false;
	damage = slab_pointer_judge(walk->cache, walk->slab, walker->next);
	if (damage) {
		stop(walker, damage);
		return false;
	}
	slab_object_index(walk->cache, walk->slab, walker->next, &index);
	if (walker->seen[index / 64] & UINT64_C(1) << index % 64)
		stop(walker, SLAB_FREELIST_LOOP);
	else if (walk->result.count >= walk->limit)
		stop(walker, SLAB_FREELIST_TOO_LONG);
	if (!walker->next)
		return false;
	walker->seen[index / 64] |= UINT64_C(1) << index % 64;
	*status = keep(walker);
	return !*status;
}

static void follow(struct walker *walker, enum slab_encoding encoding, const struct memory_read *read)
{
	walker->from = walker->next;
	if (read->result) {
		walker->walk->result.damage = SLAB_FREELIST_UNREADABLE;
		walker->walk->result.damaged_object = walker->from;
		walker->next = 0;
		return;
	}
	walker->next =
		slab_pointer_decode(encoding, walker->walk->cache->random, read->address, walker->stored);
}

static int walk_in_step(struct slab_heap *heap, struct walker *walkers, size_t count,
			struct memory_read *reads, size_t *readers)
{
	size_t active;
	int status = 0;

	do {
		active = 0;
		for (size_t i = 0; i < count && !status; i++) {
			if (!take(&walkers[i], &status))
				continue;
			reads[active] = (struct memory_read){
				.address = slab_pointer_slot(walkers[i].walk->cache, walkers[i].next),
				.buffer = &walkers[i].stored,
				.size = sizeof(walkers[i].stored),
			};
			readers[active++] = i;
		}
		if (!status && active)
			status = kernel_read_many(heap->kernel, reads, active);
		for (size_t i = 0; i < active && !status; i++)
			follow(&walkers[readers[i]], heap->encoding, &reads[i]);
	} while (active && !status);
	return status;
}

static size_t bitmap_words(const struct slab *slab)
{
	return slab->objects / 64u + 1;
}

static int walk_some(struct slab_heap *heap, struct slab_freelist_walk *walks, size_t count,
		     struct error *err)
{
	CLEANUP(free) struct walker *walkers = calloc(count, sizeof(*walkers));
	CLEANUP(free) struct memory_read *reads = calloc(count, sizeof(*reads));
	CLEANUP(free) size_t *readers = calloc(count, sizeof(*readers));
	CLEANUP(free) uint64_t *seen = NULL;
	size_t words = 0, at = 0;
	int status;

	for (size_t i = 0; i < count; i++)
		words += bitmap_words(walks[i].slab);
	seen = calloc(words, sizeof(*seen));
	if (!walkers || !reads || !readers || !seen)
		return error_set(err, -ENOMEM, "no memory to walk %zu freelists", count);
	for (size_t i = 0; i < count; i++) {
		walks[i].result = (struct slab_freelist){ 0 };
		walkers[i] = (struct walker){ .walk = &walks[i], .next = walks[i].first, .seen = seen + at };
		at += bitmap_words(walks[i].slab);
	}
	status = walk_in_step(heap, walkers, count, reads, readers);
	if (status)
		return error_set(err, status, "%s", status == -ENOMEM ? "no memory for a freelist"
								      : heap->kernel->reader.text);
	return 0;
}

int slab_freelists_walk(struct slab_heap *heap, struct slab_freelist_walk *walks, size_t count,
			struct error *err)
{
	int status = 0;

	for (size_t at = 0; at < count && !status; at += WALKS_AT_ONCE)
		status = walk_some(heap, walks + at, count - at < WALKS_AT_ONCE ? count - at : WALKS_AT_ONCE,
				   err);
	return status;
}

struct slab_freelist_walk slab_freelist_walk_of(const struct slab_heap *heap, const struct slab *slab)
{
	bool can_walk = !slab->is_bad && slab->cache != SLAB_NO_CACHE;

	return (struct slab_freelist_walk){
		.cache = can_walk ? &heap->caches[slab->cache] : NULL,
		.slab = slab,
		.first = can_walk ? slab->freelist : 0,
		.limit = can_walk ? (uint32_t)(slab->objects - slab->inuse) : 0,
	};
}

void slab_freelist_judge(struct slab_freelist_walk *walk)
{
	if (walk->cache && !walk->result.damage && walk->result.count < walk->limit) {
		walk->result.damage = SLAB_FREELIST_TOO_SHORT;
		walk->result.damaged_object =
			walk->result.count ? walk->result.objects[walk->result.count - 1] : 0;
	}
}

int slab_freelist_read(struct slab_heap *heap, const struct slab *slab, struct slab_freelist *ret_freelist,
		       struct error *err)
{
	struct slab_freelist_walk walk = slab_freelist_walk_of(heap, slab);
	int status = slab_freelists_walk(heap, &walk, 1, err);

	if (status) {
		slab_freelist_deinit(&walk.result);
		return status;
	}
	slab_freelist_judge(&walk);
	*ret_freelist = walk.result;
	return 0;
}

void slab_freelist_deinit(struct slab_freelist *freelist)
{
	free(freelist->objects);
	*freelist = (struct slab_freelist){ 0 };
}
