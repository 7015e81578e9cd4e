/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * gdb's own socket to a stub, found among the descriptors of this process: all that gdb tells its plugins of it
 * are the words that its user gave to `target remote`. Nothing is sent or changed.
 */
#ifndef DILL_GDB_CONNECTION_H
#define DILL_GDB_CONNECTION_H

#include <sys/types.h>

#include "error.h"

struct gdb_connection {
	int fd;     /* borrowed from gdb */
	pid_t peer; /* the process at the stub's end; 0: not on this machine, or it can't be seen */
};

/*
 * @words: "PATH", "HOST:PORT", ":PORT", "tcp:HOST:PORT" and so on (gdb manual, Connecting to a Remote Target).
 * -ENOENT: there is no such socket (a pipe or a serial line, perhaps). -ENOTUNIQ: there are several.
 */
int gdb_connection_find(const char *words, struct gdb_connection *ret_connection, struct error *err);

#endif
