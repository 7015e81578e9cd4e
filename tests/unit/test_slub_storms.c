// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * libslub while many threads are at it: children of busy threads, counts of a cache that is in use, threads with
 * restartable sequences beside threads without, thousands of threads.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "slub_census.h"

#define WORKERS 4
#define SLOTS 256
#define BATCH 40
#define MANY 10000

static struct kmem_cache *cache;
static uint64_t *slots[SLOTS];
static bool is_over;
/* Of the caches to come: as on a machine that can't compare and exchange 16 bytes at once. */
static bool lacks_cmpxchg_double;

static void stamp(uint64_t *object)
{
	for (int i = 0; i < 8; i++)
		object[i] = (uintptr_t)object;
}

static void check(const uint64_t *object)
{
	for (int i = 0; i < 8; i++) {
		if (object[i] != (uintptr_t)object)
			abort();
	}
}

/* A few objects at a time, so that lists change far from their heads too; each is freed by whoever finds it. */
static void exchange(uint64_t *random)
{
	uint64_t *mine[BATCH];

	for (int i = 0; i < BATCH; i++) {
		mine[i] = slub_kmem_cache_alloc(cache);
		if (!mine[i])
			abort();
		stamp(mine[i]);
	}
	for (int i = 0; i < BATCH; i++) {
		uint64_t *found;

		*random = *random * 6364136223846793005 + 1442695040888963407;
		found = __atomic_exchange_n(&slots[*random >> 33 & (SLOTS - 1)], mine[i], __ATOMIC_ACQ_REL);
		if (!found)
			continue;
		check(found);
		slub_kmem_cache_free(cache, found);
	}
}

static void leave_sequences(void)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (__rseq_size && syscall(SYS_rseq, area, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG))
		syscall(SYS_rseq, area, __rseq_size, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}

/* Odd workers do without restartable sequences when `argument` says so. */
static void *work(void *argument)
{
	uint64_t random = (uintptr_t)&random;

	if (argument)
		leave_sequences();
	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED))
		exchange(&random);
	return NULL;
}

static void start(pthread_t *threads, uint32_t flags, bool is_mixed)
{
	is_over = false;
	memset(slots, 0, sizeof(slots));
	cache = slub_kmem_cache_create("storm", 64, 0, SLUB_NO_MERGE | flags, NULL);
	assert_non_null(cache);
	cache->has_cmpxchg_double &= !lacks_cmpxchg_double;
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, is_mixed && i % 2 ? threads : NULL), 0);
}

static void end(pthread_t *threads)
{
	struct slub_census census;
	size_t alive = 0;

	__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	if (!census_take(cache, &census))
		fail_msg("%s: %p", census.fault, census.where);
	for (int i = 0; i < SLOTS; i++)
		alive += slots[i] != NULL;
	assert_int_equal(census_allocated(&census), alive);
	for (int i = 0; i < SLOTS; i++) {
		if (slots[i])
			slub_kmem_cache_free(cache, slots[i]);
	}
	assert_int_equal(slub_kmem_cache_destroy(cache), 0);
}

static int count_in_child(void)
{
	struct slub_census census;

	alarm(20);
	census_take(cache, &census);
	// What threads had in hands is lost to the child; nothing may be there twice, or be half of a change.
	if (census.fault && (!strcmp(census.fault, "free in two places") ||
			     !strcmp(census.fault, "free, but no object of this cache") ||
			     !strcmp(census.fault, "inuse does not fit the freelist")))
		return 1;
	for (int i = 0; i < 100; i++) {
		uint64_t random = (uint64_t)i << 33;

		exchange(&random);
	}
	return slub_kmem_cache_shrink(cache) > 1000;
}

static void bear_children(uint32_t flags, bool is_mixed, int count)
{
	pthread_t threads[WORKERS];

	start(threads, flags, is_mixed);
	for (int i = 0; i < count; i++) {
		pid_t child;
		int status;

		for (int yields = 0; yields < 2; yields++)
			sched_yield();
		child = fork();
		if (!child)
			_exit(count_in_child());
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	end(threads);
}

static void a_childs_memory_is_of_one_moment(void **state)
{
	(void)state;
	bear_children(0, false, 4);
	bear_children(0, true, 4);
	bear_children(SLUB_CPU_SLABS, false, 4);
	bear_children(SLUB_CPU_SLABS, true, 4);
	lacks_cmpxchg_double = true;
	bear_children(SLUB_CPU_SLABS, true, 2);
	lacks_cmpxchg_double = false;
}

static void *drain_often(void *drained)
{
	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		slub_kmem_cache_free(drained, slub_kmem_cache_alloc(drained));
		slub_kmem_cache_shrink(drained);
	}
	return NULL;
}

/* Who drains one cache waits for a stripe, whose holder waits for another cache's list: a fork wants all three. */
static void forks_wait_for_drains_and_stripes_in_one_order(void **state)
{
	struct kmem_cache *drained = slub_kmem_cache_create("drained", 64, 0, SLUB_NO_MERGE, NULL);
	pthread_t threads[WORKERS], drainer;

	(void)state;
	start(threads, 0, true);
	assert_int_equal(pthread_create(&drainer, NULL, drain_often, drained), 0);
	alarm(60); /* ends the program when they wait for each other */
	for (int i = 0; i < 400; i++) {
		pid_t child = fork();
		int status;

		if (!child)
			_exit(0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	alarm(0);
	__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	pthread_join(drainer, NULL);
	end(threads);
	assert_int_equal(slub_kmem_cache_destroy(drained), 0);
}

static void count_while_busy(uint32_t flags)
{
	static struct slub_cache_info info[64];
	pthread_t threads[WORKERS];

	start(threads, flags, true);
	for (int i = 0; i < 200; i++) {
		size_t count = slub_slabinfo(info, 64);

		assert_true(count > 14 && count <= 64);
		assert_string_equal(info[count - 1].name, "storm");
		assert_true(info[count - 1].free_in_slabs <= info[count - 1].objects);
	}
	end(threads);
}

static void a_busy_cache_can_be_counted(void **state)
{
	(void)state;
	count_while_busy(0);
	count_while_busy(SLUB_CPU_SLABS);
	lacks_cmpxchg_double = true;
	count_while_busy(SLUB_CPU_SLABS);
	lacks_cmpxchg_double = false;
}

/* Slabs are emptied, filled, drained and given back while others free to them. */
static void shrink_while_busy(bool is_mixed)
{
	pthread_t threads[WORKERS];

	start(threads, SLUB_CPU_SLABS, is_mixed);
	for (int i = 0; i < 40; i++) {
		slub_kmem_cache_shrink(cache);
		sched_yield();
	}
	end(threads);
}

static void what_cpus_free_to_each_others_slabs_is_free_once(void **state)
{
	(void)state;
	shrink_while_busy(false);
	shrink_while_busy(true);
	lacks_cmpxchg_double = true;
	shrink_while_busy(true);
	lacks_cmpxchg_double = false;
}

/* What a count meets that follows a freelist while the objects on it are taken and written to. */
static void a_count_outlives_what_owners_write(void **state)
{
	static const uint64_t words[] = { 0x4141414141414141, 0, ~0ull, 8 };
	struct kmem_cache *counted = slub_kmem_cache_create("counted", 64, 0, SLUB_NO_MERGE | SLUB_CPU_SLABS, NULL);
	struct kmem_cache *other = slub_kmem_cache_create("other", 64, 0, SLUB_NO_MERGE | SLUB_CPU_SLABS, NULL);
	void *objects[8], *foreign = slub_kmem_cache_alloc(other);
	static struct slub_cache_info info[64];

	(void)state;
	for (int i = 0; i < 8; i++)
		objects[i] = slub_kmem_cache_alloc(counted);
	for (int i = 0; i < 8; i++)
		slub_kmem_cache_free(counted, objects[i]);
	for (size_t i = 0; i <= sizeof(words) / sizeof(words[0]); i++) {
		void **slot = freelist_slot(counted, objects[3]), *had = *slot;
		size_t count;

		*slot = i < sizeof(words) / sizeof(words[0]) ? (void *)words[i] : freelist_pointer(counted, foreign, slot);
		count = slub_slabinfo(info, 64);
		// The last five freed stand before it.
		assert_int_equal(info[count - 2].free_in_sheaves, 5);
		*slot = had;
	}
	slub_kmem_cache_free(other, foreign);
	assert_int_equal(slub_kmem_cache_destroy(counted), 0);
	assert_int_equal(slub_kmem_cache_destroy(other), 0);
}

static void *library(const char *name)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 64);

	assert_true(length > 0);
	path[length] = 0;
	*strrchr(path, '/') = 0;
	return dlopen(strcat(strcat(path, "/../../"), name), RTLD_NOW | RTLD_LOCAL);
}

/* The kernel reads the sequence that a thread was in last when it preempts the thread, gone or not. */
static void a_library_that_was_closed_leaves_objects_and_threads_alive(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		void *handle = library("libslub.so"), *memory[8];
		void *(*take)(size_t) = (void *(*)(size_t))dlsym(handle, "slub_kmalloc");
		void (*give)(void *) = (void (*)(void *))dlsym(handle, "slub_kfree");

		assert_true(handle && take && give && take != slub_kmalloc);
		for (int i = 0; i < 8; i++)
			memory[i] = memset(take(500), i, 500);
		// This program has a copy of its own: neither knows the other's.
		slub_kfree(slub_kmalloc(500));
		for (int i = 0; i < 4; i++)
			give(memory[i]);
		assert_int_equal(dlclose(handle), 0);
		usleep(2000);
		// What it has to do around a fork is still there, too.
		if (!round) {
			pid_t child = fork();
			int status;

			if (!child)
				_exit(*(char *)memset(take(100), 3, 100) == 3 ? 0 : 1);
			assert_int_equal(waitpid(child, &status, 0), child);
			assert_int_equal(status, 0);
		}
		for (int i = 4; i < 8; i++)
			assert_int_equal(*((char *)memory[i] + 499), i);
	}
}

static pthread_barrier_t all_alive;

static void *live(void *argument)
{
	uint64_t *mine = slub_kmem_cache_alloc(cache), random = (uintptr_t)argument;

	if (mine)
		stamp(mine);
	pthread_barrier_wait(&all_alive);
	exchange(&random);
	if (!mine)
		return argument;
	check(mine);
	slub_kmem_cache_free(cache, mine);
	return NULL;
}

static void thousands_of_threads_at_once(void **state)
{
	static pthread_t threads[MANY];
	pthread_attr_t attributes;
	struct slub_census census;
	unsigned alive = 0;
	void *said;

	(void)state;
	cache = slub_kmem_cache_create("storm", 64, 0, SLUB_NO_MERGE, NULL);
	memset(slots, 0, sizeof(slots));
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 32 << 10);
	assert_int_equal(pthread_barrier_init(&all_alive, NULL, MANY), 0);
	while (alive < MANY && !pthread_create(&threads[alive], &attributes, live, &all_alive))
		alive++;
	if (alive < MANY)
		fail_msg("%u threads at most", alive);
	for (unsigned i = 0; i < MANY; i++) {
		pthread_join(threads[i], &said);
		assert_null(said);
	}
	alive = 0;
	for (int i = 0; i < SLOTS; i++)
		alive += slots[i] != NULL;
	assert_true(census_take(cache, &census));
	assert_int_equal(census_allocated(&census), alive);
	for (int i = 0; i < SLOTS; i++) {
		if (slots[i])
			slub_kmem_cache_free(cache, slots[i]);
	}
	assert_int_equal(slub_kmem_cache_destroy(cache), 0);
}

#define AT_ONCE 40

/* Changes its CPU between taking and giving, as often as there are CPUs that it may change to. */
static void change_cpu(unsigned number)
{
	cpu_set_t all, one;
	int chosen = -1;

	if (sched_getaffinity(0, sizeof(all), &all))
		return;
	for (unsigned left = number % (unsigned)CPU_COUNT(&all) + 1; left; left--) {
		do
			chosen++;
		while (!CPU_ISSET(chosen, &all));
	}
	CPU_ZERO(&one);
	CPU_SET(chosen, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void *come_and_go(void *argument)
{
	unsigned number = (unsigned)(uintptr_t)argument;
	void *small[20], *large = slub_kmalloc(5000 + number % 100000);
	uint64_t random = number;

	if (number % 4 == 3)
		leave_sequences();
	for (size_t i = 0; i < 20; i++)
		small[i] = slub_kmalloc(8 + i * (number % 50));
	exchange(&random);
	change_cpu(number);
	for (int i = 0; i < 20; i++)
		slub_kfree(small[i]);
	slub_kfree(large);
	return NULL;
}

/* Pages that are in use when all objects are free and all caches were shrunk. */
static size_t pages_left(void)
{
	for (int i = 0; i < SLOTS; i++) {
		if (slots[i])
			slub_kmem_cache_free(cache, slots[i]);
		slots[i] = NULL;
	}
	for (int rounds = 0; rounds < 2; rounds++) { /* shrinking gives sheaves back to older caches */
		for (struct kmem_cache *one = slub.caches; one; one = one->next)
			slub_kmem_cache_shrink(one);
	}
	return slub.pages.taken;
}

static void waves_of_threads_leave_nothing_behind(void **state)
{
	size_t left = 0;

	(void)state;
	cache = slub_kmem_cache_create("storm", 64, 0, SLUB_NO_MERGE, NULL);
	memset(slots, 0, sizeof(slots));
	for (int wave = 0; wave < 2; wave++) {
		for (unsigned number = 0; number < MANY; number += AT_ONCE) {
			pthread_t threads[AT_ONCE];

			for (unsigned i = 0; i < AT_ONCE; i++)
				assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, (void *)(uintptr_t)(number + i)), 0);
			for (unsigned i = 0; i < AT_ONCE; i++)
				pthread_join(threads[i], NULL);
		}
		if (wave)
			assert_int_equal(pages_left(), left);
		left = pages_left();
	}
	assert_int_equal(slub_kmem_cache_destroy(cache), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_childs_memory_is_of_one_moment),
		cmocka_unit_test(forks_wait_for_drains_and_stripes_in_one_order),
		cmocka_unit_test(a_busy_cache_can_be_counted),
		cmocka_unit_test(a_count_outlives_what_owners_write),
		cmocka_unit_test(what_cpus_free_to_each_others_slabs_is_free_once),
		cmocka_unit_test(a_library_that_was_closed_leaves_objects_and_threads_alive),
		cmocka_unit_test(thousands_of_threads_at_once),
		cmocka_unit_test(waves_of_threads_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
