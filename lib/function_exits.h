/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Where an x86-64 function returns to its caller: all `ret` instructions that its paths reach, through tail
 * calls too.
 *
 * A probe on each of them is a return probe that leaves the return address alone. That matters for
 * functions that
 * throw: an unwinder that meets a replaced return address ends the program.
 */
#ifndef DILL_FUNCTION_EXITS_H
#define DILL_FUNCTION_EXITS_H

#include <stddef.h>
#include <stdint.h>

struct elf_object;
struct error;

struct function_exits {
	uint64_t *file_offsets; /* ascending; owned */
	size_t count;
};

/*
 * Follow the code from @vaddr: branches both ways, direct jumps, over calls. -EOPNOTSUPP when some path
 * leaves by an indirect jump,
 * can't be decoded, or is longer than the bound: then a return could be missed.
 */
int function_exits_find(struct elf_object *object, uint64_t vaddr, struct function_exits *ret_exits, struct error *err);
void function_exits_deinit(struct function_exits *exits);

#endif
