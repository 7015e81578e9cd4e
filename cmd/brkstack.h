/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What brkstack's programs and user space share. */
#ifndef DILL_BRKSTACK_H
#define DILL_BRKSTACK_H

#include "trace_event.h"

enum growth_call { GROWTH_BRK, GROWTH_MMAP, GROWTH_MUNMAP, GROWTH_MREMAP, GROWTH_MPROTECT, GROWTH_CALLS };

/* What a call did. */
struct growth {
	__u64 stack;       /* key of `stacks` */
	__s64 change;      /* bytes */
	__u64 old_break, new_break;
	__u64 wanted;      /* brk: the break; else length in bytes */
	__s32 error;       /* errno; 0: none */
	__u32 call;        /* enum growth_call */
};

struct growth_event {
	struct trace_head head;
	struct growth growth;
};

struct growth_key {
	__u64 stack;
	__u32 pid, reserved;
};

struct growth_sums {
	__u64 grown, shrunk; /* bytes */
	__u64 calls, failed;
	__u64 old_break, new_break; /* before the first brk, after the last; 0: none */
	char comm[TRACE_COMM_BYTES];
};

#endif
