// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Escaping of untrusted bytes. Whether output is clean is judged by iconv and by the list below, and whether
 * it is lossless by a decoder written from the documented scheme: neither uses view/'s own tables.
 */
#include <iconv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "character.h"
#include "escape.h"

static const struct {
	uint32_t first, last;
} forbidden[] = {
	{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c }, { 0x180e, 0x180e },
	{ 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x2064 }, { 0x2066, 0x2069 },
	{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0001, 0xe007f },
};

static const enum escape_form forms[] = { ESCAPE_ASCII, ESCAPE_UTF8, ESCAPE_JSON, ESCAPE_JSON_ASCII };

static size_t escape(enum escape_form form, const char *bytes, size_t length, char *to, size_t size)
{
	struct escape_piece piece;
	size_t used = 0;

	for (size_t at = 0; at < length;) {
		size_t consumed = escape_next(form, bytes + at, length - at, &piece);

		if (!consumed || consumed > length - at || used + piece.length >= size)
			fail_msg("consumed %zu, wrote %zu", consumed, used);
		memcpy(to + used, piece.text, piece.length);
		used += piece.length;
		at += consumed;
	}
	to[used] = '\0';
	return used;
}

#define assert_escapes(form, input, expected) assert_escapes_n(form, input, sizeof(input) - 1, expected)

static void assert_escapes_n(enum escape_form form, const char *input, size_t length, const char *expected)
{
	char output[256];

	escape(form, input, length, output, sizeof(output));
	assert_string_equal(output, expected);
}

static void assert_clean(enum escape_form form, const char *output, size_t length)
{
	static iconv_t to_utf32;
	uint32_t characters[256];
	char *in = (char *)output, *out = (char *)characters;
	size_t in_left = length, out_left = sizeof(characters);

	if (!to_utf32)
		to_utf32 = iconv_open("UTF-32LE", "UTF-8");
	assert_true(to_utf32 != (iconv_t)-1);
	assert_int_equal(iconv(to_utf32, &in, &in_left, &out, &out_left), 0);
	assert_int_equal(in_left, 0);
	for (size_t i = 0; i < (sizeof(characters) - out_left) / 4; i++) {
		if (characters[i] > 0x7e && (form == ESCAPE_ASCII || form == ESCAPE_JSON_ASCII))
			fail_msg("U+%04X isn't ASCII", characters[i]);
		for (size_t j = 0; j < sizeof(forbidden) / sizeof(forbidden[0]); j++)
			if (characters[i] >= forbidden[j].first && characters[i] <= forbidden[j].last)
				fail_msg("U+%04X in the output", characters[i]);
	}
}

static size_t put_utf8(uint32_t character, char *to)
{
	if (character < 0x80) {
		to[0] = character;
		return 1;
	}
	if (character < 0x800) {
		to[0] = 0xc0 | character >> 6;
		to[1] = 0x80 | (character & 0x3f);
		return 2;
	}
	if (character < 0x10000) {
		to[0] = 0xe0 | character >> 12;
		to[1] = 0x80 | (character >> 6 & 0x3f);
		to[2] = 0x80 | (character & 0x3f);
		return 3;
	}
	to[0] = 0xf0 | character >> 18;
	to[1] = 0x80 | (character >> 12 & 0x3f);
	to[2] = 0x80 | (character >> 6 & 0x3f);
	to[3] = 0x80 | (character & 0x3f);
	return 4;
}

/* Undo the text scheme: \\, \xNN, \u{NNNN}. */
static size_t decode_text(const char *text, char *to)
{
	size_t used = 0;

	while (*text) {
		if (*text != '\\') {
			to[used++] = *text++;
		} else if (text[1] == '\\') {
			to[used++] = '\\';
			text += 2;
		} else if (text[1] == 'x') {
			char digits[3] = { text[2], text[3] };

			to[used++] = strtoul(digits, NULL, 16);
			text += 4;
		} else {
			char *end;

			assert_memory_equal(text, "\\u{", 3);
			used += put_utf8(strtoul(text + 3, &end, 16), to + used);
			assert_int_equal(*end, '}');
			text = end + 1;
		}
	}
	return used;
}

static uint32_t json_unit(const char **at)
{
	char digits[5] = { (*at)[2], (*at)[3], (*at)[4], (*at)[5] };

	assert_memory_equal(*at, "\\u", 2);
	*at += 6;
	return strtoul(digits, NULL, 16);
}

/* Undo JSON's escapes (RFC 8259 section 7). */
static size_t decode_json(const char *text, char *to)
{
	size_t used = 0;

	while (*text) {
		static const char letters[] = "\"\\ntbfr";
		const char *simple;

		assert_int_not_equal(*text, '"');
		if (*text != '\\') {
			to[used++] = *text++;
		} else if (text[1] && (simple = strchr(letters, text[1]))) {
			to[used++] = "\"\\\n\t\b\f\r"[simple - letters];
			text += 2;
		} else {
			uint32_t character = json_unit(&text);

			if (character >= 0xd800 && character < 0xdc00)
				character =
					0x10000 + ((character - 0xd800) << 10) + (json_unit(&text) - 0xdc00);
			used += put_utf8(character, to + used);
		}
	}
	to[used] = '\0';
	return used;
}

static bool is_hex(char digit)
{
	return digit && strchr("0123456789abcdefABCDEF", digit);
}

/* Undo the byte scheme within a parsed JSON string: every \xNN is a byte. */
static size_t decode_bytes(const char *text, size_t length, char *to)
{
	size_t used = 0;

	for (size_t at = 0; at < length;) {
		if (at + 4 <= length && text[at] == '\\' && text[at + 1] == 'x' && is_hex(text[at + 2]) &&
		    is_hex(text[at + 3])) {
			char digits[3] = { text[at + 2], text[at + 3] };

			to[used++] = strtoul(digits, NULL, 16);
			at += 4;
		} else {
			to[used++] = text[at++];
		}
	}
	return used;
}

static void assert_clean_and_lossless(const char *bytes, size_t length)
{
	char output[512], parsed[512], decoded[512];

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		size_t size = escape(forms[i], bytes, length, output, sizeof(output));

		assert_clean(forms[i], output, size);
		assert_true(size <= length * ESCAPE_GROWTH_MAX);
		if (forms[i] == ESCAPE_ASCII || forms[i] == ESCAPE_UTF8)
			size = decode_text(output, decoded);
		else
			size = decode_bytes(parsed, decode_json(output, parsed), decoded);
		assert_int_equal(size, length);
		assert_memory_equal(decoded, bytes, length);
	}
}

static void ordinary_text_stays_as_it_is(void **state)
{
	(void)state;
	assert_escapes(ESCAPE_ASCII, "/usr/bin/python3 (deleted)", "/usr/bin/python3 (deleted)");
	assert_escapes(ESCAPE_UTF8, "gr\u00fc\u00df \u6f22\u5b57 \U0001f600",
		       "gr\u00fc\u00df \u6f22\u5b57 \U0001f600");
	assert_escapes(ESCAPE_JSON, "gr\u00fc\u00df", "gr\u00fc\u00df");
}

static void backslash_is_doubled_in_text(void **state)
{
	(void)state;
	assert_escapes(ESCAPE_UTF8, "a\\x1b", "a\\\\x1b");
}

static void process_named_clear_screen_cannot_clear_it(void **state)
{
	(void)state;
	assert_escapes(ESCAPE_UTF8, "\033[2J", "\\x1b[2J");
	assert_escapes(ESCAPE_ASCII, "\033[2J", "\\x1b[2J");
	assert_escapes(ESCAPE_JSON, "\033[2J", "\\u001b[2J");
}

static void bidi_file_name_shows_its_controls(void **state)
{
	(void)state;
	assert_escapes(ESCAPE_UTF8, "cod\u202etxt.exe", "cod\\u{202e}txt.exe");
	assert_escapes(ESCAPE_JSON, "cod\u202etxt.exe", "cod\\u202etxt.exe");
}

static void c1_is_escaped_raw_and_as_utf8(void **state)
{
	(void)state;
	assert_escapes(ESCAPE_UTF8, "\x9bK", "\\x9bK");
	assert_escapes(ESCAPE_UTF8, "\xc2\x9bK", "\\u{009b}K");
	assert_escapes(ESCAPE_JSON, "\xc2\x9bK", "\\u009bK");
}

static void newline_tab_nul_and_del_are_escaped(void **state)
{
	(void)state;
	assert_escapes(ESCAPE_UTF8, "a\nb\tc\0d\x7f", "a\\x0ab\\x09c\\x00d\\x7f");
	assert_escapes(ESCAPE_JSON, "a\nb\tc\0d\x7f\"", "a\\nb\\tc\\u0000d\\u007f\\\"");
}

static void malformed_utf8_is_escaped_byte_by_byte(void **state)
{
	(void)state;
	assert_escapes(ESCAPE_UTF8, "\xc0\xaf", "\\xc0\\xaf"); /* overlong "/" */
	assert_escapes(ESCAPE_UTF8, "\xe0\x80\xaf", "\\xe0\\x80\\xaf");
	assert_escapes(ESCAPE_UTF8, "\xed\xa0\x80", "\\xed\\xa0\\x80");          /* surrogate */
	assert_escapes(ESCAPE_UTF8, "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* U+110000 */
	assert_escapes(ESCAPE_UTF8, "\xe2\x82", "\\xe2\\x82");                   /* cut */
	assert_escapes(ESCAPE_UTF8, "\xe2\x82!", "\\xe2\\x82!");
	assert_escapes(ESCAPE_UTF8, "\xff", "\\xff");
}

static void json_marks_bytes_and_keeps_lookalikes_apart(void **state)
{
	(void)state;
	assert_escapes(ESCAPE_JSON, "\xff", "\\\\xff");
	assert_escapes(ESCAPE_JSON, "\\xff", "\\\\x5cxff");
	assert_escapes(ESCAPE_JSON, "C:\\xylophone \\", "C:\\\\xylophone \\\\");
}

static void terminal_without_utf8_gets_ascii(void **state)
{
	(void)state;
	assert_escapes(ESCAPE_ASCII, "\u00e9 \u6f22 \U0001f600", "\\u{00e9} \\u{6f22} \\u{1f600}");
	assert_escapes(ESCAPE_JSON_ASCII, "\u00e9 \U0001f600", "\\u00e9 \\ud83d\\ude00");
}

static void every_character_is_clean_and_lossless(void **state)
{
	char bytes[4];

	(void)state;
	for (uint32_t character = 0; character <= 0x10ffff; character++)
		if (character < 0xd800 || character > 0xdfff)
			assert_clean_and_lossless(bytes, put_utf8(character, bytes));
}

static void every_pair_of_bytes_is_clean_and_lossless(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 65536; i++) {
		char bytes[2] = { i >> 8, i };

		assert_clean_and_lossless(bytes, 2);
	}
}

static void random_bytes_rich_in_escapes_are_clean_and_lossless(void **state)
{
	static const char alphabet[] =
		"\\\\\\\\xxxu{}0123456789abcdefABCDEF\"\n\033\x9b\xc2\xe2\x80\xae\xf0\x9f\x98\xff";
	char bytes[24];

	(void)state;
	srandom(1);
	for (int round = 0; round < 30000; round++) {
		size_t length = random() % sizeof(bytes);

		for (size_t i = 0; i < length; i++)
			bytes[i] = random() & 1 ? alphabet[random() % (sizeof(alphabet) - 1)] : random();
		assert_clean_and_lossless(bytes, length);
	}
}

static void columns_count_what_is_shown(void **state)
{
	(void)state;
	assert_int_equal(escape_columns(ESCAPE_UTF8, "abc", 3), 3);
	assert_int_equal(escape_columns(ESCAPE_UTF8, "\033[2J", 4), 7);
	assert_int_equal(escape_columns(ESCAPE_UTF8, "\u6f22\u5b57", 6), 4);
	assert_int_equal(escape_columns(ESCAPE_UTF8, "e\u0301", 3), 1);
	assert_int_equal(escape_columns(ESCAPE_ASCII, "\u6f22", 3), 8);
}

static void character_widths_follow_unicode(void **state)
{
	static const struct {
		uint32_t character;
		unsigned columns;
	} cases[] = {
		{ 'a', 1 }, { 0xe9, 1 }, { 0x300, 0 }, { 0x36f, 0 }, { 0x370, 1 }, { 0x5b0, 0 },
		{ 0x1100, 2 }, { 0x1161, 0 }, { 0x20ac, 1 }, { 0x231a, 2 }, { 0x3042, 2 },
		{ 0x303f, 1 }, { 0x4e00, 2 }, { 0xac00, 2 }, { 0xff21, 2 }, { 0xff71, 1 },
		{ 0x1f600, 2 }, { 0x20000, 2 }, { 0x3fffd, 2 }, { 0x20d0, 0 }, { 0x2500, 1 },
		{ 0x1d167, 0 }, { 0x10330, 1 }, { 0x302a, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(character_columns(cases[i].character), cases[i].columns);
}

static void string_is_cut_between_pieces_and_its_length_told(void **state)
{
	char to[7];

	(void)state;
	assert_int_equal(escape_string(ESCAPE_UTF8, "ab\033c", to, sizeof(to)), 7);
	assert_string_equal(to, "ab\\x1b");
	assert_int_equal(escape_string(ESCAPE_UTF8, "abc\033d", to, sizeof(to)), 8);
	assert_string_equal(to, "abc");
	assert_int_equal(escape_string(ESCAPE_UTF8, "abc", NULL, 0), 3);
}

static void set_locale(const char *all, const char *ctype, const char *lang)
{
	const char *values[] = { all, ctype, lang };
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (int i = 0; i < 3; i++)
		if (values[i])
			setenv(names[i], values[i], 1);
		else
			unsetenv(names[i]);
}

static void charset_comes_from_the_first_variable_that_is_set(void **state)
{
	(void)state;
	set_locale(NULL, NULL, NULL);
	assert_int_equal(escape_form_of_terminal(), ESCAPE_ASCII);
	set_locale(NULL, NULL, "en_US.UTF-8");
	assert_int_equal(escape_form_of_terminal(), ESCAPE_UTF8);
	set_locale(NULL, "C", "en_US.UTF-8");
	assert_int_equal(escape_form_of_terminal(), ESCAPE_ASCII);
	set_locale("", "C.utf8", "C");
	assert_int_equal(escape_form_of_terminal(), ESCAPE_UTF8);
	set_locale("ca_ES.UTF-8@valencia", "C", NULL);
	assert_int_equal(escape_form_of_terminal(), ESCAPE_UTF8);
	set_locale("de_DE.ISO-8859-1", "C.UTF-8", "C.UTF-8");
	assert_int_equal(escape_form_of_terminal(), ESCAPE_ASCII);
	set_locale("x.UTF-81", NULL, NULL);
	assert_int_equal(escape_form_of_terminal(), ESCAPE_ASCII);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_text_stays_as_it_is),
		cmocka_unit_test(backslash_is_doubled_in_text),
		cmocka_unit_test(process_named_clear_screen_cannot_clear_it),
		cmocka_unit_test(bidi_file_name_shows_its_controls),
		cmocka_unit_test(c1_is_escaped_raw_and_as_utf8),
		cmocka_unit_test(newline_tab_nul_and_del_are_escaped),
		cmocka_unit_test(malformed_utf8_is_escaped_byte_by_byte),
		cmocka_unit_test(json_marks_bytes_and_keeps_lookalikes_apart),
		cmocka_unit_test(terminal_without_utf8_gets_ascii),
		cmocka_unit_test(every_character_is_clean_and_lossless),
		cmocka_unit_test(every_pair_of_bytes_is_clean_and_lossless),
		cmocka_unit_test(random_bytes_rich_in_escapes_are_clean_and_lossless),
		cmocka_unit_test(columns_count_what_is_shown),
		cmocka_unit_test(character_widths_follow_unicode),
		cmocka_unit_test(string_is_cut_between_pieces_and_its_length_told),
		cmocka_unit_test(charset_comes_from_the_first_variable_that_is_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
