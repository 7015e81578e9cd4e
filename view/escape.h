/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Makes bytes from outside (process names, paths, symbols, messages that quote them) safe to show: nothing in
 * them can move the cursor, change the reading order, hide, or end a line. Both schemes are lossless.
 *
 * Text:  \xNN      a byte that isn't part of well-formed UTF-8, or C0, or DEL
 *        \u{NNNN}  a character that is hidden (character.h), or any beyond ASCII where the terminal's charset
 *                  isn't UTF-8
 *        \\        a backslash
 * JSON:  always well-formed UTF-8. Hidden characters get JSON's own escapes, so that a parser sees the
 *        original. A byte that isn't part of well-formed UTF-8 becomes the four characters \xNN, which is the
 *        text that a parser returns. A backslash is kept, unless x and two hexadecimal digits follow: then it
 *        becomes \x5c. So a consumer that replaces every \xNN by that byte has exactly the original bytes,
 *        and one that doesn't care sees all ordinary strings as they are.
 */
#ifndef DILL_VIEW_ESCAPE_H
#define DILL_VIEW_ESCAPE_H

#include <stddef.h>

enum escape_form {
	ESCAPE_ASCII,      /* text for a terminal that isn't known to take UTF-8 */
	ESCAPE_UTF8,       /* text for a UTF-8 terminal */
	ESCAPE_JSON,       /* the inside of a JSON string */
	ESCAPE_JSON_ASCII, /* the same in ASCII only */
};

/* No input byte becomes more than this many bytes of output. */
#define ESCAPE_GROWTH_MAX 6

/* One character of the input as it is to be shown: never to be split. */
struct escape_piece {
	char text[12]; /* @length bytes, no NUL */
	unsigned length;
	unsigned columns; /* taken on a terminal */
};

/* Escape what @bytes starts with. Returns the number of bytes consumed, 1 to 4; 0 only when @length is 0. */
size_t escape_next(enum escape_form form, const char *bytes, size_t length, struct escape_piece *ret_piece);

/* Length of the run at the start of @bytes that shows as it is, one column a byte. */
size_t escape_plain_run(enum escape_form form, const char *bytes, size_t length);

/* Columns that the whole of @bytes takes once escaped. */
size_t escape_columns(enum escape_form form, const char *bytes, size_t length);

/*
 * Escape the string @text into @to, whole pieces only, NUL-terminated when @size > 0. Returns the length of
 * the whole result, as snprintf() does: it was cut when that is >= @size.
 */
size_t escape_string(enum escape_form form, const char *text, char *to, size_t size);

/*
 * ESCAPE_UTF8 when the environment promises a UTF-8 terminal, else ESCAPE_ASCII. Reads the first that is set
 * of LC_ALL, LC_CTYPE, LANG (locale(7)) and needs no setlocale().
 */
enum escape_form escape_form_of_terminal(void);

#endif
