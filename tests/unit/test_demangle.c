// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Readable names of C++ and Rust symbols, and names written to do harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libiberty/demangle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demangle.h"

static void assert_demangles(const char *mangled, const char *expected)
{
	char *name = demangle(mangled);

	assert_non_null(name);
	assert_string_equal(name, expected);
	free(name);
}

static void demangles_cplusplus_templates_and_parameters(void **state)
{
	(void)state;
	assert_demangles("_ZNSt6vectorIiSaIiEE9push_backERKi",
			 "std::vector<int, std::allocator<int> >::push_back(int const&)");
	assert_demangles("_ZN3fooC1Ev", "foo::foo()");
	assert_demangles("_Znwm", "operator new(unsigned long)");
}

static void says_which_clone_of_a_function_it_is(void **state)
{
	(void)state;
	assert_demangles("_Z3foov.part.0", "foo() [clone .part.0]");
}

static void demangles_rust_v0_names(void **state)
{
	(void)state;
	assert_demangles("_RNvCskwGfYPst2Cb_3foo3bar", "foo::bar");
	assert_demangles("_RNvMsr_NtCs3ssYzQotkvD_3std4pathNtB5_7PathBuf3newCs15kBYyAo9fc_7mycrate",
			 "<std::path::PathBuf>::new");
}

static void demangles_rust_legacy_names_without_their_hash(void **state)
{
	(void)state;
	assert_demangles("_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write");
	assert_demangles(
		"_ZN60_$LT$alloc..string..String$u20$as$u20$core..clone..Clone$GT$5clone17h0123456789abcdefE",
		"<alloc::string::String as core::clone::Clone>::clone");
}

static void leaves_other_names_alone(void **state)
{
	static const char *const names[] = {"",	  "malloc", "_start", "__libc_malloc",
					    "_Z", "_R",	    "_Zxx",   "_ZN3fo"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_null(demangle(names[i]));
}

static void demangles_names_longer_than_libiberty_would(void **state)
{
	char mangled[4096], *to = mangled + sprintf(mangled, "_ZN"), *name;

	(void)state;
	for (int i = 0; i < 600; i++)
		to += sprintf(to, "3foo");
	sprintf(to, "Ev");
	name = demangle(mangled);
	assert_non_null(name);
	assert_int_equal(strlen(name), 600 * 5 - 2 + 2);
	free(name);
}

/* Each argument is a pair of the one before: the readable form doubles with every eleven bytes. */
static void leaves_alone_names_that_would_unfold_without_end(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char mangled[1024], *to = mangled + sprintf(mangled, "_Z1fI1AIiiES0_IS1_S1_E"), *name;

	(void)state;
	for (int i = 2; i < 6; i++)
		to += sprintf(to, "S0_IS%c_S%c_E", digits[i], digits[i]);
	strcpy(to, "EvT_");
	name = demangle(mangled);
	assert_non_null(name);
	free(name);
	for (int i = 6; i < 14; i++)
		to += sprintf(to, "S0_IS%c_S%c_E", digits[i], digits[i]);
	strcpy(to, "EvT_");
	name = cplus_demangle(mangled, DMGL_AUTO | DMGL_PARAMS);
	assert_non_null(name);
	assert_true(strlen(name) > 100000);
	free(name);
	assert_null(demangle(mangled));
	for (int i = 14; i < 34; i++)
		to += sprintf(to, "S0_IS%c_S%c_E", digits[i], digits[i]);
	strcpy(to, "EvT_");
	assert_null(demangle(mangled));
}

static void survives_deep_nesting(void **state)
{
	char mangled[16384];

	(void)state;
	for (size_t length = 16; length < sizeof(mangled) - 8; length *= 2) {
		memset(mangled, 'P', length);
		memcpy(mangled, "_Z1f", 4);
		strcpy(mangled + length, "i");
		free(demangle(mangled));
		memset(mangled, 'J', length);
		memcpy(mangled, "_Z1fI", 5);
		free(demangle(mangled));
		memset(mangled, 'R', length);
		memcpy(mangled, "_RN", 3);
		free(demangle(mangled));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(demangles_cplusplus_templates_and_parameters),
		cmocka_unit_test(says_which_clone_of_a_function_it_is),
		cmocka_unit_test(demangles_rust_v0_names),
		cmocka_unit_test(demangles_rust_legacy_names_without_their_hash),
		cmocka_unit_test(leaves_other_names_alone),
		cmocka_unit_test(demangles_names_longer_than_libiberty_would),
		cmocka_unit_test(leaves_alone_names_that_would_unfold_without_end),
		cmocka_unit_test(survives_deep_nesting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
