// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Opening and closing the output, records as JSON, and single objects in text. */
#include "view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cell.h"
#include "table.h"
#include "template.h"
#include "view_private.h"

#define COLUMNS_WITHOUT_TERMINAL 80
#define BLOCK_INDENT 4

int view_open(const struct view_options *options, struct view **ret_view)
{
	struct view *view = calloc(1, sizeof(*view));
	struct stat status;
	int fd;

	if (!view)
		return -ENOMEM;
	view->out.file = options->out ? options->out : stdout;
	view->is_json = options->is_json;
	view->is_quiet = options->is_quiet;
	view->fixed_rows = options->terminal_rows;
	view->fixed_columns = options->terminal_columns;
	/* A stream in memory has no descriptor: it counts as a pipe. */
	fd = fileno(view->out.file);
	view->is_terminal = options->is_terminal || (fd >= 0 && isatty(fd));
	view->is_live = fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode);
	view->is_coloured = colour_decide(options->colour, view->is_terminal);
	view->form = escape_form_of_terminal();
	/* On an 8-bit terminal the later bytes of UTF-8 characters would be C1 controls. */
	json_writer_init(&view->json, &view->out,
			 view->is_terminal && view->form == ESCAPE_ASCII ? ESCAPE_JSON_ASCII : ESCAPE_JSON);
	*ret_view = view;
	return 0;
}

int view_close(struct view *view)
{
	int error;

	if (!view)
		return 0;
	error = out_finish(&view->out);
	free(view);
	return error;
}

void view_terminal_size(const struct view *view, unsigned *ret_rows, unsigned *ret_columns)
{
	struct winsize size = { 0 };

	if (view->is_terminal && (!view->fixed_rows || !view->fixed_columns))
		ioctl(fileno(view->out.file), TIOCGWINSZ, &size);
	if (!size.ws_col)
		size.ws_col = COLUMNS_WITHOUT_TERMINAL;
	*ret_rows = view->fixed_rows ? view->fixed_rows : size.ws_row;
	*ret_columns = view->fixed_columns ? view->fixed_columns : size.ws_col;
}

const char *view_problem(const struct view *view)
{
	return view->problem;
}

static int check(struct view *view, const struct view_record *record, const struct view_value *values)
{
	if (view->out.error)
		return view->out.error;
	if (view->checked != record && view_record_check(record, view->problem, sizeof(view->problem)) < 0) {
		out_fail(&view->out, -EINVAL);
		return -EINVAL;
	}
	view->checked = record;
	for (size_t i = 0; i < record->column_count; i++) {
		if (view_value_fits(&record->columns[i], &values[i]))
			continue;
		snprintf(view->problem, sizeof(view->problem), "%s: the value for %s %s", record->type,
			 record->columns[i].name,
			 values[i].kind == VIEW_KIND_ABSENT ? "is absent" : "is of another type");
		out_fail(&view->out, -EINVAL);
		return -EINVAL;
	}
	return 0;
}

static int finish_record(struct view *view)
{
	out_hand_on(&view->out);
	return view->is_live && !view->batches ? out_flush(&view->out) : view->out.error;
}

void view_batch_begin(struct view *view)
{
	view->batches++;
}

int view_batch_end(struct view *view)
{
	view->batches--;
	return finish_record(view);
}

static void write_json(struct view *view, const struct view_record *record, const struct view_value *values)
{
	json_write_object_begin(&view->json);
	json_write_key(&view->json, "type");
	json_write_string(&view->json, record->type);
	for (size_t i = 0; i < record->column_count; i++)
		cell_write_json(&record->columns[i], &values[i], &view->json);
	json_write_object_end(&view->json);
	json_write_line_end(&view->json);
}

static void write_styled(struct view *view, enum colour_style style, const char *text, size_t length)
{
	bool is_coloured = view->is_coloured && style != COLOUR_PLAIN;

	if (is_coloured)
		out_string(&view->out, colour_start(style));
	out_escaped(&view->out, view->form, text, length);
	if (is_coloured)
		out_string(&view->out, COLOUR_END);
}

/* "stack_depth" → "stack depth"; a title stays as it is. Returns the columns taken. */
static size_t write_label(struct view *view, const struct view_column *column)
{
	char made[64];
	const char *label = column->title;

	if (!label) {
		snprintf(made, sizeof(made), "%s", column->name);
		for (char *at = made; *at; at++)
			if (*at == '_')
				*at = ' ';
		label = made;
	}
	write_styled(view, COLOUR_HEADING, label, strlen(label));
	return escape_columns(view->form, label, strlen(label));
}

static void write_block(struct view *view, const struct view_column *column, const struct view_value *value,
			unsigned indent)
{
	unsigned rows, columns;

	if (value->kind == VIEW_KIND_COUNTERS) {
		out_fill(&view->out, ' ', indent);
		write_label(view, column);
		out_string(&view->out, ": ");
		cell_write_counters(&view->out, view->form, value);
		out_string(&view->out, "\n");
		return;
	}
	if (column->title) {
		out_fill(&view->out, ' ', indent);
		write_label(view, column);
		out_string(&view->out, ":\n");
	}
	if (value->kind == VIEW_KIND_STACK) {
		view_stack_write_text(value->stack, &view->out, view->form, view->is_coloured, indent);
	} else {
		view_terminal_size(view, &rows, &columns);
		view_histogram_write_text(value->histogram, &view->out, indent, columns);
	}
}

void view_write_blocks(struct view *view, const struct view_record *record, const struct view_value *values,
		       unsigned indent)
{
	for (size_t i = 0; i < record->column_count; i++) {
		const struct view_column *column = &record->columns[i];

		if (!view_type_is_block(column->type) || column->is_json_only ||
		    values[i].kind == VIEW_KIND_ABSENT || template_shows(record, column))
			continue;
		if (values[i].kind != VIEW_KIND_COUNTERS || view_value_is_set(&values[i]))
			write_block(view, column, &values[i], indent);
	}
}

static bool is_listed(const struct view_column *column, const struct view_value *value)
{
	return !column->is_json_only && !view_type_is_block(column->type) && value->kind != VIEW_KIND_ABSENT;
}

static size_t label_columns(const struct view *view, const struct view_column *column)
{
	const char *label = column->title ? column->title : column->name;

	return escape_columns(view->form, label, strlen(label));
}

static void write_list(struct view *view, const struct view_record *record, const struct view_value *values)
{
	size_t widest = 0;

	for (size_t i = 0; i < record->column_count; i++)
		if (is_listed(&record->columns[i], &values[i]) &&
		    label_columns(view, &record->columns[i]) > widest)
			widest = label_columns(view, &record->columns[i]);
	for (size_t i = 0; i < record->column_count; i++) {
		struct cell cell;

		if (!is_listed(&record->columns[i], &values[i]))
			continue;
		out_fill(&view->out, ' ', record->indent);
		out_fill(&view->out, ' ', widest - write_label(view, &record->columns[i]) + 2);
		cell_render(view->form, &record->columns[i], &values[i], 0, &cell);
		write_styled(view, cell.style, cell.bytes, cell.length);
		out_string(&view->out, "\n");
	}
}

int view_row(struct view *view, const struct view_record *record, const struct view_value *values)
{
	int error = check(view, record, values);

	if (error)
		return error;
	if (view->is_json && record->is_text_only)
		return 0;
	if (view->is_json)
		write_json(view, record, values);
	else
		table_write_row(view, record, values);
	return finish_record(view);
}

int view_object(struct view *view, const struct view_record *record, const struct view_value *values)
{
	int error = check(view, record, values);

	if (error)
		return error;
	if (view->is_json && record->is_text_only)
		return 0;
	if (view->is_json) {
		write_json(view, record, values);
		return finish_record(view);
	}
	if (record->is_remark && view->is_quiet)
		return 0;
	view->table = NULL;
	if (record->starts_section && view->out.lines)
		out_string(&view->out, "\n");
	if (record->text) {
		out_fill(&view->out, ' ', record->indent);
		template_write(record, values, &view->out, view->form, view->is_coloured);
		out_string(&view->out, "\n");
	} else {
		write_list(view, record, values);
	}
	view_write_blocks(view, record, values, record->indent + BLOCK_INDENT);
	return finish_record(view);
}

int view_literal(struct view *view, const char *text)
{
	view->table = NULL;
	out_string(&view->out, text);
	return finish_record(view);
}
