// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Areas of vmalloc space by address, in one tree and in several; trees that are damaged end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "places_image.h"
#include "vmalloc.h"

#define START(i) (VMALLOC_START + 0x10000 * (uint64_t)(i))

static struct places_image *image;

/* Areas 0 to 4, 2 on top of 0 (with 1) and 4 (with 3); area 5 alone in another tree where there are several.
 */
static void build(bool is_new)
{
	image = places_create(is_new);
	for (unsigned i = 0; i < 6; i++)
		places_add_area(image, i, START(i), START(i) + 0x5000);
	places_put(image, places_root(image, 3), AREA_NODE(2));
	places_put(image, AREA_NODE(2) + R_LEFT, AREA_NODE(0));
	places_put(image, AREA_NODE(0) + R_RIGHT, AREA_NODE(1));
	places_put(image, AREA_NODE(2) + R_RIGHT, AREA_NODE(4));
	places_put(image, AREA_NODE(4) + R_LEFT, AREA_NODE(3));
	if (is_new)
		places_put(image, places_root(image, 1), AREA_NODE(5));
	else
		places_put(image, AREA_NODE(4) + R_RIGHT, AREA_NODE(5));
}

static void in_both(void (*test)(void))
{
	for (int is_new = 0; is_new < 2; is_new++) {
		build(is_new);
		test();
		places_destroy(image);
	}
}

static int find(uint64_t address, struct vmalloc_area *area)
{
	kernel_forget(image->kernel);
	return vmalloc_find(image->kernel, address, area, NULL);
}

static void look_for_each(void)
{
	for (unsigned i = 0; i < 6; i++) {
		struct vmalloc_area area = { 0 };

		assert_int_equal(find(START(i) + 0x4fff, &area), 0);
		assert_int_equal(area.start, START(i));
		assert_int_equal(area.end, START(i) + 0x5000);
		assert_int_equal(area.vm_struct, AREA(i) + 64);
		assert_int_equal(area.size, 0x5000);
		assert_int_equal(area.flags, 0x22);
		assert_int_equal(area.page_count, i + 1);
		assert_int_equal(area.physical, 0x1000 * i);
		assert_int_equal(area.caller, 0xffffffff81000000 + i);
		assert_int_equal(find(START(i), &area), 0);
		assert_int_equal(area.start, START(i));
	}
}

static void every_area_is_found_by_any_of_its_addresses(void **state)
{
	(void)state;
	in_both(look_for_each);
}

static void look_between(void)
{
	struct vmalloc_area area = { .start = 7 };
	struct error err = { 0 };

	assert_int_equal(find(START(0) - 1, &area), -ENOENT);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(find(START(i) + 0x5000, &area), -ENOENT);
	assert_int_equal(area.start, 7);
	assert_int_equal(vmalloc_find(image->kernel, START(9), &area, &err), -ENOENT);
	assert_non_null(strstr(err.text, "covers"));
}

static void between_areas_there_is_none(void **state)
{
	(void)state;
	in_both(look_between);
}

static void take_vm_struct_away(void)
{
	struct vmalloc_area area;

	places_put(image, AREA(3) + V_VM, 0);
	assert_int_equal(find(START(3), &area), 0);
	assert_int_equal(area.start, START(3));
	assert_int_equal(area.vm_struct, 0);
	assert_int_equal(area.size, 0);
}

static void an_area_of_vm_map_ram_has_no_vm_struct(void **state)
{
	(void)state;
	in_both(take_vm_struct_away);
}

static void damage_trees(void)
{
	struct vmalloc_area area;

	/* In a circle; into itself; to nowhere; without pages. */
	places_put(image, AREA_NODE(4) + R_LEFT, AREA_NODE(2));
	places_put(image, AREA_NODE(2) + R_RIGHT, AREA_NODE(4));
	places_put(image, AREA(2) + V_END, START(2));
	assert_int_equal(find(START(3), &area), -ENOENT);
	places_put(image, AREA_NODE(0) + R_RIGHT, AREA_NODE(0));
	assert_int_equal(find(START(1), &area), -ENOENT);
	places_put(image, AREA_NODE(0) + R_RIGHT, 0x4141414141414141);
	assert_int_equal(find(START(1), &area), -ENOENT);
	assert_int_equal(find(START(0), &area), 0);
	places_put(image, AREA(0) + V_VM, 0xdead000000000000);
	assert_int_equal(find(START(0), &area), 0);
	assert_int_equal(area.size, 0);
	image->memory->hole = MEMORY_VIRTUAL + 4 * PAGE;
	assert_int_equal(find(START(0), &area), -ENOENT);
}

static void damaged_trees_end(void **state)
{
	(void)state;
	in_both(damage_trees);
}

static void a_number_of_trees_that_cannot_be_is_bounded(void **state)
{
	struct vmalloc_area area;

	(void)state;
	build(true);
	places_put(image, TREE_NODES - 8, UINT32_MAX);
	assert_int_equal(find(START(9), &area), -ENOENT);
	assert_int_equal(find(START(5), &area), 0);
	places_put(image, TREE_NODES - 8, 0);
	assert_int_equal(find(START(5), &area), -ENOENT);
	places_destroy(image);
}

static void without_symbols_the_message_says_so(void **state)
{
	struct vmalloc_area area;
	struct error err = { 0 };

	(void)state;
	image = places_create(true);
	kernel_symbols_destroy(image->kernel->symbols);
	assert_int_equal(kernel_symbols_create(&image->kernel->symbols), 0);
	assert_int_equal(vmalloc_find(image->kernel, START(0), &area, &err), -ENOENT);
	assert_non_null(strstr(err.text, "vmap_area_root"));
	places_destroy(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_area_is_found_by_any_of_its_addresses),
		cmocka_unit_test(between_areas_there_is_none),
		cmocka_unit_test(an_area_of_vm_map_ram_has_no_vm_struct),
		cmocka_unit_test(damaged_trees_end),
		cmocka_unit_test(a_number_of_trees_that_cannot_be_is_bounded),
		cmocka_unit_test(without_symbols_the_message_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
