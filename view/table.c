// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Tables whose rows come one by one: widths can't depend on content. A cell that is too wide and may not be
 * cut pushes the rest of its row to the right; the padding of the cells after it takes the debt back.
 */
#include "table.h"

#include <ctype.h>
#include <string.h>

#include "cell.h"

#define TITLE_MAX 64

/* Progress along one line. */
struct line {
	size_t gap;  /* spaces owed before the next cell */
	size_t debt; /* columns by which the line is too long so far */
};

static bool is_shown(const struct view_column *column)
{
	return !column->is_json_only && !view_type_is_block(column->type);
}

static const struct view_column *last_shown(const struct view_record *record)
{
	for (size_t i = record->column_count; i > 0; i--)
		if (is_shown(&record->columns[i - 1]))
			return &record->columns[i - 1];
	return NULL;
}

static unsigned width_of_type(enum view_type type)
{
	switch (type) {
	case VIEW_TEXT:
		return 16; /* TASK_COMM_LEN */
	case VIEW_PATH:
		return 32;
	case VIEW_SYMBOL:
		return 24;
	case VIEW_HEX:
		return 18;
	case VIEW_U64:
	case VIEW_I64:
	case VIEW_BYTES:
	case VIEW_ENUM:
		return 10;
	case VIEW_DURATION_NS:
	case VIEW_COUNT:
	case VIEW_TIME:
		return 8;
	case VIEW_PERCENT:
	case VIEW_DECIMAL:
		return 6;
	default:
		return 3;
	}
}

/* The heading: @to is used when it must be made from the name. */
static const char *title_of(const struct view_column *column, char to[TITLE_MAX])
{
	size_t i;

	if (column->title)
		return column->title;
	for (i = 0; column->name[i] && i < TITLE_MAX - 1; i++)
		to[i] = toupper((unsigned char)column->name[i]);
	to[i] = '\0';
	return to;
}

static size_t measure_column(const struct view *view, const struct view_column *column)
{
	char made[TITLE_MAX];
	const char *title = title_of(column, made);
	size_t least = escape_columns(view->form, title, strlen(title));
	size_t width = column->width ? column->width : width_of_type(column->type);

	return width > least ? width : least;
}

/* Of column @index of @record. Those of the record that was asked for last are remembered. */
static size_t column_width(struct view *view, const struct view_record *record, size_t index)
{
	if (index >= VIEW_WIDTHS_KEPT)
		return measure_column(view, &record->columns[index]);
	if (view->measured != record) {
		view->measured = record;
		for (size_t i = 0; i < record->column_count && i < VIEW_WIDTHS_KEPT; i++)
			view->widths[i] = measure_column(view, &record->columns[i]);
	}
	return view->widths[index];
}

static bool is_right_aligned(const struct view_column *column)
{
	if (column->align != VIEW_ALIGN_BY_TYPE)
		return column->align == VIEW_ALIGN_RIGHT;
	switch (column->type) {
	case VIEW_U64:
	case VIEW_I64:
	case VIEW_COUNT:
	case VIEW_BYTES:
	case VIEW_DURATION_NS:
	case VIEW_PERCENT:
	case VIEW_DECIMAL:
		return true;
	default:
		return false;
	}
}

/* Bytes of @text that take at most @limit columns (from its start), whole pieces. */
static size_t bytes_within(enum escape_form form, const char *bytes, size_t length, size_t limit,
			   size_t *ret_columns)
{
	size_t at = 0, columns = 0;

	while (at < length) {
		struct escape_piece piece;
		size_t consumed = escape_next(form, bytes + at, length - at, &piece);

		if (columns + piece.columns > limit)
			break;
		columns += piece.columns;
		at += consumed;
	}
	*ret_columns = columns;
	return at;
}

/* Bytes at the start of a text of @columns that must go so that at most @limit columns stay. */
static size_t bytes_beyond(enum escape_form form, const struct cell *cell, size_t limit, size_t *ret_columns)
{
	size_t at = 0, columns = cell->columns;

	while (at < cell->length) {
		struct escape_piece piece;
		size_t consumed = escape_next(form, cell->bytes + at, cell->length - at, &piece);

		/* Combining marks go with the character that carried them. */
		if (columns <= limit && piece.columns)
			break;
		columns -= piece.columns;
		at += consumed;
	}
	*ret_columns = columns;
	return at;
}

struct cut {
	size_t start, length, columns;
	const char *before, *after; /* marks, "" where nothing was cut */
};

/* A path's end tells most, so that stays; any other text's beginning. */
static struct cut cut_to(enum escape_form form, const struct cell *cell, enum view_type type, size_t limit)
{
	const char *mark = form == ESCAPE_UTF8 ? "\u2026" : "...";
	size_t mark_columns = form == ESCAPE_UTF8 ? 1 : 3;
	struct cut cut = { .length = cell->length, .columns = cell->columns, .before = "", .after = "" };

	if (cell->columns <= limit)
		return cut;
	if (mark_columns > limit) {
		mark = "";
		mark_columns = 0;
	}
	limit -= mark_columns;
	if (type == VIEW_PATH) {
		cut.before = mark;
		cut.start = bytes_beyond(form, cell, limit, &cut.columns);
		cut.length -= cut.start;
	} else {
		cut.after = mark;
		cut.length = bytes_within(form, cell->bytes, cell->length, limit, &cut.columns);
	}
	cut.columns += mark_columns;
	return cut;
}

static void write_cut(struct view *view, const struct cell *cell, const struct cut *cut)
{
	bool is_coloured = view->is_coloured && cell->style != COLOUR_PLAIN;

	if (is_coloured)
		out_string(&view->out, colour_start(cell->style));
	out_string(&view->out, cut->before);
	out_escaped(&view->out, view->form, cell->bytes + cut->start, cut->length);
	out_string(&view->out, cut->after);
	if (is_coloured)
		out_string(&view->out, COLOUR_END);
}

static void write_cell(struct view *view, const struct view_record *record, size_t index, const struct cell *cell,
		       bool may_be_cut, struct line *line)
{
	const struct view_column *column = &record->columns[index];
	size_t width = column_width(view, record, index), room, padding;
	size_t indent = may_be_cut && cell->indent > width ? width : cell->indent;
	struct cut cut = cut_to(view->form, cell, column->type, may_be_cut ? width - indent : SIZE_MAX);

	/* Nothing to write: the spaces wait for the next cell, so that no line ends in some. */
	if (!cut.columns && !is_right_aligned(column)) {
		line->gap += (width > line->debt ? width - line->debt : 0) + 2;
		line->debt = line->debt > width ? line->debt - width : 0;
		return;
	}
	cut.columns += indent;
	room = width > line->debt ? width - line->debt : 0;
	padding = room > cut.columns ? room - cut.columns : 0;
	line->debt += cut.columns + padding - width;
	out_fill(&view->out, ' ', line->gap);
	line->gap = 2;
	if (is_right_aligned(column))
		out_fill(&view->out, ' ', padding);
	else
		line->gap += padding;
	out_fill(&view->out, ' ', indent);
	write_cut(view, cell, &cut);
}

static void write_heading(struct view *view, const struct view_record *record)
{
	struct line line = { .gap = record->indent };
	char made[TITLE_MAX];

	for (size_t i = 0; i < record->column_count; i++) {
		const struct view_column *column = &record->columns[i];
		struct cell cell = { .bytes = title_of(column, made), .style = COLOUR_HEADING };

		if (!is_shown(column))
			continue;
		cell.length = strlen(cell.bytes);
		cell.columns = escape_columns(view->form, cell.bytes, cell.length);
		write_cell(view, record, i, &cell, false, &line);
	}
	out_string(&view->out, "\n");
}

static const struct view_record *table_of(const struct view_record *record)
{
	return record->joins ? record->joins : record;
}

static bool is_heading_due(const struct view *view, const struct view_record *record)
{
	unsigned rows, columns;

	if (view->is_quiet)
		return false;
	if (view->table != table_of(record))
		return true;
	view_terminal_size(view, &rows, &columns);
	/* Rows that the terminal wraps are not counted: then a heading comes a little late. */
	return view->is_terminal && rows > 2 && view->out.lines - view->heading_line >= rows - 1;
}

void table_write_row(struct view *view, const struct view_record *record, const struct view_value *values)
{
	const struct view_record *table = table_of(record);
	const struct view_column *last = last_shown(record);
	struct line line = { .gap = record->indent };

	if (last && is_heading_due(view, record)) {
		if (table->starts_section && view->table != table && view->out.lines)
			out_string(&view->out, "\n");
		view->heading_line = view->out.lines;
		write_heading(view, table);
	}
	view->table = table;
	for (size_t i = 0; i < record->column_count; i++) {
		const struct view_column *column = &record->columns[i];
		struct cell cell;

		if (!is_shown(column))
			continue;
		cell_render(view->form, column, &values[i], 0, &cell);
		/* A screen full of coloured numbers stresses nothing. */
		if (cell.style == COLOUR_NUMBER)
			cell.style = COLOUR_PLAIN;
		write_cell(view, record, i, &cell,
			   view->is_terminal && column != last && values[i].kind == VIEW_KIND_TEXT, &line);
	}
	if (last)
		out_string(&view->out, "\n");
	view_write_blocks(view, record, values, record->indent + 4);
}
