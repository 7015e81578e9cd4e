// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The streaming JSON writer. */
#include "json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

void json_writer_init(struct json_writer *json, struct out *out, enum escape_form form)
{
	*json = (struct json_writer){ .out = out, .form = form };
}

static uint64_t depth_bit(const struct json_writer *json)
{
	return UINT64_C(1) << (json->depth - 1);
}

static bool in_object(const struct json_writer *json)
{
	return json->depth && (json->is_object & depth_bit(json));
}

static void separate(struct json_writer *json)
{
	if (!json->depth)
		return;
	if (json->has_items & depth_bit(json))
		out_string(json->out, ",");
	json->has_items |= depth_bit(json);
}

static void value_begin(struct json_writer *json)
{
	if (in_object(json)) {
		if (!json->has_key)
			out_fail(json->out, -EINVAL);
		json->has_key = false;
		return;
	}
	separate(json);
}

static void nest(struct json_writer *json, bool is_object)
{
	value_begin(json);
	if (json->depth == JSON_DEPTH_MAX) {
		out_fail(json->out, -EINVAL);
		return;
	}
	json->depth++;
	json->has_items &= ~depth_bit(json);
	json->is_object &= ~depth_bit(json);
	if (is_object)
		json->is_object |= depth_bit(json);
	out_string(json->out, is_object ? "{" : "[");
}

static void unnest(struct json_writer *json, bool is_object)
{
	if (!json->depth || in_object(json) != is_object || json->has_key) {
		out_fail(json->out, -EINVAL);
		return;
	}
	json->depth--;
	out_string(json->out, is_object ? "}" : "]");
}

void json_write_object_begin(struct json_writer *json)
{
	nest(json, true);
}

void json_write_object_end(struct json_writer *json)
{
	unnest(json, true);
}

void json_write_array_begin(struct json_writer *json)
{
	nest(json, false);
}

void json_write_array_end(struct json_writer *json)
{
	unnest(json, false);
}

static void put_quoted(struct json_writer *json, const char *bytes, size_t length)
{
	out_string(json->out, "\"");
	out_escaped(json->out, json->form, bytes, length);
	out_string(json->out, "\"");
}

void json_write_key(struct json_writer *json, const char *key)
{
	if (!in_object(json) || json->has_key) {
		out_fail(json->out, -EINVAL);
		return;
	}
	separate(json);
	put_quoted(json, key, strlen(key));
	out_string(json->out, ":");
	json->has_key = true;
}

void json_write_string(struct json_writer *json, const char *text)
{
	json_write_bytes(json, text, strlen(text));
}

void json_write_bytes(struct json_writer *json, const char *bytes, size_t length)
{
	value_begin(json);
	put_quoted(json, bytes, length);
}

void json_write_u64(struct json_writer *json, uint64_t value)
{
	char digits[UNITS_TEXT_MAX];

	value_begin(json);
	out_bytes(json->out, digits, units_put_number(value, digits));
}

void json_write_i64(struct json_writer *json, int64_t value)
{
	char digits[UNITS_TEXT_MAX];

	value_begin(json);
	if (value < 0)
		out_bytes(json->out, "-", 1);
	out_bytes(json->out, digits, units_put_number(value < 0 ? -(uint64_t)value : (uint64_t)value, digits));
}

void json_write_double(struct json_writer *json, double value)
{
	char text[40];
	size_t digits;

	if (!isfinite(value)) {
		json_write_null(json);
		return;
	}
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(text, sizeof(text), "%.*g", precision, value);
		if (strtod(text, NULL) == value)
			break;
	}
	value_begin(json);
	/* Whatever the locale's decimal point is, JSON's is a point. */
	digits = strspn(text, "+-0123456789e");
	out_bytes(json->out, text, digits);
	if (text[digits]) {
		out_string(json->out, ".");
		out_string(json->out, text + digits + strcspn(text + digits, "+-0123456789e"));
	}
}

void json_write_bool(struct json_writer *json, bool value)
{
	value_begin(json);
	out_string(json->out, value ? "true" : "false");
}

void json_write_null(struct json_writer *json)
{
	value_begin(json);
	out_string(json->out, "null");
}

int json_write_line_end(struct json_writer *json)
{
	if (json->depth)
		out_fail(json->out, -EINVAL);
	out_string(json->out, "\n");
	out_hand_on(json->out);
	return json->out->error;
}
