/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A running process's memory, by process_vm_readv(2): it is not stopped, not traced and not told. What is read together
 * may be of slightly different moments. Needs what ptrace(2) needs: the same user, or CAP_SYS_PTRACE.
 */
#ifndef DILL_SOURCE_PROCESS_H
#define DILL_SOURCE_PROCESS_H

#include <sys/types.h>

#include "memory_source.h"

/* @pid, which may be a thread's. -ESRCH: there is no such process; -EPERM: it may not be read. */
int source_process_open(pid_t pid, struct memory_source **ret_source, struct error *err);

/*
 * The 8 bytes at @address won't change as long as the process runs this program: from now on each answer is checked
 * with them, so that nothing is taken from the program of an execve(2) that came in between. -EFAULT.
 */
int source_process_watch(struct memory_source *source, uint64_t address, struct error *err);

#endif
