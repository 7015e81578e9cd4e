/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One row of a compact unwind table: the rule for every pc from row.pc up to the next row's pc.
 *
 * Shared by user space, which makes the rows out of .eh_frame, and by the BPF stack walker, which reads
 * them from a map: so only fixed-size types, and no header that BPF programs lack.
 *
 * The rule gives the canonical frame address (CFA): the value rsp has in the caller right after the call
 * returns. On x86-64 the return address lies at CFA-8. Only rbp is restored besides, since compilers base
 * a CFA on rsp or rbp alone. (System V ABI AMD64 supplement 3.4.1, DWARF 5 section 6.4.)
 *
 * The caller's rbp, for the kinds that have a CFA:
 *
 *	flags has UNWIND_RBP_FROM_RBP   *(u64 *)(rbp + rbp_offset), 0 included
 *	else rbp_offset != 0            *(u64 *)(CFA + rbp_offset)
 *	else                            unchanged
 *
 * gcc needs the first where it realigns the stack: it saves rbp below the alignment gap, whose size nobody
 * knows, so that the slot has no fixed distance from the CFA.
 */
#ifndef DILL_UNWIND_ROW_H
#define DILL_UNWIND_ROW_H

enum cfa_kind {
	CFA_NONE = 0,      /* no rule covers this pc: a gap between functions, or a rule we can't express */
	CFA_RSP = 1,       /* CFA = rsp + cfa_offset */
	CFA_RBP = 2,       /* CFA = rbp + cfa_offset */
	CFA_RBP_DEREF = 3, /* CFA = *(u64 *)(rbp + cfa_offset): gcc's stack realignment (DRAP) */
	CFA_RSP_DEREF = 4, /* CFA = *(u64 *)(rsp + cfa_offset) */
	CFA_PLT = 5,       /* CFA = rsp + 8 + ((pc & 15) >= cfa_offset ? 8 : 0): a PLT stub */
	CFA_SIGNAL = 6,    /* rsp points at the kernel's ucontext: rip, rsp and rbp are read from it */
	CFA_END = 7,       /* return address undefined: the outermost frame (_start, clone3) */
};

#define UNWIND_RBP_FROM_RBP 1 /* in unwind_row.flags */

struct unwind_row {
	unsigned int pc;     /* virtual address less the base: lowest PT_LOAD p_vaddr, page aligned down */
	int cfa_offset;      /* bytes */
	short rbp_offset;    /* bytes, see above */
	unsigned char kind;  /* enum cfa_kind */
	unsigned char flags; /* UNWIND_RBP_FROM_RBP or 0 */
};

#endif
