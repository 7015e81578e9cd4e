// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Which registers and memory an x86-64 instruction names. What it does with them is insn_x86_effects.c's.
 */
#include "insn_x86.h"

#include <string.h>

#include "insn_x86_encoding.h"

/* One-byte opcodes with a register in their low three bits: push, pop, xchg, mov of an immediate. */
static bool has_register_in_opcode(const struct insn_x86 *insn)
{
	if (insn->map == INSN_MAP_0F)
		return insn->opcode >= 0xc8 && insn->opcode <= 0xcf; /* bswap */
	return insn->map == INSN_MAP_ONE_BYTE &&
	       ((insn->opcode >= 0x50 && insn->opcode <= 0x5f) ||
		(insn->opcode >= 0x90 && insn->opcode <= 0x97) ||
		(insn->opcode >= 0xb0 && insn->opcode <= 0xbf));
}

/* ModRM.reg is a part of the opcode. */
static bool is_group(const struct insn_x86 *insn)
{
	if (insn->map == INSN_MAP_0F) {
		switch (insn->opcode) {
		case 0x00: case 0x01: case 0x0d: case 0x18 ... 0x1f: case 0x71 ... 0x73: case 0x90 ... 0x9f:
		case 0xae: case 0xba: case 0xc7:
			return true;
		default:
			return false;
		}
	}
	if (insn->map != INSN_MAP_ONE_BYTE)
		return false;
	switch (insn->opcode) {
	case 0x80 ... 0x83: case 0x8c: case 0x8e: case 0x8f: case 0xc0: case 0xc1: case 0xc6: case 0xc7:
	case 0xd0 ... 0xd3: case 0xd8 ... 0xdf: case 0xf6: case 0xf7: case 0xfe: case 0xff:
		return true;
	default:
		return false;
	}
}

static bool is_byte_instruction(const struct insn_x86 *insn)
{
	if (insn->map == INSN_MAP_0F)
		return (insn->opcode & 0xf0) == 0x90 || insn->opcode == 0xb0 || insn->opcode == 0xc0;
	switch (insn->opcode) {
	case 0x00 ... 0x3f:
		return !(insn->opcode & 1);
	case 0x80: case 0x82: case 0x84: case 0x86: case 0x88: case 0x8a: case 0xa0: case 0xa2:
	case 0xb0 ... 0xb7: case 0xc0: case 0xc6: case 0xd0: case 0xd2: case 0xf6: case 0xfe:
		return true;
	default:
		return false;
	}
}

/* Those of the 0f map that move as much as the general registers do. */
static bool is_integer_0f(uint8_t opcode)
{
	switch (opcode) {
	case 0x40 ... 0x4f: case 0x90 ... 0x9f: case 0xa3 ... 0xa5: case 0xab ... 0xad: case 0xaf ... 0xb1:
	case 0xb3: case 0xb6 ... 0xb8: case 0xba ... 0xc1: case 0xc3: case 0xc8 ... 0xcf:
		return true;
	default:
		return false;
	}
}

static uint8_t operand_size(const struct insn_encoding *enc, const struct insn_x86 *insn)
{
	bool is_one_byte = insn->map == INSN_MAP_ONE_BYTE;
	bool is_stack = is_one_byte && ((insn->opcode & 0xf0) == 0x50 || insn->opcode == 0x8f ||
					(insn->opcode == 0xff && modrm_group(insn) == 6));

	/* x87 moves up to 108 bytes. */
	if ((!is_one_byte && (insn->map != INSN_MAP_0F || !is_integer_0f(insn->opcode))) ||
	    (is_one_byte && insn->opcode >= 0xd8 && insn->opcode <= 0xdf))
		return 0;
	if (is_byte_instruction(insn))
		return 1;
	if (enc->rex & REX_W)
		return 8;
	if (enc->has_operand_size)
		return 2;
	return is_stack ? 8 : 4;
}

/* Stores, addresses, hints: what names memory and doesn't read it. */
static bool only_names_memory(const struct insn_x86 *insn)
{
	if (insn->map == INSN_MAP_0F)
		return insn->opcode == 0x0d || (insn->opcode >= 0x18 && insn->opcode <= 0x1f) ||
		       (insn->opcode & 0xf0) == 0x90 || insn->opcode == 0xc3;
	if (insn->map != INSN_MAP_ONE_BYTE)
		return false;
	switch (insn->opcode) {
	case 0x88: case 0x89: case 0x8c: case 0x8d: case 0x8f: case 0xc6: case 0xc7:
		return true;
	default:
		return false;
	}
}

static void set_memory(const struct insn_encoding *enc, struct insn_x86 *insn)
{
	unsigned int mod = modrm_mod(insn), rm = insn->modrm & 7;
	unsigned int index = (enc->sib >> 3 & 7) | (enc->rex & REX_X ? 8 : 0);

	insn->has_memory = true;
	insn->is_elsewhere = enc->has_thread_segment || enc->has_address_size;
	insn->displacement = (int32_t)enc->displacement;
	insn->loads = !only_names_memory(insn);
	if (rm == 4) {
		if (index != 4)
			insn->index = (uint8_t)index;
		if (mod != 0 || (enc->sib & 7) != 5)
			insn->base = (uint8_t)((enc->sib & 7) | (enc->rex & REX_B ? 8 : 0));
	} else if (mod == 0 && rm == 5) {
		insn->is_rip_relative = true;
	} else {
		insn->base = (uint8_t)modrm_rm(enc, insn);
	}
}

void insn_x86_set_operands(const struct insn_encoding *enc, struct insn_x86 *insn, char shape)
{
	unsigned int low = (insn->opcode & 7) | (enc->rex & REX_B ? 8 : 0);

	insn->reg = insn->rm = insn->base = insn->index = INSN_NO_REGISTER;
	insn->operand_size = operand_size(enc, insn);
	insn->immediate = enc->immediate;
	if (has_register_in_opcode(insn))
		insn->reg = (uint8_t)low;
	if (!strchr("mcbzfF", shape))
		return;
	if (!is_group(insn))
		insn->reg = (uint8_t)modrm_reg(enc, insn);
	if (modrm_mod(insn) == 3 || shape == 'c')
		insn->rm = (uint8_t)modrm_rm(enc, insn);
	else
		set_memory(enc, insn);
}

bool insn_x86_fixed_address(const struct insn_x86 *insn, uint64_t ip, uint64_t *ret_address)
{
	if (!insn->has_memory || insn->is_elsewhere || insn->base != INSN_NO_REGISTER ||
	    insn->index != INSN_NO_REGISTER)
		return false;
	*ret_address = (uint64_t)(int64_t)insn->displacement;
	if (insn->is_rip_relative)
		*ret_address += ip + insn->length;
	return true;
}
