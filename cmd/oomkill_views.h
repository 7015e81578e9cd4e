/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What oomkill shows: columns of a kill, and the sentences about it, which share them. */
#ifndef DILL_OOMKILL_VIEWS_H
#define DILL_OOMKILL_VIEWS_H

#include "column.h"
#include "trace.h"

enum {
	KILL_KIND = TRACE_HEAD_COUNT, KILL_CONSTRAINT, KILL_UID, KILL_ORDER, KILL_GFP, KILL_GFP_FLAGS, KILL_NODE, KILL_NODES,
	KILL_TOTAL, KILL_TOTAL_PAGES, KILL_POINTS,
	KILL_VICTIM_COMM, KILL_VICTIM_PID, KILL_VICTIM_UID, KILL_VICTIM_CGROUP_ID, KILL_VICTIM_CGROUP, KILL_VICTIM_CONTAINER,
	KILL_VICTIM_RSS, KILL_VICTIM_ANON, KILL_VICTIM_FILE, KILL_VICTIM_SHMEM, KILL_VICTIM_SWAP, KILL_VICTIM_VIRTUAL,
	KILL_VICTIM_TABLES, KILL_VICTIM_ADJ,
	KILL_MEMCG_ID, KILL_MEMCG, KILL_MEMCG_USAGE, KILL_MEMCG_LIMIT, KILL_MEMCG_SWAP, KILL_MEMCG_SWAP_LIMIT, KILL_MEMCG_BOTH,
	KILL_MEMCG_BOTH_LIMIT,
	KILL_LOAD_1, KILL_LOAD_5, KILL_LOAD_15, KILL_SOME_10, KILL_FULL_10, KILL_SOME_60, KILL_FULL_60, KILL_OBSERVED,
	KILL_PROCESSES, KILL_COLUMNS
};

/* All of the same columns: what was killed, as JSON has it; then sentences, of text alone. */
extern const struct view_record oom_kill_record, oom_victim_record, oom_trigger_record, oom_memcg_record,
	oom_memcg_swap_record, oom_memcg_both_record, oom_total_record, oom_machine_record, oom_load_record;

enum { TASK_MONOTONIC, TASK_VICTIM_PID, TASK_COMM, TASK_PID, TASK_UID, TASK_RSS, TASK_ADJ, TASK_COLUMNS };
extern const struct view_record oom_task_record;

enum { STACK_MONOTONIC, STACK_VICTIM_PID, STACK_KERNEL, STACK_USER, STACK_COLUMNS };
extern const struct view_record oom_stack_record;

#endif
