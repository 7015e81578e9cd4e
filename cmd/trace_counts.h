/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What programs counted in a per-CPU hash, summed over CPUs, and how much of it is new since the last look. Entries
 * whose subject is gone are taken out of the map in time, so that it doesn't fill up: their sums stay here until they
 * were looked at.
 */
#ifndef DILL_TRACE_COUNTS_H
#define DILL_TRACE_COUNTS_H

#include <stdbool.h>
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

/* All entries, in no order: those that are gone and have nothing new any more are left out. Valid until the next call. */
int trace_counts_look(struct trace_counts *counts, struct trace_count **ret_list, size_t *ret_count, struct error *err);

/* How a command shows what is new: a row for each, the highest rank first, equal ones in the order of their keys. */
struct trace_ranking {
	/* Adds a count to what is told of all of them. False: nothing in it is new, it has no row. @ret_rank begins as 0. */
	bool (*take)(struct trace *trace, const struct trace_count *count, uint64_t ret_rank[2]);
	int (*show)(struct trace *trace, const struct trace_count *count);
};

/* A look, and rows for at most @top (0: all). @ret_left_out: how many had something new and no row. */
int trace_counts_show(struct trace *trace, struct trace_counts *counts, const struct trace_ranking *ranking, uint64_t top,
		      uint64_t *ret_left_out, struct error *err);

/*
 * For each look of a command at its ring: every half second, make room in the map. Threads come and go by the thousand;
 * entries of those that are gone are taken out. @pid_at, @tid_at: where the key has their numbers, u32s; the same place
 * for a process. -ENOMEM: no room is left here.
 */
int trace_counts_drain(struct trace_counts *counts, size_t pid_at, size_t tid_at);

#endif
