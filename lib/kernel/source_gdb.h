/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A kernel's memory behind a gdb stub: QEMU's (virtual and physical memory, all CPUs), KGDB or another
 * (virtual memory, the CPU that it stopped at).
 *
 * The target is left as it was found. QEMU stops a running guest when somebody connects and, up to 8.0, says
 * so (a stop reply that nobody asked for): so it is known whether to let it go again. QEMU from 8.1 on keeps
 * silent (758370052fb, "gdbstub: only send stop-reply packets when allowed to"), and a guest that somebody
 * had paused can't be told from one that ran; as gdb does when it quits, it is let go then, unless the target
 * says ",stay-stopped". A stub that isn't QEMU's stays as it is. Should this process be killed, a guard does
 * all that (target_guard.h).
 */
#ifndef DILL_SOURCE_GDB_H
#define DILL_SOURCE_GDB_H

#include "error.h"
#include "memory_source.h"

struct gdb_remote;

enum target_state {
	TARGET_STOPPED,
	TARGET_RUNNING,
	TARGET_UNKNOWN, /* it can't be told */
};

/*
 * @target is "HOST:PORT", ":PORT" or a socket's path, and may end with ",resume" or ",stay-stopped": what is
 * to become of it afterwards, whatever it was before. -EBUSY when nobody answers there.
 */
int source_gdb_open(const char *target, struct memory_source **ret_source, struct error *err);

/* Only for sources that source_gdb_open() made. */
enum target_state source_gdb_found(const struct memory_source *source);
/* The connection: its counts and traits (gdb_remote.h), and for tests writes. */
struct gdb_remote *source_gdb_remote(struct memory_source *source);

#endif
