/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Where a function's arguments are at one of its instructions, by following copies through its code: moves
 * between registers, to and from its own stack frame. A debugger reads that from DWARF; here only the code is
 * there. All ways through the code that lead to the instruction must agree, else the place is unknown.
 */
#ifndef DILL_ARGUMENT_PLACES_H
#define DILL_ARGUMENT_PLACES_H

#include <stddef.h>
#include <stdint.h>

#include "heap_sites.h"

enum { ARGUMENTS_MAX = 6 }; /* in registers, System V ABI: rdi rsi rdx rcx r8 r9 */

struct argument_places {
	struct value_place arguments[ARGUMENTS_MAX];
	uint8_t frame_register; /* enum insn_register; INSN_NO_REGISTER: not known */
	int64_t frame_offset;   /* frame_register + frame_offset is rsp as it was at the first instruction */
};

/*
 * @code: the function's bytes as they run (alternatives and patches applied), @size of them, beginning at its
 * first instruction; @at: offset of an instruction in it, before which the places hold. -ENOENT: no way leads
 * there; -EBADMSG: code that can't be decoded or followed lies on a way there.
 */
int argument_places_find(const uint8_t *code, size_t size, size_t at, struct argument_places *ret_places);

#endif
