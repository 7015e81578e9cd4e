// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What struct page says of its page, in each era of its members. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "zone_image.h"

#define ANY_PFN 77

static struct zone_image *image;
static struct page_layout layout;

static void build(enum page_era era)
{
	image = zone_image_create(era);
	assert_int_equal(page_layout_load(image->kernel, &layout, NULL), 0);
}

static struct page read_page(uint64_t pfn)
{
	struct page page;

	kernel_forget(image->kernel);
	assert_int_equal(page_read(image->kernel, &layout, pfn, &page), 0);
	assert_int_equal(page.pfn, pfn);
	assert_int_equal(page.address, ZONE_PAGE(pfn));
	return page;
}

static void in_every_era(void (*test)(void))
{
	for (int era = 0; era < ERAS; era++) {
		build(era);
		test();
		zone_image_destroy(image);
	}
}

static void look_at_free_block(void)
{
	struct page page;

	zone_mark_free(image, ANY_PFN, 3);
	page = read_page(ANY_PFN);
	assert_int_equal(page.kind, PAGE_FREE);
	assert_int_equal(page.order, 3);
	assert_int_equal(page.mapcount, 0);
	zone_put(image, ZONE_PAGE(ANY_PFN) + G_PRIVATE, 64);
	assert_int_equal(read_page(ANY_PFN).order, 0);
	/* Near the value of a free block, and of the other era's. */
	zone_put32(image, ZONE_PAGE(ANY_PFN) + G_TYPE,
		   image->era == ERA_VALUES ? 0xf0000000 : (uint32_t)-129);
	assert_int_not_equal(read_page(ANY_PFN).kind, PAGE_FREE);
	zone_put32(image, ZONE_PAGE(ANY_PFN) + G_TYPE,
		   image->era == ERA_VALUES ? (uint32_t)-128 : 0xf1000000);
	assert_int_not_equal(read_page(ANY_PFN).kind, PAGE_FREE);
}

static void a_free_block_is_known_by_its_page_type(void **state)
{
	(void)state;
	in_every_era(look_at_free_block);
}

static void vmcoreinfo_says_what_a_free_block_has(void **state)
{
	(void)state;
	image = zone_image_create(ERA_VALUES);
	image->kernel->vmcoreinfo = strdup("OSRELEASE=5.0\nNUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-1025\n");
	assert_int_equal(page_layout_load(image->kernel, &layout, NULL), 0);
	zone_mark_free(image, ANY_PFN, 3);
	assert_int_not_equal(read_page(ANY_PFN).kind, PAGE_FREE);
	zone_put32(image, ZONE_PAGE(ANY_PFN) + G_TYPE, (uint32_t)-1025);
	assert_int_equal(read_page(ANY_PFN).kind, PAGE_FREE);
	zone_image_destroy(image);
}

static void look_at_types(void)
{
	struct page page;

	if (image->era == ERA_VALUES)
		zone_put(image, ZONE_PAGE(ANY_PFN) + G_FLAGS, 1 << 9);
	else
		zone_put32(image, ZONE_PAGE(ANY_PFN) + G_TYPE, 0xf5000003);
	page = read_page(ANY_PFN);
	assert_int_equal(page.kind, PAGE_TYPED);
	assert_string_equal(page.type, "slab");
	assert_int_equal(page.mapcount, 0);
	if (image->era == ERA_VALUES)
		return;
	zone_put32(image, ZONE_PAGE(ANY_PFN) + G_TYPE, 0xf2ffffff);
	assert_string_equal(read_page(ANY_PFN).type, "table");
	/* A type that this file doesn't know, and counts of mappings. */
	zone_put32(image, ZONE_PAGE(ANY_PFN) + G_TYPE, 0xfa000000);
	assert_int_equal(read_page(ANY_PFN).kind, PAGE_OTHER);
	zone_put32(image, ZONE_PAGE(ANY_PFN) + G_TYPE, 4);
	page = read_page(ANY_PFN);
	assert_int_equal(page.kind, PAGE_OTHER);
	assert_int_equal(page.mapcount, 5);
}

static void types_have_their_names(void **state)
{
	(void)state;
	in_every_era(look_at_types);
}

static void look_at_mappings(void)
{
	struct page page;

	zone_put32(image, ZONE_PAGE(ANY_PFN) + G_REFCOUNT, 2);
	zone_put32(image, ZONE_PAGE(ANY_PFN) + G_MAPCOUNT, 0);
	zone_put(image, ZONE_PAGE(ANY_PFN) + G_MAPPING, MEMORY_VIRTUAL + 1);
	zone_put(image, ZONE_PAGE(ANY_PFN) + G_INDEX, 1234);
	page = read_page(ANY_PFN);
	assert_int_equal(page.kind, PAGE_ANON);
	assert_int_equal(page.refcount, 2);
	assert_int_equal(page.mapcount, 1);
	assert_int_equal(page.index, 1234);
	zone_put(image, ZONE_PAGE(ANY_PFN) + G_MAPPING, MEMORY_VIRTUAL);
	assert_int_equal(read_page(ANY_PFN).kind, PAGE_FILE);
	zone_put(image, ZONE_PAGE(ANY_PFN) + G_MAPPING, 0x1234);
	assert_int_equal(read_page(ANY_PFN).kind, PAGE_OTHER);
	zone_put(image, ZONE_PAGE(ANY_PFN) + G_FLAGS, 1 << 12);
	assert_int_equal(read_page(ANY_PFN).kind, PAGE_RESERVED);
	zone_put(image, ZONE_PAGE(ANY_PFN) + G_FLAGS, 0);
	zone_put(image, ZONE_PAGE(ANY_PFN) + G_MAPPING, MEMORY_VIRTUAL);
	zone_put32(image, ZONE_PAGE(ANY_PFN) + G_REFCOUNT, 0);
	assert_int_equal(read_page(ANY_PFN).kind, PAGE_OTHER);
}

static void mappings_tell_anonymous_memory_from_files(void **state)
{
	(void)state;
	in_every_era(look_at_mappings);
}

static void look_at_compound(void)
{
	uint64_t head = ZONE_PAGE(64),
		 value = image->era == ERA_MASKS ? ~(64 * UINT64_C(8) - 1) | 1 : head | 1;

	for (uint64_t pfn = 65; pfn < 72; pfn++) {
		zone_put(image, ZONE_PAGE(pfn) + G_COMPOUND, value);
		assert_int_equal(read_page(pfn).head, head);
	}
	assert_int_equal(read_page(64).head, head);
	assert_int_equal(read_page(72).head, ZONE_PAGE(72));
}

static void the_head_of_a_compound_page_is_found(void **state)
{
	(void)state;
	in_every_era(look_at_compound);
}

static void look_at_flags(void)
{
	char text[64], little[8];

	assert_string_equal(page_flag_names(&layout, 0, text, sizeof(text)), "");
	assert_string_equal(page_flag_names(&layout, 1 | 1 << 6 | 1 << 12, text, sizeof(text)),
			    "locked|head|reserved");
	/* Bit 5 has an alias behind the end of the flags; bits without a name are left out. */
	assert_string_equal(page_flag_names(&layout, 1 << 5 | 1ULL << 40, text, sizeof(text)), "lru");
	assert_int_equal(layout.head_bit, 6);
	page_flag_names(&layout, UINT64_MAX, little, sizeof(little));
	assert_string_equal(little, "locked|");
}

static void flags_have_the_kernels_names(void **state)
{
	(void)state;
	in_every_era(look_at_flags);
}

static void look_beyond(void)
{
	struct page page;

	assert_int_equal(page_read(image->kernel, &layout, ZONE_PFNS, &page), -EFAULT);
	assert_int_equal(page_read(image->kernel, &layout, UINT64_MAX, &page), -EFAULT);
	image->memory->hole = ZONE_VMEMMAP;
	kernel_forget(image->kernel);
	assert_int_equal(page_read(image->kernel, &layout, 0, &page), -EFAULT);
}

static void pages_that_there_are_not_are_an_error(void **state)
{
	(void)state;
	in_every_era(look_beyond);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_free_block_is_known_by_its_page_type),
		cmocka_unit_test(vmcoreinfo_says_what_a_free_block_has),
		cmocka_unit_test(types_have_their_names),
		cmocka_unit_test(mappings_tell_anonymous_memory_from_files),
		cmocka_unit_test(the_head_of_a_compound_page_is_found),
		cmocka_unit_test(flags_have_the_kernels_names),
		cmocka_unit_test(pages_that_there_are_not_are_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
