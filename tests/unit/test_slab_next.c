// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The order in which a CPU hands out what is free, and where damage ends what can be said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "slab_image.h"
#include "slab_next.h"
#include "slab_state.h"

#define EVERYTHING 100

static struct slab_image *image;
static struct slab_forecast forecast;

/* CPU 0: 2, 5 in its lockless freelist, 7 in that slab's own; CPU 1: 4, and two partial slabs; 65 on the node. */
static void build_with_cpu_slabs(void)
{
	image = image_create(SHAPE_SLAB, SLAB_ENCODING_XOR_SWAP);
	image_add_cache(image, "eights", 512, 500, 0, 0);
	image_add_slab(image, 0, 65, FREE(3, 1, 6));
	image_list_partial(image, 0, 65);
	image_add_slab(image, 0, 67, FREE(7));
	image_set_cpu_slab(image, 0, 0, 67, FREE(2, 5));
	image_add_slab(image, 0, 68, FREE());
	image_set_cpu_slab(image, 0, 1, 68, FREE(4));
	image_add_slab(image, 0, 69, FREE(1, 2));
	image_add_slab(image, 0, 70, FREE(0, 3));
	image_add_cpu_partial(image, 0, 1, 69);
	image_add_cpu_partial(image, 0, 1, 70);
}

/* CPU 0: three in the main sheaf, one in the spare, a full sheaf in the barn; then two slabs on the node. */
static void build_with_sheaves(void)
{
	image = image_create(SHAPE_SHEAVES, SLAB_ENCODING_XOR_SWAP);
	image_add_cache(image, "eights", 512, 500, 0, 0);
	image_add_slab(image, 0, 64, FREE());
	image_add_slab(image, 0, 65, FREE(3, 1));
	image_add_slab(image, 0, 66, FREE(0, 2, 4, 6, 7));
	image_list_partial(image, 0, 65);
	image_list_partial(image, 0, 66);
	image_set_sheaf(image, 0, 0, SHEAVES_MAIN, image_sheaf(image, 0, FREE(64, 0, 64, 2, 65, 7)));
	image_set_sheaf(image, 0, 0, SHEAVES_SPARE, image_sheaf(image, 0, FREE(64, 4)));
	image_set_sheaf(image, 0, 0, SHEAVES_RCU, image_sheaf(image, 0, FREE(65, 0)));
	image_set_sheaf(image, 0, 1, SHEAVES_MAIN, image_sheaf(image, 0, FREE()));
	image_add_full_sheaf(image, 0, image_sheaf(image, 0, FREE(64, 1, 64, 3, 64, 5, 64, 6)));
}

static int read_forecast(uint32_t cpu, size_t count)
{
	struct error err = { 0 };

	slab_forecast_deinit(&forecast);
	if (!image->heap && slab_heap_open(image->kernel, &image->heap, &err))
		fail_msg("%s", err.text);
	return slab_forecast_read(image->heap, 0, cpu, count, &forecast, &err);
}

static int tear_down(void **state)
{
	(void)state;
	slab_forecast_deinit(&forecast);
	image_destroy(image);
	return 0;
}

static uint64_t object(uint64_t pfn, uint32_t index)
{
	return image_object(image, 0, pfn, index);
}

static void assert_next(size_t at, uint64_t address, enum slab_object_state from)
{
	assert_true(at < forecast.count);
	assert_int_equal(forecast.objects[at].address, address);
	assert_int_equal(forecast.objects[at].from, from);
}

/* The first @certain objects are, and those from @broken on lie behind @damage. */
static void assert_certainty(size_t certain, size_t broken, enum slab_damage damage)
{
	assert_int_equal(forecast.damage, damage);
	assert_true(broken <= forecast.count);
	for (size_t i = 0; i < forecast.count; i++) {
		assert_int_equal(forecast.objects[i].is_certain, i < certain);
		assert_int_equal(forecast.objects[i].damage, i < broken ? SLAB_INTACT : damage);
	}
}

static void objects_come_in_the_order_of_the_paths(void **state)
{
	(void)state;
	build_with_cpu_slabs();
	assert_int_equal(read_forecast(0, 5), 0);
	assert_int_equal(forecast.count, 5);
	assert_next(0, object(67, 2), SLAB_OBJECT_CPU_FREELIST);
	assert_next(1, object(67, 5), SLAB_OBJECT_CPU_FREELIST);
	assert_next(2, object(67, 7), SLAB_OBJECT_FREE);
	assert_next(3, object(65, 3), SLAB_OBJECT_FREE);
	assert_certainty(3, 5, SLAB_INTACT);
	assert_int_equal(read_forecast(1, 2), 0);
	assert_next(1, object(70, 0), SLAB_OBJECT_CPU_PARTIAL);
	assert_int_equal(read_forecast(CPUS, 1), -ENOENT);
}

static void sheaves_are_emptied_from_their_end(void **state)
{
	static const struct {
		uint64_t pfn;
		uint32_t index;
		enum slab_object_state from;
	} wanted[] = {
		{ 65, 7, SLAB_OBJECT_SHEAF_MAIN }, { 64, 2, SLAB_OBJECT_SHEAF_MAIN },
		{ 64, 0, SLAB_OBJECT_SHEAF_MAIN }, { 64, 4, SLAB_OBJECT_SHEAF_SPARE },
		{ 64, 6, SLAB_OBJECT_BARN },	   { 64, 5, SLAB_OBJECT_BARN },
		{ 64, 3, SLAB_OBJECT_BARN },	   { 64, 1, SLAB_OBJECT_BARN },
		/* Filled into empty sheaves of four. */
		{ 66, 2, SLAB_OBJECT_FREE },	   { 66, 0, SLAB_OBJECT_FREE },
		{ 65, 1, SLAB_OBJECT_FREE },	   { 65, 3, SLAB_OBJECT_FREE },
		{ 66, 7, SLAB_OBJECT_FREE },	   { 66, 6, SLAB_OBJECT_FREE },
		{ 66, 4, SLAB_OBJECT_FREE },
	};
	size_t count = sizeof(wanted) / sizeof(wanted[0]);

	(void)state;
	build_with_sheaves();
	assert_int_equal(read_forecast(0, EVERYTHING), 0);
	assert_int_equal(forecast.count, count);
	for (size_t i = 0; i < count; i++)
		assert_next(i, object(wanted[i].pfn, wanted[i].index), wanted[i].from);
	assert_certainty(4, count, SLAB_INTACT);
}

static void behind_an_overwritten_pointer_comes_what_it_says_and_nothing_is_certain(void **state)
{
	uint64_t forged = AT_PFN(300) + 8;

	(void)state;
	build_with_cpu_slabs();
	image_link(image, 0, object(67, 2), forged);
	assert_int_equal(read_forecast(0, EVERYTHING), 0);
	assert_int_equal(forecast.damaged_object, object(67, 2));
	assert_int_equal(forecast.damaged_value, forged);
	assert_next(0, object(67, 2), SLAB_OBJECT_CPU_FREELIST);
	assert_next(1, forged, SLAB_OBJECT_CPU_FREELIST);
	assert_int_equal(forecast.objects[1].slab, 0);
	assert_next(2, object(67, 7), SLAB_OBJECT_FREE);
	assert_certainty(1, 1, SLAB_FREELIST_OUTSIDE);
	/* Another CPU doesn't come this way. */
	assert_int_equal(read_forecast(1, 5), 0);
	assert_certainty(5, 5, SLAB_INTACT);
}

static void damage_that_is_not_reached_changes_nothing(void **state)
{
	(void)state;
	build_with_cpu_slabs();
	image_link(image, 0, object(67, 5), AT_PFN(300));
	assert_int_equal(read_forecast(0, 2), 0);
	assert_certainty(2, 2, SLAB_INTACT);
	assert_int_equal(read_forecast(0, 3), 0);
	assert_certainty(2, 2, SLAB_FREELIST_OUTSIDE);
}

static void the_object_that_a_loop_leads_to_comes_again(void **state)
{
	(void)state;
	build_with_cpu_slabs();
	image_link(image, 0, object(67, 5), object(67, 2));
	assert_int_equal(read_forecast(0, EVERYTHING), 0);
	assert_next(2, object(67, 2), SLAB_OBJECT_CPU_FREELIST);
	assert_int_equal(forecast.objects[2].slab, PAGE_OF(67));
	assert_certainty(2, 2, SLAB_FREELIST_LOOP);
}

static void a_slabs_own_freelist_that_is_broken_ends_certainty(void **state)
{
	(void)state;
	build_with_cpu_slabs();
	image_link(image, 0, object(70, 0), object(70, 3) + 4);
	assert_int_equal(read_forecast(1, EVERYTHING), 0);
	assert_next(1, object(70, 0), SLAB_OBJECT_CPU_PARTIAL);
	assert_next(2, object(70, 3) + 4, SLAB_OBJECT_CPU_PARTIAL);
	assert_next(3, object(69, 1), SLAB_OBJECT_CPU_PARTIAL);
	assert_certainty(2, 2, SLAB_FREELIST_MISALIGNED);
}

static void a_freelist_that_is_cut_ends_certainty(void **state)
{
	(void)state;
	build_with_cpu_slabs();
	image_link(image, 0, object(70, 0), 0);
	assert_int_equal(read_forecast(1, EVERYTHING), 0);
	assert_next(2, object(69, 1), SLAB_OBJECT_CPU_PARTIAL);
	assert_certainty(2, 2, SLAB_FREELIST_TOO_SHORT);
}

static void slabs_that_make_no_sense_end_certainty(void **state)
{
	(void)state;
	build_with_cpu_slabs();
	image_set_counters(image, 70, 9, 8, false);
	assert_int_equal(read_forecast(1, EVERYTHING), 0);
	assert_next(1, object(69, 1), SLAB_OBJECT_CPU_PARTIAL);
	assert_certainty(1, 1, SLAB_BAD_COUNTERS);
	tear_down(NULL);

	build_with_cpu_slabs();
	put64(image, PAGE_OF(67) + P_CACHE, image->caches[0] + 8);
	assert_int_equal(read_forecast(0, EVERYTHING), 0);
	assert_next(0, object(65, 3), SLAB_OBJECT_FREE);
	assert_certainty(0, 0, SLAB_WRONG_CACHE);
	tear_down(NULL);

	build_with_cpu_slabs();
	put64(image, image->percpu[0] + PERCPU_POINTER(0) + CPU_SLAB, 0xfffff00000000000);
	assert_int_equal(read_forecast(0, EVERYTHING), 0);
	assert_certainty(0, 0, SLAB_CPU_UNREADABLE);
	tear_down(NULL);

	build_with_cpu_slabs();
	put64(image, PAGE_OF(70) + P_NEXT, 0xfffff00000000000);
	assert_int_equal(read_forecast(1, EVERYTHING), 0);
	assert_certainty(3, 3, SLAB_LIST_UNREADABLE);
}

static void pointers_in_sheaves_are_followed_by_nobody(void **state)
{
	(void)state;
	build_with_sheaves();
	image_link(image, 0, object(65, 7), AT_PFN(300));
	image_link(image, 0, object(64, 4), AT_PFN(300));
	assert_int_equal(read_forecast(0, EVERYTHING), 0);
	assert_certainty(4, forecast.count, SLAB_INTACT);
}

static void a_sheaf_that_cant_be_read_ends_certainty(void **state)
{
	(void)state;
	build_with_sheaves();
	put32(image, get64(image, image->percpu[0] + PERCPU_POINTER(0) + SHEAVES_SPARE) + SHEAF_SIZE, 9999);
	assert_int_equal(read_forecast(0, EVERYTHING), 0);
	assert_next(3, object(64, 6), SLAB_OBJECT_BARN);
	assert_certainty(3, 3, SLAB_SHEAF_TOO_LARGE);
}

/* Sheaves of four: the second one takes 66's 4, and meets what lies behind it, before it hands out any. */
static void a_sheaf_that_meets_damage_while_it_is_filled_is_behind_it(void **state)
{
	(void)state;
	build_with_sheaves();
	image_link(image, 0, object(66, 4), AT_PFN(300));
	assert_int_equal(read_forecast(0, EVERYTHING), 0);
	assert_next(11, object(65, 3), SLAB_OBJECT_FREE);
	assert_next(12, AT_PFN(300), SLAB_OBJECT_FREE);
	assert_next(13, object(66, 4), SLAB_OBJECT_FREE);
	assert_int_equal(forecast.count, 14);
	assert_certainty(4, 12, SLAB_FREELIST_OUTSIDE);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(objects_come_in_the_order_of_the_paths),
		TEST(sheaves_are_emptied_from_their_end),
		TEST(behind_an_overwritten_pointer_comes_what_it_says_and_nothing_is_certain),
		TEST(damage_that_is_not_reached_changes_nothing),
		TEST(the_object_that_a_loop_leads_to_comes_again),
		TEST(a_slabs_own_freelist_that_is_broken_ends_certainty),
		TEST(a_freelist_that_is_cut_ends_certainty),
		TEST(slabs_that_make_no_sense_end_certainty),
		TEST(pointers_in_sheaves_are_followed_by_nobody),
		TEST(a_sheaf_that_cant_be_read_ends_certainty),
		TEST(a_sheaf_that_meets_damage_while_it_is_filled_is_behind_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
