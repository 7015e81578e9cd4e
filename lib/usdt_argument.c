// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Operands of x86 in AT&T syntax, out of text that anybody may have written. Each step keeps to [at, end). */
#include "usdt_argument.h"

#include <string.h>

struct cursor {
	const char *at, *end;
};

static bool is_at(const struct cursor *cursor, char c)
{
	return cursor->at < cursor->end && *cursor->at == c;
}

static bool take(struct cursor *cursor, char c)
{
	if (!is_at(cursor, c))
		return false;
	cursor->at++;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_symbol_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
}

static bool is_symbol_part(char c)
{
	return is_symbol_start(c) || is_digit(c) || c == '$';
}

static int digit_of(char c)
{
	return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* Unsigned, decimal, octal or hexadecimal, as assemblers read numbers. */
static bool take_number(struct cursor *cursor, uint64_t *ret_value)
{
	int base = 10;
	uint64_t value = 0;

	if (cursor->at >= cursor->end || !is_digit(*cursor->at))
		return false;
	if (*cursor->at == '0' && cursor->end - cursor->at > 2 && (cursor->at[1] | 32) == 'x' && digit_of(cursor->at[2]) < 16) {
		base = 16;
		cursor->at += 2;
	} else if (*cursor->at == '0') {
		base = 8;
	}
	for (; cursor->at < cursor->end && digit_of(*cursor->at) < base; cursor->at++) {
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit_of(*cursor->at), &value))
			return false;
	}
	*ret_value = value;
	return true;
}

/* A sum of numbers and at most one symbol: "-20", "8+counter", "counter-4". May be empty. */
static bool take_displacement(struct cursor *cursor, struct usdt_argument *argument)
{
	bool is_first = true;

	while (cursor->at < cursor->end && *cursor->at != '(') {
		bool is_negative = take(cursor, '-');
		uint64_t number;

		if (!is_negative && !take(cursor, '+') && !is_first)
			return false;
		is_first = false;
		if (take_number(cursor, &number)) {
			argument->constant = (int64_t)((uint64_t)argument->constant + (is_negative ? -number : number));
			continue;
		}
		if (is_negative || argument->symbol || cursor->at >= cursor->end || !is_symbol_start(*cursor->at))
			return false;
		argument->symbol = cursor->at;
		while (cursor->at < cursor->end && is_symbol_part(*cursor->at))
			cursor->at++;
		argument->symbol_length = (size_t)(cursor->at - argument->symbol);
	}
	return true;
}

struct register_name {
	char name[5];
	uint8_t number, size, shift;
};

static const struct register_name registers[] = {
	{ "rax", 0, 8, 0 },  { "eax", 0, 4, 0 },  { "ax", 0, 2, 0 },   { "al", 0, 1, 0 },   { "ah", 0, 1, 8 },
	{ "rcx", 1, 8, 0 },  { "ecx", 1, 4, 0 },  { "cx", 1, 2, 0 },   { "cl", 1, 1, 0 },   { "ch", 1, 1, 8 },
	{ "rdx", 2, 8, 0 },  { "edx", 2, 4, 0 },  { "dx", 2, 2, 0 },   { "dl", 2, 1, 0 },   { "dh", 2, 1, 8 },
	{ "rbx", 3, 8, 0 },  { "ebx", 3, 4, 0 },  { "bx", 3, 2, 0 },   { "bl", 3, 1, 0 },   { "bh", 3, 1, 8 },
	{ "rsp", 4, 8, 0 },  { "esp", 4, 4, 0 },  { "sp", 4, 2, 0 },   { "spl", 4, 1, 0 },
	{ "rbp", 5, 8, 0 },  { "ebp", 5, 4, 0 },  { "bp", 5, 2, 0 },   { "bpl", 5, 1, 0 },
	{ "rsi", 6, 8, 0 },  { "esi", 6, 4, 0 },  { "si", 6, 2, 0 },   { "sil", 6, 1, 0 },
	{ "rdi", 7, 8, 0 },  { "edi", 7, 4, 0 },  { "di", 7, 2, 0 },   { "dil", 7, 1, 0 },
	{ "rip", USDT_RIP, 8, 0 },
};

/* r8 … r15, with d, w or b behind. */
static bool find_numbered(const char *name, size_t length, struct register_name *ret_register)
{
	unsigned int number = 0;
	size_t at = 1;

	if (length < 2 || name[0] != 'r' || !is_digit(name[1]))
		return false;
	while (at < length && at < 3 && is_digit(name[at]))
		number = number * 10 + (unsigned int)(name[at++] - '0');
	if (number < 8 || number > 15 || length - at > 1)
		return false;
	*ret_register = (struct register_name){ .number = (uint8_t)number, .size = 8 };
	if (at < length)
		ret_register->size = name[at] == 'd' ? 4 : name[at] == 'w' ? 2 : name[at] == 'b' ? 1 : 0;
	return ret_register->size;
}

static bool take_register(struct cursor *cursor, struct register_name *ret_register)
{
	const char *name;
	size_t length;

	if (!take(cursor, '%'))
		return false;
	name = cursor->at;
	while (cursor->at < cursor->end && is_symbol_part(*cursor->at))
		cursor->at++;
	length = (size_t)(cursor->at - name);
	for (size_t i = 0; i < sizeof(registers) / sizeof(*registers); i++) {
		if (strlen(registers[i].name) != length || memcmp(registers[i].name, name, length) != 0)
			continue;
		*ret_register = registers[i];
		return true;
	}
	return find_numbered(name, length, ret_register);
}

/* An address is made of whole registers. */
static bool take_address_register(struct cursor *cursor, uint8_t *ret_number)
{
	struct register_name found;

	if (!take_register(cursor, &found) || found.size < 4)
		return false;
	*ret_number = found.number;
	return true;
}

/* "(base,index,scale)", each part may be missing; with no parentheses at all the displacement is the address. */
static bool take_base(struct cursor *cursor, struct usdt_argument *argument)
{
	uint64_t scale;

	if (cursor->at == cursor->end)
		return true;
	if (!take(cursor, '('))
		return false;
	if (is_at(cursor, '%') && !take_address_register(cursor, &argument->base))
		return false;
	if (take(cursor, ',')) {
		if (is_at(cursor, '%') && !take_address_register(cursor, &argument->index))
			return false;
		if (take(cursor, ',') && !is_at(cursor, ')')) {
			if (!take_number(cursor, &scale) || (scale != 1 && scale != 2 && scale != 4 && scale != 8))
				return false;
			argument->scale = (uint8_t)scale;
		}
	}
	return take(cursor, ')') && cursor->at == cursor->end && argument->index != 4 && argument->index != USDT_RIP;
}

static bool take_memory(struct cursor *cursor, struct usdt_argument *argument)
{
	argument->place = USDT_MEMORY;
	if (!take_displacement(cursor, argument) || !take_base(cursor, argument))
		return false;
	if (argument->symbol) {
		/* With another base or an index it would be a table of code that isn't position-independent: not seen. */
		argument->place = USDT_SYMBOL;
		return argument->index == USDT_NO_REGISTER &&
		       (argument->base == USDT_RIP || argument->base == USDT_NO_REGISTER);
	}
	return argument->base != USDT_RIP; /* from which instruction? */
}

static bool take_operand(struct cursor *cursor, struct usdt_argument *argument)
{
	struct register_name found;

	if (take(cursor, '$')) {
		argument->place = USDT_CONSTANT;
		return cursor->at < cursor->end && take_displacement(cursor, argument) && !argument->symbol &&
		       cursor->at == cursor->end;
	}
	if (is_at(cursor, '%')) {
		argument->place = USDT_REGISTER;
		if (!take_register(cursor, &found) || cursor->at != cursor->end)
			return false;
		argument->base = found.number;
		argument->shift = found.shift;
		return true;
	}
	return take_memory(cursor, argument);
}

/* "-4@", "8@", "8f@", "-8f@"; nothing of the kind: the size of a word. */
static bool take_size(struct cursor *cursor, unsigned int word_size, struct usdt_argument *argument)
{
	const char *sign = memchr(cursor->at, '@', (size_t)(cursor->end - cursor->at));
	uint64_t size;

	argument->size = (uint8_t)word_size;
	if (!sign)
		return true;
	argument->is_signed = take(cursor, '-');
	if (!take_number(cursor, &size) || (size != 1 && size != 2 && size != 4 && size != 8))
		return false;
	argument->size = (uint8_t)size;
	return take(cursor, '@');
}

static void parse_argument(struct cursor cursor, unsigned int word_size, struct usdt_argument *argument)
{
	static const struct usdt_argument blank = { .base = USDT_NO_REGISTER, .index = USDT_NO_REGISTER, .scale = 1 };

	*argument = blank;
	if (take_size(&cursor, word_size, argument) && cursor.at < cursor.end && take_operand(&cursor, argument))
		return;
	*argument = blank;
	argument->size = (uint8_t)word_size;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

size_t usdt_arguments_parse(const char *text, size_t length, unsigned int word_size,
			    struct usdt_argument ret_arguments[USDT_ARGUMENTS_MAX])
{
	const char *at = text, *end = text + length;
	size_t count = 0;

	while (count < USDT_ARGUMENTS_MAX) {
		struct cursor cursor;

		while (at < end && is_space(*at))
			at++;
		if (at == end)
			break;
		cursor.at = at;
		while (at < end && !is_space(*at))
			at++;
		cursor.end = at;
		parse_argument(cursor, word_size, &ret_arguments[count++]);
	}
	return count;
}
