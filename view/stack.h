/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A call stack as a value: how one frame looks to people and in JSON. Symbolises nothing. */
#ifndef DILL_VIEW_STACK_H
#define DILL_VIEW_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "colour.h"
#include "json.h"
#include "out.h"

/* Strings are borrowed, come from outside, and are NULL when not known. */
struct view_frame {
	const char *symbol;
	uint64_t offset;    /* bytes from the symbol; without symbol: bytes from the object's start */
	const char *object; /* path of the program or library, or a name such as "[vdso]" */
	const char *file;   /* source path */
	uint32_t line;      /* in @file, 0: not known */
	bool is_inlined;    /* this function was inlined into the next frame's; @offset says nothing */
	uint64_t address;   /* 0: not known */
};

struct view_stack {
	const struct view_frame *frames; /* innermost first */
	size_t count;
	bool is_truncated; /* callers beyond the last frame are missing */
};

/*
 * Lines, one a frame, each after @indent spaces; paths of objects and sources by their last component:
 *
 *     fibonacci+0x23 [leak] leak.c:9
 *     next (inlined) [leak] leak.c:30
 *     [libfoo.so]+0x1234
 *     0x7f3a5c001234 [unknown]
 *     ...                                 (is_truncated)
 */
void view_stack_write_text(const struct view_stack *stack, struct out *out, enum escape_form form,
			   bool is_coloured, unsigned indent);

/*
 * An array of objects with the keys symbol, offset, object, file, line, inlined (only true), address ("0x…"),
 * each left out when there is nothing to say. Paths are whole.
 */
void view_stack_write_json(const struct view_stack *stack, struct json_writer *json);

#endif
