// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What stands in a structure of the kernel's memory: the layout's lines with values. Arrays have a line for
 * each element, equal neighbours are folded, and there is a bound to both elements and lines.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>

#include "cleanup.h"
#include "kernel_value.h"
#include "kstruct.h"
#include "kstruct_values.h"
#include "type_walk.h"
#include "view.h"

#define LINES_MAX (1u << 20)
#define STRING_MAX 256

DEFINE_CLEANUP(object, struct kernel_object, kernel_object_deinit(&v));

enum {
	MORE_STRUCT,
	MORE_PATH,
	MORE_OFFSET_TEXT,
	MORE_SIZE_TEXT,
	MORE_COUNT,
	MORE_TEXT,
	MORE_COLUMNS
};
static const struct view_column more_columns[MORE_COLUMNS] = {
	[MORE_STRUCT] = { .name = "struct", .type = VIEW_TEXT, .is_json_only = true },
	[MORE_PATH] = { .name = "path", .type = VIEW_TEXT, .is_json_only = true },
	[MORE_OFFSET_TEXT] = { .name = "offset_text", .type = VIEW_TEXT, .width = 8, .is_text_only = true },
	[MORE_SIZE_TEXT] = { .name = "size_text", .type = VIEW_TEXT, .width = 7, .is_text_only = true },
	[MORE_COUNT] = { .name = "count", .type = VIEW_U64, .is_json_only = true },
	[MORE_TEXT] = { .name = "text",
			.type = VIEW_TEXT,
			.style = COLOUR_DIM,
			.is_text_only = true,
			.level_indent = 4 },
};
const struct view_record kstruct_more_record = {
	.type = "more",
	.columns = more_columns,
	.column_count = MORE_COLUMNS,
	.joins = &kstruct_member_record,
};

/* A walk over the members of one structure within the object. */
struct value_walk {
	struct inspection *inspection;
	const struct kstruct_query *query;
	struct kernel *kernel;
	const struct kernel_object *object;
	uint64_t bit_start; /* of the object in the outermost type */
	unsigned level;     /* of the structure's members */
	unsigned *lines;
};

static int walk_structure(const struct value_walk *outer, uint32_t id, const char *path, uint64_t bit_offset,
			  unsigned level);

/* ", 0x… symbol "string"" and what JSON has of it. */
static void put_pointer(struct kernel *kernel, const struct value *value, bool wants_string,
			struct value_text *to)
{
	size_t length =
		snprintf(to->text, sizeof(to->text), value->number ? "0x%" PRIx64 : "NULL", value->number);

	snprintf(to->pointer, sizeof(to->pointer), "0x%" PRIx64, value->number);
	to->value = view_text(to->pointer);
	if (!value->number)
		return;
	if (!value_symbol(kernel, value->number, to->symbol, sizeof(to->symbol))) {
		length += snprintf(to->text + length, sizeof(to->text) - length, " %s", to->symbol);
		to->has_symbol = true;
	}
	if (wants_string && value->is_char_pointer &&
	    !kernel_read_string(kernel, value->number, to->string, sizeof(to->string))) {
		snprintf(to->text + length, sizeof(to->text) - length, " \"%s\"", to->string);
		to->has_string = true;
	}
}

static void put_enum(const struct value *value, struct value_text *to)
{
	to->number = view_i64(value->number);
	if (value->name[0]) {
		to->value = view_text(value->name);
		snprintf(to->text, sizeof(to->text), "%s (%" PRId64 ")", value->name, (int64_t)value->number);
	} else {
		to->value = to->number;
		snprintf(to->text, sizeof(to->text), "%" PRId64, (int64_t)value->number);
	}
}

void kstruct_value_text(struct kernel *kernel, const struct value *value, bool wants_string,
			struct value_text *to)
{
	to->value = to->number = view_absent();
	to->has_symbol = to->has_string = false;
	to->text[0] = '\0';
	switch (value->kind) {
	case VALUE_NONE:
		break;
	case VALUE_UNREADABLE:
		snprintf(to->text, sizeof(to->text), "<unreadable>");
		break;
	case VALUE_SIGNED:
	case VALUE_UNSIGNED:
		to->value = value->kind == VALUE_SIGNED ? view_i64(value->number) : view_u64(value->number);
		value_number_text(value, to->text, sizeof(to->text));
		break;
	case VALUE_BOOL:
		to->value = view_bool(value->number);
		snprintf(to->text, sizeof(to->text), "%s", value->number ? "true" : "false");
		break;
	case VALUE_ENUM:
		put_enum(value, to);
		break;
	case VALUE_POINTER:
		put_pointer(kernel, value, wants_string, to);
		break;
	case VALUE_TEXT:
		to->value = view_text(value->text);
		snprintf(to->text, sizeof(to->text), "\"%s\"", value->text);
		break;
	case VALUE_BYTES:
		to->value = view_text(value->text);
		snprintf(to->text, sizeof(to->text), "%s", value->text);
		break;
	case VALUE_FLOAT:
		to->value = view_double(value->real);
		snprintf(to->text, sizeof(to->text), "%g", value->real);
		break;
	}
}

void kstruct_put_value(const struct value_text *text, struct view_value values[MEMBER_COLUMNS])
{
	values[MEMBER_VALUE] = text->value;
	values[MEMBER_NUMBER] = text->number;
	values[MEMBER_SYMBOL] = text->has_symbol ? view_text(text->symbol) : view_absent();
	values[MEMBER_STRING] = text->has_string ? view_text(text->string) : view_absent();
}

static int show_value(const struct value_walk *walk, const struct type_step *step, unsigned level,
		      uint64_t repeats)
{
	const struct kstruct_options *options = walk->inspection->options;
	struct view_value values[MEMBER_COLUMNS] = { 0 };
	struct value_text text;
	struct value value;

	if (++*walk->lines > LINES_MAX)
		return error_set(NULL, -EBADMSG, "too long");
	if (step->kind != STEP_MEMBER)
		return kstruct_show_step(walk->inspection, walk->query, step, level, values, NULL);
	value_decode(walk->query->types, step->type_id, step->bit_offset - walk->bit_start, step->bit_size,
		     walk->object, &value);
	if (value.kind == VALUE_UNREADABLE)
		inspect_incomplete(walk->inspection, "%s can't be read", step->path);
	kstruct_value_text(walk->kernel, &value, options->shows_strings, &text);
	kstruct_put_value(&text, values);
	if (repeats > 1)
		values[MEMBER_REPEATS] = view_u64(repeats);
	return kstruct_show_step(walk->inspection, walk->query, step, level, values,
				 text.text[0] ? text.text : NULL);
}

static int show_more(const struct value_walk *walk, const char *path, unsigned level, uint64_t count)
{
	char text[80];

	snprintf(text, sizeof(text), "/* %" PRIu64 " more: --elements */", count);

	const struct view_value values[MORE_COLUMNS] = {
		[MORE_STRUCT] = view_text(walk->query->name),
		[MORE_PATH] = view_text(path),
		[MORE_OFFSET_TEXT] = view_text(""),
		[MORE_SIZE_TEXT] = view_text(""),
		[MORE_COUNT] = view_u64(count),
		[MORE_TEXT] = view_text_at(text, level),
	};

	return view_row(walk->inspection->view, &kstruct_more_record, values);
}

/* How many elements from @index on have the same bytes. */
static uint64_t equal_run(const struct value_walk *walk, uint64_t start, size_t size, uint64_t index,
			  uint64_t count)
{
	const uint8_t *first = walk->object->bytes + start + index * size;
	uint64_t run = 1;

	while (index + run < count && kernel_object_has(walk->object, start + (index + run) * size, size) &&
	       !memcmp(first, first + run * size, size))
		run++;
	return kernel_object_has(walk->object, start + index * size, size) ? run : 1;
}

/* A line for each element of the array that @step is, and its members below. */
static int walk_elements(const struct value_walk *walk, const struct type_step *step, unsigned level)
{
	const struct kstruct_options *options = walk->inspection->options;
	struct kernel_types *types = walk->query->types;
	uint64_t start = (step->bit_offset - walk->bit_start) / 8, count, index = 0, run, shown;
	uint32_t element;
	size_t size;
	int status = 0;

	if (!type_is_array(types, step->type_id, &element, &count) ||
	    kernel_type_size(types, element, &size) || !size)
		return 0;
	if (start > walk->object->size || count > (walk->object->size - start) / size)
		return 0;
	for (shown = 0; index < count && shown < options->limit && !status; index += run, shown++) {
		char name[48], path[TYPE_PATH_MAX];
		struct type_step inner = {
			.level = step->level, .type_id = element, .name = name, .path = path
		};

		run = equal_run(walk, start, size, index, count);
		if (run > 1)
			snprintf(name, sizeof(name), "[%" PRIu64 "..%" PRIu64 "]", index, index + run - 1);
		else
			snprintf(name, sizeof(name), "[%" PRIu64 "]", index);
		snprintf(path, sizeof(path), "%.450s[%" PRIu64 "]", step->path, index);
		inner.bit_offset = step->bit_offset + index * size * 8;
		inner.size = size;
		status = show_value(walk, &inner, level, run);
		if (status)
			break;
		if (type_is_array(types, element, NULL, NULL))
			status = walk_elements(walk, &inner, level + 1);
		else
			status = walk_structure(walk, element, path, inner.bit_offset, level + 1);
	}
	return !status && index < count ? show_more(walk, step->path, level, count - index) : status;
}

static bool is_byte_array(struct kernel_types *types, uint32_t element)
{
	size_t size;

	return !type_has_members(types, element, NULL) && !kernel_type_size(types, element, &size) &&
	       size == 1;
}

static int visit_step(const struct type_step *step, void *context)
{
	const struct value_walk *walk = context;
	const struct kstruct_options *options = walk->inspection->options;
	unsigned level = walk->level + step->level;
	uint32_t element;
	int status = show_value(walk, step, level, 1);

	if (status || step->kind != STEP_MEMBER)
		return status;
	if (!type_is_array(walk->query->types, step->type_id, &element, NULL))
		return 0;
	if (!is_byte_array(walk->query->types, element) && (!options->depth || level + 1 < options->depth))
		status = walk_elements(walk, step, level + 1);
	return status ? status : TYPE_WALK_SKIP;
}

static int walk_structure(const struct value_walk *outer, uint32_t id, const char *path, uint64_t bit_offset,
			  unsigned level)
{
	const struct kstruct_options *options = outer->inspection->options;
	struct value_walk walk = *outer;

	if (options->depth && level >= options->depth)
		return 0;
	walk.level = level;
	return type_walk(walk.query->types, id, path, bit_offset, options->depth ? options->depth - level : 0,
			 visit_step, &walk);
}

int kstruct_show_values(struct inspection *inspection, const struct kstruct_query *query,
			struct kernel *kernel, uint64_t address, struct error *err)
{
	CLEANUP(object) struct kernel_object object = { 0 };
	const char *dot = strrchr(query->path, '.');
	unsigned lines = 0;
	struct value_walk walk = {
		.inspection = inspection,
		.query = query,
		.kernel = kernel,
		.object = &object,
		.bit_start = query->member.bit_offset / 8 * 8,
		.lines = &lines,
	};
	const struct type_step itself = {
		.type_id = query->member.type_id,
		.name = dot ? dot + 1 : query->path,
		.path = query->path,
		.bit_offset = query->member.bit_offset,
		.bit_size = query->member.bit_size,
		.size = query->member.size,
	};
	int status = kernel_object_read(kernel, address + query->member.bit_offset / 8, query->member.size,
					&object, err);

	if (status)
		return error_context(err, "%s at 0x%" PRIx64, query->name, address), status;
	if (!*query->path && type_has_members(query->types, query->id, NULL))
		return walk_structure(&walk, query->id, "", 0, 0);
	status = visit_step(&itself, &walk);
	if (status < 0 || type_is_array(query->types, itself.type_id, NULL, NULL))
		return status < 0 ? status : 0;
	return walk_structure(&walk, itself.type_id, query->path, itself.bit_offset, 1);
}
