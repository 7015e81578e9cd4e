/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Starts the command that is to be traced. It waits before exec until the tracer is ready. Should dill die, the
 * kernel sends the child SIGCONT, so that one which was stopped for attaching goes on.
 */
#ifndef DILL_LAUNCH_H
#define DILL_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "error.h"

struct launch;

struct rlimit;

/* Fork a child that will exec @words, with @locked_memory for its RLIMIT_MEMLOCK. */
int launch_prepare(char **words, const struct rlimit *locked_memory, struct launch **ret_launch, struct error *err);
pid_t launch_pid(const struct launch *launch);
/* Let it exec. Call once. */
int launch_release(struct launch *launch, struct error *err);
/*
 * Wait (up to a second) until the child has stopped by the SIGSTOP a program sent. False: it never did, or
 * is gone.
 */
bool launch_wait_stopped(struct launch *launch);
void launch_continue(struct launch *launch);
/* The exec failed: -errno of it, once known; 0 otherwise. */
int launch_exec_error(struct launch *launch);
/* Forget it: what was never released is killed; what runs runs on. NULL is fine. */
void launch_destroy(struct launch *launch);

#endif
