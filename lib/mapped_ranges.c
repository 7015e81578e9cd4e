// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A sorted array of pieces. The kernel allows 65,530 mappings a process by default (vm.max_map_count), so
 * moving its tail is cheap.
 */
#include "mapped_ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "partition_point.h"

#define PAGE_BYTES 4096ULL

struct piece {
	uint64_t start, end;
	struct mapped_block *block;
};

struct pieces {
	struct piece *list;
	size_t count, capacity;
};

/* What a thread's last removal took. */
struct undo {
	uint32_t tid;
	struct pieces pieces;
};

struct mapped_ranges {
	mapped_change on_change;
	void *context;
	struct pieces pieces; /* by start, disjoint */
	struct undo *undos;
	size_t undo_count;
};

static void block_unref(struct mapped_block *block)
{
	if (!--block->references)
		free(block);
}

static int pieces_insert(struct pieces *pieces, size_t at, struct piece piece)
{
	if (pieces->count == pieces->capacity) {
		size_t capacity = pieces->capacity ? 2 * pieces->capacity : 16;
		struct piece *grown = reallocarray(pieces->list, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		pieces->list = grown;
		pieces->capacity = capacity;
	}
	memmove(&pieces->list[at + 1], &pieces->list[at], (pieces->count - at) * sizeof(piece));
	pieces->list[at] = piece;
	pieces->count++;
	piece.block->references++;
	return 0;
}

static void pieces_erase(struct pieces *pieces, size_t at)
{
	block_unref(pieces->list[at].block);
	pieces->count--;
	memmove(&pieces->list[at], &pieces->list[at + 1], (pieces->count - at) * sizeof(struct piece));
}

static void pieces_clear(struct pieces *pieces)
{
	for (size_t i = 0; i < pieces->count; i++)
		block_unref(pieces->list[i].block);
	free(pieces->list);
	*pieces = (struct pieces){ 0 };
}

/* Index of the first piece that ends above @address. */
static size_t pieces_search(const struct pieces *pieces, uint64_t address)
{
	return PARTITION_POINT(i, pieces->count, pieces->list[i].end <= address);
}

int mapped_ranges_create(mapped_change on_change, void *context, struct mapped_ranges **ret_ranges)
{
	struct mapped_ranges *ranges = calloc(1, sizeof(*ranges));

	if (!ranges)
		return -ENOMEM;
	ranges->on_change = on_change;
	ranges->context = context;
	*ret_ranges = ranges;
	return 0;
}

void mapped_ranges_destroy(struct mapped_ranges *ranges)
{
	if (!ranges)
		return;
	pieces_clear(&ranges->pieces);
	for (size_t i = 0; i < ranges->undo_count; i++)
		pieces_clear(&ranges->undos[i].pieces);
	free(ranges->undos);
	free(ranges);
}

/* Put a piece of a block on the books. */
static int piece_add(struct mapped_ranges *ranges, uint64_t start, uint64_t end, struct mapped_block *block,
		     enum mapped_change_kind kind)
{
	bool is_first = !block->pieces;
	int status = pieces_insert(&ranges->pieces, pieces_search(&ranges->pieces, start),
				   (struct piece){ start, end, block });

	if (status)
		return status;
	block->pieces++;
	block->held_bytes += end - start;
	ranges->on_change(block, kind, end - start, is_first, ranges->context);
	return 0;
}

/*
 * Cut [@start, @end) out of the piece at @at, all of which lies within or overlaps it. Returns the index to
 * go on with.
 */
static int piece_cut(struct mapped_ranges *ranges, size_t at, uint64_t start, uint64_t end, struct pieces *removed,
		     size_t *ret_next)
{
	struct piece *piece = &ranges->pieces.list[at];
	struct mapped_block *block = piece->block;
	uint64_t low = piece->start > start ? piece->start : start, high = piece->end < end ? piece->end : end;
	bool keeps_low = piece->start < low, keeps_high = piece->end > high;
	int status;

	if (removed) {
		status = pieces_insert(removed, removed->count, (struct piece){ low, high, block });
		if (status)
			return status;
	}
	*ret_next = at + 1;
	block->references++; /* on_change may be told of a block whose last piece goes here */
	if (keeps_low && keeps_high) {
		struct piece upper = { high, piece->end, block };

		piece->end = low;
		status = pieces_insert(&ranges->pieces, at + 1, upper);
		if (status)
			return status;
		block->pieces++;
	} else if (keeps_low) {
		piece->end = low;
	} else if (keeps_high) {
		piece->start = high;
	} else {
		pieces_erase(&ranges->pieces, at);
		block->pieces--;
		*ret_next = at;
	}
	block->held_bytes -= high - low;
	ranges->on_change(block, MAPPED_GONE, high - low, !block->pieces, ranges->context);
	block_unref(block);
	return 0;
}

static int cut(struct mapped_ranges *ranges, uint64_t start, uint64_t end, struct pieces *removed)
{
	size_t at = pieces_search(&ranges->pieces, start);
	int status;

	while (at < ranges->pieces.count && ranges->pieces.list[at].start < end) {
		status = piece_cut(ranges, at, start, end, removed, &at);
		if (status)
			return status;
	}
	return 0;
}

static uint64_t range_end(uint64_t start, uint64_t size)
{
	uint64_t end;

	if (__builtin_add_overflow(start, size, &end) || __builtin_add_overflow(end, PAGE_BYTES - 1, &end))
		return ~(PAGE_BYTES - 1);
	return end & ~(PAGE_BYTES - 1);
}

int mapped_ranges_add(struct mapped_ranges *ranges, uint64_t start, uint64_t size, uint64_t stack_key, uint64_t time_ns)
{
	uint64_t end = range_end(start, size);
	struct mapped_block *block;
	int status;

	if (end <= start || !size)
		return 0;
	status = cut(ranges, start, end, NULL);
	if (status)
		return status;
	block = calloc(1, sizeof(*block));
	if (!block)
		return -ENOMEM;
	*block = (struct mapped_block){ .stack_key = stack_key, .start = start, .size = end - start, .time_ns = time_ns };
	status = piece_add(ranges, start, end, block, MAPPED_NEW);
	if (status)
		free(block);
	return status;
}

static struct undo *undo_of(struct mapped_ranges *ranges, uint32_t tid, bool must_exist)
{
	struct undo *grown;

	for (size_t i = 0; i < ranges->undo_count; i++)
		if (ranges->undos[i].tid == tid)
			return &ranges->undos[i];
	if (must_exist)
		return NULL;
	grown = reallocarray(ranges->undos, ranges->undo_count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	ranges->undos = grown;
	grown[ranges->undo_count] = (struct undo){ .tid = tid };
	return &grown[ranges->undo_count++];
}

int mapped_ranges_remove(struct mapped_ranges *ranges, uint32_t tid, uint64_t start, uint64_t size)
{
	struct undo *undo = undo_of(ranges, tid, false);
	uint64_t end = range_end(start, size);

	if (!undo)
		return -ENOMEM;
	pieces_clear(&undo->pieces);
	if ((start & (PAGE_BYTES - 1)) || !size || end <= start)
		return 0; /* the kernel refuses these */
	return cut(ranges, start, end, &undo->pieces);
}

int mapped_ranges_undo(struct mapped_ranges *ranges, uint32_t tid)
{
	struct undo *undo = undo_of(ranges, tid, true);
	int status = 0;

	if (!undo)
		return 0;
	for (size_t i = 0; i < undo->pieces.count && !status; i++)
		status = piece_add(ranges, undo->pieces.list[i].start, undo->pieces.list[i].end,
				   undo->pieces.list[i].block, MAPPED_BACK);
	pieces_clear(&undo->pieces);
	return status;
}

int mapped_ranges_remap(struct mapped_ranges *ranges, uint32_t tid, uint64_t start, uint64_t size, uint64_t stack_key,
			uint64_t time_ns)
{
	struct undo *undo = undo_of(ranges, tid, true);
	uint64_t end = range_end(start, size);
	int status;

	if (!undo || !undo->pieces.count)
		return mapped_ranges_add(ranges, start, size, stack_key, time_ns);
	if (end <= start || !size)
		return 0;
	status = cut(ranges, start, end, NULL);
	if (!status)
		status = piece_add(ranges, start, end, undo->pieces.list[0].block, MAPPED_BACK);
	pieces_clear(&undo->pieces);
	return status;
}

void mapped_ranges_each(const struct mapped_ranges *ranges,
			void (*visit)(const struct mapped_block *block, uint64_t start, uint64_t bytes, void *context),
			void *context)
{
	for (size_t i = 0; i < ranges->pieces.count; i++) {
		const struct piece *piece = &ranges->pieces.list[i];

		visit(piece->block, piece->start, piece->end - piece->start, context);
	}
}
