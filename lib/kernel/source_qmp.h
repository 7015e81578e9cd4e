/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A guest's physical memory by way of QEMU's monitor (QMP). A guest that runs is stopped while it is looked
 * at and continued afterwards, also when this process is killed (target_guard.h); one that is stopped stays
 * so. The memory itself is read out of QEMU's process where that is here and we may (qemu_process.h), else
 * QEMU saves it to a file of ours.
 */
#ifndef DILL_SOURCE_QMP_H
#define DILL_SOURCE_QMP_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "memory_source.h"

/* @target is a socket's path or HOST:PORT; with ",save" at its end memory is never read out of the process.
 */
int source_qmp_open(const char *target, struct memory_source **ret_source, struct error *err);

/* For sources that source_qmp_open() made: whether memory is read out of QEMU's process; commands so far. */
bool source_qmp_is_direct(const struct memory_source *source);
uint64_t source_qmp_requests(const struct memory_source *source);

#endif
