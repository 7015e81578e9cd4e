/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Which mappings that a program made by mmap() are still there, in whole or in part.
 *
 * munmap() may take the middle out of a mapping, span several, or miss all of them; MAP_FIXED replaces what
 * was there. A
 * mapping counts as one allocation until its last byte is gone. A failed munmap() is taken back.
 */
#ifndef DILL_MAPPED_RANGES_H
#define DILL_MAPPED_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One mmap() call's mapping. */
struct mapped_block {
	uint64_t stack_key;
	uint64_t start, size; /* as mapped */
	uint64_t time_ns;
	uint64_t held_bytes;
	unsigned int pieces;  /* 0: gone */
	unsigned int references; /* pieces here, and pieces that an undo keeps */
};

enum mapped_change_kind {
	MAPPED_NEW,  /* mmap() made the block */
	MAPPED_GONE, /* bytes of it went away */
	MAPPED_BACK, /* and these came back: a removal that failed, or mremap() */
};

/* Told about each change. @is_whole: with it the block itself comes (first piece) or goes (last piece). */
typedef void (*mapped_change)(const struct mapped_block *block, enum mapped_change_kind kind, uint64_t bytes,
			      bool is_whole, void *context);

struct mapped_ranges; /* of one address space */

int mapped_ranges_create(mapped_change on_change, void *context, struct mapped_ranges **ret_ranges);
void mapped_ranges_destroy(struct mapped_ranges *ranges);

/*
 * A mapping was made at [@start, @start + @size): whatever was there is gone. @size is rounded up to pages;
 * 0 is ignored. -ENOMEM.
 */
int mapped_ranges_add(struct mapped_ranges *ranges, uint64_t start, uint64_t size, uint64_t stack_key, uint64_t time_ns);

/* Thread @tid takes [@start, @start + @size) out. */
int mapped_ranges_remove(struct mapped_ranges *ranges, uint32_t tid, uint64_t start, uint64_t size);

/* The last removal by @tid did not happen. */
int mapped_ranges_undo(struct mapped_ranges *ranges, uint32_t tid);

/*
 * mremap() moved or resized what the last removal by @tid took: it is at [@start, @start + @size) now. It
 * stays the allocation
 * that it was; without a known one, a new one of @stack_key.
 */
int mapped_ranges_remap(struct mapped_ranges *ranges, uint32_t tid, uint64_t start, uint64_t size, uint64_t stack_key,
			uint64_t time_ns);

/*
 * All blocks still there, in order of address; a block in pieces is visited once a piece, with the piece's
 * bytes.
 */
void mapped_ranges_each(const struct mapped_ranges *ranges,
			void (*visit)(const struct mapped_block *block, uint64_t start, uint64_t bytes, void *context),
			void *context);

#endif
