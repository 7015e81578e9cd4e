/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A file that is written as a whole: who reads an older one at its place keeps that one, and nobody finds
 * half of it there. Made before privileges go, filled and put in place afterwards.
 */
#ifndef DILL_NEW_FILE_H
#define DILL_NEW_FILE_H

#include <stddef.h>

#include "error.h"

/* A zeroed one is none. */
struct new_file {
	int fd;
	char *path;
	char *temporary; /* NULL: there was nothing at the path, and the file lies there already */
};

/*
 * A file of mode 0600 for @path: there if nothing is, else beside it. Never through a symbolic link.
 * Errors of open(2); -EINVAL: something else than a file is there.
 */
int new_file_open(struct new_file *file, const char *path, struct error *err);
int new_file_write(struct new_file *file, const void *bytes, size_t size, struct error *err);
/* Close it, at its place. After a failure there is no new file. */
int new_file_finish(struct new_file *file, struct error *err);
/* Of a file that is not finished nothing stays. */
void new_file_deinit(struct new_file *file);

#endif
