// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What may happen between a slow path's look at a CPU's sheaves and its commit, done just then: slub_percpu_begin_at(),
 * slub_percpu_commit() and slub_percpu_end() pass through this program (the linker's --wrap). And what restartable
 * sequences compare before they commit, each comparison alone.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/rseq.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine.h"
#include "sheaf.h"
#include "slab.h"
#include "slub_census.h"

#define SIZE 4096 /* sheaves of few objects */
#define MANY 200

void __real_slub_percpu_begin_at(struct kmem_cache *cache, unsigned place, struct slub_percpu_view *view);
bool __real_slub_percpu_commit(struct kmem_cache *cache, struct slub_percpu_view *view,
			       struct slub_percpu_sheaves sheaves);
void __real_slub_percpu_end(struct slub_percpu_view *view);
void __wrap_slub_percpu_begin_at(struct kmem_cache *cache, unsigned place, struct slub_percpu_view *view);
bool __wrap_slub_percpu_commit(struct kmem_cache *cache, struct slub_percpu_view *view,
			       struct slub_percpu_sheaves sheaves);
void __wrap_slub_percpu_end(struct slub_percpu_view *view);

static bool hides, is_hidden;
static void **hidden_tops[2], *hidden_objects[2];
static unsigned times_hidden;
/* What another thread frees on this CPU before the second look of a call. */
static void **freed_meanwhile;
static size_t nr_freed_meanwhile;
static unsigned looks;

/* Sheaves that were drained and freed: what they had reads as zero where it was given to the system, and is another
 * object's where something new is. */
static void hide(const struct slub_percpu_view *view)
{
	hidden_tops[0] = view->sheaves.main;
	hidden_tops[1] = view->sheaves.spare ? view->sheaves.spare : SLUB_BOOTSTRAP_TOP;
	for (int i = 0; i < 2; i++) {
		hidden_objects[i] = hidden_tops[i][-1];
		if (hidden_tops[i] != SLUB_BOOTSTRAP_TOP)
			hidden_tops[i][-1] = hidden_objects[i] ? NULL : &hides;
	}
	is_hidden = true;
	times_hidden++;
}

/* The same sheaves are the CPU's again, and as full as they were. */
static void bring_back(void)
{
	for (int i = 0; i < 2 && is_hidden; i++) {
		if (hidden_tops[i] != SLUB_BOOTSTRAP_TOP)
			hidden_tops[i][-1] = hidden_objects[i];
	}
	is_hidden = false;
}

void __wrap_slub_percpu_begin_at(struct kmem_cache *cache, unsigned place, struct slub_percpu_view *view)
{
	size_t count = nr_freed_meanwhile;

	if (hides && count && ++looks == 2) {
		hides = false;
		for (nr_freed_meanwhile = 0; count--;)
			slub_kmem_cache_free(cache, freed_meanwhile[count]);
		hides = true;
	}
	__real_slub_percpu_begin_at(cache, place, view);
	if (hides)
		hide(view);
}

bool __wrap_slub_percpu_commit(struct kmem_cache *cache, struct slub_percpu_view *view,
			       struct slub_percpu_sheaves sheaves)
{
	bring_back();
	return __real_slub_percpu_commit(cache, view, sheaves);
}

void __wrap_slub_percpu_end(struct slub_percpu_view *view)
{
	bring_back();
	__real_slub_percpu_end(view);
}

static struct kmem_cache *make_cache(uint32_t flags)
{
	struct kmem_cache *cache = slub_kmem_cache_create("seen", SIZE, 0, SLUB_NO_MERGE | flags, NULL);

	assert_non_null(cache);
	return cache;
}

static void is_whole(struct kmem_cache *cache, size_t alive)
{
	struct slub_census census;

	if (!census_take(cache, &census))
		fail_msg("%s: %p", census.fault, census.where);
	assert_int_equal(census_allocated(&census), alive);
}

/* The CPU's main and spare and the barn have objects after it. */
static void fill_sheaves(struct kmem_cache *cache, void **objects)
{
	for (int i = 0; i < MANY; i++)
		assert_non_null(objects[i] = slub_kmem_cache_alloc(cache));
	for (int i = 0; i < MANY; i++)
		slub_kmem_cache_free(cache, objects[i]);
	assert_true(cache->node[slub_node()].barn.nr_full > 0);
}

/* Past all sheaves, which stay as they are. */
static void take_from_slabs(struct kmem_cache *cache, void **objects, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(slub_slabs_take(cache, slub_node(), 1, &objects[i]), 1);
}

static void end(struct kmem_cache *cache, void **objects, int count)
{
	for (int i = 0; i < count; i++)
		slub_kmem_cache_free(cache, objects[i]);
	is_whole(cache, 0);
	assert_int_equal(slub_kmem_cache_destroy(cache), 0);
}

/* What is read in between says that sheaves are empty; their addresses, which the commit compares, say that they aren't. */
static void no_object_is_lost_where_a_main_sheaf_goes_and_comes_back(void **state)
{
	struct kmem_cache *cache = make_cache(0);
	void *objects[MANY];

	(void)state;
	fill_sheaves(cache, objects);
	hides = true;
	// Until all sheaves are used up.
	for (int i = 0; i < MANY; i++) {
		objects[i] = slub_alloc_slow(cache);
		assert_non_null(objects[i]);
		for (int j = 0; j < i; j++)
			assert_ptr_not_equal(objects[j], objects[i]);
	}
	hides = false;
	assert_true(times_hidden >= MANY);
	is_whole(cache, MANY);
	end(cache, objects, MANY);
}

/* Main and the barn have nothing: an empty spare would be filled. */
static void nor_where_a_spare_does(void **state)
{
	struct kmem_cache *cache = make_cache(0);
	size_t capacity = cache->geometry.sheaf_capacity, alive = 0;
	struct slub_percpu_view view;
	void *objects[MANY];

	(void)state;
	take_from_slabs(cache, objects, 2 * capacity);
	for (size_t i = 0; i < 2 * capacity; i++)
		slub_kmem_cache_free(cache, objects[i]);
	while (alive < capacity)
		objects[alive++] = slub_kmem_cache_alloc(cache);
	__real_slub_percpu_begin_at(cache, 0, &view);
	assert_true(sheaf_is_empty(cache, view.sheaves.main) && sheaf_size(cache, view.sheaves.spare) == capacity);
	assert_int_equal(cache->node[slub_node()].barn.nr_full, 0);
	hides = true;
	objects[alive++] = slub_alloc_slow(cache);
	hides = false;
	is_whole(cache, alive);
	end(cache, objects, (int)alive);
}

/* A sheaf was filled for a CPU that got two full ones meanwhile: it takes the place of neither. */
static void nor_where_a_spare_came_meanwhile(void **state)
{
	struct kmem_cache *cache = make_cache(0);
	size_t capacity = cache->geometry.sheaf_capacity, alive = 0;
	void *objects[MANY];

	(void)state;
	// The first object makes the first sheaf; then main is empty, and there is no spare.
	do
		objects[alive++] = slub_kmem_cache_alloc(cache);
	while (slub_sheaves_count(cache));
	take_from_slabs(cache, &objects[alive], 4 * capacity - alive);
	freed_meanwhile = &objects[2 * capacity];
	nr_freed_meanwhile = 2 * capacity;
	hides = true;
	objects[2 * capacity] = slub_alloc_slow(cache);
	hides = false;
	assert_int_equal(nr_freed_meanwhile, 0);
	is_whole(cache, 2 * capacity + 1);
	end(cache, objects, (int)(2 * capacity + 1));
}

/* Sheaves of all sizes: empty at the bottom, then neither, full at the end. */
static void a_top_says_how_full_its_sheaf_is(void **state)
{
	static void *memory[SLUB_MAX_SHEAF / sizeof(void *) * 2] __attribute__((aligned(SLUB_MAX_SHEAF)));
	struct kmem_cache cache;

	(void)state;
	for (size_t bytes = 64; bytes <= SLUB_MAX_SHEAF; bytes *= 2) {
		struct slab_sheaf *sheaf = (struct slab_sheaf *)((char *)memory + bytes);
		size_t capacity = bytes / sizeof(void *) - SHEAF_HEADER_WORDS;

		cache.sheaf_mask = bytes - 1;
		for (size_t count = 0; count <= capacity; count++) {
			void **top = sheaf->objects + count;

			assert_ptr_equal(sheaf_of_top(&cache, top), sheaf);
			assert_int_equal(sheaf_size(&cache, top), count);
			assert_int_equal(sheaf_is_empty(&cache, top), !count);
			assert_int_equal(sheaf_is_full(&cache, top), count == capacity);
		}
		assert_true(sheaf_is_empty(&cache, SLUB_BOOTSTRAP_TOP) && sheaf_is_full(&cache, SLUB_BOOTSTRAP_TOP));
	}
}

/* Whether the CPU's sheaves may be replaced by themselves after `change` was done to the view. */
static bool commits(struct kmem_cache *cache, void (*change)(struct kmem_cache *, struct slub_percpu_view *))
{
	struct slub_percpu_view view;
	struct slub_percpu_sheaves had;
	bool is_done;

	__real_slub_percpu_begin_at(cache, 0, &view);
	assert_true(view.cpu >= 0 && !view.stripe);
	had = view.sheaves;
	if (change)
		change(cache, &view);
	is_done = __real_slub_percpu_commit(cache, &view, had);
	__atomic_store_n(&cache->percpu, cache->percpu_home, __ATOMIC_RELEASE);
	*view.area = had;
	return is_done;
}

/* As if the thread had looked on another CPU and found there what is here too. */
static void looked_elsewhere(struct kmem_cache *cache, struct slub_percpu_view *view)
{
	(void)cache;
	view->cpu++;
}

/* As a drain does. What the CPU had may be the same again already, as it is for one that has nothing. */
static void is_being_drained(struct kmem_cache *cache, struct slub_percpu_view *view)
{
	(void)view;
	__atomic_store_n(&cache->percpu, slub.percpu, __ATOMIC_SEQ_CST);
}

static void main_has_changed(struct kmem_cache *cache, struct slub_percpu_view *view)
{
	(void)cache;
	view->area->main--;
}

static void spare_has_changed(struct kmem_cache *cache, struct slub_percpu_view *view)
{
	(void)cache;
	view->area->spare--;
}

static void a_commit_is_refused_to_who_saw_something_else(void **state)
{
	struct kmem_cache *cache = make_cache(0);
	void *objects[MANY];

	(void)state;
	fill_sheaves(cache, objects);
	assert_true(commits(cache, NULL));
	assert_false(commits(cache, looked_elsewhere));
	assert_false(commits(cache, is_being_drained));
	assert_false(commits(cache, main_has_changed));
	assert_false(commits(cache, spare_has_changed));
	assert_true(commits(cache, NULL));
	is_whole(cache, 0);
	assert_int_equal(slub_kmem_cache_destroy(cache), 0);
}

/* A CPU's freelist is reached by its fixed place: that nobody may use it is all that keeps a thread from it. */
static void a_cache_that_is_being_drained_has_no_freelist(void **state)
{
	struct kmem_cache *cache = make_cache(SLUB_CPU_SLABS);
	void *object = slub_kmem_cache_alloc(cache), *other = slub_kmem_cache_alloc(cache);
	struct slab *slab = slab_of_address(object);

	(void)state;
	assert_ptr_equal(slab_of_address(other), slab);
	slub_kmem_cache_free(cache, other);
	__atomic_store_n(&cache->percpu, slub.percpu, __ATOMIC_SEQ_CST);
	assert_null(slub_cpu_freelist_pop(cache));
	assert_false(slub_cpu_freelist_push(cache, slab, object));
	__atomic_store_n(&cache->percpu, cache->percpu_home, __ATOMIC_RELEASE);
	assert_true(slub_cpu_freelist_push(cache, slab, object));
	assert_ptr_equal(slub_cpu_freelist_pop(cache), object);
	assert_ptr_equal(slub_cpu_freelist_pop(cache), other);
	slub_kmem_cache_free(cache, object);
	slub_kmem_cache_free(cache, other);
	assert_int_equal(slub_kmem_cache_destroy(cache), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_top_says_how_full_its_sheaf_is),
		cmocka_unit_test(no_object_is_lost_where_a_main_sheaf_goes_and_comes_back),
		cmocka_unit_test(nor_where_a_spare_does),
		cmocka_unit_test(nor_where_a_spare_came_meanwhile),
		cmocka_unit_test(a_commit_is_refused_to_who_saw_something_else),
		cmocka_unit_test(a_cache_that_is_being_drained_has_no_freelist),
	};
	cpu_set_t one;

	if (!__rseq_size) {
		printf("1..0 # SKIP no restartable sequences here\n");
		return 0;
	}
	alarm(20); // ends a call that finds no way on
	// Each test is of one CPU.
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
