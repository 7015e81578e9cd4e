/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * How slabs of the engine of CPU slabs change: freelist and counters by one compare-exchange of 16 bytes, as
 * slab_update_freelist() of mm/slub.c does it, so that who frees to another CPU's slab needs no lock.
 *
 * Nobody looks at one half and writes the other: both are read, a new pair is made, and that replaces the old one if it is
 * still there. Objects are only put in front, and taken by the one who takes all or has list_lock, so that the same pair
 * means the same chain. Who is going to leave a slab empty that is no CPU's takes list_lock before the exchange: then what
 * is empty on a list under that lock stays so, and can be given back.
 *
 * While a cache stands still (percpu.h) list_lock is taken for each exchange, which a fork waits for and holds; and so it
 * is where the machine can't exchange 16 bytes.
 */
#ifndef SLUB_SLAB_UPDATE_H
#define SLUB_SLAB_UPDATE_H

#include "percpu.h"
#include "slab_lists.h"

/* Both halves, maybe of different moments: an exchange tells. */
static inline struct freelist_counters slab_read(const struct slab *slab)
{
	return (struct freelist_counters){
		.freelist = __atomic_load_n(&slab->freelist, __ATOMIC_RELAXED),
		.counters = __atomic_load_n(&slab->counters, __ATOMIC_RELAXED),
	};
}

static inline unsigned slab_free_objects(const struct slab *slab)
{
	const struct freelist_counters seen = slab_read(slab);

	return (unsigned)(seen.objects - seen.inuse);
}

/* The same while list_lock is held. */
static inline bool slab_update_freelist_locked(const struct kmem_cache *cache, struct slab *slab,
					       const struct freelist_counters *old, const struct freelist_counters *new)
{
	if (cache->has_cmpxchg_double)
		return slub_cmpxchg_double(slab, old, new);
	if (slab->freelist != old->freelist || slab->counters != old->counters)
		return false;
	__atomic_store_n(&slab->freelist, new->freelist, __ATOMIC_RELAXED);
	__atomic_store_n(&slab->counters, new->counters, __ATOMIC_RELAXED);
	return true;
}

/* Replace `old` by `new`. False when somebody else has changed the slab. */
static inline bool slab_update_freelist(struct kmem_cache *cache, struct slab *slab, const struct freelist_counters *old,
					const struct freelist_counters *new)
{
	enum slub_update done = cache->has_cmpxchg_double ? slub_percpu_update(cache, slab, old, new) : SLUB_UPDATE_LOCKED;
	struct kmem_cache_node *node;
	bool is_done;

	if (done != SLUB_UPDATE_LOCKED)
		return done == SLUB_UPDATED;
	node = lock_node(cache, slab);
	is_done = slab_update_freelist_locked(cache, slab, old, new);
	slub_unlock(&node->list_lock);
	return is_done;
}

#endif
