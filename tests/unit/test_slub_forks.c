// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What a fork waits for and what it stops, step by step: a thread holds one lock, another forks and comes as far as that.
 * slub_machine_seed() and syscall() of libslub pass through this program (the linker's --wrap). How forks fare among
 * threads at work is in test_slub_storms.c.
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "layout.h"
#include "machine.h"
#include "percpu.h"

#define SECONDS 20 /* that nothing takes unless it stands still */

uint64_t __real_slub_machine_seed(void);
uint64_t __wrap_slub_machine_seed(void);
long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);

static bool stops_set_up, is_setting_up, has_forked;
static unsigned fences, stopped_at_fence;

static bool get(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

static int state_of(const struct slub_lock *lock)
{
	return atomic_load_explicit(&lock->state, memory_order_acquire);
}

static unsigned count_stopped(void)
{
	unsigned stopped = 0;

	for (struct kmem_cache *cache = slub.caches; cache; cache = cache->next)
		stopped += __atomic_load_n(&cache->percpu, __ATOMIC_ACQUIRE) == slub.percpu;
	return stopped;
}

static unsigned count_caches(void)
{
	unsigned count = 0;

	for (struct kmem_cache *cache = slub.caches; cache; cache = cache->next)
		count++;
	return count;
}

/* In the middle of the set-up, until somebody waits for its end or didn't. */
uint64_t __wrap_slub_machine_seed(void)
{
	if (get(&stops_set_up)) {
		set(&is_setting_up);
		while (state_of(&slub.lock) != 2 && !get(&has_forked))
			sched_yield();
	}
	return __real_slub_machine_seed();
}

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if (number == SYS_membarrier && a == MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ) {
		fences++;
		stopped_at_fence = count_stopped();
	}
	return __real_syscall(number, a, b, c, d, e, f);
}

/* In a process of its own, in which libslub is as it was loaded. */
static void in_new_process(int (*what)(void))
{
	pid_t child = fork();
	int status;

	if (!child) {
		alarm(SECONDS);
		_exit(what());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static bool works(void)
{
	uint64_t *memory[100];

	for (int i = 0; i < 100; i++) {
		memory[i] = slub_kmalloc(64 + 200 * (size_t)i);
		if (!memory[i])
			return false;
		*memory[i] = (uintptr_t)memory[i];
	}
	for (int i = 0; i < 100; i++) {
		if (*memory[i] != (uintptr_t)memory[i])
			return false;
		slub_kfree(memory[i]);
	}
	return true;
}

static bool works_in_child(void)
{
	pid_t child = fork();
	int status;

	if (!child) {
		alarm(SECONDS);
		_exit(works() ? 0 : 1);
	}
	set(&has_forked);
	return waitpid(child, &status, 0) == child && !status;
}

static void *use_first(void *unused)
{
	(void)unused;
	return works() ? NULL : &is_setting_up;
}

static int fork_while_another_thread_sets_up(void)
{
	pthread_t thread;
	void *said;

	if (slub.is_ready)
		return 1;
	stops_set_up = true;
	if (pthread_create(&thread, NULL, use_first, NULL))
		return 2;
	while (!get(&is_setting_up))
		sched_yield();
	if (!works_in_child())
		return 3;
	if (pthread_join(thread, &said) || said || !works() || !works_in_child())
		return 4;
	return 0;
}

static void a_child_of_the_moment_of_the_first_set_up_has_an_allocator(void **state)
{
	(void)state;
	in_new_process(fork_while_another_thread_sets_up);
}

static int fork_before_any_use(void)
{
	return works_in_child() && !slub.is_ready && works() && works_in_child() ? 0 : 1;
}

static void a_child_may_be_the_first_to_use_it(void **state)
{
	(void)state;
	in_new_process(fork_before_any_use);
}

/* A set-up that failed may have come far. */
static int fork_after_no_memory(void)
{
	struct rlimit had, none = { .rlim_cur = 0 };

	getrlimit(RLIMIT_AS, &had);
	none.rlim_max = had.rlim_max;
	if (setrlimit(RLIMIT_AS, &none) || slub_kmalloc(100) || slub.is_ready || setrlimit(RLIMIT_AS, &had))
		return 1;
	return works_in_child() && works() && works_in_child() ? 0 : 2;
}

static void a_set_up_that_failed_is_made_up_for_on_both_sides_of_a_fork(void **state)
{
	(void)state;
	in_new_process(fork_after_no_memory);
}

static struct slub_lock *stripe(unsigned number)
{
	return (struct slub_lock *)(slub.percpu + ((size_t)2 * slub.cpus << SLUB_PERCPU_SHIFT)) + number;
}

/* How many locks of each kind are held. */
struct held {
	unsigned drains, stripes, barns, lists, pages;
};

static struct held count_held(void)
{
	struct held held = { .pages = state_of(&slub.pages.lock) != 0 };

	for (struct kmem_cache *cache = slub.caches; cache; cache = cache->next) {
		held.drains += state_of(&cache->drain_lock) != 0;
		for (unsigned node = 0; node < slub.nodes; node++) {
			held.barns += state_of(&cache->node[node].barn.lock) != 0;
			held.lists += state_of(&cache->node[node].list_lock) != 0;
		}
	}
	for (unsigned number = 0; number < slub.cpus; number++)
		held.stripes += state_of(stripe(number)) != 0;
	return held;
}

static void *bear_child(void *unused)
{
	(void)unused;
	return works_in_child() ? NULL : &is_setting_up;
}

/* What a forking thread holds when it has to wait for `lock`, which is held meanwhile; what is stopped, too. */
static struct held held_when_waiting_for(struct slub_lock *lock, unsigned *ret_stopped)
{
	struct held held, left;
	pthread_t thread;
	void *said;

	alarm(SECONDS);
	fences = 0;
	slub_lock(lock);
	assert_int_equal(pthread_create(&thread, NULL, bear_child, NULL), 0);
	while (state_of(lock) != 2)
		sched_yield();
	held = count_held();
	*ret_stopped = count_stopped();
	assert_int_not_equal(state_of(&slub.lock), 0);
	slub_unlock(lock);
	assert_int_equal(pthread_join(thread, &said), 0);
	assert_null(said);
	assert_int_equal(state_of(&slub.lock), 0);
	assert_int_equal(count_stopped(), 0);
	left = count_held();
	assert_memory_equal(&left, &(struct held){}, sizeof(left));
	return held;
}

/* The newest and the oldest: locks of a kind are taken in the list's order. */
static struct kmem_cache *last_cache(void)
{
	struct kmem_cache *cache = slub.caches;

	while (cache->next)
		cache = cache->next;
	return cache;
}

/* Who drains a cache has its drain_lock and waits for stripes, who has a stripe waits for barns and lists of any cache. */
static void a_fork_takes_locks_kind_by_kind(void **state)
{
	unsigned caches, lists, stopped;
	struct held held;

	(void)state;
	assert_true(works());
	caches = count_caches();
	lists = caches * slub.nodes;
	held = held_when_waiting_for(&slub.caches->drain_lock, &stopped);
	assert_true(!held.stripes && !held.barns && !held.lists && !held.pages && !stopped);
	held = held_when_waiting_for(&last_cache()->drain_lock, &stopped);
	assert_true(!held.stripes && !held.barns && !held.lists && !held.pages && !stopped);
	for (unsigned number = 0; number < slub.cpus; number += slub.cpus > 1 ? slub.cpus - 1 : 1) {
		held = held_when_waiting_for(stripe(number), &stopped);
		assert_int_equal(held.drains, caches);
		assert_true(!held.barns && !held.lists && !held.pages);
	}
	held = held_when_waiting_for(&slub.caches->node[0].barn.lock, &stopped);
	assert_true(held.drains == caches && held.stripes == slub.cpus && !held.pages);
	held = held_when_waiting_for(&slub.caches->node[0].list_lock, &stopped);
	assert_true(held.drains == caches && held.stripes == slub.cpus && !held.pages);
	held = held_when_waiting_for(&slub.pages.lock, &stopped);
	assert_true(held.drains == caches && held.stripes == slub.cpus && held.barns == lists && held.lists == lists);
}

/* Sequences that have begun are aborted after the last cache was stopped. */
static void nobody_changes_what_a_cpu_has_while_a_process_forks(void **state)
{
	unsigned stopped;

	(void)state;
	assert_true(works());
	held_when_waiting_for(&slub.pages.lock, &stopped);
	assert_int_equal(stopped, count_caches());
	assert_int_equal(fences, 1);
	assert_int_equal(stopped_at_fence, count_caches());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_may_be_the_first_to_use_it),
		cmocka_unit_test(a_child_of_the_moment_of_the_first_set_up_has_an_allocator),
		cmocka_unit_test(a_set_up_that_failed_is_made_up_for_on_both_sides_of_a_fork),
		cmocka_unit_test(a_fork_takes_locks_kind_by_kind),
		cmocka_unit_test(nobody_changes_what_a_cpu_has_while_a_process_forks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
