/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The runner of inspecting commands: those that look at a kernel's structures, wherever the kernel is. It
 * owns the options that all of them share (--target …), opens the target, and turns what they say about
 * gaps and findings into messages and exit codes. An inspecting command is a descriptor.
 */
#ifndef DILL_INSPECT_H
#define DILL_INSPECT_H

#include <stdbool.h>

#include "command.h"
#include "kernel.h"
#include "ladder.h"

struct inspection;
struct kernel_types;

/* Values of the options that all inspecting commands have. */
struct inspect_settings {
	const char *target; /* NULL: live */
	struct kernel_files files;
};

extern const struct option_spec inspect_options[];
extern const struct option_spec inspect_options_of_debugger[]; /* the same; the caller has a target */
extern const size_t inspect_option_count;

/* The readers of --target live as capabilities, for dill doctor. What is used is found out by opening. */
extern const struct ladder inspect_live_ladder;

struct inspector {
	/*
	 * Check options and words together, before the target is opened. -EINVAL is a usage error. May be
	 * NULL.
	 */
	int (*configure)(struct inspection *inspection, struct error *err);
	/*
	 * Look, and feed the view. 0 or negative errno. On the running machine capabilities are gone by now:
	 * files to write are opened in configure().
	 */
	int (*show)(struct inspection *inspection, struct error *err);
	/*
	 * The target is opened when inspection_kernel() first asks for it; inspection->kernel is NULL before.
	 */
	bool opens_lazily;
	/* Works on a process with libslub too, --target pid:PID: the kernel is one with kernel->process. */
	bool takes_processes;
	/* The first word is such a process, and there is no --target. */
	bool begins_with_process;
};

/* One run, as the command sees it. */
struct inspection {
	const struct invocation *invocation;
	const struct inspect_settings *settings;
	const void *options; /* the command's own settings */
	struct view *view;
	struct kernel *kernel;
	struct kernel_types *types; /* what inspection_types() opened without the target. Owned by the runner */
	bool has_findings;
	char incomplete[512]; /* the first reason; "" when nothing is missing */
};

/* Open what --target names. The message says what was tried. */
int inspect_open_target(const struct inspect_settings *settings, struct kernel **ret_kernel,
			struct error *err);

/* The words that are the command's own. */
char **inspection_words(const struct inspection *inspection);
/* The target is the caller's own (call.h), and stands still. */
bool inspection_is_of_caller(const struct inspection *inspection);
/* The target, opened now if it wasn't yet. */
int inspection_kernel(struct inspection *inspection, struct kernel **ret_kernel, struct error *err);
/*
 * The target's types, without opening it where they can be had otherwise: --btf, --vmlinux, or the running
 * kernel's own file, which needs no privileges. Borrowed.
 */
int inspection_types(struct inspection *inspection, struct kernel_types **ret_types, struct error *err);

/* A line on stderr, escaped; not with -q. */
void inspect_notice(const struct inspection *inspection, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Damage or another finding: exit 1. */
void inspect_found(struct inspection *inspection);
/* Something is missing in the result: exit 3; the first reason is printed at the end. */
void inspect_incomplete(struct inspection *inspection, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * An address as users write it: "0xffff…", "init_task", "init_task+0x40"; "*slab_caches-0x68" is near to
 * where the pointer there points. -ENOENT: no such symbol; -EFAULT: the pointer can't be read; -EINVAL: the
 * rest is no number.
 */
int inspect_address(struct kernel *kernel, const char *word, uint64_t *ret_address, struct error *err);
/* A digit first, or as many hexadecimal ones as an address has: "dead" may be a symbol. */
bool inspect_is_number(const char *word);
/* Nothing but hexadecimal digits, with or without 0x. -EINVAL, without a message. */
int inspect_hex(const char *word, uint64_t *ret_address);

int run_inspector(struct invocation *invocation, struct inspect_settings *settings, struct error *err);

#endif
