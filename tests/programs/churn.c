// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* cflags: -fomit-frame-pointer */
/*
 * churn [COUNT [THREADS]] [--depth=FRAMES] [--live=BLOCKS] [--serve]
 *
 * COUNT malloc+free pairs of mixed sizes in each thread, below FRAMES recursive frames, with BLOCKS blocks
 * live at a time. Says what a pair cost. All blocks are freed at the end.
 *
 * --serve is for measuring with a tracer attached and detached in between: after `ready`, each line COUNT on
 * stdin runs a round of COUNT pairs, until the end of stdin. churn_fp is this program with frame pointers.
 */
#include "truth.h"

#include <pthread.h>
#include <time.h>

enum { THREADS_MAX = 64, LIVE_MAX = 4096 };

TRUTH_SITE(churn_pairs);

/* 16 to 2000 bytes, the small ones often, as programs have it. */
static const unsigned short sizes[32] = {
	16, 24, 24, 32, 32,  32,  40,  48,  48,  48,  56,  64,  64,  72,	  80,	96,
	24, 32, 48, 64, 104, 112, 128, 144, 160, 192, 224, 256, 320, 512, 1000, 2000,
};

struct worker {
	pthread_t thread;
	long seen, seen_bytes, freed, freed_bytes; /* own counters: the measured loop shares nothing */
	uint64_t random;
	struct {
		void *at;
		size_t size;
	} live[LIVE_MAX];
};

static struct worker workers[THREADS_MAX];
static int threads, depth, live;
static long round_pairs; /* 0 ends the threads */
static pthread_barrier_t round_start, round_end;

SITE static void churn_pairs(struct worker *worker)
{
	for (long i = 0; i < round_pairs; i++) {
		long slot = i % live;
		size_t size;

		if (worker->live[slot].at) {
			free(worker->live[slot].at);
			worker->freed++;
			worker->freed_bytes += (long)worker->live[slot].size;
		}
		worker->random = worker->random * UINT64_C(6364136223846793005) + 1442695040888963407U;
		size = sizes[worker->random >> 59];
		worker->live[slot].at = malloc(size);
		truth_require(worker->live[slot].at);
		worker->live[slot].size = size;
		worker->seen++;
		worker->seen_bytes += (long)size;
	}
	for (int slot = 0; slot < live; slot++) {
		if (!worker->live[slot].at)
			continue;
		free(worker->live[slot].at);
		worker->live[slot].at = NULL;
		worker->freed++;
		worker->freed_bytes += (long)worker->live[slot].size;
	}
}

SITE static void churn_deeper(struct worker *worker, int frames)
{
	if (frames > 0)
		churn_deeper(worker, frames - 1);
	else
		churn_pairs(worker);
	STAY();
}

static void *churn_thread(void *argument)
{
	for (;;) {
		pthread_barrier_wait(&round_start);
		if (round_pairs == 0)
			return NULL;
		churn_deeper(argument, depth);
		pthread_barrier_wait(&round_end);
	}
}

static long long clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/*
 * One round. A lone thread is the main thread, so that its stack reaches main. CPU time is what the traced
 * process pays; wall time differs where somebody else has the processor.
 */
static void churn_round(long pairs)
{
	long long wall = clock_ns(CLOCK_MONOTONIC);
	long long cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	long long tenths;

	round_pairs = pairs;
	if (threads == 1) {
		churn_deeper(&workers[0], depth);
	} else {
		pthread_barrier_wait(&round_start);
		pthread_barrier_wait(&round_end);
	}
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	wall = clock_ns(CLOCK_MONOTONIC) - wall;
	tenths = cpu * 10 / (pairs * threads);
	truth_say("round pairs=%ld cpu_ns=%lld wall_ns=%lld ns_per_pair=%lld.%lld", pairs * threads, cpu,
		  wall, tenths / 10, tenths % 10);
}

int main(int argc, char **argv)
{
	long count;
	bool serves;

	truth_init(argc, argv);
	count = truth_number(0, 1000000);
	threads = (int)truth_number(1, 1);
	depth = (int)truth_option("--depth", 8);
	live = (int)truth_option("--live", 64);
	serves = truth_flag("--serve");
	if (threads < 1 || threads > THREADS_MAX || live < 1 || live > LIVE_MAX || count < 1)
		truth_usage("out of range");
	for (int i = 0; i < threads; i++)
		workers[i].random = (uint64_t)i;
	/* Threads exist before the start mark: what pthread_create allocates is not ours. */
	pthread_barrier_init(&round_start, NULL, (unsigned int)threads + 1);
	pthread_barrier_init(&round_end, NULL, (unsigned int)threads + 1);
	for (int i = 0; i < threads && threads > 1; i++)
		truth_require(pthread_create(&workers[i].thread, NULL, churn_thread, &workers[i]) == 0);
	if (serves) {
		truth_serve(churn_round);
	} else {
		truth_ready();
		churn_round(count);
	}
	for (int i = 0; i < threads; i++)
		truth_add(&site_churn_pairs, workers[i].seen, workers[i].seen_bytes, workers[i].freed,
			  workers[i].freed_bytes);
	truth_end("");
	return 0;
}
