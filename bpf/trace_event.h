/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What the BPF programs of event commands and user space share: the head of each event, the counters of losses.
 * A command's own events begin with a struct trace_head. Fixed-size types only.
 */
#ifndef DILL_BPF_TRACE_EVENT_H
#define DILL_BPF_TRACE_EVENT_H

#include <linux/types.h>

#define TRACE_COMM_BYTES 16
#define TRACE_STACK_FRAMES 64

/*
 * Types of events that all commands have. A command numbers its own from 0; with TRACE_NOTE it is no event, but tells
 * user space something about some, and counts neither as seen nor as shown.
 */
#define TRACE_NOTE 0x80000000U
enum {
	TRACE_SPACE_WANTED = 0xfffffffd,
	TRACE_PROCESS_FORKED = 0xfffffffe,
	TRACE_PROCESS_ENDED = 0xffffffff,
};

/* Who it was that did it, and when. Ids are as dill's PID namespace has them. */
struct trace_head {
	__u64 time_ns;   /* CLOCK_MONOTONIC */
	__u64 cgroup_id; /* where memory is accounted: in v2, or in the memory hierarchy of v1; 1 is the root */
	__u32 pid, tid;
	__u32 type;
	__u32 cpu;
	char comm[TRACE_COMM_BYTES];
};

/* A process's unwind tables are wanted (trace_stack.bpf.h). */
struct trace_space_event {
	struct trace_head head;
	__u32 space; /* its number for the walker: the process's id in the machine's first PID namespace */
	__u32 reserved;
};

/* A stack of the kernel in an event: addresses from the innermost, or how it could not be had. */
struct trace_stack {
	__s32 count; /* below 0: -errno of bpf_get_stack() */
	__u32 reserved;
	__u64 addresses[TRACE_STACK_FRAMES];
};

/* Counted in the kernel, per CPU. seen = what came to user space or into a map + ring_full + map_full. */
struct trace_counters {
	__u64 seen;      /* events of wanted tasks */
	__u64 ring_full; /* lost: user space did not keep up */
	__u64 map_full;  /* lost: a table of the kernel's side was full */
	__u64 unpaired;  /* ends whose beginning was before the trace, or was lost; not among seen */
	__u64 stacks_lost; /* events whose user stack could not be kept; they are shown without */
	__u64 processes_lost; /* of --follow: a child that no room was left to follow, an end that was not told */
};

#endif
