/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Where a test has a view write: memory, or a real pseudo-terminal. */
#ifndef DILL_TESTS_VIEW_SINK_H
#define DILL_TESTS_VIEW_SINK_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

struct sink {
	FILE *file;
	char *text;
	size_t size;
	int terminal; /* controlling side, -1 without */
};

static inline void sink_to_memory(struct sink *sink)
{
	*sink = (struct sink){ .terminal = -1 };
	sink->file = open_memstream(&sink->text, &sink->size);
	assert_non_null(sink->file);
}

static inline void sink_to_terminal(struct sink *sink, unsigned short rows, unsigned short columns)
{
	struct winsize size = { .ws_row = rows, .ws_col = columns };
	struct termios mode;
	int fd;

	*sink = (struct sink){ .terminal = posix_openpt(O_RDWR | O_NOCTTY) };
	assert_true(sink->terminal >= 0);
	assert_int_equal(grantpt(sink->terminal), 0);
	assert_int_equal(unlockpt(sink->terminal), 0);
	fd = open(ptsname(sink->terminal), O_RDWR | O_NOCTTY);
	assert_true(fd >= 0);
	assert_int_equal(tcgetattr(fd, &mode), 0);
	cfmakeraw(&mode);
	assert_int_equal(tcsetattr(fd, TCSANOW, &mode), 0);
	assert_int_equal(ioctl(fd, TIOCSWINSZ, &size), 0);
	sink->file = fdopen(fd, "w");
	assert_non_null(sink->file);
}

/*
 * What has been handed to the kernel so far. A terminal passes bytes on in its own time: a mark, written past
 * the FILE's buffer, tells where they end.
 */
static inline const char *sink_text(struct sink *sink)
{
	const size_t room = 4096;
	size_t length = 0;

	if (sink->terminal < 0) {
		fflush(sink->file);
		return sink->text;
	}
	free(sink->text);
	sink->text = calloc(1, room);
	assert_int_equal(write(fileno(sink->file), "$", 1), 1);
	while (!length || sink->text[length - 1] != '$') {
		ssize_t part = read(sink->terminal, sink->text + length, room - 1 - length);

		assert_true(part > 0);
		length += part;
	}
	sink->text[length - 1] = '\0';
	return sink->text;
}

static inline void sink_close(struct sink *sink)
{
	fclose(sink->file);
	if (sink->terminal >= 0)
		close(sink->terminal);
	free(sink->text);
}

#endif
