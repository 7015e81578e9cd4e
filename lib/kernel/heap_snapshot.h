/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The state of the whole slab heap at one moment: every cache, every slab, every object's state; taken from a
 * kernel, kept in a file. What differs between two of them is heap_diff.h's part.
 *
 * File: "DILLSNAP", u32 version 1, then one zstd frame with a checksum. In it, little-endian: the identity,
 * the caches, the slabs by cache and address, an end mark (heap_snapshot_file.c). Objects' states are stored;
 * their contents are not, and neither are the keys of hardened freelists.
 */
#ifndef DILL_HEAP_SNAPSHOT_H
#define DILL_HEAP_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"
#include "slab_state.h"
#include "slab_totals.h"

/* What tells kernels and boots apart. Unknown members are "" or 0. */
struct snapshot_identity {
	char release[65];
	char build_id[65];
	char banner[256];
	uint64_t base, page_offset_base, vmemmap_base; /* random for each boot with KASLR */
	uint8_t boot_id[16]; /* /proc/sys/kernel/random/boot_id, once somebody has read that */
	uint64_t saved_ns;   /* when it was taken: CLOCK_REALTIME */
};

struct snapshot_cache {
	uint64_t address;
	char name[96];
	uint64_t flags;
	uint32_t size, object_size, red_left_pad;
	uint16_t objects; /* in a slab of the normal order */
	uint8_t order;
	uint64_t mark;    /* made of the key of its freelists: random for each boot. 0: it has none */
	struct slab_totals totals;
	size_t first_slab; /* slabs [first_slab, next cache's first_slab) are this cache's */
};

struct snapshot_slab {
	uint64_t start;
	uint64_t states_at; /* objects' states begin here in snapshot.states */
	uint32_t cache;
	uint16_t objects;
	uint8_t order, place; /* enum slab_place */
};

struct heap_snapshot {
	struct snapshot_identity identity;
	struct snapshot_cache *caches; /* owned; cache_count, and one more whose first_slab is slab_count */
	size_t cache_count;
	struct snapshot_slab *slabs; /* owned; by cache, then address */
	size_t slab_count, slab_capacity;
	uint8_t *states; /* owned; enum slab_object_state, two in a byte, the lower half first */
	uint64_t state_count, state_capacity;
	bool is_damaged; /* when it was taken something couldn't be read or was impossible */
};

/* Decompressed, a file holds at most so much: room for about a billion objects. */
#define SNAPSHOT_BYTES_MAX (UINT64_C(1) << 30)

static inline enum slab_object_state snapshot_state(const struct heap_snapshot *snapshot, uint64_t at)
{
	return snapshot->states[at / 2] >> at % 2 * 4 & 15;
}

/* The address handed out for object @index. */
static inline uint64_t snapshot_object(const struct snapshot_cache *cache, const struct snapshot_slab *slab,
				       uint32_t index)
{
	return slab->start + (uint64_t)index * cache->size + cache->red_left_pad;
}

/* Read all of @heap. */
int heap_snapshot_take(struct slab_heap *heap, struct heap_snapshot *ret_snapshot, struct error *err);
void heap_snapshot_deinit(struct heap_snapshot *snapshot);

/* For whoever makes a snapshot by hand: caches first, then slabs in order; states: @slab->objects of them. */
int heap_snapshot_add_slab(struct heap_snapshot *snapshot, const struct snapshot_slab *slab,
			   const uint8_t *states);
/* Fill in first_slab. */
void heap_snapshot_finish(struct heap_snapshot *snapshot);

/* To where @file stands. The caller flushes and closes. */
int heap_snapshot_write(const struct heap_snapshot *snapshot, FILE *file, struct error *err);
/* -EBADMSG: no snapshot, cut, damaged, or impossible; -ENOMEM: over SNAPSHOT_BYTES_MAX. */
int heap_snapshot_read(FILE *file, struct heap_snapshot *ret_snapshot, struct error *err);

/* 0 when both are of one boot of one kernel, as far as can be told; else -EBADMSG and what differs. */
int heap_snapshot_compare(const struct heap_snapshot *before, const struct heap_snapshot *after,
			  struct error *err);

#endif
