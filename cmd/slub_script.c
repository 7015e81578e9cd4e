// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Scripts of slub-walk: words of a statement, and what they mean. Nothing is carried out here. */
#include "slub_script.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_WORDS 14
#define WORD_BYTES 32

struct words {
	char text[MOST_WORDS][WORD_BYTES];
	size_t count;
	unsigned line;
};

static bool ends_statement(char character)
{
	return !character || character == ';' || character == '\n';
}

/* Words are parted by blanks; a colon ends one and belongs to it, a comma is one. What follows // is for people. */
static int split(const char **at, struct words *words, struct error *err)
{
	const char *text = *at;

	words->count = 0;
	while (!ends_statement(*text)) {
		size_t length = 0;

		if (isspace((unsigned char)*text)) {
			text++;
			continue;
		}
		if (text[0] == '/' && text[1] == '/') {
			text += strcspn(text, "\n");
			break;
		}
		while (!ends_statement(text[length]) && !isspace((unsigned char)text[length]) &&
		       (!length || (text[length - 1] != ':' && text[length - 1] != ',' && text[length] != ',')))
			length++;
		if (words->count == MOST_WORDS || length >= WORD_BYTES)
			return error_set(err, -EINVAL, "line %u: a statement of more than %d words, or a longer one than %d",
					 words->line, MOST_WORDS, WORD_BYTES - 1);
		memcpy(words->text[words->count], text, length);
		words->text[words->count++][length] = 0;
		text += length;
	}
	*at = text;
	return 0;
}

static bool read_number(const char *text, uint32_t most, uint32_t *ret_number)
{
	unsigned long value;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (*end || errno || value > most)
		return false;
	*ret_number = (uint32_t)value;
	return true;
}

/* "#3", "#3-#9" or "#3-9". */
static bool read_objects(const char *text, uint32_t *ret_first, uint32_t *ret_last)
{
	char first[WORD_BYTES];
	const char *dash = strchr(text, '-');
	size_t length = dash ? (size_t)(dash - text) : strlen(text);

	if (*text != '#')
		return false;
	memcpy(first, text + 1, length - 1);
	first[length - 1] = 0;
	if (!read_number(first, SLUB_SCRIPT_MOST_OBJECTS, ret_first) || !*ret_first)
		return false;
	*ret_last = *ret_first;
	return !dash || (read_number(dash + (dash[1] == '#' ? 2 : 1), SLUB_SCRIPT_MOST_OBJECTS, ret_last) &&
			 *ret_last >= *ret_first);
}

static bool read_address(const char *text, uint64_t *ret_address)
{
	char *end;

	if (strncmp(text, "0x", 2) || !isxdigit((unsigned char)text[2]))
		return false;
	errno = 0;
	*ret_address = strtoull(text, &end, 16);
	return !*end && !errno && *ret_address;
}

static bool has_cache(const struct words *words, size_t at, struct slub_statement *out)
{
	if (at >= words->count)
		return false;
	memcpy(out->cache, words->text[at], sizeof(out->cache));
	return true;
}

static bool read_alloc(const struct words *words, size_t at, struct slub_statement *out)
{
	out->count = 1;
	if (!has_cache(words, at, out))
		return false;
	return at + 1 == words->count ||
	       (at + 2 == words->count && words->text[at + 1][0] == 'x' &&
		read_number(words->text[at + 1] + 1, SLUB_SCRIPT_MOST_OBJECTS, &out->count) && out->count);
}

static bool read_cache(const struct words *words, size_t at, struct slub_statement *out)
{
	if (at + 1 >= words->count || !has_cache(words, at, out) ||
	    !read_number(words->text[at + 1], UINT32_MAX, &out->size))
		return false;
	return at + 2 == words->count || (at + 4 == words->count && !strcmp(words->text[at + 2], "align") &&
					  read_number(words->text[at + 3], UINT32_MAX, &out->align));
}

static bool read_set(const struct words *words, size_t at, struct slub_statement *out)
{
	if (at + 3 != words->count || !has_cache(words, at, out))
		return false;
	out->is_cpu_partial = !strcmp(words->text[at + 1], "cpu_partial");
	return (out->is_cpu_partial || !strcmp(words->text[at + 1], "min_partial")) &&
	       read_number(words->text[at + 2], UINT16_MAX, &out->value);
}

static bool read_go(const struct words *words, size_t at, struct slub_statement *out)
{
	uint32_t cpu = 0;

	if (at >= words->count || words->text[at][1] || words->text[at][0] < 'A' || words->text[at][0] > 'Z')
		return false;
	out->thread = words->text[at][0];
	if (at + 1 == words->count)
		return true;
	if (at + 4 != words->count || strcmp(words->text[at + 1], "on") || strcmp(words->text[at + 2], "cpu") ||
	    !read_number(words->text[at + 3], 1023, &cpu))
		return false;
	out->go_cpu = (int)cpu;
	return true;
}

/* What stands behind the comma is taken off the words. */
static int read_stop(struct words *words, struct slub_statement *out, struct error *err)
{
	size_t comma = 0, at;

	while (comma < words->count && strcmp(words->text[comma], ","))
		comma++;
	if (comma == words->count)
		return 0;
	at = comma + 3;
	out->stop_count = 1;
	if (at >= words->count || strcmp(words->text[comma + 1], "stop") || strcmp(words->text[comma + 2], "at") ||
	    words->count > at + 2 ||
	    (words->count == at + 2 && (!read_number(words->text[at + 1], UINT16_MAX, &out->stop_count) || !out->stop_count)))
		return error_set(err, -EINVAL, "line %u: it is , stop at POINT [N]", words->line);
	if (!strcmp(words->text[at], "any"))
		out->stop = SLUB_POINTS;
	for (int point = SLUB_POINT_FAST; point < SLUB_POINT_WAIT; point++) {
		if (!strcmp(words->text[at], slub_point_name((enum slub_point)point)))
			out->stop = (enum slub_point)point;
	}
	words->count = comma;
	return out->stop ? 0 : error_set(err, -EINVAL, "line %u: no point is called '%s'", words->line, words->text[at]);
}

static int read_order(const struct words *words, size_t at, struct slub_statement *out, struct error *err)
{
	const char *verb = words->text[at], *form;
	bool is_right;

	if (!strcmp(verb, "alloc")) {
		out->order = SLUB_ORDER_ALLOC;
		is_right = read_alloc(words, at + 1, out);
		form = "alloc CACHE [xN]";
	} else if (!strcmp(verb, "free")) {
		out->order = SLUB_ORDER_FREE;
		is_right = at + 2 == words->count && (read_objects(words->text[at + 1], &out->first, &out->last) ||
						       read_address(words->text[at + 1], &out->address));
		form = "free #N, free #N-#M or free 0xADDRESS";
	} else if (!strcmp(verb, "cache")) {
		out->order = SLUB_ORDER_CACHE;
		is_right = read_cache(words, at + 1, out);
		form = "cache NAME SIZE [align N]";
	} else if (!strcmp(verb, "shrink") || !strcmp(verb, "show")) {
		out->order = verb[2] == 'r' ? SLUB_ORDER_SHRINK : SLUB_ORDER_SHOW;
		is_right = at + 2 == words->count && has_cache(words, at + 1, out);
		form = "shrink CACHE, show CACHE";
	} else if (!strcmp(verb, "set")) {
		out->order = SLUB_ORDER_SET;
		is_right = read_set(words, at + 1, out);
		form = "set CACHE min_partial N, set CACHE cpu_partial N";
	} else if (!strcmp(verb, "go")) {
		out->order = SLUB_ORDER_GO;
		is_right = read_go(words, at + 1, out);
		form = "go THREAD [on cpu N]";
	} else {
		return error_set(err, -EINVAL, "line %u: '%s': there are alloc, free, cache, shrink, show, set, go and cpu N:",
				 words->line, verb);
	}
	if (is_right && out->stop && (out->order == SLUB_ORDER_CACHE || out->order == SLUB_ORDER_SHOW ||
				      out->order == SLUB_ORDER_SET || out->count > 1 || out->first != out->last))
		return error_set(err, -EINVAL, "line %u: one call of alloc, free or shrink can be stopped", words->line);
	return is_right ? 0 : error_set(err, -EINVAL, "line %u: it is %s", words->line, form);
}

static int read_statement(struct words *words, struct slub_statement *out, struct error *err)
{
	size_t at = 0;
	uint32_t cpu;
	char number[WORD_BYTES];

	*out = (struct slub_statement){ .cpu = -1, .go_cpu = -1 };
	if (read_stop(words, out, err))
		return -EINVAL;
	if (words->count && !strcmp(words->text[0], "cpu")) {
		size_t length = words->count > 1 ? strlen(words->text[1]) : 0;

		if (!length || words->text[1][length - 1] != ':')
			return error_set(err, -EINVAL, "line %u: it is cpu N:", words->line);
		memcpy(number, words->text[1], length);
		number[length - 1] = 0;
		if (!read_number(number, 1023, &cpu))
			return error_set(err, -EINVAL, "line %u: '%s' is no CPU's number", words->line, number);
		out->cpu = (int)cpu;
		at = 2;
	}
	return at < words->count ? read_order(words, at, out, err) : 0;
}

int slub_script_next(const char **at, unsigned *line, struct slub_statement *ret_statement, struct error *err)
{
	struct words words = { .line = *line };
	struct slub_statement statement;
	int status;

	if (!**at)
		return 0;
	status = split(at, &words, err);
	if (!status)
		status = read_statement(&words, &statement, err);
	if (status)
		return status;
	if (**at)
		*line += *(*at)++ == '\n';
	*ret_statement = statement;
	return 1;
}
