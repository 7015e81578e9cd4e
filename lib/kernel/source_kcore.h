/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The running kernel through /proc/kcore. */
#ifndef DILL_SOURCE_KCORE_H
#define DILL_SOURCE_KCORE_H

#include "error.h"
#include "memory_source.h"

/*
 * Virtual memory through the PT_LOADs, physical memory through those of the direct map. Facts: vmcoreinfo (since
 * 4.19: 23c85094fe18 "proc/kcore: add vmcoreinfo note to /proc/kcore"), mappings, ram.
 *
 * What is within a PT_LOAD but not mapped reads as zeros, not as -EFAULT: fs/proc/kcore.c.
 * Memory that was added after the opening is not seen.
 *
 * -ENOENT: the kernel has no /proc/kcore; -EPERM: it takes CAP_SYS_RAWIO, and no lockdown.
 */
int source_kcore_open(struct memory_source **ret_source, struct error *err);

#endif
