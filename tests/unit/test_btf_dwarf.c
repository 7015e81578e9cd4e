// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* BTF as DWARF: types, functions and variables are what they were. */
#include "btf_dwarf_fixture.h"

static void members_are_where_btf_has_them(void **state)
{
	static const char *const names[] = { "flags", "state", "pairs", "grid", "comm", "parent", "run", "none",
					     "last",  "objects" };
	Dwarf_Die thing;

	(void)state;
	make(NULL, 0);
	assert_int_equal(type_count, btf__type_cnt(raw) - 1);
	thing = find(DW_TAG_structure_type, "thing");
	assert_int_equal(number_of(&thing, DW_AT_byte_size), 136);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		Dwarf_Die member = member_of("thing", names[i]), type;
		struct kernel_member wanted;
		Dwarf_Word size;

		assert_int_equal(kernel_member_find(types, ids.thing, names[i], &wanted, NULL), 0);
		assert_int_equal(8 * number_of(&member, DW_AT_data_member_location), wanted.bit_offset);
		assert_true(type_of(&member, &type));
		if (wanted.size) {
			assert_int_equal(dwarf_aggregate_size(&type, &size), 0);
			assert_int_equal(size, wanted.size);
		}
	}
}

static void bit_fields_say_which_bits(void **state)
{
	static const struct {
		const char *name;
		unsigned offset, size;
	} wanted[] = { { "low", 192, 3 }, { "high", 195, 5 }, { "big", 960, 62 } };

	(void)state;
	make(NULL, 0);
	for (size_t i = 0; i < 3; i++) {
		Dwarf_Die member = member_of("thing", wanted[i].name);

		assert_int_equal(number_of(&member, DW_AT_data_bit_offset), wanted[i].offset);
		assert_int_equal(number_of(&member, DW_AT_bit_size), wanted[i].size);
		assert_int_equal(number_of(&member, DW_AT_data_member_location), UINT64_MAX);
	}
}

static void what_has_no_name_has_none(void **state)
{
	Dwarf_Die member, inner, pair;

	(void)state;
	make(NULL, 0);
	member = member_of("thing", NULL);
	assert_int_equal(number_of(&member, DW_AT_data_member_location), 8);
	assert_true(type_of(&member, &inner));
	assert_int_equal(dwarf_tag(&inner), DW_TAG_union_type);
	assert_null(dwarf_diename(&inner));
	assert_true(find_in(&inner, DW_TAG_member, NULL, &member));
	assert_true(type_of(&member, &pair));
	assert_string_equal(dwarf_diename(&pair), "pair");
}

static void arrays_have_bounds_unless_they_are_flexible(void **state)
{
	Dwarf_Die member, array, bound, row;

	(void)state;
	make(NULL, 0);
	member = member_of("thing", "grid");
	assert_true(type_of(&member, &array) && !dwarf_child(&array, &bound));
	assert_int_equal(number_of(&bound, DW_AT_count), 2);
	assert_true(type_of(&array, &row) && !dwarf_child(&row, &bound));
	assert_int_equal(number_of(&bound, DW_AT_count), 3);
	member = member_of("thing", "objects");
	assert_true(type_of(&member, &array) && !dwarf_child(&array, &bound));
	assert_int_equal(number_of(&bound, DW_AT_count), UINT64_MAX);
}

static void enumerators_have_their_values(void **state)
{
	Dwarf_Die set, value;
	Dwarf_Attribute attribute;
	Dwarf_Sword number;

	(void)state;
	make(NULL, 0);
	set = find(DW_TAG_enumeration_type, "state");
	assert_int_equal(number_of(&set, DW_AT_byte_size), 4);
	assert_true(find_in(&set, DW_TAG_enumerator, "STATE_OFF", &value));
	assert_int_equal(dwarf_formsdata(dwarf_attr(&value, DW_AT_const_value, &attribute), &number), 0);
	assert_int_equal(number, -1);
	assert_true(find_in(&set, DW_TAG_enumerator, "STATE_ON", &value));
	assert_int_equal(number_of(&value, DW_AT_const_value), 7);
	set = find(DW_TAG_enumeration_type, "wide");
	assert_int_equal(number_of(&set, DW_AT_byte_size), 8);
	assert_true(find_in(&set, DW_TAG_enumerator, "WIDE_TOP", &value));
	assert_int_equal(number_of(&value, DW_AT_const_value), 1ULL << 63);
}

static void characters_booleans_and_signs_are_told_apart(void **state)
{
	Dwarf_Die die;

	(void)state;
	btf__add_int(raw, "_Bool", 1, BTF_INT_BOOL);
	btf__add_int(raw, "long int", 8, BTF_INT_SIGNED);
	make(NULL, 0);
	die = find(DW_TAG_base_type, "char");
	assert_int_equal(number_of(&die, DW_AT_encoding), DW_ATE_signed_char);
	die = find(DW_TAG_base_type, "unsigned char");
	assert_int_equal(number_of(&die, DW_AT_encoding), DW_ATE_unsigned_char);
	die = find(DW_TAG_base_type, "_Bool");
	assert_int_equal(number_of(&die, DW_AT_encoding), DW_ATE_boolean);
	die = find(DW_TAG_base_type, "long int");
	assert_int_equal(number_of(&die, DW_AT_encoding), DW_ATE_signed);
	die = find(DW_TAG_base_type, "unsigned int");
	assert_int_equal(number_of(&die, DW_AT_encoding), DW_ATE_unsigned);
}

static void tags_are_looked_through_and_void_is_no_type(void **state)
{
	Dwarf_Die die, type;
	int tag = btf__add_type_tag(raw, "user", ids.u32);

	(void)state;
	btf__add_typedef(raw, "tagged", tag);
	btf__add_typedef(raw, "nothing", 0);
	btf__add_typedef(raw, "void_pointer", btf__add_ptr(raw, 0));
	make(NULL, 0);
	die = find(DW_TAG_typedef, "tagged");
	assert_true(type_of(&die, &type));
	assert_string_equal(dwarf_diename(&type), "unsigned int");
	die = find(DW_TAG_typedef, "nothing");
	assert_false(type_of(&die, &type));
	die = find(DW_TAG_typedef, "void_pointer");
	assert_true(type_of(&die, &type));
	assert_int_equal(number_of(&type, DW_AT_byte_size), 8);
	assert_false(type_of(&type, &die));
}

/* Functions -------------------------------------------------------------------------------------------- */

/* The operation that finds a parameter at @pc; 0: it isn't anywhere. */
static unsigned place_at(Dwarf_Die *function, const char *name, uint64_t pc, uint64_t *ret_number)
{
	Dwarf_Die parameter;
	Dwarf_Attribute attribute;
	Dwarf_Op *ops;
	size_t length;

	assert_true(find_in(function, DW_TAG_formal_parameter, name, &parameter));
	if (!dwarf_attr(&parameter, DW_AT_location, &attribute) ||
	    dwarf_getlocation_addr(&attribute, pc, &ops, &length, 1) != 1)
		return 0;
	assert_int_equal(length, 1);
	*ret_number = ops->number;
	return ops->atom;
}

static void add_function(const char *name, int result, const int *parameters, size_t count)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	int proto = btf__add_func_proto(raw, result);

	for (size_t i = 0; i < count; i++)
		btf__add_func_param(raw, parameters[i] ? names[i] : NULL, parameters[i]);
	assert_true(btf__add_func(raw, name, BTF_FUNC_STATIC, proto) > 0);
}

static const struct dwarf_symbol function_symbols[] = {
	{ "call", CODE + 0x100, 0x40, 9, true, true },
	{ "counter", 0x1234, 0, 0, false, false },
	{ "more", CODE + 0x200, 0x40, 0, false, true },
};

static void functions_have_their_place_and_arguments_while_they_begin(void **state)
{
	static const unsigned registers[] = { 5, 4, 1, 2, 8, 9 };
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
	const int parameters[] = { ids.u32, ids.u64, ids.ulong, ids.u8, ids.u32, ids.u32, ids.u32, ids.u8 };
	uint64_t number;
	Dwarf_Addr address;
	Dwarf_Die die, type;

	(void)state;
	add_function("call", ids.u32, parameters, 8);
	make(function_symbols, 3);
	die = find(DW_TAG_subprogram, "call");
	assert_int_equal(dwarf_lowpc(&die, &address), 0);
	assert_int_equal(address, CODE + 0x100);
	assert_int_equal(dwarf_highpc(&die, &address), 0);
	assert_int_equal(address, CODE + 0x140);
	assert_true(type_of(&die, &type));
	assert_string_equal(dwarf_diename(&type), "unsigned int");
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(place_at(&die, names[i], CODE + 0x100, &number), DW_OP_reg0 + registers[i]);
		assert_int_equal(place_at(&die, names[i], CODE + 0x109, &number), DW_OP_reg0 + registers[i]);
		assert_int_equal(place_at(&die, names[i], CODE + 0x10a, &number), 0);
	}
	assert_int_equal(place_at(&die, "g", CODE + 0x100, &number), DW_OP_breg7);
	assert_int_equal(number, 8);
	assert_int_equal(place_at(&die, "h", CODE + 0x100, &number), DW_OP_breg7);
	assert_int_equal(number, 16);
}

static void structs_as_arguments_take_registers_by_their_size(void **state)
{
	int wide = btf__add_struct(raw, "wide_one", 24), two = btf__add_struct(raw, "two_words", 16);
	const int parameters[] = { ids.pair, two, wide, ids.u32, 0 };
	uint64_t number;
	Dwarf_Die die, more;

	(void)state;
	add_function("more", 0, parameters, 5);
	make(function_symbols, 3);
	die = find(DW_TAG_subprogram, "more");
	assert_int_equal(place_at(&die, "a", CODE + 0x200, &number), DW_OP_reg5);
	assert_int_equal(place_at(&die, "b", CODE + 0x200, &number), 0); /* in two registers */
	assert_int_equal(place_at(&die, "c", CODE + 0x200, &number), DW_OP_breg7);
	assert_int_equal(number, 8);
	assert_int_equal(place_at(&die, "d", CODE + 0x200, &number), DW_OP_reg2);
	assert_true(find_in(&die, DW_TAG_unspecified_parameters, NULL, &more));
	assert_false(type_of(&die, &more));
}

static void functions_and_variables_without_a_symbol_are_left_out(void **state)
{
	Dwarf_Die die;
	Dwarf_Attribute attribute;
	Dwarf_Op *ops;
	size_t length;

	(void)state;
	add_function("nowhere", 0, NULL, 0);
	add_function("counter", 0, NULL, 0); /* which is no function */
	btf__add_var(raw, "counter", BTF_VAR_STATIC, ids.u32);
	btf__add_var(raw, "absent", BTF_VAR_STATIC, ids.u32);
	make(function_symbols, 3);
	assert_false(find_in(&unit, DW_TAG_subprogram, "nowhere", &die));
	assert_false(find_in(&unit, DW_TAG_subprogram, "counter", &die));
	assert_false(find_in(&unit, DW_TAG_variable, "absent", &die));
	die = find(DW_TAG_variable, "counter");
	assert_non_null(dwarf_attr(&die, DW_AT_location, &attribute));
	assert_int_equal(dwarf_getlocation(&attribute, &ops, &length), 0);
	assert_int_equal(ops->atom, DW_OP_addr);
	assert_int_equal(ops->number, 0x1234);
}

static void the_unit_has_the_kernels_code_and_no_more(void **state)
{
	Dwarf_Addr base, start, end;
	Dwarf_Aranges *ranges;
	Dwarf_Die die;
	size_t count;

	(void)state;
	make(function_symbols, 3);
	assert_true(dwarf_ranges(&unit, 0, &base, &start, &end) > 0);
	assert_int_equal(start, CODE);
	assert_int_equal(end, CODE + 0x1000);
	assert_int_equal(dwarf_getaranges(dwarf, &ranges, &count), 0);
	assert_int_equal(count, 1);
	assert_non_null(dwarf_addrdie(dwarf, CODE + 0xfff, &die));
	assert_null(dwarf_addrdie(dwarf, CODE + 0x1000, &die));
}

static void without_types_the_unit_says_who_made_it(void **state)
{
	Dwarf_Attribute attribute;
	Dwarf_Die child;

	(void)state;
	btf__free(raw);
	raw = btf__new_empty();
	make(NULL, 0);
	assert_int_equal(type_count, 0);
	assert_string_equal(dwarf_formstring(dwarf_attr(&unit, DW_AT_producer, &attribute)), "tester");
	assert_int_equal(dwarf_child(&unit, &child), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(members_are_where_btf_has_them),
		TEST(bit_fields_say_which_bits),
		TEST(what_has_no_name_has_none),
		TEST(arrays_have_bounds_unless_they_are_flexible),
		TEST(enumerators_have_their_values),
		TEST(characters_booleans_and_signs_are_told_apart),
		TEST(tags_are_looked_through_and_void_is_no_type),
		TEST(functions_have_their_place_and_arguments_while_they_begin),
		TEST(structs_as_arguments_take_registers_by_their_size),
		TEST(functions_and_variables_without_a_symbol_are_left_out),
		TEST(the_unit_has_the_kernels_code_and_no_more),
		TEST(without_types_the_unit_says_who_made_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
