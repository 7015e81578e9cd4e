/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Turns the .eh_frame of one x86-64 ELF object into a sorted table of struct unwind_row.
 *
 * It reads files and bytes, nothing else: it knows no process and walks no stack. Objects of other
 * machines and .debug_frame are refused.
 *
 * Layout of .eh_frame and of its pointer encodings: Linux Standard Base Core 5.0, sections 10.5 and 10.6.
 * Call frame instructions: DWARF 5, section 6.4. Register numbers: System V ABI AMD64 supplement, 3.6.2.
 */
#ifndef DILL_CFI_H
#define DILL_CFI_H

#include <stddef.h>
#include <stdint.h>

#include "unwind_row.h"

struct error;

/* A larger .eh_frame is refused with -ENOMEM. The table takes at most 12 bytes for each byte of it. */
#define CFI_SECTION_MAX_BYTES (64u << 20)

struct unwind_table {
	struct unwind_row *rows; /* strictly ascending pc, neighbours differ, the last is CFA_NONE; owned */
	size_t count;
	uint64_t base_vaddr; /* what row.pc counts from: lowest PT_LOAD p_vaddr, page-aligned down */
	size_t fdes;         /* functions in the table */
	size_t unsupported;  /* rules degraded to CFA_NONE, and functions of an encoding that we don't read */
	size_t damaged;      /* entries that are impossible: the readable part of such a function is kept */
};

/*
 * Make a table from the bytes of an .eh_frame section that is loaded at @section_vaddr.
 *
 * Damage is counted, not fatal: a bad entry costs that entry, a bad length costs all that follow it.
 * A pc that several FDEs claim belongs to the one that starts last, as in the search table of .eh_frame_hdr,
 * and among equal starts to the first in the section; past the end of that one there is no rule.
 *
 * Release with unwind_table_deinit(). Errors: -EBADMSG damage and not one function readable;
 * -ENOMEM out of memory or @size over CFI_SECTION_MAX_BYTES.
 */
int cfi_parse_eh_frame(const uint8_t *section, size_t size, uint64_t section_vaddr, uint64_t base_vaddr,
		       struct unwind_table *ret_table, struct error *err);

/*
 * The same for an ELF file open for reading; the descriptor stays open and its offset does not matter.
 * Without section headers the section is found through PT_GNU_EH_FRAME.
 *
 * Errors, besides the above: -ENOENT no .eh_frame, or no function in it: use frame pointers;
 * -EOPNOTSUPP not a linked x86-64 object; -EBADMSG not an ELF file or an impossible one.
 */
int cfi_load(int elf_fd, struct unwind_table *ret_table, struct error *err);

/* Accepts a zeroed table and NULL. */
void unwind_table_deinit(struct unwind_table *table);

/*
 * The row that covers @pc (an address of the object less base_vaddr), borrowed from the table. Its kind may
 * be CFA_NONE. NULL: @pc lies before the first row. For a return address look up pc - 1: a call may be
 * the last instruction of its function.
 */
const struct unwind_row *unwind_table_find(const struct unwind_table *table, uint32_t pc);

#endif
