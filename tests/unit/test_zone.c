// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Zones, their counters and their lists of free blocks; damaged lists end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "zone_image.h"

static struct zone_image *image;
static struct zones *zones;

static void open_zones(void)
{
	struct error err = { 0 };

	if (zones_open(image->kernel, &zones, &err))
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	enum page_era era = *state ? *(enum page_era *)*state : ERA_TYPES;

	image = zone_image_create(era);
	assert_int_equal(kernel_symbols_add(image->kernel->symbols, "node_data", NODE_ARRAY), 0);
	zone_free_block(image, 1, 64, 3, 0);
	zone_free_block(image, 1, 72, 3, 1);
	zone_free_block(image, 1, 80, 3, 1);
	zone_free_block(image, 1, 90, 1, 1);
	zone_free_block(image, 1, 99, 0, 2);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	zones_close(zones);
	zones = NULL;
	zone_image_destroy(image);
	return 0;
}

static void every_populated_zone_is_there(void **state)
{
	const struct zone *normal;

	(void)state;
	zone_put(image, ZONE_AT(1) + Z_STAT + 8, 27);
	zone_put32(image, ZONE_PERCPU(1) + 0x40, 17);
	zone_put32(image, ZONE_PERCPU(1) + 0x44, 300);
	zone_put32(image, ZONE_PERCPU(1) + 0x48, 63);
	open_zones();
	assert_int_equal(zones->count, 2);
	assert_string_equal(zones->zones[0].name, "DMA");
	normal = &zones->zones[1];
	assert_string_equal(normal->name, "Normal");
	assert_int_equal(normal->address, ZONE_AT(1));
	assert_int_equal(normal->index, 1);
	assert_int_equal(normal->start_pfn, 64);
	assert_int_equal(normal->spanned_pages, 192);
	assert_int_equal(normal->present_pages, 191);
	assert_int_equal(normal->managed_pages, 190);
	assert_int_equal(normal->free_pages, 27);
	assert_int_equal(normal->watermark_min, 10);
	assert_int_equal(normal->watermark_low, 20);
	assert_int_equal(normal->watermark_high, 30);
	assert_int_equal(normal->orders[3].blocks, 3);
	assert_int_equal(normal->cpu_count, 2);
	assert_int_equal(normal->cpus[1].count, 17);
	assert_int_equal(normal->cpus[1].high, 300);
	assert_int_equal(normal->cpus[1].batch, 63);
	assert_int_equal(normal->cpus[0].count, 0);
	/* A zone without pages, and one of which too much was taken off its counter. */
	zones_close(zones);
	zone_put(image, ZONE_AT(0) + Z_PRESENT, 0);
	zone_put(image, ZONE_AT(1) + Z_STAT + 8, (uint64_t)-3);
	kernel_forget(image->kernel);
	open_zones();
	assert_int_equal(zones->count, 1);
	assert_string_equal(zones->zones[0].name, "Normal");
	assert_int_equal(zones->zones[0].free_pages, 0);
}

static void migrate_types_have_their_names(void **state)
{
	(void)state;
	open_zones();
	assert_int_equal(zones->layout.order_count, ORDERS);
	assert_int_equal(zones->layout.migrate_count, TYPES);
	assert_string_equal(zones->layout.migrate_names[0], "unmovable");
	assert_string_equal(zones->layout.migrate_names[1], "movable");
	assert_string_equal(zones->layout.migrate_names[2], "highatomic");
}

static struct zone *read_lists(void)
{
	open_zones();
	assert_int_equal(zone_read_lists(zones, &zones->zones[1], NULL), 0);
	assert_true(zones->zones[1].has_lists);
	return &zones->zones[1];
}

static void free_blocks_are_counted_by_order_and_type(void **state)
{
	struct zone *zone = read_lists();

	(void)state;
	assert_int_equal(zone->orders[3].listed[0], 1);
	assert_int_equal(zone->orders[3].listed[1], 2);
	assert_int_equal(zone->orders[1].listed[1], 1);
	assert_int_equal(zone->orders[0].listed[2], 1);
	assert_int_equal(zone->orders[2].listed[0] + zone->orders[2].listed[1] + zone->orders[2].listed[2],
			 0);
	for (int order = 0; order < ORDERS; order++) {
		assert_int_equal(zone->orders[order].bad_blocks, 0);
		assert_int_equal(zone->orders[order].damage, LIST_INTACT);
	}
}

static void listed_pages_that_are_no_such_blocks_are_counted(void **state)
{
	struct zone *zone;

	(void)state;
	zone_put32(image, ZONE_PAGE(72) + G_TYPE, UINT32_MAX);
	zone_put(image, ZONE_PAGE(80) + G_PRIVATE, 2);
	zone = read_lists();
	assert_int_equal(zone->orders[3].listed[1], 2);
	assert_int_equal(zone->orders[3].bad_blocks, 2);
	assert_int_equal(zone->orders[1].bad_blocks, 0);
}

static void a_list_that_loops_ends(void **state)
{
	struct zone *zone;

	(void)state;
	zone_put(image, ZONE_PAGE(72) + G_LRU, ZONE_PAGE(80) + G_LRU);
	zone = read_lists();
	assert_int_equal(zone->orders[3].damage, LIST_LOOP);
	assert_int_equal(zone->orders[1].damage, LIST_INTACT);
	assert_int_equal(zone->orders[1].listed[1], 1);
}

static void a_list_into_nowhere_keeps_what_came_before(void **state)
{
	struct zone *zone;

	(void)state;
	zone_put(image, ZONE_PAGE(80) + G_LRU, 0xdead000000000100);
	zone = read_lists();
	assert_int_equal(zone->orders[3].damage, LIST_UNREADABLE);
	assert_int_equal(zone->orders[3].listed[0], 1);
}

static void a_list_longer_than_the_zone_ends(void **state)
{
	struct zone *zone;

	(void)state;
	zone_put(image, ZONE_AT(1) + Z_SPANNED, 8);
	zone = read_lists();
	assert_int_equal(zone->orders[3].damage, LIST_TOO_LONG);
	assert_int_equal(zone->orders[3].listed[1], 1);
}

static void unusable_is_what_lies_in_smaller_blocks(void **state)
{
	struct zone zone = { 0 };

	(void)state;
	assert_true(zone_unusable(&zone, 0, ORDERS) == 0);
	open_zones();
	/* 1 + 2 + 24 pages. */
	assert_true(zone_unusable(&zones->zones[1], 0, ORDERS) == 0);
	assert_true(zone_unusable(&zones->zones[1], 1, ORDERS) == 1.0 / 27);
	assert_true(zone_unusable(&zones->zones[1], 2, ORDERS) == 3.0 / 27);
	assert_true(zone_unusable(&zones->zones[1], 4, ORDERS) == 1);
}

static void a_page_lies_in_the_zone_that_spans_it(void **state)
{
	(void)state;
	open_zones();
	assert_null(zones_find(zones, 15));
	assert_ptr_equal(zones_find(zones, 16), &zones->zones[0]);
	assert_ptr_equal(zones_find(zones, 47), &zones->zones[0]);
	assert_null(zones_find(zones, 48));
	assert_ptr_equal(zones_find(zones, 255), &zones->zones[1]);
	assert_null(zones_find(zones, 256));
}

static void a_kernel_without_nodes_has_one(void **state)
{
	struct zone_image *flat = zone_image_create(ERA_MASKS);
	struct zones *found = NULL;
	struct error err = { 0 };

	(void)state;
	assert_int_equal(zones_open(flat->kernel, &found, &err), -ENOENT);
	assert_non_null(strstr(err.text, "contig_page_data"));
	assert_int_equal(kernel_symbols_add(flat->kernel->symbols, "contig_page_data", NODE_DATA), 0);
	assert_int_equal(zones_open(flat->kernel, &found, NULL), 0);
	assert_int_equal(found->count, 2);
	zones_close(found);
	zone_image_destroy(flat);
}

static void garbage_in_a_node_ends_without_harm(void **state)
{
	static const uint64_t garbage[] = { 0,		1,
					    UINT64_MAX, 0x4141414141414141,
					    NODE_DATA,	ZONE_PAGE(80) + G_LRU };

	(void)state;
	for (uint64_t at = NODE_DATA; at < NODE_DATA + D_NODE; at += 8)
		for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
			uint8_t *place = image->memory->bytes[SPACE_VIRTUAL] + (at - MEMORY_VIRTUAL);
			uint64_t before;

			memcpy(&before, place, 8);
			memcpy(place, &garbage[i], 8);
			kernel_forget(image->kernel);
			if (!zones_open(image->kernel, &zones, NULL))
				for (size_t zone = 0; zone < zones->count; zone++)
					zone_read_lists(zones, &zones->zones[zone], NULL);
			zones_close(zones);
			zones = NULL;
			memcpy(place, &before, 8);
		}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	static enum page_era values = ERA_VALUES;
	const struct CMUnitTest tests[] = {
		TEST(every_populated_zone_is_there),
		TEST(migrate_types_have_their_names),
		TEST(free_blocks_are_counted_by_order_and_type),
		cmocka_unit_test_prestate_setup_teardown(free_blocks_are_counted_by_order_and_type, set_up,
							 tear_down, &values),
		TEST(listed_pages_that_are_no_such_blocks_are_counted),
		TEST(a_list_that_loops_ends),
		TEST(a_list_into_nowhere_keeps_what_came_before),
		TEST(a_list_longer_than_the_zone_ends),
		TEST(unusable_is_what_lies_in_smaller_blocks),
		TEST(a_page_lies_in_the_zone_that_spans_it),
		TEST(a_kernel_without_nodes_has_one),
		TEST(garbage_in_a_node_ends_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
