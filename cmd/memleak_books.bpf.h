/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The books: which blocks are held, and how much each stack has seen, freed and dropped. Of a sampled block
 * also what it
 * stands for.
 */
#ifndef DILL_MEMLEAK_BOOKS_BPF_H
#define DILL_MEMLEAK_BOOKS_BPF_H

#include "memleak_maps.bpf.h"

/* What one sampled allocation of @size bytes stands for, in bytes: size / (1 - exp(-size / mean)). */
static __always_inline u64 sample_stands_for(u64 size)
{
	u64 position = size * SAMPLE_WEIGHT_STEPS * 16 / sample_bytes; /* in 1/16 of a step */
	u32 index = position >> 4, part = position & 15;
	u64 low, high;

	if (position >= SAMPLE_WEIGHT_MAX * SAMPLE_WEIGHT_STEPS * 16)
		return size;
	if (index >= SAMPLE_WEIGHTS - 1)
		return size;
	low = sample_weight[index];
	high = sample_weight[index + 1];
	return (sample_bytes * (low * (16 - part) + high * part)) >> 20;
}

struct estimate {
	u64 count, bytes, variance;
};

static __always_inline void estimate_of(u64 size, struct estimate *ret)
{
	u64 kib;

	ret->bytes = sample_stands_for(size);
	ret->count = size ? (ret->bytes << 10) / size : 1 << 10;
	kib = ret->bytes >> 10;
	ret->variance = ret->bytes ? kib * ((ret->bytes - size) >> 10) : 0;
}

static __always_inline void site_count_seen(struct site_counts *site, u64 size)
{
	__sync_fetch_and_add(&site->seen, 1);
	__sync_fetch_and_add(&site->seen_bytes, size);
	if (sample_bytes) {
		struct estimate estimate;

		estimate_of(size, &estimate);
		__sync_fetch_and_add(&site->estimate_seen, estimate.count);
		__sync_fetch_and_add(&site->estimate_seen_bytes, estimate.bytes);
		__sync_fetch_and_add(&site->estimate_seen_variance, estimate.variance);
	}
}

static __always_inline void site_count_freed(u64 stack_key, u64 size)
{
	struct site_counts *site = bpf_map_lookup_elem(&sites, &stack_key);

	if (!site)
		return;
	__sync_fetch_and_add(&site->freed, 1);
	__sync_fetch_and_add(&site->freed_bytes, size);
	if (sample_bytes) {
		struct estimate estimate;

		estimate_of(size, &estimate);
		__sync_fetch_and_add(&site->estimate_freed, estimate.count);
		__sync_fetch_and_add(&site->estimate_freed_bytes, estimate.bytes);
		__sync_fetch_and_add(&site->estimate_freed_variance, estimate.variance);
	}
}

/* Take a block off the books. Returns 1 and fills *ret_old when it was on them. */
static __always_inline int allocation_take(u32 space, u64 address, struct allocation *ret_old)
{
	struct allocation_key key = {.address = address, .space = space};
	struct allocation *found = bpf_map_lookup_elem(&allocations, &key);
	s32 status;
	u32 i;

	if (!found)
		return 0;
	*ret_old = *found;
	/* Two threads freeing one block: only the one whose delete succeeds counts it. */
	for (i = 0; i < MAP_TRIES; i++) {
		status = bpf_map_delete_elem(&allocations, &key);
		if (!status || status == -ENOENT)
			return !status;
		count(COUNTER_MAP_RETRIES, 1);
	}
	count(COUNTER_MAP_FAILURES, 1);
	return 0;
}

static __always_inline void allocation_put(u32 space, u64 address, struct allocation *block)
{
	struct allocation_key key = {.address = address, .space = space};
	struct site_counts *site = bpf_map_lookup_elem(&sites, &block->stack_key);
	struct allocation old;
	s32 status;

	if (!site) { /* stack_keep makes those of stacks; this is one of the others, or the table is full */
		map_insert(&sites, &block->stack_key, &no_counts);
		site = bpf_map_lookup_elem(&sites, &block->stack_key);
	}
	if (!site) {
		count(COUNTER_SITES_LOST, 1);
		count(COUNTER_SITES_LOST_BYTES, block->size);
		return;
	}
	site_count_seen(site, block->size);
	status = map_insert(&allocations, &key, block);
	if (!status)
		return;
	if (status == -EEXIST && allocation_take(space, address, &old)) {
		site_count_freed(old.stack_key, old.size);
		count(COUNTER_REPLACED, 1);
		if (!map_insert(&allocations, &key, block))
			return;
	}
	__sync_fetch_and_add(&site->dropped, 1);
	__sync_fetch_and_add(&site->dropped_bytes, block->size);
}

#endif
