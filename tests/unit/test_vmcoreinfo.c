// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Lookups in the text of VMCOREINFO. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "vmcoreinfo.h"

static const char text[] = "OSRELEASE=6.18.15\n"
			   "PAGESIZE=4096\n"
			   "SYMBOL(_stext)=ffffffff9d800000\n"
			   "NUMBER(VMALLOC_START)=0xff575a9800000000\n"
			   "SIZE(page)=64\n"
			   "NUMBER(phys_base)=-98566144\n"
			   "NUMBER(empty)=\n"
			   "NUMBER(words)=many\n"
			   "NUMBER(tail)=12 apples\n"
			   "NUMBER(huge)=99999999999999999999\n"
			   "LENGTH(node_data)=1024\n"
			   "KERNELOFFSET=1c800000";

static void values_are_found_by_whole_keys(void **state)
{
	char value[32];
	size_t length;

	(void)state;
	assert_int_equal(vmcoreinfo_text(text, "OSRELEASE", value, sizeof(value)), 0);
	assert_string_equal(value, "6.18.15");
	assert_null(vmcoreinfo_find(text, "RELEASE", &length));
	assert_null(vmcoreinfo_find(text, "OSRELEAS", &length));
	assert_null(vmcoreinfo_find(text, "6.18.15", &length));
	assert_null(vmcoreinfo_find("", "OSRELEASE", &length));
}

static void text_is_cut_to_the_buffer(void **state)
{
	char value[4] = "xxx";

	(void)state;
	assert_int_equal(vmcoreinfo_text(text, "OSRELEASE", value, sizeof(value)), 0);
	assert_string_equal(value, "6.1");
	assert_int_equal(vmcoreinfo_text(text, "ABSENT", value, sizeof(value)), -ENOENT);
	assert_string_equal(value, "6.1");
}

static void symbols_are_hexadecimal(void **state)
{
	uint64_t address = 0;

	(void)state;
	assert_int_equal(vmcoreinfo_symbol(text, "_stext", &address), 0);
	assert_int_equal(address, 0xffffffff9d800000);
	assert_int_equal(vmcoreinfo_symbol(text, "stext", &address), -ENOENT);
	assert_int_equal(vmcoreinfo_kernel_offset(text, &address), 0);
	assert_int_equal(address, 0x1c800000);
}

static void numbers_are_signed_or_have_0x(void **state)
{
	int64_t number = 0;

	(void)state;
	assert_int_equal(vmcoreinfo_number(text, "phys_base", &number), 0);
	assert_int_equal(number, -98566144);
	assert_int_equal(vmcoreinfo_number(text, "VMALLOC_START", &number), 0);
	assert_int_equal((uint64_t)number, 0xff575a9800000000);
	assert_int_equal(vmcoreinfo_entry(text, "SIZE", "page", &number), 0);
	assert_int_equal(number, 64);
	assert_int_equal(vmcoreinfo_entry(text, "LENGTH", "node_data", &number), 0);
	assert_int_equal(number, 1024);
}

static void what_is_no_number_is_refused(void **state)
{
	static const char *const names[] = { "empty", "words", "tail", "huge" };
	int64_t number = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(vmcoreinfo_number(text, names[i], &number), -EBADMSG);
	assert_int_equal(number, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_found_by_whole_keys), cmocka_unit_test(text_is_cut_to_the_buffer),
		cmocka_unit_test(symbols_are_hexadecimal),	  cmocka_unit_test(numbers_are_signed_or_have_0x),
		cmocka_unit_test(what_is_no_number_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
