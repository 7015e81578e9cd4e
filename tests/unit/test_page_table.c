// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Page tables in a made-up memory: walks, ranges, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel_memory.h"

#define NO_EXECUTE (1ULL << 63)
#define ROOT 0x1000ULL
#define TABLES 64
#define SIZE ((TABLES + 2) * PAGE)
#define DIRECT 0xffff888040000000ULL
#define IMAGE 0xffffffff9d800000ULL

static struct memory *memory;
static struct page_table table;
static size_t table_reads;

static int read_physical(void *context, uint64_t address, void *buffer, size_t size)
{
	struct memory_read read = { .address = address, .buffer = buffer, .size = size };

	table_reads++;
	memory_read_all(context, SPACE_PHYSICAL, &read, 1, NULL);
	return read.result;
}

static void start(unsigned levels)
{
	memory = memory_create(SIZE, 0);
	memory->next_table = ROOT + PAGE;
	table_reads = 0;
	page_table_init(&table, ROOT | 0xfff, levels, read_physical, memory);
}

static int set_up(void **state)
{
	(void)state;
	start(4);
	return 0;
}

static int set_up_5_levels(void **state)
{
	(void)state;
	start(5);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	memory_close(&memory->source);
	return 0;
}

static uint64_t entry_of(uint64_t address, unsigned level)
{
	return memory_entry(memory, ROOT, table.levels, address, level);
}

static void map(uint64_t address, uint64_t physical, unsigned level)
{
	memory_put(memory, entry_of(address, level), physical | TABLE_PRESENT | (level > 1 ? TABLE_HUGE : 0) | NO_EXECUTE);
}

static void expect(uint64_t address, uint64_t physical, uint64_t page_size)
{
	uint64_t found = 1, size = 1;

	assert_int_equal(page_table_walk(&table, address, &found, &size), 0);
	assert_int_equal(found, physical);
	assert_int_equal(size, page_size);
	/* Out of the TLB the same. */
	assert_int_equal(page_table_walk(&table, address, &found, &size), 0);
	assert_int_equal(found, physical);
	assert_int_equal(size, page_size);
}

static void expect_unmapped(uint64_t address)
{
	uint64_t found = 17, size = 18;

	assert_int_equal(page_table_walk(&table, address, &found, &size), -EFAULT);
	assert_int_equal(found, 17);
	assert_int_equal(size, 18);
}

static void pages_of_all_sizes_are_walked(void **state)
{
	(void)state;
	map(IMAGE, 0x17a00000, 2);
	map(DIRECT, 0x40000000, 3);
	map(0xffffc90000001000, 0x123000, 1);
	expect(IMAGE + 0x1ff123, 0x17bff123, 2 << 20);
	expect(DIRECT + 0x3fffffff, 0x7fffffff, 1 << 30);
	expect(0xffffc90000001ff8, 0x123ff8, 4096);
	expect_unmapped(IMAGE + 0x200000);
	expect_unmapped(DIRECT - 1);
	expect_unmapped(0xffffc90000000fff);
}

static void five_levels_reach_further(void **state)
{
	(void)state;
	map(0xff11d49b80000000, 0, 3);
	map(IMAGE, 0x17a00000, 2);
	expect(0xff11d49b80001234, 0x1234, 1 << 30);
	expect(IMAGE, 0x17a00000, 2 << 20);
}

static void addresses_that_are_not_canonical_are_not_mapped(void **state)
{
	(void)state;
	map(DIRECT, 0, 3);
	expect_unmapped(DIRECT & 0x0000ffffffffffff);
	expect_unmapped(DIRECT & 0xfffeffffffffffff);
}

static void bits_above_and_below_the_address_do_not_count(void **state)
{
	uint64_t entry;

	(void)state;
	map(0xffffc90000001000, 0x123000, 1);
	entry = entry_of(0xffffc90000001000, 1);
	/* PAT is where huge pages have their size bit; protection keys are above. */
	memory_put(memory, entry, memory_get(memory, entry) | TABLE_HUGE | 0x7fULL << 52 | 0xe00);
	expect(0xffffc90000001010, 0x123010, 4096);
	map(IMAGE, 0x17a00000 | 0x1000, 2);
	expect(IMAGE, 0x17a00000, 2 << 20);
}

static void a_table_beyond_memory_maps_nothing(void **state)
{
	(void)state;
	memory_put(memory, entry_of(DIRECT, 3), 0x7ffffffff000 | TABLE_PRESENT);
	expect_unmapped(DIRECT);
}

static void a_table_that_leads_to_itself_ends_after_one_read_a_level(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 512; i++)
		memory_put(memory, ROOT + 8 * i, ROOT | TABLE_PRESENT);
	expect(DIRECT + 0x10, ROOT + 0x10, 4096);
	assert_int_equal(table_reads, 4);
}

static void what_is_forgotten_is_walked_anew(void **state)
{
	(void)state;
	map(DIRECT, 0x40000000, 3);
	expect(DIRECT, 0x40000000, 1 << 30);
	map(DIRECT, 0x80000000, 3);
	expect(DIRECT, 0x40000000, 1 << 30);
	page_table_forget(&table);
	expect(DIRECT, 0x80000000, 1 << 30);
}

static size_t collect(uint64_t first, uint64_t last, uint64_t budget, struct page_table_range *ranges, size_t max)
{
	struct page_table_iterator iterator;
	size_t count = 0;

	assert_int_equal(page_table_iterate_begin(&iterator, &table, first, last, budget), 0);
	while (count < max && page_table_iterate(&iterator, &ranges[count]))
		count++;
	page_table_iterate_end(&iterator);
	return count;
}

static void expect_range(const struct page_table_range *range, uint64_t start_address, uint64_t physical,
			 uint64_t size, uint64_t page_size)
{
	assert_int_equal(range->virtual_start, start_address);
	assert_int_equal(range->physical_start, physical);
	assert_int_equal(range->size, size);
	assert_int_equal(range->page_size, page_size);
}

static void ranges_are_as_long_as_they_get(void **state)
{
	struct page_table_range ranges[8];

	(void)state;
	map(0xffffc90000000000, 0x5000, 1);
	map(0xffffc90000001000, 0x6000, 1);
	map(0xffffc90000002000, 0x9000, 1); /* elsewhere */
	map(0xffffc90000004000, 0xa000, 1); /* behind a hole */
	map(IMAGE, 0x17a00000, 2);
	map(IMAGE + (2 << 20), 0x17c00000, 2);
	map(0xffffffffffe00000, 0x200000, 2); /* up to the very end */
	assert_int_equal(collect(0xffff800000000000, UINT64_MAX, 1000, ranges, 8), 5);
	expect_range(&ranges[0], 0xffffc90000000000, 0x5000, 0x2000, 4096);
	expect_range(&ranges[1], 0xffffc90000002000, 0x9000, 0x1000, 4096);
	expect_range(&ranges[2], 0xffffc90000004000, 0xa000, 0x1000, 4096);
	expect_range(&ranges[3], IMAGE, 0x17a00000, 4 << 20, 2 << 20);
	expect_range(&ranges[4], 0xffffffffffe00000, 0x200000, 2 << 20, 2 << 20);
}

static void iteration_begins_and_ends_within_pages(void **state)
{
	struct page_table_range ranges[2];

	(void)state;
	map(DIRECT, 0, 3);
	assert_int_equal(collect(DIRECT + 0x5000, DIRECT + 0x6000, 100, ranges, 2), 1);
	assert_int_equal(ranges[0].virtual_start, DIRECT + 0x5000);
	assert_int_equal(ranges[0].physical_start, 0x5000);
	assert_int_equal(collect(DIRECT - (1 << 30), DIRECT - 1, 100, ranges, 2), 0);
	assert_int_equal(collect(DIRECT, DIRECT - 1, 100, ranges, 2), 0);
}

/* 512^4 leaves of one page: only the budget ends this. */
static void hostile_tables_are_bounded_by_the_budget(void **state)
{
	struct page_table_iterator iterator;
	struct page_table_range range;

	(void)state;
	for (uint64_t i = 0; i < 512; i++)
		memory_put(memory, ROOT + 8 * i, ROOT | TABLE_PRESENT);
	assert_int_equal(page_table_iterate_begin(&iterator, &table, 0xffff800000000000, UINT64_MAX, 50), 0);
	while (page_table_iterate(&iterator, &range))
		assert_true(table_reads <= 50);
	assert_true(iterator.is_exhausted);
	assert_int_equal(table_reads, 50);
	page_table_iterate_end(&iterator);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_of_all_sizes_are_walked),
		cmocka_unit_test_setup_teardown(five_levels_reach_further, set_up_5_levels, tear_down),
		TEST(addresses_that_are_not_canonical_are_not_mapped),
		TEST(bits_above_and_below_the_address_do_not_count),
		TEST(a_table_beyond_memory_maps_nothing),
		TEST(a_table_that_leads_to_itself_ends_after_one_read_a_level),
		TEST(what_is_forgotten_is_walked_anew),
		TEST(ranges_are_as_long_as_they_get),
		TEST(iteration_begins_and_ends_within_pages),
		TEST(hostile_tables_are_bounded_by_the_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
