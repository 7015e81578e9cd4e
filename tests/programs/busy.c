// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * busy [--operations=N] [--threads=T] [--forever]
 *
 * Allocates by malloc, calloc, realloc and aligned_alloc, fills each block with a pattern made from its place
 * and turn, and checks every byte before it frees or resizes it. N operations (default 200,000) in each of T
 * threads (default 1), or until SIGTERM. Then `ok CHECKED`, with how many blocks were right, and the truth
 * lines; exit 0. The first wrong byte, misplaced block or overlap: `bad …` and exit 1. For tests that hurt
 * the tracer: whatever happens to it, this program must end with ok.
 */
#include "truth.h"

#include <pthread.h>
#include <signal.h>

enum { THREADS_MAX = 64, BLOCKS = 512 };

TRUTH_SITE(busy_malloc);
TRUTH_SITE(busy_calloc);
TRUTH_SITE(busy_realloc);
TRUTH_SITE(busy_aligned);

struct block {
	unsigned char *at;
	size_t size;
	uint64_t seed;
	struct truth_site *site;
};

struct worker {
	pthread_t thread;
	uint64_t random;
	long checked;
	struct block blocks[BLOCKS];
};

static struct worker workers[THREADS_MAX];
static int threads;
static long operations;
static bool goes_on;
static volatile sig_atomic_t is_told_to_end;
static pthread_barrier_t start, finished;

static void on_term(int number)
{
	(void)number;
	is_told_to_end = 1;
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return *state >> 33;
}

static unsigned char pattern(uint64_t seed, size_t i)
{
	return (unsigned char)(seed * 31 + i * 7 + (i >> 8));
}

static void fill(struct block *block, uint64_t seed)
{
	block->seed = seed;
	for (size_t i = 0; i < block->size; i++)
		block->at[i] = pattern(seed, i);
}

static void bad(const char *what, const struct block *block, size_t i)
{
	truth_say("bad %s: block %p of %zu bytes, byte %zu", what, (void *)block->at, block->size, i);
	_exit(1);
}

/* The first @size bytes. */
static void check(struct worker *worker, const struct block *block, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (block->at[i] != pattern(block->seed, i))
			bad("content", block, i);
	worker->checked++;
}

SITE static void busy_malloc(struct block *block)
{
	block->at = malloc(block->size);
	truth_require(block->at);
	block->site = &site_busy_malloc;
	truth_alloc(block->site, block->size);
}

SITE static void busy_calloc(struct block *block)
{
	block->at = calloc(1, block->size);
	truth_require(block->at);
	for (size_t i = 0; i < block->size; i++)
		if (block->at[i])
			bad("calloc", block, i);
	block->site = &site_busy_calloc;
	truth_alloc(block->site, block->size);
}

SITE static void busy_aligned(struct block *block)
{
	block->size = (block->size + 63) / 64 * 64;
	block->at = aligned_alloc(64, block->size);
	truth_require(block->at);
	if ((uintptr_t)block->at % 64)
		bad("alignment", block, 0);
	block->site = &site_busy_aligned;
	truth_alloc(block->site, block->size);
}

SITE static void busy_realloc(struct worker *worker, struct block *block, size_t size)
{
	size_t common = size < block->size ? size : block->size;
	unsigned char *at;

	check(worker, block, block->size);
	at = realloc(block->at, size);
	truth_require(at);
	block->at = at;
	check(worker, block, common);
	truth_free(block->site, block->size);
	block->size = size;
	block->site = &site_busy_realloc;
	truth_alloc(block->site, size);
}

SITE static void release(struct worker *worker, struct block *block)
{
	check(worker, block, block->size);
	free(block->at);
	truth_free(block->site, block->size);
	block->at = NULL;
}

SITE static void operate(struct worker *worker)
{
	struct block *block = &worker->blocks[next_random(&worker->random) % BLOCKS];
	uint64_t dice = next_random(&worker->random);
	size_t size = 1 + next_random(&worker->random) % (dice % 128 ? 600 : 40000);

	if (block->at && dice % 5 == 0) {
		busy_realloc(worker, block, size);
	} else if (block->at) {
		release(worker, block);
		return;
	} else {
		block->size = size;
		if (dice % 4 == 0)
			busy_calloc(block);
		else if (dice % 4 == 1)
			busy_aligned(block);
		else
			busy_malloc(block);
	}
	fill(block, dice);
}

static void work(struct worker *worker)
{
	for (long i = 0; (goes_on || i < operations) && !is_told_to_end; i++)
		operate(worker);
	for (int i = 0; i < BLOCKS; i++)
		if (worker->blocks[i].at)
			check(worker, &worker->blocks[i], worker->blocks[i].size);
}

static void *busy_thread(void *argument)
{
	pthread_barrier_wait(&start);
	work(argument);
	pthread_barrier_wait(&finished);
	for (;;)
		pause();
	return NULL;
}

static void run(void)
{
	if (threads == 1) {
		work(&workers[0]);
		return;
	}
	pthread_barrier_wait(&start);
	pthread_barrier_wait(&finished);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_term, .sa_flags = SA_RESTART };
	long checked = 0;

	truth_init(argc, argv);
	operations = truth_option("--operations", 200000);
	threads = (int)truth_option("--threads", 1);
	goes_on = truth_flag("--forever");
	if (threads < 1 || threads > THREADS_MAX)
		truth_usage("out of range");
	truth_require(sigaction(SIGTERM, &action, NULL) == 0);
	pthread_barrier_init(&start, NULL, (unsigned int)threads + 1);
	pthread_barrier_init(&finished, NULL, (unsigned int)threads + 1);
	for (int i = 0; i < threads; i++) {
		struct worker *worker = &workers[i];

		worker->random = (uint64_t)i + 1;
		if (threads > 1)
			truth_require(pthread_create(&worker->thread, NULL, busy_thread, worker) == 0);
	}
	truth_ready();
	run();
	for (int i = 0; i < threads; i++)
		checked += workers[i].checked;
	truth_say("ok %ld", checked);
	truth_end("");
	return 0;
}
