// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Misuse that is always found, and every damage that debugging is for, done in a process of its own: what is said, and that the process ends or goes on.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "slub.h"

#define ALL (SLUB_CONSISTENCY_CHECKS | SLUB_RED_ZONE | SLUB_POISON | SLUB_STORE_USER)
#define ENDED -1

static char said[16384];

/* Run `deed` in a child and keep what it writes on standard error. Returns its exit status, ENDED for SIGABRT. */
static int run(int (*deed)(void), const char *on_error, const char *debug)
{
	size_t length = 0;
	int pipes[2], status;
	ssize_t got;
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (!child) {
		dup2(pipes[1], STDERR_FILENO);
		close(pipes[1]);
		signal(SIGABRT, SIG_DFL);
		if (on_error)
			setenv("SLUB_ON_ERROR", on_error, 1);
		if (debug)
			setenv("SLUB_DEBUG", debug, 1);
		_exit(deed());
	}
	close(pipes[1]);
	while (length < sizeof(said) - 1 && (got = read(pipes[0], said + length, sizeof(said) - 1 - length)) > 0)
		length += (size_t)got;
	said[length] = 0;
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? ENDED : WEXITSTATUS(status);
}

static void says(const char *words)
{
	if (!strstr(said, words))
		fail_msg("not said: %s, but:\n%s", words, said);
}

/* Without debugging: what is found when objects go back to their slabs. */
static int free_twice(void)
{
	struct kmem_cache *cache = slub_kmem_cache_create("twice", 64, 0, SLUB_NO_MERGE | SLUB_NO_SHEAVES, NULL);
	void *object = slub_kmem_cache_alloc(cache);

	slub_kmem_cache_free(cache, object);
	slub_kmem_cache_free(cache, object);
	return 0;
}

static int free_inside(void)
{
	struct kmem_cache *cache = slub_kmem_cache_create("inside", 64, 0, SLUB_NO_MERGE | SLUB_NO_SHEAVES, NULL);

	slub_kmem_cache_free(cache, (char *)slub_kmem_cache_alloc(cache) + 8);
	return 0;
}

static int free_elsewhere(void)
{
	struct kmem_cache *cache = slub_kmem_cache_create("here", 64, 0, SLUB_NO_MERGE | SLUB_NO_SHEAVES, NULL);
	struct kmem_cache *other = slub_kmem_cache_create("there", 64, 0, SLUB_NO_MERGE | SLUB_NO_SHEAVES, NULL);

	slub_kmem_cache_free(cache, slub_kmem_cache_alloc(other));
	return 0;
}

static int free_nothing_of_ours(void)
{
	int here;

	slub_kfree(&here);
	return 0;
}

static int overwrite_free_pointer(void)
{
	struct kmem_cache *cache = slub_kmem_cache_create("overwritten", 64, 0, SLUB_NO_MERGE | SLUB_NO_SHEAVES, NULL);
	char *object = slub_kmem_cache_alloc(cache);

	slub_kmem_cache_free(cache, object);
	memset(object + 32, 0x41, 8);
	slub_kmem_cache_alloc(cache);
	return 0;
}

static struct kmem_cache *checked(unsigned size)
{
	return slub_kmem_cache_create("checked", size, 0, ALL, NULL);
}

static int write_behind(void)
{
	struct kmem_cache *cache = checked(60);
	char *object = slub_kmem_cache_alloc(cache);

	object[61] = 0x41;
	slub_kmem_cache_free(cache, object);
	return 0;
}

static int write_before(void)
{
	struct kmem_cache *cache = checked(60);
	char *object = slub_kmem_cache_alloc(cache);

	object[-3] = 0x42;
	slub_kmem_cache_free(cache, object);
	return 0;
}

static int write_after_free(void)
{
	struct kmem_cache *cache = checked(60);
	char *object = slub_kmem_cache_alloc(cache);

	slub_kmem_cache_free(cache, object);
	object[50] = 0x43;
	return slub_kmem_cache_alloc(cache) == object;
}

static int write_last_byte_after_free(void)
{
	struct kmem_cache *cache = checked(60);
	char *object = slub_kmem_cache_alloc(cache);

	slub_kmem_cache_free(cache, object);
	object[59] = 0x44;
	return slub_kmem_cache_alloc(cache) == object;
}

static int free_a_second_time(void)
{
	struct kmem_cache *cache = checked(60);
	char *object = slub_kmem_cache_alloc(cache), *other = slub_kmem_cache_alloc(cache);

	slub_kmem_cache_free(cache, object);
	slub_kmem_cache_free(cache, other);
	slub_kmem_cache_free(cache, object);
	// Only one of the two frees counted.
	return slub_kmem_cache_alloc(cache) == slub_kmem_cache_alloc(cache);
}

static int write_into_kmallocs_slack(void)
{
	char *memory = slub_kmalloc(50);

	memory[50] = 0x45;
	slub_kfree(memory);
	return 0;
}

static int grow_and_shrink_within_bounds(void)
{
	char *memory = slub_kmalloc(50);

	for (size_t size = 1; size < 3000; size = size * 5 / 4 + 1) {
		memory = slub_krealloc(memory, size);
		if (slub_ksize(memory) != size)
			return 1;
		memset(memory, 1, size);
	}
	slub_kfree(memory);
	return 0;
}

static int behave(void)
{
	static const unsigned sizes[] = { 1, 7, 8, 24, 60, 64, 100, 192, 1000, 4096 };
	static const uint32_t flags[] = { ALL, SLUB_RED_ZONE, SLUB_POISON, SLUB_STORE_USER, SLUB_RED_ZONE | SLUB_POISON,
					  ALL | SLUB_TYPESAFE_BY_RCU, ALL | SLUB_HWCACHE_ALIGN };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t f = 0; f < sizeof(flags) / sizeof(flags[0]); f++) {
			struct kmem_cache *cache = slub_kmem_cache_create("well", sizes[i], 0, flags[f], NULL);
			char *objects[200];

			for (int round = 0; round < 3; round++) {
				for (int n = 0; n < 200; n++)
					objects[n] = memset(slub_kmem_cache_alloc(cache), n, sizes[i]);
				for (int n = 0; n < 200; n++) {
					if (objects[n][sizes[i] - 1] != (char)n)
						return 1;
					slub_kmem_cache_free(cache, objects[n]);
				}
			}
			if (slub_kmem_cache_destroy(cache))
				return 2;
		}
	}
	return 0;
}

static void dies_saying(int (*deed)(void), const char *words)
{
	assert_int_equal(run(deed, NULL, NULL), ENDED);
	says(words);
}

static void misuse_is_named_and_ends_the_process(void **state)
{
	(void)state;
	dies_saying(free_twice, "slub: twice: double free at 0x");
	dies_saying(free_inside, "slub: inside: invalid free: inside an object at 0x");
	dies_saying(free_elsewhere, "slub: there: invalid free: the object is of this cache at 0x");
	dies_saying(free_nothing_of_ours, "slub: invalid free: no object at 0x");
	dies_saying(overwrite_free_pointer, "slub: overwritten: free pointer overwritten at 0x");
}

static void overflows_are_found_when_the_object_is_freed(void **state)
{
	(void)state;
	assert_int_equal(run(write_behind, NULL, NULL), ENDED);
	says("slub: checked: right red zone overwritten at 0x");
	says("the first byte is 0x41, not 0xcc");
	says("byte 61 of 60");
	says("  allocated by thread ");
	says(" in test_slub_debug+0x");
	says("right red zone 0x");
	assert_int_equal(run(write_before, NULL, NULL), ENDED);
	says("slub: checked: left red zone overwritten at 0x");
	says("byte -3 of 60");
}

static void writes_after_free_are_found_when_the_object_is_taken_again(void **state)
{
	(void)state;
	assert_int_equal(run(write_after_free, NULL, NULL), ENDED);
	says("slub: checked: poison overwritten at 0x");
	says("the first byte is 0x43, not 0x6b");
	says("  allocated by thread ");
	says("  freed by thread ");
	assert_int_equal(run(write_last_byte_after_free, NULL, NULL), ENDED);
	says("the first byte is 0x44, not 0xa5");
}

static void double_frees_are_found_whatever_came_between(void **state)
{
	(void)state;
	assert_int_equal(run(free_a_second_time, NULL, NULL), ENDED);
	says("slub: checked: double free at 0x");
	says("  freed by thread ");
}

static void a_process_that_may_go_on_does_and_never_sees_the_object_again(void **state)
{
	(void)state;
	assert_int_equal(run(write_behind, "continue", NULL), 0);
	says("right red zone overwritten");
	assert_int_equal(run(write_after_free, "continue", NULL), 0);
	says("poison overwritten");
	assert_int_equal(run(free_a_second_time, "continue", NULL), 0);
	says("double free");
}

static void a_setting_in_the_environment_turns_it_on_for_caches_by_name(void **state)
{
	(void)state;
	assert_int_equal(run(write_into_kmallocs_slack, NULL, NULL), 0);
	assert_string_equal(said, "");
	assert_int_equal(run(write_into_kmallocs_slack, NULL, "FZPU"), ENDED);
	says("slub: kmalloc-64: right red zone overwritten at 0x");
	says("byte 50 of 64");
	assert_int_equal(run(write_into_kmallocs_slack, NULL, "ZU,other;PZU,kmalloc-*"), ENDED);
	assert_int_equal(run(write_into_kmallocs_slack, NULL, "FZPU,kmalloc-128,kmalloc-6"), 0);
	assert_int_equal(run(write_into_kmallocs_slack, NULL, "FZPU;-,kmalloc-64"), 0);
}

static void a_program_that_behaves_hears_nothing(void **state)
{
	(void)state;
	assert_int_equal(run(behave, NULL, NULL), 0);
	assert_string_equal(said, "");
	assert_int_equal(run(grow_and_shrink_within_bounds, NULL, "FZPU"), 0);
	assert_string_equal(said, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(misuse_is_named_and_ends_the_process),
		cmocka_unit_test(overflows_are_found_when_the_object_is_freed),
		cmocka_unit_test(writes_after_free_are_found_when_the_object_is_taken_again),
		cmocka_unit_test(double_frees_are_found_whatever_came_between),
		cmocka_unit_test(a_process_that_may_go_on_does_and_never_sees_the_object_again),
		cmocka_unit_test(a_setting_in_the_environment_turns_it_on_for_caches_by_name),
		cmocka_unit_test(a_program_that_behaves_hears_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
