/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Guest memory straight out of a QEMU process on this machine, by process_vm_readv(2). Where a RAM block lies
 * in the process is a guess by size, proved by comparing contents with what QEMU itself says. Doesn't stop
 * anything.
 */
#ifndef DILL_QEMU_PROCESS_H
#define DILL_QEMU_PROCESS_H

#include <sys/types.h>

#include "error.h"
#include "memory_source.h"
#include "qemu_monitor.h"

struct qemu_process;

/* A piece of guest memory as QEMU says it is, into @buffer; the guest must not run meanwhile. 0 or -EFAULT.
 */
typedef int (*qemu_sample)(void *context, uint64_t address, void *buffer, size_t size);

/*
 * Find all blocks of @ram (copied) in process @pid. -EPERM and -ESRCH as from ptrace; -ENOENT when a block
 * isn't there or can't be told from another.
 */
int qemu_process_open(pid_t pid, const struct qemu_ram *ram, size_t count, qemu_sample sample, void *context,
		      struct qemu_process **ret_process, struct error *err);
void qemu_process_close(struct qemu_process *process);

/* As memory_source_ops.read, of physical memory. -ESRCH: the process is gone. */
int qemu_process_read(struct qemu_process *process, struct memory_read *reads, size_t count,
		      struct error *err);

#endif
