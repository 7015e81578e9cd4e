// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Two buffers and where packets begin and end in them. Nothing here waits. */
#include "stub_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gdb_packet.h"

#define FIRST_CAPACITY 65536
/* Stubs and gdb agree on packets of some KiB. */
#define MOST_CAPACITY (4u << 20)
#define INTERRUPT 0x03

int stub_stream_init(struct stub_stream *stream, int fd)
{
	*stream = (struct stub_stream){ .fd = fd,
					.in = malloc(FIRST_CAPACITY),
					.in_capacity = FIRST_CAPACITY,
					.out = malloc(FIRST_CAPACITY),
					.out_capacity = FIRST_CAPACITY };
	return stream->in && stream->out ? 0 : -ENOMEM;
}

void stub_stream_deinit(struct stub_stream *stream)
{
	if (stream->fd >= 0)
		close(stream->fd);
	free(stream->in);
	free(stream->out);
	*stream = (struct stub_stream){ .fd = -1 };
}

static int digit(char text)
{
	if (text >= '0' && text <= '9')
		return text - '0';
	if (text >= 'a' && text <= 'f')
		return text - 'a' + 10;
	return text >= 'A' && text <= 'F' ? text - 'A' + 10 : -1;
}

/* @bytes begins with $ or %. A packet that another $ cuts off is damaged up to there. */
static void take_packet(const char *bytes, size_t size, struct stub_frame *frame)
{
	uint8_t sum = 0;
	size_t end = 1;
	int high, low;

	for (; end < size && bytes[end] != '#'; end++) {
		if (bytes[end] == '$') {
			*frame = (struct stub_frame){ STUB_FRAME_DAMAGED, bytes, end, bytes + 1, end - 1 };
			return;
		}
		sum += (uint8_t)bytes[end];
	}
	if (end + 2 >= size)
		return;
	high = digit(bytes[end + 1]);
	low = digit(bytes[end + 2]);
	*frame = (struct stub_frame){ *bytes == '$' ? STUB_FRAME_PACKET : STUB_FRAME_NOTIFICATION, bytes,
				      end + 3, bytes + 1, end - 1 };
	if (high < 0 || low < 0 || (high << 4 | low) != sum)
		frame->kind = STUB_FRAME_DAMAGED;
}

void stub_stream_next(struct stub_stream *stream, struct stub_frame *ret_frame)
{
	*ret_frame = (struct stub_frame){ .kind = STUB_FRAME_NONE };
	while (stream->in_at < stream->in_size && ret_frame->kind == STUB_FRAME_NONE) {
		const char *bytes = stream->in + stream->in_at;

		switch (*bytes) {
		case '$':
		case '%':
			take_packet(bytes, stream->in_size - stream->in_at, ret_frame);
			if (ret_frame->kind == STUB_FRAME_NONE)
				return;
			stream->in_at += ret_frame->size;
			return;
		case '+':
			ret_frame->kind = STUB_FRAME_ACK;
			break;
		case '-':
			ret_frame->kind = STUB_FRAME_NAK;
			break;
		case INTERRUPT:
			ret_frame->kind = STUB_FRAME_INTERRUPT;
			break;
		default:
			break;
		}
		stream->in_at++;
	}
}

static int make_room(struct stub_stream *stream)
{
	char *grown;

	memmove(stream->in, stream->in + stream->in_at, stream->in_size - stream->in_at);
	stream->in_size -= stream->in_at;
	stream->in_at = 0;
	if (stream->in_size < stream->in_capacity)
		return 0;
	if (stream->in_capacity >= MOST_CAPACITY)
		return -EMSGSIZE;
	grown = realloc(stream->in, 2 * stream->in_capacity);
	if (!grown)
		return -ENOMEM;
	stream->in = grown;
	stream->in_capacity *= 2;
	return 0;
}

int stub_stream_receive(struct stub_stream *stream)
{
	ssize_t got;
	int status = 0;

	if (stream->in_at == stream->in_size)
		stream->in_at = stream->in_size = 0;
	else
		status = make_room(stream);
	if (status)
		return status;
	do {
		got = recv(stream->fd, stream->in + stream->in_size, stream->in_capacity - stream->in_size,
			   MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	if (got == 0)
		return -ECONNRESET;
	if (got < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	stream->in_size += (size_t)got;
	stream->bytes_received += (uint64_t)got;
	return 0;
}

static int reserve(struct stub_stream *stream, size_t size)
{
	size_t capacity = stream->out_capacity;
	char *grown;

	if (stream->out_at == stream->out_size)
		stream->out_at = stream->out_size = 0;
	if (size <= capacity - stream->out_size)
		return 0;
	while (size > capacity - stream->out_size && capacity < MOST_CAPACITY)
		capacity *= 2;
	if (size > capacity - stream->out_size)
		return -ENOMEM;
	grown = realloc(stream->out, capacity);
	if (!grown)
		return -ENOMEM;
	stream->out = grown;
	stream->out_capacity = capacity;
	return 0;
}

int stub_stream_put(struct stub_stream *stream, const char *bytes, size_t size)
{
	int status = reserve(stream, size);

	if (status)
		return status;
	memcpy(stream->out + stream->out_size, bytes, size);
	stream->out_size += size;
	return 0;
}

int stub_stream_put_packet(struct stub_stream *stream, const char *payload, size_t size)
{
	int status = size > MOST_CAPACITY ? -ENOMEM : reserve(stream, 2 * size + 4);

	if (!status)
		stream->out_size += gdb_encode(payload, size, stream->out + stream->out_size,
					       stream->out_capacity - stream->out_size);
	return status;
}

size_t stub_stream_unsent(const struct stub_stream *stream)
{
	return stream->out_size - stream->out_at;
}

int stub_stream_flush(struct stub_stream *stream)
{
	while (stream->out_at < stream->out_size) {
		ssize_t sent = send(stream->fd, stream->out + stream->out_at,
				    stream->out_size - stream->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (sent < 0)
			return errno == EPIPE ? -ECONNRESET : -errno;
		stream->out_at += (size_t)sent;
		stream->bytes_sent += (uint64_t)sent;
	}
	return 0;
}
