// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * libslub's threads against an oracle: each object carries who has it, and every byte of that is looked at before it is
 * freed. All of it is run with restartable sequences and, in a process of its own, without.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "slub_program.h"

#define WORKERS 6
#define SLOTS 512
#define ROUNDS 200000

/* Slots that all workers take from and put into: an object is freed by whoever finds it. */
struct stamped {
	uint64_t owner, stamps[7];
};

struct arena {
	struct kmem_cache *cache;
	struct stamped *slots[SLOTS];
	bool is_shrinking;
};

static void stamp(struct stamped *object, uint64_t owner)
{
	object->owner = owner;
	for (int i = 0; i < 7; i++)
		object->stamps[i] = owner ^ (uintptr_t)object;
}

static void check_stamp(const struct stamped *object)
{
	for (int i = 0; i < 7; i++) {
		if (object->stamps[i] != (object->owner ^ (uintptr_t)object))
			abort();
	}
}

static void *work(void *argument)
{
	struct arena *arena = argument;
	uint64_t random = (uintptr_t)&random | 1;
	cpu_set_t one;

	for (int round = 0; round < ROUNDS; round++) {
		struct stamped *mine = slub_kmem_cache_alloc(arena->cache);
		struct stamped *found;

		if (!mine)
			abort();
		stamp(mine, next_random(&random));
		found = __atomic_exchange_n(&arena->slots[random % SLOTS], mine, __ATOMIC_ACQ_REL);
		if (found) {
			check_stamp(found);
			memset(found, 0xdd, sizeof(*found));
			slub_kmem_cache_free(arena->cache, found);
		}
		if (round % 1024 == 0) {
			CPU_ZERO(&one);
			CPU_SET(random / SLOTS % (uint64_t)sysconf(_SC_NPROCESSORS_ONLN), &one);
			sched_setaffinity(0, sizeof(one), &one);
		}
		if (arena->is_shrinking && round % 4096 == 0)
			slub_kmem_cache_shrink(arena->cache);
	}
	return NULL;
}

static void run_workers(bool is_shrinking, uint32_t flags)
{
	static struct arena arena;
	pthread_t threads[WORKERS];
	size_t left = 0;

	arena = (struct arena){ .is_shrinking = is_shrinking };
	arena.cache = slub_kmem_cache_create("workers", sizeof(struct stamped), 0, SLUB_NO_MERGE | flags, NULL);
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &arena), 0);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < SLOTS; i++)
		left += arena.slots[i] != NULL;
	assert_int_equal(allocated("workers"), left);
	for (int i = 0; i < SLOTS; i++) {
		if (arena.slots[i]) {
			check_stamp(arena.slots[i]);
			slub_kmem_cache_free(arena.cache, arena.slots[i]);
		}
	}
	assert_int_equal(allocated("workers"), 0);
	assert_int_equal(slub_kmem_cache_destroy(arena.cache), 0);
}

static void threads_on_any_cpu_never_share_an_object(void **state)
{
	(void)state;
	run_workers(false, 0);
	run_workers(false, SLUB_CPU_SLABS);
	run_workers(false, SLUB_CPU_SLABS | SLUB_NO_HARDENED);
	run_workers(false, SLUB_NO_SHEAVES);
}

static void draining_under_load_loses_and_doubles_nothing(void **state)
{
	(void)state;
	run_workers(true, 0);
	run_workers(true, SLUB_CPU_SLABS);
}

static struct kmem_cache *interrupted_cache;
static volatile int interruptions;

static void allocate_in_handler(int signal)
{
	(void)signal;
	interruptions++;
}

/* A signal every few instructions' time restarts sequences all the while. */
static void allocate_under_signals(uint32_t flags)
{
	struct itimerval every = { { 0, 100 }, { 0, 100 } }, never = {};
	struct sigaction action = { .sa_handler = allocate_in_handler };
	void *objects[64];

	interruptions = 0;
	interrupted_cache = slub_kmem_cache_create("interrupted", 64, 0, SLUB_NO_MERGE | flags, NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	for (int round = 0; round < 60000 || (interruptions < 200 && round < 6000000); round++) {
		for (int i = 0; i < 64; i++)
			objects[i] = slub_kmem_cache_alloc(interrupted_cache);
		for (int i = 0; i < 64; i++)
			slub_kmem_cache_free(interrupted_cache, objects[i]);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	assert_true(interruptions >= 200);
	assert_int_equal(allocated("interrupted"), 0);
	assert_int_equal(slub_kmem_cache_destroy(interrupted_cache), 0);
}

static void signals_restart_sequences_and_nothing_is_lost(void **state)
{
	(void)state;
	allocate_under_signals(0);
	allocate_under_signals(SLUB_CPU_SLABS);
}

static volatile bool children_made;

static void *churn_memory(void *argument)
{
	uint64_t random = (uintptr_t)&argument | 1;

	while (!children_made) {
		void *memory = slub_kmalloc(next_random(&random) % 2000);

		slub_kfree(memory);
	}
	return NULL;
}

static void a_child_of_busy_threads_can_allocate(void **state)
{
	pthread_t threads[2];

	(void)state;
	children_made = false;
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, churn_memory, NULL);
	for (int i = 0; i < 50; i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			alarm(20);
			for (int round = 0; round < 20000; round++)
				slub_kfree(slub_kmalloc((size_t)round % 3000));
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	children_made = true;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

static int run_all(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_on_any_cpu_never_share_an_object),
		cmocka_unit_test(draining_under_load_loses_and_doubles_nothing),
		cmocka_unit_test(signals_restart_sequences_and_nothing_is_lost),
		cmocka_unit_test(a_child_of_busy_threads_can_allocate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

static void all_of_it_holds_without_restartable_sequences(void **state)
{
	(void)state;
	passes_without_restartable_sequences();
}

int main(int count, char **words)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_holds_without_restartable_sequences),
	};

	(void)words;
	return run_all() + (count > 1 ? 0 : cmocka_run_group_tests(tests, NULL, NULL));
}
