// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Turns ORC rows into DWARF's call frame information. Rows of one kind within one function become one
 * description (FDE); the kind is in the CIE that it refers to:
 *
 *     call      CFA = sp or bp + offset; the caller's address at CFA − 8; rbp where the row says
 *     switch    a function that goes on on another stack (IRQ stacks), whose top word leads back:
 *               CFA = sp + 8, and all else by way of that word. Debuggers take frames on one stack to
 *               ascend; so these belong to the stack they are on
 *     regs      CFA = the address of a struct pt_regs, which has all registers
 *     partial   CFA = the address of the end of one, from ip on: what the CPU pushes
 *     end       no caller
 */
#include "orc_cfi.h"

#include <dwarf.h>
#include <stdbool.h>
#include <string.h>

#include "orc_table.h"

/* DWARF's numbers of registers: System V ABI, AMD64 supplement, figure 3.36. */
enum {
	RAX,
	RDX,
	RCX,
	RBX,
	RSI,
	RDI,
	RBP,
	RSP,
	R8,
	R10 = 10,
	R13 = 13,
	R15 = 15,
	RETURN_ADDRESS,
	RFLAGS = 49,
};

#define DATA_ALIGNMENT (-8)
/* struct pt_regs in words: the user's rsp. The CPU pushes ss, rsp, flags, cs, ip. */
#define REGS_IP 16
#define CS_RPL 3

/* In struct pt_regs, in words from its start. */
static const struct {
	uint8_t number, place;
} saved_registers[] = {
	{ 15, 0 }, { 14, 1 }, { 13, 2 }, { 12, 3 }, { RBP, 4 },  { RBX, 5 },  { 11, 6 },   { 10, 7 },
	{ 9, 8 },  { 8, 9 },  { RAX, 10 }, { RCX, 11 }, { RDX, 12 }, { RSI, 13 }, { RDI, 14 },
};

enum shape {
	SHAPE_CALL,
	SHAPE_SWITCH,
	SHAPE_REGS,
	SHAPE_PARTIAL,
	SHAPE_END,
	SHAPES,
};

struct cfi {
	struct byte_writer *writer;
	size_t cies[SHAPES][2]; /* where each is, by is_signal */
	size_t base;            /* where the section begins in the writer */
	const struct cfi_function *functions;
	size_t function_count;
	enum cfi_role role; /* of the function that rows are added to */
	size_t fde_count;
	/* The description that is being made: of [start, end) until now, its last row from @at on. */
	size_t fde; /* its offset; 0: none */
	uint64_t start, at, end;
	struct orc_row row;
	enum shape shape;
};

/* Words ------------------------------------------------------------------------------------------------ */

static size_t begin_entry(struct byte_writer *writer)
{
	size_t at = writer->size;

	put_number(writer, 0, 4);
	return at;
}

static void end_entry(struct byte_writer *writer, size_t at)
{
	put_padding(writer, 8, DW_CFA_nop);
	patch_number(writer, at, writer->size - at - 4, 4);
}

static void put_op(struct byte_writer *writer, uint8_t op)
{
	put_number(writer, op, 1);
}

/* Register @number is kept @words above the CFA. */
static void put_place(struct byte_writer *writer, unsigned number, int words)
{
	if (words < 0 && number < 64) {
		put_op(writer, DW_CFA_offset | number);
		put_uleb(writer, (uint64_t)-words);
		return;
	}
	put_op(writer, DW_CFA_offset_extended_sf);
	put_uleb(writer, number);
	put_sleb(writer, -words);
}

/* The value of register @number + @offset, or the word there; + @added. */
static void put_expression(struct byte_writer *writer, unsigned number, int64_t offset, bool is_read,
			   int64_t added)
{
	struct byte_writer text = { 0 };

	put_op(&text, DW_OP_breg0 + number);
	put_sleb(&text, offset);
	if (is_read)
		put_op(&text, DW_OP_deref);
	if (added) {
		put_op(&text, DW_OP_consts);
		put_sleb(&text, added);
		put_op(&text, DW_OP_plus);
	}
	put_uleb(writer, text.size);
	put_bytes(writer, text.bytes, text.size);
	if (text.status)
		writer->status = text.status;
	byte_writer_deinit(&text);
}

/* Register @number by an expression: @op says whether that is its value or its place. */
static void put_rule(struct byte_writer *writer, uint8_t op, unsigned number, unsigned from, int64_t offset,
		     bool is_read, int64_t added)
{
	put_op(writer, op);
	put_uleb(writer, number);
	put_expression(writer, from, offset, is_read, added);
}

/*
 * The caller's address is at the CFA + @offset, and cs behind it. Of user mode it isn't read there: what
 * lies at the address itself with its top bit set can't be.
 */
static void put_interrupted(struct byte_writer *writer, uint8_t offset)
{
	const uint8_t is_kernel[] = { /* the CFA is on the stack already */
				    DW_OP_const1u, offset, DW_OP_plus, DW_OP_dup, DW_OP_lit8, DW_OP_plus,
				    DW_OP_deref, DW_OP_lit0 + CS_RPL, DW_OP_and, DW_OP_lit0, DW_OP_eq
	};
	const uint8_t user[] = { DW_OP_deref, DW_OP_lit1, DW_OP_const1u, 63, DW_OP_shl, DW_OP_or };
	put_op(writer, DW_CFA_expression);
	put_uleb(writer, RETURN_ADDRESS);
	put_uleb(writer, sizeof(is_kernel) + 3 + sizeof(user));
	put_bytes(writer, is_kernel, sizeof(is_kernel));
	put_op(writer, DW_OP_bra);
	put_number(writer, sizeof(user), 2);
	put_bytes(writer, user, sizeof(user));
}

/* Kinds of frames -------------------------------------------------------------------------------------- */

static void put_undefined(struct byte_writer *writer)
{
	for (unsigned number = RAX; number <= R15; number++) {
		if (number == RBP || number == RSP)
			continue;
		put_op(writer, DW_CFA_undefined);
		put_uleb(writer, number);
	}
}

static void put_rules(struct byte_writer *writer, enum shape shape)
{
	put_op(writer, DW_CFA_def_cfa);
	put_uleb(writer, RSP);
	put_uleb(writer, 8);
	switch (shape) {
	case SHAPE_CALL:
		put_undefined(writer);
		put_place(writer, RETURN_ADDRESS, -1);
		return;
	case SHAPE_SWITCH: /* the rest depends on the row */
		put_undefined(writer);
		return;
	case SHAPE_REGS:
		for (size_t i = 0; i < sizeof(saved_registers) / sizeof(*saved_registers); i++)
			put_place(writer, saved_registers[i].number, saved_registers[i].place);
		put_place(writer, RFLAGS, REGS_IP + 2);
		put_place(writer, RSP, REGS_IP + 3);
		put_interrupted(writer, 8 * REGS_IP);
		return;
	case SHAPE_PARTIAL:
		put_undefined(writer);
		put_place(writer, RFLAGS, 2);
		put_place(writer, RSP, 3);
		put_interrupted(writer, 0);
		return;
	default:
		put_undefined(writer);
		put_op(writer, DW_CFA_undefined);
		put_uleb(writer, RETURN_ADDRESS);
	}
}

static size_t put_cie(struct byte_writer *writer, enum shape shape, bool is_signal)
{
	size_t at = begin_entry(writer);

	put_number(writer, 0xffffffff, 4); /* CIE_id */
	put_number(writer, 3, 1);          /* version */
	put_text(writer, is_signal ? "S" : "");
	put_uleb(writer, 1);
	put_sleb(writer, DATA_ALIGNMENT);
	put_uleb(writer, RETURN_ADDRESS);
	put_rules(writer, shape);
	end_entry(writer, at);
	return at;
}

static enum shape shape_of(const struct orc_row *row)
{
	switch (row->kind) {
	case ORC_CALL:
		return row->sp_register == ORC_SP_INDIRECT ? SHAPE_SWITCH : SHAPE_CALL;
	case ORC_REGS:
		return SHAPE_REGS;
	case ORC_REGS_PARTIAL:
		return SHAPE_PARTIAL;
	default:
		return SHAPE_END;
	}
}

/* Rows ------------------------------------------------------------------------------------------------- */

/* CFA = register + offset, in the shorter form when only the offset changes. */
static void put_cfa(struct byte_writer *writer, unsigned number, int64_t offset, bool is_same_register)
{
	if (offset < 0) {
		put_op(writer, DW_CFA_def_cfa_expression);
		put_expression(writer, number, offset, false, 0);
	} else if (is_same_register) {
		put_op(writer, DW_CFA_def_cfa_offset);
		put_uleb(writer, (uint64_t)offset);
	} else {
		put_op(writer, DW_CFA_def_cfa);
		put_uleb(writer, number);
		put_uleb(writer, (uint64_t)offset);
	}
}

static void put_stack_pointer(struct cfi *cfi, const struct orc_row *row, bool is_same_register)
{
	struct byte_writer *writer = cfi->writer;

	switch (row->sp_register) {
	case ORC_SP:
		return put_cfa(writer, RSP, row->sp_offset, is_same_register);
	case ORC_BP:
		return put_cfa(writer, RBP, row->sp_offset, is_same_register);
	case ORC_SP_INDIRECT:
		put_op(writer, DW_CFA_def_cfa_expression);
		return put_expression(writer, RSP, 0, true, row->sp_offset);
	case ORC_BP_INDIRECT:
		put_op(writer, DW_CFA_def_cfa_expression);
		return put_expression(writer, RBP, row->sp_offset, true, 0);
	/* Of these the kernel takes the value alone. */
	case ORC_AX:
		return put_cfa(writer, RAX, 0, false);
	case ORC_DX:
		return put_cfa(writer, RDX, 0, false);
	case ORC_DI:
		return put_cfa(writer, RDI, 0, false);
	case ORC_R10:
		return put_cfa(writer, R10, 0, false);
	case ORC_R13:
		return put_cfa(writer, R13, 0, false);
	default:
		return;
	}
}

/* Where the caller's rbp is. */
static void put_frame_pointer(struct cfi *cfi, const struct orc_row *row)
{
	struct byte_writer *writer = cfi->writer;

	switch (row->bp_register) {
	case ORC_PREV_SP:
		if (cfi->shape == SHAPE_SWITCH)
			return put_rule(writer, DW_CFA_expression, RBP, RSP, 0, true,
					row->sp_offset + row->bp_offset);
		if (row->bp_offset % -DATA_ALIGNMENT == 0)
			return put_place(writer, RBP, row->bp_offset / -DATA_ALIGNMENT);
		break;
	case ORC_BP:
		return put_rule(writer, DW_CFA_expression, RBP, RBP, row->bp_offset, false, 0);
	case ORC_UNDEFINED:
		put_op(writer, DW_CFA_same_value);
		put_uleb(writer, RBP);
		return;
	default:
		break;
	}
	put_op(writer, DW_CFA_undefined);
	put_uleb(writer, RBP);
}

static bool is_by_register(const struct orc_row *row)
{
	return (row->sp_register == ORC_SP || row->sp_register == ORC_BP) && row->sp_offset >= 0;
}

/* The caller's stack: its sp, and the return address below. */
static void put_switched(struct byte_writer *writer, const struct orc_row *row)
{
	put_rule(writer, DW_CFA_val_expression, RSP, RSP, 0, true, row->sp_offset);
	put_rule(writer, DW_CFA_expression, RETURN_ADDRESS, RSP, 0, true, row->sp_offset - 8);
}

/* What differs from the row before; all of it when the description begins. */
static void put_row(struct cfi *cfi, const struct orc_row *row, bool is_first)
{
	const struct orc_row *before = &cfi->row;

	if (cfi->shape == SHAPE_END)
		return;
	if (cfi->shape == SHAPE_SWITCH)
		put_switched(cfi->writer, row);
	else if (is_first || row->sp_register != before->sp_register || row->sp_offset != before->sp_offset)
		put_stack_pointer(cfi, row,
				  !is_first && row->sp_register == before->sp_register &&
					  is_by_register(before));
	if (cfi->shape == SHAPE_REGS) /* has rbp, whatever the row says */
		return;
	if (is_first ? row->bp_register != ORC_UNDEFINED :
		       row->bp_register != before->bp_register || row->bp_offset != before->bp_offset)
		put_frame_pointer(cfi, row);
}

static void put_advance(struct byte_writer *writer, uint64_t distance)
{
	if (distance < 64) {
		put_op(writer, DW_CFA_advance_loc | (uint8_t)distance);
		return;
	}
	put_op(writer, distance < 256     ? DW_CFA_advance_loc1 :
		       distance < 1 << 16 ? DW_CFA_advance_loc2 :
					    DW_CFA_advance_loc4);
	put_number(writer, distance, distance < 256 ? 1 : distance < 1 << 16 ? 2 : 4);
}

/* Descriptions ----------------------------------------------------------------------------------------- */

#define FDE_START 8 /* initial_location, and address_range behind it */

static void end_fde(struct cfi *cfi)
{
	if (!cfi->fde)
		return;
	patch_number(cfi->writer, cfi->fde + FDE_START + 8, cfi->end - cfi->start, 8);
	end_entry(cfi->writer, cfi->fde);
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
	return row->is_signal || (shape_of(row) == SHAPE_SWITCH && cfi->role != CFI_INTERRUPT);
}

static void begin_fde(struct cfi *cfi, uint64_t start, const struct orc_row *row)
{
	struct byte_writer *writer = cfi->writer;

	cfi->shape = shape_of(row);
	cfi->fde = begin_entry(writer);
	put_number(writer, cfi->cies[cfi->shape][is_signal(cfi, row)] - cfi->base, 4);
	put_number(writer, start, 8);
	put_number(writer, 0, 8);
	put_row(cfi, row, true);
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
	if (cfi->fde && (cfi->shape != shape_of(row) || is_signal(cfi, &cfi->row) != is_signal(cfi, row) ||
			 start - cfi->at > UINT32_MAX))
		end_fde(cfi);
	if (!cfi->fde) {
		begin_fde(cfi, start, row);
	} else if (!is_same(row, &cfi->row)) {
		put_advance(cfi->writer, start - cfi->at);
		put_row(cfi, row, false);
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
	size_t low = 0, high = cfi->function_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (cfi->functions[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
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

	for (int shape = 0; shape < SHAPES; shape++)
		for (int is_signal = 0; is_signal < 2; is_signal++)
			cfi.cies[shape][is_signal] = put_cie(writer, shape, is_signal);
	orc_each(tables, add_row, &cfi);
	end_fde(&cfi);
	return cfi.fde_count;
}
