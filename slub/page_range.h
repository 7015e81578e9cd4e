/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Addresses for pages and for the arrays beside them, and which of them may be used.
 *
 * Addresses are reserved without access, so that nothing takes them for memory: neither a kernel that does not
 * overcommit, nor mlockall(2), nor RLIMIT_DATA. They are made usable chunk by chunk. Where addresses themselves are
 * limited (RLIMIT_AS; what may be locked, after mlockall(MCL_FUTURE)) nothing is reserved: pages have their place in a
 * part of the address space where nobody else maps anything, and each chunk is mapped there when it is wanted.
 */
#ifndef SLUB_PAGE_RANGE_H
#define SLUB_PAGE_RANGE_H

#include "pages.h"

/* Find a place for up to `count` pages. False when there is none. */
bool slub_range_init(struct slub_pages *pages, size_t count);

/* Make sure that the first `count` pages, and what the arrays say of them, can be used. False when that is refused. */
bool slub_range_open(struct slub_pages *pages, size_t count);
/* The arrays alone. */
bool slub_range_describe(struct slub_pages *pages, size_t count);

/* Unmap what was mapped. */
void slub_range_end(struct slub_pages *pages);

#endif
