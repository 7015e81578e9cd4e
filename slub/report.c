// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Lines of reports, and what comes after one.
#include "report.h"

#include <stdlib.h>
#include <string.h>

static void put_character(struct slub_line *line, char character)
{
	if (line->length < sizeof(line->text) - 1)
		line->text[line->length++] = character < ' ' || character > '~' ? '.' : character;
}

void slub_put(struct slub_line *line, const char *text)
{
	while (*text)
		put_character(line, *text++);
}

void slub_put_byte(struct slub_line *line, uint8_t byte)
{
	put_character(line, "0123456789abcdef"[byte >> 4]);
	put_character(line, "0123456789abcdef"[byte & 15]);
}

void slub_put_hex(struct slub_line *line, uint64_t value)
{
	int shift = 60;

	slub_put(line, "0x");
	while (shift && !(value >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		put_character(line, "0123456789abcdef"[value >> shift & 15]);
}

void slub_put_number(struct slub_line *line, uint64_t value)
{
	char digits[20];
	int count = 0;

	do
		digits[count++] = (char)('0' + value % 10);
	while (value /= 10);
	while (count)
		put_character(line, digits[--count]);
}

void slub_say(struct slub_line *line)
{
	line->text[line->length++] = '\n';
	if (write(STDERR_FILENO, line->text, line->length) < 0)
		abort();
	line->length = 0;
}

void slub_report_begin(const struct kmem_cache *cache, const char *what, const void *address)
{
	struct slub_line line = {};

	slub_put(&line, "slub: ");
	if (cache) {
		slub_put(&line, cache->name);
		slub_put(&line, ": ");
	}
	slub_put(&line, what);
	slub_put(&line, " at ");
	slub_put_hex(&line, (uintptr_t)address);
	slub_say(&line);
}

void slub_report_end(void)
{
	const char *on_error = secure_getenv("SLUB_ON_ERROR");

	if (!on_error || strcmp(on_error, "continue"))
		abort();
}

void slub_report(const struct kmem_cache *cache, const char *what, const void *address)
{
	slub_report_begin(cache, what, address);
	slub_report_end();
}
