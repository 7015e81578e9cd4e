/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Whether and where one function reads one global in a way that catches its calls. Not for use outside heap_*.c.
 */
#ifndef DILL_HEAP_READINGS_H
#define DILL_HEAP_READINGS_H

#include "heap_functions.h"
#include "orc_table.h"

/* What catching a function by a global comes to. Zeroed: not at all. */
struct heap_reading {
	bool catches;          /* every call that comes to do its work, once, with what an event needs */
	struct heap_site *sites; /* owned; `function` and `global` aren't filled in */
	size_t site_count;
	bool *is_around; /* owned; by instruction: reached without a read of the global. NULL: not known */
};

/* @orc may be NULL. -ENOMEM. */
int heap_reading_find(struct kernel *kernel, struct orc_tables *orc, const struct heap_candidate *candidate,
		      const struct heap_global *global, struct heap_reading *ret_reading);
void heap_reading_deinit(struct heap_reading *reading);

/* Whether @candidate gives objects out or takes them in by itself: it calls what does so in the slow case. */
bool heap_candidate_works(struct kernel *kernel, const struct heap_candidate *candidate);

#endif
