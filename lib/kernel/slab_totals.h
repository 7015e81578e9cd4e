/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Sums over a cache: as /proc/slabinfo counts them, and the truth beneath. Needs no pass over struct page,
 * except where the kernel keeps no books (no CONFIG_SLUB_DEBUG): then one for all caches.
 */
#ifndef DILL_SLAB_TOTALS_H
#define DILL_SLAB_TOTALS_H

#include "slab_heap.h"

/*
 * num_objs = allocated + free_slab + free_cpu + free_sheaf + pending, always.
 * As slabinfo (mm/slub.c, get_slabinfo()): slabs, num_objs, active_objs = num_objs − free objects of slabs on
 * nodes' partial lists. Beyond 10,000 partial slabs newer kernels estimate active_objs; this counts.
 */
struct slab_totals {
	uint64_t slabs, num_objs, active_objs;
	uint64_t allocated;
	uint64_t free_slab;        /* in slabs' own freelists, wherever the slabs are */
	uint64_t free_cpu_partial; /* those of them in slabs on CPUs' partial lists */
	uint64_t free_cpu;         /* in lockless freelists */
	uint64_t free_sheaf;       /* in sheaves main and spare, and in barns */
	uint64_t free_barn;        /* those of them in barns */
	uint64_t pending;          /* in rcu_free sheaves, or waiting on CPUs for a lock */
	uint64_t slabs_cpu, slabs_cpu_partial, slabs_node_partial, slabs_full;
	uint64_t bytes;            /* of all slabs, those of the smaller order counted as such */
	uint64_t waste;            /* bytes − allocated × object_size */
	bool has_books;            /* false: no SLUB_DEBUG. slabs and num_objs are counted, not read */
	bool is_damaged;           /* something couldn't be read: the sums are lower bounds */
};

/* The cache's contents are read if need be. */
int slab_totals_count(struct slab_heap *heap, uint32_t cache, struct slab_totals *ret_totals,
		      struct error *err);

#endif
