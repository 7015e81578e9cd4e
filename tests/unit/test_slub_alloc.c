// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * libslub's objects: apart, aligned, zeroed, constructed, and back with the system when they are freed. All of it is run
 * with restartable sequences and, in a process of its own, without.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "slub_program.h"

static int by_address(const void *left, const void *right)
{
	uintptr_t one = *(const uintptr_t *)left, other = *(const uintptr_t *)right;

	return one < other ? -1 : one > other;
}

static void take_all_sizes(uint32_t flags)
{
	static uintptr_t objects[3000];
	static const unsigned sizes[] = { 1, 8, 24, 33, 64, 100, 192, 256, 700, 1024, 4000, 8192, 70000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t count = sizes[i] > 8192 ? 50 : 3000;
		unsigned align = sizes[i] == 24 ? 64 : sizes[i] == 100 ? 32 : 8;
		struct kmem_cache *cache = slub_kmem_cache_create("apart", sizes[i], align, SLUB_NO_MERGE | flags, NULL);

		assert_non_null(cache);
		for (size_t n = 0; n < count; n++) {
			objects[n] = (uintptr_t)slub_kmem_cache_alloc(cache);
			assert_true(objects[n] && objects[n] % align == 0);
			memset((void *)objects[n], (int)n, sizes[i]);
		}
		assert_int_equal(allocated("apart"), count);
		qsort(objects, count, sizeof(objects[0]), by_address);
		for (size_t n = 1; n < count; n++)
			assert_true(objects[n] - objects[n - 1] >= sizes[i]);
		for (size_t n = 0; n < count; n++)
			slub_kmem_cache_free(cache, (void *)objects[n]);
		assert_int_equal(allocated("apart"), 0);
		assert_int_equal(slub_kmem_cache_destroy(cache), 0);
	}
}

static void objects_of_any_size_are_apart_and_aligned(void **state)
{
	(void)state;
	take_all_sizes(0);
	take_all_sizes(SLUB_CPU_SLABS);
	take_all_sizes(SLUB_NO_SHEAVES);
	take_all_sizes(SLUB_NO_HARDENED | SLUB_NO_RANDOM);
}

static void a_cache_with_objects_is_not_destroyed(void **state)
{
	struct kmem_cache *cache = slub_kmem_cache_create("left", 48, 0, SLUB_NO_MERGE, NULL);
	void *objects[3] = { slub_kmem_cache_alloc(cache), slub_kmem_cache_alloc(cache), slub_kmem_cache_alloc(cache) };

	(void)state;
	slub_kmem_cache_free(cache, objects[1]);
	assert_int_equal(slub_kmem_cache_destroy(cache), 2);
	assert_int_equal(allocated("left"), 2);
	slub_kmem_cache_free(cache, objects[0]);
	slub_kmem_cache_free(cache, objects[2]);
	assert_int_equal(slub_kmem_cache_destroy(cache), 0);
}

static void like_caches_are_one(void **state)
{
	struct kmem_cache *first = slub_kmem_cache_create("first", 1000, 0, 0, NULL);
	struct kmem_cache *alias = slub_kmem_cache_create("alias", 997, 8, 0, NULL);
	struct kmem_cache *other = slub_kmem_cache_create("other", 1000, 0, SLUB_NO_MERGE, NULL);
	struct kmem_cache *plain = slub_kmem_cache_create("plain", 1000, 0, SLUB_NO_HARDENED, NULL);

	(void)state;
	assert_ptr_equal(first, alias);
	assert_ptr_not_equal(first, other);
	assert_ptr_not_equal(first, plain);
	assert_int_equal(info_of("first").aliases, 1);
	assert_int_equal(slub_kmem_cache_destroy(alias), 0);
	assert_int_equal(info_of("first").aliases, 0);
	slub_kmem_cache_destroy(plain);
	slub_kmem_cache_destroy(other);
	slub_kmem_cache_destroy(first);
}

static void construct(void *object)
{
	*(uint64_t *)object = 0x636f6e73;
}

static void a_constructed_object_comes_back_as_it_was_freed(void **state)
{
	struct kmem_cache *cache = slub_kmem_cache_create("constructed", 40, 0, 0, construct);
	uint64_t *objects[500];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 500; i++) {
			objects[i] = slub_kmem_cache_alloc(cache);
			assert_true(*objects[i] == 0x636f6e73 || (round && *objects[i] == 7));
			*objects[i] = 7;
		}
		for (int i = 0; i < 500; i++)
			slub_kmem_cache_free(cache, objects[i]);
	}
	assert_int_equal(slub_kmem_cache_destroy(cache), 0);
}

static void new_slabs_are_in_random_order_unless_told_otherwise(void **state)
{
	struct kmem_cache *random = slub_kmem_cache_create("random", 64, 0, SLUB_NO_MERGE | SLUB_NO_SHEAVES, NULL);
	struct kmem_cache *ordered =
		slub_kmem_cache_create("ordered", 64, 0, SLUB_NO_MERGE | SLUB_NO_SHEAVES | SLUB_NO_RANDOM, NULL);
	char *last[2] = { slub_kmem_cache_alloc(random), slub_kmem_cache_alloc(ordered) };
	int rising[2] = { 0, 0 };

	(void)state;
	for (int i = 1; i < 64; i++) {
		char *objects[2] = { slub_kmem_cache_alloc(random), slub_kmem_cache_alloc(ordered) };

		rising[0] += objects[0] == last[0] + 64;
		rising[1] += objects[1] == last[1] + 64;
		last[0] = objects[0];
		last[1] = objects[1];
	}
	assert_int_equal(rising[1], 63);
	assert_true(rising[0] < 32);
}

static void memory_of_any_size_keeps_its_contents_when_it_grows(void **state)
{
	unsigned char *memory = slub_kmalloc(1);

	(void)state;
	memory[0] = 0;
	for (size_t size = 2; size < (9u << 20); size += size / 3 + 1) {
		memory = slub_krealloc(memory, size);
		assert_non_null(memory);
		assert_true(slub_ksize(memory) >= size);
		for (size_t i = 0; i < size / 2; i += 1 + size / 64)
			assert_int_equal(memory[i], i % 251);
		for (size_t i = 0; i < size; i++)
			memory[i] = (unsigned char)(i % 251);
	}
	for (size_t size = 8u << 20; size > 8; size /= 3) {
		memory = slub_krealloc(memory, size);
		for (size_t i = 0; i < size; i += 1 + size / 64)
			assert_int_equal(memory[i], i % 251);
	}
	slub_kfree(memory);
	slub_kfree(NULL);
	assert_int_equal(slub_ksize(NULL), 0);
	assert_null(slub_kmalloc(SIZE_MAX));
	assert_null(slub_kmalloc(SIZE_MAX - 4096));
	memory = slub_kmalloc(0);
	assert_non_null(memory);
	slub_kfree(memory);
}

static void zeroed_memory_is_zero_after_others_used_it(void **state)
{
	static const size_t sizes[] = { 8, 100, 4000, 8192, 8193, 100000, 5u << 20 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (int round = 0; round < 3; round++) {
			unsigned char *memory = slub_kzalloc(sizes[i]);

			for (size_t at = 0; at < sizes[i]; at++)
				assert_int_equal(memory[at], 0);
			memset(memory, 0xff, sizes[i]);
			slub_kfree(memory);
		}
	}
}

static size_t resident_pages(void)
{
	size_t size, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	assert_int_equal(fscanf(file, "%zu %zu", &size, &resident), 2);
	fclose(file);
	return resident;
}

static void what_is_freed_goes_back_to_the_system(void **state)
{
	static void *objects[400000];
	struct kmem_cache *cache = slub_kmem_cache_create("much", 256, 0, SLUB_NO_MERGE, NULL);
	size_t before, held;

	(void)state;
	memset(objects, 1, sizeof(objects));
	before = resident_pages();
	for (int i = 0; i < 400000; i++)
		objects[i] = memset(slub_kmem_cache_alloc(cache), 1, 256);
	held = resident_pages();
	assert_true(held > before + 24000);
	for (int i = 0; i < 400000; i++)
		slub_kmem_cache_free(cache, objects[i]);
	// 100 MB were held; 2 MiB of free pages and what lists keep may stay.
	assert_true(resident_pages() < before + (held - before) / 20);
	slub_kmem_cache_destroy(cache);
}

static int run_all(void)
{
	const struct CMUnitTest tests[] = {
		// First: pages that were wanted again stay.
		cmocka_unit_test(what_is_freed_goes_back_to_the_system),
		cmocka_unit_test(objects_of_any_size_are_apart_and_aligned),
		cmocka_unit_test(a_cache_with_objects_is_not_destroyed),
		cmocka_unit_test(like_caches_are_one),
		cmocka_unit_test(a_constructed_object_comes_back_as_it_was_freed),
		cmocka_unit_test(new_slabs_are_in_random_order_unless_told_otherwise),
		cmocka_unit_test(memory_of_any_size_keeps_its_contents_when_it_grows),
		cmocka_unit_test(zeroed_memory_is_zero_after_others_used_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A program of its own, as the environment is read once. */
static void the_environment_chooses_the_engine(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (!child) {
		setenv("SLUB_ENGINE", "cpu_slabs", 1);
		execl("/proc/self/exe", "test_slub_alloc", "engine", NULL);
		_exit(2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Whether caches made without a flag, and kmalloc's, have slabs on CPUs and no sheaves; likes of them are still one. */
static bool all_have_cpu_slabs(void)
{
	struct kmem_cache *cache = slub_kmem_cache_create("one", 312, 0, 0, NULL);

	return cache && cache == slub_kmem_cache_create("other", 312, 0, 0, NULL) && !info_of("one").sheaf_capacity &&
	       !info_of("kmalloc-64").sheaf_capacity && info_of("one").flags & SLUB_CPU_SLABS;
}

static void all_of_it_holds_without_restartable_sequences(void **state)
{
	(void)state;
	passes_without_restartable_sequences();
}

int main(int count, char **words)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_environment_chooses_the_engine),
		cmocka_unit_test(all_of_it_holds_without_restartable_sequences),
	};

	if (count > 1 && !strcmp(words[1], "engine"))
		return !all_have_cpu_slabs();
	if (count > 1)
		return run_all() != 0;
	return run_all() + cmocka_run_group_tests(tests, NULL, NULL);
}
