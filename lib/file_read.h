/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Bytes at a place in a file. */
#ifndef DILL_FILE_READ_H
#define DILL_FILE_READ_H

#include <stddef.h>
#include <stdint.h>

/* Up to @size bytes at @offset; how many there are before the file ends or can't be read. Moves no file position. */
size_t file_read_at(int fd, uint64_t offset, void *buffer, size_t size);

#endif
