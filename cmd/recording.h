/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A recorded trace: the records of one run of one command, to be looked at again anywhere, without privileges.
 *
 * File: "DILLREC1", then the command's name as a text, then records until the end. A record: u32 type, u32
 * payload
 * bytes, payload. Numbers are little-endian; a text is u32 bytes including its NUL, then the bytes. A file
 * cut anywhere
 * replays up to the last whole record, and says that it was cut.
 */
#ifndef DILL_RECORDING_H
#define DILL_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"

#define RECORD_MAX_BYTES (1U << 20)

/* A payload being put together. Failure (no memory, over RECORD_MAX_BYTES) sticks. */
struct payload {
	unsigned char *bytes;
	size_t size, capacity;
	bool has_failed;
};

void payload_u64(struct payload *payload, uint64_t value);
void payload_text(struct payload *payload, const char *text); /* NULL is kept apart from "" */
void payload_deinit(struct payload *payload);

/* A payload being read. Running over its end sticks in has_failed and yields zeros. */
struct payload_reader {
	const unsigned char *bytes;
	size_t size, at;
	bool has_failed;
};

uint64_t payload_read_u64(struct payload_reader *reader);
const char *payload_read_text(struct payload_reader *reader); /* borrowed from the payload; NULL as written */

struct recording;

/* Create @path (mode 0600, symbolic links not followed): traces hold what a program did. */
int recording_create(const char *path, const char *command, struct recording **ret_recording, struct error *err);
int recording_write(struct recording *recording, uint32_t type, const struct payload *payload);
/* Flush and close. Returns the first write error. NULL is fine. */
int recording_close(struct recording *recording);

/* Open for reading; -EBADMSG when it is no recording, or one of another command. */
int recording_open(const char *path, const char *command, struct recording **ret_recording, struct error *err);
/*
 * The next record; @ret_reader is valid until the next call. 1: a record, 0: the end, -EBADMSG: cut or
 * damaged.
 */
int recording_next(struct recording *recording, uint32_t *ret_type, struct payload_reader *ret_reader);

#endif
