/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The instructions of one kernel function that can be reached from its first one, and which follows which.
 * The bytes are those that run: alternatives, static branches and calls are patched already, so that ways
 * which are switched off aren't seen.
 */
#ifndef DILL_CODE_FLOW_H
#define DILL_CODE_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "insn_x86.h"

/* Compilers move what seldom runs away from the rest (kfree.cold): a function may be in several pieces. */
struct code_piece {
	uint64_t start;
	const uint8_t *bytes; /* borrowed */
	size_t size;
};

enum {
	CODE_PIECES_MAX = 4,
	CODE_BYTES_MAX = 64 << 10, /* of all pieces together */
};

#define CODE_NONE UINT32_MAX

struct code_insn {
	uint64_t ip;
	struct insn_x86 x86;
	uint32_t next;    /* index of the instruction behind it, if it can go there, else CODE_NONE */
	uint32_t target;  /* index of where it may jump to; CODE_NONE: nowhere, or out of the pieces */
	uint64_t outside; /* where it jumps to or what it calls out of the pieces; 0: nothing, or not known */
};

struct code_flow {
	struct code_insn *insns; /* owned; by ip, each reached */
	size_t count;
	uint32_t first; /* the function's first instruction */
};

/* Addresses, ascending: of functions that never return, and of ud2 instructions that are BUG(), not WARN().
 */
struct code_ends {
	const uint64_t *addresses;
	size_t count;
};

/*
 * @pieces: the function's first instruction is the first byte of the first. After ud1, ud2 and calls the code
 * goes on, but for those in @ends. -EBADMSG: what is reached is no code; -E2BIG; -ENOMEM.
 */
int code_flow_create(const struct code_piece *pieces, size_t count, const struct code_ends *ends,
		     struct code_flow **ret_flow);
void code_flow_destroy(struct code_flow *flow);

static inline bool code_insn_is_jump(const struct code_insn *insn)
{
	return insn->x86.flow == INSN_FLOW_JUMP || insn->x86.flow == INSN_FLOW_BRANCH;
}

/* How an instruction's read of a global relates to others of the same global in one run of the function. */
enum code_order {
	CODE_FIRST,  /* none is before it, whatever way led there */
	CODE_LATER,  /* one always is */
	CODE_EITHER, /* depends on the way */
};

/*
 * For the instructions marked in @is_marked (by index): which ones come first. @ret_order has room for as
 * many as the flow has instructions; those not marked get their own order as if they were. -ENOMEM.
 */
int code_flow_order(const struct code_flow *flow, const bool *is_marked, enum code_order *ret_order);

/*
 * Which instructions (@ret_is_reached, one for each) can be reached from the first one without running one
 * that is marked. Marked ones that are met are reached themselves. Branches in @never_jumps (by instruction;
 * NULL: none) are taken to go on only. -ENOMEM.
 */
int code_flow_around(const struct code_flow *flow, const bool *is_marked, const bool *never_jumps,
		     bool *ret_is_reached);

/*
 * Of those, which lie on a way that comes to a return or leaves by a jump. Marked ones don't. -ENOMEM.
 */
int code_flow_bypass(const struct code_flow *flow, const bool *is_marked, const bool *never_jumps,
		     bool *ret_is_on_bypass);

#endif
