// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Any bytes as a section of USDT notes, and as the operands of one. libFuzzer target; with -DFUZZ_REPLAY it runs the
 * files named on its command line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "usdt_probes.h"

struct bounds {
	const uint8_t *bytes;
	size_t size;
};

static void check_text(const struct bounds *bounds, const char *text)
{
	const uint8_t *at = (const uint8_t *)text;

	CHECK(at >= bounds->bytes && at < bounds->bytes + bounds->size);
	CHECK(memchr(at, 0, (size_t)(bounds->bytes + bounds->size - at)));
}

static void check_arguments(const char *text, size_t length)
{
	struct usdt_argument arguments[USDT_ARGUMENTS_MAX];
	size_t count = usdt_arguments_parse(text, length, 8, arguments);

	CHECK(count <= USDT_ARGUMENTS_MAX);
	for (size_t i = 0; i < count; i++) {
		const struct usdt_argument *argument = &arguments[i];

		CHECK(argument->size == 1 || argument->size == 2 || argument->size == 4 || argument->size == 8);
		CHECK(argument->scale == 1 || argument->scale == 2 || argument->scale == 4 || argument->scale == 8);
		CHECK(argument->base <= USDT_RIP || argument->base == USDT_NO_REGISTER);
		CHECK(argument->index < USDT_RIP || argument->index == USDT_NO_REGISTER);
		CHECK(argument->place != USDT_REGISTER || argument->base != USDT_NO_REGISTER);
		CHECK(argument->place != USDT_SYMBOL ||
		      (argument->symbol >= text && argument->symbol + argument->symbol_length <= text + length));
	}
}

static int check_note(const struct usdt_note *note, void *context)
{
	check_text(context, note->provider);
	check_text(context, note->name);
	check_text(context, note->arguments);
	check_arguments(note->arguments, strlen(note->arguments));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bounds bounds = { data, size };

	CHECK(usdt_notes_each(data, size, true, check_note, &bounds) == 0);
	CHECK(usdt_notes_each(data, size, false, check_note, &bounds) == 0);
	check_arguments((const char *)data, size);
	return 0;
}
