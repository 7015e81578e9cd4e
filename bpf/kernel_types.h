/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The few fields of kernel types that BPF programs read, each relocated by CO-RE against the running kernel.
 * Hand-written, so that a build never depends on the build host's kernel. Only what is in use belongs here.
 */
#ifndef DILL_BPF_KERNEL_TYPES_H
#define DILL_BPF_KERNEL_TYPES_H

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#define SIGSTOP 19 /* include/uapi/asm-generic/signal.h */

/* arch/x86/include/asm/ptrace.h. The layout is fixed: uprobe programs get it as context, without relocation. */
struct pt_regs {
	u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct { /* include/linux/sched.h */
	int pid;
	int tgid;
};

#pragma clang attribute pop

#endif
