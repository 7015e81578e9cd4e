// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Blocks that the C library allocates on behalf of a call: strdup, strndup, asprintf, getline.
 *
 * held and held_bytes are exact by what these functions promise (a string has its length and a zero; getline
 * tells the capacity). How often they allocate and free on the way is the C library's business, so seen and
 * freed count these calls only: `inner=yes` on the truth line says that a tool may see more of both.
 */
#include "truth.h"

TRUTH_SITE(by_strdup);
TRUTH_SITE(by_strndup);
TRUTH_SITE(by_asprintf);
TRUTH_SITE(by_getline);

static const char text[] = "a string that is long enough to be cut short in a hundred different places, one "
			   "after the other";

SITE static void by_strdup(void)
{
	for (size_t i = 0; i < 90; i++)
		truth_block(&site_by_strdup, strdup(text + i), sizeof(text) - i, i % 3 == 0);
}

SITE static void by_strndup(void)
{
	for (size_t i = 0; i < 80; i++)
		truth_block(&site_by_strndup, strndup(text, i), i + 1, i % 2 == 0);
}

SITE static void by_asprintf(void)
{
	for (int i = 1; i < 400; i++) {
		char *line;
		int length = asprintf(&line, "%0*d", i, i);

		truth_require(length >= 0);
		truth_block(&site_by_asprintf, line, (size_t)length + 1, i % 4 == 0);
	}
}

/* Lines longer and longer: the buffer is grown by realloc, and *n says how far. */
SITE static void by_getline(FILE *lines)
{
	char *line = NULL;
	size_t capacity = 0;

	while (getline(&line, &capacity, lines) > 0)
		STAY();
	truth_block(&site_by_getline, line, capacity, true);
}

/* A stream over a pipe with 40 lines in it, opened before the start mark: stdio allocates for a stream. */
static FILE *lines_open(void)
{
	static char buffer[4096], line[1024];
	FILE *lines;
	int ends[2];

	truth_require(pipe(ends) == 0);
	memset(line, 'x', sizeof(line));
	for (size_t i = 1; i <= 40; i++) {
		line[20 * i] = '\n';
		truth_require(write(ends[1], line, 20 * i + 1) == (ssize_t)(20 * i + 1));
		line[20 * i] = 'x';
	}
	close(ends[1]);
	lines = fdopen(ends[0], "r");
	truth_require(lines && setvbuf(lines, buffer, _IOFBF, sizeof(buffer)) == 0);
	return lines;
}

int main(int argc, char **argv)
{
	FILE *lines;

	truth_init(argc, argv);
	lines = lines_open();
	truth_ready();
	by_strdup();
	by_strndup();
	by_asprintf();
	by_getline(lines);
	truth_end("inner=yes");
	return 0;
}
