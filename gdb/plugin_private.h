/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The session behind plugin.h, shared by the plugin_*.c: gdb as a packet_link, and the kernel that it holds.
 */
#ifndef DILL_GDB_PLUGIN_PRIVATE_H
#define DILL_GDB_PLUGIN_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "call.h"
#include "control.h"
#include "error.h"
#include "kernel.h"
#include "packet_link.h"
#include "plugin.h"
#include "target_guard.h"

struct interpose;

struct dill_gdb {
	struct packet_link link; /* over host */
	struct dill_gdb_host host;
	/* The target's kernel, kept from call to call. NULL: not opened yet. */
	struct kernel *kernel;
	struct kernel_files files; /* that it was opened with; texts owned */
	bool was_direct;           /* as it was opened */
	bool is_stale;             /* the target ran since */
	bool is_direct;            /* what the user wants now */
	char *symbol_folder;       /* of the file that was written for gdb; NULL: none yet */
	struct target_guard guard; /* sets QEMU's reads back should gdb be killed; not there until they are physical */
	struct interpose *interpose; /* the tracer between gdb and the stub; NULL: there is none */
	struct control_asker asker;  /* of the tracer */
	bool is_interrupted;       /* the user pressed Ctrl-C, or left the pager, during this call */
	struct error error;
	char message[sizeof(((struct error *)0)->text) * 2];
};

/* plugin_kernel.c ---- */

/* Begin a call: neither an error nor an interruption yet. */
void session_begin(struct dill_gdb *session);
/*
 * End a call that returns @status: of a negative one the message is kept. A kernel that could not be read on
 * is closed. Returns @status, or -EINTR when the user interrupted it.
 */
int session_end(struct dill_gdb *session, int status);
/* Whether the user wants no more; asks the host. */
bool session_is_interrupted(struct dill_gdb *session);

/* The target's kernel, opened now if need be. Borrowed until the session's next call. As caller.open. */
int session_open_kernel(void *session, const struct kernel_files *files, struct kernel **ret_kernel,
			struct error *err);
/* The same, as the last call had it, whatever its files. */
int session_kernel(struct dill_gdb *session, struct kernel **ret_kernel);
void session_close_kernel(struct dill_gdb *session);
void session_init_link(struct dill_gdb *session);

/* plugin_symbols.c ---- */

/* The folder of the file that was written for gdb, and the file. */
void session_remove_symbols(struct dill_gdb *session);

/* plugin_trace.c ---- */

/* gdb talks to its stub itself again, if it still does at all. */
void session_stop_tracer(struct dill_gdb *session);

/* plugin_sink.c ---- */

/* A stream whose complete lines go to host.write. NULL: out of memory. Ends with fclose(). */
FILE *session_sink(struct dill_gdb *session, bool is_error);

#endif
