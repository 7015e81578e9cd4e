// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The machine that runs call frame instructions (DWARF 5, section 6.4.2; LSB 5.0, 10.5.2 for the GNU ones).
 * It evaluates no expression: cfi_row.c recognises those that compilers and linkers write.
 *
 * Bounds: each instruction takes at least one byte of its program, the state stack is fixed, and a row is
 * made only when the location moves on.
 */
#include "cfi_program.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

/* Compilers nest these once or twice; libgcc and elfutils allocate, which a hostile file could use. */
#define STATE_DEPTH_MAX 32

struct machine {
	const struct cfi_section *section;
	const struct cfi_cie *cie;
	struct cfi_cursor in;
	struct cfi_state now;
	uint64_t pc;  /* relative to base_vaddr; the state holds from here on */
	uint64_t end;
	struct cfi_rows *rows; /* NULL while a CIE's program runs */
	unsigned int depth;
	struct cfi_state saved[STATE_DEPTH_MAX];
};

uint64_t cfi_encoded_number(struct cfi_cursor *in, uint8_t encoding)
{
	switch (encoding & 0x0f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
	case DW_EH_PE_signed:
		return cfi_fixed(in, 8);
	case DW_EH_PE_uleb128:
		return cfi_uleb(in);
	case DW_EH_PE_udata2:
		return cfi_fixed(in, 2);
	case DW_EH_PE_udata4:
		return cfi_fixed(in, 4);
	case DW_EH_PE_sleb128:
		return (uint64_t)cfi_sleb(in);
	case DW_EH_PE_sdata2:
		return (uint64_t)(int64_t)(int16_t)cfi_fixed(in, 2);
	case DW_EH_PE_sdata4:
		return (uint64_t)(int64_t)(int32_t)cfi_fixed(in, 4);
	}
	in->is_broken = true;
	return 0;
}

uint64_t cfi_encoded_address(const struct cfi_section *section, struct cfi_cursor *in, uint8_t encoding)
{
	uint64_t field_vaddr = section->vaddr + (uint64_t)(in->at - section->bytes);
	uint64_t number = cfi_encoded_number(in, encoding);

	switch (encoding & 0xf0) {
	case DW_EH_PE_absptr:
		return number;
	case DW_EH_PE_pcrel:
		return field_vaddr + number;
	}
	in->is_broken = true;
	return 0;
}

int cfi_rows_append(struct cfi_rows *rows, const struct unwind_row *row)
{
	if (rows->count > 0) {
		const struct unwind_row *last = &rows->rows[rows->count - 1];

		if (last->kind == row->kind && last->cfa_offset == row->cfa_offset &&
		    last->rbp_offset == row->rbp_offset && last->flags == row->flags)
			return 0;
	}
	if (rows->count == rows->capacity) {
		size_t capacity = rows->capacity ? rows->capacity * 2 : 256;
		struct unwind_row *grown = reallocarray(rows->rows, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		rows->rows = grown;
		rows->capacity = capacity;
	}
	rows->rows[rows->count++] = *row;
	return 0;
}

/* The state has held since machine->pc and holds up to @pc: make that a row. */
static int move_to(struct machine *machine, uint64_t pc)
{
	struct unwind_row row;
	int err;

	if (!machine->rows || pc < machine->pc)
		return -EBADMSG;
	if (pc > machine->end)
		pc = machine->end;
	if (pc == machine->pc)
		return 0;
	if (!cfi_row_from_state(&machine->now, machine->cie->is_signal_frame, &row))
		machine->rows->unsupported++;
	row.pc = (uint32_t)machine->pc;
	err = cfi_rows_append(machine->rows, &row);
	machine->pc = pc;
	return err;
}

static int op_advance(struct machine *machine, uint64_t delta)
{
	uint64_t bytes, pc;

	if (__builtin_mul_overflow(delta, machine->cie->code_align, &bytes) ||
	    __builtin_add_overflow(machine->pc, bytes, &pc))
		return -EBADMSG;
	return move_to(machine, pc);
}

static int op_set_loc(struct machine *machine)
{
	uint64_t vaddr = cfi_encoded_address(machine->section, &machine->in, machine->cie->pointer_encoding);

	if (machine->in.is_broken || vaddr < machine->section->base_vaddr)
		return -EBADMSG;
	return move_to(machine, vaddr - machine->section->base_vaddr);
}

static int64_t read_offset(struct machine *machine)
{
	uint64_t offset = cfi_uleb(&machine->in);

	if (offset > INT64_MAX)
		machine->in.is_broken = true;
	return (int64_t)offset;
}

/* The operand is in units of the CIE's data alignment factor. */
static int64_t factored(struct machine *machine, int64_t factor)
{
	int64_t offset;

	if (__builtin_mul_overflow(factor, machine->cie->data_align, &offset)) {
		machine->in.is_broken = true;
		return 0;
	}
	return offset;
}

static struct cfi_span read_block(struct machine *machine)
{
	struct cfi_span block = {.size = cfi_uleb(&machine->in)};

	block.at = cfi_bytes(&machine->in, block.size);
	return block;
}

static enum cfi_column column_of(uint64_t reg)
{
	switch (reg) {
	case REG_RBP:
		return COLUMN_RBP;
	case REG_RSP:
		return COLUMN_RSP;
	case REG_RETURN_ADDRESS:
		return COLUMN_RETURN_ADDRESS;
	}
	return COLUMN_COUNT;
}

static int set_rule(struct machine *machine, uint64_t reg, struct cfi_rule rule)
{
	enum cfi_column column = column_of(reg);

	if (column < COLUMN_COUNT)
		machine->now.columns[column] = rule;
	return 0;
}

static int op_rule(struct machine *machine, enum cfi_rule_kind kind)
{
	return set_rule(machine, cfi_uleb(&machine->in), (struct cfi_rule){.kind = kind});
}

static int op_rule_offset(struct machine *machine, enum cfi_rule_kind kind, bool is_signed)
{
	uint64_t reg = cfi_uleb(&machine->in);
	int64_t offset = is_signed ? cfi_sleb(&machine->in) : read_offset(machine);

	return set_rule(machine, reg, (struct cfi_rule){.kind = kind, .offset = factored(machine, offset)});
}

static int op_rule_expression(struct machine *machine, enum cfi_rule_kind kind)
{
	uint64_t reg = cfi_uleb(&machine->in);

	return set_rule(machine, reg, (struct cfi_rule){.kind = kind, .expression = read_block(machine)});
}

static int op_rule_register(struct machine *machine)
{
	uint64_t reg = cfi_uleb(&machine->in);

	cfi_uleb(&machine->in);
	return set_rule(machine, reg, (struct cfi_rule){.kind = RULE_REGISTER});
}

/* Old gcc: the offset is subtracted. */
static int op_negative_offset(struct machine *machine)
{
	uint64_t reg = cfi_uleb(&machine->in);
	int64_t offset = factored(machine, read_offset(machine));

	if (__builtin_sub_overflow(0, offset, &offset))
		return -EBADMSG;
	return set_rule(machine, reg, (struct cfi_rule){.kind = RULE_OFFSET, .offset = offset});
}

static int op_restore(struct machine *machine, uint64_t reg)
{
	enum cfi_column column = column_of(reg);

	if (!machine->rows)
		return -EBADMSG;
	if (column < COLUMN_COUNT)
		machine->now.columns[column] = machine->cie->initial.columns[column];
	return 0;
}

static int op_remember_state(struct machine *machine)
{
	if (machine->depth == STATE_DEPTH_MAX)
		return -EBADMSG;
	machine->saved[machine->depth++] = machine->now;
	return 0;
}

static int op_restore_state(struct machine *machine)
{
	if (machine->depth == 0)
		return -EBADMSG;
	machine->now = machine->saved[--machine->depth];
	return 0;
}

static int op_def_cfa(struct machine *machine, bool is_signed)
{
	uint64_t reg = cfi_uleb(&machine->in);
	int64_t offset = is_signed ? factored(machine, cfi_sleb(&machine->in)) : read_offset(machine);

	machine->now.cfa = (struct cfi_cfa){.source = CFA_FROM_REGISTER, .reg = reg, .offset = offset};
	return 0;
}

/*
 * After an expression this takes up the offset from before it. DWARF forbids that, but libgcc's unwinder
 * does it and hand-written code (libgcrypt's) counts on it.
 */
static int op_def_cfa_register(struct machine *machine)
{
	struct cfi_cfa *cfa = &machine->now.cfa;

	cfa->reg = cfi_uleb(&machine->in);
	if (cfa->source == CFA_UNSET)
		return -EBADMSG;
	cfa->source = CFA_FROM_REGISTER;
	return 0;
}

static int op_def_cfa_offset(struct machine *machine, bool is_signed)
{
	struct cfi_cfa *cfa = &machine->now.cfa;

	cfa->offset = is_signed ? factored(machine, cfi_sleb(&machine->in)) : read_offset(machine);
	return cfa->source == CFA_UNSET ? -EBADMSG : 0;
}

static int op_def_cfa_expression(struct machine *machine)
{
	machine->now.cfa.source = CFA_FROM_EXPRESSION;
	machine->now.cfa.expression = read_block(machine);
	return 0;
}

static int run_extended(struct machine *machine, uint8_t op)
{
	switch (op) {
	case DW_CFA_nop:
		return 0;
	case DW_CFA_set_loc:
		return op_set_loc(machine);
	case DW_CFA_advance_loc1:
		return op_advance(machine, cfi_fixed(&machine->in, 1));
	case DW_CFA_advance_loc2:
		return op_advance(machine, cfi_fixed(&machine->in, 2));
	case DW_CFA_advance_loc4:
		return op_advance(machine, cfi_fixed(&machine->in, 4));
	case DW_CFA_MIPS_advance_loc8:
		return op_advance(machine, cfi_fixed(&machine->in, 8));
	case DW_CFA_offset_extended:
		return op_rule_offset(machine, RULE_OFFSET, false);
	case DW_CFA_offset_extended_sf:
		return op_rule_offset(machine, RULE_OFFSET, true);
	case DW_CFA_val_offset:
		return op_rule_offset(machine, RULE_VAL_OFFSET, false);
	case DW_CFA_val_offset_sf:
		return op_rule_offset(machine, RULE_VAL_OFFSET, true);
	case DW_CFA_GNU_negative_offset_extended:
		return op_negative_offset(machine);
	case DW_CFA_restore_extended:
		return op_restore(machine, cfi_uleb(&machine->in));
	case DW_CFA_undefined:
		return op_rule(machine, RULE_UNDEFINED);
	case DW_CFA_same_value:
		return op_rule(machine, RULE_SAME_VALUE);
	case DW_CFA_register:
		return op_rule_register(machine);
	case DW_CFA_expression:
		return op_rule_expression(machine, RULE_EXPRESSION);
	case DW_CFA_val_expression:
		return op_rule_expression(machine, RULE_VAL_EXPRESSION);
	case DW_CFA_remember_state:
		return op_remember_state(machine);
	case DW_CFA_restore_state:
		return op_restore_state(machine);
	case DW_CFA_def_cfa:
		return op_def_cfa(machine, false);
	case DW_CFA_def_cfa_sf:
		return op_def_cfa(machine, true);
	case DW_CFA_def_cfa_register:
		return op_def_cfa_register(machine);
	case DW_CFA_def_cfa_offset:
		return op_def_cfa_offset(machine, false);
	case DW_CFA_def_cfa_offset_sf:
		return op_def_cfa_offset(machine, true);
	case DW_CFA_def_cfa_expression:
		return op_def_cfa_expression(machine);
	case DW_CFA_GNU_args_size:
		cfi_uleb(&machine->in);
		return 0;
	}
	return -EBADMSG;
}

/* The three most frequent instructions keep an operand in their low six bits. */
static int run_one(struct machine *machine)
{
	uint8_t op = cfi_u8(&machine->in);
	uint8_t operand = op & 0x3f;

	switch (op & 0xc0) {
	case DW_CFA_advance_loc:
		return op_advance(machine, operand);
	case DW_CFA_offset:
		return set_rule(machine, operand,
				(struct cfi_rule){.kind = RULE_OFFSET,
						  .offset = factored(machine, read_offset(machine))});
	case DW_CFA_restore:
		return op_restore(machine, operand);
	}
	return run_extended(machine, op);
}

static int run(struct machine *machine)
{
	while (cfi_left(&machine->in) > 0) {
		int err = run_one(machine);

		if (err)
			return err;
		if (machine->in.is_broken)
			return -EBADMSG;
	}
	return 0;
}

int cfi_run_initial(const struct cfi_section *section, struct cfi_cie *cie, struct cfi_cursor program)
{
	struct machine machine;

	machine.section = section;
	machine.cie = cie;
	machine.in = program;
	machine.now = (struct cfi_state){0};
	machine.rows = NULL;
	machine.depth = 0;
	machine.pc = machine.end = 0;
	if (run(&machine))
		return -EBADMSG;
	cie->initial = machine.now;
	return 0;
}

int cfi_run_function(const struct cfi_section *section, const struct cfi_cie *cie, struct cfi_cursor program,
		     struct cfi_range range, struct cfi_rows *rows)
{
	struct machine machine;
	int status, err;

	machine.section = section;
	machine.cie = cie;
	machine.in = program;
	machine.now = cie->initial;
	machine.pc = range.start;
	machine.end = range.end;
	machine.rows = rows;
	machine.depth = 0;
	status = run(&machine);
	if (status == -ENOMEM)
		return status;
	if (status == 0)
		return move_to(&machine, range.end);
	if (machine.pc == range.end)
		return status;
	rows->unsupported++;
	err = cfi_rows_append(rows, &(struct unwind_row){.pc = (uint32_t)machine.pc, .kind = CFA_NONE});
	return err ? err : status;
}
