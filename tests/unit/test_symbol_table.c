// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Symbols read from text and ELF, asked for by name and by address. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbol_table.h"

static int read_text(struct symbol_table *table, const char *text, uint64_t slide, struct error *err)
{
	char path[] = "/tmp/dill-symbols-XXXXXX";
	int fd = mkstemp(path), status;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	status = symbol_table_add_text(table, path, slide, err);
	unlink(path);
	return status;
}

static void names_and_addresses_lead_to_each_other(void **state)
{
	struct symbol_table table = { 0 };
	uint64_t address, start, end;
	const char *name;

	(void)state;
	assert_int_equal(read_text(&table, "ffffffff81000200 T second\nffffffff81000000 T first\n"
					   "ffffffff81000400 d last\t[module]\n", 0x1000, NULL), 0);
	assert_int_equal(symbol_table_find(&table, "second", &address), 0);
	assert_int_equal(address, 0xffffffff81001200);
	assert_int_equal(symbol_table_find(&table, "third", &address), -ENOENT);
	assert_int_equal(symbol_table_at(&table, 0xffffffff810011ff, &name, &start, &end), 0);
	assert_string_equal(name, "first");
	assert_int_equal(start, 0xffffffff81001000);
	assert_int_equal(end, 0xffffffff81001200);
	assert_int_equal(symbol_table_at(&table, 0xffffffff81000fff, &name, &start, &end), -ENOENT);
	assert_int_equal(symbol_table_at(&table, 0xffffffff81001400, &name, &start, &end), 0);
	assert_string_equal(name, "last");
	symbol_table_deinit(&table);
}

static void what_is_behind_the_last_symbol_belongs_to_none(void **state)
{
	struct symbol_table table = { 0 };
	uint64_t start, end;
	const char *name;

	(void)state;
	assert_int_equal(symbol_table_add(&table, "_end", 4, 0x2000, 'B'), 0);
	assert_int_equal(symbol_table_at(&table, 0x2001, &name, &start, &end), -ENOENT);
	symbol_table_deinit(&table);
}

static void a_global_symbol_names_an_address_before_a_local_one(void **state)
{
	struct symbol_table table = { 0 };
	uint64_t start, end;
	const char *name;

	(void)state;
	assert_int_equal(read_text(&table, "1000 t local\n1000 T global\n1000 T other\n2000 T next\n", 0, NULL), 0);
	assert_int_equal(symbol_table_at(&table, 0x1008, &name, &start, &end), 0);
	assert_string_equal(name, "global");
	assert_int_equal(end, 0x2000);
	symbol_table_deinit(&table);
}

static void hidden_addresses_are_told_from_no_symbols(void **state)
{
	struct symbol_table table = { 0 };
	struct error err = { 0 };

	(void)state;
	assert_int_equal(read_text(&table, "0000000000000000 T _text\n", 0, &err), -EPERM);
	assert_int_equal(read_text(&table, "nothing like it\n", 0, &err), -EBADMSG);
	symbol_table_deinit(&table);
}

static void an_elf_symbol_table_is_moved_by_the_slide(void **state)
{
	struct symbol_table table = { 0 }, moved = { 0 };
	struct error err = { 0 };
	uint64_t address, slid;

	(void)state;
	assert_int_equal(symbol_table_add_elf(&table, "/proc/self/exe", 0, &err), 0);
	assert_int_equal(symbol_table_add_elf(&moved, "/proc/self/exe", 0x200000, &err), 0);
	assert_int_equal(symbol_table_find(&table, "main", &address), 0);
	assert_int_equal(symbol_table_find(&moved, "main", &slid), 0);
	assert_int_equal(slid - address, 0x200000);
	assert_int_equal(symbol_table_add_elf(&table, "/etc/passwd", 0, &err), -EBADMSG);
	symbol_table_deinit(&table);
	symbol_table_deinit(&moved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_addresses_lead_to_each_other),
		cmocka_unit_test(what_is_behind_the_last_symbol_belongs_to_none),
		cmocka_unit_test(a_global_symbol_names_an_address_before_a_local_one),
		cmocka_unit_test(hidden_addresses_are_told_from_no_symbols),
		cmocka_unit_test(an_elf_symbol_table_is_moved_by_the_slide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
