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

#endif
