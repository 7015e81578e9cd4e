// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A file that is written as a whole. Over an older one by rename(2), which takes the right to change the
 * folder; where nothing was, a process that has given its privileges up since can still fill what it
 * made.
 */
#include "new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(struct error *err, const char *path)
{
	int code = errno ? -errno : -EIO;

	return error_set(err, code, "%s: %s", path, strerror(-code));
}

static int open_beside(struct new_file *file, struct error *err)
{
	struct stat at;

	if (lstat(file->path, &at))
		return fail(err, file->path);
	if (!S_ISREG(at.st_mode))
		return error_set(err, -EINVAL, "%s: something else than a file is there", file->path);
	if (asprintf(&file->temporary, "%s.XXXXXX", file->path) < 0) {
		file->temporary = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	file->fd = mkostemp(file->temporary, O_CLOEXEC);
	return file->fd < 0 ? fail(err, file->path) : 0;
}

int new_file_open(struct new_file *file, const char *path, struct error *err)
{
	int status = 0;

	*file = (struct new_file){ .fd = -1, .path = strdup(path) };
	if (!file->path)
		return error_set(err, -ENOMEM, "out of memory");
	file->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file->fd < 0)
		status = errno == EEXIST ? open_beside(file, err) : fail(err, path);
	if (status) {
		free(file->path);
		free(file->temporary);
		*file = (struct new_file){ 0 };
	}
	return status;
}

int new_file_write(struct new_file *file, const void *bytes, size_t size, struct error *err)
{
	const char *at = bytes;

	while (size) {
		ssize_t done = write(file->fd, at, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return fail(err, file->path);
		at += done;
		size -= (size_t)done;
	}
	return 0;
}

int new_file_finish(struct new_file *file, struct error *err)
{
	int status = 0;

	if (close(file->fd) || (file->temporary && rename(file->temporary, file->path))) {
		status = fail(err, file->path);
		unlink(file->temporary ? file->temporary : file->path);
	}
	free(file->path);
	free(file->temporary);
	*file = (struct new_file){ 0 };
	return status;
}

void new_file_deinit(struct new_file *file)
{
	if (!file->path)
		return;
	close(file->fd);
	unlink(file->temporary ? file->temporary : file->path);
	free(file->path);
	free(file->temporary);
	*file = (struct new_file){ 0 };
}
