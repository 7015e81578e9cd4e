// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What is said of each misuse: cause, bytes, who allocated and who freed; by every engine, with debugging and without, and
 * that a process which may go on goes on with a cache whose counts are true. Each deed is done in a process of its own.
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

#include "slub_census.h"

#define ALL (SLUB_CONSISTENCY_CHECKS | SLUB_RED_ZONE | SLUB_POISON | SLUB_STORE_USER)
#define FUNCTION_BYTES 160 /* at least what taker() and giver() are long */

static char said[32768];
static uint32_t flags;          /* of the deed's cache */
static struct kmem_cache *cache;

static __attribute__((noinline)) char *taker(void)
{
	char *object = slub_kmem_cache_alloc(cache);

	asm volatile("" : "+r"(object));
	return object;
}

static __attribute__((noinline)) void giver(void *object)
{
	slub_kmem_cache_free(cache, object);
	asm volatile("" ::: "memory");
}

static void make(unsigned size)
{
	cache = slub_kmem_cache_create("misused", size, 0, SLUB_NO_MERGE | flags, NULL);
}

/* Nothing allocated, all in one place: what was damaged is out of use, and only that. */
static int count(size_t allocated)
{
	struct slub_census census;

	if (!census_take(cache, &census)) {
		fprintf(stderr, "census: %s\n", census.fault);
		return 3;
	}
	return census_allocated(&census) == allocated ? 0 : 4;
}

static int run(int (*deed)(void), uint32_t cache_flags, const char *on_error)
{
	size_t length = 0;
	int pipes[2], status;
	ssize_t got;
	pid_t child;

	flags = cache_flags;
	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (!child) {
		alarm(20);
		dup2(pipes[1], STDERR_FILENO);
		close(pipes[1]);
		signal(SIGABRT, SIG_DFL);
		if (on_error)
			setenv("SLUB_ON_ERROR", on_error, 1);
		_exit(deed());
	}
	close(pipes[1]);
	while (length < sizeof(said) - 1 && (got = read(pipes[0], said + length, sizeof(said) - 1 - length)) > 0)
		length += (size_t)got;
	said[length] = 0;
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* The report has these lines' beginnings, in this order. */
static void says(const char *const *words)
{
	const char *at = said;

	for (; *words; words++) {
		at = strstr(at, *words);
		if (!at)
			fail_msg("not said, or not there: %s, but:\n%s", *words, said);
		at += strlen(*words);
	}
}

#define SAYS(...) says((const char *const[]){ __VA_ARGS__, NULL })

/* A frame below "WHAT by thread" is a call in that function. */
static void says_who(const char *what, const void *function)
{
	const char *at = strstr(said, what);

	assert_non_null(at);
	while ((at = strchr(at, '\n')) && !strncmp(++at, "    0x", 6)) {
		if (strtoull(at, NULL, 16) - (uintptr_t)function < FUNCTION_BYTES)
			return;
	}
	fail_msg("%s is another function:\n%s", what, said);
}

static int reports_of(const char *words)
{
	int reports = 0;

	for (const char *at = said; (at = strstr(at, words)); at++)
		reports++;
	return reports;
}

/* The process ends; or goes on, says the same and ends well. */
static void ends_and_goes_on(int (*deed)(void), uint32_t cache_flags, const char *first_words)
{
	assert_int_equal(run(deed, cache_flags, NULL), -SIGABRT);
	SAYS(first_words);
	assert_int_equal(run(deed, cache_flags, "continue"), 0);
	SAYS(first_words);
	assert_int_equal(reports_of("slub: "), 1);
}

static int free_twice_in_a_row(void)
{
	char *object;

	make(64);
	object = taker();
	giver(object);
	giver(object);
	slub_kmem_cache_shrink(cache);
	return count(0);
}

/* To a slab that is not this CPU's: it is full, then partial. */
static int free_twice_from_elsewhere(void)
{
	char *objects[65];

	make(64);
	for (int i = 0; i < 65; i++)
		objects[i] = taker();
	giver(objects[3]);
	giver(objects[3]);
	for (int i = 10; i < 20; i++)
		giver(objects[i]);
	slub_kmem_cache_shrink(cache);
	return count(65 - 11);
}

/* Others were freed since, but a slab without objects in use has none to take back. */
static int free_to_an_empty_slab(void)
{
	char *objects[65];

	make(64);
	for (int i = 0; i < 65; i++)
		objects[i] = taker();
	for (int i = 0; i < 64; i++)
		giver(objects[i]);
	giver(objects[3]);
	giver(objects[64]);
	slub_kmem_cache_shrink(cache);
	return count(0);
}

static int free_inside_an_object(void)
{
	char *object;

	make(64);
	object = taker();
	giver(object + 8);
	slub_kmem_cache_shrink(cache);
	// A CPU's freelist is looked at when its slab goes: the whole slab is set aside.
	return count(cache->has_cpu_slabs ? cache->geometry.objects : 1);
}

static int free_to_another_cache(void)
{
	struct kmem_cache *other = slub_kmem_cache_create("others", 64, 0, SLUB_NO_MERGE | flags, NULL);

	make(64);
	giver(slub_kmem_cache_alloc(other));
	slub_kmem_cache_shrink(cache);
	return count(0);
}

static int free_what_is_no_object(void)
{
	make(64);
	giver(&cache);
	slub_kmem_cache_shrink(cache);
	return count(0);
}

static void wrong_frees_are_told_by_every_engine(void **state)
{
	static const uint32_t engines[] = { SLUB_NO_SHEAVES, SLUB_CPU_SLABS, 0, ALL };

	(void)state;
	for (int i = 0; i < 4; i++) {
		ends_and_goes_on(free_inside_an_object, engines[i], "slub: misused: invalid free: inside an object at 0x");
		ends_and_goes_on(free_to_another_cache, engines[i], "slub: others: invalid free: the object is of this cache at 0x");
		ends_and_goes_on(free_what_is_no_object, engines[i], "slub: misused: invalid free: no object at 0x");
	}
	ends_and_goes_on(free_twice_in_a_row, SLUB_NO_SHEAVES, "slub: misused: double free at 0x");
	ends_and_goes_on(free_twice_in_a_row, 0, "slub: misused: double free at 0x");
	ends_and_goes_on(free_twice_in_a_row, SLUB_CPU_SLABS, "slub: misused: double free at 0x");
	ends_and_goes_on(free_twice_from_elsewhere, SLUB_CPU_SLABS, "slub: misused: double free at 0x");
	ends_and_goes_on(free_to_an_empty_slab, SLUB_CPU_SLABS, "slub: misused: double free at 0x");
	ends_and_goes_on(free_twice_in_a_row, ALL, "slub: misused: double free at 0x");
	SAYS("slub: misused: double free at 0x", "  allocated by thread ", "  freed by thread ", "  left red zone  0x", ": bb bb",
	     "  object         0x", ": 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b\n", "6b 6b a5\n", "  right red zone 0x",
	     ": bb bb bb bb bb bb bb bb\n");
	says_who("allocated by", taker);
	says_who("freed by", giver);
}

static int write_behind(void)
{
	char *object;

	make(64);
	object = taker();
	object[66] = 0x41;
	giver(object);
	return count(1);
}

static int write_before(void)
{
	char *object;

	make(64);
	object = taker();
	object[-2] = 0x42;
	giver(object);
	return count(1);
}

static int write_after_free(void)
{
	char *object;
	int status;

	make(64);
	object = taker();
	giver(object);
	object[40] = 0x43;
	// The whole slab is set aside: the next object is of another.
	status = slub_kmem_cache_alloc(cache) == object;
	return status ? status : count(cache->geometry.objects + 1);
}

static int write_behind_a_free_object(void)
{
	char *object;

	make(64);
	object = taker();
	giver(object);
	object[65] = 0x44;
	return slub_kmem_cache_alloc(cache) == object;
}

static int write_into_padding(void)
{
	char *object;

	make(64);
	object = taker();
	object[cache->size - cache->red_left_pad - 1] = 0x45;
	giver(object);
	return count(1);
}

static void overflows_are_told_with_bytes_and_stacks(void **state)
{
	(void)state;
	ends_and_goes_on(write_behind, ALL, "slub: misused: right red zone overwritten at 0x");
	SAYS("slub: misused: right red zone overwritten at 0x", "  the first byte is 0x41, not 0xcc; object 0x",
	     ", byte 66 of 64\n", "  allocated by thread ", "  left red zone ", ": cc cc cc cc cc cc cc cc\n", "  object         0x",
	     "  right red zone 0x", ": cc cc 41 cc cc cc cc cc\n");
	says_who("allocated by", taker);
	assert_null(strstr(said, "freed by"));
	ends_and_goes_on(write_before, ALL, "slub: misused: left red zone overwritten at 0x");
	SAYS("  the first byte is 0x42, not 0xcc; object 0x", ", byte -2 of 64\n", "  allocated by thread ",
	     ": cc cc cc cc cc cc 42 cc\n");
	says_who("allocated by", taker);
	ends_and_goes_on(write_behind_a_free_object, ALL, "slub: misused: right red zone overwritten at 0x");
	SAYS("  the first byte is 0x44, not 0xbb", "  freed by thread ", ": bb 44 bb bb bb bb bb bb\n");
	says_who("freed by", giver);
	ends_and_goes_on(write_into_padding, ALL, "slub: misused: object padding overwritten at 0x");
	SAYS("  the first byte is 0x45, not 0x5a; object 0x", "  allocated by thread ");
	// One flag alone finds what is its own.
	ends_and_goes_on(write_behind, SLUB_RED_ZONE, "slub: misused: right red zone overwritten at 0x");
	assert_null(strstr(said, "allocated by"));
	assert_int_equal(run(write_behind, SLUB_STORE_USER, NULL), 4);
	assert_string_equal(said, "");
}

static void a_write_after_free_is_told_with_bytes_and_both_stacks(void **state)
{
	(void)state;
	ends_and_goes_on(write_after_free, ALL, "slub: misused: poison overwritten at 0x");
	SAYS("slub: misused: poison overwritten at 0x", "  the first byte is 0x43, not 0x6b; object 0x", ", byte 40 of 64\n",
	     "  allocated by thread ", "  freed by thread ", ": 6b 6b 6b 6b 6b 6b 6b 6b 43 6b 6b 6b 6b 6b 6b 6b\n");
	says_who("allocated by", taker);
	says_who("freed by", giver);
	ends_and_goes_on(write_after_free, SLUB_POISON, "slub: misused: poison overwritten at 0x");
	assert_null(strstr(said, "allocated by"));
}

/* An object's free pointer, overwritten while it is on its slab's list: the slab is never used again. */
static int overwrite_free_pointer(void)
{
	char *object;
	void *other;

	make(64);
	object = taker();
	other = taker();
	giver(other);
	giver(object);
	slub_kmem_cache_shrink(cache);
	object = taker();
	giver(object);
	if (cache->has_cpu_slabs) {
		memset(object + cache->offset, 0x41, 8);
		slub_kmem_cache_shrink(cache);
		return 0;
	}
	memset(object + cache->offset, 0x41, 8);
	return slub_kmem_cache_alloc(cache) == object;
}

static void an_overwritten_free_pointer_is_told(void **state)
{
	(void)state;
	ends_and_goes_on(overwrite_free_pointer, SLUB_NO_SHEAVES, "slub: misused: free pointer overwritten at 0x");
	ends_and_goes_on(overwrite_free_pointer, SLUB_NO_SHEAVES | SLUB_NO_HARDENED,
			 "slub: misused: free pointer overwritten at 0x");
	ends_and_goes_on(overwrite_free_pointer, SLUB_CPU_SLABS, "slub: misused: free pointer overwritten at 0x");
}

static int free_pages_twice(void)
{
	char *run = slub_kmalloc(50000), *other = slub_kmalloc(50000);

	slub_kfree(run);
	slub_kfree(run);
	memset(other, 1, 50000);
	slub_kfree(other);
	return 0;
}

static int free_inside_pages(void)
{
	char *run = slub_kmalloc(50000);

	slub_kfree(run + 4096);
	memset(run, 1, 50000);
	slub_kfree(run);
	return 0;
}

static int free_off_pages(void)
{
	char *run = slub_kmalloc(50000);

	slub_kfree(run + 16);
	memset(run, 1, 50000);
	slub_kfree(run);
	return 0;
}

static int ask_the_size_of_nothing(void)
{
	int here = 0;

	return (int)slub_ksize(&here);
}

static void pages_that_are_freed_wrongly_are_told(void **state)
{
	(void)state;
	ends_and_goes_on(free_pages_twice, 0, "slub: invalid free: no object at 0x");
	ends_and_goes_on(free_inside_pages, 0, "slub: invalid free: no object at 0x");
	ends_and_goes_on(free_off_pages, 0, "slub: invalid free: no object at 0x");
	ends_and_goes_on(ask_the_size_of_nothing, 0, "slub: ksize of no object at 0x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_frees_are_told_by_every_engine),
		cmocka_unit_test(overflows_are_told_with_bytes_and_stacks),
		cmocka_unit_test(a_write_after_free_is_told_with_bytes_and_both_stacks),
		cmocka_unit_test(an_overwritten_free_pointer_is_told),
		cmocka_unit_test(pages_that_are_freed_wrongly_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
