// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Call frame instructions written by hand: every instruction, every kind of rule. The expected rows follow
 * from the DWARF and ABI texts. Sections as a whole: test_cfi_sections.c. Real objects: test_cfi_files.c.
 */
#include "cfi_image.h"

/* --- frames --- */

static void a_frame_pointer_prologue_and_epilogue_become_rows(void **state)
{
	struct unwind_table table = parse_function(
		USUAL, CODE(DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16, DW_CFA_offset | RBP, 2,
			    DW_CFA_advance_loc | 3, DW_CFA_def_cfa_register, RBP, DW_CFA_advance_loc | 0x20,
			    DW_CFA_def_cfa, RSP, 8, DW_CFA_restore | RBP));

	(void)state;
	assert_int_equal(table.fdes, 1);
	assert_int_equal(table.unsupported, 0);
	EXPECT_ROWS(&table, ROW(0x100, 8, 0, CFA_RSP), ROW(0x101, 16, -16, CFA_RSP),
		    ROW(0x104, 16, -16, CFA_RBP), ROW(0x124, 8, 0, CFA_RSP), ROW(0x140, 0, 0, CFA_NONE));
}

static void a_plt_expression_keeps_the_compared_literal(void **state)
{
	(void)state;
	for (int literal = 0; literal <= 15; literal++) {
		struct unwind_table table = parse_function(
			USUAL, CODE(DW_CFA_def_cfa_expression, 11, DW_OP_breg7, 8, DW_OP_breg16, 0,
				    DW_OP_lit15, DW_OP_and, (uint8_t)(DW_OP_lit0 + literal), DW_OP_ge,
				    DW_OP_lit3, DW_OP_shl, DW_OP_plus));

		EXPECT_ONE_RULE(&table, literal, 0, CFA_PLT);
	}
}

static void an_expression_that_only_resembles_a_plt_is_unsupported(void **state)
{
	(void)state;
	expect_unsupported(parse_function(
		USUAL, CODE(DW_CFA_def_cfa_expression, 11, DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15,
			    DW_OP_and, DW_OP_lit16, DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus)));
	expect_unsupported(parse_function(
		USUAL, CODE(DW_CFA_def_cfa_expression, 11, DW_OP_breg7, 16, DW_OP_breg16, 0, DW_OP_lit15,
			    DW_OP_and, DW_OP_lit11, DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus)));
	expect_unsupported(parse_function(
		USUAL, CODE(DW_CFA_def_cfa_expression, 11, DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15,
			    DW_OP_and, DW_OP_lit11, DW_OP_ge, DW_OP_lit2, DW_OP_shl, DW_OP_plus)));
	expect_unsupported(parse_function(
		USUAL, CODE(DW_CFA_def_cfa_expression, 12, DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15,
			    DW_OP_and, DW_OP_lit11, DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus, DW_OP_nop)));
}

static void gcc_stack_realignment_takes_rbp_from_rbp(void **state)
{
	/* lea 8(%rsp),%r10; and; push; push %rbp; mov %rsp,%rbp; push %r10 */
	struct unwind_table table = parse_function(
		USUAL, CODE(DW_CFA_advance_loc | 5, DW_CFA_def_cfa, 10, 0, DW_CFA_advance_loc | 8,
			    DW_CFA_expression, RBP, 2, DW_OP_breg6, 0, DW_CFA_advance_loc | 2,
			    DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 0x78, DW_OP_deref,
			    DW_CFA_advance_loc | 0x20, DW_CFA_def_cfa, 10, 0, DW_CFA_advance_loc | 1,
			    DW_CFA_def_cfa, RSP, 8, DW_CFA_restore | RBP));

	(void)state;
	assert_int_equal(table.unsupported, 3);
	EXPECT_ROWS(&table, ROW(0x100, 8, 0, CFA_RSP), ROW(0x105, 0, 0, CFA_NONE),
		    ROW_FROM_RBP(0x10f, -8, 0, CFA_RBP_DEREF), ROW(0x12f, 0, 0, CFA_NONE),
		    ROW(0x130, 8, 0, CFA_RSP), ROW(0x140, 0, 0, CFA_NONE));
}

static void a_cfa_loaded_from_the_stack_is_kept(void **state)
{
	struct unwind_table table = parse_function(
		USUAL, CODE(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 0xa0, 0x01, DW_OP_deref));

	(void)state;
	EXPECT_ONE_RULE(&table, 160, 0, CFA_RSP_DEREF);
}

static void an_expression_that_adds_to_a_register_is_an_ordinary_cfa(void **state)
{
	struct unwind_table table;

	(void)state;
	table = parse_function(USUAL, CODE(DW_CFA_def_cfa_expression, 2, DW_OP_breg7, 24));
	EXPECT_ONE_RULE(&table, 24, 0, CFA_RSP);
	table = parse_function(USUAL, CODE(DW_CFA_def_cfa_expression, 2, DW_OP_breg6, 16));
	EXPECT_ONE_RULE(&table, 16, 0, CFA_RBP);
}

static void unknown_cfa_expressions_are_unsupported(void **state)
{
	(void)state;
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_def_cfa_expression, 0)));
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_def_cfa_expression, 1, DW_OP_breg7)));
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_def_cfa_expression, 2, DW_OP_breg3, 8)));
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_def_cfa_expression, 5, DW_OP_breg7, 8,
						      DW_OP_deref, DW_OP_plus_uconst, 8)));
}

static void a_cfa_on_another_register_is_unsupported(void **state)
{
	(void)state;
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_def_cfa, 10, 0)));
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_def_cfa_register, 3)));
}

static void a_cfa_that_was_never_defined_is_unsupported(void **state)
{
	(void)state;
	expect_unsupported(parse_function(CODE(DW_CFA_offset | RA, 1), NO_CODE));
}

static void an_undefined_return_address_ends_the_stack(void **state)
{
	struct unwind_table table = parse_function(USUAL, CODE(DW_CFA_undefined, RA));

	(void)state;
	assert_int_equal(table.unsupported, 0);
	EXPECT_ONE_RULE(&table, 0, 0, CFA_END);
}

static void a_return_address_anywhere_but_below_the_cfa_is_unsupported(void **state)
{
	(void)state;
	expect_unsupported(parse_function(CODE(DW_CFA_def_cfa, RSP, 8), NO_CODE));
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_offset | RA, 2)));
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_same_value, RA)));
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_register, RA, 2)));
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_val_offset, RA, 1)));
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_expression, RA, 2, DW_OP_breg7, 0)));
}

static void an_rsp_that_is_not_the_cfa_is_unsupported(void **state)
{
	struct unwind_table table;

	(void)state;
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_offset | RSP, 3)));
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_val_offset, RSP, 1)));
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_expression, RSP, 2, DW_OP_breg7, 0)));
	table = parse_function(USUAL, CODE(DW_CFA_val_offset, RSP, 0));
	EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
	table = parse_function(USUAL, CODE(DW_CFA_same_value, RSP));
	EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
}

#define GLIBC_RESTORE_RT                                                                                  \
	CODE(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 0xa0, 0x01, DW_OP_deref, DW_CFA_expression, RBP,  \
	     3, DW_OP_breg7, 0xf8, 0x00, DW_CFA_expression, RSP, 3, DW_OP_breg7, 0xa0, 0x01,              \
	     DW_CFA_expression, RA, 3, DW_OP_breg7, 0xa8, 0x01)

static struct unwind_table parse_signal_function(const char *augmentation, struct code program)
{
	struct image image = {0};

	put_cie_encoded(&image, augmentation, DW_EH_PE_absptr, USUAL);
	put_fde(&image, 0x100, 0x40, program);
	return parse(&image);
}

static void a_signal_trampoline_is_a_signal_frame(void **state)
{
	struct unwind_table table = parse_signal_function("zRS", GLIBC_RESTORE_RT);

	(void)state;
	EXPECT_ONE_RULE(&table, 0, 0, CFA_SIGNAL);
	/* The same slots, told with plain offsets: CFA = rsp + 176, rip at CFA - 8, rsp at CFA - 16. */
	table = parse_signal_function("zRS", CODE(DW_CFA_def_cfa, RSP, 0xb0, 0x01, DW_CFA_offset | RSP, 2,
						  DW_CFA_offset | RBP, 7));
	EXPECT_ONE_RULE(&table, 0, 0, CFA_SIGNAL);
}

static void the_signal_letter_alone_does_not_make_a_signal_frame(void **state)
{
	struct unwind_table table = parse_signal_function("zRS", NO_CODE);

	(void)state;
	EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
	expect_unsupported(parse_signal_function("zR", GLIBC_RESTORE_RT));
	expect_unsupported(parse_signal_function(
		"zRS", CODE(DW_CFA_expression, RA, 3, DW_OP_breg6, 0xa8, 0x01)));
	expect_unsupported(parse_signal_function(
		"zRS", CODE(DW_CFA_expression, RA, 4, DW_OP_breg7, 0xa8, 0x01, DW_OP_deref)));
	expect_unsupported(parse_signal_function(
		"zRS", CODE(DW_CFA_expression, RA, 3, DW_OP_breg7, 0xa0, 0x01)));
}

/* --- rbp --- */

static void rbp_rules_that_move_nothing_leave_it_unchanged(void **state)
{
	struct unwind_table table;

	(void)state;
	table = parse_function(USUAL, CODE(DW_CFA_same_value, RBP));
	EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
	table = parse_function(USUAL, CODE(DW_CFA_undefined, RBP));
	EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
}

static void an_rbp_slot_given_from_rsp_becomes_relative_to_the_cfa(void **state)
{
	struct unwind_table table = parse_function(
		USUAL, CODE(DW_CFA_def_cfa_offset, 32, DW_CFA_expression, RBP, 2, DW_OP_breg7, 8));

	(void)state;
	EXPECT_ONE_RULE(&table, 32, -24, CFA_RSP);
}

static void an_rbp_slot_given_from_rbp_keeps_the_flag(void **state)
{
	struct unwind_table table = parse_function(
		USUAL, CODE(DW_CFA_def_cfa, RBP, 16, DW_CFA_expression, RBP, 2, DW_OP_breg6, 0x70));

	(void)state;
	EXPECT_ROWS(&table, ROW_FROM_RBP(0x100, 16, -16, CFA_RBP), ROW(0x140, 0, 0, CFA_NONE));
}

static void rbp_slots_up_to_16_bits_fit(void **state)
{
	struct unwind_table table =
		parse_function(USUAL, CODE(DW_CFA_offset | RBP, 0x80, 0x20)); /* 4096 * -8 */

	(void)state;
	EXPECT_ONE_RULE(&table, 8, -32768, CFA_RSP);
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_offset | RBP, 0x81, 0x20)));
	table = parse_function(USUAL, CODE(DW_CFA_expression, RBP, 4, DW_OP_breg6, 0xff, 0xff, 0x01));
	EXPECT_ROWS(&table, ROW_FROM_RBP(0x100, 8, 32767, CFA_RSP), ROW(0x140, 0, 0, CFA_NONE));
	expect_unsupported(
		parse_function(USUAL, CODE(DW_CFA_expression, RBP, 4, DW_OP_breg6, 0x80, 0x80, 0x02)));
}

static void rbp_rules_without_a_slot_are_unsupported(void **state)
{
	(void)state;
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_offset | RBP, 0)));
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_register, RBP, 3)));
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_val_offset, RBP, 2)));
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_val_expression, RBP, 2, DW_OP_breg7, 0)));
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_expression, RBP, 2, DW_OP_breg3, 0)));
	expect_unsupported(
		parse_function(USUAL, CODE(DW_CFA_expression, RBP, 3, DW_OP_breg6, 0, DW_OP_deref)));
	/* rsp + 0 where the CFA is not made from rsp */
	expect_unsupported(parse_function(
		USUAL, CODE(DW_CFA_def_cfa_register, RBP, DW_CFA_expression, RBP, 2, DW_OP_breg7, 0)));
}

/* --- instructions --- */

static void every_form_of_advance_moves_the_location(void **state)
{
	struct unwind_table table = parse_function(
		USUAL, CODE(DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16, DW_CFA_advance_loc1, 2,
			    DW_CFA_def_cfa_offset, 24, DW_CFA_advance_loc2, 3, 0, DW_CFA_def_cfa_offset, 32,
			    DW_CFA_advance_loc4, 4, 0, 0, 0, DW_CFA_def_cfa_offset, 40,
			    DW_CFA_MIPS_advance_loc8, 5, 0, 0, 0, 0, 0, 0, 0, DW_CFA_def_cfa_offset, 48,
			    DW_CFA_set_loc, 0x10, 0x01, BASE_VADDR >> 16, 0, 0, 0, 0, 0,
			    DW_CFA_def_cfa_offset, 56));

	(void)state;
	EXPECT_ROWS(&table, ROW(0x100, 8, 0, CFA_RSP), ROW(0x101, 16, 0, CFA_RSP), ROW(0x103, 24, 0, CFA_RSP),
		    ROW(0x106, 32, 0, CFA_RSP), ROW(0x10a, 40, 0, CFA_RSP), ROW(0x10f, 48, 0, CFA_RSP),
		    ROW(0x110, 56, 0, CFA_RSP), ROW(0x140, 0, 0, CFA_NONE));
}

static void advances_count_in_code_alignment_units(void **state)
{
	struct image image = {0};
	size_t begin;
	struct unwind_table table;

	(void)state;
	image.cie = image.size;
	begin = begin_entry(&image);
	put_bytes(&image, "\0\0\0\0\1\0\4\x78\x10\xc\7\x8\x90\1", 14);
	end_entry(&image, begin);
	begin = begin_fde(&image);
	put(&image, BASE_VADDR + 0x100, 8);
	put(&image, 0x40, 8);
	put_bytes(&image, (uint8_t[]){DW_CFA_advance_loc | 3, DW_CFA_def_cfa_offset, 16}, 3);
	end_entry(&image, begin);
	table = parse(&image);
	EXPECT_ROWS(&table, ROW(0x100, 8, 0, CFA_RSP), ROW(0x10c, 16, 0, CFA_RSP),
		    ROW(0x140, 0, 0, CFA_NONE));
}

static void every_form_of_offset_reaches_the_same_slot(void **state)
{
	const struct code forms[] = {
		CODE(DW_CFA_offset | RBP, 2),
		CODE(DW_CFA_offset_extended, RBP, 2),
		CODE(DW_CFA_offset_extended_sf, RBP, 2),
		CODE(DW_CFA_offset_extended_sf, RBP, 0x82, 0x80, 0x00), /* padded operand */
		CODE(DW_CFA_offset_extended, 0x86, 0x00, 2), /* padded register number */
	};
	struct unwind_table table;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		table = parse_function(USUAL, forms[i]);
		EXPECT_ONE_RULE(&table, 8, -16, CFA_RSP);
	}
	table = parse_function(USUAL, CODE(DW_CFA_GNU_negative_offset_extended, RBP, 2));
	EXPECT_ONE_RULE(&table, 8, 16, CFA_RSP);
	table = parse_function(USUAL, CODE(DW_CFA_offset_extended, RBP, 0x40));
	EXPECT_ONE_RULE(&table, 8, -512, CFA_RSP);
	table = parse_function(USUAL, CODE(DW_CFA_offset_extended_sf, RBP, 0x7e));
	EXPECT_ONE_RULE(&table, 8, 16, CFA_RSP);
}

static void every_form_of_cfa_definition_is_read(void **state)
{
	struct unwind_table table;

	(void)state;
	table = parse_function(USUAL, CODE(DW_CFA_def_cfa, RBP, 0x90, 0x01));
	EXPECT_ONE_RULE(&table, 144, 0, CFA_RBP);
	table = parse_function(USUAL, CODE(DW_CFA_def_cfa_sf, RBP, 0x7e));
	EXPECT_ONE_RULE(&table, 16, 0, CFA_RBP);
	table = parse_function(USUAL, CODE(DW_CFA_def_cfa_offset_sf, 0x7d));
	EXPECT_ONE_RULE(&table, 24, 0, CFA_RSP);
	table = parse_function(USUAL, CODE(DW_CFA_def_cfa_offset_sf, 1));
	EXPECT_ONE_RULE(&table, -8, 0, CFA_RSP);
}

static void a_register_after_an_expression_takes_up_the_last_offset(void **state)
{
	struct unwind_table table = parse_function(
		USUAL,
		CODE(DW_CFA_def_cfa_offset, 24, DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 16, DW_OP_deref,
		     DW_CFA_advance_loc | 1, DW_CFA_def_cfa_register, RSP, DW_CFA_advance_loc | 1,
		     DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 16, DW_OP_deref, DW_CFA_def_cfa_offset, 8,
		     DW_CFA_advance_loc | 1, DW_CFA_def_cfa_register, RBP));

	(void)state;
	assert_int_equal(table.damaged, 0);
	EXPECT_ROWS(&table, ROW(0x100, 16, 0, CFA_RBP_DEREF), ROW(0x101, 24, 0, CFA_RSP),
		    ROW(0x102, 16, 0, CFA_RBP_DEREF), ROW(0x103, 8, 0, CFA_RBP), ROW(0x140, 0, 0, CFA_NONE));
}

static void cfa_offsets_over_32_bits_are_unsupported(void **state)
{
	struct unwind_table table;

	(void)state;
	table = parse_function(USUAL, CODE(DW_CFA_def_cfa_offset, 0xff, 0xff, 0xff, 0xff, 7));
	EXPECT_ONE_RULE(&table, INT32_MAX, 0, CFA_RSP);
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_def_cfa_offset, 0x80, 0x80, 0x80, 0x80, 8)));
	/* in units of -8 */
	table = parse_function(USUAL, CODE(DW_CFA_def_cfa_offset_sf, 0x80, 0x80, 0x80, 0x80, 1));
	EXPECT_ONE_RULE(&table, INT32_MIN, 0, CFA_RSP);
	expect_unsupported(parse_function(USUAL, CODE(DW_CFA_def_cfa_offset_sf, 0x81, 0x80, 0x80, 0x80, 1)));
}

static void rules_of_other_registers_change_nothing(void **state)
{
	struct unwind_table table = parse_function(
		USUAL, CODE(DW_CFA_offset | 3, 5, DW_CFA_expression, 12, 2, DW_OP_breg6, 8, DW_CFA_register,
			    13, 2, DW_CFA_restore_extended, 12, DW_CFA_val_expression, 3, 1, DW_OP_lit0,
			    DW_CFA_undefined, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1,
			    DW_CFA_GNU_args_size, 0x90, 1, DW_CFA_nop));

	(void)state;
	EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
}

static void restore_goes_back_to_the_rule_of_the_cie(void **state)
{
	struct unwind_table table = parse_function(
		CODE(DW_CFA_def_cfa, RSP, 8, DW_CFA_offset | RA, 1, DW_CFA_offset | RBP, 4),
		CODE(DW_CFA_same_value, RBP, DW_CFA_advance_loc | 1, DW_CFA_restore | RBP,
		     DW_CFA_advance_loc | 1, DW_CFA_undefined, RBP, DW_CFA_advance_loc | 1,
		     DW_CFA_restore_extended, RBP));

	(void)state;
	EXPECT_ROWS(&table, ROW(0x100, 8, 0, CFA_RSP), ROW(0x101, 8, -32, CFA_RSP), ROW(0x102, 8, 0, CFA_RSP),
		    ROW(0x103, 8, -32, CFA_RSP), ROW(0x140, 0, 0, CFA_NONE));
}

static void restore_state_brings_back_cfa_and_rules_of_the_innermost_remember(void **state)
{
	struct unwind_table table = parse_function(
		USUAL, CODE(DW_CFA_remember_state, DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16,
			    DW_CFA_offset | RBP, 2, DW_CFA_remember_state, DW_CFA_advance_loc | 1,
			    DW_CFA_def_cfa_register, RBP, DW_CFA_advance_loc | 1, DW_CFA_restore_state,
			    DW_CFA_advance_loc | 1, DW_CFA_restore_state));

	(void)state;
	EXPECT_ROWS(&table, ROW(0x100, 8, 0, CFA_RSP), ROW(0x101, 16, -16, CFA_RSP),
		    ROW(0x102, 16, -16, CFA_RBP), ROW(0x103, 16, -16, CFA_RSP), ROW(0x104, 8, 0, CFA_RSP),
		    ROW(0x140, 0, 0, CFA_NONE));
}

static void equal_neighbours_are_one_row(void **state)
{
	struct unwind_table table = parse_function(
		USUAL, CODE(DW_CFA_advance_loc | 1, DW_CFA_offset | 3, 2, DW_CFA_advance_loc | 1,
			    DW_CFA_def_cfa_offset, 16, DW_CFA_advance_loc | 0, DW_CFA_def_cfa_offset, 24));

	(void)state;
	EXPECT_ROWS(&table, ROW(0x100, 8, 0, CFA_RSP), ROW(0x102, 24, 0, CFA_RSP),
		    ROW(0x140, 0, 0, CFA_NONE));
}

static void locations_past_the_end_of_the_function_make_no_row(void **state)
{
	struct unwind_table table = parse_function(
		USUAL, CODE(DW_CFA_advance_loc | 0x3f, DW_CFA_def_cfa_offset, 16, DW_CFA_advance_loc | 1,
			    DW_CFA_def_cfa_offset, 24, DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 32));

	(void)state;
	EXPECT_ROWS(&table, ROW(0x100, 8, 0, CFA_RSP), ROW(0x13f, 16, 0, CFA_RSP),
		    ROW(0x140, 0, 0, CFA_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_pointer_prologue_and_epilogue_become_rows),
		cmocka_unit_test(a_plt_expression_keeps_the_compared_literal),
		cmocka_unit_test(an_expression_that_only_resembles_a_plt_is_unsupported),
		cmocka_unit_test(gcc_stack_realignment_takes_rbp_from_rbp),
		cmocka_unit_test(a_cfa_loaded_from_the_stack_is_kept),
		cmocka_unit_test(an_expression_that_adds_to_a_register_is_an_ordinary_cfa),
		cmocka_unit_test(unknown_cfa_expressions_are_unsupported),
		cmocka_unit_test(a_cfa_on_another_register_is_unsupported),
		cmocka_unit_test(a_cfa_that_was_never_defined_is_unsupported),
		cmocka_unit_test(an_undefined_return_address_ends_the_stack),
		cmocka_unit_test(a_return_address_anywhere_but_below_the_cfa_is_unsupported),
		cmocka_unit_test(an_rsp_that_is_not_the_cfa_is_unsupported),
		cmocka_unit_test(a_signal_trampoline_is_a_signal_frame),
		cmocka_unit_test(the_signal_letter_alone_does_not_make_a_signal_frame),
		cmocka_unit_test(rbp_rules_that_move_nothing_leave_it_unchanged),
		cmocka_unit_test(an_rbp_slot_given_from_rsp_becomes_relative_to_the_cfa),
		cmocka_unit_test(an_rbp_slot_given_from_rbp_keeps_the_flag),
		cmocka_unit_test(rbp_slots_up_to_16_bits_fit),
		cmocka_unit_test(rbp_rules_without_a_slot_are_unsupported),
		cmocka_unit_test(every_form_of_advance_moves_the_location),
		cmocka_unit_test(advances_count_in_code_alignment_units),
		cmocka_unit_test(every_form_of_offset_reaches_the_same_slot),
		cmocka_unit_test(every_form_of_cfa_definition_is_read),
		cmocka_unit_test(a_register_after_an_expression_takes_up_the_last_offset),
		cmocka_unit_test(cfa_offsets_over_32_bits_are_unsupported),
		cmocka_unit_test(rules_of_other_registers_change_nothing),
		cmocka_unit_test(restore_goes_back_to_the_rule_of_the_cie),
		cmocka_unit_test(restore_state_brings_back_cfa_and_rules_of_the_innermost_remember),
		cmocka_unit_test(equal_neighbours_are_one_row),
		cmocka_unit_test(locations_past_the_end_of_the_function_make_no_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
