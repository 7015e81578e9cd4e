/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Memory larger than any class: runs of whole pages. The first page's kind is SLUB_PAGE_RUN, its slab_of the run's pages.
 */
#ifndef SLUB_RUNS_H
#define SLUB_RUNS_H

#include <stdbool.h>
#include <stddef.h>

/* Whole pages for `size` bytes, aligned to 1 << align_order pages. NULL when memory is out. */
void *slub_alloc_pages(size_t size, unsigned align_order, bool wants_zero);

/* Keep `count` pages of a run from its page `first` on; the others go back. */
void slub_cut_pages(void *run, size_t first, size_t count);

/* Make a run as large as `size`, which is larger than any class, needs it: in place, or elsewhere with room to grow.
 * NULL, and the run is as it was, when memory is out. */
void *slub_realloc_pages(void *run, size_t size);

/* Runs that there are, and their pages. */
void slub_count_runs(size_t *ret_runs, size_t *ret_pages);

#endif
