// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The page cache. Slots are numbered; a hash of chains leads to them:
 *
 *     buckets[hash] → slot → slots[slot].next → …          NO_SLOT ends a chain
 *     chunks[slot / CHUNK_PAGES] + slot % CHUNK_PAGES      its page; chunks are allocated when first needed
 *
 * A batch walks over its pages. Cached ones are copied at once. For each missing one a slot is taken and
 * marked SLOT_LOADING, and the copy is put off; when enough are waiting, all slots are read in one call.
 */
#include "page_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NO_SLOT UINT32_MAX
#define CHUNK_PAGES 64
#define WAITING_MAX 512

enum slot_state {
	SLOT_FREE = 0,
	SLOT_LOADING,
	SLOT_READY,
	SLOT_ABSENT, /* can't be read as a whole */
};

struct slot {
	uint64_t key; /* page address, address space in bit 0 */
	uint32_t next;
	uint8_t state;
	bool is_used; /* since the clock's hand came by */
};

/* A piece of a read that waits for its page. */
struct waiting {
	struct memory_read *read;
	uint64_t address;
	uint8_t *to; /* NULL: only bring the page in */
	uint32_t size;
	uint32_t slot; /* SLOT_LOADING, which keeps it from being taken; NO_SLOT: known to be absent */
};

struct page_cache {
	struct memory_source *source;
	size_t capacity;
	size_t in_use; /* slots handed out so far: [0, in_use) */
	size_t hand;
	unsigned bucket_bits;
	uint32_t *buckets;
	struct slot *slots;
	uint8_t **chunks;
	uint64_t last_key; /* of last_slot, which was hit last; NO_KEY: none */
	uint32_t last_slot;
	struct waiting waiting[WAITING_MAX];
	size_t waiting_count;
	struct memory_read loads[WAITING_MAX];
	uint32_t load_slots[WAITING_MAX];
	size_t load_count;
	uint64_t pages_read, calls;
};

#define NO_KEY UINT64_MAX

int page_cache_create(struct memory_source *source, size_t capacity, struct page_cache **ret_cache)
{
	struct page_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	cache->source = source;
	/* Room for the pages that one call loads, and for one more. */
	cache->capacity = capacity > WAITING_MAX ? capacity : WAITING_MAX + 1;
	cache->bucket_bits = 10;
	while (1ULL << cache->bucket_bits < cache->capacity)
		cache->bucket_bits++;
	cache->buckets = malloc(sizeof(*cache->buckets) << cache->bucket_bits);
	cache->slots = calloc(cache->capacity, sizeof(*cache->slots));
	cache->chunks = calloc(cache->capacity / CHUNK_PAGES + 1, sizeof(*cache->chunks));
	if (!cache->buckets || !cache->slots || !cache->chunks) {
		page_cache_destroy(cache);
		return -ENOMEM;
	}
	page_cache_forget(cache);
	*ret_cache = cache;
	return 0;
}

void page_cache_destroy(struct page_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; cache->chunks && i <= cache->capacity / CHUNK_PAGES; i++)
		free(cache->chunks[i]);
	free(cache->chunks);
	free(cache->slots);
	free(cache->buckets);
	free(cache);
}

void page_cache_forget(struct page_cache *cache)
{
	memset(cache->buckets, 0xff, sizeof(*cache->buckets) << cache->bucket_bits);
	memset(cache->slots, 0, cache->in_use * sizeof(*cache->slots));
	cache->in_use = cache->hand = 0;
	cache->last_key = NO_KEY;
}

void page_cache_counts(const struct page_cache *cache, uint64_t *ret_pages, uint64_t *ret_calls)
{
	*ret_pages = cache->pages_read;
	*ret_calls = cache->calls;
}

static uint64_t make_key(enum address_space space, uint64_t address)
{
	return (address & ~(uint64_t)(CACHE_PAGE_SIZE - 1)) | (space == SPACE_VIRTUAL);
}

static uint32_t *bucket_of(struct page_cache *cache, uint64_t key)
{
	return &cache->buckets[(key * 0x9e3779b97f4a7c15ULL) >> (64 - cache->bucket_bits)];
}

static uint8_t *slot_page(struct page_cache *cache, uint32_t slot)
{
	return cache->chunks[slot / CHUNK_PAGES] + slot % CHUNK_PAGES * CACHE_PAGE_SIZE;
}

static uint32_t find_slot(struct page_cache *cache, uint64_t key)
{
	uint32_t slot;

	if (cache->last_key == key)
		return cache->last_slot;
	for (slot = *bucket_of(cache, key); slot != NO_SLOT; slot = cache->slots[slot].next) {
		if (cache->slots[slot].key != key)
			continue;
		cache->slots[slot].is_used = true;
		cache->last_key = key;
		cache->last_slot = slot;
		break;
	}
	return slot;
}

static void unlink_slot(struct page_cache *cache, uint32_t slot)
{
	uint32_t *link = bucket_of(cache, cache->slots[slot].key);

	while (*link != slot)
		link = &cache->slots[*link].next;
	*link = cache->slots[slot].next;
	if (cache->last_slot == slot)
		cache->last_key = NO_KEY;
}

/* One that may be filled anew. Fewer are loading than there are slots, so the hand finds one. */
static uint32_t take_slot(struct page_cache *cache)
{
	if (cache->in_use < cache->capacity) {
		uint8_t **chunk = &cache->chunks[cache->in_use / CHUNK_PAGES];

		if (!*chunk)
			*chunk = malloc((size_t)CHUNK_PAGES * CACHE_PAGE_SIZE);
		if (*chunk)
			return cache->in_use++;
		if (!cache->in_use)
			return NO_SLOT;
	}
	for (size_t turns = 0; turns < 2 * cache->in_use; turns++) {
		uint32_t slot = cache->hand;

		cache->hand = (cache->hand + 1) % cache->in_use;
		if (cache->slots[slot].state == SLOT_LOADING)
			continue;
		if (!cache->slots[slot].is_used) {
			unlink_slot(cache, slot);
			return slot;
		}
		cache->slots[slot].is_used = false;
	}
	return NO_SLOT;
}

const uint8_t *page_cache_peek(struct page_cache *cache, enum address_space space, uint64_t address)
{
	uint32_t slot = find_slot(cache, make_key(space, address));

	return slot != NO_SLOT && cache->slots[slot].state == SLOT_READY ? slot_page(cache, slot) : NULL;
}

/* A slot for @key, in the list of what to load. NO_SLOT when there is no memory: then pieces are asked for. */
static uint32_t begin_load(struct page_cache *cache, uint64_t key)
{
	uint32_t slot = take_slot(cache), *bucket = bucket_of(cache, key);

	if (slot == NO_SLOT)
		return slot;
	cache->slots[slot] = (struct slot){ .key = key, .next = *bucket, .state = SLOT_LOADING, .is_used = true };
	*bucket = slot;
	cache->loads[cache->load_count] = (struct memory_read){
		.address = key & ~1ULL,
		.buffer = slot_page(cache, slot),
		.size = CACHE_PAGE_SIZE,
	};
	cache->load_slots[cache->load_count++] = slot;
	return slot;
}

/* Load what is to be loaded. When the source fails, the slots are void. */
static int load_slots(struct page_cache *cache, enum address_space space, struct error *err)
{
	int status = 0;

	if (cache->load_count) {
		cache->calls++;
		cache->pages_read += cache->load_count;
		status = cache->source->ops->read(cache->source, space, cache->loads, cache->load_count, err);
	}
	for (size_t i = 0; i < cache->load_count; i++) {
		struct slot *slot = &cache->slots[cache->load_slots[i]];

		slot->state = status || cache->loads[i].result ? SLOT_ABSENT : SLOT_READY;
	}
	cache->load_count = 0;
	return status;
}

/* Whether the piece's page is there now; then it is copied. */
static bool copy_piece(struct page_cache *cache, const struct waiting *waiting)
{
	if (waiting->slot == NO_SLOT || cache->slots[waiting->slot].state != SLOT_READY)
		return false;
	if (waiting->to)
		memcpy(waiting->to,
		       slot_page(cache, waiting->slot) + (waiting->address & (CACHE_PAGE_SIZE - 1)),
		       waiting->size);
	return true;
}

/* Give out what was loaded, and ask the source itself for pieces of pages that it hasn't got as a whole. */
static int give_out(struct page_cache *cache, enum address_space space, struct error *err)
{
	size_t count = 0;
	int status;

	for (size_t i = 0; i < cache->waiting_count; i++) {
		struct waiting *waiting = &cache->waiting[i];

		if (copy_piece(cache, waiting))
			continue;
		if (waiting->size == CACHE_PAGE_SIZE || !waiting->to) {
			waiting->read->result = -EFAULT;
			continue;
		}
		cache->loads[count] = (struct memory_read){
			.address = waiting->address,
			.buffer = waiting->to,
			.size = waiting->size,
		};
		cache->waiting[count++].read = waiting->read;
	}
	if (!count)
		return 0;
	cache->calls++;
	status = cache->source->ops->read(cache->source, space, cache->loads, count, err);
	for (size_t i = 0; i < count; i++)
		if (status || cache->loads[i].result)
			cache->waiting[i].read->result = -EFAULT;
	return status;
}

static int flush(struct page_cache *cache, enum address_space space, struct error *err)
{
	int status = load_slots(cache, space, err);

	if (!status)
		status = give_out(cache, space, err);
	cache->waiting_count = 0;
	return status;
}

/* One piece, which lies in one page. */
static int read_piece(struct page_cache *cache, enum address_space space, struct waiting piece,
		      struct error *err)
{
	uint64_t key = make_key(space, piece.address);
	int status = 0;

	piece.slot = find_slot(cache, key);
	if (piece.slot == NO_SLOT)
		piece.slot = begin_load(cache, key);
	else if (copy_piece(cache, &piece))
		return 0;
	else if (cache->slots[piece.slot].state == SLOT_ABSENT)
		piece.slot = NO_SLOT;
	cache->waiting[cache->waiting_count++] = piece;
	if (cache->waiting_count == WAITING_MAX)
		status = flush(cache, space, err);
	return status;
}

static int read_one(struct page_cache *cache, enum address_space space, struct memory_read *read,
		    struct error *err)
{
	uint8_t *to = read->buffer;
	uint64_t address = read->address;
	size_t left = read->size;
	int status = 0;

	read->result = 0;
	if (left && address + (left - 1) < address)
		read->result = -EFAULT;
	while (left && !read->result && !status) {
		size_t in_page = CACHE_PAGE_SIZE - (address & (CACHE_PAGE_SIZE - 1));
		size_t size = left < in_page ? left : in_page;

		status = read_piece(cache, space, (struct waiting){ read, address, to, size, NO_SLOT }, err);
		address += size;
		to = to ? to + size : NULL;
		left -= size;
	}
	return status;
}

int page_cache_read(struct page_cache *cache, enum address_space space, struct memory_read *reads, size_t count,
		    struct error *err)
{
	int status = 0;
	size_t done = 0;

	for (; done < count && !status; done++)
		status = read_one(cache, space, &reads[done], err);
	if (!status)
		status = flush(cache, space, err);
	for (size_t i = status ? 0 : count; i < count; i++)
		reads[i].result = -EFAULT;
	return status;
}
