/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Consistency of caches: every slab, every freelist, every parked object, and where the cache was made with
 * slub_debug, red zones, poison and padding of every object.
 */
#ifndef DILL_SLAB_CHECK_H
#define DILL_SLAB_CHECK_H

#include "slab_heap.h"

/* What was looked at, so that "nothing found" says how much it means. */
struct slab_check_extent {
	uint64_t caches, slabs, objects;
	uint64_t objects_with_red_zone, objects_with_poison; /* whose bytes were compared */
	uint64_t slabs_skipped; /* bad ones, whose objects can't be told apart */
};

/* The bytes that a finding is about, and the most likely reason. */
struct slab_evidence {
	uint64_t address;
	uint8_t bytes[32];
	size_t size;
	const char *cause; /* constant text */
	uint64_t neighbour; /* the allocated object on the left that may have written here; 0: none */
};

/*
 * Check @cache (SLAB_NO_CACHE: all). Findings are added to heap->findings, those of reading included, each
 * once; of a running kernel, those that stay when it is looked at again. -ENOMEM, or the source's failure. Sources: mm/slub.c, check_object(), check_pad_bytes(),
 * slab_pad_check(), on_freelist().
 */
int slab_check(struct slab_heap *heap, uint32_t cache, struct slab_check_extent *ret_extent, struct error *err);

/* What to show with a finding. Reads memory; what can't be read leaves size 0. */
void slab_evidence_read(struct slab_heap *heap, const struct slab_finding *finding,
			struct slab_evidence *ret_evidence);

#endif
