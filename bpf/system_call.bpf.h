/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * System calls by the tracepoints sys_enter and sys_exit, which all calls of the machine pass: 64-bit and 32-bit ones.
 * The tracepoints of single calls (syscalls:sys_enter_mmap …) do without what that costs the other calls, but
 * the kernel leaves 32-bit calls out of them (ARCH_TRACE_IGNORE_COMPAT_SYSCALLS, arch/x86/include/asm/ftrace.h).
 *
 * Registers keep a call's arguments until it returns, so its end alone tells all of it. A program looks at the number
 * first, and leaves.
 */
#ifndef DILL_BPF_SYSTEM_CALL_BPF_H
#define DILL_BPF_SYSTEM_CALL_BPF_H

#include "kernel_types.h"

#define TS_COMPAT 2 /* arch/x86/include/asm/thread_info.h: the call is a 32-bit one */

/* Is the current call one of 32 bits? It has other numbers, and arguments in other registers. */
static __always_inline bool system_call_is_32bit(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, thread_info.status) & TS_COMPAT;
}

static __always_inline void system_call_arguments(struct pt_regs *regs, bool is_32bit, u64 arguments[6])
{
	if (is_32bit) {
		arguments[0] = (u32)regs->bx;
		arguments[1] = (u32)regs->cx;
		arguments[2] = (u32)regs->dx;
		arguments[3] = (u32)regs->si;
		arguments[4] = (u32)regs->di;
		arguments[5] = (u32)regs->bp;
	} else {
		arguments[0] = regs->di;
		arguments[1] = regs->si;
		arguments[2] = regs->dx;
		arguments[3] = regs->r10;
		arguments[4] = regs->r8;
		arguments[5] = regs->r9;
	}
}

#define SYSTEM_CALL_ERRORS 4095 /* MAX_ERRNO: results from -4095 to -1 are errors */
static __always_inline bool system_call_failed(s64 result)
{
	return result < 0 && result >= -SYSTEM_CALL_ERRORS;
}

#endif
