/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What this kernel has that a program could be attached to, by name: tracepoints and functions. Whether one may
 * attach there is kernel_caps.h's question.
 */
#ifndef DILL_KERNEL_TARGETS_H
#define DILL_KERNEL_TARGETS_H

#include <stdbool.h>

#include "cleanup.h"

struct btf;
struct error;
struct kernel_targets;

/* Reads the kernel's BTF. -ENOENT: it has none. */
int kernel_targets_open(struct kernel_targets **ret_targets, struct error *err);
void kernel_targets_close(struct kernel_targets *targets);
DEFINE_CLEANUP(kernel_targets, struct kernel_targets *, kernel_targets_close(v));

/*
 * Whether all of @names are there: words with spaces between, each one alternatives with '|' between.
 *
 *     raw_tp/NAME        tracepoint, its arguments as they are (also tp_btf/, raw_tracepoint/)
 *     tp/GROUP/NAME      the same tracepoint, its formatted record (also tracepoint/)
 *     kprobe/NAME        function (also kretprobe/, fentry/, fexit/): one that was not inlined everywhere
 *
 * These are also what programs' section names say. Anything else is there. @ret_missing (may be NULL, of @size):
 * the first word that is not.
 */
bool kernel_targets_have(struct kernel_targets *targets, const char *names, char *ret_missing, unsigned int size);

/*
 * Which argument of tracepoint @tracepoint is called @argument, from 0, by the prototype of __traceiter_NAME
 * (d25e37d89dd2, 5.10). -ENOENT: none.
 */
int kernel_targets_argument(struct kernel_targets *targets, const char *tracepoint, const char *argument);

/*
 * The name of value @value of enum @type, or NULL. Borrowed.
 */
const char *kernel_targets_enumerator(struct kernel_targets *targets, const char *type, long long value);

/* The kernel's types, borrowed. */
struct btf *kernel_targets_btf(struct kernel_targets *targets);

#endif
