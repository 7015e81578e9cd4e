// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* mapped_ranges against a page map that is kept by brute force: one owner for each of 64 pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mapped_ranges.h"

#define PAGE 4096ULL
#define PAGES 64
#define BASE 0x7f0000000000ULL

/* What on_change said, summed up. */
struct books {
	int64_t blocks, bytes;
};

static void on_change(const struct mapped_block *block, enum mapped_change_kind kind, uint64_t bytes, bool is_whole,
		      void *context)
{
	struct books *books = context;
	int sign = kind == MAPPED_GONE ? -1 : 1;

	(void)block;
	books->bytes += sign * (int64_t)bytes;
	books->blocks += is_whole ? sign : 0;
}

static struct mapped_ranges *ranges_new(struct books *books)
{
	struct mapped_ranges *ranges;

	*books = (struct books){ 0 };
	assert_int_equal(mapped_ranges_create(on_change, books, &ranges), 0);
	return ranges;
}

static void add(struct mapped_ranges *ranges, unsigned int page, unsigned int pages, uint64_t key)
{
	assert_int_equal(mapped_ranges_add(ranges, BASE + page * PAGE, pages * PAGE, key, 0), 0);
}

static void take(struct mapped_ranges *ranges, uint32_t tid, unsigned int page, unsigned int pages)
{
	assert_int_equal(mapped_ranges_remove(ranges, tid, BASE + page * PAGE, pages * PAGE), 0);
}

static void assert_books(const struct books *books, int64_t blocks, int64_t pages)
{
	assert_int_equal(books->blocks, blocks);
	assert_int_equal(books->bytes, pages * (int64_t)PAGE);
}

static void a_hole_leaves_one_block_in_two_pieces(void **state)
{
	struct books books;
	struct mapped_ranges *ranges = ranges_new(&books);

	(void)state;
	add(ranges, 0, 10, 1);
	take(ranges, 1, 3, 4);
	assert_books(&books, 1, 6);
	take(ranges, 1, 0, 3);
	assert_books(&books, 1, 3);
	take(ranges, 1, 7, 3);
	assert_books(&books, 0, 0);
	mapped_ranges_destroy(ranges);
}

static void one_removal_spans_several_blocks(void **state)
{
	struct books books;
	struct mapped_ranges *ranges = ranges_new(&books);

	(void)state;
	add(ranges, 0, 4, 1);
	add(ranges, 4, 4, 2);
	add(ranges, 10, 4, 3);
	take(ranges, 1, 2, 10);
	assert_books(&books, 2, 4);
	mapped_ranges_destroy(ranges);
}

static void a_mapping_over_another_takes_its_place(void **state)
{
	struct books books;
	struct mapped_ranges *ranges = ranges_new(&books);

	(void)state;
	add(ranges, 0, 8, 1);
	add(ranges, 2, 2, 2);
	assert_books(&books, 2, 8);
	add(ranges, 0, 8, 3);
	assert_books(&books, 1, 8);
	mapped_ranges_destroy(ranges);
}

static void a_failed_removal_is_taken_back_for_its_thread_alone(void **state)
{
	struct books books;
	struct mapped_ranges *ranges = ranges_new(&books);

	(void)state;
	add(ranges, 0, 4, 1);
	add(ranges, 8, 4, 2);
	take(ranges, 1, 0, 4);
	take(ranges, 2, 8, 2);
	assert_books(&books, 1, 2);
	assert_int_equal(mapped_ranges_undo(ranges, 1), 0);
	assert_books(&books, 2, 6);
	assert_int_equal(mapped_ranges_undo(ranges, 1), 0); /* once only */
	assert_books(&books, 2, 6);
	assert_int_equal(mapped_ranges_undo(ranges, 3), 0); /* never removed anything */
	assert_books(&books, 2, 6);
	mapped_ranges_destroy(ranges);
}

static void a_moved_block_stays_the_same_allocation(void **state)
{
	struct books books;
	struct mapped_ranges *ranges = ranges_new(&books);

	(void)state;
	add(ranges, 0, 4, 1);
	take(ranges, 1, 0, 4);
	assert_int_equal(mapped_ranges_remap(ranges, 1, BASE + 20 * PAGE, 8 * PAGE, 99, 0), 0);
	assert_books(&books, 1, 8);
	take(ranges, 1, 20, 8);
	assert_books(&books, 0, 0);
	mapped_ranges_destroy(ranges);
}

static void a_move_of_something_unknown_is_a_new_block(void **state)
{
	struct books books;
	struct mapped_ranges *ranges = ranges_new(&books);

	(void)state;
	assert_int_equal(mapped_ranges_remap(ranges, 1, BASE, 2 * PAGE, 99, 0), 0);
	assert_books(&books, 1, 2);
	mapped_ranges_destroy(ranges);
}

static void what_the_kernel_refuses_changes_nothing(void **state)
{
	struct books books;
	struct mapped_ranges *ranges = ranges_new(&books);

	(void)state;
	add(ranges, 0, 4, 1);
	assert_int_equal(mapped_ranges_remove(ranges, 1, BASE + 1, PAGE), 0);
	assert_int_equal(mapped_ranges_remove(ranges, 1, BASE, 0), 0);
	assert_books(&books, 1, 4);
	assert_int_equal(mapped_ranges_remove(ranges, 1, BASE, UINT64_MAX), 0); /* to the end of the address space */
	assert_books(&books, 0, 0);
	mapped_ranges_destroy(ranges);
}

static void bytes_are_rounded_up_to_pages(void **state)
{
	struct books books;
	struct mapped_ranges *ranges = ranges_new(&books);

	(void)state;
	assert_int_equal(mapped_ranges_add(ranges, BASE, 1, 1, 0), 0);
	assert_books(&books, 1, 1);
	assert_int_equal(mapped_ranges_remove(ranges, 1, BASE, 1), 0);
	assert_books(&books, 0, 0);
	mapped_ranges_destroy(ranges);
}

static void compare_page(const struct mapped_block *block, uint64_t start, uint64_t bytes, void *context)
{
	uint64_t *owner = context;

	for (uint64_t page = (start - BASE) / PAGE; page < (start - BASE + bytes) / PAGE; page++) {
		assert_int_equal(owner[page], block->stack_key);
		owner[page] = 0; /* seen: nothing may be left over */
	}
}

/* Random mappings and unmappings leave every page with the owner that the page map says. */
static void random_changes_agree_with_a_page_map(void **state)
{
	struct books books;
	struct mapped_ranges *ranges = ranges_new(&books);
	uint64_t owner[PAGES] = { 0 }, left[PAGES];
	unsigned int held = 0;

	(void)state;
	srand(1);
	for (uint64_t round = 1; round < 20000; round++) {
		unsigned int first = rand() % PAGES, count = 1 + rand() % (PAGES - first);
		bool is_mapping = rand() % 2;

		if (is_mapping)
			add(ranges, first, count, round);
		else
			take(ranges, 1, first, count);
		for (unsigned int page = first; page < first + count; page++)
			owner[page] = is_mapping ? round : 0;
		held = 0;
		for (unsigned int page = 0; page < PAGES; page++)
			held += owner[page] != 0;
		assert_int_equal(books.bytes, held * PAGE);
		memcpy(left, owner, sizeof(left));
		mapped_ranges_each(ranges, compare_page, left);
		for (unsigned int page = 0; page < PAGES; page++)
			assert_int_equal(left[page], 0);
	}
	mapped_ranges_destroy(ranges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hole_leaves_one_block_in_two_pieces),
		cmocka_unit_test(one_removal_spans_several_blocks),
		cmocka_unit_test(a_mapping_over_another_takes_its_place),
		cmocka_unit_test(a_failed_removal_is_taken_back_for_its_thread_alone),
		cmocka_unit_test(a_moved_block_stays_the_same_allocation),
		cmocka_unit_test(a_move_of_something_unknown_is_a_new_block),
		cmocka_unit_test(what_the_kernel_refuses_changes_nothing),
		cmocka_unit_test(bytes_are_rounded_up_to_pages),
		cmocka_unit_test(random_changes_agree_with_a_page_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
