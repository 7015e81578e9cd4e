/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The pass over struct page that finds every slab, listed or not.
 *
 * It reads 16 MiB of struct pages for each GiB of memory, 1 MiB at a time; holes of the array are skipped.
 * The KFENCE pool, whose pages only look like slabs, is left out.
 */
#ifndef DILL_SLAB_PAGES_H
#define DILL_SLAB_PAGES_H

#include "slab_heap.h"

/* Called for each slab in order of address; places are SLAB_UNLISTED. Non-zero ends the pass. */
typedef int (*slab_callback)(const struct slab *slab, void *context);
int slab_pages_each(struct slab_heap *heap, slab_callback callback, void *context, struct error *err);

/* Slabs by cache. Memory: sizeof(struct slab) for each that is kept, nothing per page. */
struct slab_pages {
	struct slab *slabs; /* owned; sorted by cache index, then address; places filled in where contents are
			       read */
	size_t count;
	size_t *first; /* owned; cache c has slabs first[c] to first[c + 1] − 1; stray ones stand at the end
			*/
	uint64_t pages_read;  /* struct pages looked at */
	uint64_t pages_absent; /* holes */
};

/* @cache: only this one's slabs; SLAB_NO_CACHE: all. */
int slab_pages_read(struct slab_heap *heap, uint32_t cache, struct slab_pages *ret_pages, struct error *err);
void slab_pages_deinit(struct slab_pages *pages);

#endif
