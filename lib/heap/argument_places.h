/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Where a function's arguments are at its instructions, by following copies through its code: moves between
 * registers, to and from its own stack frame. A debugger reads that from DWARF; here only the code is there.
 * All ways through the code that lead to the instruction must agree, else the place is unknown.
 *
 * Trusted are the calling convention (a callee keeps rbx, rbp, rsp, r12 to r15, and gives its result in rax)
 * and that nobody has the address of a variable on the stack who wasn't given it. Once that was given away,
 * the whole frame counts as lost at each call and at each store to an unknown place.
 */
#ifndef DILL_ARGUMENT_PLACES_H
#define DILL_ARGUMENT_PLACES_H

#include <stddef.h>
#include <stdint.h>

#include "code_flow.h"
#include "heap_sites.h"

enum { ARGUMENTS_MAX = 6 }; /* in registers, System V ABI: rdi rsi rdx rcx r8 r9 */

struct argument_places {
	/*
	 * Where the values are now that the registers had at the first instruction. Index by enum
	 * insn_register.
	 */
	struct value_place entries[INSN_REGISTER_COUNT];
	/* register + offset is rsp as it was at the first instruction. */
	struct frame_place {
		bool is_known;
		int64_t offset;
	} frames[INSN_REGISTER_COUNT];
	/* The word at register + offset, plus addend, is that rsp. @number INSN_NO_REGISTER: there is none.
	 */
	struct stored_frame {
		uint8_t number;
		int64_t offset, addend;
	} stored_frame;
};

/* By the calling convention: the register that has the i-th argument at the first instruction. */
extern const uint8_t argument_registers[ARGUMENTS_MAX];

struct argument_flow;

/*
 * Which arguments (bit i: the i-th) the function at @target only reads through: what they point to is as it
 * was when it comes back, and it keeps no copy of the pointer. 0 for what isn't known.
 */
typedef uint8_t (*argument_spares_fn)(void *context, uint64_t target);

/*
 * Follow all ways through @flow, which is borrowed. @spares may be NULL. -EBADMSG: the code leaves by a jump
 * while its stack frame is still there, so that it may come back where it isn't seen (a switch through a
 * table); -ENOMEM.
 */
int argument_flow_create(const struct code_flow *flow, argument_spares_fn spares, void *context,
			 struct argument_flow **ret_arguments);
void argument_flow_destroy(struct argument_flow *arguments);

/* What holds right behind the instruction at @index, before the next one, when it doesn't jump; or before it.
 */
void argument_places_behind(const struct argument_flow *arguments, size_t index,
			    struct argument_places *ret_places);
void argument_places_before(const struct argument_flow *arguments, size_t index,
			    struct argument_places *ret_places);

/* The arguments (bits) through which something may be written, or whose value may be kept. */
uint8_t argument_flow_written(const struct argument_flow *arguments);

#endif
