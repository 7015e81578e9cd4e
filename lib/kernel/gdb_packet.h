/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Framing of gdb's remote serial protocol: bytes to packets and back. No connection, no meaning.
 * Source: "Debugging with GDB", appendix E.1 "Overview".
 */
#ifndef DILL_GDB_PACKET_H
#define DILL_GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gdb_event {
	GDB_NEED_MORE,
	GDB_PACKET,       /* $…#xx with the right sum: the decoder's packet and size */
	GDB_ACK,          /* + */
	GDB_NAK,          /* - */
	GDB_NOTIFICATION, /* %…#xx, only in non-stop mode */
	GDB_DAMAGED,      /* a packet with a wrong sum, or longer than the capacity */
};

/* Reads answers byte by byte. @packet is text with a NUL behind it, run lengths expanded, escapes not. */
struct gdb_decoder {
	char *packet;
	size_t size, capacity;
	unsigned int state;
	uint8_t sum, stated_sum;
	bool is_notification, is_damaged;
};

/* Packets of more than @capacity bytes are damaged. 0 or -ENOMEM. */
int gdb_decoder_init(struct gdb_decoder *decoder, size_t capacity);
void gdb_decoder_deinit(struct gdb_decoder *decoder);

/*
 * Take bytes until something is complete; @ret_used of @size were taken. What lies between packets and is
 * none of + and - is skipped. The packet stays until the next call.
 */
enum gdb_event gdb_decode(struct gdb_decoder *decoder, const void *bytes, size_t size, size_t *ret_used);

/* $payload#xx into @frame, escaped. Returns its size, 0 when @capacity is less than 2 × size + 4. */
size_t gdb_encode(const char *payload, size_t size, char *frame, size_t capacity);

/* Undo escapes (0x7d, then the byte XOR 0x20) in place. Returns the new size. */
size_t gdb_unescape(char *bytes, size_t size);

/* Two digits a byte. False when @text holds anything else; @size is the number of digits. */
bool gdb_hex_decode(const char *text, size_t size, void *buffer);
void gdb_hex_encode(const void *bytes, size_t size, char *text);

/* "Exx" or "E.message": an odd length or a dot tells it from data that begin with the digit E. */
bool gdb_is_error(const char *packet, size_t size);

#endif
