// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * threads [THREADS [BLOCKS]]: each thread (default 8) leaks BLOCKS blocks (default 1000), frees BLOCKS of its
 * own, and hands BLOCKS more to its neighbour, which frees all but every tenth.
 *
 * The threads exist before the start mark and stay until the end, so that what the C library allocates for a
 * thread is outside the count.
 */
#include "truth.h"

#include <pthread.h>

enum { THREADS_MAX = 64, BLOCKS_MAX = 10000 };

TRUTH_SITE(thread_leak);
TRUTH_SITE(thread_own);
TRUTH_SITE(thread_hand_over);

static int threads;
static int blocks;
static void *handed[THREADS_MAX][BLOCKS_MAX];
static pthread_barrier_t start, all_handed, finished;

static size_t handed_size(int thread, int block)
{
	return 64 + (size_t)(thread * 8 + block % 16);
}

SITE static void thread_leak(int thread)
{
	size_t size = 32 + (size_t)thread;

	KEEP(malloc(size));
	truth_alloc(&site_thread_leak, size);
}

SITE static void thread_own(void)
{
	void *block = malloc(200);

	KEEP(block);
	truth_alloc(&site_thread_own, 200);
	free(block);
	truth_free(&site_thread_own, 200);
}

SITE static void thread_hand_over(int thread, int block)
{
	size_t size = handed_size(thread, block);

	handed[thread][block] = malloc(size);
	truth_require(handed[thread][block]);
	truth_alloc(&site_thread_hand_over, size);
}

SITE static void free_for_neighbour(int thread, int block)
{
	free(handed[thread][block]);
	truth_free(&site_thread_hand_over, handed_size(thread, block));
}

SITE static void thread_work(int thread)
{
	int neighbour = (thread + 1) % threads;

	for (int i = 0; i < blocks; i++) {
		thread_leak(thread);
		thread_own();
		thread_hand_over(thread, i);
	}
	pthread_barrier_wait(&all_handed);
	for (int i = 0; i < blocks; i++)
		if (i % 10)
			free_for_neighbour(neighbour, i);
}

static void *thread_main(void *argument)
{
	pthread_barrier_wait(&start);
	thread_work((int)(intptr_t)argument);
	pthread_barrier_wait(&finished);
	for (;;)
		pause();
	return NULL;
}

int main(int argc, char **argv)
{
	truth_init(argc, argv);
	threads = (int)truth_number(0, 8);
	blocks = (int)truth_number(1, 1000);
	if (threads < 1 || threads > THREADS_MAX || blocks > BLOCKS_MAX)
		truth_usage("out of range");
	pthread_barrier_init(&start, NULL, (unsigned int)threads + 1);
	pthread_barrier_init(&all_handed, NULL, (unsigned int)threads);
	pthread_barrier_init(&finished, NULL, (unsigned int)threads + 1);
	for (intptr_t i = 0; i < threads; i++) {
		pthread_t thread;

		truth_require(pthread_create(&thread, NULL, thread_main, (void *)i) == 0);
	}
	truth_ready();
	pthread_barrier_wait(&start);
	pthread_barrier_wait(&finished);
	truth_end("");
	return 0;
}
