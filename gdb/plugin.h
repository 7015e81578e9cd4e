/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * libdill-gdb.so as gdb/dill_session.py sees it, over ctypes: plain C types only. All decoding and formatting is
 * behind these functions; Python registers commands and completes words.
 *
 * All functions are called by gdb's main thread, while the target stands still, unless it says otherwise.
 */
#ifndef DILL_GDB_PLUGIN_H
#define DILL_GDB_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#define DILL_GDB_INTERFACE 1 /* dill_session.py refuses a library with another number */

/* What gdb can do for us. Members may be NULL where gdb can't (a core file has no packets). */
struct dill_gdb_host {
	/* One packet to the stub: size of the answer, or −EIO (no connection), −EINTR (Ctrl-C), −ENOSPC. */
	int64_t (*ask)(const char *request, char *reply, size_t capacity);
	/* Memory as gdb reads it: 0, −EFAULT, −EINTR. */
	int (*read)(uint64_t address, void *buffer, size_t size);
	/* The thread that gdb has selected: its packets are of that thread again after ours. */
	int (*begin)(void);
	void (*end)(void);
	/* Text for the user, UTF-8, in gdb's pager. −EINTR: the user has seen enough. */
	int (*write)(const char *text, size_t size, int is_error);
	/* Not 0: Ctrl-C was pressed. Called now and then by what takes long. */
	int (*is_interrupted)(void);
	/* The process at the stub's end of gdb's connection, if it is on this machine; else 0. */
	int peer;
	/* The words that gdb has of its connection to a stub (gdb_connection.h); NULL: there is none. */
	const char *connection;
};

struct dill_gdb_style {
	int columns;     /* of gdb's terminal; 0: unlimited */
	int is_coloured; /* gdb's `style enabled`, and its output is a terminal */
	int is_direct;   /* read QEMU's memory out of its process where that is allowed */
};

struct dill_gdb;

uint32_t dill_gdb_interface(void);
/*
 * For @peer of struct dill_gdb_host: @words are gdb's for its connection (gdb_connection.h). 0: can't be
 * told.
 */
int dill_gdb_peer(const char *words);
/* One for each inferior. The host is copied, with its text. Opens nothing yet. NULL: out of memory. */
struct dill_gdb *dill_gdb_create(const struct dill_gdb_host *host);
void dill_gdb_destroy(struct dill_gdb *session);
/* The target ran, was changed, or is another one (@is_other): what was read of it is void. */
void dill_gdb_forget(struct dill_gdb *session, int is_other);
/* Why the last call failed: one line, no newline, escaped for a terminal. */
const char *dill_gdb_error(const struct dill_gdb *session);

/*
 * Run "kcache", "kmalloc-64", "--check" … (NULL-terminated, as on dill's command line, without --target) on
 * gdb's target, or on another one if the words say --target. What it says goes to host.write. Returns dill's
 * exit code (0 clean, 1 findings, 2 usage, 3 can't or incomplete), or −EINTR.
 */
int dill_gdb_run(struct dill_gdb *session, const char *const *words, const struct dill_gdb_style *style);

/*
 * The text of `dill help COMMAND` as gdb shows it in `help COMMAND`. To be freed by dill_gdb_free(). NULL:
 * none.
 */
char *dill_gdb_help(const char *command);
/*
 * What @prefix may become: @kind is "cache", "type", "member" (of @of, a type), "task", "command", "option"
 * (of the command @of), "trace" (after `dill` and the words @of, parted by blanks). Lines, to be freed; at
 * most 200. NULL: nothing, or it can't be told. @session may be NULL for what needs no target.
 */
char *dill_gdb_complete(struct dill_gdb *session, const char *kind, const char *of, const char *prefix);
void dill_gdb_free(char *text);

/* Values for $kbase() and the like. 0 or negative errno, with a message. */
int dill_gdb_base(struct dill_gdb *session, uint64_t *ret_address);
/* By pid in decimal, else by name. */
int dill_gdb_task(struct dill_gdb *session, const char *word, uint64_t *ret_address);
int dill_gdb_cache(struct dill_gdb *session, const char *name, uint64_t *ret_address);
/* The object that covers @address: its first byte. -ENOENT: no slab object does. */
int dill_gdb_object(struct dill_gdb *session, uint64_t address, uint64_t *ret_object);
int dill_gdb_percpu(struct dill_gdb *session, uint64_t pointer, uint32_t cpu, uint64_t *ret_address);
int dill_gdb_symbol(struct dill_gdb *session, const char *name, uint64_t *ret_address);
/* "ffffffff81234567 do_exit+0x17": in @text. */
int dill_gdb_symbol_at(struct dill_gdb *session, uint64_t address, char *text, size_t size);

/*
 * Write the kernel's own symbols as an ELF file for gdb's symbol-file (kernel_elf.h). @ret_path: a file of
 * our own that dill_gdb_destroy() removes, or, with @path, that one.
 */
int dill_gdb_write_symbols(struct dill_gdb *session, const char *path, char *ret_path, size_t size);

/*
 * `dill WORDS…`: run, on, off, stop, status, filter, record, log, watch, break, or processes to follow.
 * Starts the tracer (interpose.h) when it is needed. As dill_gdb_run(); may be called while the target
 * runs.
 */
int dill_gdb_trace(struct dill_gdb *session, const char *const *words, const struct dill_gdb_style *style);

#endif
