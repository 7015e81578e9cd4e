// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Which region of the address space an address belongs to, with 4 and with 5 levels of page tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "address_info.h"
#include "places_image.h"

#define IMAGE 0xffffffff81000000ULL
#define VMEMMAP_START 0xffffea0000000000ULL
#define MAX_PFN 0x100000ULL /* 4 GiB */
#define PERCPU_FIRST (MEMORY_VIRTUAL + 0x80000000ULL)
#define UNIT 0x200000ULL
#define CHUNK VMALLOC_START

static struct places_image *image;
static uint64_t offsets[] = { PERCPU_FIRST, 0, PERCPU_FIRST + UNIT }; /* there is no CPU 1 */

static const char symbols[] = "0000000000000000 A __per_cpu_start\n"
			      "0000000000005000 A current_task\n"
			      "0000000000005008 A other_variable\n"
			      "0000000000030000 A __per_cpu_end\n"
			      "ffffffff81000000 T _text\n"
			      "ffffffff81000100 T pcpu_get_vm_areas\n"
			      "ffffffff81000200 T vmalloc_user\n"
			      "ffffffff81800000 T _etext\n"
			      "ffffffff81a00000 D __start_rodata\n"
			      "ffffffff81b00000 D __end_rodata\n"
			      "ffffffff81c00000 D _sdata\n"
			      "ffffffff81c00040 D jiffies\n"
			      "ffffffff81d00000 D _edata\n"
			      "ffffffff81e00000 B __bss_start\n"
			      "ffffffff81f00000 B __bss_stop\n"
			      "ffffffff82000000 B _end\n"
			      "ffffffffc0000010 t xfs_open [xfs]\n"
			      "ffffffffc0000090 t xfs_read [xfs]\n";

static int set_up(void **state)
{
	struct kernel_layout *layout;

	(void)state;
	image = places_create(true);
	layout = &image->kernel->layout;
	layout->base = (struct kernel_fact){ IMAGE, "test" };
	layout->paging_levels = (struct kernel_fact){ 4, "test" };
	layout->page_offset_base = (struct kernel_fact){ MEMORY_VIRTUAL, "test" };
	layout->vmalloc_base = (struct kernel_fact){ VMALLOC_START, "test" };
	layout->vmemmap_base = (struct kernel_fact){ VMEMMAP_START, "test" };
	layout->max_pfn = (struct kernel_fact){ MAX_PFN, "test" };
	image->kernel->cpu_count = 3;
	image->kernel->percpu_offsets = memcpy(malloc(sizeof(offsets)), offsets, sizeof(offsets));
	kernel_name_symbols(image->kernel, symbols);
	places_symbol(image, "pcpu_unit_size", MEMORY_VIRTUAL + 0x80);
	places_put(image, MEMORY_VIRTUAL + 0x80, UNIT);
	places_add_module(image, 0, "xfs");
	places_add_part(image, 0, 0, MODULE_START, 0x1000);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	places_destroy(image);
	return 0;
}

static struct address_info look(uint64_t address)
{
	struct address_info info;

	kernel_forget(image->kernel);
	assert_int_equal(address_info_read(image->kernel, address, &info), 0);
	assert_int_equal(info.address, address);
	return info;
}

static void assert_region(uint64_t address, enum address_region region)
{
	assert_string_equal(address_region_names[look(address).region], address_region_names[region]);
}

static void user_addresses_end_where_canonical_ones_do(void **state)
{
	(void)state;
	assert_region(0, ADDRESS_USER);
	assert_region(0x7fffffffffff, ADDRESS_USER);
	assert_region(0x800000000000, ADDRESS_NON_CANONICAL);
	assert_region(0xffff7fffffffffff, ADDRESS_NON_CANONICAL);
	assert_region(0xffff800000000000, ADDRESS_UNKNOWN);
	image->kernel->layout.paging_levels.value = 5;
	assert_region(0x800000000000, ADDRESS_USER);
	assert_region(0xffffffffffffff, ADDRESS_USER);
	assert_region(0x100000000000000, ADDRESS_NON_CANONICAL);
	assert_region(0xfeffffffffffffff, ADDRESS_NON_CANONICAL);
	assert_region(0xff00000000000000, ADDRESS_UNKNOWN);
}

static void the_image_has_sections_and_symbols(void **state)
{
	static const struct {
		uint64_t address;
		const char *section, *symbol;
		uint64_t offset;
	} places[] = {
		{ IMAGE, "text", "_text", 0 },
		{ IMAGE + 0x123, "text", "pcpu_get_vm_areas", 0x23 },
		{ IMAGE + 0x7fffff, "text", "vmalloc_user", 0x7ffdff },
		{ IMAGE + 0x900000, NULL, "_etext", 0x100000 },
		{ IMAGE + 0xafffff, "rodata", "__start_rodata", 0xfffff },
		{ IMAGE + 0xc00044, "data", "jiffies", 4 },
		{ IMAGE + 0xe00000, "bss", "__bss_start", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		struct address_info info = look(places[i].address);

		assert_int_equal(info.region, ADDRESS_IMAGE);
		if (places[i].section)
			assert_string_equal(info.section, places[i].section);
		else
			assert_null(info.section);
		assert_string_equal(info.symbol, places[i].symbol);
		assert_int_equal(info.symbol_offset, places[i].offset);
		assert_false(info.is_mapped);
	}
	assert_region(IMAGE - 1, ADDRESS_UNKNOWN);
	assert_region(IMAGE + 0x1000000, ADDRESS_UNKNOWN);
}

static void modules_have_a_name_and_a_part(void **state)
{
	struct address_info info = look(MODULE_START + 0x14);

	(void)state;
	assert_int_equal(info.region, ADDRESS_MODULE);
	assert_string_equal(info.module.name, "xfs");
	assert_string_equal(info.module.part, "text");
	assert_string_equal(info.symbol, "xfs_open");
	assert_int_equal(info.symbol_offset, 4);
	assert_region(MODULE_START + 0x1000, ADDRESS_UNKNOWN);
}

static void a_cpus_copy_of_a_variable_is_named(void **state)
{
	struct address_info info = look(PERCPU_FIRST + UNIT + 0x5004);

	(void)state;
	assert_int_equal(info.region, ADDRESS_PERCPU);
	assert_int_equal(info.cpu, 2);
	assert_int_equal(info.percpu_pointer, 0x5004);
	assert_string_equal(info.symbol, "current_task");
	assert_int_equal(info.symbol_offset, 4);
	assert_false(info.is_percpu_chunk);
	/* Allocated ones, behind the variables. */
	info = look(PERCPU_FIRST + UNIT - 1);
	assert_int_equal(info.region, ADDRESS_PERCPU);
	assert_int_equal(info.cpu, 0);
	assert_int_equal(info.percpu_pointer, UNIT - 1);
	assert_string_equal(info.symbol, "");
	assert_region(PERCPU_FIRST - 1, ADDRESS_DIRECT);
	assert_region(PERCPU_FIRST + 2 * UNIT, ADDRESS_DIRECT);
}

static void the_direct_map_ends_with_memory(void **state)
{
	struct address_info info = look(MEMORY_VIRTUAL + 0x3210);

	(void)state;
	assert_int_equal(info.region, ADDRESS_DIRECT);
	assert_int_equal(info.physical, 0x3210);
	assert_true(info.is_mapped);
	info = look(MEMORY_VIRTUAL + MAX_PFN * PAGE - 1);
	assert_int_equal(info.region, ADDRESS_DIRECT);
	assert_false(info.is_mapped);
	assert_region(MEMORY_VIRTUAL + MAX_PFN * PAGE, ADDRESS_UNKNOWN);
	assert_region(MEMORY_VIRTUAL - 1, ADDRESS_UNKNOWN);
}

static void a_struct_page_tells_its_page_frame(void **state)
{
	struct address_info info = look(VMEMMAP_START + 64 * 1234 + 40);

	(void)state;
	assert_int_equal(info.region, ADDRESS_STRUCT_PAGE);
	assert_int_equal(info.pfn, 1234);
	assert_int_equal(info.page_offset, 40);
	assert_region(VMEMMAP_START + 64 * MAX_PFN - 1, ADDRESS_STRUCT_PAGE);
	assert_region(VMEMMAP_START + 64 * MAX_PFN, ADDRESS_UNKNOWN);
}

static void vmalloc_space_has_areas(void **state)
{
	struct address_info info;

	(void)state;
	places_add_area(image, 0, VMALLOC_START + 0x8000, VMALLOC_START + 0xb000);
	places_put(image, AREA(0) + 64 + S_CALLER, IMAGE + 0x210);
	places_put(image, places_root(image, 2), AREA_NODE(0));
	info = look(VMALLOC_START + 0x9000);
	assert_int_equal(info.region, ADDRESS_VMALLOC);
	assert_int_equal(info.area.start, VMALLOC_START + 0x8000);
	assert_int_equal(info.area.caller, IMAGE + 0x210);
	assert_false(info.is_percpu_chunk);
	info = look(VMALLOC_START + 0x7fff);
	assert_int_equal(info.region, ADDRESS_VMALLOC);
	assert_int_equal(info.area.start, 0);
	assert_region(VMALLOC_START + (32ULL << 40) - 1, ADDRESS_VMALLOC);
	assert_region(VMALLOC_START - 1, ADDRESS_UNKNOWN);
}

static void chunks_of_percpu_memory_in_vmalloc_space_are_a_cpus(void **state)
{
	struct address_info info;

	(void)state;
	places_add_area(image, 0, CHUNK, CHUNK + 2 * UNIT);
	places_put(image, AREA(0) + 64 + S_CALLER, IMAGE + 0x110);
	places_put(image, places_root(image, 0), AREA_NODE(0));
	info = look(CHUNK + UNIT + 0x40);
	assert_int_equal(info.region, ADDRESS_PERCPU);
	assert_true(info.is_percpu_chunk);
	assert_int_equal(info.cpu, 2);
	assert_int_equal(info.percpu_pointer + offsets[2], CHUNK + UNIT + 0x40);
	info = look(CHUNK + 0x40);
	assert_int_equal(info.cpu, 0);
	assert_int_equal(info.percpu_pointer + offsets[0], CHUNK + 0x40);
	/* The same this_cpu pointer for all CPUs. */
	assert_int_equal(info.percpu_pointer, look(CHUNK + UNIT + 0x40).percpu_pointer);
}

static void small_areas_lie_at_fixed_places(void **state)
{
	(void)state;
	assert_region(0xfffffe0000000000, ADDRESS_FIXED);
	assert_region(0xffffff0000000000, ADDRESS_FIXED);
	assert_region(0xffffffffff5fb000, ADDRESS_FIXED);
	assert_region(0xffffff8000000000, ADDRESS_UNKNOWN);
}

static void what_is_not_known_is_left_out(void **state)
{
	static const uint64_t addresses[] = {
		0, IMAGE, MODULE_START, PERCPU_FIRST, MEMORY_VIRTUAL, VMALLOC_START, VMEMMAP_START, UINT64_MAX
	};

	(void)state;
	memset(&image->kernel->layout, 0, sizeof(image->kernel->layout));
	kernel_symbols_destroy(image->kernel->symbols);
	assert_int_equal(kernel_symbols_create(&image->kernel->symbols), 0);
	image->kernel->cpu_count = 0;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		enum address_region region = look(addresses[i]).region;

		assert_true(region == ADDRESS_UNKNOWN || region == ADDRESS_USER || region == ADDRESS_FIXED);
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(user_addresses_end_where_canonical_ones_do),
		TEST(the_image_has_sections_and_symbols),
		TEST(modules_have_a_name_and_a_part),
		TEST(a_cpus_copy_of_a_variable_is_named),
		TEST(the_direct_map_ends_with_memory),
		TEST(a_struct_page_tells_its_page_frame),
		TEST(vmalloc_space_has_areas),
		TEST(chunks_of_percpu_memory_in_vmalloc_space_are_a_cpus),
		TEST(small_areas_lie_at_fixed_places),
		TEST(what_is_not_known_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
