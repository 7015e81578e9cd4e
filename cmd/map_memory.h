/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* How this kernel gives BPF maps their memory. */
#ifndef DILL_MAP_MEMORY_H
#define DILL_MAP_MEMORY_H

#include <stdbool.h>

struct btf;

/*
 * Elements of hash maps can be allocated one by one (BPF_F_NO_PREALLOC), which makes small traces small. Before
 * 7c8199e24fa0 ("bpf: Introduce any context BPF specific memory allocator", 6.1) the kernel warned about that in tracing
 * programs, with a stack trace in its log, so there the maps are filled beforehand: false.
 */
bool kernel_allocates_elements(const struct btf *types); /* the kernel's; NULL: they are read for this */

#endif
