/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Requests by meaning over a packet_link: memory, the stub's monitor, its objects; and what of a target they
 * tell that a memory source wants to know. Doesn't decide which address space the stub reads.
 * Source: "Debugging with GDB", appendix E "gdb Remote Serial Protocol"; QEMU gdbstub/ for its own packets.
 */
#ifndef DILL_PACKET_REQUESTS_H
#define DILL_PACKET_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "memory_source.h"
#include "qemu_monitor.h"

struct packet_link;

/*
 * Negative returns below are the link's own (-EIO, -EINTR: nothing more can be asked) unless stated.
 *
 * A command to the stub's own monitor (qRcmd; QEMU: HMP). Text to be freed. -EOPNOTSUPP without a monitor.
 */
int packet_monitor(struct packet_link *link, const char *line, char **ret_text, struct error *err);

/* An object of qXfer, whole, NUL-terminated, to be freed: "features", "target.xml". -ENOENT. */
int packet_transfer(struct packet_link *link, const char *object, const char *annex, char **ret_text,
		    struct error *err);

/* As memory_source_ops.read, in the address space that the stub is set to: link->read, or m packets. */
int packet_read(struct packet_link *link, struct memory_read *reads, size_t count, struct error *err);
/*
 * The same of physical memory, to which the stub is set. Outside of @ram are devices, which a read may
 * disturb: -EFAULT. @ram_count 0: nobody knows where RAM is, all is asked for.
 */
int packet_read_ram(struct packet_link *link, const struct memory_range *ram, size_t ram_count,
		    struct memory_read *reads, size_t count, struct error *err);

/* QEMU: memory requests are of physical memory from now on, or of the current CPU's virtual memory. */
int packet_set_physical(struct packet_link *link, bool is_physical, struct error *err);

/* What a stub tells of its target. All zeros: nothing yet. */
struct packet_facts {
	bool is_qemu;      /* knows Qqemu.PhyMemMode */
	bool was_physical; /* what its memory requests are of now */
	struct cpu_registers *cpus; /* owned */
	size_t cpu_count;
	struct qemu_ram *blocks;    /* owned; QEMU only */
	size_t block_count;
	struct memory_range *ram;   /* owned; QEMU only */
	size_t ram_count;
};

/* is_qemu and was_physical. */
int packet_find_kind(struct packet_link *link, struct packet_facts *facts, struct error *err);
/* The CPUs' registers anew: all of QEMU's, else of the thread that the stub stopped at. */
int packet_find_cpus(struct packet_link *link, struct packet_facts *facts, struct error *err);
/* Where QEMU's RAM is. What its monitor doesn't say stays unknown. */
int packet_find_ram(struct packet_link *link, struct packet_facts *facts, struct error *err);
void packet_facts_deinit(struct packet_facts *facts);

#endif
