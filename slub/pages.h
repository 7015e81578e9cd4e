/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Pages for slabs: one range of addresses, a buddy allocator of blocks in it, and what each page is.
 *
 * Everything about a page stands beside it, in arrays indexed by the page's number, never inside: an overflow
 * reaches no metadata. Pages that stay free are given back to the system in bulk.
 */
#ifndef SLUB_PAGES_H
#define SLUB_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "geometry.h"
#include "lock.h"

#define SLUB_ORDERS (SLUB_MAX_PAGE_ORDER + 1)
#define SLUB_CHUNK_PAGES (1u << SLUB_MAX_PAGE_ORDER)

struct slab;

struct free_blocks {
	uint64_t *bits;   /* one per block of this order: it is free */
	size_t lowest;    /* no bit is set in words before this one */
	size_t count;
};

struct slub_pages {
	struct slub_lock lock;
	char *base;        /* a multiple of a chunk */
	size_t used;       /* pages of chunks that were ever handed out; what follows is known of these */
	uint8_t *kind;     /* SLUB_PAGE_…, or the index of a kmalloc cache */
	uint32_t *slab_of; /* number of the page's slab descriptor, 1-based */
	size_t count;      /* pages that there may be */
	size_t limit;      /* of count, when set before: a model needs little */
	char *arrays;      /* page_range.h */
	bool is_reserved;
	unsigned arrays_ahead;
	size_t opened, described, describing; /* pages that can be used, and of which the arrays can */
	uint64_t *dirty;   /* one bit per page: it may hold memory while it is free */
	size_t dirty_free; /* pages that are free and dirty */
	size_t taken;      /* pages that are handed out */
	size_t touched;    /* pages from here on were never handed out */
	size_t wanted_again, credit; /* see page_return.h */
	uint64_t credit_at;
	struct free_blocks free[SLUB_ORDERS];
	struct slab *slabs; /* descriptors */
	uint32_t slabs_used;
	struct slab *slab_free;
};

/* What slub_kfree() learns from one byte per page. Other values are indexes of kmalloc's caches. A run's first page is
 * SLUB_PAGE_RUN and has the count of pages in slab_of; its other pages are SLUB_PAGE_NONE. */
enum { SLUB_PAGE_NONE = 0, SLUB_PAGE_SLAB = 255, SLUB_PAGE_RUN = 254, SLUB_PAGE_SHEAF = 253 };

/* Find a range of addresses for four times the machine's memory. False when not even a chunk of it can be had. */
bool slub_pages_init(struct slub_pages *pages);

/* Give the range and all that is in it back. */
void slub_pages_end(struct slub_pages *pages);

/* A block of 1 << order pages, aligned to its size, NULL when memory is out. `ret_is_zero`: nobody wrote it since the
 * system gave it. */
void *slub_pages_alloc(struct slub_pages *pages, unsigned order, bool *ret_is_zero);
void slub_pages_free(struct slub_pages *pages, void *block, unsigned order);

/* The part of a run outside of which nobody wrote since the system gave it. */
struct slub_dirty_part {
	size_t start, bytes;
};

/* `count` pages in a row, any number, aligned to 1 << align_order pages (a chunk at most). They are freed by the same
 * count, or by parts. */
void *slub_pages_alloc_run(struct slub_pages *pages, size_t count, unsigned align_order,
			   struct slub_dirty_part *ret_dirty);
void slub_pages_free_run(struct slub_pages *pages, void *run, size_t count);

/* Make a run of `had` pages one of `wanted` by the free pages behind it. False when these are not free. */
bool slub_pages_extend_run(struct slub_pages *pages, void *run, size_t had, size_t wanted);

/* Give every free page back to the system now. Returns how many held memory. */
size_t slub_pages_release(struct slub_pages *pages);

/* A descriptor for a slab, and back. NULL when there is no memory for one. */
struct slab *slub_slab_descriptor(struct slub_pages *pages);
void slub_slab_descriptor_put(struct slub_pages *pages, struct slab *slab);

/* Note which slab and kind `count` pages from `block` on are of. */
void slub_pages_set(struct slub_pages *pages, void *block, size_t count, struct slab *slab, uint8_t kind);

#endif
