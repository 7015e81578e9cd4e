/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Somebody who can exchange packets with a gdb stub whose target stands still, on a connection that isn't
 * ours alone: gdb itself (gdb.RemoteTargetConnection.send_packet()), or stub_proxy.h.
 */
#ifndef DILL_PACKET_LINK_H
#define DILL_PACKET_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "memory_source.h"

struct packet_link {
	/*
	 * Send @request (text without framing) and wait for its answer, at most @capacity − 1 bytes, with
	 * escapes and run lengths undone, and a NUL. Text that the stub prints on the way (O packets: qRcmd)
	 * comes first, still in hexadecimal and without its O. -EIO: the connection is gone; -EINTR: the user
	 * pressed Ctrl-C. Never NULL.
	 */
	int (*ask)(struct packet_link *link, const char *request, char *reply, size_t capacity,
		   size_t *ret_size, struct error *err);
	/*
	 * Memory in the address space that the stub is set to, if the link can do better than by one m packet
	 * after the other; NULL otherwise. As memory_source_ops.read.
	 */
	int (*read)(struct packet_link *link, struct memory_read *reads, size_t count, struct error *err);
	/*
	 * Whoever owns the connection has a thread selected; told before and after we select others (Hg). May
	 * be NULL.
	 */
	int (*begin)(struct packet_link *link, struct error *err);
	void (*end)(struct packet_link *link);
	/*
	 * True: the user pressed Ctrl-C. Asked now and then by what takes long without packets. May be NULL.
	 */
	bool (*is_interrupted)(struct packet_link *link);
	/*
	 * The process at the other end if it runs on this machine, else 0: QEMU's memory is then read
	 * directly.
	 */
	pid_t peer;
	size_t piece_bytes; /* packet_requests.c's own: memory that the stub brings at once; 0: unknown */
};

/*
 * A memory source over @link, which stays the caller's and must outlive it: registers of all CPUs, virtual
 * memory, and from QEMU physical memory, directly out of its process where that is allowed and @is_direct.
 * The stub's address space (Qqemu.PhyMemMode) is as before after every read.
 */
int source_packets_open(struct packet_link *link, bool is_direct, struct memory_source **ret_source,
			struct error *err);
/* The target ran, or is another one: the generation moves on, registers are asked for anew. */
int source_packets_refresh(struct memory_source *source, struct error *err);
/* "gdb's packets", "memory of process 123". */
const char *source_packets_way(const struct memory_source *source);

#endif
