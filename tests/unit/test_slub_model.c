// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The model takes the ways that the kernel takes, and says so: where objects come from in which order, what becomes of
 * full, partial and empty slabs; the same seed gives the same run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model.h"

static struct slub_step steps[SLUB_MODEL_STEPS];
static size_t nr_steps;

static struct slub_model *make(enum slub_engine engine, unsigned cpus, uint64_t seed)
{
	struct slub_model *model =
		slub_model_create(&(struct slub_model_setting){ .cpus = cpus, .nodes = 1, .seed = seed, .engine = engine });

	assert_non_null(model);
	return model;
}

static void look(struct slub_model *model)
{
	nr_steps = slub_model_steps(model, steps, SLUB_MODEL_STEPS);
	assert_true(nr_steps <= SLUB_MODEL_STEPS);
}

static bool said(enum slub_why why)
{
	for (size_t i = 0; i < nr_steps; i++) {
		if (steps[i].why == why)
			return true;
	}
	return false;
}

static void *alloc(struct slub_model *model, struct kmem_cache *cache)
{
	void *object = slub_kmem_cache_alloc(cache);

	assert_non_null(object);
	look(model);
	return object;
}

static void give(struct slub_model *model, struct kmem_cache *cache, void *object)
{
	slub_kmem_cache_free(cache, object);
	look(model);
}

/* kmalloc-256 with two CPUs: 16 objects a slab, 7 slabs on a CPU's partial list, 5 on the node's. */
static void cpu_slabs_are_tried_in_the_kernels_order(void **state)
{
	struct slub_model *model = make(SLUB_ENGINE_CPU_SLABS, 2, 1);
	struct kmem_cache *cache = slub_model_cache(model, "kmalloc-256");
	struct slub_model_cpu cpu;
	void *objects[33];

	(void)state;
	objects[0] = alloc(model, cache);
	assert_true(said(SLUB_WHY_NEW_SLAB) && said(SLUB_WHY_CPU_FREELIST));
	objects[1] = alloc(model, cache);
	assert_int_equal(nr_steps, 1);
	assert_true(said(SLUB_WHY_CPU_FREELIST));
	for (int i = 2; i < 16; i++)
		objects[i] = alloc(model, cache);
	// The first slab is full: the CPU lets go of it and takes a new one.
	objects[16] = alloc(model, cache);
	assert_true(said(SLUB_WHY_CPU_SLAB_FULL) && said(SLUB_WHY_NEW_SLAB));
	// A free to the full slab makes it partial: it goes to the CPU's list, and is the next when the slab is used up.
	give(model, cache, objects[3]);
	assert_true(said(SLUB_WHY_TO_CPU_PARTIAL));
	slub_model_look_at_cpu(model, cache, 0, &cpu);
	assert_int_equal(cpu.partials, 1);
	assert_int_equal(cpu.partial[0].inuse, 15);
	for (int i = 17; i < 32; i++) {
		objects[i] = alloc(model, cache);
		assert_int_equal(nr_steps, 1);
	}
	objects[32] = alloc(model, cache);
	assert_true(said(SLUB_WHY_CPU_PARTIAL));
	assert_ptr_equal(objects[32], objects[3]);
	slub_model_destroy(model);
}

static void another_cpus_slab_gets_its_objects_back_through_its_own_freelist(void **state)
{
	struct slub_model *model = make(SLUB_ENGINE_CPU_SLABS, 2, 1);
	struct kmem_cache *cache = slub_model_cache(model, "kmalloc-256");
	void *objects[16];

	(void)state;
	for (int i = 0; i < 16; i++)
		objects[i] = alloc(model, cache);
	slub_model_enter(model, 1);
	give(model, cache, objects[5]);
	assert_true(said(SLUB_WHY_TO_FROZEN_SLAB));
	slub_model_enter(model, 0);
	assert_ptr_equal(alloc(model, cache), objects[5]);
	assert_true(said(SLUB_WHY_CPU_SLAB));
	give(model, cache, objects[5]);
	assert_true(said(SLUB_WHY_TO_CPU_FREELIST));
	slub_model_destroy(model);
}

static void a_cpus_partial_list_at_its_limit_goes_to_the_node_and_empty_slabs_away(void **state)
{
	struct slub_model *model = make(SLUB_ENGINE_CPU_SLABS, 2, 1);
	struct kmem_cache *cache = slub_model_cache(model, "kmalloc-256");
	static void *objects[64 * 16];
	struct slub_model_node node;
	struct slub_model_cpu cpu;
	size_t drains = 0, discards = 0;

	(void)state;
	for (int i = 0; i < 64 * 16; i++)
		objects[i] = alloc(model, cache);
	// One object of each: every slab was full.
	for (int i = 0; i < 63; i++) {
		give(model, cache, objects[i * 16]);
		drains += said(SLUB_WHY_CPU_PARTIAL_DRAINED);
		slub_model_look_at_cpu(model, cache, 0, &cpu);
		assert_true(cpu.partials >= 1 && cpu.partials <= 7);
	}
	assert_int_equal(drains, 8);
	slub_model_look_at_node(model, cache, 0, &node);
	assert_int_equal(node.partials, 56);
	// The rest of those on the node's list: an empty one goes while the list, itself included, has min_partial.
	for (int i = 0; i < 56; i++) {
		for (int n = 1; n < 16; n++) {
			give(model, cache, objects[i * 16 + n]);
			discards += said(SLUB_WHY_EMPTY_DISCARDED);
		}
	}
	slub_model_look_at_node(model, cache, 0, &node);
	assert_int_equal(node.partials, 4);
	assert_int_equal(discards, 52);
	slub_model_destroy(model);
}

/* kmalloc-256 has sheaves of 28. */
static void sheaves_are_tried_in_the_kernels_order(void **state)
{
	struct slub_model *model = make(SLUB_ENGINE_SHEAVES, 2, 1);
	struct kmem_cache *cache = slub_model_cache(model, "kmalloc-256");
	static void *objects[28 * 14];
	struct slub_model_cpu cpu;
	struct slub_model_node node;
	size_t taken_by_barn = 0;

	(void)state;
	objects[0] = alloc(model, cache);
	assert_true(said(SLUB_WHY_REFILL) && said(SLUB_WHY_NEW_SLAB));
	slub_model_look_at_cpu(model, cache, 0, &cpu);
	assert_int_equal(cpu.main, 27);
	assert_int_equal(cpu.spare, -1);
	for (int i = 1; i < 28 * 14; i++)
		objects[i] = alloc(model, cache);
	slub_model_look_at_cpu(model, cache, 0, &cpu);
	assert_int_equal(cpu.main, 0);
	for (int i = 0; i < 28; i++) {
		give(model, cache, objects[i]);
		assert_true(nr_steps == 1 && said(SLUB_WHY_TO_MAIN));
	}
	give(model, cache, objects[28]);
	assert_true(said(SLUB_WHY_TO_SPARE) || said(SLUB_WHY_TO_NEW_MAIN));
	for (int i = 29; i < 28 * 12; i++) {
		give(model, cache, objects[i]);
		taken_by_barn += said(SLUB_WHY_BARN_TOOK_FULL);
		assert_false(said(SLUB_WHY_FLUSHED));
	}
	assert_int_equal(taken_by_barn, 10);
	give(model, cache, objects[28 * 12]);
	assert_true(said(SLUB_WHY_FLUSHED));
	slub_model_look_at_node(model, cache, 0, &node);
	assert_int_equal(node.full_sheaves, 10);
	// Now the other way round: main, spare, barn.
	alloc(model, cache);
	assert_true(nr_steps == 1 && said(SLUB_WHY_MAIN));
	alloc(model, cache);
	assert_true(said(SLUB_WHY_SPARE));
	for (int i = 1; i < 28; i++)
		alloc(model, cache);
	alloc(model, cache);
	assert_true(said(SLUB_WHY_BARN_FULL));
	slub_model_destroy(model);
}

static uint64_t digest_of_run(enum slub_engine engine, uint64_t seed)
{
	struct slub_model *model = make(engine, 4, seed);
	struct kmem_cache *cache = slub_model_cache(model, "kmalloc-64");
	static void *objects[500];
	uint64_t digest = 0, random = 88172645463325252;

	memset(objects, 0, sizeof(objects));
	for (int i = 0; i < 20000; i++) {
		struct slub_model_slab slab;
		unsigned place, index;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		place = (unsigned)(random >> 20) % 500;
		slub_model_enter(model, (unsigned)(random >> 40) % 4);
		if (objects[place]) {
			slub_kmem_cache_free(cache, objects[place]);
			objects[place] = NULL;
		} else {
			objects[place] = slub_kmem_cache_alloc(cache);
			assert_true(slub_model_locate(model, objects[place], &slab, &index));
			digest = digest * 31 + slab.number * 64 + index;
		}
		look(model);
		for (size_t n = 0; n < nr_steps; n++)
			digest = digest * 31 + steps[n].why;
	}
	slub_model_destroy(model);
	return digest;
}

/* CPU 0 is of node 0, CPU 1 of node 1. */
static void a_cpu_keeps_no_objects_of_another_node(void **state)
{
	struct slub_model *model =
		slub_model_create(&(struct slub_model_setting){ .cpus = 2, .nodes = 2, .seed = 1, .engine = SLUB_ENGINE_SHEAVES });
	struct kmem_cache *cache = slub_model_cache(model, "kmalloc-256");
	struct slub_model_slab slab;
	struct slub_model_cpu cpu;
	unsigned index, inuse;
	void *object;

	(void)state;
	slub_model_enter(model, 0);
	object = alloc(model, cache);
	assert_true(slub_model_locate(model, object, &slab, &index));
	assert_int_equal(slab.node, 0);
	inuse = slab.inuse;
	slub_model_enter(model, 1);
	give(model, cache, object);
	assert_true(said(SLUB_WHY_TO_NODE) && !said(SLUB_WHY_TO_MAIN));
	assert_true(slub_model_locate(model, object, &slab, &index));
	assert_int_equal(slab.inuse, inuse - 1);
	slub_model_look_at_cpu(model, cache, 1, &cpu);
	assert_int_equal(cpu.main, -1);
	// Its own it keeps, whichever call frees them.
	object = alloc(model, cache);
	slub_kfree(object);
	look(model);
	assert_true(said(SLUB_WHY_TO_MAIN) && !said(SLUB_WHY_TO_NODE));
	slub_model_enter(model, 0);
	object = alloc(model, cache);
	slub_model_enter(model, 1);
	slub_kfree(object);
	look(model);
	assert_true(said(SLUB_WHY_TO_NODE));
	slub_model_destroy(model);
}

/* Slabs of 16 with 8, 14, 2 and 11 objects free, in that order, and an empty one. */
static void shrinking_puts_the_fullest_slabs_first(void **state)
{
	static const unsigned frees[] = { 8, 14, 2, 16, 11 }, sorted[] = { 2, 8, 11, 14 };
	struct slub_model *model = make(SLUB_ENGINE_SHEAVES, 1, 1);
	struct kmem_cache *cache = slub_kmem_cache_create("sorted", 256, 0, SLUB_NO_SHEAVES | SLUB_NO_MERGE, NULL);
	void *objects[5][16];
	struct slub_model_node node;

	(void)state;
	for (int slab = 0; slab < 5; slab++) {
		for (int i = 0; i < 16; i++)
			objects[slab][i] = alloc(model, cache);
	}
	for (int slab = 0; slab < 5; slab++) {
		for (unsigned i = 0; i < frees[slab]; i++)
			give(model, cache, objects[slab][i]);
	}
	slub_model_look_at_node(model, cache, 0, &node);
	assert_int_equal(node.partials, 5);
	assert_int_equal(node.partial[0].inuse, 8);
	assert_int_equal(slub_kmem_cache_shrink(cache), 1);
	slub_model_look_at_node(model, cache, 0, &node);
	assert_int_equal(node.partials, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(node.partial[i].objects - node.partial[i].inuse, sorted[i]);
	slub_model_destroy(model);
}

static void the_same_seed_gives_the_same_run(void **state)
{
	(void)state;
	for (int engine = 0; engine < 2; engine++) {
		uint64_t first = digest_of_run((enum slub_engine)engine, 5);

		assert_true(first == digest_of_run((enum slub_engine)engine, 5));
		assert_true(first != digest_of_run((enum slub_engine)engine, 6));
	}
}

static void nonsense_makes_no_model(void **state)
{
	(void)state;
	assert_null(slub_model_create(&(struct slub_model_setting){ .cpus = 0, .nodes = 1 }));
	assert_null(slub_model_create(&(struct slub_model_setting){ .cpus = 2, .nodes = 3 }));
	assert_null(slub_model_create(&(struct slub_model_setting){ .cpus = 1025, .nodes = 1 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpu_slabs_are_tried_in_the_kernels_order),
		cmocka_unit_test(another_cpus_slab_gets_its_objects_back_through_its_own_freelist),
		cmocka_unit_test(a_cpus_partial_list_at_its_limit_goes_to_the_node_and_empty_slabs_away),
		cmocka_unit_test(sheaves_are_tried_in_the_kernels_order),
		cmocka_unit_test(a_cpu_keeps_no_objects_of_another_node),
		cmocka_unit_test(shrinking_puts_the_fullest_slabs_first),
		cmocka_unit_test(the_same_seed_gives_the_same_run),
		cmocka_unit_test(nonsense_makes_no_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
