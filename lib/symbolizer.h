/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * From (process, code address) to function, source line and inlined functions.
 *
 * symbolizer_refresh() reads the memory map and opens the mapped files; from then on nothing of the process
 * is needed, so addresses can still be resolved after it has exited, and after its files have been deleted.
 * Each mapped file costs a descriptor (two with a separate debug file, one more in a container): a program
 * that watches many processes wants its RLIMIT_NOFILE raised. Not safe to use from two threads at once.
 */
#ifndef DILL_SYMBOLIZER_H
#define DILL_SYMBOLIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct symbolizer;

struct source_frame {
	const char *symbol;	/* readable name, raw bytes; NULL when unknown */
	uint64_t symbol_offset; /* bytes from the beginning of the function, or of this inlined copy of it */
	const char *object;	/* last part of the path: "libc.so.6"; "[vdso]", "[anon]", "[unknown]" */
	const char *object_path;
	uint64_t object_vaddr; /* as nm shows addresses; the file offset when the file couldn't be opened */
	const char *file;      /* as compiled; NULL when unknown */
	uint32_t line;	       /* 0: unknown */
	bool is_inlined;       /* into the function of the next frame */
};

/* Innermost first: the inlined functions, then the one that was called. At least one frame. */
struct source_frames {
	const struct source_frame *list;
	size_t count;
};

struct symbolizer_options {
	bool wants_lines;
	/*
	 * Without, a frame names the function that was called, with the line inside whatever was inlined
	 * there.
	 */
	bool wants_inlines;
	bool uses_debuginfod;
	const char *debug_directory; /* NULL: /usr/lib/debug */
};

/* Fails when debuginfod is wanted and can't be had (debuginfod.h), so that this is said once. */
int symbolizer_create(const struct symbolizer_options *options, struct symbolizer **ret_symbolizer,
		      struct error *err);
void symbolizer_destroy(struct symbolizer *symbolizer);

/*
 * Read the memory map of a process, again if it is known, and open what it executes. Where something else is
 * mapped now it takes the place of what was; what is no longer mapped stays known, since memory allocated
 * from there may still be held. A mapped file that can't be opened is not a failure: its frames have no
 * symbols. -ESRCH when the process is gone, -EACCES when it may not be looked at; what was known stays.
 */
int symbolizer_refresh(struct symbolizer *symbolizer, pid_t pid, struct error *err);

/* Whether @address is in code that was mapped at a refresh: if not, another refresh may help. */
bool symbolizer_knows(const struct symbolizer *symbolizer, pid_t pid, uint64_t address);

/* Let go of all that is known about a process, for instance because its pid has become another's. */
void symbolizer_forget(struct symbolizer *symbolizer, pid_t pid);

/*
 * Resolve a code address. For a return address the instruction before counts, which is the call, but the
 * offset shown is that of the address itself. An address that is not known gives a frame in "[unknown]".
 *
 * *@ret_frames is borrowed until the next call of refresh, resolve, forget or destroy; the strings in it stay
 * until symbolizer_destroy(), and equal strings are the same pointer. -ENOMEM is the only failure.
 */
int symbolizer_resolve(struct symbolizer *symbolizer, pid_t pid, uint64_t address, bool is_return_address,
		       struct source_frames *ret_frames, struct error *err);

#endif
