/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The way to stdout. A command declares records (column.h) and hands over values; this decides between
 * tables, sentences and JSON, colours, cuts, escapes, flushes and remembers errors. Notices and progress
 * don't belong here: they go to stderr, by whoever has them.
 *
 * The caller that ignores SIGPIPE gets -EPIPE when the reader is gone; the others die by the signal.
 */
#ifndef DILL_VIEW_H
#define DILL_VIEW_H

#include <stdbool.h>
#include <stdio.h>

#include "colour.h"
#include "column.h"

struct view;

struct view_options {
	FILE *out; /* NULL: stdout. Borrowed */
	bool is_json;
	bool is_quiet; /* text: neither table headings nor remarks */
	enum colour_when colour;
	bool is_terminal; /* what @out gets is shown on a terminal, though @out is none itself */
	unsigned terminal_rows;    /* 0: ask the terminal */
	unsigned terminal_columns; /* 0: ask the terminal; 80 where there is none */
};

/*
 * Everything that can be known is decided here: terminal, charset (escape_form_of_terminal()), colour. Lines
 * are flushed as they are completed unless @out is a regular file, so that `dill … | grep` shows them live.
 * Returns -ENOMEM or 0.
 */
int view_open(const struct view_options *options, struct view **ret_view);

/*
 * One row of a table. @values has one value for each column of @record. The heading is written when the table
 * starts, and on a terminal once a screen. On a terminal, text that is wider than its column is cut, except
 * in the last column; elsewhere nothing is ever cut. Blocks (stacks …) stand indented below the row. JSON:
 * one line, {"type":…, then the columns}.
 *
 * Returns the first error of the output so far, or 0; -EINVAL for a wrong declaration or a value that doesn't
 * fit its column, of which nothing is written (view_problem() says what). Errors stick: a caller may look at
 * view_close() alone, but one that loops should stop.
 */
int view_row(struct view *view, const struct view_record *record, const struct view_value *values);

/* A single object: in text the record's sentence or list, then its blocks. JSON and return as view_row(). */
int view_object(struct view *view, const struct view_record *record, const struct view_value *values);

/*
 * Text of our own, such as help, exactly as it is: never bytes from outside. Also in JSON mode: for output
 * that is a text by nature.
 */
int view_literal(struct view *view, const char *text);

/*
 * Many records that come at once: between the two, lines are not flushed one by one. May be nested. Returns the first
 * error so far, or 0.
 */
void view_batch_begin(struct view *view);
int view_batch_end(struct view *view);

/* What was wrong with a declaration or a value, "" when nothing was. One line; holds names of ours only. */
const char *view_problem(const struct view *view);

/*
 * Flush, free, and return the first error of the whole output, or 0. What was written must not be taken for
 * complete otherwise. NULL is fine. The FILE stays open.
 */
int view_close(struct view *view);

#endif
