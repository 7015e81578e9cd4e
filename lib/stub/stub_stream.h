/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One side of the man in the middle: packets off a socket and onto it as they are, without undoing escapes or
 * run lengths, so that what passes through is the same bytes. Knows no requests.
 *
 * The descriptor's flags stay as they are: gdb holds the same open file before and after us.
 */
#ifndef DILL_STUB_STREAM_H
#define DILL_STUB_STREAM_H

#include <stddef.h>
#include <stdint.h>

enum stub_frame_kind {
	STUB_FRAME_NONE, /* more bytes are needed */
	STUB_FRAME_PACKET,
	STUB_FRAME_NOTIFICATION,
	STUB_FRAME_ACK,
	STUB_FRAME_NAK,
	STUB_FRAME_INTERRUPT, /* 0x03 between packets */
	STUB_FRAME_DAMAGED,   /* a packet with a wrong sum */
};

/* Points into the stream's buffer: stays until the next stub_stream_receive(). */
struct stub_frame {
	enum stub_frame_kind kind;
	const char *bytes; /* $…#xx */
	size_t size;
	const char *body; /* what is between $ and # */
	size_t body_size;
};

struct stub_stream {
	int fd; /* owned */
	char *in;
	size_t in_at, in_size, in_capacity;
	char *out;
	size_t out_at, out_size, out_capacity;
	uint64_t bytes_sent, bytes_received;
};

/* 0 or -ENOMEM; @fd is the stream's in any case. */
int stub_stream_init(struct stub_stream *stream, int fd);
void stub_stream_deinit(struct stub_stream *stream);

/* The next of what was received. Bytes between packets that mean nothing are passed over. */
void stub_stream_next(struct stub_stream *stream, struct stub_frame *ret_frame);

/* Whatever has come, without waiting. -EAGAIN: nothing; -ECONNRESET: the peer is gone; -EMSGSIZE, -ENOMEM. */
int stub_stream_receive(struct stub_stream *stream);

/* To be sent with the next flush. -ENOMEM: over a bound, the peer has stopped reading. */
int stub_stream_put(struct stub_stream *stream, const char *bytes, size_t size);
/* The same for a payload without special characters, framed. */
int stub_stream_put_packet(struct stub_stream *stream, const char *payload, size_t size);
size_t stub_stream_unsent(const struct stub_stream *stream);
/* Send what goes without waiting. 0 also if some is left; -ECONNRESET or another errno: the peer is gone. */
int stub_stream_flush(struct stub_stream *stream);

#endif
