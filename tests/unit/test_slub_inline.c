// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A program that has the fast paths inline: they work on what the library's own calls work on, also where several threads
 * and signals are about, and such a program is bound to its library's layout.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#include "slub_inline.h"

#define WORKERS 4
#define SLOTS 400
#define ROUNDS 150000

static struct kmem_cache *cache;

static size_t allocated(const char *name)
{
	static struct slub_cache_info all[64];
	size_t count = slub_slabinfo(all, 64);

	for (size_t i = 0; i < count && i < 64; i++) {
		if (!strcmp(all[i].name, name))
			return all[i].objects - all[i].free_in_slabs - all[i].free_in_sheaves;
	}
	fail_msg("no cache %s", name);
	return 0;
}

static void inline_calls_and_the_librarys_share_a_cache(void **state)
{
	void *(*alloc)(struct kmem_cache *) = slub_kmem_cache_alloc;
	void (*give)(struct kmem_cache *, void *) = slub_kmem_cache_free;
	struct kmem_cache *own = slub_kmem_cache_create("shared", 40, 0, SLUB_NO_MERGE, NULL);
	void *first = slub_kmem_cache_alloc(own), *second = alloc(own), *third = slub_kmem_cache_alloc(own);

	(void)state;
	assert_true(first != second && second != third && first != third);
	assert_int_equal(allocated("shared"), 3);
	give(own, first);
	assert_ptr_equal(slub_kmem_cache_alloc(own), first);
	slub_kmem_cache_free(own, first);
	slub_kmem_cache_free(own, second);
	give(own, third);
	assert_int_equal(allocated("shared"), 0);
	assert_int_equal(slub_kmem_cache_destroy(own), 0);
}

/* Each object carries who has it from its allocation until it is freed. */
static void *take_and_give(void *argument)
{
	uintptr_t id = (uintptr_t)argument, random = id * 0x9e3779b97f4a7c15, wrong = 0;
	uintptr_t *mine[SLOTS] = {};

	for (int round = 0; round < ROUNDS; round++) {
		uintptr_t **slot = &mine[(random = random * 6364136223846793005 + 1) >> 40 & 255];

		if (*slot) {
			wrong += **slot != id;
			**slot = 0;
			slub_kmem_cache_free(cache, *slot);
			*slot = NULL;
		} else {
			*slot = slub_kmem_cache_alloc(cache);
			**slot = id;
		}
	}
	for (int i = 0; i < SLOTS; i++) {
		if (mine[i])
			slub_kmem_cache_free(cache, mine[i]);
	}
	return (void *)wrong;
}

static void do_nothing(int signal)
{
	(void)signal;
}

static void no_object_is_two_threads_while_signals_come(void **state)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = {};
	pthread_t threads[WORKERS];
	void *wrong;

	(void)state;
	cache = slub_kmem_cache_create("inline", 24, 0, SLUB_NO_MERGE, NULL);
	signal(SIGALRM, do_nothing);
	setitimer(ITIMER_REAL, &often, NULL);
	for (uintptr_t i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, (void *)(i + 1)), 0);
	for (int i = 0; i < WORKERS; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	assert_int_equal(allocated("inline"), 0);
	assert_int_equal(slub_kmem_cache_destroy(cache), 0);
}

/* Debugged caches and those of the other engine have no sheaf that an inline call could find anything in. */
static void caches_without_sheaves_work_inline_too(void **state)
{
	static const uint32_t flags[] = { SLUB_POISON | SLUB_RED_ZONE, SLUB_CPU_SLABS, SLUB_NO_SHEAVES };

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct kmem_cache *own = slub_kmem_cache_create("odd", 64, 0, flags[i] | SLUB_NO_MERGE, NULL);
		char *objects[100];

		for (int n = 0; n < 100; n++) {
			objects[n] = slub_kmem_cache_alloc(own);
			memset(objects[n], n, 64);
		}
		for (int n = 0; n < 100; n++) {
			assert_int_equal(objects[n][0], n);
			assert_int_equal(objects[n][63], n);
			slub_kmem_cache_free(own, objects[n]);
		}
		assert_int_equal(allocated("odd"), 0);
		assert_int_equal(slub_kmem_cache_destroy(own), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inline_calls_and_the_librarys_share_a_cache),
		cmocka_unit_test(no_object_is_two_threads_while_signals_come),
		cmocka_unit_test(caches_without_sheaves_work_inline_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
