/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Bytes that grow at their end, little-endian: for files and tables that are made in memory. A failure
 * sticks, so that writers need not look after each step: ask for the status once, at the end.
 */
#ifndef DILL_BYTE_WRITER_H
#define DILL_BYTE_WRITER_H

#include <stddef.h>
#include <stdint.h>

/* A zeroed one is empty. */
struct byte_writer {
	uint8_t *bytes;
	size_t size, room;
	int status; /* 0 or -ENOMEM: out of memory, or over BYTE_WRITER_MAX. Nothing was added since */
};

#define BYTE_WRITER_MAX ((size_t)1 << 30)

void byte_writer_deinit(struct byte_writer *writer);
void put_bytes(struct byte_writer *writer, const void *bytes, size_t size);
/* The low @size bytes of @value, at most 8. */
void put_number(struct byte_writer *writer, uint64_t value, size_t size);
/* DWARF's numbers of variable length. Source: DWARF 5, 7.6. */
void put_uleb(struct byte_writer *writer, uint64_t value);
void put_sleb(struct byte_writer *writer, int64_t value);
/* With its NUL. Returns the offset at which it begins. */
size_t put_text(struct byte_writer *writer, const char *text);
/* @fill up to a multiple of @unit, a power of two. */
void put_padding(struct byte_writer *writer, size_t unit, uint8_t fill);
/* Over what is there already: the low @size bytes of @value at @offset. */
void patch_number(struct byte_writer *writer, size_t offset, uint64_t value, size_t size);

#endif
