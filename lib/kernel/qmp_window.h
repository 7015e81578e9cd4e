/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Guest memory that QEMU saves to a file of ours, a window of 1 MiB at a time, with the last windows kept.
 * The file is an anonymous one that QEMU opens through /proc, or, where that isn't allowed, a temporary one
 * (0600, QEMU's) that is removed as soon as it was read.
 */
#ifndef DILL_QMP_WINDOW_H
#define DILL_QMP_WINDOW_H

#include "error.h"
#include "memory_source.h"

struct qmp;
struct qmp_windows;

/* @ram: what may be saved; stays the caller's, as @qmp does. 0 or -ENOMEM. */
int qmp_windows_create(struct qmp *qmp, const struct memory_range *ram, size_t ram_count,
		       struct qmp_windows **ret_windows);
void qmp_windows_destroy(struct qmp_windows *windows);
/* The guest ran: what was kept is void. */
void qmp_windows_forget(struct qmp_windows *windows);
/* As memory_source_ops.read, of physical memory. */
int qmp_windows_read(struct qmp_windows *windows, struct memory_read *reads, size_t count, struct error *err);

#endif
