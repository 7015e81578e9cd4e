/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Which processes are meant: -p, -n and --cgroup, read from /proc at the start. */
#ifndef DILL_TARGETS_H
#define DILL_TARGETS_H

#include <stddef.h>
#include <sys/types.h>

#include "error.h"
#include "run.h"

struct target_list {
	pid_t *pids; /* thread group leaders, each once */
	size_t count;
};

/*
 * -ESRCH when a pid names no process, a name or cgroup has none. A thread's id means its process. Kernel
 * threads have no
 * user memory and are left out of names and cgroups.
 */
int targets_select(const struct trace_settings *settings, struct target_list *ret_targets, struct error *err);
/*
 * Only what -p names, for commands that filter events: threads of the kernel are as good as others there.
 */
int targets_by_pid(const struct trace_settings *settings, struct target_list *ret_targets, struct error *err);
int target_list_add(struct target_list *targets, pid_t pid);
void target_list_deinit(struct target_list *targets);

/* Read /proc/PID/comm into @comm, without its newline; "?" when it can't be read. */
void process_comm(pid_t pid, char comm[16]);

#endif
