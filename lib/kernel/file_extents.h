/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Which part of a file holds which addresses, and reading by address. */
#ifndef DILL_FILE_EXTENTS_H
#define DILL_FILE_EXTENTS_H

#include <stddef.h>
#include <stdint.h>

#include "memory_source.h"

/* @size bytes from @address on are in the file from @offset on. */
struct file_extent {
	uint64_t address, size, offset;
};

struct file_extents {
	struct file_extent *list; /* owned; after file_extents_sort(): by address, disjoint, none empty */
	size_t count, capacity;
};

/* Append one. What would wrap around is cut, what is empty is left out. -ENOMEM or 0. */
int file_extents_add(struct file_extents *extents, struct file_extent extent);
/* Put them in order. Of extents that overlap, the one that begins first (of two, the longer) keeps the bytes. */
void file_extents_sort(struct file_extents *extents);
void file_extents_deinit(struct file_extents *extents);

/* The addresses as ranges, neighbours joined. The caller frees the array. -ENOMEM or 0. */
int file_extents_ranges(const struct file_extents *extents, struct memory_range **ret_ranges, size_t *ret_count);

/*
 * Do @reads, each to its own result: 0, or -EFAULT when not all of it is covered by an extent, or the file ends
 * before, or can't be read there. Reads that follow each other in the file are done as one.
 */
void file_extents_read(const struct file_extents *extents, int fd, struct memory_read *reads, size_t count);

#endif
