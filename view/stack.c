// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Rendering of call stacks. */
#include "stack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct writer {
	struct out *out;
	enum escape_form form;
	bool is_coloured;
};

static void put(const struct writer *to, enum colour_style style, const char *text, size_t length)
{
	if (to->is_coloured)
		out_string(to->out, colour_start(style));
	out_escaped(to->out, to->form, text, length);
	if (to->is_coloured)
		out_string(to->out, COLOUR_END);
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* "[leak]"; a name that the kernel already put in brackets keeps them single. */
static void put_object(const struct writer *to, const char *object)
{
	size_t length = strlen(object);

	if (length >= 2 && object[0] == '[' && object[length - 1] == ']') {
		put(to, COLOUR_PATH, object, length);
		return;
	}
	object = last_component(object);
	out_string(to->out, "[");
	put(to, COLOUR_PATH, object, strlen(object));
	out_string(to->out, "]");
}

static void put_source(const struct writer *to, const struct view_frame *frame)
{
	const char *file = last_component(frame->file);

	out_string(to->out, " ");
	put(to, COLOUR_DIM, file, strlen(file));
	if (frame->line)
		out_format(to->out, ":%" PRIu32, frame->line);
}

static void put_frame(const struct writer *to, const struct view_frame *frame)
{
	if (frame->symbol) {
		put(to, COLOUR_SYMBOL, frame->symbol, strlen(frame->symbol));
		if (frame->is_inlined)
			out_string(to->out, " (inlined)");
		else
			out_format(to->out, "+0x%" PRIx64, frame->offset);
		if (frame->object) {
			out_string(to->out, " ");
			put_object(to, frame->object);
		}
	} else if (frame->object) {
		put_object(to, frame->object);
		out_format(to->out, "+0x%" PRIx64, frame->offset);
	} else {
		out_format(to->out, "0x%" PRIx64 " [unknown]", frame->address);
	}
	if (frame->file)
		put_source(to, frame);
}

void view_stack_write_text(const struct view_stack *stack, struct out *out, enum escape_form form,
			   bool is_coloured, unsigned indent)
{
	const struct writer to = { .out = out, .form = form, .is_coloured = is_coloured };

	for (size_t i = 0; i < stack->count; i++) {
		out_fill(out, ' ', indent);
		put_frame(&to, &stack->frames[i]);
		out_string(out, "\n");
	}
	if (!stack->count || stack->is_truncated) {
		out_fill(out, ' ', indent);
		out_string(out, stack->count ? "...\n" : "(no stack)\n");
	}
}

static void write_json_frame(const struct view_frame *frame, struct json_writer *json)
{
	char address[20];

	json_write_object_begin(json);
	if (frame->symbol) {
		json_write_key(json, "symbol");
		json_write_string(json, frame->symbol);
	}
	if (!frame->is_inlined && (frame->symbol || frame->object)) {
		json_write_key(json, "offset");
		json_write_u64(json, frame->offset);
	}
	if (frame->object) {
		json_write_key(json, "object");
		json_write_string(json, frame->object);
	}
	if (frame->file) {
		json_write_key(json, "file");
		json_write_string(json, frame->file);
	}
	if (frame->file && frame->line) {
		json_write_key(json, "line");
		json_write_u64(json, frame->line);
	}
	if (frame->is_inlined) {
		json_write_key(json, "inlined");
		json_write_bool(json, true);
	}
	if (frame->address) {
		json_write_key(json, "address");
		snprintf(address, sizeof(address), "0x%" PRIx64, frame->address);
		json_write_string(json, address);
	}
	json_write_object_end(json);
}

void view_stack_write_json(const struct view_stack *stack, struct json_writer *json)
{
	json_write_array_begin(json);
	for (size_t i = 0; i < stack->count; i++)
		write_json_frame(&stack->frames[i], json);
	json_write_array_end(json);
}
