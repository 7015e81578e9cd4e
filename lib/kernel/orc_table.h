/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The kernel's unwind tables for its own code (ORC: arch/x86/include/asm/orc_types.h), read where they lie in
 * its memory: those of the image and those of its modules. Knows how to find a row; walks no stack.
 */
#ifndef DILL_ORC_TABLE_H
#define DILL_ORC_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernel;
struct orc_tables;

/* ORC_REG_*: which register, or the word that it points to. What a kernel's numbers mean is orc_table.c's. */
enum orc_register {
	ORC_UNDEFINED,
	ORC_PREV_SP,
	ORC_AX,
	ORC_DX,
	ORC_DI,
	ORC_BP,
	ORC_SP,
	ORC_R10,
	ORC_R13,
	ORC_BP_INDIRECT,
	ORC_SP_INDIRECT,
	ORC_UNKNOWN,
};

/* ORC_TYPE_*, which were numbered anew in 6.4 (fb799447ae29, f902cfdd46ae). */
enum orc_kind {
	ORC_NO_ROW, /* code that can't be unwound */
	ORC_END_OF_STACK,
	ORC_CALL,
	ORC_REGS,         /* a whole struct pt_regs */
	ORC_REGS_PARTIAL, /* what the CPU pushed: ip, cs, flags, sp, ss */
};

struct orc_row {
	int16_t sp_offset, bp_offset;
	enum orc_register sp_register, bp_register;
	enum orc_kind kind;
	/* The caller was interrupted: its address is that of its next instruction, not behind a call. */
	bool is_signal;
};

/* -ENOENT: no tables (another unwinder, or their places aren't known). -ENOMEM. */
int orc_tables_open(struct kernel *kernel, struct orc_tables **ret_tables);
void orc_tables_close(struct orc_tables *tables);
/* The row for @ip. -ENOENT: none; -EFAULT. */
int orc_find(struct orc_tables *tables, uint64_t ip, struct orc_row *ret_row);

/*
 * Rows with the code that each is about: [@start, @end), ascending within the image's text, its text of the boot, and
 * that of each module, until @visit returns something else than 0, which is then returned. Rows that can't be read or
 * that are out of order are left out, and all beyond a limit that no kernel comes near to.
 */
typedef int (*orc_visit)(void *context, uint64_t start, uint64_t end, const struct orc_row *row);
int orc_each(struct orc_tables *tables, orc_visit visit, void *context);

/* True when @address lies in the text of the image or of a module, whose name (else "") goes to @name. */
bool orc_is_text(const struct orc_tables *tables, uint64_t address, char *name, size_t size);

#endif
