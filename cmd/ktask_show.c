// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Tasks as rows, as branches of a tree, and with all facts. The JSON is the same for all three. */
#include <stdio.h>
#include <string.h>

#include "ktask.h"

/* Where a column is shown in text. */
enum {
	NOWHERE = 0, /* JSON only */
	ROW = 1,
	FACTS = 2,
	BOTH = ROW | FACTS,
};

/* X(index, JSON name, heading in tables, label in lists or NULL, type, width, where, is optional) */
#define TASK_COLUMNS(X)                                                                             \
	X(ADDR, "addr", "TASK_STRUCT", NULL, VIEW_HEX, 18, ROW, false)                              \
	X(PID, "pid", "PID", NULL, VIEW_I64, 7, BOTH, false)                                        \
	X(TGID, "tgid", "TGID", NULL, VIEW_I64, 7, BOTH, false)                                     \
	X(COMM, "comm", "COMM", NULL, VIEW_TEXT, 16, BOTH, false)                                   \
	X(STATE, "state", "STATE", NULL, VIEW_TEXT, 12, BOTH, false)                                \
	X(STATE_LETTER, "state_letter", NULL, NULL, VIEW_TEXT, 0, NOWHERE, false)                   \
	X(CPU, "cpu", "CPU", NULL, VIEW_U64, 3, BOTH, false)                                        \
	X(ON_CPU, "on_cpu", NULL, "running now", VIEW_BOOL, 0, FACTS, false)                        \
	X(PPID, "ppid", "PPID", NULL, VIEW_I64, 7, BOTH, false)                                     \
	X(UID, "uid", "UID", NULL, VIEW_U64, 6, BOTH, true)                                         \
	X(GID, "gid", NULL, NULL, VIEW_U64, 0, FACTS, true)                                         \
	X(EUID, "euid", NULL, NULL, VIEW_U64, 0, FACTS, true)                                       \
	X(EGID, "egid", NULL, NULL, VIEW_U64, 0, FACTS, true)                                       \
	X(THREADS, "threads", "THR", NULL, VIEW_U64, 4, BOTH, true)                                 \
	X(KTHREAD, "kthread", NULL, "kernel thread", VIEW_BOOL, 0, FACTS, false)                    \
	X(FLAGS, "flags", NULL, NULL, VIEW_TEXT, 0, FACTS, false)                                   \
	X(POLICY, "policy", NULL, NULL, VIEW_TEXT, 0, FACTS, true)                                  \
	X(PRIO, "prio", NULL, NULL, VIEW_I64, 0, FACTS, false)                                      \
	X(NICE, "nice", NULL, NULL, VIEW_I64, 0, FACTS, false)                                      \
	X(RT_PRIORITY, "rt_priority", NULL, NULL, VIEW_I64, 0, FACTS, false)                        \
	X(MM, "mm", NULL, NULL, VIEW_HEX, 0, FACTS, true)                                           \
	X(RSS, "rss_bytes", "RSS", "rss", VIEW_BYTES, 10, BOTH, true)                               \
	X(RSS_ANON, "rss_anon_bytes", NULL, "  anonymous", VIEW_BYTES, 0, FACTS, true)              \
	X(RSS_FILE, "rss_file_bytes", NULL, "  of files", VIEW_BYTES, 0, FACTS, true)               \
	X(RSS_SHMEM, "rss_shmem_bytes", NULL, "  shared", VIEW_BYTES, 0, FACTS, true)               \
	X(SWAP, "swap_bytes", NULL, "swap", VIEW_BYTES, 0, FACTS, true)                             \
	X(VSIZE, "vsize_bytes", "VSIZE", "vsize", VIEW_BYTES, 10, BOTH, true)                       \
	X(START, "start_boottime_ns", NULL, "started after boot", VIEW_DURATION_NS, 0, FACTS, true) \
	X(STACK, "stack", NULL, NULL, VIEW_HEX, 0, FACTS, true)                                     \
	X(STACK_SIZE, "stack_bytes", NULL, "stack size", VIEW_BYTES, 0, FACTS, true)                \
	X(PARENT, "real_parent", NULL, NULL, VIEW_HEX, 0, FACTS, true)                              \
	X(LEADER, "group_leader", NULL, NULL, VIEW_HEX, 0, FACTS, true)                             \
	X(SIGNAL, "signal", NULL, NULL, VIEW_HEX, 0, FACTS, true)                                   \
	X(FILES, "files", NULL, NULL, VIEW_HEX, 0, FACTS, true)                                     \
	X(NSPID, "nspid", NULL, "pid in its namespace", VIEW_I64, 0, FACTS, true)                   \
	X(NSPIDS, "nspids", NULL, "pid by namespace", VIEW_TEXT, 0, FACTS, true)                    \
	X(NS_PID, "pid_ns", NULL, NULL, VIEW_U64, 0, FACTS, true)                                   \
	X(NS_USER, "user_ns", NULL, NULL, VIEW_U64, 0, FACTS, true)                                 \
	X(NS_MNT, "mnt_ns", NULL, NULL, VIEW_U64, 0, FACTS, true)                                   \
	X(NS_UTS, "uts_ns", NULL, NULL, VIEW_U64, 0, FACTS, true)                                   \
	X(NS_IPC, "ipc_ns", NULL, NULL, VIEW_U64, 0, FACTS, true)                                   \
	X(NS_NET, "net_ns", NULL, NULL, VIEW_U64, 0, FACTS, true)                                   \
	X(NS_CGROUP, "cgroup_ns", NULL, NULL, VIEW_U64, 0, FACTS, true)                             \
	X(NS_TIME, "time_ns", NULL, NULL, VIEW_U64, 0, FACTS, true)                                 \
	X(CGROUP, "cgroup", NULL, NULL, VIEW_TEXT, 0, FACTS, true)                                  \
	X(CGROUPS_V1, "cgroups_v1", NULL, NULL, VIEW_TEXT, 0, FACTS, true)                          \
	X(MISSING, "missing", NULL, NULL, VIEW_TEXT, 0, FACTS, true)

enum {
#define INDEX(index, name, heading, label, kind, columns, where, optional) COLUMN_##index,
	TASK_COLUMNS(INDEX)
#undef INDEX
	COLUMN_COUNT
};

#define DECLARE(index, json, heading, kind, columns, is_shown, optional) \
	[COLUMN_##index] = { .name = (json),                             \
			     .title = (heading),                         \
			     .type = (kind),                             \
			     .width = (columns),                         \
			     .is_optional = (optional),                  \
			     .is_json_only = !(is_shown) },
#define IN_ROW(index, name, heading, label, type, width, where, optional) \
	DECLARE(index, name, heading, type, width, (where) & ROW, optional)
#define IN_BRANCH(index, name, heading, label, type, width, where, optional)                           \
	DECLARE(index, name, heading, type, COLUMN_##index == COLUMN_COMM ? 32 : (width), (where) & ROW, \
		optional)
#define IN_FACTS(index, name, heading, label, type, width, where, optional) \
	DECLARE(index, name, label, type, 0, (where) & FACTS, optional)

static const struct view_column row_columns[COLUMN_COUNT] = { TASK_COLUMNS(IN_ROW) };
static const struct view_column branch_columns[COLUMN_COUNT] = { TASK_COLUMNS(IN_BRANCH) };
static const struct view_column facts_columns[COLUMN_COUNT] = { TASK_COLUMNS(IN_FACTS) };

const struct view_record ktask_row_record = {
	.type = "task",
	.columns = row_columns,
	.column_count = COLUMN_COUNT,
};
const struct view_record ktask_branch_record = {
	.type = "task",
	.columns = branch_columns,
	.column_count = COLUMN_COUNT,
};
const struct view_record ktask_facts_record = {
	.type = "task",
	.columns = facts_columns,
	.column_count = COLUMN_COUNT,
};

/* The first line of one task, in text only: in JSON it is a member like the others. */
static const struct view_column address_columns[] = { { .name = "addr", .type = VIEW_HEX } };
const struct view_record ktask_address_record = {
	.type = "task",
	.columns = address_columns,
	.column_count = 1,
	.text = "task_struct: {addr}",
	.starts_section = true,
};

enum { FINDING_KIND, FINDING_ADDR, FINDING_COUNT, FINDING_WHAT, FINDING_COLUMNS };
static const struct view_column finding_columns[FINDING_COLUMNS] = {
	[FINDING_KIND] = { .name = "kind", .type = VIEW_TEXT },
	[FINDING_ADDR] = { .name = "addr", .type = VIEW_HEX, .is_optional = true },
	[FINDING_COUNT] = { .name = "count", .type = VIEW_U64, .is_optional = true },
	[FINDING_WHAT] = { .name = "what", .type = VIEW_TEXT },
};
const struct view_record ktask_finding_record = {
	.type = "finding",
	.columns = finding_columns,
	.column_count = FINDING_COLUMNS,
	.text = "damaged: {what}",
};

/* Texts that values borrow. */
struct texts {
	char letter[2];
	char flags[512];
	char missing[128];
	char nspids[512];
};

static void make_texts(const struct task *task, struct texts *texts)
{
	size_t length = 0;

	texts->letter[0] = task_state_letter(task);
	texts->letter[1] = '\0';
	task_flags_text(task->flags, texts->flags, sizeof(texts->flags));
	task_missing_text(task->missing, texts->missing, sizeof(texts->missing));
	texts->nspids[0] = '\0';
	for (size_t i = 0; i < task->pid_count && length < sizeof(texts->nspids); i++)
		length += snprintf(texts->nspids + length, sizeof(texts->nspids) - length, "%s%d",
				   i ? " " : "", task->pids[i].pid);
}

static struct view_value unless(bool is_absent, struct view_value value)
{
	return is_absent ? view_absent() : value;
}

static struct view_value address_or_none(uint64_t address)
{
	return unless(!address, view_u64(address));
}

static void put_memory(const struct task *task, struct view_value *values)
{
	bool is_absent = !task->has_memory || task->missing & TASK_MISSING_MEMORY;

	values[COLUMN_MM] = address_or_none(task->mm);
	values[COLUMN_RSS] = unless(
		is_absent, view_u64(task->rss_anon_bytes + task->rss_file_bytes + task->rss_shmem_bytes));
	values[COLUMN_RSS_ANON] = unless(is_absent, view_u64(task->rss_anon_bytes));
	values[COLUMN_RSS_FILE] = unless(is_absent, view_u64(task->rss_file_bytes));
	values[COLUMN_RSS_SHMEM] = unless(is_absent, view_u64(task->rss_shmem_bytes));
	values[COLUMN_SWAP] = unless(is_absent, view_u64(task->swap_bytes));
	values[COLUMN_VSIZE] = unless(is_absent, view_u64(task->vsize_bytes));
}

static void put_owners(const struct task *task, const struct texts *texts, struct view_value *values)
{
	bool is_absent = task->missing & TASK_MISSING_CRED;

	values[COLUMN_UID] = unless(is_absent, view_u64(task->uid));
	values[COLUMN_GID] = unless(is_absent, view_u64(task->gid));
	values[COLUMN_EUID] = unless(is_absent, view_u64(task->euid));
	values[COLUMN_EGID] = unless(is_absent, view_u64(task->egid));
	if (task->pid_count) {
		values[COLUMN_NSPID] = view_i64(task->pids[task->pid_count - 1].pid);
		values[COLUMN_NSPIDS] = view_text(texts->nspids);
	}
	for (int kind = 0; kind < TASK_NS_COUNT; kind++) /* the columns are in the order of the kinds */
		values[COLUMN_NS_PID + kind] =
			unless(!task->namespaces[kind], view_u64(task->namespaces[kind]));
	values[COLUMN_CGROUP] = view_text(task->cgroup);
	values[COLUMN_CGROUPS_V1] = view_text(task->cgroups_v1);
}

static void put_schedule(const struct task *task, const struct texts *texts, struct view_value *values)
{
	values[COLUMN_STATE] = view_text(task_state_name(task));
	values[COLUMN_STATE_LETTER] = view_text(texts->letter);
	values[COLUMN_CPU] = view_u64(task->cpu);
	values[COLUMN_ON_CPU] = view_bool(task->is_on_cpu);
	values[COLUMN_KTHREAD] = view_bool(task->is_kernel_thread);
	values[COLUMN_FLAGS] = view_text(texts->flags);
	values[COLUMN_POLICY] = view_text(task_policy_name(task->policy));
	values[COLUMN_PRIO] = view_i64(task->prio);
	values[COLUMN_NICE] = view_i64(task->nice);
	values[COLUMN_RT_PRIORITY] = view_i64(task->rt_priority);
	values[COLUMN_START] = view_u64(task->start_boottime_ns);
}

static void put_task(const struct task *task, const struct texts *texts, struct view_value *values)
{
	values[COLUMN_ADDR] = view_u64(task->addr);
	values[COLUMN_PID] = view_i64(task->pid);
	values[COLUMN_TGID] = view_i64(task->tgid);
	values[COLUMN_PPID] = view_i64(task->ppid);
	values[COLUMN_COMM] = view_text(task->comm);
	values[COLUMN_THREADS] = unless(!task->thread_count, view_u64(task->thread_count));
	values[COLUMN_STACK] = address_or_none(task->stack);
	values[COLUMN_STACK_SIZE] = unless(!task->stack, view_u64(task->stack_size));
	values[COLUMN_PARENT] = address_or_none(task->real_parent);
	values[COLUMN_LEADER] = address_or_none(task->group_leader);
	values[COLUMN_SIGNAL] = address_or_none(task->signal);
	values[COLUMN_FILES] = address_or_none(task->files);
	values[COLUMN_MISSING] = unless(!task->missing, view_text(texts->missing));
	put_schedule(task, texts, values);
	put_memory(task, values);
	put_owners(task, texts, values);
}

int ktask_show_row(struct view *view, const struct task *task)
{
	struct view_value values[COLUMN_COUNT] = { 0 };
	struct texts texts;

	make_texts(task, &texts);
	put_task(task, &texts, values);
	return view_row(view, &ktask_row_record, values);
}

int ktask_show_branch(struct view *view, const struct task *task, unsigned level)
{
	struct view_value values[COLUMN_COUNT] = { 0 };
	struct texts texts;

	make_texts(task, &texts);
	put_task(task, &texts, values);
	values[COLUMN_COMM] = view_text_at(task->comm, level);
	return view_row(view, &ktask_branch_record, values);
}

int ktask_show_facts(const struct inspection *inspection, const struct task *task)
{
	struct view_value values[COLUMN_COUNT] = { 0 };
	const struct view_value address = view_u64(task->addr);
	struct texts texts;
	int status = 0;

	make_texts(task, &texts);
	put_task(task, &texts, values);
	if (!inspection->invocation->output.is_json)
		status = view_object(inspection->view, &ktask_address_record, &address);
	return status ? status : view_object(inspection->view, &ktask_facts_record, values);
}

static int show_finding(struct inspection *inspection, const char *kind, uint64_t address, uint64_t count,
			const char *what)
{
	const struct view_value values[FINDING_COLUMNS] = {
		[FINDING_KIND] = view_text(kind),
		[FINDING_ADDR] = address_or_none(address),
		[FINDING_COUNT] = unless(!count, view_u64(count)),
		[FINDING_WHAT] = view_text(what),
	};

	/* What goes on running changes under the walk: that is no damage. */
	if (inspection->kernel->source->is_live) {
		inspect_incomplete(inspection, "%s", what);
		return 0;
	}
	inspect_found(inspection);
	return view_object(inspection->view, &ktask_finding_record, values);
}

int ktask_show_damage(struct inspection *inspection, const struct tasks *tasks)
{
	char what[256];
	int status = 0;

	if (tasks->damage != LIST_INTACT) {
		snprintf(what, sizeof(what), "the list of processes %s at 0x%llx",
			 list_damage_text(tasks->damage), (unsigned long long)tasks->damaged_node);
		status = show_finding(inspection, "task_list", tasks->damaged_node, 0, what);
	}
	if (!status && tasks->damaged_groups) {
		snprintf(what, sizeof(what), "the lists of threads of %zu %s", tasks->damaged_groups,
			 tasks->damaged_groups == 1 ? "process" : "processes");
		status = show_finding(inspection, "thread_list", 0, tasks->damaged_groups, what);
	}
	if (!status && tasks->impossible) {
		snprintf(what, sizeof(what), "%zu of what the lists lead to can't be a task",
			 tasks->impossible);
		status = show_finding(inspection, "task_struct", 0, tasks->impossible, what);
	}
	if (tasks->unreadable)
		inspect_incomplete(inspection, "%zu %s can't be read", tasks->unreadable,
				   tasks->unreadable == 1 ? "task" : "tasks");
	if (tasks->incomplete)
		inspect_incomplete(inspection, "parts of %zu %s can't be read", tasks->incomplete,
				   tasks->incomplete == 1 ? "task" : "tasks");
	return status;
}
