// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Reports are written without the C library's streams: they come out of malloc() and of damaged processes.
#include "report.h"

#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 256

static size_t put(char *line, size_t at, const char *text)
{
	while (*text && at < LINE_BYTES - 1)
		line[at++] = *text++;
	return at;
}

static size_t put_address(char *line, size_t at, uintptr_t address)
{
	at = put(line, at, "0x");
	for (int shift = 60; shift >= 0; shift -= 4) {
		if (at < LINE_BYTES - 1)
			line[at++] = "0123456789abcdef"[address >> shift & 15];
	}
	return at;
}

void slub_report(const struct kmem_cache *cache, const char *what, const void *address)
{
	const char *on_error = getenv("SLUB_ON_ERROR");
	char line[LINE_BYTES];
	size_t at = put(line, 0, "slub: ");

	if (cache) {
		at = put(line, at, cache->name);
		at = put(line, at, ": ");
	}
	at = put(line, at, what);
	at = put(line, at, " at ");
	at = put_address(line, at, (uintptr_t)address);
	line[at++] = '\n';
	if (write(STDERR_FILENO, line, at) < 0 || !on_error || strcmp(on_error, "continue"))
		abort();
}
