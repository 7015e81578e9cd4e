/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The running machine as a memory source, read by a BPF program: works where there is no /proc/kcore. It needs
 * CAP_BPF and CAP_PERFMON to open (CAP_SYS_ADMIN does for both), a kernel that runs BPF programs on demand
 * (BPF_PROG_TEST_RUN of raw tracepoints: 1b4d60ec162f, 5.10; of syscall programs: 79a7f8bdb159, 5.14), and no
 * lockdown of the level confidentiality.
 *
 * Where the kernel names its variables in /proc/kallsyms, nothing else is found out here. Where it hides them,
 * the facts of struct memory_source are found in memory: live_facts.h.
 */
#ifndef DILL_SOURCE_BPF_H
#define DILL_SOURCE_BPF_H

#include "memory_source.h"

/* -EPERM: not allowed; -EOPNOTSUPP: this kernel can't. The message says what stands in the way. */
int source_bpf_open(struct memory_source **ret_source, struct error *err);

/*
 * The calling task's task_struct, as the kernel sees it: a first pointer into the kernel's data for whoever
 * knows no symbols. @source is one of source_bpf_open().
 */
int source_bpf_current_task(struct memory_source *source, uint64_t *ret_address, struct error *err);

#endif
