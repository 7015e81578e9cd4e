/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Power-of-two histograms in a map per CPU, as the view shows them (view/histogram.h): slot 0 for 0 and 1, slot n from 2^n
 * up. Read by trace_map_sum() (cmd/trace.h). Declare one by HISTOGRAM_MAP() and count with histogram_add().
 */
#ifndef DILL_BPF_HISTOGRAM_BPF_H
#define DILL_BPF_HISTOGRAM_BPF_H

#include "kernel_types.h"

#define HISTOGRAM_SLOTS 64

struct histogram {
	u64 slots[HISTOGRAM_SLOTS];
};

#define HISTOGRAM_MAP(name, count) \
	struct { \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); \
		__uint(max_entries, count); \
		__type(key, u32); \
		__type(value, struct histogram); \
	} name SEC(".maps")

/* A function of scalars: its branches are verified once, and its result is any slot to the verifier. */
__noinline u32 histogram_slot(u64 value)
{
	u32 slot = 0;

	for (u32 step = HISTOGRAM_SLOTS / 2; step; step /= 2) {
		if (value >> step) {
			value >>= step;
			slot += step;
		}
	}
	return slot;
}

static __always_inline void histogram_add(void *map, u32 index, u64 value)
{
	struct histogram *histogram = bpf_map_lookup_elem(map, &index);

	if (histogram)
		__sync_fetch_and_add(&histogram->slots[histogram_slot(value) & (HISTOGRAM_SLOTS - 1)], 1);
}

#endif
