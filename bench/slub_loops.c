// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The loops of bench/slub: one allocator, one workload, nanoseconds per pair or bytes per object on standard output.
 *
 *     slub_loops malloc|cache WORKLOAD SIZE      LD_PRELOAD chooses what malloc is
 *
 * lifo: an object is freed at once. batch: 1,000 are allocated, then freed in random order. exchange: one thread
 * allocates, another frees, through a ring of their own; ring: the same without objects, what the other costs at least.
 * resident: a million live objects. returned: the same after 90 % of them, at random, and then all were freed. Samples
 * are short, the median of many counts; loops are timed by the CPU time that they take, so that others on the machine
 * disturb less.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef WITH_INLINE
#include "slub_inline.h"
#else
#include "slub.h"
#endif

#define SAMPLES 101
#define PAIRS 100000
#define BATCH 1000
#define LIVE 1000000
#define RING 1024
#define BURST 32

static struct kmem_cache *cache;
static size_t size;
static unsigned order[BATCH];

static double now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static inline __attribute__((always_inline)) void *take(bool has_cache)
{
	void *object = has_cache ? slub_kmem_cache_alloc(cache) : malloc(size);

	*(volatile char *)object = 1;
	return object;
}

static inline __attribute__((always_inline)) void give(bool has_cache, void *object)
{
	if (has_cache)
		slub_kmem_cache_free(cache, object);
	else
		free(object);
}

static inline __attribute__((always_inline)) void lifo(bool has_cache)
{
	for (int i = 0; i < PAIRS; i++)
		give(has_cache, take(has_cache));
}

static inline __attribute__((always_inline)) void batch(bool has_cache)
{
	static void *objects[BATCH];

	for (int round = 0; round < PAIRS / BATCH; round++) {
		for (int i = 0; i < BATCH; i++)
			objects[i] = take(has_cache);
		for (int i = 0; i < BATCH; i++)
			give(has_cache, objects[order[i]]);
	}
}

// One writer, one reader. Each tells the other how far it is once in a BURST, so that the ring's own lines cost little:
// what is measured is the allocator, not two CPUs at one slot (`ring` has nothing else in it).
static struct {
	void *objects[RING];
	size_t _Atomic written __attribute__((aligned(128)));
	size_t _Atomic read __attribute__((aligned(128)));
	bool has_cache __attribute__((aligned(128))), is_empty;
} ring;

static void stay_on(unsigned cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu % (unsigned)sysconf(_SC_NPROCESSORS_ONLN), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

// On a busy machine the other one may not be running.
static void wait_a_little(unsigned *spins)
{
	if (++*spins % 256)
		__builtin_ia32_pause();
	else
		sched_yield();
}

static void *free_what_comes(void *argument)
{
	size_t count = *(size_t *)argument;
	unsigned spins = 0;

	stay_on(1);
	for (size_t at = 0; at < count;) {
		size_t end = atomic_load_explicit(&ring.written, memory_order_acquire);

		if (at == end)
			wait_a_little(&spins);
		for (; at < end; at++) {
			void *object = ring.objects[at % RING];

			if (!ring.is_empty)
				give(ring.has_cache, object);
			if (at % BURST == BURST - 1)
				atomic_store_explicit(&ring.read, at + 1, memory_order_release);
		}
	}
	return NULL;
}

static double exchange(bool has_cache, bool is_empty)
{
	size_t count = 3 * PAIRS / BURST * BURST, read = 0;
	unsigned spins = 0;
	pthread_t other;
	double start;

	stay_on(0);
	memset(&ring, 0, sizeof(ring));
	ring.has_cache = has_cache;
	ring.is_empty = is_empty;
	pthread_create(&other, NULL, free_what_comes, &count);
	start = now(CLOCK_PROCESS_CPUTIME_ID);
	for (size_t at = 0; at < count; at++) {
		while (at - read == RING) {
			read = atomic_load_explicit(&ring.read, memory_order_acquire);
			if (at - read == RING)
				wait_a_little(&spins);
		}
		ring.objects[at % RING] = is_empty ? &ring : take(has_cache);
		if (at % BURST == BURST - 1)
			atomic_store_explicit(&ring.written, at + 1, memory_order_release);
	}
	pthread_join(other, NULL);
	// Both work or wait for each other all the time: half of it is what passes on a machine of their own.
	return (now(CLOCK_PROCESS_CPUTIME_ID) - start) / 2 / (double)count;
}

// smaps_rollup counts pages; statm adds up counters of CPUs that may be behind.
static double resident(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	double kilobytes = -1;

	while (file && kilobytes < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "Rss: %lf", &kilobytes);
	if (kilobytes < 0)
		exit(1);
	fclose(file);
	return kilobytes * 1024;
}

static void live_objects(bool has_cache, bool frees)
{
	static void *objects[LIVE];
	double before, held, tenth, none;

	memset(objects, 1, sizeof(objects));
	// The second million: some allocators have a few MiB ready for the first.
	for (int i = 0; i < LIVE && !frees; i++)
		memset(take(has_cache), 1, size);
	resident();
	before = resident();
	for (int i = 0; i < LIVE; i++)
		objects[i] = memset(take(has_cache), 1, size);
	held = resident();
	if (!frees) {
		printf("%.3f\n", (held - before) / LIVE);
		return;
	}
	srandom(7);
	for (int i = 0; i < LIVE; i++) {
		if (random() % 10) {
			give(has_cache, objects[i]);
			objects[i] = NULL;
		}
	}
	usleep(200000);
	tenth = resident();
	for (int i = 0; i < LIVE; i++) {
		if (objects[i])
			give(has_cache, objects[i]);
	}
	usleep(200000);
	none = resident();
	printf("%.1f %.1f\n", 100 * (held - tenth) / (held - before), 100 * (held - none) / (held - before));
}

static int by_value(const void *left, const void *right)
{
	double one = *(const double *)left, other = *(const double *)right;

	return one < other ? -1 : one > other;
}

static double median_of(bool has_cache, const char *workload)
{
	double samples[SAMPLES];
	bool is_ring = !strcmp(workload, "ring"), has_threads = is_ring || !strcmp(workload, "exchange");
	int count = has_threads ? 9 : SAMPLES;

	for (int i = 0; i < count; i++) {
		double start = now(CLOCK_THREAD_CPUTIME_ID);

		if (has_threads) {
			samples[i] = exchange(has_cache, is_ring);
			continue;
		}
		if (!strcmp(workload, "lifo"))
			has_cache ? lifo(true) : lifo(false);
		else
			has_cache ? batch(true) : batch(false);
		samples[i] = (now(CLOCK_THREAD_CPUTIME_ID) - start) / PAIRS;
	}
	qsort(samples, (size_t)count, sizeof(samples[0]), by_value);
	return samples[count / 2];
}

int main(int count, char **words)
{
	bool has_cache = count == 4 && !strcmp(words[1], "cache");

	if (count != 4 || !(size = strtoul(words[3], NULL, 10))) {
		fprintf(stderr, "slub_loops malloc|cache lifo|batch|exchange|ring|resident|returned SIZE\n");
		return 2;
	}
	if (has_cache)
		cache = slub_kmem_cache_create("loops", (unsigned)size, 0, SLUB_NO_MERGE, NULL);
	for (unsigned i = 0; i < BATCH; i++)
		order[i] = i;
	srandom(1);
	for (unsigned i = BATCH - 1; i > 0; i--) {
		unsigned other = (unsigned)random() % (i + 1), kept = order[i];

		order[i] = order[other];
		order[other] = kept;
	}
	if (!strcmp(words[2], "resident") || !strcmp(words[2], "returned"))
		live_objects(has_cache, !strcmp(words[2], "returned"));
	else
		printf("%.3f\n", median_of(has_cache, words[2]));
	return 0;
}
