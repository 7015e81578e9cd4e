// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Files with the symbols that were stripped from a program: which is believed to be its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>

#include "debug_file.h"
#include "elf_programs.h"

static void finds_local_functions_in_minidebuginfo(void **state)
{
	struct elf_object *object;

	(void)state;
	run("objcopy -S --keep-symbol=hidden pie mini && objcopy --only-keep-debug mini mini.debug; rm -f "
	    "mini.debug.xz;"
	    "xz mini.debug && objcopy --add-section .gnu_debugdata=mini.debug.xz stripped minidebug");
	object = open_object("minidebug");
	assert_function_at(object, "hidden", nm_address("pie", "hidden"));
	elf_object_unref(object);
	assert_names("minidebug", nm_address("pie", "hidden") + 1, "hidden");
	assert_names("stripped", nm_address("pie", "hidden") + 1, NULL);
}

/* Open the stripped program with a debug directory, and say whether its local function is found. */
static bool finds_hidden(const char *file, const char *debug_directory)
{
	struct debug_search search = {.directory = fixture_path(debug_directory)};
	struct elf_object *object = open_object(file);
	struct elf_function function;
	int r;

	elf_object_set_debug_search(object, &search);
	r = elf_object_find_function(object, "hidden", &function, NULL);
	if (!r)
		assert_int_equal(function.vaddr, nm_address("pie", "hidden"));
	elf_object_unref(object);
	return r == 0;
}

static void finds_the_debug_file_by_build_id(void **state)
{
	(void)state;
	run("objcopy --only-keep-debug pie pie.debug;"
	    "id=$(readelf -n pie | sed -n 's/.*Build ID: //p'); dir=debug/.build-id/$(echo $id | cut -c-2); "
	    "mkdir -p $dir;"
	    "cp pie.debug $dir/$(echo $id | cut -c3-).debug");
	assert_true(finds_hidden("stripped", "debug"));
	assert_false(finds_hidden("stripped", "no-such-directory"));
}

static void refuses_a_debug_file_with_another_build_id(void **state)
{
	(void)state;
	run("id=$(readelf -n pie | sed -n 's/.*Build ID: //p'); dir=wrong/.build-id/$(echo $id | cut -c-2); "
	    "mkdir -p $dir;"
	    "gcc -O1 -Wl,--build-id=0x1234567890 -fPIE -pie p.c -o other;"
	    "objcopy --only-keep-debug other $dir/$(echo $id | cut -c3-).debug");
	assert_false(finds_hidden("stripped", "wrong"));
}

static void finds_the_debug_file_by_its_link(void **state)
{
	(void)state;
	run("gcc -O1 -Wl,--build-id=none -fPIE -pie p.c -o plain && objcopy --only-keep-debug plain "
	    "plain.debug &&"
	    "strip plain && objcopy --add-gnu-debuglink=plain.debug plain linked");
	assert_true(finds_hidden("linked", "nothing"));
	run("mkdir -p .debug && mv plain.debug .debug/");
	assert_true(finds_hidden("linked", "nothing"));
	run("mkdir -p links%1$s && mv .debug/plain.debug links%1$s/", fixture_directory);
	assert_true(finds_hidden("linked", "links"));
	assert_false(finds_hidden("linked", "nothing"));
}

static void refuses_a_linked_debug_file_with_another_crc(void **state)
{
	(void)state;
	run("gcc -O1 -Wl,--build-id=none -fPIE -pie p.c -o crc && objcopy --only-keep-debug crc crc.debug &&"
	    "strip crc && objcopy --add-gnu-debuglink=crc.debug crc crc-linked");
	assert_true(finds_hidden("crc-linked", "nothing"));
	run("printf x >>crc.debug");
	assert_false(finds_hidden("crc-linked", "nothing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_local_functions_in_minidebuginfo),
		cmocka_unit_test(finds_the_debug_file_by_build_id),
		cmocka_unit_test(refuses_a_debug_file_with_another_build_id),
		cmocka_unit_test(finds_the_debug_file_by_its_link),
		cmocka_unit_test(refuses_a_linked_debug_file_with_another_crc),
	};

	return cmocka_run_group_tests(tests, build_all, fixture_teardown);
}
