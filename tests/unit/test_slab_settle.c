// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Caches that change while they are read: each time the page of the CPU slab's objects is read, the test moves
 * on. A race is no damage, damage stays damage, and what stands still is read once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "slab_check.h"
#include "slab_image.h"
#include "slab_totals.h"

#define CPU_SLAB_PFN 67
#define LOST_PFN 90

static struct slab_image *image;
static size_t readings; /* of the CPU slab's objects */
static void (*move)(void);
static size_t lost_readings; /* of the struct page of a slab that no list knows */
static void (*move_lost)(void); /* at the third: after those of loading and of the pass */

static int read_moving(struct memory_source *source, enum address_space space, struct memory_read *reads,
		       size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (space == SPACE_VIRTUAL && reads[i].address >> 12 == AT_PFN(CPU_SLAB_PFN) >> 12) {
			readings++;
			if (move)
				move();
		} else if (space == SPACE_VIRTUAL && reads[i].address <= PAGE_OF(LOST_PFN) &&
			   reads[i].address + reads[i].size > PAGE_OF(LOST_PFN) && ++lost_readings == 3 && move_lost) {
			move_lost();
		}
	return memory_read_all(source, space, reads, count, err);
}

static const struct memory_source_ops moving_ops = { "moving", read_moving, memory_close };

static uint64_t object(uint32_t index)
{
	return image_object(image, 0, CPU_SLAB_PFN, index);
}

static void break_freelist(uint64_t to)
{
	image_link(image, 0, object(5), to);
}

static void mend_freelist(void)
{
	image_link(image, 0, object(5), object(4));
}

static int set_up(void **state)
{
	(void)state;
	image = image_create(SHAPE_SLAB, SLAB_ENCODING_XOR_SWAP);
	image_add_cache(image, "moving", 512, 500, 0, 0);
	image_add_cache(image, "other", 1024, 1024, 0, 0);
	image_add_slab(image, 0, 65, FREE(3, 1, 6));
	image_list_partial(image, 0, 65);
	image_add_slab(image, 0, CPU_SLAB_PFN, FREE());
	image_set_cpu_slab(image, 0, 0, CPU_SLAB_PFN, FREE(2, 5, 4));
	image_add_slab(image, 1, 80, FREE(1));
	image_list_partial(image, 1, 80);
	image->memory->source.ops = &moving_ops;
	image->memory->source.is_live = true;
	readings = lost_readings = 0;
	move = move_lost = NULL;
	break_freelist(object(5) + 8);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	image_destroy(image);
	return 0;
}

static struct slab_totals load(void)
{
	struct slab_totals totals = { 0 };
	struct error err = { 0 };

	if (slab_heap_open(image->kernel, &image->heap, &err) ||
	    slab_heap_load(image->heap, NULL, 0, &err) ||
	    slab_totals_count(image->heap, slab_heap_find(image->heap, "moving"), &totals, &err))
		fail_msg("%s", err.text);
	return totals;
}

static void break_elsewhere(void)
{
	break_freelist(object(5) + 8 * (1 + readings));
}

static void break_elsewhere_until_fifth(void)
{
	if (readings < 5)
		break_elsewhere();
	else
		mend_freelist();
}

static void cache_is_read_again_until_it_is_whole(void **state)
{
	struct slab_totals totals;

	(void)state;
	move = break_elsewhere_until_fifth;
	totals = load();
	assert_int_equal(readings, 5);
	assert_int_equal(image->heap->finding_count, 0);
	assert_int_equal(image->heap->findings_unsettled, 0);
	assert_int_equal(totals.free_cpu, 3);
	assert_false(totals.is_damaged);
}

static void damage_is_what_is_met_twice_the_same(void **state)
{
	const struct slab_finding *finding;
	struct slab_totals totals;

	(void)state;
	totals = load();
	assert_int_equal(image->heap->finding_count, 1);
	finding = &image->heap->findings[0];
	assert_int_equal(finding->kind, SLAB_FREELIST_MISALIGNED);
	assert_int_equal(finding->value, object(5) + 8);
	assert_int_equal(readings, 2);
	assert_true(totals.is_damaged);
}

static void cache_that_never_stands_still_has_no_finding_but_shows(void **state)
{
	struct slab_totals totals, other;

	(void)state;
	move = break_elsewhere;
	totals = load();
	assert_true(readings > 4 && readings < 64);
	assert_int_equal(image->heap->finding_count, 0);
	assert_int_equal(image->heap->findings_unsettled, 1);
	assert_true(totals.is_damaged);
	assert_int_equal(slab_totals_count(image->heap, slab_heap_find(image->heap, "other"), &other, NULL), 0);
	assert_int_equal(other.allocated, 3);
}

static void check(void)
{
	struct slab_check_extent extent;
	struct error err = { 0 };

	if (slab_heap_open(image->kernel, &image->heap, &err) ||
	    slab_check(image->heap, SLAB_NO_CACHE, &extent, &err))
		fail_msg("%s", err.text);
	assert_int_equal(extent.caches, 2);
}

static void assert_found(enum slab_damage kind, uint64_t slab)
{
	for (size_t i = 0; i < image->heap->finding_count; i++)
		if (image->heap->findings[i].kind == kind && image->heap->findings[i].slab == slab)
			return;
	fail_msg("no %s", slab_damage_names[kind]);
}

static void whole_kernel_that_runs_passes_the_check(void **state)
{
	(void)state;
	mend_freelist();
	check();
	assert_int_equal(image->heap->finding_count, 0);
	assert_int_equal(image->heap->findings_unsettled, 0);
}

/* What only the check sees is looked at again, too: slabs that are lost, and the books. */
static void check_keeps_what_stays(void **state)
{
	(void)state;
	mend_freelist();
	image_add_slab(image, 1, LOST_PFN, FREE(2));
	put64(image, NODE_ADDRESS(0, 0) + N_NR_SLABS, 77);
	check();
	assert_found(SLAB_NOT_LISTED, PAGE_OF(LOST_PFN));
	assert_found(SLAB_BOOKS_SLABS, 0);
	assert_int_equal(image->heap->finding_count, 2);
}

/* Found by the pass, full when its struct page is read alone. */
static void mend_lost_slab(void)
{
	image_set_counters(image, LOST_PFN, 8, 8, false);
	put64(image, PAGE_OF(LOST_PFN) + P_FREELIST, 0);
}

static void check_drops_what_goes_by(void **state)
{
	(void)state;
	mend_freelist();
	image_add_slab(image, 0, LOST_PFN, FREE(2));
	move_lost = mend_lost_slab;
	check();
	assert_int_equal(lost_readings, 3);
	assert_int_equal(image->heap->finding_count, 0);
}

static void memory_that_stands_still_is_read_once(void **state)
{
	(void)state;
	image->memory->source.is_live = false;
	load();
	assert_int_equal(readings, 1);
	assert_int_equal(image->heap->finding_count, 1);
}

static void whole_cache_is_read_once(void **state)
{
	(void)state;
	mend_freelist();
	load();
	assert_int_equal(readings, 1);
	assert_int_equal(image->heap->finding_count, 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cache_is_read_again_until_it_is_whole),
		TEST(damage_is_what_is_met_twice_the_same),
		TEST(cache_that_never_stands_still_has_no_finding_but_shows),
		TEST(whole_kernel_that_runs_passes_the_check),
		TEST(check_keeps_what_stays),
		TEST(check_drops_what_goes_by),
		TEST(memory_that_stands_still_is_read_once),
		TEST(whole_cache_is_read_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
