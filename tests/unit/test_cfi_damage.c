// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Every kind of damage to an .eh_frame section: what it costs, and that what is whole stays readable. */
#include <errno.h>

#include "cfi_image.h"

static void expect_good_function_and_damage(const struct image *image, size_t damaged)
{
	struct unwind_table table = parse(image);

	assert_int_equal(table.damaged, damaged);
	EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
}

static void an_empty_section_gives_an_empty_table(void **state)
{
	struct image image = {0};
	struct unwind_table table = parse(&image);

	(void)state;
	EXPECT_ROWS(&table);
	assert_int_equal(cfi_parse_eh_frame(NULL, 0, 0, 0, &table, NULL), 0);
	assert_int_equal(table.count, 0);
	unwind_table_deinit(&table);
	unwind_table_deinit(NULL);
}

static void a_truncated_length_keeps_what_came_before(void **state)
{
	(void)state;
	for (size_t size = 1; size < 4; size++) {
		struct image image = {0};

		put_good_function(&image);
		put(&image, 0x10, size);
		expect_good_function_and_damage(&image, 1);
	}
}

static void a_length_past_the_section_keeps_what_came_before(void **state)
{
	const uint64_t lengths[] = {5, 0x1000, 0x7fffffff, 0xffffffef, 0xfffffff0, 0xfffffffe};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct image image = {0};

		put_good_function(&image);
		put(&image, lengths[i], 4);
		put(&image, 0, 4);
		expect_good_function_and_damage(&image, 1);
	}
}

static void a_64_bit_length_past_the_section_keeps_what_came_before(void **state)
{
	const uint64_t lengths[] = {9, 0x100000000, INT64_MAX, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct image image = {0};

		put_good_function(&image);
		put(&image, UINT32_MAX, 4);
		put(&image, lengths[i], 8);
		put(&image, 0, 8);
		expect_good_function_and_damage(&image, 1);
		image.size -= 9; /* the length itself is cut */
		expect_good_function_and_damage(&image, 1);
	}
}

static void an_entry_too_short_for_its_fields_costs_only_itself(void **state)
{
	(void)state;
	for (size_t size = 1; size < 4 + 8 + 8 + 1; size++) {
		struct image image = {0};
		struct image full = {0};
		size_t begin;

		put_cie(&full, USUAL);
		put_fde(&full, 0x200, 0x40, NO_CODE);
		put_cie(&image, USUAL);
		begin = begin_entry(&image);
		put_bytes(&image, full.bytes + begin, size);
		end_entry(&image, begin);
		put_good_function(&image);
		expect_good_function_and_damage(&image, 1);
	}
}

static void a_cie_too_short_for_its_fields_costs_itself_and_its_functions(void **state)
{
	struct image full = {0};

	(void)state;
	put_cie(&full, USUAL);
	/* 8 bytes of length and id; up to the augmentation data every byte is needed */
	for (size_t size = 1; size < full.size - 8 - USUAL.size; size++) {
		struct image image = {0};
		size_t begin = begin_entry(&image);

		put(&image, 0, 4);
		put_bytes(&image, full.bytes + 8, size);
		end_entry(&image, begin);
		put_fde(&image, 0x200, 0x40, NO_CODE);
		put_good_function(&image);
		expect_good_function_and_damage(&image, 2);
	}
}

static void a_cie_pointer_that_meets_no_cie_costs_the_function(void **state)
{
	const uint32_t distances[] = {1, 8, 0x20, 0x10000, 0x7fffffff, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < sizeof(distances) / sizeof(distances[0]); i++) {
		struct image image = {0};
		size_t begin;

		put_good_function(&image);
		begin = begin_entry(&image);
		put(&image, distances[i], 4);
		put(&image, BASE_VADDR + 0x200, 8);
		put(&image, 0x40, 8);
		put(&image, 0, 1);
		end_entry(&image, begin);
		expect_good_function_and_damage(&image, 1);
	}
}

static void a_cie_pointer_beside_several_cies_costs_the_function(void **state)
{
	(void)state;
	for (size_t target = 0;; target++) {
		struct image image = {0};
		size_t begin, hits = 0;

		put_fde(&image, 0x200, 0x40, NO_CODE); /* no CIE at all is before it */
		for (int i = 0; i < 4; i++) {
			put_cie(&image, USUAL);
			hits += image.cie == target;
		}
		put_fde(&image, 0x100, 0x40, NO_CODE);
		begin = begin_entry(&image);
		if (target == begin)
			break;
		put(&image, begin - target, 4);
		put(&image, BASE_VADDR + 0x200, 8);
		put(&image, 0, 8);
		put(&image, 0, 1);
		end_entry(&image, begin);
		expect_good_function_and_damage(&image, 2 - hits);
	}
}

static void addresses_outside_32_bits_of_the_base_cost_the_function(void **state)
{
	const uint64_t ranges[][2] = {
		{BASE_VADDR - 1, 0x10},
		{0, 0x10},
		{BASE_VADDR + 0x100000000, 0x10},
		{BASE_VADDR + 0xfffffff8, 0x10},
		{BASE_VADDR + 0x200, UINT64_MAX},
		{UINT64_MAX, UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		struct image image = {0};
		size_t begin;

		put_good_function(&image);
		begin = begin_fde(&image);
		put(&image, ranges[i][0], 8);
		put(&image, ranges[i][1], 8);
		put(&image, 0, 1);
		end_entry(&image, begin);
		expect_good_function_and_damage(&image, 1);
	}
}

static void augmentation_data_past_the_entry_is_damage(void **state)
{
	struct image image = {0};
	size_t begin;

	(void)state;
	put_good_function(&image);
	begin = begin_fde(&image);
	put(&image, BASE_VADDR + 0x200, 8);
	put(&image, 0x40, 8);
	put_bytes(&image, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
	end_entry(&image, begin);
	begin = begin_cie(&image, 1, "zR");
	put(&image, 2, 1);
	put(&image, DW_EH_PE_absptr, 1);
	end_entry(&image, begin);
	expect_good_function_and_damage(&image, 2);
}

/* Rules before the damage hold, the rest of the function has none, and the next function is whole. */
static void expect_damage_after_5_bytes(struct code damage)
{
	struct code program = CODE(DW_CFA_def_cfa_offset, 16, DW_CFA_advance_loc | 5);
	struct image image = {0};
	struct unwind_table table;

	memcpy(program.bytes + program.size, damage.bytes, damage.size);
	program.size += damage.size;
	put_cie(&image, USUAL);
	put_fde(&image, 0x100, 0x40, program);
	put_fde(&image, 0x140, 0x10, NO_CODE);
	table = parse(&image);
	assert_int_equal(table.damaged, 1);
	assert_int_equal(table.unsupported, 1);
	assert_int_equal(table.fdes, 2);
	EXPECT_ROWS(&table, ROW(0x100, 16, 0, CFA_RSP), ROW(0x105, 0, 0, CFA_NONE), ROW(0x140, 8, 0, CFA_RSP),
		    ROW(0x150, 0, 0, CFA_NONE));
}

/* A CIE with the augmentation data @data. */
static void expect_augmentation_damaged(const char *augmentation, struct code data)
{
	struct image image = {0};
	size_t begin;

	put_good_function(&image);
	begin = begin_cie(&image, 1, augmentation);
	put(&image, data.size, 1);
	put_bytes(&image, data.bytes, data.size);
	put_bytes(&image, USUAL.bytes, USUAL.size);
	end_entry(&image, begin);
	expect_good_function_and_damage(&image, 1);
}

static void augmentation_data_too_short_for_its_letters_is_damage(void **state)
{
	(void)state;
	expect_augmentation_damaged("zR", NO_CODE);
	expect_augmentation_damaged("zLR", CODE(0));
	expect_augmentation_damaged("zRP", CODE(0, DW_EH_PE_udata4, 1, 2, 3));
	expect_augmentation_damaged("zRP", CODE(0, 0x05, 1, 2, 3)); /* no such format */
}

static void a_damaged_program_keeps_the_rules_before_the_damage(void **state)
{
	(void)state;
	expect_damage_after_5_bytes(CODE(DW_CFA_restore_state));
	expect_damage_after_5_bytes(CODE(0x3f));
	expect_damage_after_5_bytes(CODE(DW_CFA_GNU_window_save));
	expect_damage_after_5_bytes(CODE(DW_CFA_advance_loc4, 1, 0, 0));
	expect_damage_after_5_bytes(
		CODE(DW_CFA_MIPS_advance_loc8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff));
	expect_damage_after_5_bytes(CODE(DW_CFA_def_cfa_offset));
	expect_damage_after_5_bytes(CODE(DW_CFA_def_cfa, RSP));
	expect_damage_after_5_bytes(CODE(DW_CFA_offset | RBP));
	expect_damage_after_5_bytes(CODE(DW_CFA_def_cfa_expression, 3, DW_OP_breg7, 8));
	expect_damage_after_5_bytes(
		CODE(DW_CFA_expression, RBP, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1));
	expect_damage_after_5_bytes(CODE(DW_CFA_set_loc, 0x04, 0x01, BASE_VADDR >> 16, 0, 0, 0, 0, 0));
	expect_damage_after_5_bytes(CODE(DW_CFA_set_loc, 0, 0, 0, 0, 0, 0, 0, 0));
}

static void huge_leb128_numbers_are_damage(void **state)
{
#define HUGE 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
	(void)state;
	expect_damage_after_5_bytes(CODE(DW_CFA_def_cfa_offset, HUGE, 2)); /* bit 64 */
	expect_damage_after_5_bytes(CODE(DW_CFA_def_cfa_offset, HUGE, 1)); /* over INT64_MAX */
	expect_damage_after_5_bytes(CODE(DW_CFA_def_cfa_offset, HUGE, 0xff, 0));
	expect_damage_after_5_bytes(CODE(DW_CFA_def_cfa_offset_sf, HUGE, 0x3f));
	expect_damage_after_5_bytes(CODE(DW_CFA_offset | RBP, HUGE, 0)); /* times -8 */
	/* -(2^60 * -8) */
	expect_damage_after_5_bytes(CODE(DW_CFA_GNU_negative_offset_extended, RBP, 0x80, 0x80, 0x80, 0x80,
					 0x80, 0x80, 0x80, 0x80, 0x10));
	expect_damage_after_5_bytes(
		CODE(DW_CFA_def_cfa_offset_sf, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f));
#undef HUGE
}

static void the_state_stack_is_bounded(void **state)
{
	struct code program = NO_CODE;
	struct unwind_table table;

	(void)state;
	memset(program.bytes, DW_CFA_remember_state, 32);
	memset(program.bytes + 32, DW_CFA_restore_state, 32);
	program.size = 64;
	table = parse_function(USUAL, program);
	assert_int_equal(table.damaged, 0);
	EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
	memset(program.bytes, DW_CFA_remember_state, 33);
	table = parse_function(USUAL, program);
	assert_int_equal(table.damaged, 1);
	EXPECT_ROWS(&table, ROW(0x100, 0, 0, CFA_NONE));
}

static void a_cie_whose_program_moves_or_restores_is_damaged(void **state)
{
	const struct code programs[] = {
		CODE(DW_CFA_advance_loc | 1),
		CODE(DW_CFA_advance_loc1, 0),
		CODE(DW_CFA_restore | RBP),
		CODE(DW_CFA_restore_state),
		CODE(DW_CFA_def_cfa_offset, 8),
		CODE(DW_CFA_def_cfa_register, RSP),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct image image = {0};

		put_cie(&image, programs[i]);
		put_fde(&image, 0x200, 0x40, USUAL);
		put_good_function(&image);
		expect_good_function_and_damage(&image, 2);
	}
}

static void a_section_with_nothing_but_damage_is_refused_with_the_place(void **state)
{
	struct unwind_table table = {.count = 77};
	struct error err = {0};
	struct image image = {0};

	(void)state;
	put(&image, 0, 4);
	put_bytes(&image, "\x40\x00\x00\x00garbage", 11);
	assert_int_equal(parse_status(&image, &table, &err), -EBADMSG);
	assert_int_equal(err.code, -EBADMSG);
	assert_non_null(strstr(err.text, "offset 0x4"));
	assert_int_equal(table.count, 77);
	assert_int_equal(cfi_parse_eh_frame(image.bytes, CFI_SECTION_MAX_BYTES + 1ul, 0, 0, &table, NULL),
			 -ENOMEM);
	assert_int_equal(table.count, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_section_gives_an_empty_table),
		cmocka_unit_test(a_truncated_length_keeps_what_came_before),
		cmocka_unit_test(a_length_past_the_section_keeps_what_came_before),
		cmocka_unit_test(a_64_bit_length_past_the_section_keeps_what_came_before),
		cmocka_unit_test(an_entry_too_short_for_its_fields_costs_only_itself),
		cmocka_unit_test(a_cie_too_short_for_its_fields_costs_itself_and_its_functions),
		cmocka_unit_test(a_cie_pointer_that_meets_no_cie_costs_the_function),
		cmocka_unit_test(a_cie_pointer_beside_several_cies_costs_the_function),
		cmocka_unit_test(addresses_outside_32_bits_of_the_base_cost_the_function),
		cmocka_unit_test(augmentation_data_past_the_entry_is_damage),
		cmocka_unit_test(augmentation_data_too_short_for_its_letters_is_damage),
		cmocka_unit_test(a_damaged_program_keeps_the_rules_before_the_damage),
		cmocka_unit_test(huge_leb128_numbers_are_damage),
		cmocka_unit_test(the_state_stack_is_bounded),
		cmocka_unit_test(a_cie_whose_program_moves_or_restores_is_damaged),
		cmocka_unit_test(a_section_with_nothing_but_damage_is_refused_with_the_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
