/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Telling damage from races, in caches of a running kernel. Internal to the slab model. */
#ifndef DILL_SLAB_SETTLE_H
#define DILL_SLAB_SETTLE_H

#include "slab_heap.h"

/* Caches to be looked at again, whose contents the heap no longer has, and what was found in the last reading. */
struct slab_suspects {
	const uint32_t *caches;
	size_t count;
	const struct slab_finding *before;
	size_t before_count;
};

/* Read them, and note what is found wrong as the first time: at least all of @before that still is. */
typedef int (*slab_reread)(struct slab_heap *heap, const struct slab_suspects *suspects, void *context,
			   struct error *err);

/*
 * Findings from number @from on were made by reading @count caches once. Have the caches concerned read again
 * until the findings are the same twice in a row, or a dozen times; keep those that are, count the others in
 * heap->findings_unsettled. In a process they must be there after pauses, too. @caches are those that were read,
 * with room for all of the heap's.
 */
int slab_settle(struct slab_heap *heap, size_t from, uint32_t *caches, size_t count, slab_reread reread, void *context,
		struct error *err);

#endif
