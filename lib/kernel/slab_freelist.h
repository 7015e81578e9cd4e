/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Freelists: decoding of pointers, walks that end on every damage. mm/slub.c, get_freepointer(). */
#ifndef DILL_SLAB_FREELIST_H
#define DILL_SLAB_FREELIST_H

#include "slab_heap.h"

/* The pointer that @stored, read at @slot, stands for. Its own inverse: encodes as well. */
uint64_t slab_pointer_decode(enum slab_encoding encoding, uint64_t random, uint64_t slot, uint64_t stored);

/* Address of the word in free @object that leads to the next. */
static inline uint64_t slab_pointer_slot(const struct slab_cache *cache, uint64_t object)
{
	return object + cache->offset;
}

/* What is wrong with @object as a pointer in a freelist of @slab: SLAB_INTACT, …_OUTSIDE or …_MISALIGNED. */
enum slab_damage slab_pointer_judge(const struct slab_cache *cache, const struct slab *slab, uint64_t object);

/* One of many walks that go on side by side. */
struct slab_freelist_walk {
	const struct slab_cache *cache;
	const struct slab *slab; /* the slab that all objects must lie in */
	uint64_t first;          /* plain; 0: empty */
	uint32_t limit;          /* more objects than that are too many */
	struct slab_freelist result; /* filled; result.objects is the caller's to free */
};

/*
 * Walk @count freelists in step, so that each round reads one pointer of each: round trips depend on the
 * longest list, not on their number. Damage is in the results. -ENOMEM, or the source's failure; results are
 * to be freed then too.
 */
int slab_freelists_walk(struct slab_heap *heap, struct slab_freelist_walk *walks, size_t count,
			struct error *err);

/* The walk of a slab's own freelist; one that is empty when the slab is bad. */
struct slab_freelist_walk slab_freelist_walk_of(const struct slab_heap *heap, const struct slab *slab);
/* After such a walk: fewer objects than the counters tell are SLAB_FREELIST_TOO_SHORT. */
void slab_freelist_judge(struct slab_freelist_walk *walk);

/* The slab's own freelist: at most objects − inuse long; fewer is SLAB_FREELIST_TOO_SHORT. */
int slab_freelist_read(struct slab_heap *heap, const struct slab *slab, struct slab_freelist *ret_freelist,
		       struct error *err);
void slab_freelist_deinit(struct slab_freelist *freelist);

#endif
