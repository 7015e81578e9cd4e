// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Reads at kernel addresses: what comes back, and what it costs the source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel_memory.h"

#define ROOT 0x1000ULL
#define BASE 0xffffc90000000000ULL

static struct memory *memory;
static struct kernel *kernel;

static void fill(enum address_space space)
{
	for (size_t i = 0; i < memory->size[space]; i++)
		memory->bytes[space][i] = i / PAGE * 7 + i % 251;
}

static uint8_t byte_at(uint64_t offset)
{
	return offset / PAGE * 7 + offset % 251;
}

static int set_up(void **state)
{
	(void)state;
	memory = memory_create(0, 300 * PAGE);
	fill(SPACE_VIRTUAL);
	kernel = memory_kernel(memory, 0, 0);
	return 0;
}

/* 16 pages at BASE, backwards: page n is at physical 31 − n; and a page of tables at each of 1 to 4. */
static int set_up_translated(void **state)
{
	(void)state;
	memory = memory_create(40 * PAGE, 0);
	fill(SPACE_PHYSICAL);
	memset(memory->bytes[SPACE_PHYSICAL] + ROOT, 0, 4 * PAGE);
	memory_put(memory, ROOT + 8 * (BASE >> 39 & 511), (ROOT + PAGE) | TABLE_PRESENT);
	memory_put(memory, ROOT + PAGE, (ROOT + 2 * PAGE) | TABLE_PRESENT);
	memory_put(memory, ROOT + 2 * PAGE, (ROOT + 3 * PAGE) | TABLE_PRESENT);
	for (uint64_t i = 0; i < 16; i++)
		memory_put(memory, ROOT + 3 * PAGE + 8 * i, (31 - i) * PAGE | TABLE_PRESENT);
	kernel = memory_kernel(memory, ROOT, 4);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kernel_close(kernel);
	return 0;
}

static void a_page_is_read_from_the_source_once(void **state)
{
	uint8_t byte;

	(void)state;
	for (uint64_t i = 0; i < PAGE; i++) {
		assert_int_equal(kernel_read_u8(kernel, MEMORY_VIRTUAL + 3 * PAGE + i, &byte), 0);
		assert_int_equal(byte, byte_at(3 * PAGE + i));
	}
	assert_int_equal(memory->reads, 1);
}

static void a_read_may_cross_pages(void **state)
{
	uint8_t bytes[3 * PAGE];

	(void)state;
	assert_int_equal(kernel_read(kernel, MEMORY_VIRTUAL + 100, bytes, sizeof(bytes)), 0);
	for (uint64_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], byte_at(100 + i));
	assert_int_equal(memory->calls, 1);
}

static void a_batch_is_one_call_and_names_its_failures(void **state)
{
	uint64_t values[100];
	struct memory_read reads[100];

	(void)state;
	memory->hole = MEMORY_VIRTUAL + 50 * PAGE;
	for (size_t i = 0; i < 100; i++)
		reads[i] = (struct memory_read){ MEMORY_VIRTUAL + i * PAGE + 8, &values[i], 8, 1 };
	assert_int_equal(kernel_read_many(kernel, reads, 100), 0);
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(reads[i].result, i == 50 ? -EFAULT : 0);
		if (i != 50)
			assert_memory_equal(&values[i], memory->bytes[SPACE_VIRTUAL] + i * PAGE + 8, 8);
	}
	assert_int_equal(memory->largest, 100);
	assert_true(memory->calls <= 2);
}

static void outputs_of_failed_reads_stay_as_they_were(void **state)
{
	uint64_t value = 17;

	(void)state;
	assert_int_equal(kernel_read_u64(kernel, MEMORY_VIRTUAL + 300 * PAGE - 4, &value), -EFAULT);
	assert_int_equal(kernel_read_u64(kernel, 0, &value), -EFAULT);
	assert_int_equal(kernel_read_u64(kernel, UINT64_MAX - 3, &value), -EFAULT);
	assert_int_equal(value, 17);
}

static void the_part_of_a_page_that_is_there_can_be_read(void **state)
{
	uint64_t value;

	(void)state;
	memory->size[SPACE_VIRTUAL] -= 1000;
	assert_int_equal(kernel_read_u64(kernel, MEMORY_VIRTUAL + 299 * PAGE, &value), 0);
	assert_memory_equal(&value, memory->bytes[SPACE_VIRTUAL] + 299 * PAGE, 8);
	assert_int_equal(kernel_read_u64(kernel, MEMORY_VIRTUAL + 300 * PAGE - 500, &value), -EFAULT);
}

static void more_pages_than_the_cache_holds_are_read_right(void **state)
{
	struct page_cache *cache;
	struct memory_read read = { .size = 300 * PAGE, .address = MEMORY_VIRTUAL };
	uint8_t byte;

	(void)state;
	/* The smallest cache there is; three passes over more than it holds. */
	tear_down(NULL);
	memory = memory_create(0, 2000 * PAGE);
	fill(SPACE_VIRTUAL);
	kernel = memory_kernel(memory, 0, 0);
	assert_int_equal(page_cache_create(kernel->source, 1, &cache), 0);
	for (int pass = 0; pass < 3; pass++) {
		for (uint64_t i = 0; i < 2000; i++) {
			read = (struct memory_read){ MEMORY_VIRTUAL + i * PAGE + i, &byte, 1, 1 };
			assert_int_equal(page_cache_read(cache, SPACE_VIRTUAL, &read, 1, NULL), 0);
			assert_int_equal(read.result, 0);
			assert_int_equal(byte, byte_at(i * PAGE + i));
		}
	}
	read = (struct memory_read){ MEMORY_VIRTUAL + 5, malloc(1999 * PAGE), 1999 * PAGE, 1 };
	assert_int_equal(page_cache_read(cache, SPACE_VIRTUAL, &read, 1, NULL), 0);
	assert_int_equal(read.result, 0);
	for (uint64_t i = 0; i < 1999 * PAGE; i++)
		if (((uint8_t *)read.buffer)[i] != byte_at(5 + i))
			fail_msg("byte %lu", i);
	free(read.buffer);
	page_cache_destroy(cache);
}

static void large_reads_go_around_the_cache(void **state)
{
	uint8_t *bytes = malloc(100 * PAGE), byte;

	(void)state;
	assert_int_equal(kernel_read(kernel, MEMORY_VIRTUAL, bytes, 100 * PAGE), 0);
	assert_memory_equal(bytes, memory->bytes[SPACE_VIRTUAL], 100 * PAGE);
	assert_int_equal(memory->reads, 1);
	kernel_read_u8(kernel, MEMORY_VIRTUAL, &byte);
	assert_int_equal(memory->reads, 2);
	free(bytes);
}

static void what_was_cached_is_forgotten_when_the_target_ran(void **state)
{
	uint64_t value;

	(void)state;
	kernel_read_u64(kernel, MEMORY_VIRTUAL, &value);
	memory_put_virtual(memory, MEMORY_VIRTUAL, 0x1122);
	kernel_read_u64(kernel, MEMORY_VIRTUAL, &value);
	assert_int_not_equal(value, 0x1122);
	memory->source.generation++;
	kernel_read_u64(kernel, MEMORY_VIRTUAL, &value);
	assert_int_equal(value, 0x1122);
	memory_put_virtual(memory, MEMORY_VIRTUAL, 0x3344);
	kernel_forget(kernel);
	kernel_read_u64(kernel, MEMORY_VIRTUAL, &value);
	assert_int_equal(value, 0x3344);
}

static void prefetched_pages_cost_no_more_reads(void **state)
{
	const struct memory_range ranges[] = { { MEMORY_VIRTUAL + 10, 20 * PAGE },
					       { MEMORY_VIRTUAL + 100 * PAGE, 1 },
					       { MEMORY_VIRTUAL + 5000 * PAGE, PAGE },
					       { UINT64_MAX, 2 } };
	uint8_t byte;
	size_t calls;

	(void)state;
	memory->hole = MEMORY_VIRTUAL + 5 * PAGE;
	kernel_prefetch(kernel, ranges, 4);
	calls = memory->calls;
	assert_true(calls <= 2);
	for (uint64_t i = 0; i <= 20; i++)
		assert_int_equal(kernel_read_u8(kernel, MEMORY_VIRTUAL + i * PAGE, &byte), i == 5 ? -EFAULT : 0);
	assert_int_equal(kernel_read_u8(kernel, MEMORY_VIRTUAL + 100 * PAGE, &byte), 0);
	assert_true(memory->calls <= calls + 1); /* the hole is tried again */
}

static void a_source_that_is_gone_is_not_asked_again(void **state)
{
	uint64_t value;
	struct memory_read read = { MEMORY_VIRTUAL, &value, 8, 0 };
	size_t calls;

	(void)state;
	memory->is_gone = true;
	assert_int_equal(kernel_read_many(kernel, &read, 1), -EIO);
	assert_int_equal(read.result, -EFAULT);
	assert_int_equal(kernel->reader.code, -EIO);
	assert_string_equal(kernel->reader.text, "the source is gone");
	calls = memory->calls;
	assert_int_equal(kernel_read_u64(kernel, MEMORY_VIRTUAL, &value), -EIO);
	assert_int_equal(memory->calls, calls);
}

static void strings_end_at_nul_at_the_buffer_or_at_the_end_of_memory(void **state)
{
	char text[16];
	char *end = (char *)memory->bytes[SPACE_VIRTUAL] + 300 * PAGE;

	(void)state;
	memcpy(memory->bytes[SPACE_VIRTUAL] + PAGE - 3, "across", 7);
	assert_int_equal(kernel_read_string(kernel, MEMORY_VIRTUAL + PAGE - 3, text, sizeof(text)), 0);
	assert_string_equal(text, "across");
	assert_int_equal(kernel_read_string(kernel, MEMORY_VIRTUAL + PAGE - 3, text, 4), 0);
	assert_string_equal(text, "acr");
	memcpy(end - 3, "end", 3);
	assert_int_equal(kernel_read_string(kernel, MEMORY_VIRTUAL + 300 * PAGE - 3, text, sizeof(text)), 0);
	assert_string_equal(text, "end");
	assert_int_equal(kernel_read_string(kernel, 0x10, text, sizeof(text)), -EFAULT);
}

static void translated_reads_gather_pages_from_where_they_are(void **state)
{
	uint8_t bytes[2 * PAGE];

	(void)state;
	assert_int_equal(kernel_read(kernel, BASE + PAGE - 50, bytes, 100), 0);
	for (uint64_t i = 0; i < 50; i++) {
		assert_int_equal(bytes[i], byte_at(31 * PAGE + PAGE - 50 + i));
		assert_int_equal(bytes[50 + i], byte_at(30 * PAGE + i));
	}
	assert_int_equal(kernel_read(kernel, BASE + 15 * PAGE + 1, bytes, PAGE), -EFAULT);
	assert_int_equal(kernel_read(kernel, BASE + 15 * PAGE, bytes, PAGE), 0);
}

static void large_translated_reads_are_one_call(void **state)
{
	uint8_t *bytes = malloc(16 * PAGE);
	size_t calls;

	(void)state;
	kernel_read_u8(kernel, BASE, bytes);
	calls = memory->calls;
	assert_int_equal(kernel_read(kernel, BASE, bytes, 16 * PAGE), 0);
	assert_int_equal(memory->calls, calls + 1);
	for (uint64_t i = 0; i < 16 * PAGE; i++)
		if (bytes[i] != byte_at((31 - i / PAGE) * PAGE + i % PAGE))
			fail_msg("byte %lu", i);
	free(bytes);
}

static void physical_addresses_are_read_as_such(void **state)
{
	uint8_t byte;
	uint64_t physical, page_size;

	(void)state;
	assert_int_equal(kernel_read_physical(kernel, 20 * PAGE + 5, &byte, 1), 0);
	assert_int_equal(byte, byte_at(20 * PAGE + 5));
	assert_int_equal(kernel_translate(kernel, BASE + 2 * PAGE + 3, &physical, &page_size), 0);
	assert_int_equal(physical, 29 * PAGE + 3);
	assert_int_equal(page_size, PAGE);
	assert_int_equal(kernel_translate(kernel, BASE + 16 * PAGE, &physical, &page_size), -EFAULT);
}

static void physical_addresses_are_read_through_the_direct_map_otherwise(void **state)
{
	uint8_t byte = 0;
	uint64_t physical;

	(void)state;
	assert_int_equal(kernel_read_physical(kernel, 20 * PAGE + 5, &byte, 1), -ENOENT);
	kernel->layout.page_offset_base = (struct kernel_fact){ MEMORY_VIRTUAL, "test" };
	assert_int_equal(kernel_read_physical(kernel, 20 * PAGE + 5, &byte, 1), 0);
	assert_int_equal(byte, byte_at(20 * PAGE + 5));
	assert_int_equal(kernel_translate(kernel, MEMORY_VIRTUAL, &physical, NULL), -EOPNOTSUPP);
}

static void frames_pages_and_direct_addresses_convert(void **state)
{
	uint64_t value = 0;

	(void)state;
	assert_int_equal(kernel_pfn_to_page(kernel, 1, &value), -ENOENT);
	kernel->layout.page_offset_base = (struct kernel_fact){ MEMORY_VIRTUAL, "test" };
	kernel->layout.vmemmap_base = (struct kernel_fact){ 0xffffea0000000000, "test" };
	kernel->layout.max_pfn = (struct kernel_fact){ 1000, "test" };
	assert_int_equal(kernel_pfn_to_page(kernel, 999, &value), 0);
	assert_int_equal(value, 0xffffea0000000000 + 999 * 64);
	assert_int_equal(kernel_page_to_pfn(kernel, value, &value), 0);
	assert_int_equal(value, 999);
	assert_int_equal(kernel_page_to_pfn(kernel, 0xffffea0000000020, &value), -EFAULT);
	assert_int_equal(kernel_pfn_to_page(kernel, 1000, &value), -EFAULT);
	assert_int_equal(kernel_pfn_to_direct(kernel, 3, &value), 0);
	assert_int_equal(value, MEMORY_VIRTUAL + 3 * PAGE);
	assert_int_equal(kernel_direct_to_physical(kernel, value + 9, &value), 0);
	assert_int_equal(value, 3 * PAGE + 9);
	assert_int_equal(kernel_direct_to_physical(kernel, MEMORY_VIRTUAL + 1000 * PAGE, &value), -EFAULT);
	assert_int_equal(kernel_direct_to_physical(kernel, MEMORY_VIRTUAL - 1, &value), -EFAULT);
}

static void per_cpu_pointers_skip_holes(void **state)
{
	uint64_t *offsets = calloc(3, sizeof(*offsets)), address = 0;

	(void)state;
	offsets[0] = 0xff11d49bfebed000;
	offsets[2] = 0x1000;
	kernel->percpu_offsets = offsets;
	kernel->cpu_count = 3;
	assert_int_equal(kernel_percpu(kernel, 0x20, 0, &address), 0);
	assert_int_equal(address, 0xff11d49bfebed020);
	/* From 6.15 on, symbols are ordinary addresses and the sum wraps. */
	assert_int_equal(kernel_percpu(kernel, 0xfffffffffffff010, 2, &address), 0);
	assert_int_equal(address, 0x10);
	assert_int_equal(kernel_percpu(kernel, 0x20, 1, &address), -ENOENT);
	assert_int_equal(kernel_percpu(kernel, 0x20, 3, &address), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TRANSLATED(name) cmocka_unit_test_setup_teardown(name, set_up_translated, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_page_is_read_from_the_source_once),
		TEST(a_read_may_cross_pages),
		TEST(a_batch_is_one_call_and_names_its_failures),
		TEST(outputs_of_failed_reads_stay_as_they_were),
		TEST(the_part_of_a_page_that_is_there_can_be_read),
		TEST(more_pages_than_the_cache_holds_are_read_right),
		TEST(large_reads_go_around_the_cache),
		TEST(what_was_cached_is_forgotten_when_the_target_ran),
		TEST(prefetched_pages_cost_no_more_reads),
		TEST(a_source_that_is_gone_is_not_asked_again),
		TEST(strings_end_at_nul_at_the_buffer_or_at_the_end_of_memory),
		TRANSLATED(translated_reads_gather_pages_from_where_they_are),
		TRANSLATED(large_translated_reads_are_one_call),
		TRANSLATED(physical_addresses_are_read_as_such),
		TEST(physical_addresses_are_read_through_the_direct_map_otherwise),
		TEST(frames_pages_and_direct_addresses_convert),
		TEST(per_cpu_pointers_skip_holes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
