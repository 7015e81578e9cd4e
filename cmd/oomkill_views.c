// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Declares what oomkill shows. */
#include "oomkill_views.h"

static const char *const kind_names[] = { "killed", "killed_with_group", "dying_already", NULL };

#define OPTIONAL .is_optional = true
static const struct view_column kill_columns[KILL_COLUMNS] = {
	TRACE_HEAD_COLUMNS,
	[KILL_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = kind_names },
	[KILL_CONSTRAINT] = { .name = "constraint", .type = VIEW_TEXT, OPTIONAL },
	[KILL_UID] = { .name = "uid", .type = VIEW_U64 },
	[KILL_ORDER] = { .name = "order", .type = VIEW_I64, OPTIONAL },
	[KILL_GFP] = { .name = "gfp", .type = VIEW_TEXT, OPTIONAL },
	[KILL_GFP_FLAGS] = { .name = "gfp_flags", .type = VIEW_HEX, OPTIONAL },
	[KILL_NODE] = { .name = "node", .type = VIEW_U64, OPTIONAL },
	[KILL_NODES] = { .name = "nodes", .type = VIEW_TEXT, OPTIONAL },
	[KILL_TOTAL] = { .name = "domain_total_bytes", .type = VIEW_BYTES, OPTIONAL },
	[KILL_TOTAL_PAGES] = { .name = "domain_total_pages", .type = VIEW_U64, OPTIONAL },
	[KILL_POINTS] = { .name = "points", .type = VIEW_I64, OPTIONAL },
	[KILL_VICTIM_COMM] = { .name = "victim_comm", .type = VIEW_TEXT },
	[KILL_VICTIM_PID] = { .name = "victim_pid", .type = VIEW_U64 },
	[KILL_VICTIM_UID] = { .name = "victim_uid", .type = VIEW_U64 },
	[KILL_VICTIM_CGROUP_ID] = { .name = "victim_cgroup_id", .type = VIEW_U64 },
	[KILL_VICTIM_CGROUP] = { .name = "victim_cgroup", .type = VIEW_PATH, OPTIONAL },
	[KILL_VICTIM_CONTAINER] = { .name = "victim_container", .type = VIEW_TEXT, OPTIONAL },
	[KILL_VICTIM_RSS] = { .name = "victim_rss_bytes", .type = VIEW_BYTES },
	[KILL_VICTIM_ANON] = { .name = "victim_anon_bytes", .type = VIEW_BYTES },
	[KILL_VICTIM_FILE] = { .name = "victim_file_bytes", .type = VIEW_BYTES },
	[KILL_VICTIM_SHMEM] = { .name = "victim_shmem_bytes", .type = VIEW_BYTES },
	[KILL_VICTIM_SWAP] = { .name = "victim_swap_bytes", .type = VIEW_BYTES },
	[KILL_VICTIM_VIRTUAL] = { .name = "victim_virtual_bytes", .type = VIEW_BYTES },
	[KILL_VICTIM_TABLES] = { .name = "victim_page_table_bytes", .type = VIEW_BYTES },
	[KILL_VICTIM_ADJ] = { .name = "victim_oom_score_adj", .type = VIEW_I64 },
	[KILL_MEMCG_ID] = { .name = "memcg_cgroup_id", .type = VIEW_U64, OPTIONAL },
	[KILL_MEMCG] = { .name = "memcg", .type = VIEW_PATH, OPTIONAL },
	[KILL_MEMCG_USAGE] = { .name = "memcg_bytes", .type = VIEW_BYTES, OPTIONAL },
	[KILL_MEMCG_LIMIT] = { .name = "memcg_limit_bytes", .type = VIEW_BYTES, OPTIONAL },
	[KILL_MEMCG_SWAP] = { .name = "memcg_swap_bytes", .type = VIEW_BYTES, OPTIONAL },
	[KILL_MEMCG_SWAP_LIMIT] = { .name = "memcg_swap_limit_bytes", .type = VIEW_BYTES, OPTIONAL },
	[KILL_MEMCG_BOTH] = { .name = "memcg_memory_and_swap_bytes", .type = VIEW_BYTES, OPTIONAL },
	[KILL_MEMCG_BOTH_LIMIT] = { .name = "memcg_memory_and_swap_limit_bytes", .type = VIEW_BYTES, OPTIONAL },
	[KILL_LOAD_1] = { .name = "load_1", .type = VIEW_DECIMAL, OPTIONAL },
	[KILL_LOAD_5] = { .name = "load_5", .type = VIEW_DECIMAL, OPTIONAL },
	[KILL_LOAD_15] = { .name = "load_15", .type = VIEW_DECIMAL, OPTIONAL },
	[KILL_SOME_10] = { .name = "pressure_some_10s_percent", .type = VIEW_PERCENT, OPTIONAL },
	[KILL_FULL_10] = { .name = "pressure_full_10s_percent", .type = VIEW_PERCENT, OPTIONAL },
	[KILL_SOME_60] = { .name = "pressure_some_60s_percent", .type = VIEW_PERCENT, OPTIONAL },
	[KILL_FULL_60] = { .name = "pressure_full_60s_percent", .type = VIEW_PERCENT, OPTIONAL },
	[KILL_OBSERVED] = { .name = "load_read_after_ns", .type = VIEW_DURATION_NS, OPTIONAL },
	[KILL_PROCESSES] = { .name = "processes", .type = VIEW_U64 },
};

#define KILL_RECORD .columns = kill_columns, .column_count = KILL_COLUMNS
#define SENTENCE KILL_RECORD, .indent = 4, .is_text_only = true

const struct view_record oom_kill_record = {
	.type = "oom_kill", KILL_RECORD, .starts_section = true,
	.text = "{time} {kind}: {victim_comm} (pid {victim_pid}, uid {victim_uid}{?, {victim_cgroup}?})",
};
const struct view_record oom_victim_record = {
	.type = "oom_victim", SENTENCE,
	.text = "had {victim_anon_bytes} anonymous, {victim_file_bytes} of files, {victim_shmem_bytes} shared, {victim_swap_bytes} "
		"in swap, {victim_page_table_bytes} of page tables; oom_score_adj {victim_oom_score_adj}{?, points {points}?}",
};
const struct view_record oom_trigger_record = {
	.type = "oom_trigger", SENTENCE,
	.text = "for {comm} (pid {pid}, uid {uid}{?, {cgroup}?}), who wanted order {order}, {gfp}, node {node}"
		"{? of {nodes}?}; constraint {constraint}",
};
const struct view_record oom_memcg_record = {
	.type = "oom_memcg", SENTENCE,
	.text = "memory cgroup {memcg} holds {memcg_bytes} of {memcg_limit_bytes}",
};
const struct view_record oom_memcg_swap_record = {
	.type = "oom_memcg_swap", SENTENCE,
	.text = "memory cgroup {memcg} holds {memcg_bytes} of {memcg_limit_bytes}, in swap {memcg_swap_bytes} of "
		"{memcg_swap_limit_bytes}",
};
const struct view_record oom_memcg_both_record = {
	.type = "oom_memcg_both", SENTENCE,
	.text = "memory cgroup {memcg} holds {memcg_bytes} of {memcg_limit_bytes}, with swap {memcg_memory_and_swap_bytes} of "
		"{memcg_memory_and_swap_limit_bytes}",
};
const struct view_record oom_total_record = {
	.type = "oom_total", SENTENCE,
	.text = "memory and swap that this cgroup, or these nodes, can have at all: {domain_total_bytes} "
		"({domain_total_pages} pages)",
};
const struct view_record oom_machine_record = {
	.type = "oom_machine", SENTENCE,
	.text = "load {load_1} {load_5} {load_15}; stalled for memory in the last 10 s: some {pressure_some_10s_percent}, "
		"all {pressure_full_10s_percent} of the time",
};
const struct view_record oom_load_record = { .type = "oom_load", SENTENCE, .text = "load {load_1} {load_5} {load_15}" };

static const struct view_column task_columns[TASK_COLUMNS] = {
	[TASK_MONOTONIC] = { .name = "monotonic_ns", .type = VIEW_U64, .is_json_only = true },
	[TASK_VICTIM_PID] = { .name = "victim_pid", .type = VIEW_U64, .is_json_only = true },
	[TASK_COMM] = { .name = "comm", .type = VIEW_TEXT, .width = 15 },
	[TASK_PID] = { .name = "pid", .type = VIEW_U64, .width = 7 },
	[TASK_UID] = { .name = "uid", .type = VIEW_U64, .width = 7 },
	[TASK_RSS] = { .name = "rss_bytes", .title = "RSS", .type = VIEW_BYTES },
	[TASK_ADJ] = { .name = "oom_score_adj", .type = VIEW_I64 },
};
const struct view_record oom_task_record = { .type = "oom_task", .columns = task_columns, .column_count = TASK_COLUMNS,
					     .indent = 4 };

static const struct view_column stack_columns[STACK_COLUMNS] = {
	[STACK_MONOTONIC] = { .name = "monotonic_ns", .type = VIEW_U64, .is_json_only = true },
	[STACK_VICTIM_PID] = { .name = "victim_pid", .type = VIEW_U64, .is_json_only = true },
	[STACK_KERNEL] = { .name = "kernel_stack", .type = VIEW_STACK, OPTIONAL },
	[STACK_USER] = { .name = "user_stack", .type = VIEW_STACK, OPTIONAL },
};
const struct view_record oom_stack_record = {
	.type = "oom_stack", .columns = stack_columns, .column_count = STACK_COLUMNS, .indent = 4,
	.text = "where the trigger was:",
};
