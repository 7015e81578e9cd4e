/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Pages that were read from a memory source: 4 KiB each, of both address spaces, at most as many as the
 * capacity; then the one goes that was not used for longest, nearly (CLOCK). Pages that are missing are read
 * together. Knows nothing of translation or of when memory changes.
 */
#ifndef DILL_PAGE_CACHE_H
#define DILL_PAGE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory_source.h"

struct page_cache;

#define CACHE_PAGE_SIZE 4096
#define CACHE_PAGES_MAX 16384 /* 64 MiB, which live only once they are filled */

/* @source is borrowed. @capacity in pages. -ENOMEM or 0. */
int page_cache_create(struct memory_source *source, size_t capacity, struct page_cache **ret_cache);
/* NULL is fine. */
void page_cache_destroy(struct page_cache *cache);
void page_cache_forget(struct page_cache *cache);

/* The cached page that holds @address, or NULL; valid until the next call that may read. */
const uint8_t *page_cache_peek(struct page_cache *cache, enum address_space space, uint64_t address);

/*
 * Do @reads as memory_source_ops.read does, with the same results, out of the cache and in as few reads of the
 * source as possible. A read may cross pages and be of any size. A page that can't be had as a whole is asked
 * for piecewise, each time: the end of RAM in a dump may lie within a page. A read whose buffer is NULL only
 * brings its pages in.
 */
int page_cache_read(struct page_cache *cache, enum address_space space, struct memory_read *reads, size_t count,
		    struct error *err);

/* How many reads the source was asked for, and in how many calls. */
void page_cache_counts(const struct page_cache *cache, uint64_t *ret_pages, uint64_t *ret_calls);

#endif
