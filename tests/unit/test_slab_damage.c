// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Damaged caches, lists, freelists and sheaves: each is told by its kind, and what is whole is still counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "slab_damage_image.h"
#include "slab_pages.h"
#include "slab_state.h"
#include "slab_totals.h"

static void load(void)
{
	struct error err = { 0 };

	if (slab_heap_open(image->kernel, &image->heap, &err) ||
	    slab_heap_load(image->heap, NULL, 0, &err))
		fail_msg("%s", err.text);
}

static const struct slab_finding *find(enum slab_damage kind)
{
	for (size_t i = 0; i < image->heap->finding_count; i++)
		if (image->heap->findings[i].kind == kind)
			return &image->heap->findings[i];
	for (size_t i = 0; i < image->heap->finding_count; i++)
		print_message("found %s\n", slab_damage_names[image->heap->findings[i].kind]);
	fail_msg("no %s", slab_damage_names[kind]);
	return NULL;
}

/* The other cache is whole, whatever happened to the first. */
static void assert_other_is_whole(void)
{
	uint32_t other = slab_heap_find(image->heap, "other");
	struct slab_totals totals;

	assert_int_not_equal(other, SLAB_NO_CACHE);
	assert_int_equal(slab_totals_count(image->heap, other, &totals, NULL), 0);
	assert_int_equal(totals.allocated, 3);
	assert_false(totals.is_damaged);
}

static void assert_only(enum slab_damage kind, uint64_t slab)
{
	const struct slab_finding *finding;

	load();
	finding = find(kind);
	assert_int_equal(image->heap->finding_count, 1);
	assert_int_equal(finding->cache, 0);
	if (slab)
		assert_int_equal(finding->slab, slab);
	assert_other_is_whole();
}

static uint64_t object(uint64_t pfn, uint32_t index)
{
	return image_object(image, 0, pfn, index);
}

/* The freelist of the slab at @pfn, which must have this damage after @count objects. */
static void assert_freelist(uint64_t pfn, enum slab_damage damage, uint32_t wanted, uint64_t damaged_object)
{
	struct slab_freelist list;
	struct slab slab;

	load();
	assert_int_equal(slab_read(image->heap, PAGE_OF(pfn), &slab), 0);
	assert_int_equal(slab_freelist_read(image->heap, &slab, &list, NULL), 0);
	assert_int_equal(list.damage, damage);
	assert_int_equal(list.count, wanted);
	assert_int_equal(list.damaged_object, damaged_object);
	slab_freelist_deinit(&list);
	assert_other_is_whole();
}

static void a_freelist_that_loops_ends(void **state)
{
	(void)state;
	image_link(image, 0, object(65, 6), object(65, 3));
	assert_freelist(65, SLAB_FREELIST_LOOP, 3, object(65, 6));
}

static void an_object_that_leads_to_itself_is_a_loop(void **state)
{
	(void)state;
	image_link(image, 0, object(65, 3), object(65, 3));
	assert_freelist(65, SLAB_FREELIST_LOOP, 1, object(65, 3));
}

static void a_pointer_out_of_the_slab_ends_the_walk(void **state)
{
	(void)state;
	image_link(image, 0, object(65, 1), object(66, 1));
	assert_freelist(65, SLAB_FREELIST_OUTSIDE, 2, object(65, 1));
}

static void a_pointer_between_objects_is_misaligned(void **state)
{
	(void)state;
	image_link(image, 0, object(65, 1), object(65, 6) + 8);
	assert_freelist(65, SLAB_FREELIST_MISALIGNED, 2, object(65, 1));
}

static void a_bad_head_is_told(void **state)
{
	(void)state;
	put64(image, PAGE_OF(65) + P_FREELIST, object(65, 3) + 1);
	assert_freelist(65, SLAB_FREELIST_MISALIGNED, 0, 0);
}

static void an_unreadable_object_ends_the_walk(void **state)
{
	(void)state;
	image->memory->hole = AT_PFN(65);
	assert_freelist(65, SLAB_FREELIST_UNREADABLE, 1, object(65, 3));
}

static void a_freelist_longer_than_the_counters_is_too_long(void **state)
{
	(void)state;
	image_set_counters(image, 65, 6, 8, false);
	assert_freelist(65, SLAB_FREELIST_TOO_LONG, 2, object(65, 1));
}

static void a_freelist_shorter_than_the_counters_is_too_short(void **state)
{
	(void)state;
	image_set_counters(image, 65, 4, 8, false);
	assert_freelist(65, SLAB_FREELIST_TOO_SHORT, 3, object(65, 6));
}

static void a_cpu_freelist_is_judged_while_loading(void **state)
{
	(void)state;
	image_link(image, 0, object(67, 5), object(67, 2));
	assert_only(SLAB_FREELIST_LOOP, PAGE_OF(67));
	assert_int_equal(image->heap->contents[0]->cpus[0].freelist.count, 2);
	assert_int_equal(find(SLAB_FREELIST_LOOP)->value, object(67, 2));
}

static void behind_the_damage_states_are_unknown(void **state)
{
	struct slab_object objects[8];
	enum slab_damage damage;
	struct slab slab;

	(void)state;
	image_link(image, 0, object(65, 1), 0x4141414141414141);
	load();
	assert_int_equal(slab_read(image->heap, PAGE_OF(65), &slab), 0);
	assert_int_equal(slab_objects_of(image->heap, &slab, objects, &damage, NULL), 0);
	assert_int_equal(damage, SLAB_FREELIST_OUTSIDE);
	assert_int_equal(objects[3].state, SLAB_OBJECT_FREE);
	assert_int_equal(objects[1].state, SLAB_OBJECT_FREE);
	assert_int_equal(objects[6].state, SLAB_OBJECT_UNKNOWN);
	assert_int_equal(objects[0].state, SLAB_OBJECT_UNKNOWN);
}

static void a_node_list_that_loops_ends(void **state)
{
	(void)state;
	put64(image, PAGE_OF(66) + P_LIST, PAGE_OF(65) + P_LIST);
	load();
	find(SLAB_LIST_LOOP);
	assert_int_equal(image->heap->contents[0]->nodes[0].partial.damage, LIST_LOOP);
	assert_other_is_whole();
}

static void a_list_into_nowhere_keeps_what_came_before(void **state)
{
	struct slab_totals totals;

	(void)state;
	put64(image, PAGE_OF(65) + P_LIST, 0xdead000000000100);
	assert_only(SLAB_LIST_UNREADABLE, 0);
	assert_int_equal(image->heap->contents[0]->nodes[0].partial.count, 1);
	assert_int_equal(slab_totals_count(image->heap, 0, &totals, NULL), 0);
	assert_true(totals.is_damaged);
}

static void a_broken_back_link_does_not_end_the_list(void **state)
{
	(void)state;
	put64(image, PAGE_OF(66) + P_LIST + 8, 0x1234);
	assert_only(SLAB_LIST_BAD_BACK_LINK, 0);
	assert_int_equal(image->heap->contents[0]->nodes[0].partial.count, 2);
}

static void a_count_that_differs_from_its_list_is_told(void **state)
{
	(void)state;
	put64(image, NODE_ADDRESS(0, 0) + N_NR_PARTIAL, 9);
	assert_only(SLAB_LIST_COUNT, 0);
	assert_int_equal(find(SLAB_LIST_COUNT)->value, 2);
	assert_int_equal(find(SLAB_LIST_COUNT)->expected, 9);
}

static void a_cpu_partial_list_that_loops_ends(void **state)
{
	(void)state;
	image_add_slab(image, 0, 69, FREE(1));
	image_add_slab(image, 0, 70, FREE(1));
	image_add_cpu_partial(image, 0, 0, 69);
	image_add_cpu_partial(image, 0, 0, 70);
	put64(image, PAGE_OF(69) + P_NEXT, PAGE_OF(70));
	load();
	find(SLAB_LIST_LOOP);
	assert_other_is_whole();
}

static void a_slab_of_another_cache_is_told(void **state)
{
	(void)state;
	put64(image, PAGE_OF(66) + P_CACHE, image->caches[1]);
	assert_only(SLAB_WRONG_CACHE, PAGE_OF(66));
	assert_int_equal(find(SLAB_WRONG_CACHE)->value, image->caches[1]);
}

static void a_listed_page_that_is_no_slab_is_told(void **state)
{
	(void)state;
	put64(image, PAGE_OF(66) + P_FLAGS, 0);
	assert_only(SLAB_NOT_A_SLAB, PAGE_OF(66));
}

static void more_in_use_than_there_are_is_told(void **state)
{
	(void)state;
	image_set_counters(image, 66, 9, 8, false);
	assert_only(SLAB_BAD_COUNTERS, PAGE_OF(66));
}

static void more_objects_than_fit_are_told(void **state)
{
	struct slab_object object_at;

	(void)state;
	image_set_counters(image, 66, 6, 3000, false);
	assert_only(SLAB_BAD_COUNTERS, PAGE_OF(66));
	assert_int_equal(slab_object_at(image->heap, AT_PFN(66), &object_at, NULL), -EBADMSG);
}

static void a_frozen_slab_on_a_node_is_told(void **state)
{
	(void)state;
	image_set_counters(image, 66, 6, 8, true);
	assert_only(SLAB_BAD_FROZEN, PAGE_OF(66));
}

static void a_slab_in_two_places_is_told(void **state)
{
	(void)state;
	image_add_cpu_partial(image, 0, 1, 67);
	assert_only(SLAB_LISTED_TWICE, PAGE_OF(67));
}

static void an_object_that_two_cpus_have_is_told(void **state)
{
	(void)state;
	image_add_slab(image, 0, 68, FREE());
	image_set_cpu_slab(image, 0, 1, 67, FREE(2));
	put64(image, image->percpu[1] + PERCPU_POINTER(0) + CPU_SLAB, PAGE_OF(67));
	load();
	assert_int_equal(find(SLAB_FREE_TWICE)->object, object(67, 2));
	find(SLAB_LISTED_TWICE);
}

static void an_object_in_two_sheaves_is_told(void **state)
{
	(void)state;
	image_set_sheaf(image, 0, 1, SHEAVES_SPARE, image_sheaf(image, 0, FREE(64, 2)));
	assert_only(SLAB_FREE_TWICE, 0);
	assert_int_equal(find(SLAB_FREE_TWICE)->object, object(64, 2));
}

static void a_sheaf_of_another_cache_is_left_out(void **state)
{
	struct slab_totals totals;

	(void)state;
	image_set_sheaf(image, 0, 1, SHEAVES_MAIN, image_sheaf(image, 1, FREE(80, 0)));
	assert_only(SLAB_SHEAF_WRONG_CACHE, 0);
	assert_int_equal(slab_totals_count(image->heap, 0, &totals, NULL), 0);
	assert_int_equal(totals.free_sheaf, 2 + 3);
	assert_true(totals.is_damaged);
}

static void a_sheaf_beyond_its_capacity_is_left_out(void **state)
{
	uint64_t sheaf;

	(void)state;
	sheaf = image_sheaf(image, 0, FREE(64, 3));
	put32(image, sheaf + SHEAF_SIZE, 0x40000000);
	image_set_sheaf(image, 0, 1, SHEAVES_MAIN, sheaf);
	assert_only(SLAB_SHEAF_TOO_LARGE, 0);
}

static void a_sheaf_in_nowhere_is_told(void **state)
{
	(void)state;
	image_set_sheaf(image, 0, 1, SHEAVES_MAIN, 0xdead000000000000);
	assert_only(SLAB_SHEAF_UNREADABLE, 0);
}

static void a_barn_that_loops_ends(void **state)
{
	uint64_t barn = BARN_ADDRESS(0, 0) + BARN_FULL, sheaf = get64(image, barn) - SHEAF_LIST;

	(void)state;
	put64(image, sheaf + SHEAF_LIST, sheaf + SHEAF_LIST);
	load();
	find(SLAB_LIST_LOOP);
	assert_other_is_whole();
}

static void a_barn_that_counts_wrong_is_told(void **state)
{
	(void)state;
	put32(image, BARN_ADDRESS(0, 0) + BARN_NR_FULL, 4);
	assert_only(SLAB_LIST_COUNT, 0);
}

static void a_list_of_caches_that_loops_ends(void **state)
{
	(void)state;
	put64(image, image->caches[1] + C_LIST, image->caches[0] + C_LIST);
	load();
	find(SLAB_CACHE_LIST);
	assert_other_is_whole();
}

static void a_list_of_caches_into_nowhere_keeps_what_came_before(void **state)
{
	(void)state;
	put64(image, image->caches[0] + C_LIST, 0xdead000000000100);
	load();
	find(SLAB_CACHE_LIST);
	assert_int_equal(image->heap->caches[0].address, image->caches[0]);
}

static void a_cache_with_impossible_numbers_is_not_trusted(void **state)
{
	(void)state;
	put32(image, image->caches[0] + C_SIZE, 100000);
	load();
	find(SLAB_CACHE_DAMAGED);
	assert_true(image->heap->caches[0].is_damaged);
	assert_other_is_whole();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WHOLE(a_freelist_that_loops_ends),
		WHOLE(an_object_that_leads_to_itself_is_a_loop),
		WHOLE(a_pointer_out_of_the_slab_ends_the_walk),
		WHOLE(a_pointer_between_objects_is_misaligned),
		WHOLE(a_bad_head_is_told),
		WHOLE(an_unreadable_object_ends_the_walk),
		WHOLE(a_freelist_longer_than_the_counters_is_too_long),
		WHOLE(a_freelist_shorter_than_the_counters_is_too_short),
		WHOLE(a_cpu_freelist_is_judged_while_loading),
		WHOLE(behind_the_damage_states_are_unknown),
		WHOLE(a_node_list_that_loops_ends),
		WHOLE(a_list_into_nowhere_keeps_what_came_before),
		WHOLE(a_broken_back_link_does_not_end_the_list),
		WHOLE(a_count_that_differs_from_its_list_is_told),
		WHOLE(a_cpu_partial_list_that_loops_ends),
		WHOLE(a_slab_of_another_cache_is_told),
		WHOLE(a_listed_page_that_is_no_slab_is_told),
		WHOLE(more_in_use_than_there_are_is_told),
		WHOLE(more_objects_than_fit_are_told),
		WHOLE(a_frozen_slab_on_a_node_is_told),
		WHOLE(a_slab_in_two_places_is_told),
		WHOLE(an_object_that_two_cpus_have_is_told),
		SHEAVES(an_object_in_two_sheaves_is_told),
		SHEAVES(a_sheaf_of_another_cache_is_left_out),
		SHEAVES(a_sheaf_beyond_its_capacity_is_left_out),
		SHEAVES(a_sheaf_in_nowhere_is_told),
		SHEAVES(a_barn_that_loops_ends),
		SHEAVES(a_barn_that_counts_wrong_is_told),
		WHOLE(a_list_of_caches_that_loops_ends),
		WHOLE(a_list_of_caches_into_nowhere_keeps_what_came_before),
		WHOLE(a_cache_with_impossible_numbers_is_not_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
