// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Sizes, durations and counts: how they are shown, and what is accepted. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "units.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define S UINT64_C(1000000000)

struct format_case {
	uint64_t value;
	const char *text;
};

static void assert_formats(const struct format_case *cases, size_t count, char *(*format)(uint64_t, char *))
{
	char text[UNITS_TEXT_MAX];

	for (size_t i = 0; i < count; i++)
		assert_string_equal(format(cases[i].value, text), cases[i].text);
}

static void bytes_are_shown_in_powers_of_1024(void **state)
{
	static const struct format_case cases[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1536, "1.5 KiB" },
		{ 81920, "80.0 KiB" },
		{ 1572864, "1.5 MiB" },
		{ UINT64_C(1) << 30, "1.0 GiB" },
		{ UINT64_C(5) << 40, "5.0 TiB" },
		{ UINT64_C(3) << 50, "3.0 PiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};

	(void)state;
	assert_formats(cases, COUNT_OF(cases), units_format_bytes);
}

static void rounding_moves_on_to_the_next_unit(void **state)
{
	static const struct format_case bytes[] = {
		{ 1023 * 1024 + 960, "1023.9 KiB" },
		{ 1024 * 1024 - 1, "1.0 MiB" },
		{ 1075, "1.0 KiB" },
		{ 1076, "1.1 KiB" },
	};
	static const struct format_case durations[] = {
		{ 999949, "999.9 us" }, { 999950, "1.0 ms" },	   { 999949999, "999.9 ms" },
		{ 999950000, "1.0 s" }, { 59949999999, "59.9 s" }, { 59950000000, "1m00s" },
	};
	static const struct format_case counts[] = { { 999949, "999.9k" }, { 999950, "1.0M" } };

	(void)state;
	assert_formats(bytes, COUNT_OF(bytes), units_format_bytes);
	assert_formats(durations, COUNT_OF(durations), units_format_duration);
	assert_formats(counts, COUNT_OF(counts), units_format_count);
}

static void durations_are_shown_in_the_unit_that_fits(void **state)
{
	static const struct format_case cases[] = {
		{ 0, "0 ns" },
		{ 999, "999 ns" },
		{ 1000, "1.0 us" },
		{ 1234567, "1.2 ms" },
		{ 3400000000, "3.4 s" },
		{ 60 * S, "1m00s" },
		{ 125 * S, "2m05s" },
		{ 3600 * S - 1, "59m59s" },
		{ 3 * 3600 * S + 7 * 60 * S, "3h07m" },
		{ 99 * 3600 * S, "4d03h" },
		{ UINT64_MAX, "213503d23h" },
	};

	(void)state;
	assert_formats(cases, COUNT_OF(cases), units_format_duration);
}

static void counts_are_exact_below_10000(void **state)
{
	static const struct format_case cases[] = {
		{ 0, "0" },
		{ 9999, "9999" },
		{ 10000, "10.0k" },
		{ 12345678, "12.3M" },
		{ UINT64_MAX, "18.4E" },
	};

	(void)state;
	assert_formats(cases, COUNT_OF(cases), units_format_count);
}

struct parse_case {
	const char *text;
	int error;
	uint64_t value;
};

static void assert_parses(const struct parse_case *cases, size_t count,
			  int (*parse)(const char *, uint64_t *))
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = 4711;

		if (parse(cases[i].text, &value) != cases[i].error)
			fail_msg("'%s' doesn't give %d", cases[i].text, cases[i].error);
		if (value != (cases[i].error ? 4711 : cases[i].value))
			fail_msg("'%s' gives %llu", cases[i].text, (unsigned long long)value);
	}
}

static void sizes_are_powers_of_1024(void **state)
{
	static const struct parse_case cases[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "4096B", 0, 4096 },
		{ "512K", 0, 512 << 10 },
		{ "512k", 0, 512 << 10 },
		{ "64KiB", 0, 64 << 10 },
		{ "1.5M", 0, 3 << 19 },
		{ "10g", 0, UINT64_C(10) << 30 },
		{ "2T", 0, UINT64_C(2) << 40 },
		{ "2P", 0, UINT64_C(2) << 50 },
		{ "15E", 0, UINT64_C(15) << 60 },
		{ "0.3K", 0, 307 },
		{ "0.00000000000000000000000000001E", 0, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
	};

	(void)state;
	assert_parses(cases, COUNT_OF(cases), units_parse_size);
}

static void what_is_no_size_is_refused(void **state)
{
	static const struct parse_case cases[] = {
		{ "", -EINVAL, 0 },	  { "K", -EINVAL, 0 },	 { "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },	  { " 1", -EINVAL, 0 },	 { "1 K", -EINVAL, 0 },
		{ "1KB", -EINVAL, 0 },	  { "1Mb", -EINVAL, 0 }, { "1x", -EINVAL, 0 },
		{ "1KK", -EINVAL, 0 },	  { ".5K", -EINVAL, 0 }, { "1.K", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },	  { "1iB", -EINVAL, 0 }, { "1,5M", -EINVAL, 0 },
		{ "1.5.5M", -EINVAL, 0 }, { "1Ki", -EINVAL, 0 }, { "1+", -EINVAL, 0 },
	};

	(void)state;
	assert_parses(cases, COUNT_OF(cases), units_parse_size);
}

static void sizes_that_do_not_fit_are_refused(void **state)
{
	static const struct parse_case cases[] = {
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "16E", -ERANGE, 0 },
		{ "18446744073709551615.5", -ERANGE, 0 },
	};

	(void)state;
	assert_parses(cases, COUNT_OF(cases), units_parse_size);
}

static void durations_need_no_unit_for_seconds(void **state)
{
	static const struct parse_case cases[] = {
		{ "0", 0, 0 },		 { "5", 0, 5 * S },	    { "1.5s", 0, 1500000000 },
		{ "0.1", 0, 100000000 }, { "300ms", 0, 300000000 }, { "7us", 0, 7000 },
		{ "7\u00b5s", 0, 7000 }, { "7\u03bcs", 0, 7000 },   { "12ns", 0, 12 },
		{ "0.4ns", 0, 0 },	 { "0.5ns", 0, 1 },	    { "2m", 0, 120 * S },
		{ "2min", 0, 120 * S },	 { "1.5h", 0, 5400 * S },   { "3d", 0, 3 * 86400 * S },
	};

	(void)state;
	assert_parses(cases, COUNT_OF(cases), units_parse_duration);
}

static void what_is_no_duration_is_refused(void **state)
{
	static const struct parse_case cases[] = {
		{ "", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "-5", -EINVAL, 0 },
		{ "5 s", -EINVAL, 0 },
		{ "5S", -EINVAL, 0 },
		{ "5sec", -EINVAL, 0 },
		{ "1.s", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "18446744074", -ERANGE, 0 },
		{ "213504d", -ERANGE, 0 },
		{ "99999999999999999999ns", -ERANGE, 0 },
	};

	(void)state;
	assert_parses(cases, COUNT_OF(cases), units_parse_duration);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_shown_in_powers_of_1024),
		cmocka_unit_test(rounding_moves_on_to_the_next_unit),
		cmocka_unit_test(durations_are_shown_in_the_unit_that_fits),
		cmocka_unit_test(counts_are_exact_below_10000),
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(what_is_no_size_is_refused),
		cmocka_unit_test(sizes_that_do_not_fit_are_refused),
		cmocka_unit_test(durations_need_no_unit_for_seconds),
		cmocka_unit_test(what_is_no_duration_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
