// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What holds for every cache, whatever its size, alignment and flags, and when memory is out. Each test runs in a child
 * of its own, which sets libslub up under conditions of its own.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache.h"
#include "slub_census.h"

#define ALL_DEBUG (SLUB_CONSISTENCY_CHECKS | SLUB_RED_ZONE | SLUB_POISON | SLUB_STORE_USER)
#define MOST 600
#define CACHES 64
#define BULK 64

/* In a child: ends it, saying where, unless it holds. */
#define HOLDS(condition) holds(!!(condition), #condition, __LINE__)

static void holds(bool does, const char *words, int line)
{
	if (does)
		return;
	fprintf(stderr, "line %d: %s\n", line, words);
	_exit(1);
}

static void in_child(void (*deed)(uint64_t), uint64_t argument)
{
	pid_t child = fork();
	int status;

	if (!child) {
		alarm(50);
		deed(argument);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (status)
		fail_msg("status %x with %#llx", status, (unsigned long long)argument);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

static void construct(void *object)
{
	*(unsigned char *)object = 0x5c;
}

static void count(struct kmem_cache *cache, size_t alive)
{
	static struct slub_cache_info all[32];
	size_t caches = slub_slabinfo(all, 32);
	struct slub_cache_info info;
	struct slub_census census;

	HOLDS(caches > 0 && caches <= 32);
	info = all[caches - 1];
	HOLDS(!strcmp(info.name, "random"));
	if (!census_take(cache, &census))
		holds(false, census.fault, __LINE__);
	HOLDS(census_allocated(&census) == alive);
	HOLDS(alive + info.free_in_slabs + info.free_in_sheaves == info.objects);
	// Slabs are smaller when memory is short.
	HOLDS(info.slabs * info.objects_per_slab == info.objects || slub.pages.limit);
	HOLDS(info.partial_slabs <= info.slabs);
}

static void use_cache(uint64_t *random, struct kmem_cache *cache, size_t size, size_t align)
{
	static unsigned char *objects[MOST];
	size_t most = 1 + (1u << 20) / size, number = next_random(random) % (most < MOST ? most : MOST) + 1;

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < number; i++) {
			objects[i] = slub_kmem_cache_alloc(cache);
			HOLDS(objects[i] && !((uintptr_t)objects[i] & (align - 1)) && !((uintptr_t)objects[i] & 7));
			HOLDS(slub_ksize(objects[i]) == size);
			memset(objects[i], (int)(i * 7 + 1), size);
		}
		count(cache, number);
		// In any order; what is left is as it was written.
		for (size_t left = number; left > 0; left--) {
			size_t pick = next_random(random) % left;
			unsigned char *object = objects[pick], stamp = object[0];

			for (size_t at = 0; at < size; at++)
				HOLDS(object[at] == stamp);
			objects[pick] = objects[left - 1];
			slub_kmem_cache_free(cache, object);
			if (left == number / 2)
				count(cache, left - 1);
		}
		count(cache, 0);
	}
}

static void use_random_caches(uint64_t seed)
{
	static const uint32_t engines[] = { 0, SLUB_CPU_SLABS, SLUB_NO_SHEAVES, ALL_DEBUG };
	uint64_t random = seed;

	for (int i = 0; i < CACHES; i++) {
		size_t size = 1 + next_random(&random) % (i % 4 ? 700 : i % 16 ? 9000 : 70000);
		size_t align = random >> 40 & 1 ? 8ull << (random >> 41) % 10 : 1;
		uint32_t flags = engines[i % 4] | SLUB_NO_MERGE | (i % 4 == 3 ? random >> 20 & ALL_DEBUG : 0) |
				 (uint32_t)(random >> 24 & (SLUB_HWCACHE_ALIGN | SLUB_TYPESAFE_BY_RCU | SLUB_NO_HARDENED | SLUB_NO_RANDOM));
		struct kmem_cache *cache = slub_kmem_cache_create("random", (unsigned)size, align == 1 ? 0 : (unsigned)align, flags,
								  random >> 60 ? NULL : construct);

		HOLDS(cache);
		use_cache(&random, cache, size, align);
		HOLDS(!slub_kmem_cache_destroy(cache));
	}
}

static void objects_are_apart_aligned_kept_and_counted_in_any_cache(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++)
		in_child(use_random_caches, seed * 0x9e3779b97f4a7c15);
}

/* The reserved range is two chunks: it is soon used up. */
static void exhaust(uint64_t flags)
{
	static void *bulks[40][BULK];
	struct kmem_cache *cache;
	size_t had = 0, again = 0;
	void *one;

	slub.pages.limit = 2 * SLUB_CHUNK_PAGES;
	cache = slub_kmem_cache_create("random", 4000, 0, SLUB_NO_MERGE | (uint32_t)flags, NULL);
	HOLDS(cache);
	while (had < 40 && slub_kmem_cache_alloc_bulk(cache, BULK, bulks[had]) == BULK)
		had++;
	HOLDS(had > 10 && had < 40);
	count(cache, had * BULK);
	HOLDS(!slub_kmalloc(8u << 20));
	slub_kmem_cache_free_bulk(cache, BULK, bulks[0]);
	count(cache, (had - 1) * BULK);
	while (again <= BULK + 200 && (one = slub_kmem_cache_alloc(cache)))
		again++;
	HOLDS(again >= BULK && again < BULK + 200);
	for (size_t i = 1; i < had; i++)
		slub_kmem_cache_free_bulk(cache, BULK, bulks[i]);
	count(cache, again);
}

static void many_objects_are_had_all_or_none_when_memory_is_out(void **state)
{
	(void)state;
	in_child(exhaust, 0);
	in_child(exhaust, SLUB_CPU_SLABS);
	in_child(exhaust, SLUB_NO_SHEAVES);
	in_child(exhaust, ALL_DEBUG);
}

/* Slabs have objects, but there is no page for a sheaf. */
static void take_without_sheaf(uint64_t flags)
{
	struct kmem_cache *cache;
	void *objects[10];

	slub.pages.limit = 2 * SLUB_CHUNK_PAGES;
	cache = slub_kmem_cache_create("random", 1000, 0, SLUB_NO_MERGE | (uint32_t)flags, NULL);
	for (int i = 0; i < 10; i++)
		objects[i] = slub_kmem_cache_alloc(cache);
	for (int i = 0; i < 9; i++)
		slub_kmem_cache_free(cache, objects[i]);
	slub_kmem_cache_shrink(cache);
	for (unsigned bytes = 64; bytes <= SLUB_MAX_SHEAF; bytes *= 2) {
		void *object;

		// Those of sheaves too: their slabs' objects are all taken.
		while (slub_kmem_cache_alloc(slub.sheaf_caches[slub_kmalloc_index(bytes)]))
			;
		while ((object = slub_kmalloc(SLUB_PAGE_SIZE * 3)) || (object = slub_kmem_cache_alloc(slub.sheaf_caches[slub_kmalloc_index(bytes)])))
			;
	}
	HOLDS(slub_kmem_cache_alloc(cache));
}

static void objects_of_slabs_are_had_when_there_is_no_memory_for_sheaves(void **state)
{
	(void)state;
	in_child(take_without_sheaf, 0);
	in_child(take_without_sheaf, SLUB_CPU_SLABS);
}

static void *touch(void *argument)
{
	return slub_kmalloc(500) ? argument : NULL;
}

/* The range is reserved out of what the limit leaves, not all of it: the program needs addresses too. */
static void live_under_limit(uint64_t bytes)
{
	struct rlimit limit = { bytes, bytes }, had;
	pthread_t threads[4];
	void *memory, *said;

	HOLDS(!getrlimit(RLIMIT_AS, &had));
	if (bytes > had.rlim_max)
		return;
	HOLDS(!setrlimit(RLIMIT_AS, &limit));
	HOLDS((memory = slub_kmalloc(100)));
	slub_kfree(memory);
	for (int i = 0; i < 4; i++)
		HOLDS(!pthread_create(&threads[i], NULL, touch, threads));
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &said);
		HOLDS(said);
	}
	HOLDS(mmap(NULL, bytes / 8, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

static void a_limit_on_addresses_leaves_some_to_the_program(void **state)
{
	(void)state;
	for (uint64_t mib = 640; mib <= 9000; mib += 430)
		in_child(live_under_limit, mib << 20);
}

static void resize_objects_of_caches(uint64_t flags)
{
	struct kmem_cache *cache = slub_kmem_cache_create("random", 20000, 0, SLUB_NO_MERGE | (uint32_t)flags, NULL);
	unsigned char *objects[20];

	for (int i = 0; i < 20; i++)
		objects[i] = memset(slub_kmem_cache_alloc(cache), i, 20000);
	for (int i = 0; i < 20; i += 2) {
		objects[i] = slub_krealloc(objects[i], i % 4 ? 9000 : 50000);
		for (int at = 0; at < 9000; at++)
			HOLDS(objects[i][at] == i);
		memset(objects[i], 0xff, i % 4 ? 9000 : 50000);
	}
	for (int i = 1; i < 20; i += 2) {
		for (int at = 0; at < 20000; at++)
			HOLDS(objects[i][at] == i);
	}
	for (int i = 0; i < 20; i++)
		slub_kfree(objects[i]);
	HOLDS(!slub_kmem_cache_destroy(cache));
}

static void a_caches_large_object_that_is_resized_moves(void **state)
{
	(void)state;
	in_child(resize_objects_of_caches, 0);
	in_child(resize_objects_of_caches, SLUB_CPU_SLABS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_apart_aligned_kept_and_counted_in_any_cache),
		cmocka_unit_test(many_objects_are_had_all_or_none_when_memory_is_out),
		cmocka_unit_test(objects_of_slabs_are_had_when_there_is_no_memory_for_sheaves),
		cmocka_unit_test(a_limit_on_addresses_leaves_some_to_the_program),
		cmocka_unit_test(a_caches_large_object_that_is_resized_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
