/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Puts dill-tracer between gdb and its stub and takes it out again, from within gdb's process: replaces what is
 * behind the number of gdb's descriptor. gdb notices nothing. What the tracer does is stub_proxy.h's part, what
 * is said to it control.h's.
 *
 * gdb must be idle, and its target stand still, for the beginning; not for the end. The tracer is no child of
 * gdb's and in a session of its own: signals of the terminal and gdb's waits miss it.
 *
 * While the tracer is there nobody else has the connection to the stub. So if it dies gdb says "Remote connection
 * closed", and a new `target remote` works at once; interpose_check() then says why.
 */
#ifndef DILL_INTERPOSE_H
#define DILL_INTERPOSE_H

#include <sys/types.h>

#include "error.h"

struct interpose;

/* What the tracer says first, on its RETURN descriptor. */
struct interpose_ready {
	int status; /* 0, or a negative errno and why */
	pid_t pid;
	char text[sizeof(((struct error *)0)->text)];
};

/*
 * Start the program @tracer between gdb's descriptor @fd and the stub (gdb_connection.h finds it), which runs
 * in process @peer of this machine (0: not known). -EBUSY: gdb isn't idle.
 */
int interpose_start(int fd, pid_t peer, const char *tracer, struct interpose **ret_interpose, struct error *err);
/* To say words to the tracer (control.h). Stays ours. */
int interpose_control_fd(const struct interpose *interpose);
pid_t interpose_tracer(const struct interpose *interpose);
/* -EPIPE: the tracer is gone, without having been told to, and gdb's connection with it. */
int interpose_check(const struct interpose *interpose, struct error *err);
/*
 * Have the tracer leave and gdb talk to its stub itself again, unless gdb has closed its connection. Frees
 * @interpose in any case; NULL is fine. A negative return: gdb's connection is lost.
 */
int interpose_stop(struct interpose *interpose, struct error *err);

#endif
