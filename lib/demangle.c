// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* libiberty's demanglers behind a bound on what they may produce. */
#include "demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_LIMIT (64UL << 10)
/* libiberty gives up on C++ names over 1024 bytes unless it may recurse as deep as the name is long. */
#define LONG_NAME 1024UL
#define INPUT_LIMIT (8UL << 10)

struct output {
	char *text;
	size_t size, capacity;
	jmp_buf too_much;
};

/*
 * Takes the next piece. libiberty can't be told to stop, so a name that grows too long is left by longjmp:
 * its C++ printer holds nothing but stack, its Rust printer at most one identifier.
 */
static void take_piece(const char *piece, size_t size, void *context)
{
	struct output *output = context;

	if (size > OUTPUT_LIMIT || output->size + size > OUTPUT_LIMIT)
		longjmp(output->too_much, 1);
	if (output->size + size >= output->capacity) {
		size_t wanted = 2 * (output->size + size) + 64;
		char *grown = realloc(output->text, wanted);

		if (!grown)
			longjmp(output->too_much, 1);
		output->text = grown;
		output->capacity = wanted;
	}
	memcpy(output->text + output->size, piece, size);
	output->size += size;
}

static bool run(const char *symbol, size_t length, struct output *output)
{
	const int options = DMGL_PARAMS | DMGL_ANSI | (length > LONG_NAME ? DMGL_NO_RECURSE_LIMIT : 0);

	if (setjmp(output->too_much))
		return false;
	/* Rust's legacy names are C++ names with a hash at the end, so Rust is asked first. */
	if (rust_demangle_callback(symbol, options, take_piece, output))
		return true;
	output->size = 0;
	return cplus_demangle_v3_callback(symbol, options, take_piece, output);
}

char *demangle(const char *symbol)
{
	struct output output = {0};
	size_t length;

	if (symbol[0] != '_')
		return NULL;
	length = strlen(symbol);
	if (length > INPUT_LIMIT || !run(symbol, length, &output) || !output.text) {
		free(output.text);
		return NULL;
	}
	output.text[output.size] = '\0';
	return output.text;
}
