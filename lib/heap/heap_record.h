/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The latest heap events, in memory: a ring that grows up to a bound, and then drops the oldest for each new
 * one and counts it. Shows and writes nothing.
 */
#ifndef DILL_HEAP_RECORD_H
#define DILL_HEAP_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "heap_event.h"

enum { HEAP_RECORD_MAX = 65536 }; /* events: some 26 MB */

/* All zeros is an empty record. */
struct heap_record {
	struct heap_event *events; /* owned */
	size_t capacity;           /* allocated */
	size_t limit;              /* kept at most; 0: HEAP_RECORD_MAX */
	size_t first, count;       /* the oldest, and how many */
	uint64_t dropped;          /* since the last clear */
};

/* Where memory for growth is short, the ring stays as large as it is, and drops. Never fails otherwise. */
void heap_record_add(struct heap_record *record, const struct heap_event *event);
/* 0 is the oldest. @index < count. Borrowed until the next change. */
const struct heap_event *heap_record_at(const struct heap_record *record, size_t index);
/* Empty it, and give back its memory. */
void heap_record_clear(struct heap_record *record);

#endif
