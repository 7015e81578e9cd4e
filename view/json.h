/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A streaming JSON writer (RFC 8259): commas, quotes and escapes, nothing else. Allocates nothing. Integers
 * are written in full, also beyond 2^53. A misuse (a value without key in an object, an unbalanced end,
 * nesting deeper than JSON_DEPTH_MAX) becomes the sticky error -EINVAL of the output, so wrong JSON never
 * goes on.
 */
#ifndef DILL_VIEW_JSON_H
#define DILL_VIEW_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "escape.h"
#include "out.h"

#define JSON_DEPTH_MAX 64

struct json_writer {
	struct out *out;       /* borrowed */
	enum escape_form form; /* ESCAPE_JSON or ESCAPE_JSON_ASCII */
	unsigned depth;        /* open objects and arrays */
	uint64_t has_items;    /* bit n: the one at depth n+1 isn't empty */
	uint64_t is_object;    /* bit n: the one at depth n+1 is an object */
	bool has_key;          /* a key waits for its value */
};

void json_writer_init(struct json_writer *json, struct out *out, enum escape_form form);

void json_write_object_begin(struct json_writer *json);
void json_write_object_end(struct json_writer *json);
void json_write_array_begin(struct json_writer *json);
void json_write_array_end(struct json_writer *json);

void json_write_key(struct json_writer *json, const char *key);
void json_write_string(struct json_writer *json, const char *text);
void json_write_bytes(struct json_writer *json, const char *bytes, size_t length);
void json_write_u64(struct json_writer *json, uint64_t value);
void json_write_i64(struct json_writer *json, int64_t value);
/* Shortest text that reads back as the same double; null for what JSON can't hold (NaN, infinities). */
void json_write_double(struct json_writer *json, double value);
void json_write_bool(struct json_writer *json, bool value);
void json_write_null(struct json_writer *json);

/* End one top-level value: newline. Returns the output's first error, or 0. */
int json_write_line_end(struct json_writer *json);

#endif
