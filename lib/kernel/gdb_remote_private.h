/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What gdb_remote.c and gdb_memory.c (requests by meaning) share with gdb_rounds.c (requests and answers as such). */
#ifndef DILL_GDB_REMOTE_PRIVATE_H
#define DILL_GDB_REMOTE_PRIVATE_H

#include <stddef.h>

#include "gdb_packet.h"
#include "gdb_remote.h"
#include "packet_link.h"

struct gdb_remote {
	struct packet_link link;
	int fd;
	int timeout_ms;
	struct gdb_decoder decoder;
	uint8_t *in;
	size_t in_at, in_size;
	char *out;
	size_t out_at, out_size, out_capacity;
	bool has_requests_queued; /* more than acknowledgements */
	bool has_fence;    /* the stub knows qC */
	unsigned int process; /* of the multiprocess extension, when it is in use; else 0 */
	bool expects_stop; /* a stop reply in between is no surprise, and cost no request */
	void (*on_stop)(void *context); /* such a reply came; may be NULL */
	void *context;
	bool is_lost;
	uint64_t generation;
	struct gdb_remote_traits traits;
	struct gdb_remote_counts counts;
};

enum gdb_taken {
	GDB_TAKEN,      /* the answer is complete */
	GDB_TAKEN_PART, /* another packet of the same answer follows */
	GDB_NONSENSE,   /* no answer to this request */
};

/*
 * A series of requests. make() writes the payload of request @index and returns its size; it may be called
 * again for the same. take() gets its answer, which it may change. start() is called before each try.
 */
struct gdb_round {
	size_t count;
	bool expects_stop; /* the answer is a stop reply */
	size_t (*make)(struct gdb_round *round, size_t index, char *payload, size_t capacity);
	enum gdb_taken (*take)(struct gdb_round *round, size_t index, char *packet, size_t size);
	void (*start)(struct gdb_round *round);
};

/* What a series is part of. */
#define CONTAINER(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

#define GDB_IN_BYTES 65536
/* Payloads of requests, apart from memory to be written. */
#define GDB_REQUEST_BYTES 512
/* Requests ahead of their answers: so many answers of 4 KiB fit into the buffer of a Unix socket. */
#define GDB_WINDOW 24

int gdb_round_run(struct gdb_remote *remote, struct gdb_round *round, struct error *err);

#endif
