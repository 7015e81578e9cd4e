// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Says in one unwind row what one state of the call frame machine says, or that it can't be said.
 *
 * Expressions are recognised, not evaluated: on x86-64 few shapes occur, each from one known writer.
 */
#include <dwarf.h>

#include "cfi_program.h"

/* Slots in struct ucontext as rt_sigreturn(2) reads it: arch/x86/include/uapi/asm/{ucontext,sigcontext}.h */
#define UCONTEXT_RIP 168

static struct cfi_cursor expression_cursor(struct cfi_span expression)
{
	return (struct cfi_cursor){.at = expression.at, .end = expression.at + expression.size};
}

/* The expression begins with "register + number" of rsp or rbp. */
static bool read_breg(struct cfi_cursor *in, unsigned int *ret_reg, int64_t *ret_number)
{
	unsigned int op = cfi_u8(in);
	int64_t number = cfi_sleb(in);

	if (in->is_broken || (op != DW_OP_breg0 + REG_RBP && op != DW_OP_breg0 + REG_RSP))
		return false;
	*ret_reg = op - DW_OP_breg0;
	*ret_number = number;
	return true;
}

/* A whole expression of that form: the address of a register's slot. */
static bool slot_from_expression(struct cfi_span expression, unsigned int *ret_reg, int64_t *ret_number)
{
	struct cfi_cursor in = expression_cursor(expression);
	unsigned int reg;
	int64_t number;

	if (!read_breg(&in, &reg, &number) || cfi_left(&in) > 0)
		return false;
	*ret_reg = reg;
	*ret_number = number;
	return true;
}

/*
 * ld, gold and lld describe a whole .plt by one rule. A stub is 16 bytes; from offset 11 on (10 where the
 * push comes earlier) it has pushed the relocation's index:
 *
 *	rsp + 8 + (((rip & 15) >= 11) << 3)
 */
static bool is_plt_tail(struct cfi_cursor in, uint8_t *ret_literal)
{
	static const uint8_t head[] = {DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and};
	static const uint8_t tail[] = {DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus};

	if (cfi_left(&in) != sizeof(head) + 1 + sizeof(tail) || memcmp(in.at, head, sizeof(head)) != 0 ||
	    memcmp(in.at + sizeof(head) + 1, tail, sizeof(tail)) != 0)
		return false;
	if (in.at[sizeof(head)] < DW_OP_lit0 || in.at[sizeof(head)] > DW_OP_lit15)
		return false;
	*ret_literal = in.at[sizeof(head)] - DW_OP_lit0;
	return true;
}

static enum cfa_kind cfa_from_expression(struct cfi_span expression, int64_t *ret_offset)
{
	struct cfi_cursor in = expression_cursor(expression);
	unsigned int reg;
	uint8_t literal;

	if (!read_breg(&in, &reg, ret_offset))
		return CFA_NONE;
	if (cfi_left(&in) == 0)
		return reg == REG_RSP ? CFA_RSP : CFA_RBP;
	if (cfi_left(&in) == 1 && *in.at == DW_OP_deref)
		return reg == REG_RSP ? CFA_RSP_DEREF : CFA_RBP_DEREF;
	if (reg == REG_RSP && *ret_offset == 8 && is_plt_tail(in, &literal)) {
		*ret_offset = literal;
		return CFA_PLT;
	}
	return CFA_NONE;
}

static enum cfa_kind cfa_decode(const struct cfi_cfa *cfa, int64_t *ret_offset)
{
	*ret_offset = cfa->offset;
	if (cfa->source == CFA_FROM_EXPRESSION)
		return cfa_from_expression(cfa->expression, ret_offset);
	if (cfa->source == CFA_FROM_REGISTER && cfa->reg == REG_RSP)
		return CFA_RSP;
	if (cfa->source == CFA_FROM_REGISTER && cfa->reg == REG_RBP)
		return CFA_RBP;
	return CFA_NONE;
}

/*
 * A signal trampoline is entered with rsp at the ucontext. The letter 'S' alone proves less: it also marks
 * functions whose return address must not be taken for the one after a call.
 */
static bool returns_through_ucontext(const struct cfi_state *state, enum cfa_kind kind, int64_t cfa_offset)
{
	const struct cfi_rule *rule = &state->columns[COLUMN_RETURN_ADDRESS];
	unsigned int reg;
	int64_t slot;

	if (rule->kind == RULE_EXPRESSION)
		return slot_from_expression(rule->expression, &reg, &slot) && reg == REG_RSP &&
		       slot == UCONTEXT_RIP;
	return rule->kind == RULE_OFFSET && kind == CFA_RSP &&
	       !__builtin_add_overflow(cfa_offset, rule->offset, &slot) && slot == UCONTEXT_RIP;
}

/* The caller's rsp is the CFA unless a rule says otherwise; then the row's definition does not hold. */
static bool rsp_is_cfa(const struct cfi_rule *rule)
{
	switch (rule->kind) {
	case RULE_UNSPECIFIED:
	case RULE_UNDEFINED:
	case RULE_SAME_VALUE:
		return true;
	case RULE_VAL_OFFSET:
		return rule->offset == 0;
	default:
		return false;
	}
}

static bool set_rbp_slot(struct unwind_row *row, int64_t offset, unsigned char flags)
{
	if (offset < INT16_MIN || offset > INT16_MAX)
		return false;
	if (offset == 0 && !(flags & UNWIND_RBP_FROM_RBP))
		return false;
	row->rbp_offset = (short)offset;
	row->flags = flags;
	return true;
}

static bool rbp_from_expression(struct cfi_span expression, struct unwind_row *row)
{
	unsigned int reg;
	int64_t slot;

	if (!slot_from_expression(expression, &reg, &slot))
		return false;
	if (reg == REG_RBP)
		return set_rbp_slot(row, slot, UNWIND_RBP_FROM_RBP);
	return row->kind == CFA_RSP && !__builtin_sub_overflow(slot, (int64_t)row->cfa_offset, &slot) &&
	       set_rbp_slot(row, slot, 0);
}

static bool set_rbp(const struct cfi_rule *rule, struct unwind_row *row)
{
	switch (rule->kind) {
	case RULE_UNSPECIFIED:
	case RULE_SAME_VALUE:
	case RULE_UNDEFINED: /* clobbered: then the caller, too, lives without it */
		return true;
	case RULE_OFFSET:
		return set_rbp_slot(row, rule->offset, 0);
	case RULE_EXPRESSION:
		return rbp_from_expression(rule->expression, row);
	default:
		return false;
	}
}

bool cfi_row_from_state(const struct cfi_state *state, bool is_signal_frame, struct unwind_row *ret_row)
{
	const struct cfi_rule *return_address = &state->columns[COLUMN_RETURN_ADDRESS];
	struct unwind_row row = {0};
	enum cfa_kind kind;
	int64_t offset;

	*ret_row = row;
	if (return_address->kind == RULE_UNDEFINED) {
		ret_row->kind = CFA_END;
		return true;
	}
	kind = cfa_decode(&state->cfa, &offset);
	if (is_signal_frame && returns_through_ucontext(state, kind, offset)) {
		ret_row->kind = CFA_SIGNAL;
		return true;
	}
	if (kind == CFA_NONE || offset < INT32_MIN || offset > INT32_MAX)
		return false;
	if (return_address->kind != RULE_OFFSET || return_address->offset != -8)
		return false;
	row.kind = (unsigned char)kind;
	row.cfa_offset = (int)offset;
	if (!rsp_is_cfa(&state->columns[COLUMN_RSP]) || !set_rbp(&state->columns[COLUMN_RBP], &row))
		return false;
	*ret_row = row;
	return true;
}
