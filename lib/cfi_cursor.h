/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Bounded reads out of hostile bytes. Internal to cfi_*.c.
 *
 * Failure sticks: a read that does not fit gives 0 and marks the cursor broken, and so do all reads after
 * it. Callers read a whole record, then ask once.
 */
#ifndef DILL_CFI_CURSOR_H
#define DILL_CFI_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cfi_cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool is_broken;
};

static inline size_t cfi_left(const struct cfi_cursor *in)
{
	return (size_t)(in->end - in->at);
}

/* Step over @size bytes; NULL when there are fewer. */
static inline const uint8_t *cfi_bytes(struct cfi_cursor *in, uint64_t size)
{
	const uint8_t *bytes = in->at;

	if (in->is_broken || size > cfi_left(in)) {
		in->is_broken = true;
		return NULL;
	}
	in->at += size;
	return bytes;
}

/* Little-endian, @size at most 8. */
static inline uint64_t cfi_fixed(struct cfi_cursor *in, size_t size)
{
	const uint8_t *bytes = cfi_bytes(in, size);
	uint64_t value = 0;

	if (bytes)
		memcpy(&value, bytes, size);
	return value;
}

static inline uint8_t cfi_u8(struct cfi_cursor *in)
{
	return (uint8_t)cfi_fixed(in, 1);
}

static inline uint32_t cfi_u32(struct cfi_cursor *in)
{
	return (uint32_t)cfi_fixed(in, 4);
}

/* LEB128 of at most 64 bits: a longer one is broken, not cut. */
static inline uint64_t cfi_uleb(struct cfi_cursor *in)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t byte = cfi_u8(in);

		if (shift == 63 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	in->is_broken = true;
	return 0;
}

static inline int64_t cfi_sleb(struct cfi_cursor *in)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t byte = cfi_u8(in);

		if (shift == 63 && byte != 0 && byte != 0x7f)
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if ((byte & 0x40) && shift < 57)
			value |= ~0ull << (shift + 7);
		return (int64_t)value;
	}
	in->is_broken = true;
	return 0;
}

#endif
