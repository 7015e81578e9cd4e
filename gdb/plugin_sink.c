// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A FILE whose text goes to gdb line by line: neither a line nor a character is ever cut. Once the user wants
 * no more, writing fails with EINTR, which ends whatever writes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugin_private.h"

/* A line as long as this goes out in pieces. */
#define LINE_BYTES_MAX (1u << 20)

struct sink {
	struct dill_gdb *session;
	bool is_error;
	char *line; /* owned; [0, size): what has no end yet */
	size_t size, capacity;
};

static int emit(struct sink *sink, const char *text, size_t size)
{
	struct dill_gdb *session = sink->session;

	if (!session->is_interrupted && size &&
	    session->host.write(text, size, sink->is_error) == -EINTR)
		session->is_interrupted = true;
	if (session_is_interrupted(session)) {
		errno = EINTR;
		return -1;
	}
	return 0;
}

static int keep(struct sink *sink, const char *text, size_t size)
{
	if (!size)
		return 0;
	if (size > sink->capacity - sink->size) {
		size_t capacity = 2 * (sink->size + size);
		char *grown = realloc(sink->line, capacity);

		if (!grown) {
			errno = ENOMEM;
			return -1;
		}
		sink->line = grown;
		sink->capacity = capacity;
	}
	memcpy(sink->line + sink->size, text, size);
	sink->size += size;
	return 0;
}

/* What is kept, up to where no character is cut: the later bytes of one in UTF-8 are 10xxxxxx. */
static int emit_part(struct sink *sink)
{
	size_t size = sink->size, rest;
	int status;

	while (size > 1 && (sink->line[size - 1] & 0xc0) == 0x80)
		size--;
	if (size > 1 && (sink->line[size - 1] & 0x80))
		size--;
	status = emit(sink, sink->line, size);
	rest = sink->size - size;
	memmove(sink->line, sink->line + size, rest);
	sink->size = rest;
	return status;
}

static ssize_t sink_write(void *cookie, const char *text, size_t size)
{
	struct sink *sink = cookie;
	const char *end = memrchr(text, '\n', size);
	size_t complete = end ? (size_t)(end - text) + 1 : 0;

	if (complete && sink->size) {
		if (keep(sink, text, complete) || emit(sink, sink->line, sink->size))
			return 0;
		sink->size = 0;
	} else if (complete && emit(sink, text, complete)) {
		return 0;
	}
	if (keep(sink, text + complete, size - complete) || (sink->size > LINE_BYTES_MAX && emit_part(sink)))
		return 0;
	return (ssize_t)size;
}

static int sink_close(void *cookie)
{
	struct sink *sink = cookie;
	int status = emit(sink, sink->line, sink->size);

	free(sink->line);
	free(sink);
	return status;
}

FILE *session_sink(struct dill_gdb *session, bool is_error)
{
	const cookie_io_functions_t functions = { .write = sink_write, .close = sink_close };
	struct sink *sink = calloc(1, sizeof(*sink));
	FILE *file;

	if (!sink)
		return NULL;
	sink->session = session;
	sink->is_error = is_error;
	file = fopencookie(sink, "w", functions);
	if (!file)
		free(sink);
	return file;
}
