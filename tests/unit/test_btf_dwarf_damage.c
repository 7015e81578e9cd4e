// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* BTF that no compiler would write: what comes of it as DWARF leads nobody in circles or out of a struct. */
#include "btf_dwarf_fixture.h"

#define STEPS_MAX 200

/* Every way by DW_AT_type, and by members that are held by value, ends. */
static unsigned steps_from(Dwarf_Die *die, unsigned step)
{
	unsigned most = step, own;
	Dwarf_Die type, child;

	if (step > STEPS_MAX)
		return step;
	if (type_of(die, &type) && (own = steps_from(&type, step + 1)) > most)
		most = own;
	if (step && (dwarf_tag(die) == DW_TAG_structure_type || dwarf_tag(die) == DW_TAG_union_type))
		return most; /* asked of its members, below */
	if (dwarf_tag(die) == DW_TAG_subroutine_type && !dwarf_child(die, &child))
		do {
			own = steps_from(&child, step + 1);
			most = own > most ? own : most;
		} while (most <= STEPS_MAX && !dwarf_siblingof(&child, &child));
	return most;
}

/* Into what a struct holds by value. */
static unsigned depth_of(Dwarf_Die *die, unsigned step)
{
	unsigned most = step;
	Dwarf_Die type, child;
	int tag = dwarf_tag(die);

	if (step > STEPS_MAX || tag == DW_TAG_pointer_type || tag == DW_TAG_subroutine_type)
		return step;
	if (type_of(die, &type))
		most = depth_of(&type, step + 1);
	if ((tag == DW_TAG_structure_type || tag == DW_TAG_union_type) && !dwarf_child(die, &child))
		do {
			unsigned own = depth_of(&child, step + 1);

			most = own > most ? own : most;
		} while (most <= STEPS_MAX && !dwarf_siblingof(&child, &child));
	return most;
}

static void assert_every_way_ends(void)
{
	Dwarf_Die die;

	assert_int_equal(dwarf_child(&unit, &die), 0);
	do {
		assert_true(steps_from(&die, 0) <= STEPS_MAX);
		assert_true(depth_of(&die, 0) <= STEPS_MAX);
	} while (!dwarf_siblingof(&die, &die));
}

static void types_of_a_program_are_not_cut(void **state)
{
	Dwarf_Die member, type;

	(void)state;
	make(NULL, 0);
	assert_every_way_ends();
	member = member_of("list_head", "next"); /* a list_head * */
	assert_true(type_of(&member, &type) && type_of(&type, &type));
	assert_string_equal(dwarf_diename(&type), "list_head");
}

static void typedefs_of_themselves_end(void **state)
{
	int next = btf__type_cnt(raw);

	(void)state;
	btf__add_typedef(raw, "self", next);
	btf__add_typedef(raw, "one", next + 2);
	btf__add_const(raw, next + 1);
	btf__add_ptr(raw, next + 3);
	btf__add_array(raw, ids.u32, next + 4, 3);
	make(NULL, 0);
	assert_every_way_ends();
}

static void prototypes_of_themselves_end(void **state)
{
	int next = btf__type_cnt(raw);

	(void)state;
	btf__add_func_proto(raw, ids.u32);
	btf__add_func_param(raw, "again", next + 1);
	btf__add_ptr(raw, next);
	make(NULL, 0);
	assert_every_way_ends();
}

static void structs_within_themselves_end(void **state)
{
	int next = btf__type_cnt(raw);

	(void)state;
	btf__add_struct(raw, "matryoshka", 16);
	field(raw, "inner", next, 0, 0);
	btf__add_struct(raw, "outer", 16);
	field(raw, "row", next + 3, 0, 0);
	btf__add_union(raw, "back", 16);
	field(raw, "outer", next + 1, 0, 0);
	btf__add_array(raw, ids.u32, next + 2, 1);
	make(NULL, 0);
	assert_every_way_ends();
}

static void chains_without_number_end(void **state)
{
	int last = ids.u32;

	(void)state;
	for (int i = 0; i < 5000; i++)
		last = btf__add_const(raw, last);
	for (int i = 0; i < 5000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		last = btf__add_struct(raw, name, 4);
		field(raw, "inner", i ? last - 1 : (int)ids.u32, 0, 0);
	}
	make(NULL, 0);
	assert_every_way_ends();
}

static void members_beyond_the_end_and_of_no_type_are_left_out(void **state)
{
	Dwarf_Die parent, die;

	(void)state;
	btf__add_struct(raw, "damaged", 8);
	field(raw, "good", ids.u32, 0, 0);
	field(raw, "far", ids.u64, 32, 0);
	field(raw, "bits", ids.u32, 60, 5);
	field(raw, "further", ids.u32, 128, 0);
	field(raw, "unknown", 12345, 0, 0);
	btf__add_typedef(raw, "lost", 54321);
	make(NULL, 0);
	parent = find(DW_TAG_structure_type, "damaged");
	assert_true(find_in(&parent, DW_TAG_member, "good", &die));
	assert_false(find_in(&parent, DW_TAG_member, "far", &die));
	assert_false(find_in(&parent, DW_TAG_member, "bits", &die));
	assert_false(find_in(&parent, DW_TAG_member, "further", &die));
	assert_false(find_in(&parent, DW_TAG_member, "unknown", &die));
	parent = find(DW_TAG_typedef, "lost");
	assert_false(type_of(&parent, &die));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(types_of_a_program_are_not_cut),
		TEST(typedefs_of_themselves_end),
		TEST(prototypes_of_themselves_end),
		TEST(structs_within_themselves_end),
		TEST(chains_without_number_end),
		TEST(members_beyond_the_end_and_of_no_type_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
