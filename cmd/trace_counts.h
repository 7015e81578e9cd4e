/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What programs counted in a per-CPU hash, summed over CPUs, and how much of it is new since the last look. Entries of
 * the map whose subject is gone can be let go, so that the map doesn't fill up in a long run.
 */
#ifndef DILL_TRACE_COUNTS_H
#define DILL_TRACE_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

#define TRACE_COUNT_WORDS 16

struct trace;
struct error;
struct trace_counts;

struct trace_count {
	const void *key;                   /* of key_size bytes */
	uint64_t total[TRACE_COUNT_WORDS]; /* since the beginning; of a word in @maxima the highest */
	uint64_t since[TRACE_COUNT_WORDS]; /* since the last look; of a word in @maxima as total */
};

/* Map @name: its values are u64s, up to TRACE_COUNT_WORDS. @maxima: 1 << i for each word that is a maximum, no sum. */
int trace_counts_create(struct trace *trace, const char *name, uint32_t maxima, struct trace_counts **ret_counts,
			struct error *err);
void trace_counts_destroy(struct trace_counts *counts);
DEFINE_CLEANUP(trace_counts, struct trace_counts *, trace_counts_destroy(v));

/* All entries, in no order. Valid until the next look. */
int trace_counts_look(struct trace_counts *counts, struct trace_count **ret_list, size_t *ret_count, struct error *err);

/* Nothing more can come under this key: take it out of the map and forget it. The entry stays valid until the next look. */
void trace_counts_forget(struct trace_counts *counts, const struct trace_count *count);

#endif
