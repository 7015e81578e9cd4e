/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Processes that hfaults has met: sums of what was done for them, and what they have mapped by huge pages. */
#ifndef DILL_HFAULTS_PROCESSES_H
#define DILL_HFAULTS_PROCESSES_H

#include <sys/types.h>

#include "hfaults.h"
#include "trace.h"

struct huge_processes;

struct huge_processes *huge_processes_create(void); /* NULL: out of memory */
void huge_processes_destroy(struct huge_processes *processes);

/* A process that is to be shown although nothing was done for it, perhaps. */
void huge_processes_meet(struct huge_processes *processes, pid_t pid);
/* Into the sums of the event's process. One beyond the budget counts as left out. */
void huge_processes_add(struct huge_processes *processes, const struct huge_event *event);
/*
 * Read what processes have mapped that had events since this was last read: a process that ends keeps what was read last.
 * That takes the kernel time, so a process is not read again for a while. @is_last: all that run are.
 */
void huge_processes_look(struct huge_processes *processes, bool is_last);
/* Rows of sums, then of what is mapped, in the order in which the processes were met. */
int huge_processes_show(struct trace *trace, struct huge_processes *processes);

#endif
