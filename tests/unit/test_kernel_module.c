// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Modules by the addresses of their parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel_module.h"
#include "places_image.h"

static struct places_image *image;

static void build(bool is_new)
{
	image = places_create(is_new);
	places_add_module(image, 0, "xfs");
	places_add_module(image, 1, "nf_tables");
	for (unsigned module = 0; module < 2; module++)
		for (unsigned part = 0; part < (is_new ? M_PART_COUNT : 2); part++)
			places_add_part(image, module, part,
					MODULE_START + module * 0x100000 + part * 0x10000,
					0x1000 * (part + 1));
}

static void assert_part(uint64_t address, const char *name, const char *part, uint64_t start, uint64_t size)
{
	struct kernel_module module;

	kernel_forget(image->kernel);
	assert_int_equal(kernel_module_at(image->kernel, address, &module, NULL), 0);
	assert_string_equal(module.name, name);
	assert_string_equal(module.part, part);
	assert_int_equal(module.start, start);
	assert_int_equal(module.size, size);
}

static int find(uint64_t address)
{
	struct kernel_module module;

	kernel_forget(image->kernel);
	return kernel_module_at(image->kernel, address, &module, NULL);
}

static void each_part_of_mem_has_its_name(void **state)
{
	static const char *const parts[] = { "text",	  "data",      "rodata",     "ro_after_init",
					     "init text", "init data", "init rodata" };

	(void)state;
	build(true);
	for (unsigned part = 0; part < M_PART_COUNT; part++) {
		uint64_t start = MODULE_START + 0x100000 + part * 0x10000;

		assert_part(start, "nf_tables", parts[part], start, 0x1000 * (part + 1));
		assert_part(start + 0x1000 * (part + 1) - 1, "nf_tables", parts[part], start,
			    0x1000 * (part + 1));
		assert_int_equal(find(start + 0x1000 * (part + 1)), -ENOENT);
	}
	assert_part(MODULE_START, "xfs", "text", MODULE_START, 0x1000);
	assert_int_equal(find(MODULE_START - 1), -ENOENT);
	places_destroy(image);
}

static void core_and_init_are_told_apart(void **state)
{
	(void)state;
	build(false);
	assert_part(MODULE_START + 5, "xfs", "core", MODULE_START, 0x1000);
	assert_part(MODULE_START + 0x11fff, "xfs", "init", MODULE_START + 0x10000, 0x2000);
	assert_part(MODULE_START + 0x100fff, "nf_tables", "core", MODULE_START + 0x100000, 0x1000);
	assert_int_equal(find(MODULE_START + 0x1000), -ENOENT);
	/* Freed once the module is initialised. */
	places_add_part(image, 0, 1, 0, 0);
	assert_int_equal(find(MODULE_START + 0x10000), -ENOENT);
	assert_int_equal(find(0), -ENOENT);
	places_destroy(image);
}

static void a_damaged_list_ends(void **state)
{
	(void)state;
	for (int is_new = 0; is_new < 2; is_new++) {
		build(is_new);
		places_put(image, MODULE(1) + M_LIST, MODULE(0) + M_LIST);
		assert_int_equal(find(MODULE_START - 1), -ENOENT);
		assert_part(MODULE_START + 0x100000, "nf_tables", is_new ? "text" : "core",
			    MODULE_START + 0x100000, 0x1000);
		places_put(image, MODULE(0) + M_LIST, 0xdead000000000100);
		assert_int_equal(find(MODULE_START + 0x100000), -ENOENT);
		places_destroy(image);
	}
}

static void a_part_that_wraps_covers_its_begin_alone(void **state)
{
	(void)state;
	build(true);
	places_add_part(image, 0, 0, UINT64_MAX - 0xfff, 0x7fffffff);
	assert_part(UINT64_MAX, "xfs", "text", UINT64_MAX - 0xfff, 0x7fffffff);
	assert_int_equal(find(0), -ENOENT);
	places_destroy(image);
}

static void a_name_without_end_is_cut(void **state)
{
	struct kernel_module module;

	(void)state;
	build(true);
	memset(image->memory->bytes[SPACE_VIRTUAL] + (MODULE(0) + M_NAME - MEMORY_VIRTUAL), 'x', 72);
	assert_int_equal(kernel_module_at(image->kernel, MODULE_START, &module, NULL), 0);
	assert_int_equal(strlen(module.name), sizeof(module.name) - 1);
	places_destroy(image);
}

static void without_the_list_the_message_says_so(void **state)
{
	struct kernel_module module;
	struct error err = { 0 };

	(void)state;
	image = places_create(true);
	kernel_symbols_destroy(image->kernel->symbols);
	assert_int_equal(kernel_symbols_create(&image->kernel->symbols), 0);
	assert_int_equal(kernel_module_at(image->kernel, MODULE_START, &module, &err), -ENOENT);
	assert_non_null(strstr(err.text, "list of modules"));
	places_destroy(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_part_of_mem_has_its_name),
		cmocka_unit_test(core_and_init_are_told_apart),
		cmocka_unit_test(a_damaged_list_ends),
		cmocka_unit_test(a_part_that_wraps_covers_its_begin_alone),
		cmocka_unit_test(a_name_without_end_is_cut),
		cmocka_unit_test(without_the_list_the_message_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
