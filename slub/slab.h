/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Slabs and the lists of them: where free objects come from and go to when no CPU and no barn has or wants them.
 */
#ifndef SLUB_SLAB_H
#define SLUB_SLAB_H

#include "layout.h"

/*
 * Take up to `count` free objects: of partial slabs, this node's, then those of nodes that keep more than min_partial, then
 * of new slabs. Fewer, down to none, when memory is out. As many slabs leave the list as have the objects, and give
 * them the last one first; what is left goes to the list's end (refill_objects(), mm/slub.c). One object alone comes from
 * the first slab, which stays in its place (get_from_partial_node()).
 */
size_t slub_slabs_take(struct kmem_cache *cache, unsigned node, size_t count, void **ret_objects);

/*
 * Give objects back to their slabs, the last one first, together with others of its slab nearby (kmem_cache_free_bulk());
 * the array is reordered. A slab that was full goes to the end of its node's partial list; one that is empty now goes back
 * to the page layer when that list has min_partial slabs (__slab_free(), mm/slub.c). Objects that can't be right are
 * reported and left alone.
 */
void slub_slabs_give(struct kmem_cache *cache, size_t count, void **objects);

/* Discard the empty slabs of a cache, and sort the others, the fullest first. Returns how many went. */
size_t slub_slabs_shrink(struct kmem_cache *cache);

/* Free objects of the slabs on a node's partial list, whose list_lock is held (count_partial()). */
size_t slub_slabs_count_free(struct kmem_cache_node *node);

/* For the engine of CPU slabs. ---------------------------------------------------------------------------------- */

/* A slab with free objects that is on no list now: the first of the node's partial list, then of a node's that keeps more
 * than min_partial, a new one, any node's. NULL when memory is out. */
struct slab *slub_slab_take(struct kmem_cache *cache, unsigned node, bool *ret_is_new);

/* The first slab of the node's partial list, NULL when it is empty. */
struct slab *slub_slab_take_partial(struct kmem_cache *cache, unsigned node);

/* A CPU gets a slab: it is frozen, and its whole freelist is the CPU's. */
void *slub_slab_freeze(struct kmem_cache *cache, struct slab *slab);

/* The objects that others freed to a CPU's slab meanwhile (get_freelist()). NULL when there are none: then the slab is no
 * CPU's any more, and full. */
void *slub_slab_collect(struct kmem_cache *cache, struct slab *slab);

/* A CPU gives its slab up, with what is left of its freelist (deactivate_slab()). */
void slub_slab_thaw(struct kmem_cache *cache, struct slab *slab, void *freelist);

/* Slabs from a CPU's partial list, chained by next, go to their nodes: to the list's end, or back to the page layer
 * (__put_partials()). NULL is fine. */
void slub_slabs_put_partial(struct kmem_cache *cache, struct slab *slabs);

/* Free one object to a slab that is not this CPU's: by one compare-exchange, unless the slab is empty then. True when the
 * slab was full and is now on no list: the caller puts it on the CPU's partial list (__slab_free()). */
bool slub_slab_free_remote(struct kmem_cache *cache, void *object);

#endif
