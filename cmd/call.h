/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Calling a command: words in, text to where the caller wants it, an exit code back. main() calls one and
 * ends with it; gdb's plugin calls many, in a process that is not ours, on a target of its own.
 */
#ifndef DILL_CALL_H
#define DILL_CALL_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

#include "colour.h"
#include "error.h"

struct command;
struct kernel;
struct kernel_files;

struct caller {
	FILE *out;    /* results and help. Borrowed, as all here */
	FILE *errors; /* notices and messages, a line each */
	/*
	 * The process ends with the command: its limits and capabilities are ours to change, and all commands
	 * are offered. Else only inspecting ones.
	 */
	bool owns_process;
	enum colour_when colour;   /* where the words don't say */
	unsigned terminal_columns; /* of the terminal that @out is shown on, which is none itself; 0: isn't */
	/*
	 * The target of inspecting commands whose words name none; NULL: the running machine. It stands
	 * still. The kernel stays the caller's, who may hand out the same one again.
	 */
	int (*open)(void *context, const struct kernel_files *files, struct kernel **ret_kernel,
		    struct error *err);
	void *context;
	struct rlimit locked_memory; /* as it was before dill raised it: what a started command gets */
};

/*
 * argv[0] is the command's name, or help, or version. Returns an exit code (enum exit_code). Where the
 * caller's kernel can't be read any more, kernel->reader says so.
 */
int call_words(const struct caller *caller, int argc, char **argv);

/* What `dill help NAME` says. */
void call_write_help(const struct caller *caller, const struct command *command, FILE *out);

/*
 * "--json", "--target" …: each option of @command in turn from 0 on, its long name without dashes. NULL: no
 * more.
 */
const char *call_option_name(const struct command *command, size_t n);

#endif
