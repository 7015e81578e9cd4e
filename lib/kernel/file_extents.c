// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A sorted array, searched by bisection, and preadv. No mmap: a file that is cut off while dill looks at it
 * gives a short read, not a signal.
 */
#include "file_extents.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "file_read.h"
#include "partition_point.h"

#define BATCH_READS 64 /* at most IOV_MAX */

int file_extents_add(struct file_extents *extents, struct file_extent extent)
{
	/* No address 2^64 - 1 and no offset beyond what pread takes: then ends are numbers like all others. */
	if (extent.size > UINT64_MAX - extent.address)
		extent.size = UINT64_MAX - extent.address;
	if (extent.offset > INT64_MAX)
		return 0;
	if (extent.size > INT64_MAX - extent.offset)
		extent.size = INT64_MAX - extent.offset;
	if (!extent.size)
		return 0;
	if (extents->count == extents->capacity) {
		size_t capacity = extents->capacity ? 2 * extents->capacity : 16;
		struct file_extent *grown = reallocarray(extents->list, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		extents->list = grown;
		extents->capacity = capacity;
	}
	extents->list[extents->count++] = extent;
	return 0;
}

static int compare_extents(const void *left, const void *right)
{
	const struct file_extent *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->size != b->size)
		return a->size > b->size ? -1 : 1;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

void file_extents_sort(struct file_extents *extents)
{
	uint64_t end = 0;
	size_t kept = 0;

	if (extents->count)
		qsort(extents->list, extents->count, sizeof(*extents->list), compare_extents);
	for (size_t i = 0; i < extents->count; i++) {
		struct file_extent extent = extents->list[i];
		uint64_t covered = end > extent.address ? end - extent.address : 0;

		if (covered >= extent.size)
			continue;
		extent.address += covered;
		extent.offset += covered;
		extent.size -= covered;
		end = extent.address + extent.size;
		extents->list[kept++] = extent;
	}
	extents->count = kept;
}

void file_extents_deinit(struct file_extents *extents)
{
	free(extents->list);
	*extents = (struct file_extents){ 0 };
}

int file_extents_ranges(const struct file_extents *extents, struct memory_range **ret_ranges, size_t *ret_count)
{
	struct memory_range *ranges = calloc(extents->count ? extents->count : 1, sizeof(*ranges));
	size_t count = 0;

	if (!ranges)
		return -ENOMEM;
	for (size_t i = 0; i < extents->count; i++) {
		const struct file_extent *extent = &extents->list[i];

		if (count && ranges[count - 1].start + ranges[count - 1].size == extent->address)
			ranges[count - 1].size += extent->size;
		else
			ranges[count++] = (struct memory_range){ extent->address, extent->size };
	}
	*ret_ranges = ranges;
	*ret_count = count;
	return 0;
}

/* The extent that holds @address, or NULL. */
static const struct file_extent *find_extent(const struct file_extents *extents, uint64_t address)
{
	size_t at = PARTITION_POINT(i, extents->count, extents->list[i].address <= address);
	const struct file_extent *extent = at ? &extents->list[at - 1] : NULL;

	return extent && address - extent->address < extent->size ? extent : NULL;
}

/* A read that may begin in one extent and end in another. */
static int read_pieces(const struct file_extents *extents, int fd, const struct memory_read *read)
{
	uint64_t address = read->address;
	char *buffer = read->buffer;
	size_t left = read->size;

	if (left > UINT64_MAX - address)
		return -EFAULT;
	while (left) {
		const struct file_extent *extent = find_extent(extents, address);
		uint64_t skip, piece;

		if (!extent)
			return -EFAULT;
		skip = address - extent->address;
		piece = extent->size - skip < left ? extent->size - skip : left;
		if (file_read_at(fd, extent->offset + skip, buffer, piece) != piece)
			return -EFAULT;
		address += piece;
		buffer += piece;
		left -= piece;
	}
	return 0;
}

/* Reads that follow each other in the file. */
struct batch {
	const struct file_extents *extents;
	int fd;
	uint64_t offset, size;
	struct memory_read *reads[BATCH_READS];
	size_t count;
};

static void batch_flush(struct batch *batch)
{
	struct iovec pieces[BATCH_READS];
	ssize_t got = -1;

	for (size_t i = 0; i < batch->count; i++)
		pieces[i] = (struct iovec){ batch->reads[i]->buffer, batch->reads[i]->size };
	if (batch->count > 1)
		got = preadv(batch->fd, pieces, (int)batch->count, (off_t)batch->offset);
	for (size_t i = 0; i < batch->count; i++) {
		struct memory_read *read = batch->reads[i];
		bool is_done = got >= 0 && (uint64_t)got == batch->size;

		read->result = is_done ? 0 : read_pieces(batch->extents, batch->fd, read);
	}
	batch->count = 0;
	batch->size = 0;
}

/* Where @read is in the file, if one extent has all of it. */
static bool read_is_simple(const struct file_extents *extents, const struct memory_read *read,
			   uint64_t *ret_offset)
{
	const struct file_extent *extent = find_extent(extents, read->address);
	uint64_t skip;

	if (!extent)
		return false;
	skip = read->address - extent->address;
	*ret_offset = extent->offset + skip;
	return read->size <= extent->size - skip && read->size <= SSIZE_MAX / BATCH_READS;
}

void file_extents_read(const struct file_extents *extents, int fd, struct memory_read *reads, size_t count)
{
	struct batch batch = { .extents = extents, .fd = fd };

	for (size_t i = 0; i < count; i++) {
		uint64_t offset;

		if (!read_is_simple(extents, &reads[i], &offset)) {
			reads[i].result = read_pieces(extents, fd, &reads[i]);
			continue;
		}
		if (batch.count == BATCH_READS || (batch.count && batch.offset + batch.size != offset))
			batch_flush(&batch);
		if (!batch.count)
			batch.offset = offset;
		batch.reads[batch.count++] = &reads[i];
		batch.size += reads[i].size;
	}
	batch_flush(&batch);
}
