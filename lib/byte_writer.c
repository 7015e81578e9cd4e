// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Bytes that grow at their end. */
#include "byte_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 4096

void byte_writer_deinit(struct byte_writer *writer)
{
	free(writer->bytes);
	memset(writer, 0, sizeof(*writer));
}

/* Where @size more bytes go; NULL when there is no room to be had. */
static uint8_t *take_room(struct byte_writer *writer, size_t size)
{
	size_t room = writer->room ? writer->room : FIRST_ROOM;
	uint8_t *moved;

	if (writer->status || size > BYTE_WRITER_MAX - writer->size) {
		writer->status = -ENOMEM;
		return NULL;
	}
	while (room < writer->size + size)
		room *= 2;
	if (room != writer->room) {
		moved = realloc(writer->bytes, room);
		if (!moved) {
			writer->status = -ENOMEM;
			return NULL;
		}
		writer->bytes = moved;
		writer->room = room;
	}
	writer->size += size;
	return writer->bytes + writer->size - size;
}

void put_bytes(struct byte_writer *writer, const void *bytes, size_t size)
{
	uint8_t *at = take_room(writer, size);

	if (at && size)
		memcpy(at, bytes, size);
}

void put_number(struct byte_writer *writer, uint64_t value, size_t size)
{
	uint8_t *at = take_room(writer, size);

	for (size_t i = 0; at && i < size; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

void put_uleb(struct byte_writer *writer, uint64_t value)
{
	uint8_t bytes[10];
	size_t size = 0;

	do {
		bytes[size] = (value & 0x7f) | (value > 0x7f ? 0x80 : 0);
		value >>= 7;
		size++;
	} while (value);
	put_bytes(writer, bytes, size);
}

void put_sleb(struct byte_writer *writer, int64_t value)
{
	uint8_t bytes[10];
	size_t size = 0;
	int is_more;

	do {
		uint8_t low = value & 0x7f;

		value >>= 7; /* arithmetic: gcc and clang define it */
		is_more = !((value == 0 && !(low & 0x40)) || (value == -1 && low & 0x40));
		bytes[size++] = low | (is_more ? 0x80 : 0);
	} while (is_more);
	put_bytes(writer, bytes, size);
}

size_t put_text(struct byte_writer *writer, const char *text)
{
	size_t at = writer->size;

	put_bytes(writer, text, strlen(text) + 1);
	return at;
}

void put_padding(struct byte_writer *writer, size_t unit, uint8_t fill)
{
	size_t size = -writer->size & (unit - 1);
	uint8_t *at = take_room(writer, size);

	if (at && size)
		memset(at, fill, size);
}

void patch_number(struct byte_writer *writer, size_t offset, uint64_t value, size_t size)
{
	if (writer->status || offset > writer->size || size > writer->size - offset)
		return;
	for (size_t i = 0; i < size; i++)
		writer->bytes[offset + i] = (uint8_t)(value >> 8 * i);
}
