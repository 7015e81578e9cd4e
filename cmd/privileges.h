/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Gives up what a running trace no longer needs. */
#ifndef DILL_PRIVILEGES_H
#define DILL_PRIVILEGES_H

#include <stdbool.h>

#include "error.h"

/*
 * Keep of the process's capabilities only those that a trace still uses: to attach to what is mapped later,
 * to read maps and
 * binaries of other users, to wake its own child. No program that is executed from now on can gain any.
 * @keeps_sys_admin: attaching by perf needs that one.
 */
int privileges_reduce(bool keeps_sys_admin, struct error *err);

/*
 * Keep only what reading the running kernel still takes, once all that it takes is open: CAP_SYSLOG for addresses
 * in /proc/kallsyms, which is read late, and CAP_BPF where @can_read fails without it (before c8644cd0efe7, 5.19,
 * bpf(2) as a whole may need it). @can_read reads something; @context is its argument. -EPERM when it fails with
 * all of these: nothing was given up then.
 */
int privileges_reduce_to_reading(bool (*can_read)(void *context), void *context, struct error *err);

#endif
