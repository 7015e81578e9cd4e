// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * gfp_names: flags by the names that a kernel has for them. tests/data/gfp_names has the formats of real kernels, in which
 * bits are numbers; later ones are enums in BTF, which is made here.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>
#include <cmocka.h>

#include "gfp_names.h"

/* enum of 6.9 to 7.0 as BTF has it, include/linux/gfp_types.h; index is the bit. */
static const char *const bits_6_12[] = {
	"DMA", "HIGHMEM", "DMA32", "MOVABLE", "RECLAIMABLE", "HIGH", "IO", "FS", "ZERO", "UNUSED", "DIRECT_RECLAIM",
	"KSWAPD_RECLAIM", "WRITE", "NOWARN", "RETRY_MAYFAIL", "NOFAIL", "NORETRY", "MEMALLOC", "COMP", "NOMEMALLOC",
	"HARDWALL", "THISNODE", "ACCOUNT", "ZEROTAGS", "NO_OBJ_EXT", "LAST",
};
/* 7.3 lacks NO_OBJ_EXT. */
static const char *const bits_7_3[] = {
	"DMA", "HIGHMEM", "DMA32", "MOVABLE", "RECLAIMABLE", "HIGH", "IO", "FS", "ZERO", "UNUSED", "DIRECT_RECLAIM",
	"KSWAPD_RECLAIM", "WRITE", "NOWARN", "RETRY_MAYFAIL", "NOFAIL", "NORETRY", "MEMALLOC", "COMP", "NOMEMALLOC",
	"HARDWALL", "THISNODE", "ACCOUNT", "ZEROTAGS", "LAST",
};

static struct gfp_names *from_bits(const char *const *bits, size_t count)
{
	struct btf *btf = btf__new_empty();
	struct gfp_names *names;
	char name[64];

	assert_non_null(btf);
	assert_true(btf__add_enum(btf, NULL, 4) > 0);
	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "___GFP_%s_BIT", bits[i]);
		assert_int_equal(btf__add_enum_value(btf, name, i), 0);
	}
	assert_int_equal(gfp_names_from_types(btf, &names), 0);
	btf__free(btf);
	return names;
}

static struct gfp_names *from_file(const char *path)
{
	FILE *file = fopen(path, "r");
	static char format[65536];
	struct gfp_names *names;

	assert_non_null(file);
	format[fread(format, 1, sizeof(format) - 1, file)] = '\0';
	fclose(file);
	assert_int_equal(gfp_names_from_format(format, &names), 0);
	return names;
}

static void assert_text(const struct gfp_names *names, uint64_t flags, const char *expected)
{
	char text[512];

	gfp_names_text(names, flags, text, sizeof(text));
	assert_string_equal(text, expected);
}

/* Flags that have the same bits in all of these kernels. */
static void assert_common_flags(const struct gfp_names *names)
{
	assert_text(names, 0, "0");
	assert_text(names, 0xcc0, "GFP_KERNEL");
	assert_text(names, 0xc40, "GFP_NOFS");
	assert_text(names, 0xc00, "GFP_NOIO");
	assert_text(names, 0x100cc0, "GFP_USER");
	assert_text(names, 0x100cc2, "GFP_HIGHUSER");
	assert_text(names, 0x400cc0, "GFP_KERNEL_ACCOUNT");
	assert_text(names, 0xcc0 | 0x100, "GFP_KERNEL|__GFP_ZERO");
	assert_text(names, 0x2000, "__GFP_NOWARN");
	assert_text(names, 0x80000000ULL, "0x80000000");
	assert_text(names, 0xcc0 | 0x80000000ULL, "GFP_KERNEL|0x80000000");
}

static void names_of_5_10_come_from_its_format(void **state)
{
	struct gfp_names *names = from_file("tests/data/gfp_names/format-5.10.txt");

	(void)state;
	assert_common_flags(names);
	assert_text(names, 0x100cca, "GFP_HIGHUSER_MOVABLE");
	assert_text(names, 0xa20, "GFP_ATOMIC"); /* with __GFP_ATOMIC, 0x200, which later kernels lack */
	gfp_names_close(names);
}

static void names_of_6_1_come_from_its_format(void **state)
{
	struct gfp_names *names = from_file("tests/data/gfp_names/format-6.1.txt");

	(void)state;
	assert_common_flags(names);
	assert_text(names, 0x100cca, "GFP_HIGHUSER_MOVABLE");
	gfp_names_close(names);
}

static void names_of_later_kernels_come_from_the_enum_of_bits(void **state)
{
	struct gfp_names *names = from_bits(bits_6_12, sizeof(bits_6_12) / sizeof(*bits_6_12));

	(void)state;
	assert_common_flags(names);
	assert_text(names, 0x100cca, "GFP_HIGHUSER_MOVABLE");
	assert_text(names, 0x820, "GFP_ATOMIC");
	assert_text(names, 1 << 24, "__GFP_NO_OBJ_EXT");
	gfp_names_close(names);
	names = from_bits(bits_7_3, sizeof(bits_7_3) / sizeof(*bits_7_3));
	assert_common_flags(names);
	assert_text(names, 1 << 24, "0x1000000"); /* LAST is a count, no flag */
	gfp_names_close(names);
}

static void moved_bits_move_their_names(void **state)
{
	static const char *const bits[] = { "DMA", "FS", "IO", "KSWAPD_RECLAIM", "DIRECT_RECLAIM", "HARDWALL",
					    "MOVABLE", "HIGHMEM", "ACCOUNT", "NEWEST" };
	struct gfp_names *names = from_bits(bits, sizeof(bits) / sizeof(*bits));

	(void)state;
	assert_text(names, 0x1e, "GFP_KERNEL");
	assert_text(names, 0x21e, "GFP_KERNEL|__GFP_NEWEST");
	assert_text(names, 0xfe, "GFP_HIGHUSER_MOVABLE");
	gfp_names_close(names);
}

static void the_greatest_combination_comes_first(void **state)
{
	struct gfp_names *names = from_file("tests/data/gfp_names/format-6.1.txt");

	(void)state;
	assert_text(names, 0x100cca | 0x2000, "GFP_HIGHUSER_MOVABLE|__GFP_NOWARN");
	assert_text(names, (0x100cca | 0x40000 | 0x80000 | 0x2000) & ~0x800, "GFP_TRANSHUGE");
	gfp_names_close(names);
}

static void a_text_that_does_not_fit_is_cut(void **state)
{
	struct gfp_names *names = from_bits(bits_6_12, sizeof(bits_6_12) / sizeof(*bits_6_12));
	char text[24];

	(void)state;
	for (size_t size = 1; size <= sizeof(text); size++) {
		memset(text, 'x', sizeof(text));
		gfp_names_text(names, 0xcc0 | 0x2000 | 0x80000000ULL, text, size);
		assert_true(strlen(text) < size);
		assert_int_equal(strncmp(text, "GFP_KERNEL|__GFP_NOWARN|0x80000000", strlen(text)), 0);
	}
	gfp_names_close(names);
}

static void what_is_no_number_has_no_name(void **state)
{
	static const struct {
		const char *format;
		int status;
	} cases[] = {
		{ "", -ENOENT },
		{ "print fmt: nothing of that kind", -ENOENT },
		{ "__print_flags(REC->gfp_flags, \"|\", {", -ENOENT },
		{ "__print_flags(REC->gfp_flags, \"|\", {0x40u, \"", -ENOENT },
		{ "__print_flags(REC->gfp_flags, \"|\", {(1UL << ___GFP_IO_BIT), \"__GFP_IO\"}", -ENOENT },
		{ "__print_flags(REC->gfp_flags, \"|\", {((((0x40u, \"__GFP_IO\"}", -ENOENT },
		{ "__print_flags(REC->gfp_flags, \"|\", {unknown, \"a\"}, {0x40u, \"__GFP_IO\"}", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct gfp_names *names = NULL;

		assert_int_equal(gfp_names_from_format(cases[i].format, &names), cases[i].status);
		if (names)
			assert_text(names, 0x40, "__GFP_IO");
		gfp_names_close(names);
	}
}

static void deep_parentheses_end(void **state)
{
	static char format[200000] = "__print_flags(REC->gfp_flags, \"|\", {";
	struct gfp_names *names;

	(void)state;
	memset(format + strlen(format), '(', sizeof(format) - strlen(format) - 20);
	strcat(format, ", \"a\"}");
	assert_int_equal(gfp_names_from_format(format, &names), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_5_10_come_from_its_format),
		cmocka_unit_test(names_of_6_1_come_from_its_format),
		cmocka_unit_test(names_of_later_kernels_come_from_the_enum_of_bits),
		cmocka_unit_test(moved_bits_move_their_names),
		cmocka_unit_test(the_greatest_combination_comes_first),
		cmocka_unit_test(a_text_that_does_not_fit_is_cut),
		cmocka_unit_test(what_is_no_number_has_no_name),
		cmocka_unit_test(deep_parentheses_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
