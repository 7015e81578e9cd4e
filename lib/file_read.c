// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Reads at a place, whole where the kernel gives them in parts or is interrupted. */
#include "file_read.h"

#include <errno.h>
#include <unistd.h>

size_t file_read_at(int fd, uint64_t offset, void *buffer, size_t size)
{
	size_t done = 0;

	while (done < size && done <= INT64_MAX && offset <= INT64_MAX - done) {
		ssize_t got = pread(fd, (char *)buffer + done, size - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done;
}
