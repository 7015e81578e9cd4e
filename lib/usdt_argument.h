/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Where a USDT probe keeps its arguments: the operands that the assembler was given, as text in the probe's note, for x86
 * of 64 and 32 bits.
 *
 *     8@%rax  -4@-20(%rbp)  4@$5  8@8(%rdi,%rcx,8)  4@counter+4(%rip)  1@%ah
 *
 * The format is sys/sdt.h's of SystemTap ("SIZE@OPERAND", SIZE below 0: signed; "f" behind it: floating point). Nothing
 * here reads a process, and nothing looks up symbols.
 */
#ifndef DILL_USDT_ARGUMENT_H
#define DILL_USDT_ARGUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USDT_ARGUMENTS_MAX 12 /* STAP_PROBE12 is the last */

enum usdt_place {
	USDT_UNKNOWN,  /* there, but nothing that can be read: floating point, another segment, damage */
	USDT_CONSTANT, /* `constant` */
	USDT_REGISTER, /* `base`, shifted right by `shift` bits: 8 for %ah */
	USDT_MEMORY,   /* at base + index * scale + constant */
	USDT_SYMBOL,   /* memory at the symbol + constant; becomes USDT_MEMORY by the object's symbols */
};

/* Registers by their numbers in instructions (rax 0, rcx 1 … r15 15). */
#define USDT_RIP 16
#define USDT_NO_REGISTER 255

struct usdt_argument {
	enum usdt_place place;
	uint8_t size; /* bytes: 1, 2, 4 or 8 */
	bool is_signed;
	uint8_t base, index; /* USDT_NO_REGISTER: none */
	uint8_t scale;       /* 1, 2, 4 or 8 */
	uint8_t shift;
	int64_t constant;
	const char *symbol; /* of USDT_SYMBOL: points into the text, without end */
	size_t symbol_length;
};

/*
 * How many arguments @text (of @length bytes, no NUL needed) has; up to USDT_ARGUMENTS_MAX are stored. One that can't be
 * understood keeps its number as USDT_UNKNOWN. @word_size: 8, or 4 for 32-bit code, for arguments without stated size.
 */
size_t usdt_arguments_parse(const char *text, size_t length, unsigned int word_size,
			    struct usdt_argument ret_arguments[USDT_ARGUMENTS_MAX]);

#endif
