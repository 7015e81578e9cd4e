/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * How DWARF describes a frame that an ORC row describes. There are a few shapes, each with a CIE; a
 * description (FDE) refers to that of its shape, and adds what its rows say:
 *
 *     call      CFA = sp or bp + offset; the caller's address at CFA − 8; rbp where the row says
 *     switch    a function that goes on on another stack (IRQ stacks), whose top word leads back:
 *               CFA = sp + 8, and all else by way of that word. Debuggers take frames on one stack to
 *               ascend; so these belong to the stack they are on
 *     regs      CFA = the address of a struct pt_regs, which has all registers
 *     partial   CFA = the address of the end of one, from ip on: what the CPU pushes
 *     end       no caller
 *
 * Which rows make one description is orc_cfi.c's.
 */
#ifndef DILL_ORC_RULES_H
#define DILL_ORC_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "byte_writer.h"
#include "orc_table.h"

enum orc_shape {
	ORC_SHAPE_CALL,
	ORC_SHAPE_SWITCH,
	ORC_SHAPE_REGS,
	ORC_SHAPE_PARTIAL,
	ORC_SHAPE_END,
	ORC_SHAPES,
};

enum orc_shape orc_shape_of(const struct orc_row *row);

/* A CIE or an FDE begins, and where is returned; at its end it gets padding, and its length at its beginning. */
size_t orc_rules_begin(struct byte_writer *writer);
void orc_rules_end(struct byte_writer *writer, size_t at);

/* Returns where it is. */
size_t orc_rules_put_cie(struct byte_writer *writer, enum orc_shape shape, bool is_signal);
/* What differs from the row @before; all of it when that is NULL: the description begins. */
void orc_rules_put_row(struct byte_writer *writer, enum orc_shape shape, const struct orc_row *row,
		       const struct orc_row *before);
/* What follows holds @distance bytes of code further on; less than 4 GiB. */
void orc_rules_put_advance(struct byte_writer *writer, uint64_t distance);

#endif
