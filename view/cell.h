/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One value in one column: as text that fits in a line, and as JSON. Knows nothing of tables or sentences.
 * Internal to view/.
 */
#ifndef DILL_VIEW_CELL_H
#define DILL_VIEW_CELL_H

#include "column.h"

struct cell {
	char digits[72];   /* storage for whatever isn't text from outside */
	const char *bytes; /* into @digits, or borrowed from the value */
	size_t length;
	size_t columns; /* taken on a terminal, once escaped */
	size_t indent;  /* spaces before it in a table, not among @columns */
	enum colour_style style;
};

enum cell_flags {
	CELL_RAW = 1,    /* no unit, no rounding */
	CELL_SIGNED = 2, /* "+" before a positive number */
};

/* Render a value of a type that isn't a block. @ret_cell borrows from @value and must not be copied. */
void cell_render(enum escape_form form, const struct view_column *column, const struct view_value *value,
		 unsigned flags, struct cell *ret_cell);

/* "name 3, other 1": the counters that aren't zero, or "none". */
void cell_write_counters(struct out *out, enum escape_form form, const struct view_value *value);

/* Write "name": value; nothing when absent. */
void cell_write_json(const struct view_column *column, const struct view_value *value,
		     struct json_writer *json);

#endif
