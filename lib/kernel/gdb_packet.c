// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A state machine over bytes, and digits. Nothing here waits or allocates beyond the one packet. */
#include "gdb_packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ESCAPE 0x7d

enum { BETWEEN, BODY, RUN_LENGTH, SUM_HIGH, SUM_LOW };

/* A digit's value with a bit set; 0 for what is no digit. */
#define IS_DIGIT 0x10
static const uint8_t digit_values[256] = {
	['0'] = 0x10, ['1'] = 0x11, ['2'] = 0x12, ['3'] = 0x13, ['4'] = 0x14, ['5'] = 0x15,
	['6'] = 0x16, ['7'] = 0x17, ['8'] = 0x18, ['9'] = 0x19, ['a'] = 0x1a, ['b'] = 0x1b,
	['c'] = 0x1c, ['d'] = 0x1d, ['e'] = 0x1e, ['f'] = 0x1f, ['A'] = 0x1a, ['B'] = 0x1b,
	['C'] = 0x1c, ['D'] = 0x1d, ['E'] = 0x1e, ['F'] = 0x1f,
};
static const char digits[] = "0123456789abcdef";

int gdb_decoder_init(struct gdb_decoder *decoder, size_t capacity)
{
	char *packet = malloc(capacity + 1);

	if (!packet)
		return -ENOMEM;
	packet[0] = '\0';
	*decoder = (struct gdb_decoder){ .packet = packet, .capacity = capacity, .state = BETWEEN };
	return 0;
}

void gdb_decoder_deinit(struct gdb_decoder *decoder)
{
	free(decoder->packet);
	*decoder = (struct gdb_decoder){ 0 };
}

static void begin(struct gdb_decoder *decoder, bool is_notification)
{
	decoder->state = BODY;
	decoder->size = 0;
	decoder->sum = 0;
	decoder->is_damaged = false;
	decoder->is_notification = is_notification;
}

static void append(struct gdb_decoder *decoder, char byte, unsigned int times)
{
	if (times > decoder->capacity - decoder->size) {
		decoder->is_damaged = true;
		return;
	}
	memset(decoder->packet + decoder->size, byte, times);
	decoder->size += times;
}

/* X*n stands for X and n − 29 more of it, in printable characters. */
static void repeat(struct gdb_decoder *decoder, uint8_t count)
{
	if (count < 32 || count > 126 || decoder->size == 0) {
		decoder->is_damaged = true;
		return;
	}
	append(decoder, decoder->packet[decoder->size - 1], count - 29u);
}

static enum gdb_event finish(struct gdb_decoder *decoder, uint8_t low)
{
	decoder->state = BETWEEN;
	decoder->packet[decoder->size] = '\0';
	decoder->stated_sum |= low & 15;
	if (decoder->is_damaged || !low || decoder->stated_sum != decoder->sum)
		return GDB_DAMAGED;
	return decoder->is_notification ? GDB_NOTIFICATION : GDB_PACKET;
}

static enum gdb_event between(struct gdb_decoder *decoder, uint8_t byte)
{
	if (byte == '$' || byte == '%')
		begin(decoder, byte == '%');
	return byte == '+' ? GDB_ACK : byte == '-' ? GDB_NAK : GDB_NEED_MORE;
}

static void body(struct gdb_decoder *decoder, uint8_t byte)
{
	if (byte == '#') {
		decoder->state = SUM_HIGH;
		return;
	}
	if (byte == '$') { /* a packet never holds one: the last was cut off and another begins */
		begin(decoder, false);
		return;
	}
	decoder->sum += byte;
	if (byte == '*')
		decoder->state = RUN_LENGTH;
	else
		append(decoder, (char)byte, 1);
}

/* Bytes of the body that stand for themselves. The bulk of every answer goes through here. */
static size_t plain(struct gdb_decoder *decoder, const uint8_t *bytes, size_t size)
{
	size_t room = decoder->capacity - decoder->size, at = 0;
	uint8_t sum = decoder->sum;

	if (decoder->state != BODY)
		return 0;
	for (; at < size && at < room && bytes[at] > '*'; at++) {
		decoder->packet[decoder->size + at] = (char)bytes[at];
		sum += bytes[at];
	}
	decoder->size += at;
	decoder->sum = sum;
	return at;
}

enum gdb_event gdb_decode(struct gdb_decoder *decoder, const void *bytes, size_t size, size_t *ret_used)
{
	const uint8_t *at = bytes, *end = at + size;
	enum gdb_event event = GDB_NEED_MORE;

	while (event == GDB_NEED_MORE && (at += plain(decoder, at, (size_t)(end - at))) < end) {
		uint8_t byte = *at++;

		switch (decoder->state) {
		case BETWEEN:
			event = between(decoder, byte);
			break;
		case BODY:
			body(decoder, byte);
			break;
		case RUN_LENGTH:
			decoder->state = BODY;
			decoder->sum += byte;
			repeat(decoder, byte);
			break;
		case SUM_HIGH:
			decoder->state = SUM_LOW;
			decoder->is_damaged |= !digit_values[byte];
			decoder->stated_sum = (uint8_t)(digit_values[byte] << 4);
			break;
		case SUM_LOW:
			event = finish(decoder, digit_values[byte]);
			break;
		}
	}
	*ret_used = (size_t)(at - (const uint8_t *)bytes);
	return event;
}

size_t gdb_encode(const char *payload, size_t size, char *frame, size_t capacity)
{
	size_t at = 0;
	uint8_t sum = 0;

	if (capacity < 4 || (capacity - 4) / 2 < size)
		return 0;
	frame[at++] = '$';
	for (size_t i = 0; i < size; i++) {
		bool is_special = memchr("$#}*", payload[i], 4);

		if (is_special)
			sum += (uint8_t)(frame[at++] = ESCAPE);
		sum += (uint8_t)(frame[at++] = is_special ? payload[i] ^ 0x20 : payload[i]);
	}
	frame[at++] = '#';
	frame[at++] = digits[sum >> 4];
	frame[at++] = digits[sum & 15];
	return at;
}

size_t gdb_unescape(char *bytes, size_t size)
{
	size_t to = 0;

	for (size_t from = 0; from < size; from++) {
		if (bytes[from] == ESCAPE && from + 1 < size)
			bytes[to++] = bytes[++from] ^ 0x20;
		else
			bytes[to++] = bytes[from];
	}
	return to;
}

bool gdb_hex_decode(const char *text, size_t size, void *buffer)
{
	uint8_t *to = buffer, all = IS_DIGIT;

	if (size % 2)
		return false;
	for (size_t i = 0; i < size; i += 2) {
		uint8_t high = digit_values[(uint8_t)text[i]], low = digit_values[(uint8_t)text[i + 1]];

		all &= high & low;
		to[i / 2] = (uint8_t)(high << 4 | (low & 15));
	}
	return all & IS_DIGIT;
}

void gdb_hex_encode(const void *bytes, size_t size, char *text)
{
	const uint8_t *from = bytes;

	for (size_t i = 0; i < size; i++) {
		text[2 * i] = digits[from[i] >> 4];
		text[2 * i + 1] = digits[from[i] & 15];
	}
	text[2 * size] = '\0';
}

bool gdb_is_error(const char *packet, size_t size)
{
	return size > 1 && packet[0] == 'E' && (size % 2 || packet[1] == '.');
}
