/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A power-of-two histogram as a value. Counts nothing itself: slots come filled, usually from a BPF program.
 */
#ifndef DILL_VIEW_HISTOGRAM_H
#define DILL_VIEW_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "escape.h"
#include "json.h"
#include "out.h"

#define HISTOGRAM_SLOTS_MAX 64

enum histogram_unit {
	HISTOGRAM_COUNT = 0,
	HISTOGRAM_BYTES,
	HISTOGRAM_DURATION_NS,
};

/* Slot 0 counts values 0 and 1, slot n values from 2^n up to 2^(n+1)-1. */
struct view_histogram {
	const uint64_t *slots; /* borrowed */
	size_t slot_count;     /* those past HISTOGRAM_SLOTS_MAX are ignored */
	enum histogram_unit unit;
};

/*
 * Lines after @indent spaces, at most @columns wide where that leaves a bar of 8, from the first slot that
 * isn't empty to the last; bars are relative to the fullest slot, and a slot that isn't empty always has one:
 *
 *     4.0 KiB .. 8.0 KiB     12 |########            |
 */
void view_histogram_write_text(const struct view_histogram *histogram, struct out *out, unsigned indent,
			       unsigned columns);

/* An array of {"low","high","count"}, both bounds inclusive, over the same slots. */
void view_histogram_write_json(const struct view_histogram *histogram, struct json_writer *json);

#endif
