// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Questions about declarations and values, and the check of declarations. */
#include "column.h"

#include <errno.h>
#include <stdio.h>

#include "template.h"

#define NAME_LENGTH_MAX 48
#define WIDTH_MAX 256

bool view_type_is_block(enum view_type type)
{
	return type == VIEW_STACK || type == VIEW_HISTOGRAM || type == VIEW_COUNTERS;
}

bool view_value_fits(const struct view_column *column, const struct view_value *value)
{
	if (value->kind == VIEW_KIND_ABSENT)
		return column->is_optional;
	switch (column->type) {
	case VIEW_TEXT:
	case VIEW_PATH:
	case VIEW_SYMBOL:
		return value->kind == VIEW_KIND_TEXT;
	case VIEW_ENUM:
	case VIEW_U64:
	case VIEW_HEX:
	case VIEW_TIME:
		return value->kind == VIEW_KIND_U64;
	case VIEW_I64:
		return value->kind == VIEW_KIND_I64;
	case VIEW_COUNT:
	case VIEW_BYTES:
	case VIEW_DURATION_NS:
		return value->kind == VIEW_KIND_U64 || value->kind == VIEW_KIND_I64;
	case VIEW_PERCENT:
	case VIEW_DECIMAL:
		return value->kind == VIEW_KIND_DOUBLE;
	case VIEW_BOOL:
		return value->kind == VIEW_KIND_BOOL;
	case VIEW_ANY:
		return value->kind <= VIEW_KIND_TEXT;
	case VIEW_STACK:
		return value->kind == VIEW_KIND_STACK;
	case VIEW_HISTOGRAM:
		return value->kind == VIEW_KIND_HISTOGRAM;
	case VIEW_COUNTERS:
		return value->kind == VIEW_KIND_COUNTERS;
	}
	return false;
}

bool view_value_is_set(const struct view_value *value)
{
	switch (value->kind) {
	case VIEW_KIND_ABSENT:
		return false;
	case VIEW_KIND_U64:
	case VIEW_KIND_I64:
		return value->u64 != 0;
	case VIEW_KIND_DOUBLE:
		return value->real != 0;
	case VIEW_KIND_BOOL:
		return value->flag;
	case VIEW_KIND_TEXT:
		return value->text.length != 0;
	case VIEW_KIND_STACK:
		return value->stack->count != 0;
	case VIEW_KIND_HISTOGRAM:
		return value->histogram->slot_count != 0;
	case VIEW_KIND_COUNTERS:
		for (size_t i = 0; i < value->counters.count; i++)
			if (value->counters.items[i].value)
				return true;
		return false;
	}
	return false;
}

const struct view_column *view_record_find(const struct view_record *record, const char *name, size_t length)
{
	for (size_t i = 0; i < record->column_count; i++)
		if (strlen(record->columns[i].name) == length &&
		    !memcmp(record->columns[i].name, name, length))
			return &record->columns[i];
	return NULL;
}

static bool is_lower_snake(const char *name)
{
	size_t length = name ? strlen(name) : 0;

	return length && length <= NAME_LENGTH_MAX && name[0] >= 'a' && name[0] <= 'z' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

static const char *column_fault(const struct view_record *record, size_t index)
{
	const struct view_column *column = &record->columns[index];

	if (!is_lower_snake(column->name))
		return "a column's name isn't lower_snake";
	if (!strcmp(column->name, "type"))
		return "the name is taken by the record's own";
	if (column->type > VIEW_COUNTERS)
		return "unknown type";
	if (column->type == VIEW_ENUM && !column->names)
		return "an enum without names";
	if (column->width > WIDTH_MAX)
		return "too wide";
	if (column->is_json_only && column->is_text_only)
		return "shown nowhere";
	for (size_t i = 0; i < index; i++)
		if (!strcmp(record->columns[i].name, column->name))
			return "the name is used twice";
	return NULL;
}

int view_record_check(const struct view_record *record, char *problem, size_t size)
{
	char ignored[1];

	if (!problem) {
		problem = ignored;
		size = sizeof(ignored);
	}
	if (!is_lower_snake(record->type)) {
		snprintf(problem, size, "a record's type isn't lower_snake");
		return -EINVAL;
	}
	for (size_t i = 0; i < record->column_count; i++) {
		const char *fault = column_fault(record, i);

		if (fault) {
			snprintf(problem, size, "%s: column %zu (%s): %s", record->type, i,
				 record->columns[i].name ? record->columns[i].name : "no name", fault);
			return -EINVAL;
		}
	}
	return record->text ? template_check(record, problem, size) : 0;
}
