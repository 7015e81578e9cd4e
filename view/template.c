// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Scanner, check and rendering of templates. One scanner feeds both, so they can't disagree. */
#include "template.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cell.h"

enum token_kind {
	TOKEN_END,
	TOKEN_LITERAL,
	TOKEN_PLACEHOLDER,
	TOKEN_SECTION_BEGIN,
	TOKEN_SECTION_END,
	TOKEN_BROKEN,
};

/* Points into the template. */
struct token {
	enum token_kind kind;
	const char *text; /* literal, or name */
	size_t length;
	const char *modifier; /* after the colon; NULL when there is none */
	size_t modifier_length;
};

static struct token scan_placeholder(const char **at)
{
	struct token token = { .kind = TOKEN_PLACEHOLDER, .text = *at + 1 };
	const char *end = token.text + strcspn(token.text, "{}");
	const char *colon = memchr(token.text, ':', end - token.text);

	if (*end != '}') {
		token.kind = TOKEN_BROKEN;
		token.length = end - token.text;
		*at = end;
		return token;
	}
	token.length = (colon ? colon : end) - token.text;
	if (colon) {
		token.modifier = colon + 1;
		token.modifier_length = end - token.modifier;
	}
	*at = end + 1;
	return token;
}

/* The token that *@at starts with; moves *@at past it. At the end it stays. */
static struct token scan(const char **at)
{
	struct token token = { .kind = TOKEN_LITERAL, .text = *at };

	if (!**at) {
		token.kind = TOKEN_END;
		return token;
	}
	if (!strncmp(*at, "{{", 2) || !strncmp(*at, "}}", 2)) {
		token.length = 1;
		*at += 2;
		return token;
	}
	if (!strncmp(*at, "{?", 2) || !strncmp(*at, "?}", 2)) {
		token.kind = **at == '{' ? TOKEN_SECTION_BEGIN : TOKEN_SECTION_END;
		*at += 2;
		return token;
	}
	if (**at == '{')
		return scan_placeholder(at);
	if (**at == '}') {
		token.kind = TOKEN_BROKEN;
		token.length = 1;
		*at += 1;
		return token;
	}
	do {
		(*at)++;
	} while (**at && **at != '{' && **at != '}' && strncmp(*at, "?}", 2) != 0);
	token.length = *at - token.text;
	return token;
}

static bool modifier_is(const struct token *token, const char *text)
{
	return token->modifier && token->modifier_length == strlen(text) &&
	       !memcmp(token->modifier, text, token->modifier_length);
}

static const char *plural_bar(const struct token *token)
{
	return token->modifier ? memchr(token->modifier, '|', token->modifier_length) : NULL;
}

static unsigned modifier_flags(const struct token *token)
{
	if (modifier_is(token, "raw"))
		return CELL_RAW;
	if (modifier_is(token, "+"))
		return CELL_SIGNED;
	if (modifier_is(token, "raw+"))
		return CELL_RAW | CELL_SIGNED;
	return 0;
}

static bool modifier_suits(const struct token *token, enum view_type type)
{
	bool has_unit = type == VIEW_COUNT || type == VIEW_BYTES || type == VIEW_DURATION_NS;
	bool is_plain_number = type == VIEW_U64 || type == VIEW_I64;

	if (!token->modifier)
		return true;
	if (plural_bar(token))
		return is_plain_number || type == VIEW_COUNT;
	if (modifier_is(token, "raw"))
		return has_unit || type == VIEW_TIME || type == VIEW_PERCENT;
	if (modifier_is(token, "+"))
		return has_unit || is_plain_number;
	return modifier_is(token, "raw+") && has_unit;
}

static int check_placeholder(const struct view_record *record, const struct token *token, char *problem,
			     size_t size)
{
	const struct view_column *column = view_record_find(record, token->text, token->length);

	if (!column)
		snprintf(problem, size, "%s: no column for placeholder {%.*s}", record->type,
			 (int)token->length, token->text);
	else if (view_type_is_block(column->type) && column->type != VIEW_COUNTERS)
		snprintf(problem, size, "%s: {%s} takes lines of its own", record->type, column->name);
	else if (!modifier_suits(token, column->type))
		snprintf(problem, size, "%s: {%s} can't have the modifier '%.*s'", record->type, column->name,
			 (int)token->modifier_length, token->modifier);
	else
		return 0;
	return -EINVAL;
}

/* Newlines and escape sequences are the view's business, not a template's. */
static bool has_control(const struct token *token)
{
	for (size_t i = 0; i < token->length; i++)
		if ((unsigned char)token->text[i] < 0x20 || token->text[i] == 0x7f)
			return true;
	return false;
}

int template_check(const struct view_record *record, char *problem, size_t size)
{
	const char *at = record->text;
	size_t section_placeholders = 0;
	bool in_section = false;

	for (;;) {
		struct token token = scan(&at);
		const char *fault = NULL;
		int error = 0;

		switch (token.kind) {
		case TOKEN_END:
			fault = in_section ? "section without end" : NULL;
			break;
		case TOKEN_LITERAL:
			fault = has_control(&token) ? "control character in the text" : NULL;
			break;
		case TOKEN_BROKEN:
			fault = "unbalanced brace in the text";
			break;
		case TOKEN_SECTION_BEGIN:
			fault = in_section ? "section within a section" : NULL;
			in_section = true;
			section_placeholders = 0;
			break;
		case TOKEN_SECTION_END:
			fault = !in_section		? "section end without begin"
				: !section_placeholders ? "section without placeholder"
							: NULL;
			in_section = false;
			break;
		case TOKEN_PLACEHOLDER:
			error = check_placeholder(record, &token, problem, size);
			section_placeholders++;
			break;
		}
		if (fault)
			snprintf(problem, size, "%s: %s", record->type, fault);
		if (fault || error)
			return -EINVAL;
		if (token.kind == TOKEN_END)
			return 0;
	}
}

static bool equals_one(const struct view_value *value)
{
	return (value->kind == VIEW_KIND_U64 || value->kind == VIEW_KIND_I64) && value->u64 == 1;
}

static void write_placeholder(const struct view_record *record, const struct view_value *values,
			      const struct token *token, struct out *out, enum escape_form form,
			      bool is_coloured)
{
	const struct view_column *column = view_record_find(record, token->text, token->length);
	const struct view_value *value = column ? &values[column - record->columns] : NULL;
	const char *bar = plural_bar(token);
	struct cell cell;

	if (!column || (view_type_is_block(column->type) && value->kind != VIEW_KIND_COUNTERS))
		return;
	if (bar && equals_one(value)) {
		out_bytes(out, token->modifier, bar - token->modifier);
		return;
	}
	if (bar) {
		out_bytes(out, bar + 1, token->modifier + token->modifier_length - (bar + 1));
		return;
	}
	if (value->kind == VIEW_KIND_COUNTERS) {
		cell_write_counters(out, form, value);
		return;
	}
	cell_render(form, column, value, modifier_flags(token), &cell);
	is_coloured = is_coloured && cell.style != COLOUR_PLAIN;
	if (is_coloured)
		out_string(out, colour_start(cell.style));
	out_escaped(out, form, cell.bytes, cell.length);
	if (is_coloured)
		out_string(out, COLOUR_END);
}

/* @at stands behind "{?". True when every value named up to "?}" says something. */
static bool section_is_set(const struct view_record *record, const struct view_value *values, const char *at)
{
	for (struct token token = scan(&at); token.kind != TOKEN_SECTION_END && token.kind != TOKEN_END;
	     token = scan(&at)) {
		const struct view_column *column;

		if (token.kind != TOKEN_PLACEHOLDER)
			continue;
		column = view_record_find(record, token.text, token.length);
		if (!column || !view_value_is_set(&values[column - record->columns]))
			return false;
	}
	return true;
}

void template_write(const struct view_record *record, const struct view_value *values, struct out *out,
		    enum escape_form form, bool is_coloured)
{
	const char *at = record->text;
	bool is_skipping = false;

	for (struct token token = scan(&at); token.kind != TOKEN_END; token = scan(&at)) {
		if (token.kind == TOKEN_SECTION_BEGIN)
			is_skipping = !section_is_set(record, values, at);
		else if (token.kind == TOKEN_SECTION_END)
			is_skipping = false;
		else if (is_skipping)
			continue;
		else if (token.kind == TOKEN_LITERAL)
			out_bytes(out, token.text, token.length);
		else if (token.kind == TOKEN_PLACEHOLDER)
			write_placeholder(record, values, &token, out, form, is_coloured);
	}
}

bool template_shows(const struct view_record *record, const struct view_column *column)
{
	const char *at = record->text;

	if (!at)
		return false;
	for (struct token token = scan(&at); token.kind != TOKEN_END; token = scan(&at))
		if (token.kind == TOKEN_PLACEHOLDER &&
		    view_record_find(record, token.text, token.length) == column)
			return true;
	return false;
}
