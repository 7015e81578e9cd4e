/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What a command is: a descriptor. call.c finds it, the runner or its own function runs it.
 *
 * To add a command:
 * 1. cmd/NAME.c with `const struct command NAME_command`; a tracing command also cmd/NAME.bpf.c and
 * cmd/NAME.h;
 *   2. one line in commands.def;
 *   3. tests/cli/NAME-*.test and docs/dill-NAME.1: `make check` fails without them.
 */
#ifndef DILL_COMMAND_H
#define DILL_COMMAND_H

#include "options.h"

struct caller;
struct inspector;
struct tracer;
struct view;
struct view_record;

/* Exit codes, the same for every command. */
enum exit_code {
	EXIT_CLEAN = 0,
	EXIT_FINDINGS = 1,   /* a leak above the threshold, damage found */
	EXIT_USAGE = 2,
	EXIT_INCOMPLETE = 3, /* cannot run here, or the result is incomplete */
};

/* Options of every command. */
struct output_settings {
	bool is_json;
	bool is_quiet;
	bool is_verbose;
	bool wants_help;
	const char *colour;
};

/* How a command was called. Lives as long as the command runs. */
struct invocation {
	const struct caller *caller; /* call.h */
	const struct command *command;
	struct output_settings output;
	void *settings; /* of the command's own options */
	char **words;   /* what follows the options, NULL-terminated; after "--", where that is */
	int word_count;
	char **arguments; /* of a tracer that takes any: what stands before "--", or all words when there is none */
	int argument_count;
	bool has_dashes; /* "--" stood before the words */
	struct view *view;
};

struct command {
	const char *name;
	const char *summary;     /* one line, no full stop */
	const char *usage;       /* lines of usage without "dill NAME" */
	const char *description; /* a paragraph or two for the help */
	const struct option_spec *options;
	size_t option_count;
	size_t settings_size;
	const void *defaults; /* of settings_size bytes; NULL: zeros */
	const struct tracer *tracer;       /* run.h: a tracing command */
	const struct inspector *inspector; /* inspect.h: an inspecting command. Neither: `run` does it all */
	const struct view_record *const *records; /* all that it shows, NULL-terminated: checked before it runs */
	int (*run)(struct invocation *invocation, struct error *err); /* returns an exit code, or negative errno */
};

/* All commands, NULL-terminated, in the order of the help. */
extern const struct command *const commands[];
const struct command *command_find(const char *name);

/* "dill NAME: message" on stderr, or whatever the caller has in its place; escaped. */
void complain(const struct invocation *invocation, const char *message);

#endif
