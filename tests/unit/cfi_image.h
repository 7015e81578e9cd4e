/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Writes .eh_frame sections by hand, entry by entry, and compares the table made of them. For test_cfi*.c. */
#ifndef DILL_TESTS_CFI_IMAGE_H
#define DILL_TESTS_CFI_IMAGE_H

#include <dwarf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cfi.h"
#include "error.h"

#define SECTION_VADDR 0x10000
#define BASE_VADDR 0x400000
#define RBP 6
#define RSP 7
#define RA 16

/* A section in the making. */
struct image {
	uint8_t bytes[16384];
	size_t size;
	size_t cie; /* of the last CIE */
};

struct code {
	uint8_t bytes[512];
	size_t size;
};

#define CODE(...) (struct code){.bytes = {__VA_ARGS__}, .size = sizeof((uint8_t[]){__VA_ARGS__})}
#define NO_CODE (struct code){.size = 0}

/* What gcc puts in every CIE: CFA = rsp + 8, return address at CFA - 8. */
#define USUAL CODE(DW_CFA_def_cfa, RSP, 8, DW_CFA_offset | RA, 1)

static inline void put(struct image *image, uint64_t value, size_t size)
{
	assert_true(image->size + size <= sizeof(image->bytes));
	memcpy(image->bytes + image->size, &value, size);
	image->size += size;
}

static inline void put_bytes(struct image *image, const void *bytes, size_t size)
{
	assert_true(image->size + size <= sizeof(image->bytes));
	memcpy(image->bytes + image->size, bytes, size);
	image->size += size;
}

static inline size_t begin_entry(struct image *image)
{
	put(image, 0, 4);
	return image->size;
}

static inline void end_entry(struct image *image, size_t begin)
{
	uint32_t length = (uint32_t)(image->size - begin);

	memcpy(image->bytes + begin - 4, &length, 4);
}

/* The head of a CIE up to where the augmentation data goes. */
static inline size_t begin_cie(struct image *image, uint8_t version, const char *augmentation)
{
	size_t begin;

	image->cie = image->size;
	begin = begin_entry(image);
	put(image, 0, 4);
	put(image, version, 1);
	put_bytes(image, augmentation, strlen(augmentation) + 1);
	if (version == 4)
		put(image, 8, 2);
	put(image, 1, 1);
	put(image, 0x78, 1);
	put(image, RA, 1);
	return begin;
}

static inline void put_cie_encoded(struct image *image, const char *augmentation, uint8_t encoding,
				   struct code program)
{
	size_t begin = begin_cie(image, 1, augmentation);

	put(image, 1, 1);
	put(image, encoding, 1);
	put_bytes(image, program.bytes, program.size);
	end_entry(image, begin);
}

/* Version 1, "zR", absolute 8-byte addresses. */
static inline void put_cie(struct image *image, struct code program)
{
	put_cie_encoded(image, "zR", DW_EH_PE_absptr, program);
}

static inline size_t begin_fde(struct image *image)
{
	size_t begin = begin_entry(image);

	put(image, begin - image->cie, 4);
	return begin;
}

static inline void put_fde(struct image *image, uint32_t start, uint32_t size, struct code program)
{
	size_t begin = begin_fde(image);

	put(image, BASE_VADDR + (uint64_t)start, 8);
	put(image, size, 8);
	put(image, 0, 1);
	put_bytes(image, program.bytes, program.size);
	end_entry(image, begin);
}

/* The bytes go in a block of exactly their size, so that a sanitizer sees each read past the end. */
static inline int parse_status(const struct image *image, struct unwind_table *ret_table, struct error *err)
{
	uint8_t *bytes = malloc(image->size ? image->size : 1);
	int status;

	assert_non_null(bytes);
	memcpy(bytes, image->bytes, image->size);
	status = cfi_parse_eh_frame(bytes, image->size, SECTION_VADDR, BASE_VADDR, ret_table, err);
	free(bytes);
	return status;
}

static inline struct unwind_table parse(const struct image *image)
{
	struct unwind_table table;
	struct error err = {0};

	if (parse_status(image, &table, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(table.base_vaddr, BASE_VADDR);
	return table;
}

static inline void expect_rows(struct unwind_table *table, const struct unwind_row *rows, size_t count)
{
	assert_int_equal(table->count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(table->rows[i].pc, rows[i].pc);
		assert_int_equal(table->rows[i].kind, rows[i].kind);
		assert_int_equal(table->rows[i].cfa_offset, rows[i].cfa_offset);
		assert_int_equal(table->rows[i].rbp_offset, rows[i].rbp_offset);
		assert_int_equal(table->rows[i].flags, rows[i].flags);
	}
	unwind_table_deinit(table);
	assert_null(table->rows);
	assert_int_equal(table->count, 0);
}

#define ROW(pc_, cfa_offset_, rbp_offset_, kind_)                                                          \
	{.pc = pc_, .cfa_offset = cfa_offset_, .rbp_offset = rbp_offset_, .kind = kind_}
#define ROW_FROM_RBP(pc_, cfa_offset_, rbp_offset_, kind_)                                                 \
	{.pc = pc_, .cfa_offset = cfa_offset_, .rbp_offset = rbp_offset_, .kind = kind_,                   \
	 .flags = UNWIND_RBP_FROM_RBP}
#define EXPECT_ROWS(table, ...)                                                                           \
	expect_rows(table, (const struct unwind_row[]){__VA_ARGS__},                                      \
		    sizeof((const struct unwind_row[]){__VA_ARGS__}) / sizeof(struct unwind_row))

/* One function at 0x100..0x140 whose program is @cie, then @fde. */
static inline struct unwind_table parse_function(struct code cie, struct code fde)
{
	struct image image = {0};

	put_cie(&image, cie);
	put_fde(&image, 0x100, 0x40, fde);
	return parse(&image);
}

#define EXPECT_ONE_RULE(table, cfa_offset, rbp_offset, kind)                                               \
	EXPECT_ROWS(table, ROW(0x100, cfa_offset, rbp_offset, kind), ROW(0x140, 0, 0, CFA_NONE))

static inline void expect_unsupported(struct unwind_table table)
{
	assert_int_equal(table.unsupported, 1);
	assert_int_equal(table.damaged, 0);
	EXPECT_ROWS(&table, ROW(0x100, 0, 0, CFA_NONE));
}

/* One good function at 0x100, then @image's caller adds damage. */
static inline void put_good_function(struct image *image)
{
	put_cie(image, USUAL);
	put_fde(image, 0x100, 0x40, NO_CODE);
}

#endif
