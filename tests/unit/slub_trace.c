// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A random sequence of calls on one CPU, and where each of them led, as text: built once with libslub and once, by
 * -DSLUB_MODEL, with its model. Both must print the same (test_slub_same.c).
 *
 *     slub_trace ENGINE FLAGS SEED CALLS     sheaves|cpu_slabs, SLUB_NO_… flags in hexadecimal
 *
 * Slabs are numbered in the order of their first object. After each shrink, and at the end, slabinfo's counts follow.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "layout.h"
#include "slub.h"
#ifdef SLUB_MODEL
#include "model.h"
#endif

#define MOST 3000
#define CACHES 4

static const unsigned sizes[CACHES] = { 64, 200, 1024, 4096 };
static struct kmem_cache *caches[CACHES];
static struct {
	void *object;
	unsigned cache;
} live[MOST];
static unsigned nr_live;
static struct {
	const void *base;
	unsigned number;
} slabs[4 * MOST];
static unsigned nr_slabs, last_number;
static uint64_t state;

static unsigned next(unsigned bound)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % bound;
}

/* Slabs that are gone are forgotten: where a new one stands is the page layer's, which has other pages in the model. */
static void forget_ended(void)
{
	for (unsigned i = 0; i < nr_slabs;) {
		if (slab_of_address(slabs[i].base))
			i++;
		else
			slabs[i] = slabs[--nr_slabs];
	}
}

static unsigned number_of(const void *base)
{
	for (unsigned i = 0; i < nr_slabs; i++) {
		if (slabs[i].base == base)
			return slabs[i].number;
	}
	slabs[nr_slabs].base = base;
	return slabs[nr_slabs++].number = ++last_number;
}

static void tell(const char *what, unsigned cache, const void *object)
{
	const struct slab *slab = slab_of_address(object);

	printf("%s %u slab %u index %u inuse %u\n", what, cache, number_of(slab->base),
	       (unsigned)(((const char *)object - slab->base) / slab->slab_cache->size), slab->inuse);
}

static void tell_counts(void)
{
	static struct slub_cache_info info[256];
	size_t count = slub_slabinfo(info, 256);

	for (size_t i = 0; i < count && i < 256; i++) {
		if (strncmp(info[i].name, "traced", 6))
			continue;
		printf("%s size %u order %u: slabs %zu partial %zu objects %zu free %zu parked %zu\n", info[i].name, info[i].size,
		       info[i].order, info[i].slabs, info[i].partial_slabs, info[i].objects, info[i].free_in_slabs,
		       info[i].free_in_sheaves);
	}
}

static void call(void)
{
	unsigned what = next(4000);
	/* Up and down, so that lists fill and slabs empty. */
	bool goes_down = state >> 20 & 1 ? nr_live > MOST / 2 : next(MOST) < nr_live;

	if (!what) {
		unsigned cache = next(CACHES);

		printf("shrink %u: %zu\n", cache, slub_kmem_cache_shrink(caches[cache]));
		forget_ended();
		tell_counts();
	} else if (nr_live && (goes_down || nr_live == MOST)) {
		unsigned at = next(4) ? next(nr_live) : nr_live - 1, cache = live[at].cache;

		slub_kmem_cache_free(caches[cache], live[at].object);
		printf("free %u #%u\n", cache, at);
		live[at] = live[--nr_live];
		forget_ended();
	} else {
		unsigned cache = next(CACHES);
		void *object = slub_kmem_cache_alloc(caches[cache]);

		tell("alloc", cache, object);
		live[nr_live].object = object;
		live[nr_live++].cache = cache;
	}
}

static void begin(const char *engine, uint32_t flags, uint64_t seed)
{
	unsigned cpus = 2;
	bool has_cpu_slabs = !strcmp(engine, "cpu_slabs");
#ifdef SLUB_MODEL
	struct slub_model_setting setting = {
		.cpus = cpus, .nodes = 1, .seed = 1, .engine = has_cpu_slabs ? SLUB_ENGINE_CPU_SLABS : SLUB_ENGINE_SHEAVES,
	};

	if (!slub_model_create(&setting))
		abort();
#else
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		abort();
	/* The kernel's rules, for as many CPUs as the model has. */
	slub_init();
	slub.rules = has_cpu_slabs ? slub_rules_of_cpu_slabs(cpus) : slub_rules_of_sheaves(cpus);
#endif
	/* From here on both draw the same random words. */
	slub.seed = seed;
	for (unsigned i = 0; i < CACHES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "traced-%u", i);
		caches[i] = slub_kmem_cache_create(name, sizes[i], 0, flags | SLUB_NO_MERGE | (has_cpu_slabs ? SLUB_CPU_SLABS : 0),
						   NULL);
	}
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	begin(argv[1], (uint32_t)strtoul(argv[2], NULL, 16), strtoull(argv[3], NULL, 10));
	state = strtoull(argv[3], NULL, 10) * 0x9e3779b97f4a7c15 | 1;
	for (unsigned long calls = strtoul(argv[4], NULL, 10); calls; calls--)
		call();
	while (nr_live) {
		slub_kmem_cache_free(caches[live[nr_live - 1].cache], live[nr_live - 1].object);
		nr_live--;
	}
	tell_counts();
	return 0;
}
