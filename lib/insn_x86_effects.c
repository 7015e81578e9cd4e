// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What x86-64 instructions change, and their names. Only the one-byte and 0f maps are known here. Whatever
 * lies in the other maps counts as writing every register and memory, which costs little: function prologues
 * seldom start with vector code. Where a table entry is not exact, it says too much rather than too little.
 */
#include "insn_x86.h"

#include <stdio.h>

#include "insn_x86_encoding.h"

#define ALL_REGISTERS 0xffff
#define BIT(n) ((uint16_t)(1u << ((n) & 15)))

/*
 * Effects:
 *   n  no general register, no memory       r  ModRM.reg         m  ModRM.rm, a register or memory
 *   w  ModRM.rm if it is memory              a d D  rax, rdx, both    c  rcx    o  the opcode's register
 *   x  rax and the opcode's register        X  ModRM.reg and rm          Y  rax and rm (cmpxchg)
 *   G 3 4 5 Z 9  opcode groups 1, 3, 4, 5, 8, 9  S  string instruction        s  memory only
 *   P  push   O  pop of the opcode's register   N  another pop           e  0f 1e: endbr64, rdssp, long nop
 *   T  return   H  stop   C  call   u  not known: everything
 */
static const char effects_one_byte[] =
	"mmrraauummrraauu" "mmrraauummrraauu" "mmrraauummrraauu" "mmrraauunnnnnnuu"
	"uuuuuuuuuuuuuuuu" "PPPPPPPPOOOOOOOO" "uuuruuuuPrPruuuu" "nnnnnnnnnnnnnnnn"
	"GGuGnnXXmmrrmrnu" "xxxxxxxxadunPNna" "aassSSSSnnSSSSSS" "oooooooooooooooo"
	"mmTTuummuuTTHuuH" "mmmmuuuauuuuuuuu" "cccnuuuuCnunuuuu" "uHuuHn33nnuunn45";

static const char effects_0f[] =
	"uurruuuuuuuHunnn" "nwnwnnnwnnuunnen" "uuuuuuuunwnwrrnn" "uDuDuuuuuuuuuuuu"
	"rrrrrrrrrrrrrrrr" "rnnnnnnnnnnnnnnn" "nnnnnnnnnnnnnnnn" "nnnnnnnnuuuunnmw"
	"nnnnnnnnnnnnnnnn" "mmmmmmmmmmmmmmmm" "PNunmmuuPNummmur" "YYrmrrrrrHZmrrrr"
	"XXnwnrn9oooooooo" "nnnnnnwrnnnnnnnn" "nnnnnnnwnnnnnnnn" "nnnnnnnunnnnnnnH";

/* One-byte opcodes whose operands are bytes: the even ones, but for mov from a segment register. */
static bool has_byte_operand(const struct insn_x86 *insn)
{
	if (insn->map == INSN_MAP_0F)
		return (insn->opcode & 0xf0) == 0x90 || insn->opcode == 0xb0 || insn->opcode == 0xc0;
	return !(insn->opcode & 1) && insn->opcode != 0x8c;
}

/* Without REX, byte registers 4..7 are ah, ch, dh and bh. */
static unsigned int byte_register(const struct insn_encoding *enc, unsigned int number)
{
	return !enc->rex && number >= 4 && number < 8 ? number - 4 : number;
}

static uint16_t reg_bit(const struct insn_encoding *enc, const struct insn_x86 *insn)
{
	unsigned int reg = modrm_reg(enc, insn);

	return BIT(has_byte_operand(insn) ? byte_register(enc, reg) : reg);
}

static void write_rm(const struct insn_encoding *enc, struct insn_x86 *insn)
{
	unsigned int rm = modrm_rm(enc, insn);

	if (modrm_mod(insn) != 3)
		insn->stores = true;
	else
		insn->writes |= BIT(has_byte_operand(insn) ? byte_register(enc, rm) : rm);
}

static void write_everything(struct insn_x86 *insn)
{
	insn->writes = ALL_REGISTERS;
	insn->stores = true;
	insn->sp_is_known = false;
}

/* Pushes and pops move 8 bytes unless a 66 prefix makes it 2. */
static void move_sp(const struct insn_encoding *enc, struct insn_x86 *insn, int change)
{
	insn->writes |= BIT(INSN_RSP);
	insn->sp_is_known = !enc->has_operand_size;
	insn->sp_change = change;
}

static void apply_group(const struct insn_encoding *enc, struct insn_x86 *insn, char effect)
{
	unsigned int group = modrm_group(insn);

	switch (effect) {
	case 'G': /* 7 is cmp */
		if (group != 7)
			write_rm(enc, insn);
		break;
	case 'Z': /* 4 is bt */
		if (group != 4)
			write_rm(enc, insn);
		break;
	case '9': /* 1 is cmpxchg8b and cmpxchg16b */
		if (group != 1 || modrm_mod(insn) == 3) {
			write_everything(insn);
		} else {
			insn->writes |= BIT(INSN_RAX) | BIT(INSN_RDX);
			insn->stores = true;
		}
		break;
	case '3': /* test, test, not, neg, mul, imul, div, idiv */
		if (group == 2 || group == 3)
			write_rm(enc, insn);
		else if (group > 3)
			insn->writes |= BIT(INSN_RAX) | BIT(INSN_RDX);
		break;
	}
}

/* inc, dec; in group 5 also call, far call, jmp, far jmp, push. */
static void apply_group_45(const struct insn_encoding *enc, struct insn_x86 *insn)
{
	switch (modrm_group(insn)) {
	case 0:
	case 1:
		write_rm(enc, insn);
		break;
	case 2:
	case 3:
		write_everything(insn);
		insn->flow = INSN_FLOW_CALL;
		break;
	case 4:
	case 5:
		insn->flow = INSN_FLOW_JUMP;
		break;
	case 6:
		insn->stores = true;
		move_sp(enc, insn, -8);
		break;
	}
}

/* Effects that say which registers a plain instruction changes. */
static void apply_plain(const struct insn_encoding *enc, struct insn_x86 *insn, char effect)
{
	unsigned int low = (insn->opcode & 7) | (enc->rex & REX_B ? 8 : 0);

	switch (effect) {
	case 'r':
		insn->writes |= reg_bit(enc, insn);
		break;
	case 'm':
		write_rm(enc, insn);
		break;
	case 'w':
		insn->stores |= modrm_mod(insn) != 3;
		break;
	case 'X':
		insn->writes |= reg_bit(enc, insn);
		write_rm(enc, insn);
		break;
	case 'Y':
		insn->writes |= BIT(INSN_RAX);
		write_rm(enc, insn);
		break;
	case 'a':
		insn->writes |= BIT(INSN_RAX);
		break;
	case 'd':
		insn->writes |= BIT(INSN_RDX);
		break;
	case 'D':
		insn->writes |= BIT(INSN_RAX) | BIT(INSN_RDX);
		break;
	case 'c':
		insn->writes |= BIT(INSN_RCX);
		break;
	case 'o': /* b0..b7 move bytes; b8..bf and bswap whole registers */
		insn->writes |= BIT(insn->map == INSN_MAP_ONE_BYTE && insn->opcode < 0xb8 ?
				    byte_register(enc, low) : low);
		break;
	case 'x': /* 90 is a nop without REX.B */
		if (insn->opcode != 0x90 || enc->rex & REX_B)
			insn->writes |= BIT(INSN_RAX) | BIT(low);
		break;
	case 'e': /* f3 0f 1e with a register is rdssp, but for fa and fb: endbr64, endbr32 */
		if (enc->has_rep && modrm_mod(insn) == 3 && insn->modrm != 0xfa && insn->modrm != 0xfb)
			write_rm(enc, insn);
		break;
	}
}

static void apply_stack(const struct insn_encoding *enc, struct insn_x86 *insn, char effect)
{
	unsigned int low = (insn->opcode & 7) | (enc->rex & REX_B ? 8 : 0);

	switch (effect) {
	case 'P':
		insn->stores = true;
		move_sp(enc, insn, -8);
		break;
	case 'O':
		move_sp(enc, insn, 8);
		insn->writes |= BIT(low);
		insn->sp_is_known &= low != INSN_RSP;
		break;
	case 'N':
		move_sp(enc, insn, 8);
		break;
	case 'T':
		insn->writes |= BIT(INSN_RSP);
		insn->flow = INSN_FLOW_RETURN;
		break;
	case 'C':
		write_everything(insn);
		insn->sp_is_known = true;
		insn->sp_change = -8;
		break;
	}
}

static void apply_effect(const struct insn_encoding *enc, struct insn_x86 *insn, char effect)
{
	switch (effect) {
	case 'H':
		insn->flow = INSN_FLOW_STOP;
		write_everything(insn);
		break;
	case 'u':
		write_everything(insn);
		break;
	case 's':
		insn->stores = true;
		break;
	case 'S':
		insn->stores = true;
		insn->writes |= BIT(INSN_RAX) | BIT(INSN_RCX) | BIT(INSN_RSI) | BIT(INSN_RDI);
		break;
	case 'P':
	case 'O':
	case 'N':
	case 'T':
	case 'C':
		apply_stack(enc, insn, effect);
		break;
	case 'G':
	case 'Z':
	case '3':
	case '9':
		apply_group(enc, insn, effect);
		break;
	case '4':
	case '5':
		apply_group_45(enc, insn);
		break;
	default:
		apply_plain(enc, insn, effect);
		break;
	}
}

/* sub $n,%rsp; add $n,%rsp; lea n(%rsp),%rsp. Anything else that writes rsp makes it unknown. */
static void set_sp_change(const struct insn_encoding *enc, struct insn_x86 *insn)
{
	bool is_wide = enc->rex & REX_W;
	unsigned int group = modrm_group(insn);

	if (!(insn->writes & BIT(INSN_RSP)) || insn->sp_change != 0)
		return;
	insn->sp_is_known = false;
	if (insn->map != INSN_MAP_ONE_BYTE || !is_wide)
		return;
	if ((insn->opcode == 0x81 || insn->opcode == 0x83) && (group == 0 || group == 5)) {
		insn->sp_change = (int32_t)(group == 0 ? enc->immediate : -enc->immediate);
		insn->sp_is_known = enc->immediate != INT32_MIN;
	} else if (insn->opcode == 0x8d && (insn->modrm & 7) == 4 && modrm_mod(insn) != 0 &&
		   enc->sib == 0x24 && !(enc->rex & (REX_X | REX_B)) && !enc->has_address_size) {
		insn->sp_change = (int32_t)enc->displacement;
		insn->sp_is_known = true;
	}
}

static void set_copy(const struct insn_encoding *enc, struct insn_x86 *insn)
{
	bool is_wide = enc->rex & REX_W;
	unsigned int reg = modrm_reg(enc, insn);
	unsigned int rm = modrm_rm(enc, insn);

	if (insn->map != INSN_MAP_ONE_BYTE || modrm_mod(insn) != 3 || !is_wide)
		return;
	if (insn->opcode == 0x89) {
		insn->copy_to = (uint8_t)rm;
		insn->copy_from = (uint8_t)reg;
	} else if (insn->opcode == 0x8b) {
		insn->copy_to = (uint8_t)reg;
		insn->copy_from = (uint8_t)rm;
	} else if ((insn->opcode == 0x85 && reg == rm) ||
		   (insn->opcode == 0x83 && modrm_group(insn) == 7 && enc->immediate == 0)) {
		insn->tests_zero = (uint8_t)rm;
	}
}

/* A short list of what compilers put between a test and its branch; everything else may set flags. */
static bool keeps_flags(const struct insn_x86 *insn)
{
	switch (insn->map) {
	case INSN_MAP_ONE_BYTE:
		switch (insn->opcode) {
		case 0x50 ... 0x5f: case 0x63: case 0x68: case 0x6a: case 0x70 ... 0x7f:
		case 0x88 ... 0x8b: case 0x8d: case 0x90 ... 0x99: case 0xb0 ... 0xbf:
		case 0xe9: case 0xeb:
			return true;
		case 0xc6: case 0xc7:
			return modrm_group(insn) == 0;
		}
		return false;
	case INSN_MAP_0F:
		switch (insn->opcode) {
		case 0x10 ... 0x19: case 0x1e: case 0x1f: case 0x28 ... 0x2b: case 0x40 ... 0x4f:
		case 0x80 ... 0x9f: case 0xb6: case 0xb7: case 0xbe: case 0xbf:
			return true;
		}
		return false;
	default:
		return false;
	}
}

void insn_x86_set_effects(const struct insn_encoding *enc, struct insn_x86 *insn)
{
	char effect = 'u';

	if (insn->map == INSN_MAP_ONE_BYTE)
		effect = effects_one_byte[insn->opcode];
	else if (insn->map == INSN_MAP_0F)
		effect = effects_0f[insn->opcode];
	apply_effect(enc, insn, effect);
	set_sp_change(enc, insn);
	set_copy(enc, insn);
	insn->keeps_flags = keeps_flags(insn);
}

const char *insn_x86_register_name(unsigned int number)
{
	static const char *const names[INSN_REGISTER_COUNT] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};

	return number < INSN_REGISTER_COUNT ? names[number] : "?";
}

/* NULL for an instruction without a name here. */
static const char *one_byte_name(const struct insn_x86 *insn)
{
	static const char *const arithmetic[] = { "add", "or", "adc", "sbb", "and", "sub", "xor", "cmp" };
	static const char *const group3[] = { "test", "test", "not", "neg", "mul", "imul", "div", "idiv" };
	static const char *const group5[] = { "inc", "dec", "call", "call", "jmp", "jmp", "push", "" };

	switch (insn->opcode) {
	case 0x00 ... 0x3f: /* the rest of each eight is no instruction */
		return arithmetic[insn->opcode >> 3];
	case 0x50 ... 0x57:
		return "push";
	case 0x58 ... 0x5f:
		return "pop";
	case 0x80 ... 0x83:
		return arithmetic[modrm_group(insn)];
	case 0x84: case 0x85: case 0xa8: case 0xa9:
		return "test";
	case 0x88 ... 0x8c: case 0xa0 ... 0xa3: case 0xb0 ... 0xbf: case 0xc6: case 0xc7:
		return "mov";
	case 0x8d:
		return "lea";
	case 0x90:
		return "nop";
	case 0xc2: case 0xc3:
		return "ret";
	case 0xe8:
		return "call";
	case 0xe9: case 0xeb:
		return "jmp";
	case 0xf6: case 0xf7:
		return group3[modrm_group(insn)];
	case 0xff:
		return group5[modrm_group(insn)];
	default:
		return NULL;
	}
}

static const char *name_of(const struct insn_x86 *insn)
{
	static const char *const conditions[] = { "jo", "jno", "jb",  "jae", "je", "jne", "jbe", "ja",
						  "js", "jns", "jp", "jnp", "jl", "jge", "jle", "jg" };

	if (insn->condition < 16)
		return conditions[insn->condition];
	if (insn->map == INSN_MAP_ONE_BYTE)
		return one_byte_name(insn);
	if (insn->map != INSN_MAP_0F)
		return NULL;
	if (insn->opcode == 0x1f)
		return "nop";
	return insn->opcode == 0x1e && insn->modrm == 0xfa ? "endbr64" : NULL;
}

void insn_x86_name(const struct insn_x86 *insn, char *ret_text, size_t size)
{
	static const char *const map_prefix[] = { "", "0f ", "0f 38 ", "0f 3a ", "vector " };
	const char *name = name_of(insn);
	bool is_push = insn->map == INSN_MAP_ONE_BYTE && (insn->opcode & 0xf8) == 0x50;

	if (is_push && insn->uprobe == INSN_UPROBE_EMULATED)
		snprintf(ret_text, size, "push %%%s",
			 insn_x86_register_name((insn->opcode & 7) + (insn->length == 2 ? 8 : 0)));
	else if (name)
		snprintf(ret_text, size, "%s", name);
	else
		snprintf(ret_text, size, "opcode %s%02x", map_prefix[insn->map], insn->opcode);
}
