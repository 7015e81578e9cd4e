// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The two escaping schemes. Writes nothing anywhere: out.c does. */
#include "escape.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "character.h"

static bool is_json(enum escape_form form)
{
	return form == ESCAPE_JSON || form == ESCAPE_JSON_ASCII;
}

static bool is_ascii_only(enum escape_form form)
{
	return form == ESCAPE_ASCII || form == ESCAPE_JSON_ASCII;
}

/* An escape sequence: as many columns as bytes. */
static void put_format(struct escape_piece *piece, const char *format, unsigned first, unsigned second)
{
	char text[sizeof(piece->text) + 1];
	int length = snprintf(text, sizeof(text), format, first, second);

	memcpy(piece->text, text, length);
	piece->length = length;
	piece->columns = length;
}

static void put_verbatim(struct escape_piece *piece, const char *bytes, size_t length, unsigned columns)
{
	memcpy(piece->text, bytes, length);
	piece->length = length;
	piece->columns = columns;
}

static void put_json_character(struct escape_piece *piece, uint32_t character)
{
	if (character < 0x10000)
		put_format(piece, "\\u%04x", character, 0);
	else
		put_format(piece, "\\u%04x\\u%04x", 0xd800 + ((character - 0x10000) >> 10),
			   0xdc00 + ((character - 0x10000) & 0x3ff));
}

static bool looks_like_escape(const char *bytes, size_t length)
{
	return length >= 4 && bytes[1] == 'x' && isxdigit((unsigned char)bytes[2]) &&
	       isxdigit((unsigned char)bytes[3]);
}

static void put_json(struct escape_piece *piece, enum escape_form form, const char *bytes, size_t length,
		     uint32_t character, size_t consumed)
{
	if (character == '"')
		put_format(piece, "\\\"", 0, 0);
	else if (character == '\\' && looks_like_escape(bytes, length))
		put_format(piece, "\\\\x5c", 0, 0);
	else if (character == '\\')
		put_format(piece, "\\\\", 0, 0);
	else if (character == '\n')
		put_format(piece, "\\n", 0, 0);
	else if (character == '\t')
		put_format(piece, "\\t", 0, 0);
	else if (character_is_hidden(character) || (character >= 0x80 && is_ascii_only(form)))
		put_json_character(piece, character);
	else
		put_verbatim(piece, bytes, consumed, character_columns(character));
}

static void put_text(struct escape_piece *piece, enum escape_form form, const char *bytes, uint32_t character,
		     size_t consumed)
{
	if (character == '\\')
		put_format(piece, "\\\\", 0, 0);
	else if (character < 0x20 || character == 0x7f)
		put_format(piece, "\\x%02x", character, 0);
	else if (character_is_hidden(character) || (character >= 0x80 && is_ascii_only(form)))
		put_format(piece, "\\u{%04x}", character, 0);
	else
		put_verbatim(piece, bytes, consumed, character_columns(character));
}

size_t escape_next(enum escape_form form, const char *bytes, size_t length, struct escape_piece *ret_piece)
{
	uint32_t character;
	size_t consumed;

	if (!length)
		return 0;
	consumed = character_decode(bytes, length, &character);
	if (!consumed) {
		put_format(ret_piece, is_json(form) ? "\\\\x%02x" : "\\x%02x", (unsigned char)bytes[0], 0);
		return 1;
	}
	if (is_json(form))
		put_json(ret_piece, form, bytes, length, character, consumed);
	else
		put_text(ret_piece, form, bytes, character, consumed);
	return consumed;
}

size_t escape_plain_run(enum escape_form form, const char *bytes, size_t length)
{
	size_t run = 0;

	while (run < length && bytes[run] >= 0x20 && bytes[run] < 0x7f && bytes[run] != '\\' &&
	       (bytes[run] != '"' || !is_json(form)))
		run++;
	return run;
}

size_t escape_columns(enum escape_form form, const char *bytes, size_t length)
{
	struct escape_piece piece;
	size_t columns = 0;

	for (size_t at = 0; at < length;) {
		size_t run = escape_plain_run(form, bytes + at, length - at);

		at += run;
		columns += run;
		if (at < length) {
			at += escape_next(form, bytes + at, length - at, &piece);
			columns += piece.columns;
		}
	}
	return columns;
}

size_t escape_string(enum escape_form form, const char *text, char *to, size_t size)
{
	size_t length = strlen(text), total = 0, kept = 0;
	struct escape_piece piece;
	bool is_cut = size == 0;

	for (size_t at = 0; at < length;) {
		at += escape_next(form, text + at, length - at, &piece);
		is_cut = is_cut || kept + piece.length >= size;
		if (!is_cut) {
			memcpy(to + kept, piece.text, piece.length);
			kept += piece.length;
		}
		total += piece.length;
	}
	if (size)
		to[kept] = '\0';
	return total;
}

enum escape_form escape_form_of_terminal(void)
{
	static const char *const variables[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const char *locale = getenv(variables[i]);
		const char *charset;

		if (!locale || !*locale)
			continue;
		charset = strchr(locale, '.');
		if (!charset)
			return ESCAPE_ASCII;
		charset++;
		/* A modifier may follow: ca_ES.UTF-8@valencia. */
		if ((!strncasecmp(charset, "UTF-8", 5) && (!charset[5] || charset[5] == '@')) ||
		    (!strncasecmp(charset, "UTF8", 4) && (!charset[4] || charset[4] == '@')))
			return ESCAPE_UTF8;
		return ESCAPE_ASCII;
	}
	return ESCAPE_ASCII;
}
