// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* DWARF's instructions for the frames of ORC rows: what is said once for a shape, and what each row adds. */
#include "orc_rules.h"

#include <dwarf.h>
#include <string.h>

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

/* Words ------------------------------------------------------------------------------------------------ */

size_t orc_rules_begin(struct byte_writer *writer)
{
	size_t at = writer->size;

	put_number(writer, 0, 4);
	return at;
}

void orc_rules_end(struct byte_writer *writer, size_t at)
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

static void put_rules(struct byte_writer *writer, enum orc_shape shape)
{
	put_op(writer, DW_CFA_def_cfa);
	put_uleb(writer, RSP);
	put_uleb(writer, 8);
	switch (shape) {
	case ORC_SHAPE_CALL:
		put_undefined(writer);
		put_place(writer, RETURN_ADDRESS, -1);
		return;
	case ORC_SHAPE_SWITCH: /* the rest depends on the row */
		put_undefined(writer);
		return;
	case ORC_SHAPE_REGS:
		for (size_t i = 0; i < sizeof(saved_registers) / sizeof(*saved_registers); i++)
			put_place(writer, saved_registers[i].number, saved_registers[i].place);
		put_place(writer, RFLAGS, REGS_IP + 2);
		put_place(writer, RSP, REGS_IP + 3);
		put_interrupted(writer, 8 * REGS_IP);
		return;
	case ORC_SHAPE_PARTIAL:
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

size_t orc_rules_put_cie(struct byte_writer *writer, enum orc_shape shape, bool is_signal)
{
	size_t at = orc_rules_begin(writer);

	put_number(writer, 0xffffffff, 4); /* CIE_id */
	put_number(writer, 3, 1);          /* version */
	put_text(writer, is_signal ? "S" : "");
	put_uleb(writer, 1);
	put_sleb(writer, DATA_ALIGNMENT);
	put_uleb(writer, RETURN_ADDRESS);
	put_rules(writer, shape);
	orc_rules_end(writer, at);
	return at;
}

enum orc_shape orc_shape_of(const struct orc_row *row)
{
	switch (row->kind) {
	case ORC_CALL:
		return row->sp_register == ORC_SP_INDIRECT ? ORC_SHAPE_SWITCH : ORC_SHAPE_CALL;
	case ORC_REGS:
		return ORC_SHAPE_REGS;
	case ORC_REGS_PARTIAL:
		return ORC_SHAPE_PARTIAL;
	default:
		return ORC_SHAPE_END;
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

static void put_stack_pointer(struct byte_writer *writer, const struct orc_row *row, bool is_same_register)
{
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
static void put_frame_pointer(struct byte_writer *writer, enum orc_shape shape, const struct orc_row *row)
{
	switch (row->bp_register) {
	case ORC_PREV_SP:
		if (shape == ORC_SHAPE_SWITCH)
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

void orc_rules_put_row(struct byte_writer *writer, enum orc_shape shape, const struct orc_row *row,
		       const struct orc_row *before)
{
	if (shape == ORC_SHAPE_END)
		return;
	if (shape == ORC_SHAPE_SWITCH)
		put_switched(writer, row);
	else if (!before || row->sp_register != before->sp_register || row->sp_offset != before->sp_offset)
		put_stack_pointer(writer, row,
				  before && row->sp_register == before->sp_register && is_by_register(before));
	if (shape == ORC_SHAPE_REGS) /* has rbp, whatever the row says */
		return;
	if (before ? row->bp_register != before->bp_register || row->bp_offset != before->bp_offset
		   : row->bp_register != ORC_UNDEFINED)
		put_frame_pointer(writer, shape, row);
}

void orc_rules_put_advance(struct byte_writer *writer, uint64_t distance)
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
