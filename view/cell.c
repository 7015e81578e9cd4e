// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Rendering of single values by column type. */
#include "cell.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "units.h"

#define NS_PER_S UINT64_C(1000000000)

static bool broken_down(uint64_t ns, bool is_utc, struct tm *ret_tm)
{
	time_t seconds = ns / NS_PER_S;

	return is_utc ? gmtime_r(&seconds, ret_tm) : localtime_r(&seconds, ret_tm);
}

static void put_two(char *to, int number)
{
	to[0] = '0' + number / 10;
	to[1] = '0' + number % 10;
}

static void put_time_of_day(uint64_t ns, char *to, size_t size)
{
	struct tm tm;

	if (!broken_down(ns, false, &tm)) {
		snprintf(to, size, "%" PRIu64, ns);
		return;
	}
	strcpy(to, "00:00:00");
	put_two(to, tm.tm_hour);
	put_two(to + 3, tm.tm_min);
	put_two(to + 6, tm.tm_sec);
}

/* RFC 3339 in UTC, so that records of several machines compare as strings. */
static void put_rfc3339(uint64_t ns, char *to, size_t size)
{
	struct tm tm;
	size_t length;

	if (!broken_down(ns, true, &tm) || !(length = strftime(to, size, "%Y-%m-%dT%H:%M:%S", &tm)))
		snprintf(to, size, "%" PRIu64, ns);
	else
		snprintf(to + length, size - length, ".%09" PRIu64 "Z", ns % NS_PER_S);
}

/* The text that stands for an index; NULL when the column has none for it. */
static const char *enum_name(const struct view_column *column, uint64_t index)
{
	for (uint64_t i = 0; column->names && column->names[i]; i++)
		if (i == index)
			return column->names[i];
	return NULL;
}

static void put_magnitude(enum view_type type, unsigned flags, uint64_t magnitude, char to[UNITS_TEXT_MAX])
{
	if (type == VIEW_BYTES && !(flags & CELL_RAW))
		units_format_bytes(magnitude, to);
	else if (type == VIEW_DURATION_NS && !(flags & CELL_RAW))
		units_format_duration(magnitude, to);
	else if (type == VIEW_COUNT && !(flags & CELL_RAW))
		units_format_count(magnitude, to);
	else if (type == VIEW_HEX)
		units_put_hex(magnitude, to);
	else
		units_put_number(magnitude, to);
}

static void put_number(enum view_type type, unsigned flags, const struct view_value *value, struct cell *cell)
{
	bool is_negative = value->kind == VIEW_KIND_I64 && value->i64 < 0;
	uint64_t magnitude = is_negative ? -(uint64_t)value->i64 : value->u64;
	bool has_sign = is_negative || (magnitude && (flags & CELL_SIGNED));

	if (type == VIEW_TIME && !(flags & CELL_RAW)) {
		put_time_of_day(magnitude, cell->digits, sizeof(cell->digits));
		return;
	}
	cell->digits[0] = is_negative ? '-' : '+';
	put_magnitude(type, flags, magnitude, cell->digits + has_sign);
}

static size_t indent_of(const struct view_column *column, const struct view_value *value)
{
	unsigned level = value->kind == VIEW_KIND_TEXT ? value->text.level : 0;

	if (level > VIEW_LEVELS_MAX)
		level = VIEW_LEVELS_MAX;
	return (size_t)level * (column->level_indent ? column->level_indent : 2);
}

static enum colour_style style_of(const struct view_column *column, const struct view_value *value)
{
	if (column->is_bad_when_set && view_value_is_set(value))
		return COLOUR_BAD;
	if (column->style != COLOUR_PLAIN)
		return column->style;
	switch (column->type) {
	case VIEW_PATH:
		return COLOUR_PATH;
	case VIEW_SYMBOL:
		return COLOUR_SYMBOL;
	case VIEW_U64:
	case VIEW_I64:
	case VIEW_COUNT:
	case VIEW_BYTES:
	case VIEW_DURATION_NS:
	case VIEW_PERCENT:
	case VIEW_DECIMAL:
		return COLOUR_NUMBER;
	default:
		return COLOUR_PLAIN;
	}
}

static void put_double(enum view_type type, unsigned flags, double value, struct cell *cell)
{
	bool is_decimal = type == VIEW_DECIMAL;

	/* "%.1f" of the largest double has 311 characters: bound it by the exponent form. */
	if (value > -1e15 && value < 1e15)
		snprintf(cell->digits, sizeof(cell->digits), "%.*f%s", is_decimal ? 2 : 1, value,
			 is_decimal || flags & CELL_RAW ? "" : "%");
	else
		snprintf(cell->digits, sizeof(cell->digits), "%.6g%s", value, is_decimal || flags & CELL_RAW ? "" : "%");
}

void cell_render(enum escape_form form, const struct view_column *column, const struct view_value *value,
		 unsigned flags, struct cell *ret_cell)
{
	const char *name;

	ret_cell->bytes = ret_cell->digits;
	ret_cell->style = style_of(column, value);
	ret_cell->indent = indent_of(column, value);
	switch (value->kind) {
	case VIEW_KIND_TEXT:
		ret_cell->bytes = value->text.bytes;
		ret_cell->length = value->text.length;
		ret_cell->columns = escape_columns(form, value->text.bytes, value->text.length);
		return;
	case VIEW_KIND_U64:
	case VIEW_KIND_I64:
		name = column->type == VIEW_ENUM ? enum_name(column, value->u64) : NULL;
		if (name)
			ret_cell->bytes = name;
		else
			put_number(column->type, flags, value, ret_cell);
		break;
	case VIEW_KIND_DOUBLE:
		put_double(column->type, flags, value->real, ret_cell);
		break;
	case VIEW_KIND_BOOL:
		strcpy(ret_cell->digits, value->flag ? "yes" : "no");
		break;
	default:
		strcpy(ret_cell->digits, "-");
		ret_cell->style = COLOUR_PLAIN;
	}
	ret_cell->length = strlen(ret_cell->bytes);
	ret_cell->columns = escape_columns(form, ret_cell->bytes, ret_cell->length);
}

void cell_write_counters(struct out *out, enum escape_form form, const struct view_value *value)
{
	const char *separator = "";

	for (size_t i = 0; i < value->counters.count; i++) {
		const struct view_counter *counter = &value->counters.items[i];

		if (!counter->value)
			continue;
		out_string(out, separator);
		out_escaped(out, form, counter->name, strlen(counter->name));
		out_format(out, " %" PRIu64, counter->value);
		separator = ", ";
	}
	if (!*separator)
		out_string(out, "none");
}

static void write_json_counters(const struct view_value *value, struct json_writer *json)
{
	json_write_object_begin(json);
	for (size_t i = 0; i < value->counters.count; i++) {
		json_write_key(json, value->counters.items[i].name);
		json_write_u64(json, value->counters.items[i].value);
	}
	json_write_object_end(json);
}

static void write_json_u64(const struct view_column *column, uint64_t value, struct json_writer *json)
{
	const char *name = column->type == VIEW_ENUM ? enum_name(column, value) : NULL;
	char text[40];

	if (column->type == VIEW_TIME) {
		put_rfc3339(value, text, sizeof(text));
		json_write_string(json, text);
	} else if (column->type == VIEW_HEX) {
		units_put_hex(value, text);
		json_write_string(json, text);
	} else if (name) {
		json_write_string(json, name);
	} else {
		json_write_u64(json, value);
	}
}

/* A cut stack is marked beside its array, so that the array holds frames only: "frames_truncated":true. */
static void write_json_stack(const struct view_column *column, const struct view_stack *stack,
			     struct json_writer *json)
{
	char key[80];

	view_stack_write_json(stack, json);
	if (!stack->is_truncated)
		return;
	snprintf(key, sizeof(key), "%.60s_truncated", column->name);
	json_write_key(json, key);
	json_write_bool(json, true);
}

void cell_write_json(const struct view_column *column, const struct view_value *value,
		     struct json_writer *json)
{
	if (value->kind == VIEW_KIND_ABSENT || column->is_text_only)
		return;
	json_write_key(json, column->name);
	switch (value->kind) {
	case VIEW_KIND_U64:
		write_json_u64(column, value->u64, json);
		break;
	case VIEW_KIND_I64:
		json_write_i64(json, value->i64);
		break;
	case VIEW_KIND_DOUBLE:
		json_write_double(json, value->real);
		break;
	case VIEW_KIND_BOOL:
		json_write_bool(json, value->flag);
		break;
	case VIEW_KIND_TEXT:
		json_write_bytes(json, value->text.bytes, value->text.length);
		break;
	case VIEW_KIND_STACK:
		write_json_stack(column, value->stack, json);
		break;
	case VIEW_KIND_HISTOGRAM:
		view_histogram_write_json(value->histogram, json);
		break;
	case VIEW_KIND_COUNTERS:
		write_json_counters(value, json);
		break;
	case VIEW_KIND_ABSENT:
		break;
	}
}
