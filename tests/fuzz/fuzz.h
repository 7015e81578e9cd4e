/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What every fuzz target has: promises that end it when they are broken, and, built as an ordinary test
 * (FUZZ_REPLAY), a main() that feeds it the files of its corpus. Included once, by the target.
 */
#ifndef DILL_FUZZ_H
#define DILL_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void require(int holds, const char *promise)
{
	if (holds)
		return;
	fprintf(stderr, "broken promise: %s\n", promise);
	abort();
}

#define CHECK(condition) require(!!(condition), #condition)

#ifdef FUZZ_REPLAY
/* Exact size in the heap, as libFuzzer does it: a sanitizer sees a read past the end. */
static int replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
		perror(path);
		return 1;
	}
	rewind(file);
	data = malloc(size > 0 ? (size_t)size : 1);
	require(data && fread(data, 1, (size_t)size, file) == (size_t)size, "the corpus can be read");
	fclose(file);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	int failures = 0;

	for (int i = 1; i < argc; i++)
		failures += replay(argv[i]);
	printf("%d files replayed\n", argc - 1 - failures);
	return failures > 0;
}
#endif

#endif
