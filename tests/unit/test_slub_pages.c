// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Pages of libslub without caches: which of them hold memory, and when it goes back to the system.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "layout.h"

#define PAGE SLUB_PAGE_SIZE

static int set_up(void **state)
{
	struct slub_pages *pages = calloc(1, sizeof(*pages));

	pages->limit = 16 * SLUB_CHUNK_PAGES;
	*state = pages;
	return slub_pages_init(pages) ? 0 : -1;
}

static int tear_down(void **state)
{
	slub_pages_end(*state);
	free(*state);
	return 0;
}

static size_t resident(const struct slub_pages *pages)
{
	static unsigned char there[16 * SLUB_CHUNK_PAGES];
	size_t count = 0;

	assert_int_equal(mincore(pages->base, pages->count * PAGE, there), 0);
	for (size_t page = 0; page < pages->count; page++)
		count += there[page] & 1;
	return count;
}

static char *take(struct slub_pages *pages, size_t count, struct slub_dirty_part *ret_dirty)
{
	char *run = slub_pages_alloc_run(pages, count, 0, ret_dirty);

	assert_non_null(run);
	return run;
}

static void the_dirty_part_covers_all_that_was_written(void **state)
{
	struct slub_pages *pages = *state;
	struct slub_dirty_part dirty;
	char *run = take(pages, 64, &dirty);

	assert_int_equal(dirty.bytes, 0);
	memset(run, 1, 64 * PAGE);
	// Pages 10 and 30 stay dirty, the others are given back.
	slub_pages_free_run(pages, run, 64);
	assert_int_equal(slub_pages_release(pages), 64);
	run = take(pages, 64, &dirty);
	assert_int_equal(dirty.bytes, 0);
	run[10 * PAGE] = run[30 * PAGE] = 1;
	slub_pages_free_run(pages, run, 10);
	slub_pages_free_run(pages, run + 11 * PAGE, 19);
	slub_pages_free_run(pages, run + 31 * PAGE, 33);
	assert_int_equal(slub_pages_release(pages), 62);
	slub_pages_free_run(pages, run + 10 * PAGE, 1);
	slub_pages_free_run(pages, run + 30 * PAGE, 1);
	assert_ptr_equal(take(pages, 64, &dirty), run);
	assert_int_equal(dirty.start, 10 * PAGE);
	assert_int_equal(dirty.bytes, 21 * PAGE);
	assert_int_equal(pages->dirty_free, 0);
}

static void much_that_is_freed_goes_back_the_highest_first(void **state)
{
	struct slub_pages *pages = *state;
	struct slub_dirty_part dirty;
	size_t count = 4 * SLUB_CHUNK_PAGES, left;
	char *run = take(pages, count, &dirty);

	memset(run, 1, count * PAGE);
	assert_int_equal(resident(pages), count);
	slub_pages_free_run(pages, run, count);
	left = resident(pages);
	assert_in_range(left, 1, 512);
	assert_int_equal(left, pages->dirty_free);
	for (size_t page = 0; page < left; page++)
		assert_int_equal(run[page * PAGE], 1);
}

static void what_is_wanted_again_and_again_stays(void **state)
{
	struct slub_pages *pages = *state;
	struct slub_dirty_part dirty = {};

	for (int round = 0; round < 10; round++) {
		char *run = take(pages, SLUB_CHUNK_PAGES, &dirty);

		memset(run, 1, SLUB_CHUNK_PAGES * PAGE);
		slub_pages_free_run(pages, run, SLUB_CHUNK_PAGES);
	}
	assert_int_equal(dirty.bytes, SLUB_CHUNK_PAGES * PAGE);
	assert_int_equal(resident(pages), SLUB_CHUNK_PAGES);
}

static void what_is_no_longer_wanted_goes_in_time(void **state)
{
	struct slub_pages *pages = *state;
	struct slub_dirty_part dirty;

	what_is_wanted_again_and_again_stays(state);
	assert_true(pages->wanted_again > 0);
	// As if a second had gone by.
	pages->credit_at -= 1000;
	slub_pages_free_run(pages, take(pages, 1, &dirty), 1);
	assert_int_equal(pages->wanted_again, 0);
	assert_in_range(resident(pages), 1, 512);
}

static void what_is_seldom_wanted_again_goes_each_time(void **state)
{
	struct slub_pages *pages = *state;
	struct slub_dirty_part dirty;

	for (int round = 0; round < 10; round++) {
		slub_pages_free_run(pages, take(pages, SLUB_CHUNK_PAGES, &dirty), SLUB_CHUNK_PAGES);
		pages->credit_at -= 1000;
	}
	assert_in_range(pages->dirty_free, 1, 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_dirty_part_covers_all_that_was_written, set_up, tear_down),
		cmocka_unit_test_setup_teardown(much_that_is_freed_goes_back_the_highest_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_wanted_again_and_again_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_longer_wanted_goes_in_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_seldom_wanted_again_goes_each_time, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
