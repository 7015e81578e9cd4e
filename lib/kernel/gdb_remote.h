/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A client of gdb's remote serial protocol: asks a stub for memory and whatever else has an answer. Knows
 * nothing of kernels. Registers: gdb_registers.h.
 *
 * Requests are sent ahead of their answers where the stub has flow control of its own (no-ack mode, QEMU). As
 * answers carry no numbers, each such series ends with a request whose answer can't be memory ("qC"): when
 * it comes too early or too late, the whole series is asked for again.
 *
 * Source: "Debugging with GDB", appendix E "gdb Remote Serial Protocol"; QEMU gdbstub/ for its own packets.
 */
#ifndef DILL_GDB_REMOTE_H
#define DILL_GDB_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "memory_source.h"

struct gdb_remote;
struct packet_link;

/* What went over the wire since the connection began. */
struct gdb_remote_counts {
	uint64_t requests, repeats;     /* packets sent; series and packets sent again */
	uint64_t bytes_sent, bytes_received;
	uint64_t memory_reads, memory_bytes; /* read requests, and bytes that they brought */
	uint64_t stops_seen;            /* stop replies that nobody asked for: the target ran */
};

struct gdb_remote_traits {
	size_t packet_size;  /* characters that the stub takes and sends */
	bool is_qemu;        /* knows Qqemu.PhyMemMode */
	bool has_no_ack, has_binary_read;
	bool is_pipelined;
	bool was_running;    /* the stub said that it stopped when we came */
};

/*
 * Connect to @address (target_socket.h) and agree on the manners. -EBUSY: not a word within @timeout_ms;
 * -ETIMEDOUT: no answer to a later request.
 */
int gdb_remote_open(const char *address, int timeout_ms, struct gdb_remote **ret_remote, struct error *err);
/*
 * The same on a connected stream, which is taken over in any case and made non-blocking. @on_stop (may be
 * NULL) is called as soon as the stub says that it stopped the target for us.
 */
int gdb_remote_open_fd(int fd, int timeout_ms, void (*on_stop)(void *context), void *context,
		       struct gdb_remote **ret_remote, struct error *err);
/* Closes the connection and says nothing to the stub: QEMU's and KGDB's stay stopped. NULL is fine. */
void gdb_remote_close(struct gdb_remote *remote);

const struct gdb_remote_counts *gdb_remote_counts(const struct gdb_remote *remote);
const struct gdb_remote_traits *gdb_remote_traits(const struct gdb_remote *remote);
int gdb_remote_fd(const struct gdb_remote *remote);
/* Grows each time when the target was found to have run since the connection began. */
uint64_t gdb_remote_generation(const struct gdb_remote *remote);

/*
 * Any request with one answer. @reply gets up to @capacity − 1 bytes of it, raw, and a NUL; @ret_size (may be
 * NULL) the size that it had. An answer of size 0 means that the stub doesn't know the request. After a
 * negative return the connection is of no more use, here and below.
 */
int gdb_remote_ask(struct gdb_remote *remote, const char *request, char *reply, size_t capacity,
		   size_t *ret_size, struct error *err);

/* A command to the stub's own monitor (qRcmd; QEMU: HMP). Text to be freed. -EOPNOTSUPP without a monitor. */
int gdb_remote_monitor(struct gdb_remote *remote, const char *command, char **ret_text, struct error *err);

/* The same connection for packet_requests.h. It is the remote's, and lives as long. */
struct packet_link *gdb_remote_link(struct gdb_remote *remote);

/* As memory_source_ops.read, in the address space that the stub is set to. */
int gdb_remote_read(struct gdb_remote *remote, struct memory_read *reads, size_t count, struct error *err);
/* -EFAULT when the stub refuses; what came before may have been written. */
int gdb_remote_write(struct gdb_remote *remote, uint64_t address, const void *bytes, size_t size,
		     struct error *err);

/* Let the target run (c), stop it again (0x03) and wait for that. Both move the generation on. */
int gdb_remote_continue(struct gdb_remote *remote, struct error *err);
int gdb_remote_interrupt(struct gdb_remote *remote, struct error *err);
/* D: the target runs on. */
int gdb_remote_detach(struct gdb_remote *remote, struct error *err);

#endif
