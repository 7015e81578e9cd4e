/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A view that writes to memory, compared with what is due when it closes. */
#ifndef DILL_TESTS_VIEW_MEMORY_H
#define DILL_TESTS_VIEW_MEMORY_H

#include <stdio.h>
#include <stdlib.h>

#include "view.h"

static char *text;
static size_t text_size;
static FILE *file;

static inline struct view *open_memory(struct view_options options)
{
	struct view *view;

	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("TZ", "UTC", 1);
	file = open_memstream(&text, &text_size);
	options.out = file;
	assert_int_equal(view_open(&options, &view), 0);
	return view;
}

static inline void assert_closes_with(struct view *view, const char *expected)
{
	assert_int_equal(view_close(view), 0);
	assert_string_equal(text, expected);
	fclose(file);
	free(text);
}

#endif
