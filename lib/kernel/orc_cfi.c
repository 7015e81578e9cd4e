// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Turns ORC rows into DWARF's call frame information. Rows of one shape within one function become one
 * description (FDE), which refers to the CIE of that shape. What the two say is orc_rules.c's.
 */
#include "orc_cfi.h"

#include <stdbool.h>
#include <string.h>

#include "orc_rules.h"
#include "partition_point.h"

struct cfi {
	struct byte_writer *writer;
	size_t cies[ORC_SHAPES][2]; /* where each is, by is_signal */
	size_t base;            /* where the section begins in the writer */
	const struct cfi_function *functions;
	size_t function_count;
	enum cfi_role role; /* of the function that rows are added to */
	size_t fde_count;
	/* The description that is being made: of [start, end) until now, its last row from @at on. */
	size_t fde; /* its offset; 0: none */
	uint64_t start, at, end;
	struct orc_row row;
	enum orc_shape shape;
};

/* Descriptions ----------------------------------------------------------------------------------------- */

#define FDE_START 8 /* initial_location, and address_range behind it */

static void end_fde(struct cfi *cfi)
{
	if (!cfi->fde)
		return;
	patch_number(cfi->writer, cfi->fde + FDE_START + 8, cfi->end - cfi->start, 8);
	orc_rules_end(cfi->writer, cfi->fde);
	cfi->fde = 0;
}

/*
 * A frame whose caller's frame may be anywhere: that is so of signal frames alone. Where the caller's is
 * one, as of an interrupt's handler, this one can keep its name.
 */
static bool is_signal(const struct cfi *cfi, const struct orc_row *row)
{
	if (cfi->role == CFI_OTHER_STACK && row->sp_register == ORC_BP)
		return true;
	return row->is_signal || (orc_shape_of(row) == ORC_SHAPE_SWITCH && cfi->role != CFI_INTERRUPT);
}

static void begin_fde(struct cfi *cfi, uint64_t start, const struct orc_row *row)
{
	struct byte_writer *writer = cfi->writer;

	cfi->shape = orc_shape_of(row);
	cfi->fde = orc_rules_begin(writer);
	put_number(writer, cfi->cies[cfi->shape][is_signal(cfi, row)] - cfi->base, 4);
	put_number(writer, start, 8);
	put_number(writer, 0, 8);
	orc_rules_put_row(writer, cfi->shape, row, NULL);
	cfi->start = cfi->at = start;
	cfi->row = *row;
	cfi->fde_count++;
}

/* The rest has no description: code that can't be unwound, or not in a way that this knows. */
static bool can_unwind(const struct orc_row *row)
{
	return row->kind == ORC_END_OF_STACK ||
	       (row->kind != ORC_NO_ROW && row->sp_register != ORC_UNDEFINED &&
		row->sp_register != ORC_PREV_SP && row->sp_register != ORC_UNKNOWN);
}

static bool is_same(const struct orc_row *one, const struct orc_row *other)
{
	return one->sp_register == other->sp_register && one->sp_offset == other->sp_offset &&
	       one->bp_register == other->bp_register && one->bp_offset == other->bp_offset;
}

/* From @start on @row holds. */
static void add_piece(struct cfi *cfi, uint64_t start, const struct orc_row *row)
{
	if (cfi->fde && (cfi->shape != orc_shape_of(row) || is_signal(cfi, &cfi->row) != is_signal(cfi, row) ||
			 start - cfi->at > UINT32_MAX))
		end_fde(cfi);
	if (!cfi->fde) {
		begin_fde(cfi, start, row);
	} else if (!is_same(row, &cfi->row)) {
		orc_rules_put_advance(cfi->writer, start - cfi->at);
		orc_rules_put_row(cfi->writer, cfi->shape, row, &cfi->row);
		cfi->at = start;
		cfi->row = *row;
	}
}

/*
 * Where the first function behind @address begins. @ret_is_start: one begins at @address, whose role is
 * cfi's now.
 */
static uint64_t next_function(struct cfi *cfi, uint64_t address, bool *ret_is_start)
{
	size_t low = PARTITION_POINT(i, cfi->function_count, cfi->functions[i].address <= address);

	cfi->role = low ? cfi->functions[low - 1].role : CFI_FUNCTION;
	*ret_is_start = low && cfi->functions[low - 1].address == address;
	return low < cfi->function_count ? cfi->functions[low].address : UINT64_MAX;
}

static void add_piece_of_function(struct cfi *cfi, uint64_t start, const struct orc_row *row)
{
	struct orc_row end = { .kind = ORC_END_OF_STACK };

	add_piece(cfi, start, cfi->role == CFI_SYSTEM_CALL ? &end : row);
}

static int add_row(void *context, uint64_t start, uint64_t end, const struct orc_row *row)
{
	struct cfi *cfi = context;

	if (start != cfi->end)
		end_fde(cfi);
	while (can_unwind(row) && start < end && !cfi->writer->status) {
		bool is_start;
		uint64_t next = next_function(cfi, start, &is_start);

		if (is_start)
			end_fde(cfi);
		add_piece_of_function(cfi, start, row);
		start = cfi->end = next < end ? next : end;
	}
	return cfi->writer->status;
}

enum cfi_role cfi_role_of(const char *name)
{
	/* arch/x86/entry/entry_64.S, entry_64_compat.S */
	static const char *const entries[] = { "entry_SYSCALL_", "entry_SYSENTER_", "entry_INT80_",
					       "asm_int80_" };
	/* asm/idtentry.h */
	static const char *const handlers[] = { "sysvec_", "common_interrupt", "spurious_interrupt" };

	/* Linux 5.8 to 5.11: entry_64.S, asm_call_on_stack and its other names */
	if (!strncmp(name, "asm_call_", strlen("asm_call_")))
		return CFI_OTHER_STACK;
	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++)
		if (!strncmp(name, entries[i], strlen(entries[i])))
			return CFI_SYSTEM_CALL;
	for (size_t i = 0; i < sizeof(handlers) / sizeof(*handlers); i++)
		if (!strncmp(name, handlers[i], strlen(handlers[i])))
			return CFI_INTERRUPT;
	return CFI_FUNCTION;
}

size_t orc_cfi_put(struct orc_tables *tables, const struct cfi_function *functions, size_t count,
		   struct byte_writer *writer)
{
	struct cfi cfi = {
		.writer = writer, .base = writer->size, .functions = functions, .function_count = count
	};

	for (int shape = 0; shape < ORC_SHAPES; shape++)
		for (int is_signal = 0; is_signal < 2; is_signal++)
			cfi.cies[shape][is_signal] = orc_rules_put_cie(writer, shape, is_signal);
	orc_each(tables, add_row, &cfi);
	end_fde(&cfi);
	return cfi.fde_count;
}
