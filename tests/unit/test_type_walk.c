// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Walks over members, alignments, declarations, searches, and values of bytes, on the types of btf_fixture.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "btf_fixture.h"
#include "kernel_types.h"
#include "kernel_value.h"
#include "type_c.h"
#include "type_search.h"
#include "type_text.h"
#include "type_walk.h"

static struct btf *raw;
static struct fixture_types ids;
static struct kernel_types *types;
static char *seen; /* a line for each step */

static void reopen(void)
{
	uint32_t size;
	const void *bytes = btf__raw_data(raw, &size);

	kernel_types_close(types);
	assert_int_equal(kernel_types_open(bytes, size, "fixture", &types, NULL), 0);
}

static int make(void **state)
{
	(void)state;
	types = NULL;
	raw = btf__new_empty();
	ids = fixture_fill(raw);
	reopen();
	return 0;
}

static int drop(void **state)
{
	(void)state;
	kernel_types_close(types);
	btf__free(raw);
	free(seen);
	seen = NULL;
	return 0;
}

static int note(const struct type_step *step, void *context)
{
	static const char *const kinds[] = { "", "hole ", "padding " };
	char *longer = NULL;

	(void)context;
	if (asprintf(&longer, "%s%u %s%s %" PRIu64 "+%zu%s%s\n", seen ? seen : "", step->level,
		     kinds[step->kind], step->path, step->bit_offset,
		     step->kind ? (size_t)step->bit_count : step->size, step->bit_size ? " bits" : "",
		     step->is_opened ? " opened" : "") < 0)
		fail();
	free(seen);
	seen = longer;
	return 0;
}

static void assert_walk(uint32_t id, unsigned depth, const char *expected)
{
	free(seen);
	seen = NULL;
	assert_int_equal(type_walk(types, id, "", 0, depth, note, NULL), 0);
	assert_string_equal(seen ? seen : "", expected);
}

static void members_come_in_order_with_holes_and_padding(void **state)
{
	(void)state;
	assert_walk(
		ids.thing, 1,
		"0 flags 0+8\n0  64+16\n0 low 192+4 bits\n0 high 195+4 bits\n0 hole  200+24\n0 state 224+4\n"
		"0 pairs 256+32\n0 grid 512+24\n0 comm 704+16\n0 parent 832+8\n0 run 896+8\n0 none 960+0\n"
		"0 big 960+8 bits\n0 hole  1022+2\n0 last 1024+1\n0 hole  1032+56\n0 objects 1088+0\n");
}

static void depth_opens_members_of_members(void **state)
{
	(void)state;
	assert_walk(
		ids.thing, 2,
		"0 flags 0+8\n0  64+16 opened\n1 list 64+16\n1  64+8\n0 low 192+4 bits\n0 high 195+4 bits\n"
		"0 hole  200+24\n0 state 224+4\n0 pairs 256+32 opened\n1 pairs[0].first 256+4\n"
		"1 pairs[0].second 288+4\n0 grid 512+24\n0 comm 704+16\n0 parent 832+8\n0 run 896+8\n"
		"0 none 960+0 opened\n1 none[0].first 960+4\n1 none[0].second 992+4\n0 big 960+8 bits\n"
		"0 hole  1022+2\n0 last 1024+1\n0 hole  1032+56\n0 objects 1088+0\n");
	assert_walk(ids.u32, 0, "");
}

static int skip_all(const struct type_step *step, void *context)
{
	note(step, context);
	return TYPE_WALK_SKIP;
}

static int stop_second(const struct type_step *step, void *context)
{
	(void)context;
	return step->bit_offset ? -EPIPE : 0;
}

static void visitor_may_skip_or_end(void **state)
{
	(void)state;
	assert_int_equal(type_walk(types, ids.pair_t, "outer.x[1]", 800, 0, skip_all, NULL), 0);
	assert_string_equal(seen, "0 outer.x[1].first 800+4\n0 outer.x[1].second 832+4\n");
	assert_int_equal(type_walk(types, ids.thing, "", 0, 0, stop_second, NULL), -EPIPE);
}

static void types_that_hold_themselves_end_the_walk(void **state)
{
	int self = btf__add_struct(raw, "self", 8);

	(void)state;
	field(raw, NULL, self, 0, 0);
	field(raw, NULL, self, 0, 0);
	reopen();
	assert_int_equal(type_walk(types, self, "", 0, 0, stop_second, NULL), -EBADMSG);
	assert_int_equal(type_alignment(types, self), 1);
}

static void alignment_is_what_explains_the_places(void **state)
{
	int packed = btf__add_struct(raw, "packed", 9), apart, lone;

	(void)state;
	field(raw, "byte", ids.u8, 0, 0);
	field(raw, "word", ids.u64, 8, 0);
	apart = btf__add_struct(raw, "apart", 128);
	field(raw, "first", ids.u32, 0, 0);
	field(raw, "line", ids.u64, 512, 0);
	lone = btf__add_struct(raw, "lone", 32);
	field(raw, "first", ids.u32, 0, 0);
	reopen();
	assert_int_equal(type_alignment(types, ids.pair), 4);
	assert_int_equal(type_alignment(types, ids.thing), 8);
	assert_int_equal(type_alignment(types, packed), 1);
	assert_int_equal(type_alignment(types, apart), 64);
	assert_int_equal(type_natural_alignment(types, apart), 8);
	assert_int_equal(type_alignment(types, lone), 32);
	assert_int_equal(type_alignment(types, 0), 1);
}

static void summaries_count_what_a_walk_sees(void **state)
{
	struct type_summary summary;

	(void)state;
	assert_int_equal(type_summarize(types, ids.thing, &summary), 0);
	assert_int_equal(summary.size, 136);
	assert_int_equal(summary.members, 16);
	assert_int_equal(summary.holes, 3);
	assert_int_equal(summary.hole_bits, 24 + 2 + 56);
	assert_int_equal(summary.padding_bits, 0);
}

static void assert_declared(const char *path, const char *expected)
{
	struct kernel_member member;
	const char *dot = strrchr(path, '.');
	char *text = NULL;

	assert_int_equal(kernel_member_find(types, ids.thing, path, &member, NULL), 0);
	assert_int_equal(type_declaration(types, member.type_id, dot ? dot + 1 : path, &text), 0);
	assert_string_equal(text, expected);
	free(text);
}

static void declarations_read_as_c(void **state)
{
	char *text = NULL;
	int index = ids.u32, pointer, array, constant;

	(void)state;
	assert_declared("flags", "unsigned long flags");
	assert_declared("list.next", "struct list_head *next");
	assert_declared("grid", "unsigned int grid[2][3]");
	assert_declared("comm", "char comm[16]");
	assert_declared("parent", "const struct thing *parent");
	assert_declared("run", "int (*run)(struct thing *, void *)");
	assert_declared("objects", "void *objects[]");
	assert_declared("pairs", "pair_t pairs[4]");
	array = btf__add_array(raw, index, ids.u32, 4);
	pointer = btf__add_ptr(raw, array);
	constant = btf__add_const(raw, pointer);
	reopen();
	type_declaration(types, constant, "x", &text);
	assert_string_equal(text, "unsigned int (*const x)[4]");
	free(text);
	type_declaration(types, array, "", &text);
	assert_string_equal(text, "unsigned int[4]");
	free(text);
	type_declaration(types, 0, "x", &text);
	assert_string_equal(text, "void x");
	free(text);
	type_declaration(types, 99999, "x", &text);
	assert_string_equal(text, "... x");
	free(text);
}

static void declarations_of_circles_end(void **state)
{
	int pointer = btf__add_ptr(raw, btf__type_cnt(raw)), proto;
	char *text = NULL;

	(void)state;
	proto = btf__add_func_proto(raw, btf__type_cnt(raw));
	for (int i = 0; i < 8; i++)
		btf__add_func_param(raw, "p", proto);
	reopen();
	assert_int_equal(type_declaration(types, pointer, "x", &text), 0);
	free(text);
	assert_int_equal(type_declaration(types, proto, "x", &text), 0);
	assert_true(strlen(text) < 1 << 20);
	free(text);
}

static void c_of_damaged_types_is_refused(void **state)
{
	int self = btf__add_struct(raw, "self", 8), over;
	struct error err;
	char *text = NULL;

	(void)state;
	field(raw, "inner", self, 0, 0);
	over = btf__add_struct(raw, "over", 16);
	field(raw, "one", ids.u64, 0, 0);
	field(raw, "two", ids.u64, 32, 0);
	reopen();
	assert_int_equal(type_to_c(types, self, &text, &err), -EBADMSG);
	assert_int_equal(type_to_c(types, over, &text, &err), -EBADMSG);
	assert_string_equal(err.text, "over 'unsigned long long' can't be written as C: Bad message");
	assert_null(text);
}

static void names_that_are_taken_are_changed_in_c(void **state)
{
	int one = btf__add_struct(raw, "twice", 4), two, both, clash;
	char expected[64], *text = NULL;

	(void)state;
	field(raw, "a", ids.u32, 0, 0);
	two = btf__add_struct(raw, "twice", 8);
	field(raw, "a", ids.u64, 0, 0);
	clash = btf__add_enum(raw, "twice", 4);
	btf__add_enum_value(raw, "STATE_ON", 1);
	both = btf__add_struct(raw, "both", 24);
	field(raw, "one", one, 0, 0);
	field(raw, "two", two, 64, 0);
	field(raw, "thing", clash, 128, 0);
	reopen();
	assert_int_equal(type_to_c(types, both, &text, NULL), 0);
	snprintf(expected, sizeof(expected), "struct twice__%d two;", two);
	assert_non_null(strstr(text, expected));
	snprintf(expected, sizeof(expected), "enum twice__%d thing;", clash);
	assert_non_null(strstr(text, expected));
	assert_non_null(strstr(text, "struct twice one;"));
	free(text);
}

static void near_names_come_best_first(void **state)
{
	const char *names[4];

	(void)state;
	assert_int_equal(type_names_near(types, "thnig", names, 4), 1);
	assert_string_equal(names[0], "thing");
	assert_true(type_names_near(types, "list", names, 4) >= 1);
	assert_string_equal(names[0], "list_head");
	assert_int_equal(type_names_near(types, "elephant", names, 4), 0);
	assert_true(member_names_near(types, ids.thing, "seconds", names, 4) >= 1);
	assert_string_equal(names[0], "second");
}

static void matches_are_sorted_by_name_and_place(void **state)
{
	const struct type_filter filter = { .containing = "struct list_head *" };
	struct type_matches matches;

	(void)state;
	assert_int_equal(type_search(types, &filter, &matches, NULL), 0);
	assert_int_equal(matches.count, 2);
	assert_string_equal(matches.list[0].path, "next");
	assert_int_equal(matches.list[1].offset, 8);
	type_matches_deinit(&matches);
}

/* Values ------------------------------------------------------------------------------------------------- */

static uint8_t bytes[136];
static uint8_t is_absent[2];

static struct value value_of(const char *path)
{
	const struct kernel_object object = { .bytes = bytes, .size = sizeof(bytes), .is_absent = is_absent };
	struct kernel_member member;
	struct value value;

	assert_int_equal(kernel_member_find(types, ids.thing, path, &member, NULL), 0);
	value_decode(types, member.type_id, member.bit_offset, member.bit_size, &object, &value);
	return value;
}

static void values_follow_the_types(void **state)
{
	struct value value;

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	memcpy(bytes + 88, "kworker/0:1\0junk", 16);
	bytes[24] = 0xa9;
	value = value_of("flags");
	assert_int_equal(value.kind, VALUE_UNSIGNED);
	assert_true(value.number == UINT64_MAX);
	value = value_of("low");
	assert_int_equal(value.number, 1);
	value = value_of("high");
	assert_int_equal(value.number, 0x15);
	value = value_of("big");
	assert_true(value.number == (UINT64_C(1) << 62) - 1);
	value = value_of("state");
	assert_int_equal(value.kind, VALUE_ENUM);
	assert_string_equal(value.name, "STATE_OFF");
	assert_true((int64_t)value.number == -1);
	value = value_of("comm");
	assert_int_equal(value.kind, VALUE_TEXT);
	assert_string_equal(value.text, "kworker/0:1");
	value = value_of("parent");
	assert_int_equal(value.kind, VALUE_POINTER);
	assert_int_equal(value_of("list").kind, VALUE_NONE);
	assert_int_equal(value_of("objects").kind, VALUE_NONE);
	assert_int_equal(value_of("objects[0]").kind, VALUE_UNREADABLE);
	bytes[88] = 1;
	value = value_of("comm");
	assert_int_equal(value.kind, VALUE_BYTES);
}

static void what_was_not_read_has_no_value(void **state)
{
	(void)state;
	memset(bytes, 0, sizeof(bytes));
	is_absent[0] = 1;
	assert_int_equal(value_of("flags").kind, VALUE_UNREADABLE);
	is_absent[0] = 0;
	assert_int_equal(value_of("flags").kind, VALUE_UNSIGNED);
}

static void assert_number(enum value_kind kind, size_t size, uint64_t number, const char *expected)
{
	const struct value value = { .kind = kind, .size = size, .number = number };
	char text[64];

	value_number_text(&value, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void numbers_are_decimal_and_where_it_helps_hexadecimal(void **state)
{
	(void)state;
	assert_number(VALUE_UNSIGNED, 4, 4095, "4095");
	assert_number(VALUE_UNSIGNED, 4, 4096, "4096 (0x1000)");
	assert_number(VALUE_SIGNED, 4, -1, "-1");
	assert_number(VALUE_SIGNED, 8, INT64_MIN, "-9223372036854775808");
	assert_number(VALUE_UNSIGNED, 8, 0xffff888000000000, "0xffff888000000000");
}

#define FIXTURE(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE(members_come_in_order_with_holes_and_padding),
		FIXTURE(depth_opens_members_of_members),
		FIXTURE(visitor_may_skip_or_end),
		FIXTURE(types_that_hold_themselves_end_the_walk),
		FIXTURE(alignment_is_what_explains_the_places),
		FIXTURE(summaries_count_what_a_walk_sees),
		FIXTURE(declarations_read_as_c),
		FIXTURE(declarations_of_circles_end),
		FIXTURE(c_of_damaged_types_is_refused),
		FIXTURE(names_that_are_taken_are_changed_in_c),
		FIXTURE(near_names_come_best_first),
		FIXTURE(matches_are_sorted_by_name_and_place),
		FIXTURE(values_follow_the_types),
		FIXTURE(what_was_not_read_has_no_value),
		cmocka_unit_test(numbers_are_decimal_and_where_it_helps_hexadecimal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
