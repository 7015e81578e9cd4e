// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * User stacks of event commands (bpf/trace_stack.bpf.h): tables for the walker when it asks, and stacks by their keys.
 * What a process maps is opened when its tables are made, so its stacks can be named after it has exited.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "map_memory.h"
#include "stack_layout.h"
#include "stack_tables.h"
#include "trace_private.h"

#define TABLES_BUDGET (64ULL << 20)
#define RARE_TABLES_BUDGET (16ULL << 20)
#define MOST_STACKS 8192 /* 1 KiB each, taken beforehand: new stacks come in bursts */
#define MOST_RARE_STACKS 1024

/* Maps of the walker: of one element each when nobody wants stacks. */
static const char *const walker_maps[] = { "trace_spaces", "walk_cache", "layouts", "unwind_tables", "stacks" };

int trace_user_stacks(struct trace *trace, bool are_wanted, struct error *err)
{
	trace->private->wants_user_stacks = are_wanted;
	trace->private->tables_budget = TABLES_BUDGET;
	if (!trace_map(trace, "cpu_walks"))
		return are_wanted ? error_set(err, -ENOENT, "this is a defect of dill: its programs walk no stacks") : 0;
	for (size_t i = 0; i < sizeof(walker_maps) / sizeof(*walker_maps) && !are_wanted; i++)
		bpf_map__set_max_entries(trace_map(trace, walker_maps[i]), 1);
	if (!are_wanted)
		return trace_set(trace, "walk_cache_mask", 0, err);
	bpf_map__set_max_entries(trace_map(trace, "stacks"), MOST_STACKS);
	if (kernel_allocates_elements(kernel_targets_btf(trace_targets(trace))))
		bpf_map__set_map_flags(trace_map(trace, "layouts"), BPF_F_NO_PREALLOC);
	else
		bpf_map__set_max_entries(trace_map(trace, "layouts"), 64);
	return 0;
}

int trace_rare_user_stacks(struct trace *trace, struct error *err)
{
	int status = trace_user_stacks(trace, true, err);

	if (!status)
		status = trace_set(trace, "walk_is_cached", 0, err);
	if (!status)
		status = trace_set(trace, "walk_cache_mask", 0, err);
	if (status)
		return status;
	bpf_map__set_max_entries(trace_map(trace, "walk_cache"), 1);
	bpf_map__set_max_entries(trace_map(trace, "stacks"), MOST_RARE_STACKS);
	trace->private->tables_budget = RARE_TABLES_BUDGET;
	return 0;
}

int trace_tables_open(struct trace *trace, struct error *err)
{
	struct stack_tables_maps maps;
	int status;

	if (!trace->private->wants_user_stacks)
		return 0;
	maps = (struct stack_tables_maps){ trace_map_fd(trace, "layouts"), trace_map_fd(trace, "unwind_tables"),
					   trace_variable(trace, "walk_epoch") };
	if (!maps.epoch)
		return error_set(err, -ENOENT, "this is a defect of dill: the walker's epoch is nowhere");
	status = stack_tables_create(&maps, trace->private->tables_budget, &trace->private->tables);
	for (size_t i = 0; i < trace->run->target_count && !status; i++)
		trace_tables_add(trace, trace->run->targets[i], trace->private->is_nested ? 0 : trace->run->targets[i]);
	return status ? error_set(err, status, "out of memory") : 0;
}

void trace_tables_add(struct trace *trace, pid_t pid, uint32_t space)
{
	struct error err = { 0 };

	if (!trace->private->tables)
		return;
	if (space && stack_tables_update(trace->private->tables, pid, space, &err)) /* gone already: frame pointers */
		run_verbose(trace->run, "no unwind tables for process %d: %s", pid, err.text);
	trace_stacks_learn(trace, pid);
}

void trace_tables_wanted(struct trace *trace, const struct trace_space_event *event)
{
	struct trace_private *private = trace->private;

	if (event->space == private->last_space && event->head.time_ns < private->last_space_ns)
		return;
	trace_tables_add(trace, event->head.pid, event->space);
	private->last_space = event->space;
	private->last_space_ns = run_monotonic_ns();
}

const struct view_stack *trace_user_frames(struct trace *trace, pid_t pid, uint64_t key, bool is_second)
{
	struct stack_trace stack;

	if (!(key & STACK_KEY_IS_HASH) || bpf_map_lookup_elem(trace_map_fd(trace, "stacks"), &key, &stack))
		return NULL;
	return trace_stacks_show(trace, pid, stack.addresses, stack.count, !(stack.flags & STACK_IS_COMPLETE), is_second);
}
