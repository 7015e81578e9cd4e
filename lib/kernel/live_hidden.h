/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The running kernel's variables, where its kallsyms hide data (no KALLSYMS_ALL): found by following pointers
 * from those that a BPF program is told, and proven before they are believed.
 */
#ifndef DILL_LIVE_HIDDEN_H
#define DILL_LIVE_HIDDEN_H

struct kernel;

/*
 * Find of slab_caches, init_task, vmemmap_base and the per-CPU offsets what @kernel, which must have types and be
 * this machine's, doesn't know, and enter it there. What can't be found stays unknown. Costs nothing when all are
 * known. Offsets of CPUs that are not online stay 0.
 */
void live_find_hidden(struct kernel *kernel);

#endif
