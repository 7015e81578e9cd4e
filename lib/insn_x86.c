// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The encoding of x86-64 instructions, branch targets, and what the kernel's uprobes do with them. What an
 * instruction changes is in insn_x86_effects.c.
 * Sources: Intel SDM volume 2 (chapter 2, appendix A); AMD APM volume 3 for XOP, 3DNow! and SSE4a.
 */
#include "insn_x86.h"

#include <errno.h>
#include <string.h>

#include "insn_x86_encoding.h"

/*
 * Shapes, one letter for an opcode, 16 opcodes a row:
 *   .  opcode alone         m  ModRM               c  ModRM whose mod is taken as 3
 *   1 2 4  immediate of so many bytes (4: 2 with a 66 prefix)     3  two bytes and one (enter)
 *   b z  ModRM and an immediate of 1 / 4 bytes     f F  the same, immediate only if ModRM.reg is 0 or 1
 *   q  mov's immediate (8 with REX.W)              o  address-sized offset
 *   j J  branch offset of 1 / 4 bytes
 *   P R V E  legacy prefix, REX, vector prefix, escape            x  not valid
 */
static const char shapes_one_byte[] =
	"mmmm14xxmmmm14xE" "mmmm14xxmmmm14xx" "mmmm14Pxmmmm14Px" "mmmm14Pxmmmm14Px"
	"RRRRRRRRRRRRRRRR" "................" "xxVmPPPP4z1b...." "jjjjjjjjjjjjjjjj"
	"bzxbmmmmmmmmmmmm" "..........x....." "oooo....14......" "11111111qqqqqqqq"
	"bb2.VVbz3.2..1x." "mmmmxxx.mmmmmmmm" "jjjj1111JJxj...." "P.PP..fF......mm";

static const char shapes_0f[] =
	"mmmmx.....x.xm.b" "mmmmmmmmmmmmmmmm" "ccccxxxxmmmmmmmm" "......x.ExExxxxx"
	"mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "bbbbmmm.mmxxmmmm"
	"JJJJJJJJJJJJJJJJ" "mmmmmmmmmmmmmmmm" "...mbmmm...mbmmm" "mmmmmmmmmmbmmmmm"
	"mmbmbbbm........" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm";

static int take(struct insn_encoding *enc, uint8_t *ret_byte)
{
	if (enc->at >= INSN_X86_MAX_BYTES)
		return -EBADMSG;
	if (enc->at >= enc->len)
		return -ENODATA;
	*ret_byte = enc->code[enc->at++];
	return 0;
}

static int take_signed(struct insn_encoding *enc, unsigned int size, int64_t *ret_value)
{
	uint64_t value = 0;
	uint8_t byte;
	int r;

	if (size == 0)
		return 0;
	for (unsigned int i = 0; i < size; i++) {
		r = take(enc, &byte);
		if (r < 0)
			return r;
		value |= (uint64_t)byte << (8 * i);
	}
	/* Sign bit down from the top of @size bytes. */
	if (size < 8 && value >> (8 * size - 1))
		value |= ~UINT64_C(0) << (8 * size);
	*ret_value = (int64_t)value;
	return 0;
}

static void note_prefix(struct insn_encoding *enc, uint8_t byte)
{
	switch (byte) {
	case 0x66:
		enc->has_operand_size = true;
		break;
	case 0x67:
		enc->has_address_size = true;
		break;
	case 0xf0:
		enc->has_lock = true;
		break;
	case 0xf2:
		enc->has_repne = true;
		break;
	case 0xf3:
		enc->has_rep = true;
		break;
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		enc->has_segment_override = true;
		break;
	case 0x64:
	case 0x65:
		enc->has_thread_segment = true;
		break;
	}
}

/* Leaves the first byte that is no prefix in @ret_opcode. */
static int read_prefixes(struct insn_encoding *enc, uint8_t *ret_opcode)
{
	uint8_t byte;
	int r;

	for (;;) {
		r = take(enc, &byte);
		if (r < 0)
			return r;
		if (shapes_one_byte[byte] != 'P')
			break;
		if (!memchr(enc->code, byte, enc->at - 1))
			enc->distinct_prefixes++;
		note_prefix(enc, byte);
	}
	if (shapes_one_byte[byte] == 'R') {
		enc->rex = byte;
		r = take(enc, &byte);
		if (r < 0)
			return r;
		if (shapes_one_byte[byte] == 'R' || shapes_one_byte[byte] == 'P')
			return -EBADMSG;
	}
	*ret_opcode = byte;
	return 0;
}

/* The payload bytes after c4, c5, 62 or XOP's 8f, whose first byte @first was already taken. */
static int read_vector_prefix(struct insn_encoding *enc, uint8_t lead, uint8_t first)
{
	uint8_t byte;
	int r;

	if (enc->rex || enc->has_operand_size || enc->has_rep || enc->has_repne || enc->has_lock)
		return -EBADMSG;
	if (lead == 0xc5) {
		enc->vector_map = 1;
		return 0;
	}
	enc->vector_map = lead == 0x62 ? first & 7 : first & 0x1f;
	r = take(enc, &byte);
	if (r < 0)
		return r;
	if (lead == 0xc4)
		return enc->vector_map >= 1 && enc->vector_map <= 3 ? 0 : -EBADMSG;
	if (lead == 0x8f)
		return enc->vector_map >= 8 && enc->vector_map <= 10 ? 0 : -EBADMSG;
	/* EVEX: APX uses bit 3 of the first byte, bit 2 of the second, and map 4. */
	if ((first & 8) || !(byte & 4) || !strchr("\1\2\3\5\6", (int)enc->vector_map))
		return -EBADMSG;
	return take(enc, &byte);
}

static char vector_shape(const struct insn_encoding *enc, uint8_t opcode)
{
	char shape;

	switch (enc->vector_map) {
	case 1:
		shape = shapes_0f[opcode];
		if (shape == 'b' || opcode == 0x77)
			return shape;
		/* EVEX has conversions where the 0f map has holes. */
		return shape == 'm' || opcode == 0x7a || opcode == 0x7b ? 'm' : 'x';
	case 3:
	case 8:
		return 'b';
	case 10:
		return 'z';
	default:
		return 'm';
	}
}

static int read_opcode(struct insn_encoding *enc, struct insn_x86 *insn, char *ret_shape)
{
	uint8_t byte, next;
	int r;

	r = read_prefixes(enc, &byte);
	if (r < 0)
		return r;
	insn->map = INSN_MAP_ONE_BYTE;
	*ret_shape = shapes_one_byte[byte];
	if (byte == 0x8f || *ret_shape == 'V') {
		r = take(enc, &next);
		if (r < 0)
			return r;
		/* 8f /0 is pop; any other ModRM.reg makes it XOP. */
		if (byte == 0x8f && !(next & 0x38)) {
			enc->at--;
		} else {
			insn->map = INSN_MAP_VECTOR;
			r = read_vector_prefix(enc, byte, next);
			if (r == 0)
				r = take(enc, &byte);
			if (r < 0)
				return r;
			*ret_shape = vector_shape(enc, byte);
		}
	} else if (byte == 0x0f) {
		r = take(enc, &byte);
		if (r < 0)
			return r;
		insn->map = INSN_MAP_0F;
		*ret_shape = shapes_0f[byte];
		if (*ret_shape == 'E') {
			insn->map = byte == 0x38 ? INSN_MAP_0F38 : INSN_MAP_0F3A;
			*ret_shape = byte == 0x38 ? 'm' : 'b';
			r = take(enc, &byte);
			if (r < 0)
				return r;
		}
	}
	insn->opcode = byte;
	return *ret_shape == 'x' ? -EBADMSG : 0;
}

static int read_modrm(struct insn_encoding *enc, struct insn_x86 *insn, bool is_register_only)
{
	unsigned int mod, rm, size = 0;
	int r;

	r = take(enc, &insn->modrm);
	if (r < 0)
		return r;
	mod = modrm_mod(insn);
	rm = insn->modrm & 7;
	if (mod == 3 || is_register_only)
		return 0;
	if (rm == 4) {
		r = take(enc, &enc->sib);
		if (r < 0)
			return r;
		rm = enc->sib & 7;
	}
	if (mod == 1)
		size = 1;
	else if (mod == 2 || rm == 5)
		size = 4;
	return take_signed(enc, size, &enc->displacement);
}

static unsigned int immediate_size(const struct insn_encoding *enc, const struct insn_x86 *insn, char shape)
{
	bool is_wide = enc->rex & REX_W;
	unsigned int operand_size = enc->has_operand_size && !is_wide ? 2 : 4;
	bool is_test = modrm_group(insn) < 2;

	/* SSE4a extrq and insertq carry two bytes. */
	if (insn->map == INSN_MAP_0F && insn->opcode == 0x78 && (enc->has_operand_size || enc->has_repne))
		return 2;
	if (insn->map == INSN_MAP_VECTOR)
		return shape == 'b' ? 1 : shape == 'z' ? 4 : 0;
	switch (shape) {
	case '1':
	case 'b':
	case 'j':
		return 1;
	case '2':
		return 2;
	case '3':
		return 3;
	case '4':
	case 'z':
		return operand_size;
	case 'J':
		return 4;
	case 'f':
		return is_test ? 1 : 0;
	case 'F':
		return is_test ? operand_size : 0;
	case 'q':
		return is_wide ? 8 : operand_size;
	case 'o':
		return enc->has_address_size ? 4 : 8;
	default:
		return 0;
	}
}

/* Encodings that the tables let through. */
static bool is_invalid_in_group(const struct insn_encoding *enc, const struct insn_x86 *insn, char shape)
{
	unsigned int group = modrm_group(insn);
	bool is_register = modrm_mod(insn) == 3;

	if (insn->map == INSN_MAP_0F)
		return (insn->opcode == 0xb8 && !enc->has_rep) ||
		       (shape == 'J' && enc->has_operand_size && !(enc->rex & REX_W));
	if (insn->map != INSN_MAP_ONE_BYTE)
		return false;
	switch (insn->opcode) {
	case 0x8d:
		return is_register;
	case 0xc6:
	case 0xc7:
		return group != 0 && insn->modrm != 0xf8;
	case 0xe8:
	case 0xe9:
		return enc->has_operand_size && !(enc->rex & REX_W);
	case 0xfe:
		return group > 1;
	case 0xff:
		return group == 7 || (is_register && (group == 3 || group == 5));
	default:
		return false;
	}
}

static bool is_xbegin(const struct insn_x86 *insn)
{
	return insn->map == INSN_MAP_ONE_BYTE && insn->opcode == 0xc7 && insn->modrm == 0xf8;
}

static bool is_near_jump_or_call(const struct insn_x86 *insn)
{
	return insn->map == INSN_MAP_ONE_BYTE &&
	       (insn->opcode == 0xe8 || insn->opcode == 0xe9 || insn->opcode == 0xeb);
}

static bool is_jcc(const struct insn_x86 *insn)
{
	return (insn->map == INSN_MAP_ONE_BYTE && (insn->opcode & 0xf0) == 0x70) ||
	       (insn->map == INSN_MAP_0F && (insn->opcode & 0xf0) == 0x80);
}

static void set_target(const struct insn_encoding *enc, struct insn_x86 *insn, char shape)
{
	if (shape != 'j' && shape != 'J' && !is_xbegin(insn))
		return;
	insn->has_target = true;
	insn->target = insn->length + enc->immediate;
	insn->flow = INSN_FLOW_BRANCH;
	if (is_near_jump_or_call(insn))
		insn->flow = insn->opcode == 0xe8 ? INSN_FLOW_CALL : INSN_FLOW_JUMP;
	if (is_jcc(insn))
		insn->condition = insn->opcode & 0x0f;
}

/*
 * Opcodes that good_insns_64[] excludes. The kernel looks up the first opcode byte, which for a vector
 * instruction is its only one, whatever its map; for the 0f maps it is 0f, which is allowed.
 */
static bool is_refused_opcode(uint8_t opcode)
{
	switch (opcode) {
	case 0x06: case 0x07: case 0x0e: case 0x16: case 0x17: case 0x1e: case 0x1f:
	case 0x27: case 0x2f: case 0x37: case 0x3f: case 0x60 ... 0x62: /* gone in 64-bit mode */
	case 0x6c ... 0x6f: /* ins, outs */
	case 0x82: case 0x9a:
	case 0xcc ... 0xcf: /* int3, int, into, iret */
	case 0xd4 ... 0xd6:
	case 0xe4 ... 0xe7: case 0xea: case 0xec ... 0xef: /* in, out */
	case 0xf1: case 0xf4: case 0xfa: case 0xfb: /* int1, hlt, cli, sti */
		return true;
	default:
		return false;
	}
}

/*
 * The same first byte then selects the emulation or the fixup, without regard to VEX and EVEX: vmovdqa to
 * memory (7f) is taken for jg and skipped, vpsubsb (e8) for call, vcmpps (c2) for ret.
 */
static bool is_mistaken_vector_opcode(const struct insn_x86 *insn)
{
	switch (insn->opcode) {
	case 0x70 ... 0x7f: case 0xe8: case 0xe9: case 0xeb: case 0x90: /* jcc, call, jmp, nop */
	case 0x9a: case 0x9d: case 0xc2: case 0xc3: case 0xca: case 0xcb: case 0xea: case 0xff: /* fixups */
		return true;
	default:
		return false;
	}
}

static enum insn_uprobe vector_uprobe(const struct insn_encoding *enc, const struct insn_x86 *insn)
{
	/* XOP is older than the kernel's decoder for it. */
	if (enc->vector_map >= 8 || is_refused_opcode(insn->opcode) || is_mistaken_vector_opcode(insn))
		return INSN_UPROBE_REFUSED;
	/* Taken for mov to ss. */
	if (insn->opcode == 0x8e && modrm_group(insn) == 2)
		return INSN_UPROBE_REFUSED;
	return INSN_UPROBE_STEPPED;
}

/*
 * What insn_is_nop() finds besides 90 (arch/x86/lib/insn-eval.c; "x86/insn,uprobes,alternative: Unify
 * insn_is_nop()"): 0f 1f /0, a 64-bit mov of a register to itself, and lea 0(reg),reg.
 */
static bool is_long_nop(const struct insn_encoding *enc, const struct insn_x86 *insn)
{
	bool is_wide = enc->rex & REX_W;
	unsigned int base = modrm_rm(enc, insn);

	if (insn->map == INSN_MAP_0F)
		return insn->opcode == 0x1f && modrm_reg(enc, insn) == 0;
	if (insn->map != INSN_MAP_ONE_BYTE || !is_wide)
		return false;
	if (insn->opcode == 0x89)
		return modrm_mod(insn) == 3 && base == modrm_reg(enc, insn);
	if (insn->opcode != 0x8d || modrm_mod(insn) == 0 || enc->displacement != 0 || enc->distinct_prefixes)
		return false;
	if ((insn->modrm & 7) == 4) {
		if (enc->sib >> 3 != 4 || enc->rex & REX_X)
			return false;
		base = (enc->sib & 7) | (enc->rex & REX_B ? 8 : 0);
	}
	return base == modrm_reg(enc, insn);
}

/* What isn't the same any more when it runs as a copy elsewhere, under the trap flag. */
static bool breaks_when_stepped(const struct insn_encoding *enc, const struct insn_x86 *insn)
{
	if (insn->map == INSN_MAP_0F) /* syscall, sysenter: the trap comes one instruction late */
		return insn->opcode == 0x05 || insn->opcode == 0x34;
	if (insn->map != INSN_MAP_ONE_BYTE)
		return false;
	switch (insn->opcode) {
	case 0x8e: /* mov to ss hides the trap */
		return modrm_group(insn) == 2;
	case 0x9c: /* pushf pushes the trap flag */
		return true;
	case 0xa4 ... 0xa7: case 0xaa ... 0xaf: /* repeated, it is hit again for each round */
		return enc->has_rep || enc->has_repne;
	case 0xff: /* a far call's return address is fixed up as if it were a near one's */
		return modrm_group(insn) == 3;
	default: /* an aborted xbegin resumes next to the copy */
		return is_xbegin(insn);
	}
}

static enum insn_uprobe uprobe_of(const struct insn_encoding *enc, const struct insn_x86 *insn)
{
	bool is_one_byte = insn->map == INSN_MAP_ONE_BYTE;

	/* is_prefix_bad(); and the kernel's decoder keeps four prefixes at most. */
	if (enc->has_segment_override || enc->has_lock || enc->distinct_prefixes > 4)
		return INSN_UPROBE_REFUSED;
	if (insn->map == INSN_MAP_VECTOR)
		return vector_uprobe(enc, insn);
	if (is_one_byte && is_refused_opcode(insn->opcode))
		return INSN_UPROBE_REFUSED;
	if (breaks_when_stepped(enc, insn))
		return INSN_UPROBE_REFUSED;
	/* xchg r8,rax was taken for a nop; pause is emulated by some kernels only. */
	if (is_one_byte && insn->opcode == 0x90)
		return enc->rex & REX_B ? INSN_UPROBE_REFUSED :
		       enc->has_rep	? INSN_UPROBE_STEPPED :
					  INSN_UPROBE_EMULATED;
	if (is_jcc(insn) || is_near_jump_or_call(insn))
		return enc->has_operand_size ? INSN_UPROBE_REFUSED : INSN_UPROBE_EMULATED;
	/* push_setup_xol_ops(): alone, or after a REX of 41. */
	if (is_one_byte && (insn->opcode & 0xf8) == 0x50)
		return insn->length == 1 || (insn->length == 2 && enc->rex == 0x41) ? INSN_UPROBE_EMULATED :
										      INSN_UPROBE_STEPPED;
	return is_long_nop(enc, insn) ? INSN_UPROBE_NOP : INSN_UPROBE_STEPPED;
}

int insn_x86_decode(const uint8_t *code, size_t len, struct insn_x86 *ret_insn)
{
	struct insn_encoding enc = { .code = code, .len = len };
	struct insn_x86 insn = {
		.condition = 0xff,
		.sp_is_known = true,
		.copy_to = INSN_NO_REGISTER,
		.copy_from = INSN_NO_REGISTER,
		.tests_zero = INSN_NO_REGISTER,
	};
	char shape;
	int r;

	r = read_opcode(&enc, &insn, &shape);
	if (r < 0)
		return r;
	if (strchr("mcbzfF", shape)) {
		r = read_modrm(&enc, &insn, shape == 'c');
		if (r < 0)
			return r;
	}
	if (is_invalid_in_group(&enc, &insn, shape))
		return -EBADMSG;
	r = take_signed(&enc, immediate_size(&enc, &insn, shape), &enc.immediate);
	if (r < 0)
		return r;
	insn.length = (uint8_t)enc.at;
	insn_x86_set_effects(&enc, &insn);
	insn_x86_set_operands(&enc, &insn, shape);
	set_target(&enc, &insn, shape);
	insn.uprobe = uprobe_of(&enc, &insn);
	*ret_insn = insn;
	return 0;
}
