/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Which free pages hold memory (are dirty), and when they give it back to the system. Callers hold the pages' lock.
 *
 * What is given back and soon wanted again costs a page fault each, what is kept costs memory. So the count of free pages
 * that may be dirty follows the program: pages that come back faster than a small part of its time pays for raise it, and
 * time without them lowers it.
 */
#ifndef SLUB_PAGE_RETURN_H
#define SLUB_PAGE_RETURN_H

#include "pages.h"

/* Pages are handed out. Those that are dirty lie between *ret_first and *ret_end; both are the same when none is. */
void slub_pages_taken(struct slub_pages *pages, size_t page, size_t count, size_t *ret_first, size_t *ret_end);

/* Pages came back: they are dirty now. */
void slub_pages_given(struct slub_pages *pages, size_t page, size_t count);

/* Give memory back when too many free pages are dirty: the highest, since the lowest are handed out first. */
void slub_pages_release_if_much(struct slub_pages *pages);

/* Give memory back until `keep` dirty pages are left. Returns of how many. */
size_t slub_pages_release_to(struct slub_pages *pages, size_t keep);

#endif
