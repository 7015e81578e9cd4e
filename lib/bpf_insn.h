/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Initialisers for the handful of BPF instructions that trial programs are made of (kernel:
 * Documentation/bpf/standardization/instruction-set.rst). Real programs are written in C under bpf/ and cmd/.
 */
#ifndef DILL_BPF_INSN_H
#define DILL_BPF_INSN_H

#include <linux/bpf.h>

#define BPF_INSN(opcode, to, from, offset, value)                                                   \
	((struct bpf_insn){ .code = (opcode), .dst_reg = (to), .src_reg = (from), .off = (offset), \
			    .imm = (value) })

#define BPF_INSN_MOV(to, from) BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define BPF_INSN_MOV_IMM(to, value) BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value)
#define BPF_INSN_ADD_IMM(to, value) BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value)
/* *(u64 *)(to + offset) = value */
#define BPF_INSN_STORE_IMM(to, offset, value) BPF_INSN(BPF_ST | BPF_MEM | BPF_DW, to, 0, offset, value)
/* *(u64 *)(to + offset) += from; with BPF_FETCH in @extra, from becomes the old value */
#define BPF_INSN_ATOMIC_ADD(to, offset, from, extra) \
	BPF_INSN(BPF_STX | BPF_ATOMIC | BPF_DW, to, from, offset, BPF_ADD | (extra))
#define BPF_INSN_JUMP_NOT_ZERO(reg, skip) BPF_INSN(BPF_JMP | BPF_JNE | BPF_K, reg, 0, skip, 0)
#define BPF_INSN_JUMP_ZERO(reg, skip) BPF_INSN(BPF_JMP | BPF_JEQ | BPF_K, reg, 0, skip, 0)
#define BPF_INSN_CALL(helper) BPF_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define BPF_INSN_EXIT() BPF_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
/* Two slots: to = the map behind a descriptor. */
#define BPF_INSN_MAP_FD(to, fd) \
	BPF_INSN(BPF_LD | BPF_DW | BPF_IMM, to, BPF_PSEUDO_MAP_FD, 0, fd), BPF_INSN(0, 0, 0, 0, 0)

#endif
