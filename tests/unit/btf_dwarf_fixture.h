/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* BTF that a test adds to, written as DWARF and read back by elfutils. */
#ifndef BTF_DWARF_FIXTURE_H
#define BTF_DWARF_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "btf_dwarf.h"
#include "btf_fixture.h"
#include "dwarf_file.h"
#include "kernel_types.h"

#define CODE 0xffffffff81000000ULL

static struct btf *raw;
static struct fixture_types ids;
static struct kernel_types *types;
static Dwarf_Die unit;
static size_t type_count;

static inline int set_up(void **state)
{
	(void)state;
	raw = btf__new_empty();
	ids = fixture_fill(raw);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	dwarf_file_end();
	kernel_types_close(types);
	types = NULL;
	btf__free(raw);
	return 0;
}

static inline void add(const char *name, struct byte_writer *contents)
{
	uint32_t section = elf_writer_section(&writer, name, SHT_PROGBITS, 0, 0, 0);

	writer.sections[section].contents = *contents;
	*contents = (struct byte_writer){ 0 };
}

static inline void make(const struct dwarf_symbol *symbols, size_t count)
{
	static const struct dwarf_range code = { CODE, CODE + 0x1000 };
	struct dwarf_contents contents = {
		.producer = "tester", .symbols = symbols, .symbol_count = count, .code = &code, .code_count = 1
	};
	struct dwarf_sections sections = { 0 };
	Dwarf_Off next, offset = 0;
	uint32_t size;
	const void *bytes = btf__raw_data(raw, &size);
	size_t header;

	if (size > sizeof(struct btf_header) + 1 && btf__type_cnt(raw) > 1)
		assert_int_equal(kernel_types_open(bytes, size, "fixture", &types, NULL), 0);
	contents.types = types;
	btf_dwarf_put(&contents, &sections, &type_count);
	add(".debug_info", &sections.info);
	add(".debug_abbrev", &sections.abbreviations);
	add(".debug_str", &sections.strings);
	add(".debug_loc", &sections.locations);
	add(".debug_ranges", &sections.ranges);
	add(".debug_aranges", &sections.addresses);
	dwarf_sections_deinit(&sections);
	dwarf_file_open();
	assert_int_equal(dwarf_nextcu(dwarf, offset, &next, &header, NULL, NULL, NULL), 0);
	assert_non_null(dwarf_offdie(dwarf, offset + header, &unit));
	assert_int_equal(dwarf_nextcu(dwarf, next, &next, &header, NULL, NULL, NULL), 1);
}

/* The child of @parent with @name (NULL: without one) and @tag. */
static inline bool find_in(Dwarf_Die *parent, int tag, const char *name, Dwarf_Die *ret_die)
{
	if (dwarf_child(parent, ret_die))
		return false;
	do {
		const char *own = dwarf_diename(ret_die);

		if (dwarf_tag(ret_die) == tag && (name ? own && !strcmp(own, name) : !own))
			return true;
	} while (!dwarf_siblingof(ret_die, ret_die));
	return false;
}

static inline Dwarf_Die find(int tag, const char *name)
{
	Dwarf_Die die;

	if (!find_in(&unit, tag, name, &die))
		fail_msg("no entry %s", name);
	return die;
}

/* What a number attribute says; UINT64_MAX: it isn't there. */
static inline uint64_t number_of(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	if (!dwarf_attr(die, name, &attribute))
		return UINT64_MAX;
	assert_int_equal(dwarf_formudata(&attribute, &value), 0);
	return value;
}

static inline bool type_of(Dwarf_Die *die, Dwarf_Die *ret_type)
{
	Dwarf_Attribute attribute;

	if (!dwarf_attr(die, DW_AT_type, &attribute))
		return false;
	assert_non_null(dwarf_formref_die(&attribute, ret_type));
	return true;
}

static inline Dwarf_Die member_of(const char *outer, const char *name)
{
	Dwarf_Die parent = find(DW_TAG_structure_type, outer), die;

	if (!find_in(&parent, DW_TAG_member, name, &die))
		fail_msg("no member %s", name ? name : "without a name");
	return die;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
