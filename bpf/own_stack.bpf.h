/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * For programs on uprobes: KEEP_OWN_STACK(context) somewhere in each.
 *
 * Kernels from 6.13 on ("bpf: Support private stack for bpf progs") may give a program of type kprobe one stack per CPU,
 * trusting that it is not preempted by itself. On uprobes it is. The kernel spares programs that contain a tail call, so
 * this is one, which is not reached.
 */
#ifndef DILL_BPF_OWN_STACK_BPF_H
#define DILL_BPF_OWN_STACK_BPF_H

#include "kernel_types.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} no_programs SEC(".maps");

volatile const __u8 never;
#define KEEP_OWN_STACK(context)                                   \
	do {                                                      \
		if (never)                                        \
			bpf_tail_call(context, &no_programs, 0);  \
	} while (0)

#endif
