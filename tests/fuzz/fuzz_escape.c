// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Escaping under libFuzzer: for any bytes, in every form, the output is well-formed UTF-8 without anything
 * that acts on a terminal, decodes back to the input, and adds up (lengths, columns, the cut of
 * escape_string()). A violation aborts.
 *
 *     clang -fsanitize=fuzzer,address,undefined -Iview tests/fuzz/fuzz_escape.c view/{escape,character}.c
 *
 * With FUZZ_REPLAY: a program that replays the files named as arguments, or else inputs from a fixed seed.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"

#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(claim) ((claim) ? (void)0 : violated(#claim, __LINE__))

static void violated(const char *claim, int line)
{
	fprintf(stderr, "fuzz_escape.c:%d: not so: %s\n", line, claim);
	abort();
}

/* A strict decoder, by the ranges of Unicode table 3-7, apart from view's. */
static uint32_t next_character(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *byte = *at;
	uint8_t low = 0x80, high = 0xbf;
	uint32_t character = byte[0];
	int more = 0;

	if (byte[0] >= 0xc2 && byte[0] <= 0xdf) {
		more = 1;
		character = byte[0] & 0x1f;
	} else if (byte[0] >= 0xe0 && byte[0] <= 0xef) {
		more = 2;
		character = byte[0] & 0x0f;
		low = byte[0] == 0xe0 ? 0xa0 : 0x80;
		high = byte[0] == 0xed ? 0x9f : 0xbf;
	} else if (byte[0] >= 0xf0 && byte[0] <= 0xf4) {
		more = 3;
		character = byte[0] & 0x07;
		low = byte[0] == 0xf0 ? 0x90 : 0x80;
		high = byte[0] == 0xf4 ? 0x8f : 0xbf;
	} else {
		REQUIRE(byte[0] < 0x80);
	}
	REQUIRE(end - byte > more);
	for (int i = 1; i <= more; i++) {
		REQUIRE(byte[i] >= low && byte[i] <= high);
		character = character << 6 | (byte[i] & 0x3f);
		low = 0x80;
		high = 0xbf;
	}
	*at += more + 1;
	return character;
}

static bool acts_on_terminal(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x2069) || c == 0xfeff ||
	       (c >= 0xe0000 && c <= 0xe007f);
}

static size_t put_utf8(uint32_t c, uint8_t *to)
{
	if (c < 0x80) {
		to[0] = c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = 0xc0 | c >> 6;
		to[1] = 0x80 | (c & 0x3f);
		return 2;
	}
	if (c < 0x10000) {
		to[0] = 0xe0 | c >> 12;
		to[1] = 0x80 | (c >> 6 & 0x3f);
		to[2] = 0x80 | (c & 0x3f);
		return 3;
	}
	to[0] = 0xf0 | c >> 18;
	to[1] = 0x80 | (c >> 12 & 0x3f);
	to[2] = 0x80 | (c >> 6 & 0x3f);
	to[3] = 0x80 | (c & 0x3f);
	return 4;
}

static uint32_t hex(const char *at, size_t digits)
{
	char text[9] = "";

	memcpy(text, at, digits);
	return strtoul(text, NULL, 16);
}

static size_t decode_text(const char *at, uint8_t *to)
{
	uint8_t *start = to;

	while (*at) {
		if (*at != '\\') {
			*to++ = *at++;
		} else if (at[1] == '\\') {
			*to++ = '\\';
			at += 2;
		} else if (at[1] == 'x') {
			*to++ = hex(at + 2, 2);
			at += 4;
		} else {
			size_t digits = strcspn(at + 3, "}");

			REQUIRE(at[1] == 'u' && at[2] == '{' && digits >= 4 && digits <= 6);
			to += put_utf8(hex(at + 3, digits), to);
			at += 4 + digits;
		}
	}
	return to - start;
}

static size_t parse_json_string(const char *at, char *to)
{
	char *start = to;

	while (*at) {
		uint32_t character;

		REQUIRE(*at != '"');
		if (*at != '\\') {
			*to++ = *at++;
			continue;
		}
		at += 2;
		switch (at[-1]) {
		case '"':
		case '\\':
			*to++ = at[-1];
			break;
		case 'n':
			*to++ = '\n';
			break;
		case 't':
			*to++ = '\t';
			break;
		default:
			REQUIRE(at[-1] == 'u' && strnlen(at, 4) == 4);
			character = hex(at, 4);
			at += 4;
			if (character >= 0xd800 && character < 0xdc00) {
				REQUIRE(at[0] == '\\' && at[1] == 'u');
				character =
					0x10000 + ((character - 0xd800) << 10) + (hex(at + 2, 4) - 0xdc00);
				at += 6;
			}
			to += put_utf8(character, (uint8_t *)to);
		}
	}
	return to - start;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static size_t decode_bytes(const char *text, size_t length, uint8_t *to)
{
	uint8_t *start = to;

	for (size_t at = 0; at < length;) {
		if (length - at >= 4 && text[at] == '\\' && text[at + 1] == 'x' && is_hex(text[at + 2]) &&
		    is_hex(text[at + 3])) {
			*to++ = hex(text + at + 2, 2);
			at += 4;
		} else {
			*to++ = text[at++];
		}
	}
	return to - start;
}

static void check_form(enum escape_form form, const char *input, size_t length)
{
	static char output[INPUT_MAX * ESCAPE_GROWTH_MAX + 1], parsed[sizeof(output)];
	static uint8_t decoded[sizeof(output)];
	bool is_json = form == ESCAPE_JSON || form == ESCAPE_JSON_ASCII;
	size_t used = 0, columns = 0;
	struct escape_piece piece;

	for (size_t at = 0; at < length;) {
		size_t consumed = escape_next(form, input + at, length - at, &piece);

		REQUIRE(consumed >= 1 && consumed <= 4 && consumed <= length - at);
		REQUIRE(piece.length >= 1 && piece.length <= consumed * ESCAPE_GROWTH_MAX);
		REQUIRE(piece.length <= sizeof(piece.text));
		memcpy(output + used, piece.text, piece.length);
		used += piece.length;
		columns += piece.columns;
		at += consumed;
	}
	output[used] = '\0';
	REQUIRE(columns == escape_columns(form, input, length));
	for (const uint8_t *at = (uint8_t *)output, *end = at + used; at < end;) {
		uint32_t character = next_character(&at, end);

		REQUIRE(!acts_on_terminal(character));
		REQUIRE(character < 0x80 || form == ESCAPE_UTF8 || form == ESCAPE_JSON);
	}
	used = is_json ? decode_bytes(parsed, parse_json_string(output, parsed), decoded)
		       : decode_text(output, decoded);
	REQUIRE(used == length && !memcmp(decoded, input, length));
}

static void check_string(enum escape_form form, const char *input, size_t size)
{
	char *string = strndup(input, INPUT_MAX), *to = malloc(size + 1);
	size_t length;

	REQUIRE(string && to);
	length = escape_string(form, string, to, size);
	if (size) {
		REQUIRE(strnlen(to, size) < size);
		REQUIRE(length >= strlen(to) && (length < size) == (length == strlen(to)));
	}
	free(string);
	free(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum escape_form forms[] = { ESCAPE_ASCII, ESCAPE_UTF8, ESCAPE_JSON, ESCAPE_JSON_ASCII };
	size_t length = size < INPUT_MAX ? size : INPUT_MAX;
	/*
	 * Exactly as long as the input, so that a read beyond it is caught; once more with a NUL for strings.
	 */
	char *input = malloc(length ? length : 1), *string = calloc(1, length + 1);

	REQUIRE(input && string);
	if (length) {
		memcpy(input, data, length);
		memcpy(string, data, length);
	}
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		check_form(forms[i], input, length);
		check_string(forms[i], string, length ? data[0] : 0);
	}
	free(input);
	free(string);
	return 0;
}

#ifdef FUZZ_REPLAY
static int replay_file(const char *name)
{
	uint8_t data[INPUT_MAX];
	FILE *file = fopen(name, "rb");
	size_t size;

	if (!file) {
		perror(name);
		return 1;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	return LLVMFuzzerTestOneInput(data, size);
}

int main(int argc, char **argv)
{
	static const uint8_t favourites[] =
		"\\\\xxuu{}\"\n\t\033\x9b\xc2\xc3\xe2\x80\xae\xed\xa0\xf0\x9f\xf4\x8f\xbf\xff\x19"
		"af";
	uint8_t data[48];
	int failures = 0;

	for (int i = 1; i < argc; i++)
		failures += replay_file(argv[i]);
	srandom(3);
	for (int round = 0; argc == 1 && round < 20000; round++) {
		size_t size = random() % sizeof(data);

		for (size_t i = 0; i < size; i++)
			data[i] = random() % 3 ? favourites[random() % (sizeof(favourites) - 1)] : random();
		LLVMFuzzerTestOneInput(data, size);
	}
	return failures != 0;
}
#endif
