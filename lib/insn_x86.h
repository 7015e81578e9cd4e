/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Decodes one x86-64 instruction as user space runs it in 64-bit mode: its length, where it may go, what it
 * may change, its registers and memory, and what a uprobe on it costs. It is no disassembler: operands are
 * decoded only as far as these questions need, and an encoding is not checked for every way in which a CPU
 * could refuse it.
 */
#ifndef DILL_INSN_X86_H
#define DILL_INSN_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_X86_MAX_BYTES 15

/* Register numbers as in the instruction encoding; 8..15 are r8..r15. */
enum insn_register {
	INSN_RAX, INSN_RCX, INSN_RDX, INSN_RBX, INSN_RSP, INSN_RBP, INSN_RSI, INSN_RDI, INSN_R8, INSN_R9,
	INSN_REGISTER_COUNT = 16,
	INSN_NO_REGISTER = 0xff,
};

enum insn_map {
	INSN_MAP_ONE_BYTE,
	INSN_MAP_0F,
	INSN_MAP_0F38,
	INSN_MAP_0F3A,
	INSN_MAP_VECTOR, /* VEX, EVEX or XOP, any map */
};

enum insn_flow {
	INSN_FLOW_NEXT,   /* goes on with the next instruction */
	INSN_FLOW_BRANCH, /* may go to the target or on: jcc, loop, jrcxz, xbegin */
	INSN_FLOW_JUMP,   /* direct with has_target, indirect without */
	INSN_FLOW_CALL,   /* likewise */
	INSN_FLOW_RETURN,
	INSN_FLOW_STOP,   /* never goes on in user space: ud2, hlt, int3, iret */
};

/*
 * What the kernel does with a uprobe on this instruction (arch/x86/kernel/uprobes.c,
 * arch_uprobe_analyze_insn(), read in 6.1, 6.12 and 7.3; the push and branch rules are older than 5.10).
 */
enum insn_uprobe {
	/*
	 * The kernel won't set it (-ENOTSUPP), or some kernel takes it and then runs the instruction wrongly
	 * or more than once: never put a probe here.
	 */
	INSN_UPROBE_REFUSED,
	/* Run out of line under the trap flag: a second exception for every hit. */
	INSN_UPROBE_STEPPED,
	/* Long nops and moves of a register to itself: newer kernels emulate some or all, older ones step. */
	INSN_UPROBE_NOP,
	/* Emulated by every kernel. */
	INSN_UPROBE_EMULATED,
};

struct insn_x86 {
	uint8_t length;          /* bytes, 1..INSN_X86_MAX_BYTES */
	uint8_t opcode;          /* last opcode byte */
	uint8_t modrm;           /* 0 when it has none */
	enum insn_map map;
	enum insn_flow flow;
	enum insn_uprobe uprobe;
	bool has_target;
	int64_t target;          /* bytes from this instruction's first byte */
	uint8_t condition;       /* jcc: low nibble of its opcode (4 is je); else 0xff */
	uint16_t writes;         /* bit n: may change register n; all ones when not known */
	bool stores;             /* may change memory, the stack's included, or enter the kernel */
	bool keeps_flags;        /* known to leave every status flag alone */
	bool sp_is_known;        /* sp_change is right; false when rsp gets a value we can't tell */
	int32_t sp_change;       /* added to rsp, bytes; for a call: up to the callee's first instruction */
	uint8_t copy_to;         /* mov of a whole register to another one, else INSN_NO_REGISTER both */
	uint8_t copy_from;
	uint8_t tests_zero;      /* sets ZF exactly when all 64 bits of this register are zero */

	/* Explicit operands. Of vector instructions registers are other ones, and EVEX displacements aren't scaled. */
	uint8_t reg;             /* general one in ModRM.reg or in the opcode, else INSN_NO_REGISTER */
	uint8_t rm;              /* ModRM.rm where it is a register, else INSN_NO_REGISTER */
	uint8_t operand_size;    /* bytes that an integer instruction moves: 1, 2, 4, 8; 0: not known */
	bool has_memory;         /* ModRM names memory, at base + index * scale + displacement */
	bool is_rip_relative;    /* base is the next instruction's address */
	bool is_elsewhere;       /* its address is in segment fs or gs, or has 32 bits only */
	uint8_t base, index;     /* INSN_NO_REGISTER: none */
	int32_t displacement;
	bool loads;              /* may read that memory */
	int64_t immediate;       /* sign-extended; 0: none. Not for enter and extrq, which have two */
};

/*
 * Decode the instruction at @code, of which @len bytes can be read.
 * -ENODATA: the bytes end within the instruction. -EBADMSG: not valid in 64-bit mode, longer than 15 bytes,
 * or an encoding that is refused rather than guessed: APX (REX2, EVEX map 4), a REX that isn't the last
 * prefix, and 16-bit near branches, whose length Intel and AMD disagree about.
 */
int insn_x86_decode(const uint8_t *code, size_t len, struct insn_x86 *ret_insn);

/*
 * The address of the memory that @insn at @ip names by a constant: relative to rip, or absolute. True if it
 * does.
 */
bool insn_x86_fixed_address(const struct insn_x86 *insn, uint64_t ip, uint64_t *ret_address);

/* Name for a message, like "push %rbp", "ja", "test"; "opcode 0f ae" for what has no name here. */
void insn_x86_name(const struct insn_x86 *insn, char *ret_text, size_t size);

/* "rdi" for INSN_RDI; "?" for what is no register. */
const char *insn_x86_register_name(unsigned int number);

#endif
