// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Whole .eh_frame sections written by hand: entries, encodings, overlaps, look-up. */
#include "cfi_image.h"

/* Writes an FDE for 0x100..0x140 whose address has the encoding @encoding. */
static struct unwind_table parse_encoded(uint8_t encoding)
{
	struct image image = {0};
	uint64_t number = BASE_VADDR + 0x100;
	size_t begin, sizes[] = {8, 0, 2, 4, 8, 0, 0, 0, 8, 0, 2, 4, 8};
	struct unwind_table table;
	struct error err = {0};

	put_cie_encoded(&image, "zR", encoding, USUAL);
	begin = begin_fde(&image);
	if ((encoding & 0x70) == DW_EH_PE_pcrel)
		number -= SECTION_VADDR + image.size;
	if ((encoding & 7) == DW_EH_PE_uleb128) {
		uint8_t address[] = {0x80 | (number & 0x7f), 0x80 | (number >> 7 & 0x7f),
				     0x80 | (number >> 14 & 0x7f), number >> 21 & 0x7f};

		put_bytes(&image, address, sizeof(address));
		put_bytes(&image, "\xc0\x00", 2); /* 0x40, signed or not */
	} else {
		put(&image, number, sizes[encoding & 0xf]);
		put(&image, 0x40, sizes[encoding & 0xf]);
	}
	put(&image, 0, 1);
	end_entry(&image, begin);
	if (parse_status(&image, &table, &err) != 0)
		fail_msg("encoding %#x: %s", encoding, err.text);
	return table;
}

static void every_address_encoding_that_needs_no_outside_base_is_read(void **state)
{
	const uint8_t encodings[] = {
		DW_EH_PE_absptr, DW_EH_PE_uleb128, DW_EH_PE_udata4, DW_EH_PE_udata8, DW_EH_PE_signed,
		DW_EH_PE_sleb128, DW_EH_PE_sdata4, DW_EH_PE_sdata8,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(encodings); i++) {
		struct unwind_table table = parse_encoded(encodings[i]);

		EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
		table = parse_encoded(encodings[i] | DW_EH_PE_pcrel);
		EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
	}
}

static void two_byte_addresses_are_read(void **state)
{
	struct unwind_table table;

	(void)state;
	for (int encoding = DW_EH_PE_udata2; encoding <= DW_EH_PE_sdata2; encoding += 8) {
		struct image image = {0};
		size_t begin;

		put_cie_encoded(&image, "zR", (uint8_t)(DW_EH_PE_pcrel | encoding), USUAL);
		begin = begin_fde(&image);
		put(&image, encoding == DW_EH_PE_sdata2 ? 0xff00 : 0x100, 2);
		put(&image, 0x40, 2);
		put(&image, 0, 1);
		end_entry(&image, begin);
		assert_int_equal(
			cfi_parse_eh_frame(image.bytes, image.size, 0x500000, BASE_VADDR, &table, NULL), 0);
		assert_int_equal(table.rows[0].pc,
				 0x100000 + begin + 4 + (encoding == DW_EH_PE_sdata2 ? -0x100 : 0x100));
		unwind_table_deinit(&table);
	}
}

static void encodings_that_need_another_base_are_refused_cleanly(void **state)
{
	const uint8_t encodings[] = {
		DW_EH_PE_datarel | DW_EH_PE_sdata4, DW_EH_PE_textrel | DW_EH_PE_sdata4,
		DW_EH_PE_funcrel | DW_EH_PE_sdata4, DW_EH_PE_aligned,
		DW_EH_PE_indirect | DW_EH_PE_pcrel | DW_EH_PE_sdata4, DW_EH_PE_omit, 0x05, 0x0d,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(encodings); i++) {
		struct image image = {0};
		struct unwind_table table;

		put_cie_encoded(&image, "zR", encodings[i], USUAL);
		put_fde(&image, 0x100, 0x40, NO_CODE);
		put_cie(&image, USUAL);
		put_fde(&image, 0x200, 0x40, NO_CODE);
		table = parse(&image);
		assert_int_equal(table.unsupported, 1);
		assert_int_equal(table.damaged, 0);
		EXPECT_ROWS(&table, ROW(0x200, 8, 0, CFA_RSP), ROW(0x240, 0, 0, CFA_NONE));
	}
}

static void cie_versions_1_3_and_4_are_read(void **state)
{
	const uint8_t versions[] = {1, 3, 4};

	(void)state;
	for (size_t i = 0; i < sizeof(versions); i++) {
		struct image image = {0};
		struct unwind_table table;
		size_t begin = begin_cie(&image, versions[i], "zR");

		put(&image, 1, 1);
		put(&image, DW_EH_PE_absptr, 1);
		put_bytes(&image, USUAL.bytes, USUAL.size);
		end_entry(&image, begin);
		put_fde(&image, 0x100, 0x40, NO_CODE);
		table = parse(&image);
		EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
	}
}

/* @head: version, augmentation string and what follows, after the id. The FDE of it must be unsupported. */
static void expect_cie_refused(const void *head, size_t size)
{
	struct image image = {0};
	struct unwind_table table;
	size_t begin;

	image.cie = 0;
	begin = begin_entry(&image);
	put(&image, 0, 4);
	put_bytes(&image, head, size);
	end_entry(&image, begin);
	put_fde(&image, 0x100, 0x40, NO_CODE);
	table = parse(&image);
	assert_int_equal(table.fdes, 0);
	assert_int_equal(table.unsupported, 1);
	assert_int_equal(table.damaged, 0);
	EXPECT_ROWS(&table);
}

static void cies_that_nobody_defined_are_refused_cleanly(void **state)
{
	(void)state;
	expect_cie_refused("\x02zR\0\x01\x78\x10\x01\0\xc\7\x8\x90\x1", 14); /* version 2 */
	expect_cie_refused("\x05zR\0\x08\0\x01\x78\x10\x01\0\xc\7\x8\x90\x1", 16);
	expect_cie_refused("\x04zR\0\x04\0\x01\x78\x10\x01\0\xc\7\x8\x90\x1", 16); /* 4-byte addresses */
	expect_cie_refused("\x04zR\0\x08\x02\x01\x78\x10\x01\0\xc\7\x8\x90\x1", 16); /* segments */
	expect_cie_refused("\x01zR\0\x01\x78\x08\x01\0\xc\7\x8\x90\x1", 14); /* return address in r8 */
	expect_cie_refused("\x01zQR\0\x01\x78\x10\x01\0\xc\7\x8\x90\x1", 15); /* unknown letter before R */
	expect_cie_refused("\x01R\0\x01\x78\x10\x01\0\xc\7\x8\x90\x1", 13); /* R without z */
	expect_cie_refused("\x01eh\0\x01\x78\x10\x01\0\xc\7\x8\x90\x1", 14); /* gcc 2 */
}

static void a_return_address_register_is_a_byte_in_version_1_and_leb128_later(void **state)
{
	struct image image = {0};
	struct unwind_table table;
	size_t begin;

	(void)state;
	image.cie = 0;
	begin = begin_entry(&image);
	put_bytes(&image, "\0\0\0\0\x03zR\0\x01\x78\x90\0\x01\0\xc\7\x8\x90\x1", 19);
	end_entry(&image, begin);
	put_fde(&image, 0x100, 0x40, NO_CODE);
	table = parse(&image);
	EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
	expect_cie_refused("\x01zR\0\x01\x78\x90\0\x01\0\xc\7\x8\x90\x1", 15);
}

static void an_empty_augmentation_means_absolute_addresses(void **state)
{
	struct image image = {0};
	struct unwind_table table;
	size_t begin = begin_cie(&image, 1, "");

	(void)state;
	put_bytes(&image, USUAL.bytes, USUAL.size);
	end_entry(&image, begin);
	begin = begin_fde(&image);
	put(&image, BASE_VADDR + 0x100, 8);
	put(&image, 0x40, 8);
	end_entry(&image, begin);
	table = parse(&image);
	EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
}

static void personality_lsda_and_unknown_letters_are_skipped(void **state)
{
	struct image image = {0};
	struct unwind_table table;
	size_t begin;

	(void)state;
	begin = begin_cie(&image, 1, "zPLSBRq");
	put(&image, 9, 1);
	put(&image, DW_EH_PE_indirect | DW_EH_PE_pcrel | DW_EH_PE_sdata4, 1);
	put(&image, 0x12345678, 4);
	put(&image, DW_EH_PE_pcrel | DW_EH_PE_sdata4, 1);
	put(&image, DW_EH_PE_absptr, 1);
	put(&image, 0xee, 2); /* of the letter q */
	put_bytes(&image, USUAL.bytes, USUAL.size);
	end_entry(&image, begin);
	begin = begin_fde(&image);
	put(&image, BASE_VADDR + 0x100, 8);
	put(&image, 0x40, 8);
	put(&image, 4, 1);
	put(&image, 0xffffffff, 4);
	end_entry(&image, begin);
	table = parse(&image);
	EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
}

/* @padding bytes stand between the encoding and an 8-byte personality. */
static void expect_personality_skipped(const char *augmentation, uint8_t encoding, size_t padding)
{
	struct image image = {0};
	struct unwind_table table;
	size_t begin = begin_cie(&image, 1, augmentation);

	put(&image, 1 + padding + (encoding == DW_EH_PE_omit ? 0 : 8) + 1, 1);
	put(&image, encoding, 1);
	put(&image, 0, padding);
	if (encoding != DW_EH_PE_omit)
		put(&image, 0x1111111111111111, 8);
	put(&image, DW_EH_PE_absptr, 1);
	put_bytes(&image, USUAL.bytes, USUAL.size);
	end_entry(&image, begin);
	put_fde(&image, 0x100, 0x40, NO_CODE);
	table = parse(&image);
	EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
}

static void every_form_of_personality_is_skipped(void **state)
{
	(void)state;
	expect_personality_skipped("zPR", DW_EH_PE_absptr, 0);
	expect_personality_skipped("zPR", DW_EH_PE_omit, 0);
	/* Byte 17 of the section is the encoding, 18 with a longer string. */
	expect_personality_skipped("zPR", DW_EH_PE_aligned, 6);
	expect_personality_skipped("zPRB", DW_EH_PE_aligned, 5);
}

static void functions_find_any_cie_before_them(void **state)
{
	struct image image = {0};
	size_t cies[5];
	struct unwind_table table;

	(void)state;
	for (uint8_t i = 0; i < 5; i++) {
		put_cie(&image, CODE(DW_CFA_def_cfa, RSP, (uint8_t)(8 * i), DW_CFA_offset | RA, 1));
		cies[i] = image.cie;
	}
	for (uint32_t i = 0; i < 5; i++) {
		image.cie = cies[i];
		put_fde(&image, 0x100 + 0x10 * i, 0x10, NO_CODE);
	}
	table = parse(&image);
	assert_int_equal(table.damaged, 0);
	EXPECT_ROWS(&table, ROW(0x100, 0, 0, CFA_RSP), ROW(0x110, 8, 0, CFA_RSP), ROW(0x120, 16, 0, CFA_RSP),
		    ROW(0x130, 24, 0, CFA_RSP), ROW(0x140, 32, 0, CFA_RSP), ROW(0x150, 0, 0, CFA_NONE));
}

static void entries_with_a_64_bit_length_are_read(void **state)
{
	struct image image = {0};
	struct unwind_table table;
	size_t begin;

	(void)state;
	put_cie(&image, USUAL);
	put(&image, UINT32_MAX, 4);
	put(&image, 4 + 8 + 8 + 1, 8);
	begin = image.size;
	put(&image, begin - image.cie, 4);
	put(&image, BASE_VADDR + 0x100, 8);
	put(&image, 0x40, 8);
	put(&image, 0, 1);
	put_fde(&image, 0x140, 0x10, CODE(DW_CFA_def_cfa_offset, 16));
	table = parse(&image);
	EXPECT_ROWS(&table, ROW(0x100, 8, 0, CFA_RSP), ROW(0x140, 16, 0, CFA_RSP),
		    ROW(0x150, 0, 0, CFA_NONE));
}

static void a_zero_length_in_the_midst_does_not_hide_what_follows(void **state)
{
	struct image image = {0};
	struct unwind_table table;

	(void)state;
	put(&image, 0, 4);
	put_cie(&image, USUAL);
	put(&image, 0, 4);
	put_fde(&image, 0x100, 0x40, NO_CODE);
	put(&image, 0, 4);
	table = parse(&image);
	assert_int_equal(table.damaged, 0);
	EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
}

static void a_function_may_end_at_the_last_address_of_32_bits(void **state)
{
	struct image image = {0};
	struct unwind_table table;

	(void)state;
	put_cie(&image, USUAL);
	put_fde(&image, 0xfffffff0, 0xf, NO_CODE);
	table = parse(&image);
	EXPECT_ROWS(&table, ROW(0xfffffff0, 8, 0, CFA_RSP), ROW(0xffffffff, 0, 0, CFA_NONE));
}

static void functions_are_sorted_and_gaps_marked(void **state)
{
	struct image image = {0};
	struct unwind_table table;

	(void)state;
	put_cie(&image, USUAL);
	put_fde(&image, 0x300, 0x10, CODE(DW_CFA_def_cfa_offset, 32));
	put_fde(&image, 0x100, 0x10, CODE(DW_CFA_def_cfa_offset, 16));
	put_fde(&image, 0x110, 0x10, CODE(DW_CFA_def_cfa_offset, 24));
	table = parse(&image);
	assert_int_equal(table.fdes, 3);
	EXPECT_ROWS(&table, ROW(0x100, 16, 0, CFA_RSP), ROW(0x110, 24, 0, CFA_RSP),
		    ROW(0x120, 0, 0, CFA_NONE), ROW(0x300, 32, 0, CFA_RSP), ROW(0x310, 0, 0, CFA_NONE));
}

static void a_pc_that_two_functions_claim_belongs_to_the_one_that_starts_last(void **state)
{
	struct image image = {0};
	struct unwind_table table;

	(void)state;
	put_cie(&image, USUAL);
	put_fde(&image, 0x140, 0x10, CODE(DW_CFA_def_cfa_offset, 24));
	put_fde(&image, 0x100, 0x100,
		CODE(DW_CFA_def_cfa_offset, 16, DW_CFA_advance_loc1, 0x48, DW_CFA_def_cfa_offset, 64));
	put_fde(&image, 0x140, 0x20, CODE(DW_CFA_def_cfa_offset, 32));
	table = parse(&image);
	assert_int_equal(table.fdes, 2);
	EXPECT_ROWS(&table, ROW(0x100, 16, 0, CFA_RSP), ROW(0x140, 24, 0, CFA_RSP),
		    ROW(0x150, 0, 0, CFA_NONE));
}

static void a_function_of_no_bytes_is_left_out(void **state)
{
	struct image image = {0};
	struct unwind_table table;

	(void)state;
	put_cie(&image, USUAL);
	put_fde(&image, 0x100, 0x40, NO_CODE);
	put_fde(&image, 0x120, 0, CODE(DW_CFA_def_cfa_offset, 16));
	table = parse(&image);
	assert_int_equal(table.fdes, 1);
	EXPECT_ONE_RULE(&table, 8, 0, CFA_RSP);
}

static void find_gives_the_row_that_covers_a_pc(void **state)
{
	struct image image = {0};
	struct unwind_table table, empty = {0};

	(void)state;
	put_cie(&image, USUAL);
	put_fde(&image, 0x100, 0x40, CODE(DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16));
	put_fde(&image, 0x200, 0x40, NO_CODE);
	table = parse(&image);
	assert_null(unwind_table_find(&empty, 0));
	assert_null(unwind_table_find(&table, 0));
	assert_null(unwind_table_find(&table, 0xff));
	assert_ptr_equal(unwind_table_find(&table, 0x100), &table.rows[0]);
	assert_ptr_equal(unwind_table_find(&table, 0x101), &table.rows[1]);
	assert_ptr_equal(unwind_table_find(&table, 0x13f), &table.rows[1]);
	assert_int_equal(unwind_table_find(&table, 0x140)->kind, CFA_NONE);
	assert_int_equal(unwind_table_find(&table, 0x1ff)->kind, CFA_NONE);
	assert_int_equal(unwind_table_find(&table, 0x200)->kind, CFA_RSP);
	assert_int_equal(unwind_table_find(&table, UINT32_MAX)->kind, CFA_NONE);
	unwind_table_deinit(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address_encoding_that_needs_no_outside_base_is_read),
		cmocka_unit_test(two_byte_addresses_are_read),
		cmocka_unit_test(encodings_that_need_another_base_are_refused_cleanly),
		cmocka_unit_test(cie_versions_1_3_and_4_are_read),
		cmocka_unit_test(cies_that_nobody_defined_are_refused_cleanly),
		cmocka_unit_test(a_return_address_register_is_a_byte_in_version_1_and_leb128_later),
		cmocka_unit_test(an_empty_augmentation_means_absolute_addresses),
		cmocka_unit_test(personality_lsda_and_unknown_letters_are_skipped),
		cmocka_unit_test(every_form_of_personality_is_skipped),
		cmocka_unit_test(functions_find_any_cie_before_them),
		cmocka_unit_test(entries_with_a_64_bit_length_are_read),
		cmocka_unit_test(a_zero_length_in_the_midst_does_not_hide_what_follows),
		cmocka_unit_test(a_function_may_end_at_the_last_address_of_32_bits),
		cmocka_unit_test(functions_are_sorted_and_gaps_marked),
		cmocka_unit_test(a_pc_that_two_functions_claim_belongs_to_the_one_that_starts_last),
		cmocka_unit_test(a_function_of_no_bytes_is_left_out),
		cmocka_unit_test(find_gives_the_row_that_covers_a_pc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
