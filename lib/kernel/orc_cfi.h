/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The kernel's unwind tables for its own code (orc_table.h) as DWARF's call frame information, which
 * debuggers know: .debug_frame. Both say the same in other words; what ORC doesn't say (where a function
 * keeps rbx, r12…r15) is "undefined" here, so that a debugger shows nothing instead of another frame's
 * value.
 *
 * Where an interrupt or a system call left a struct pt_regs, the frame is a signal frame ('S'), whose
 * caller was interrupted and didn't call. Its caller in user mode isn't led to: reading the caller's
 * address fails at the user's own with its top bit set, which no memory has, and that ends a backtrace.
 * System calls' entries have no caller.
 */
#ifndef DILL_ORC_CFI_H
#define DILL_ORC_CFI_H

#include <stddef.h>
#include <stdint.h>

#include "byte_writer.h"

struct orc_tables;

/* What a function's name tells about its frames, beyond what rows say. */
enum cfi_role {
	CFI_FUNCTION,
	CFI_INTERRUPT,   /* called by nothing but an interrupt's entry, whose frame is a signal frame */
	CFI_SYSTEM_CALL, /* an entry from user mode: the outermost frame */
	CFI_OTHER_STACK, /* calls on another stack, with rbp left on the caller's */
};

struct cfi_function {
	uint64_t address;
	enum cfi_role role;
};

enum cfi_role cfi_role_of(const char *name);

/*
 * Append a .debug_frame section's contents. @functions: by ascending addresses; each gets descriptions of
 * its own, which keeps them short. Returns how many there are; failures are in @writer.
 * Source: DWARF 4, 6.4; arch/x86/kernel/unwind_orc.c says what rows mean, asm/ptrace.h where registers
 * are.
 */
size_t orc_cfi_put(struct orc_tables *tables, const struct cfi_function *functions, size_t count,
		   struct byte_writer *writer);

#endif
