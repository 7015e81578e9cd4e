// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * slub_stress's objects: of caches with random sizes and flags, of kmalloc and of malloc, in slots that all threads
 * share. Both ends of an object are stamped as long as it lives, and looked at before it goes.
 */
#include <stdlib.h>
#include <string.h>

#include "slub_stress.h"

#define EDGE 48 /* bytes at both ends of an object that are stamped */
#define BULK 700 /* more than two sheaves, of small objects */
#define DEBUG (SLUB_CONSISTENCY_CHECKS | SLUB_RED_ZONE | SLUB_POISON | SLUB_STORE_USER)

struct slot slots[SLOTS];
struct kind kinds[KINDS];

static unsigned char byte_of(uint64_t stamp, size_t at)
{
	return (unsigned char)(stamp >> (at % 7) * 8 ^ at * 11);
}

static void stamp(unsigned char *object, size_t size, uint64_t with)
{
	for (size_t at = 0; at < size; at++) {
		if (at == EDGE && size > 2 * EDGE)
			at = size - EDGE;
		object[at] = byte_of(with, at);
	}
}

static void check(const unsigned char *object, size_t size, uint64_t with, const char *what)
{
	for (size_t at = 0; at < size; at++) {
		if (at == EDGE && size > 2 * EDGE)
			at = size - EDGE;
		if (object[at] != byte_of(with, at))
			fail(what, object + at);
	}
}

static size_t random_size(uint64_t random)
{
	unsigned bits = random % 64 == 0 ? 20 : random % 8 == 0 ? 15 : 4 + random / 64 % 8;

	return random >> 20 & ((1u << bits) - 1);
}

static void *zeroed(unsigned char *object, size_t size)
{
	for (size_t at = 0; object && at < size; at++) {
		if (object[at])
			fail("zeroed memory is not zero", object + at);
	}
	return object;
}

static void *take(unsigned kind, size_t size, uint64_t random)
{
	size_t align = 8ull << random % 10;

	if (kind < KINDS)
		return random % 8 ? slub_kmem_cache_alloc(kinds[kind].cache) :
				    zeroed(slub_kmem_cache_zalloc(kinds[kind].cache), size);
	if (kind == KMALLOC)
		return random % 8 ? slub_kmalloc(size) : zeroed(slub_kzalloc(size), size);
	if (random % 8 == 1)
		return aligned_alloc(align, (size + align - 1) & ~(align - 1));
	return random % 8 ? malloc(size) : zeroed(calloc(1, size), size);
}

static void give(unsigned kind, void *object, uint64_t random)
{
	if (kind == MALLOC)
		free(object);
	else if (kind == KMALLOC || random % 4 == 0)
		slub_kfree(object);
	else
		slub_kmem_cache_free(kinds[kind].cache, object);
}

bool lock_slot(struct slot *slot)
{
	return !__atomic_exchange_n(&slot->busy, 1, __ATOMIC_ACQUIRE);
}

void unlock_slot(struct slot *slot)
{
	__atomic_store_n(&slot->busy, 0, __ATOMIC_RELEASE);
}

static void fill_slot(struct slot *slot, uint64_t random)
{
	slot->kind = (unsigned)(random >> 8) % (MALLOC + 1);
	slot->size = slot->kind < KINDS ? kinds[slot->kind].size : random_size(random >> 16);
	slot->stamp = random;
	slot->object = take(slot->kind, slot->size, random >> 40);
	if (slot->object)
		stamp(slot->object, slot->size, random);
	else if (slot->size || slot->kind != MALLOC)
		fail("no memory", NULL);
}

static void resize_slot(struct slot *slot, uint64_t random)
{
	size_t size = random_size(random) + 1;
	size_t kept = size < slot->size ? size : slot->size;

	slot->object = slot->kind == MALLOC ? realloc(slot->object, size) : slub_krealloc(slot->object, size);
	if (!slot->object)
		fail("no memory", NULL);
	// The last bytes move when the size does: what both have is compared.
	check(slot->object, kept < EDGE || slot->size <= 2 * EDGE ? kept : EDGE, slot->stamp, "realloc lost contents");
	slot->size = size;
	stamp(slot->object, size, slot->stamp);
}

void use_slot(uint64_t random)
{
	struct slot *slot = &slots[random % SLOTS];

	if (!lock_slot(slot))
		return;
	if (!slot->object) {
		fill_slot(slot, random);
	} else {
		check(slot->object, slot->size, slot->stamp, "an object was overwritten");
		if (slot->kind >= KMALLOC && random >> 16 & 1) {
			resize_slot(slot, random >> 20);
		} else {
			memset(slot->object, 0xdd, slot->size);
			give(slot->kind, slot->object, random >> 24);
			slot->object = NULL;
		}
	}
	unlock_slot(slot);
}

void end_slot(struct slot *slot, const char *what, uint64_t random)
{
	if (!slot->object)
		return;
	check(slot->object, slot->size, slot->stamp, what);
	give(slot->kind, slot->object, random);
	slot->object = NULL;
}

void use_bulk(uint64_t random)
{
	const struct kind *kind = &kinds[random % KINDS];
	size_t count = 1 + random / KINDS % (random >> 32 & 3 || kind->size > 512 || kind->flags & DEBUG ? 40 : BULK);
	void *objects[BULK];

	if (slub_kmem_cache_alloc_bulk(kind->cache, count, objects) != count)
		fail("no memory for many", NULL);
	for (size_t i = 0; i < count; i++)
		stamp(objects[i], kind->size, random + i);
	for (size_t i = 0; i < count; i++)
		check(objects[i], kind->size, random + i, "an object of many was overwritten");
	slub_kmem_cache_free_bulk(kind->cache, count, objects);
}

static void construct(void *object)
{
	*(unsigned char *)object = 0x5c;
}

struct kmem_cache *make_cache(const char *name, uint64_t random, unsigned *ret_size, uint32_t *ret_flags)
{
	static const uint32_t engines[] = { 0, 0, SLUB_CPU_SLABS, SLUB_CPU_SLABS, SLUB_NO_SHEAVES, SLUB_CONSISTENCY_CHECKS,
					    SLUB_RED_ZONE | SLUB_POISON, SLUB_STORE_USER | SLUB_RED_ZONE };
	unsigned size = 1 + (unsigned)random_size(random >> 30) % (random & 64 ? 9000 : 300);
	uint32_t flags = engines[random % 8] | (random & 8 ? SLUB_NO_MERGE : 0) | (random & 16 ? SLUB_NO_RANDOM : 0) |
			 (random & 32 ? SLUB_HWCACHE_ALIGN : 0) | (random % 256 < 64 ? SLUB_NO_HARDENED : 0);

	*ret_size = size;
	*ret_flags = flags;
	return slub_kmem_cache_create(name, size, random & 1024 ? 8u << (random >> 12) % 7 : 0, flags,
				      random % 4096 < 256 ? construct : NULL);
}

void live_with_a_cache(uint64_t random)
{
	unsigned size;
	uint32_t flags;
	struct kmem_cache *cache = make_cache("short", random, &size, &flags);
	size_t count = random >> 50 & 127;
	unsigned char *objects[128];

	if (!cache)
		fail("no cache", NULL);
	for (size_t i = 0; i < count; i++) {
		objects[i] = slub_kmem_cache_alloc(cache);
		stamp(objects[i], size, random + i);
	}
	for (size_t i = 0; i < count; i++) {
		check(objects[i], size, random + i, "an object of a short-lived cache was overwritten");
		slub_kmem_cache_free(cache, objects[i]);
	}
	if (slub_kmem_cache_destroy(cache))
		fail("objects left in a short-lived cache", cache);
}
