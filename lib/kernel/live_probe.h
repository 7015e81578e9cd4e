/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What live_hidden.c and its BPF program share: first pointers into the running kernel, seen from one CPU. */
#ifndef DILL_LIVE_PROBE_H
#define DILL_LIVE_PROBE_H

struct live_probe {
	unsigned long long task;    /* the task_struct that ran the program */
	unsigned long long map;     /* the struct bpf_map of a per-CPU array of one element */
	unsigned long long element; /* this CPU's copy of the element */
};

#endif
