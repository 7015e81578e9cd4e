// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A target's memory by gdb's remote protocol: reads as series of requests, in pieces that the stub can answer, as text
 * or in binary; and writes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "gdb_remote_private.h"

#define CHUNKS 256

struct chunk {
	struct memory_read *read;
	size_t offset, size;
	size_t got; /* the stub may bring less than it was asked for */
};

struct read_round {
	struct gdb_round round;
	struct gdb_remote *remote;
	struct chunk chunks[CHUNKS];
};

static size_t read_make(struct gdb_round *round, size_t index, char *payload, size_t capacity)
{
	const struct read_round *reading = CONTAINER(round, struct read_round, round);
	const struct chunk *chunk = &reading->chunks[index];

	return (size_t)snprintf(payload, capacity, "%c%llx,%zx",
				reading->remote->traits.has_binary_read ? 'x' : 'm',
				(unsigned long long)(chunk->read->address + chunk->offset), chunk->size);
}

static void read_start(struct gdb_round *round)
{
	struct read_round *reading = CONTAINER(round, struct read_round, round);

	for (size_t i = 0; i < round->count; i++) {
		reading->chunks[i].got = 0;
		reading->chunks[i].read->result = 0;
	}
}

static enum gdb_taken read_take(struct gdb_round *round, size_t index, char *packet, size_t size)
{
	struct read_round *reading = CONTAINER(round, struct read_round, round);
	struct chunk *chunk = &reading->chunks[index];
	char *to = (char *)chunk->read->buffer + chunk->offset;

	if (gdb_is_error(packet, size) || size == 0) {
		chunk->read->result = -EFAULT;
		return GDB_TAKEN;
	}
	if (reading->remote->traits.has_binary_read) {
		if (packet[0] != 'b')
			return GDB_NONSENSE;
		size = gdb_unescape(packet + 1, size - 1);
		if (size > chunk->size)
			return GDB_NONSENSE;
		memcpy(to, packet + 1, size);
	} else {
		if (size / 2 > chunk->size || !gdb_hex_decode(packet, size, to))
			return GDB_NONSENSE;
		size /= 2;
	}
	chunk->got = size;
	if (size == 0)
		chunk->read->result = -EFAULT;
	reading->remote->counts.memory_bytes += size;
	return GDB_TAKEN;
}

static size_t chunk_size(const struct gdb_remote *remote)
{
	size_t size = remote->traits.packet_size / 2;

	return size >= 2048 ? size & ~(size_t)2047 : size & ~(size_t)63;
}

/* Fill the round from read *@index, byte *@offset on. */
static void plan_chunks(struct read_round *reading, struct memory_read *reads, size_t count, size_t *index,
			size_t *offset)
{
	size_t most = chunk_size(reading->remote);

	reading->round.count = 0;
	while (*index < count && reading->round.count < CHUNKS) {
		struct memory_read *read = &reads[*index];
		size_t left = read->size - *offset;

		if (left == 0 || read->result) {
			(*index)++;
			*offset = 0;
			continue;
		}
		left = left < most ? left : most;
		reading->chunks[reading->round.count++] =
			(struct chunk){ .read = read, .offset = *offset, .size = left };
		*offset += left;
	}
	reading->remote->counts.memory_reads += reading->round.count;
}

/* What the stub left out. It brought one byte at least each time, so this ends. */
static int read_rest(struct read_round *reading, struct error *err)
{
	size_t count = reading->round.count;

	for (size_t i = 0; i < count; i++) {
		struct chunk rest = reading->chunks[i];

		while (!rest.read->result && rest.got < rest.size) {
			int status;

			rest.offset += rest.got;
			rest.size -= rest.got;
			reading->chunks[0] = rest;
			reading->round.count = 1;
			status = gdb_round_run(reading->remote, &reading->round, err);
			if (status)
				return status;
			rest = reading->chunks[0];
		}
	}
	return 0;
}

int gdb_remote_read(struct gdb_remote *remote, struct memory_read *reads, size_t count, struct error *err)
{
	CLEANUP(free) struct read_round *reading = malloc(sizeof(*reading));
	size_t index = 0, offset = 0;

	if (!reading)
		return error_set(err, -ENOMEM, "gdb stub: out of memory");
	reading->round = (struct gdb_round){ .make = read_make, .take = read_take, .start = read_start };
	reading->remote = remote;
	for (size_t i = 0; i < count; i++)
		reads[i].result = reads[i].size && reads[i].address + (reads[i].size - 1) < reads[i].address ?
					  -EFAULT : 0;
	for (;;) {
		int status;

		plan_chunks(reading, reads, count, &index, &offset);
		if (reading->round.count == 0)
			return 0;
		status = gdb_round_run(remote, &reading->round, err);
		if (!status)
			status = read_rest(reading, err);
		if (status)
			return status;
	}
}

int gdb_remote_write(struct gdb_remote *remote, uint64_t address, const void *bytes, size_t size,
		     struct error *err)
{
	const size_t most = 192; /* what fits the least packet, and GDB_REQUEST_BYTES */
	char request[GDB_REQUEST_BYTES], reply[64];

	while (size) {
		size_t part = size < most ? size : most;
		int length = snprintf(request, sizeof(request), "M%llx,%zx:", (unsigned long long)address,
				      part);
		int status;

		gdb_hex_encode(bytes, part, request + length);
		status = gdb_remote_ask(remote, request, reply, sizeof(reply), NULL, err);
		if (status)
			return status;
		if (strcmp(reply, "OK") != 0)
			return error_set(err, -EFAULT, "gdb stub: it doesn't write to %#llx",
					 (unsigned long long)address);
		address += part;
		bytes = (const char *)bytes + part;
		size -= part;
	}
	return 0;
}
