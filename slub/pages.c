// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// The page layer: a buddy allocator whose free blocks are bits, lowest address first, so that high chunks empty.
// It knows nothing of caches.
#include "pages.h"

#include <string.h>

#include "layout.h"
#include "page_range.h"
#include "page_return.h"

#define WORD_BITS 64

static size_t bytes_of(size_t pages)
{
	return pages << SLUB_PAGE_SHIFT;
}

bool slub_pages_init(struct slub_pages *pages)
{
	size_t memory = pages->limit ? pages->limit : (size_t)sysconf(_SC_PHYS_PAGES) * 4;
	size_t count = SLUB_CHUNK_PAGES;

	while (count < memory && count < UINT32_MAX / 2)
		count *= 2;
	return slub_range_init(pages, count);
}

void slub_pages_end(struct slub_pages *pages)
{
	slub_range_end(pages);
}

static bool test_and_clear(struct free_blocks *blocks, size_t block)
{
	uint64_t bit = 1ull << block % WORD_BITS;

	if (!(blocks->bits[block / WORD_BITS] & bit))
		return false;
	blocks->bits[block / WORD_BITS] &= ~bit;
	blocks->count--;
	return true;
}

static void set_free(struct slub_pages *pages, size_t page, unsigned order)
{
	struct free_blocks *blocks = &pages->free[order];
	size_t word = (page >> order) / WORD_BITS;

	blocks->bits[word] |= 1ull << (page >> order) % WORD_BITS;
	blocks->count++;
	if (word < blocks->lowest)
		blocks->lowest = word;
}

// The lowest free block of an order, taken; its first page. `count` says that there is one.
static size_t take_lowest(struct slub_pages *pages, unsigned order)
{
	struct free_blocks *blocks = &pages->free[order];
	size_t word = blocks->lowest, block;

	while (!blocks->bits[word])
		word++;
	blocks->lowest = word;
	block = word * WORD_BITS + (size_t)__builtin_ctzll(blocks->bits[word]);
	test_and_clear(blocks, block);
	return block << order;
}

static void *hand_out(struct slub_pages *pages, size_t page, size_t count, struct slub_dirty_part *ret_dirty)
{
	size_t first, end;

	slub_pages_taken(pages, page, count, &first, &end);
	ret_dirty->start = (first - page) << SLUB_PAGE_SHIFT;
	ret_dirty->bytes = (end - first) << SLUB_PAGE_SHIFT;
	return pages->base + bytes_of(page);
}

// It is read without the lock: what it says can be used by then.
static bool raise_used(struct slub_pages *pages, size_t used)
{
	if (!slub_range_open(pages, used))
		return false;
	__atomic_store_n(&pages->used, used, __ATOMIC_RELEASE);
	return true;
}

// The lowest free page of a block of `order`, split off a larger one or a new chunk if need be. SIZE_MAX: none.
static size_t take_block(struct slub_pages *pages, unsigned order)
{
	unsigned larger = order;
	size_t page;

	while (larger < SLUB_ORDERS && !pages->free[larger].count)
		larger++;
	if (larger < SLUB_ORDERS) {
		page = take_lowest(pages, larger);
	} else {
		page = pages->used;
		if (!raise_used(pages, page + SLUB_CHUNK_PAGES))
			return SIZE_MAX;
		larger = SLUB_MAX_PAGE_ORDER;
	}
	while (larger > order) {
		larger--;
		set_free(pages, page + (1ul << larger), larger);
	}
	return page;
}

void *slub_pages_alloc(struct slub_pages *pages, unsigned order, bool *ret_is_zero)
{
	struct slub_dirty_part dirty = {};
	void *block = NULL;
	size_t page;

	slub_lock(&pages->lock);
	page = take_block(pages, order);
	if (page != SIZE_MAX)
		block = hand_out(pages, page, 1ul << order, &dirty);
	slub_unlock(&pages->lock);
	if (block)
		*ret_is_zero = !dirty.bytes;
	return block;
}

// Merge with free neighbours of the same size, as far as that goes.
static void give_block(struct slub_pages *pages, size_t page, unsigned order)
{
	while (order < SLUB_MAX_PAGE_ORDER) {
		if (!test_and_clear(&pages->free[order], (page >> order) ^ 1))
			break;
		page &= ~(1ul << order);
		order++;
	}
	set_free(pages, page, order);
}

static void take_back(struct slub_pages *pages, size_t page, size_t count)
{
	memset(&pages->kind[page], SLUB_PAGE_NONE, count);
	slub_pages_given(pages, page, count);
}

void slub_pages_free(struct slub_pages *pages, void *block, unsigned order)
{
	size_t page = (size_t)((char *)block - pages->base) >> SLUB_PAGE_SHIFT;

	slub_lock(&pages->lock);
	take_back(pages, page, 1ul << order);
	give_block(pages, page, order);
	slub_pages_release_if_much(pages);
	slub_unlock(&pages->lock);
}

// As blocks: from `page` on, each as large as its alignment and the rest allow.
static void give_run(struct slub_pages *pages, size_t page, size_t count)
{
	while (count) {
		unsigned order = 0;

		while (order < SLUB_MAX_PAGE_ORDER && !(page & ((2ul << order) - 1)) && 2ul << order <= count)
			order++;
		give_block(pages, page, order);
		page += 1ul << order;
		count -= 1ul << order;
	}
}

static bool chunk_is_free(const struct slub_pages *pages, size_t chunk)
{
	return pages->free[SLUB_MAX_PAGE_ORDER].bits[chunk / WORD_BITS] >> chunk % WORD_BITS & 1;
}

// The first page of `chunks` free chunks in a row, taken; beyond all others if there is no such row. SIZE_MAX: none.
static size_t take_chunks(struct slub_pages *pages, size_t chunks)
{
	size_t end = pages->used >> SLUB_MAX_PAGE_ORDER, row = 0, chunk = 0;

	for (; chunk < end && row < chunks; chunk++)
		row = chunk_is_free(pages, chunk) ? row + 1 : 0;
	chunk -= row;
	if (chunk + chunks > end && !raise_used(pages, (chunk + chunks) << SLUB_MAX_PAGE_ORDER))
		return SIZE_MAX;
	for (size_t one = chunk; one < chunk + row; one++)
		test_and_clear(&pages->free[SLUB_MAX_PAGE_ORDER], one);
	return chunk << SLUB_MAX_PAGE_ORDER;
}

void *slub_pages_alloc_run(struct slub_pages *pages, size_t count, unsigned align_order,
			   struct slub_dirty_part *ret_dirty)
{
	size_t whole = count, page = SIZE_MAX;
	unsigned order = align_order;
	void *run = NULL;

	if (!count || count > pages->count || align_order > SLUB_MAX_PAGE_ORDER)
		return NULL;
	slub_lock(&pages->lock);
	if (count <= SLUB_CHUNK_PAGES) {
		while (1ul << order < count)
			order++;
		whole = 1ul << order;
		page = take_block(pages, order);
	} else {
		whole = (count + SLUB_CHUNK_PAGES - 1) & ~(size_t)(SLUB_CHUNK_PAGES - 1);
		page = take_chunks(pages, whole >> SLUB_MAX_PAGE_ORDER);
	}
	if (page != SIZE_MAX) {
		run = hand_out(pages, page, count, ret_dirty);
		give_run(pages, page + count, whole - count);
	}
	slub_unlock(&pages->lock);
	return run;
}

void slub_pages_free_run(struct slub_pages *pages, void *run, size_t count)
{
	size_t page = (size_t)((char *)run - pages->base) >> SLUB_PAGE_SHIFT;

	slub_lock(&pages->lock);
	take_back(pages, page, count);
	give_run(pages, page, count);
	slub_pages_release_if_much(pages);
	slub_unlock(&pages->lock);
}

// The order of the free block that holds a page, -1 when it is not free.
static int free_order(const struct slub_pages *pages, size_t page)
{
	for (unsigned order = 0; order < SLUB_ORDERS; order++) {
		if (pages->free[order].bits[(page >> order) / WORD_BITS] >> (page >> order) % WORD_BITS & 1)
			return (int)order;
	}
	return -1;
}

// Whether `count` pages from `page` on are free; chunks never handed out count where they follow.
static bool are_free(struct slub_pages *pages, size_t page, size_t count)
{
	size_t end = page + count;

	if (end > pages->count)
		return false;
	while (page < end && page < pages->used) {
		int order = free_order(pages, page);

		if (order < 0)
			return false;
		page = ((page >> order) + 1) << order;
	}
	return true;
}

// Take pages that are_free(); what else their blocks have stays free. False when chunks beyond `used` can't be had.
static bool take_free(struct slub_pages *pages, size_t page, size_t count)
{
	size_t end = page + count;

	while (pages->used < end) {
		size_t chunk = pages->used;

		if (!raise_used(pages, chunk + SLUB_CHUNK_PAGES))
			return false;
		set_free(pages, chunk, SLUB_MAX_PAGE_ORDER);
	}
	while (page < end) {
		unsigned order = (unsigned)free_order(pages, page);
		size_t first = page >> order << order, behind = first + (1ul << order);

		test_and_clear(&pages->free[order], page >> order);
		give_run(pages, first, page - first);
		if (behind > end)
			give_run(pages, end, behind - end);
		page = behind;
	}
	return true;
}

bool slub_pages_extend_run(struct slub_pages *pages, void *run, size_t had, size_t wanted)
{
	size_t page = ((size_t)((char *)run - pages->base) >> SLUB_PAGE_SHIFT) + had;
	struct slub_dirty_part dirty;
	bool is_free;

	slub_lock(&pages->lock);
	is_free = wanted - had <= pages->count && are_free(pages, page, wanted - had) &&
		  take_free(pages, page, wanted - had);
	if (is_free)
		hand_out(pages, page, wanted - had, &dirty);
	slub_unlock(&pages->lock);
	return is_free;
}

size_t slub_pages_release(struct slub_pages *pages)
{
	size_t released;

	slub_lock(&pages->lock);
	released = slub_pages_release_to(pages, 0);
	slub_unlock(&pages->lock);
	return released;
}

struct slab *slub_slab_descriptor(struct slub_pages *pages)
{
	struct slab *slab;

	slub_lock(&pages->lock);
	slab = pages->slab_free;
	if (slab)
		pages->slab_free = slab->next;
	else if (pages->slabs_used < pages->count && slub_range_describe(pages, pages->slabs_used + 1))
		slab = &pages->slabs[pages->slabs_used++];
	slub_unlock(&pages->lock);
	return slab;
}

void slub_slab_descriptor_put(struct slub_pages *pages, struct slab *slab)
{
	slub_lock(&pages->lock);
	// Whoever looks at it from outside sees that it is no slab.
	slab->slab_cache = NULL;
	slab->next = pages->slab_free;
	pages->slab_free = slab;
	slub_unlock(&pages->lock);
}

void slub_pages_set(struct slub_pages *pages, void *block, size_t count, struct slab *slab, uint8_t kind)
{
	size_t page = (size_t)((char *)block - pages->base) >> SLUB_PAGE_SHIFT;
	uint32_t number = (uint32_t)(slab - pages->slabs) + 1;

	for (size_t i = 0; i < count; i++)
		pages->slab_of[page + i] = number;
	memset(&pages->kind[page], kind, count);
}
