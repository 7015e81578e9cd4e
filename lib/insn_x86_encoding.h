/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the parts of the x86-64 decoder share: the encoding's fields. Not for use outside insn_x86*.c. */
#ifndef DILL_INSN_X86_ENCODING_H
#define DILL_INSN_X86_ENCODING_H

#include "insn_x86.h"

#define REX_B 1
#define REX_X 2
#define REX_R 4
#define REX_W 8

struct insn_encoding {
	const uint8_t *code;
	size_t len;
	size_t at; /* bytes taken */
	bool has_operand_size, has_address_size, has_rep, has_repne, has_lock, has_segment_override;
	bool has_thread_segment;        /* fs or gs */
	unsigned int distinct_prefixes; /* legacy ones */
	uint8_t rex;                    /* 0 when absent */
	unsigned int vector_map;
	uint8_t sib;
	int64_t displacement;
	int64_t immediate;
};

static inline unsigned int modrm_mod(const struct insn_x86 *insn)
{
	return insn->modrm >> 6;
}

/* The three bits alone: what opcode groups go by. */
static inline unsigned int modrm_group(const struct insn_x86 *insn)
{
	return insn->modrm >> 3 & 7;
}

static inline unsigned int modrm_reg(const struct insn_encoding *enc, const struct insn_x86 *insn)
{
	return modrm_group(insn) | (enc->rex & REX_R ? 8 : 0);
}

static inline unsigned int modrm_rm(const struct insn_encoding *enc, const struct insn_x86 *insn)
{
	return (insn->modrm & 7) | (enc->rex & REX_B ? 8 : 0);
}

/*
 * Fill what @insn changes: writes, stores, keeps_flags, sp_*, copy_*, tests_zero, and the flow of what its
 * table marks as return, stop or indirect. The encoding is complete and valid.
 */
void insn_x86_set_effects(const struct insn_encoding *enc, struct insn_x86 *insn);

/* Fill @insn's explicit operands. @shape is the opcode's, as insn_x86.c lists them. */
void insn_x86_set_operands(const struct insn_encoding *enc, struct insn_x86 *insn, char shape);

#endif
