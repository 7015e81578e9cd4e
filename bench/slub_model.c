// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What the model does in a second: random allocs and frees on four CPUs, with each call's reasons read, as a replay would.
 * Millions of calls a second of the thread's own time, the best and the median of several runs, for either engine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "model.h"

#define CALLS 1000000
#define RUNS 7
#define LIVE 4096
#define CPUS 4

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double run(enum slub_engine engine, const char *name, unsigned is_mixed)
{
	struct slub_model_setting setting = { .cpus = CPUS, .nodes = 1, .seed = 1, .engine = engine };
	struct slub_model *model = slub_model_create(&setting);
	struct kmem_cache *cache = model ? slub_model_cache(model, name) : NULL;
	static void *live[LIVE];
	struct slub_step steps[SLUB_MODEL_STEPS];
	uint64_t random = 88172645463325252;
	double begun;

	if (!cache)
		abort();
	for (unsigned i = 0; i < LIVE; i++)
		live[i] = NULL;
	begun = now();
	for (unsigned i = 0; i < CALLS; i++) {
		unsigned at;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		at = (unsigned)(random >> 20) % LIVE;
		slub_model_enter(model, is_mixed ? (unsigned)(random >> 60) % CPUS : 0);
		if (live[at]) {
			slub_kmem_cache_free(cache, live[at]);
			live[at] = NULL;
		} else {
			live[at] = slub_kmem_cache_alloc(cache);
		}
		slub_model_steps(model, steps, SLUB_MODEL_STEPS);
	}
	begun = now() - begun;
	slub_model_destroy(model);
	return CALLS / begun / 1e6;
}

static int by_value(const void *left, const void *right)
{
	double first = *(const double *)left, second = *(const double *)right;

	return (first > second) - (first < second);
}

int main(void)
{
	static const char *const engines[] = { "sheaves", "CPU slabs" };

	printf("%-10s %-12s %-22s %8s %8s\n", "engine", "cache", "calls", "best", "median");
	for (unsigned i = 0; i < 8; i++) {
		const char *name = i & 2 ? "kmalloc-1k" : "kmalloc-64";
		double rates[RUNS];

		for (unsigned n = 0; n < RUNS; n++)
			rates[n] = run(i & 4 ? SLUB_ENGINE_CPU_SLABS : SLUB_ENGINE_SHEAVES, name, i & 1);
		qsort(rates, RUNS, sizeof(rates[0]), by_value);
		printf("%-10s %-12s %-22s %8.1f %8.1f\n", engines[i / 4], name, i & 1 ? "on any of four CPUs" : "on one CPU",
		       rates[RUNS - 1], rates[RUNS / 2]);
	}
	puts("in millions of calls a second");
	return 0;
}
