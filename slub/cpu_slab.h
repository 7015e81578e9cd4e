/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The engine of kernels up to 6.17: each CPU has a slab of its own and a list of partial ones
 * (struct kmem_cache_cpu, mm/slub.c).
 *
 *     CPU's freelist → CPU's slab → CPU's partial list → node's partial list → new slab
 *
 * A cache chooses it by SLUB_CPU_SLABS. Rules are those of 6.8 and later: only the CPU's slab is frozen; slabs on a CPU's
 * partial list are not, and stand on no node's list.
 */
#ifndef SLUB_CPU_SLAB_H
#define SLUB_CPU_SLAB_H

#include "layout.h"

/* An object; NULL when memory is out. */
void *slub_cpu_slab_alloc(struct kmem_cache *cache);

void slub_cpu_slab_free(struct kmem_cache *cache, void *object);

/* Give all CPUs' slabs and lists to their nodes (flush_all()). */
void slub_cpu_slab_flush(struct kmem_cache *cache);

/* Put a slab in front of a list that no CPU has yet. */
void slub_cpu_partial_add(struct slab **list, struct slab *slab);

/* Objects on a freelist of a slab, at most all that it has. */
size_t slub_freelist_length(const struct kmem_cache *cache, const struct slab *slab, void *object);

/* Free objects that CPUs have: on their freelists, and on the freelists of the slabs that are theirs. */
struct slub_cpu_slab_counts {
	size_t on_cpus, in_slabs;
};

/* Those of all CPUs (percpu.c), and of one, which are added. Of a moment only in a cache that nobody uses meanwhile. */
struct slub_cpu_slab_counts slub_cpu_slab_count(struct kmem_cache *cache);
void slub_cpu_slab_add_counts(const struct kmem_cache *cache, const struct slub_cpu_slab *part,
			      struct slub_cpu_slab_counts *counts);

#endif
