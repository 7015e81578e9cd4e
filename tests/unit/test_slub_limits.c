// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * libslub where what it reserves would be taken literally: addresses, writable memory and locked memory are limited, or
 * all that is mapped is locked. Each in a process of its own, in which libslub is not set up yet.
 */
#include <errno.h>
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

#include "slub_census.h"

#define MIB ((size_t)1 << 20)
#define ALLOWED (64 * MIB) /* beside what the process has */
#define SKIPPED 77
#define NOBODY 65534

/* A line of /proc/self/status in bytes. */
static size_t status_of(const char *name)
{
	char line[256];
	size_t kilobytes = 0, length = strlen(name);
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, length) && line[length] == ':')
			kilobytes = strtoul(line + length + 1, NULL, 10);
	}
	if (file)
		fclose(file);
	return kilobytes << 10;
}

static bool set_limit(int resource, size_t bytes)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit))
		return false;
	limit.rlim_cur = bytes;
	return !setrlimit(resource, &limit);
}

/* Takes pieces of `size` until there are none or `most` bytes; how many bytes. Each is written to, or its first page is. */
static size_t take_and_give(size_t size, size_t most, bool is_filled)
{
	static uint64_t *pieces[1 << 20];
	size_t count = 0, had;

	while (count < sizeof(pieces) / sizeof(pieces[0]) && (count + 1) * size <= most) {
		uint64_t *piece = slub_kmalloc(size);

		if (!piece)
			break;
		if (is_filled)
			memset(piece, 0x5a, size);
		*piece = (uintptr_t)piece;
		pieces[count++] = piece;
	}
	had = count;
	while (count--) {
		if (*pieces[count] != (uintptr_t)pieces[count])
			return 0;
		slub_kfree(pieces[count]);
	}
	return had * size;
}

/* With memory to count with. */
static bool is_whole(void)
{
	struct slub_census census;

	if (!set_limit(RLIMIT_AS, RLIM_INFINITY) || !set_limit(RLIMIT_DATA, RLIM_INFINITY) || munlockall())
		return false;

	for (struct kmem_cache *cache = slub.caches; cache; cache = cache->next) {
		if (cache->has_sheaves && (!census_take(cache, &census) || census_allocated(&census)))
			return false;
	}
	return true;
}

static void in_new_process(int (*what)(void))
{
	pid_t child = fork();
	int status;

	if (!child) {
		alarm(30);
		_exit(what());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		skip();
	assert_int_equal(status, 0);
}

/* Most of what is allowed can be had, in pieces of any size, twice; then no more, and then again. */
static int use_most(void)
{
	static const size_t sizes[] = { 64, 1000, 8192, 100000, 3 * MIB };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t had = take_and_give(sizes[i], 2 * ALLOWED, false);

		if (had < ALLOWED / 2 || had > ALLOWED)
			return (int)(10 + i);
		// Objects in sheaves are of many slabs, which keep large blocks apart.
		for (struct kmem_cache *cache = slub.caches; cache; cache = cache->next)
			slub_kmem_cache_shrink(cache);
	}
	return is_whole() ? 0 : 2;
}

static int with_few_addresses(void)
{
	return set_limit(RLIMIT_AS, status_of("VmSize") + ALLOWED) ? use_most() : 1;
}

static void few_addresses_are_used_up(void **state)
{
	(void)state;
	in_new_process(with_few_addresses);
}

static int with_little_data(void)
{
	return set_limit(RLIMIT_DATA, status_of("VmData") + ALLOWED) ? use_most() : 1;
}

/* The kernel counts what may be written to, as it does where it does not overcommit. */
static void what_is_not_used_is_no_data(void **state)
{
	(void)state;
	in_new_process(with_little_data);
}

/* More pages than the arrays are made for at first, where there is no reservation. */
static int grow_far(void)
{
	size_t most = 700 * MIB;

	if (!set_limit(RLIMIT_AS, status_of("VmSize") + most + ALLOWED))
		return 1;
	if (take_and_give(MIB, most, false) != most || take_and_give(20 * MIB, most, false) != most)
		return 2;
	return take_and_give(200, 20 * MIB, true) && is_whole() && !slub.pages.is_reserved ? 0 : 3;
}

static void what_is_known_of_pages_grows_with_them(void **state)
{
	(void)state;
	in_new_process(grow_far);
}

/* Something else stands where the next pages would be. */
static int with_a_place_taken(void)
{
	void *place, *memory;

	if (!set_limit(RLIMIT_AS, status_of("VmSize") + 2 * ALLOWED) || !slub_kmalloc(8))
		return 1;
	place = slub.pages.base + (slub.pages.opened << SLUB_PAGE_SHIFT);
	if (mmap(place, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != place)
		return 2;
	memset(place, 0x77, 4096);
	if (slub_kmalloc(8 * MIB) || !take_and_give(64, MIB, true))
		return 3;
	for (int i = 0; i < 4096; i++) {
		if (((char *)place)[i] != 0x77)
			return 4;
	}
	munmap(place, 4096);
	memory = slub_kmalloc(8 * MIB);
	if (!memory)
		return 5;
	memset(memory, 1, 8 * MIB);
	return 0;
}

static void what_others_map_is_left_alone(void **state)
{
	(void)state;
	in_new_process(with_a_place_taken);
}

/* Of a range of 256 MiB, so that a machine survives it when all of that is locked. */
static int lock_all(bool is_early)
{
	size_t before = status_of("VmRSS"), after;

	slub.pages.limit = 256 * MIB >> SLUB_PAGE_SHIFT;
	if (is_early && mlockall(MCL_FUTURE))
		return SKIPPED;
	if (take_and_give(100, MIB, true) == 0)
		return 1;
	if (!is_early && mlockall(MCL_CURRENT | MCL_FUTURE))
		return SKIPPED;
	if (take_and_give(300, MIB, true) == 0 || take_and_give(MIB, 32 * MIB, true) != 32 * MIB)
		return 2;
	after = status_of("VmRSS");
	return is_whole() && status_of("VmLck") == 0 && after < before + 128 * MIB ? 0 : 3;
}

static int lock_early(void)
{
	return lock_all(true);
}

static int lock_late(void)
{
	return lock_all(false);
}

/* Without privilege: what is reserved counts as locked. */
static int lock_little(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_max < 8 * MIB)
		return SKIPPED;
	limit.rlim_cur = limit.rlim_max = limit.rlim_max < ALLOWED ? limit.rlim_max : ALLOWED;
	if (setrlimit(RLIMIT_MEMLOCK, &limit) || (!getuid() && setresuid(NOBODY, NOBODY, NOBODY)) || mlockall(MCL_FUTURE))
		return SKIPPED;
	if (!take_and_give(100, MIB, true) || take_and_give(100000, ALLOWED, true) < limit.rlim_cur / 4)
		return 1;
	// Sanitizers don't let a process lock its memory.
	if (!status_of("VmLck"))
		return SKIPPED;
	return is_whole() ? 0 : 2;
}

static void a_process_that_locks_what_it_will_map_locks_what_it_uses(void **state)
{
	(void)state;
	in_new_process(lock_early);
}

static void a_process_that_locks_all_it_has_locks_what_it_uses(void **state)
{
	(void)state;
	in_new_process(lock_late);
}

static void a_process_that_may_lock_little_has_that(void **state)
{
	(void)state;
	in_new_process(lock_little);
}

/* What was locked goes back too, where the kernel has a word for it. */
static int give_locked_back(void)
{
	size_t before, full;
	char *memory, *probe;

	if (mlockall(MCL_FUTURE))
		return SKIPPED;
	probe = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (madvise(probe, 4096, 24 /* MADV_DONTNEED_LOCKED */))
		return SKIPPED;
	slub_kfree(slub_kmalloc(100));
	before = status_of("VmRSS");
	memory = slub_kmalloc(40 * MIB);
	memset(memory, 1, 40 * MIB);
	full = status_of("VmRSS");
	slub_kfree(memory);
	slub_pages_release(&slub.pages);
	return full >= before + 39 * MIB && status_of("VmRSS") + 20 * MIB < full ? 0 : 1;
}

static void locked_memory_is_given_back(void **state)
{
	(void)state;
	in_new_process(give_locked_back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_addresses_are_used_up),
		cmocka_unit_test(what_is_not_used_is_no_data),
		cmocka_unit_test(what_is_known_of_pages_grows_with_them),
		cmocka_unit_test(what_others_map_is_left_alone),
		cmocka_unit_test(a_process_that_locks_what_it_will_map_locks_what_it_uses),
		cmocka_unit_test(a_process_that_locks_all_it_has_locks_what_it_uses),
		cmocka_unit_test(a_process_that_may_lock_little_has_that),
		cmocka_unit_test(locked_memory_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
