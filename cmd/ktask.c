// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill ktask: the tasks of a kernel, all of them or those that are asked for. Finds them; ktask_*.c show
 * them.
 */
#include "ktask.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define AT(member) offsetof(struct ktask_settings, member)

static const struct option_spec ktask_options[] = {
	{ 't', "threads", NULL, OPTION_FLAG, AT(wants_threads), NULL, "all threads, not only processes" },
	{ 0, "idle", NULL, OPTION_FLAG, AT(wants_idle), NULL, "the CPUs' idle tasks too" },
	{ 0, "tree", NULL, OPTION_FLAG, AT(wants_tree), NULL, "children below their parents" },
	{ 0, "stack", NULL, OPTION_FLAG, AT(wants_stack), NULL, "the kernel stack's functions" },
	{ 0, "files", NULL, OPTION_FLAG, AT(wants_files), NULL, "open files" },
	{ 0, "maps", NULL, OPTION_FLAG, AT(wants_maps), NULL, "memory mappings" },
};

DEFINE_CLEANUP(parts, struct ktask_parts *, ktask_parts_close(v));

static void cleanup_tasks(struct tasks *tasks)
{
	tasks_deinit(tasks);
}

/* How the argument names tasks. */
struct wanted {
	const char *word;
	enum { BY_NAME, BY_PID, BY_ADDRESS } kind;
	uint64_t number;
};

static void parse_wanted(const char *word, struct wanted *ret_wanted)
{
	struct wanted wanted = { .word = word, .kind = BY_NAME };
	bool is_address = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
	char *end;

	errno = 0;
	/* An address without 0x has 16 digits. */
	if (is_address || (strlen(word) == 16 && strspn(word, "0123456789abcdefABCDEF") == 16)) {
		wanted.number = strtoull(word, &end, 16);
		if (!errno && !*end)
			wanted.kind = BY_ADDRESS;
	} else if (isdigit((unsigned char)word[0])) {
		wanted.number = strtoull(word, &end, 10);
		if (!errno && !*end && wanted.number <= TASK_PID_LIMIT)
			wanted.kind = BY_PID;
	}
	*ret_wanted = wanted;
}

static bool matches(const struct tasks *tasks, const struct task *task, const struct wanted *wanted)
{
	switch (wanted->kind) {
	case BY_PID:
		return (uint64_t)task->pid == wanted->number;
	case BY_ADDRESS:
		return tasks_at(tasks, wanted->number) == task;
	default:
		return task_is_called(task, wanted->word);
	}
}

/* Marks what the argument means: processes first, threads only where no process is meant. */
static size_t choose(const struct tasks *tasks, const struct wanted *wanted, bool wants_threads, bool *chosen)
{
	size_t count = 0;

	for (size_t i = 0; i < tasks->count; i++)
		if (tasks->list[i].is_leader && matches(tasks, &tasks->list[i], wanted))
			count += chosen[i] = true;
	for (size_t i = 0; i < tasks->count; i++)
		if (!tasks->list[i].is_leader && (!count || wants_threads) &&
		    matches(tasks, &tasks->list[i], wanted))
			chosen[i] = true;
	for (size_t i = 0; i < tasks->count; i++) {
		const struct task *leader = tasks_by_pid(tasks, tasks->list[i].tgid);

		if (wants_threads && leader && leader->pid && chosen[leader - tasks->list])
			chosen[i] = true;
	}
	count = 0;
	for (size_t i = 0; i < tasks->count; i++)
		count += chosen[i];
	return count;
}

static bool contains_word(const char *text, const char *word)
{
	return strcasestr(text, word) || (text[0] && strcasestr(word, text));
}

/* Add a name to those that are suggested, once. */
static void suggest(char *text, size_t size, const char *name)
{
	size_t length = strlen(text);
	char quoted[TASK_COMM_MAX + 4];

	snprintf(quoted, sizeof(quoted), "'%s'", name);
	if (!strstr(text, quoted))
		snprintf(text + length, size - length, "%s%s", length ? ", " : "", quoted);
}

#define SUGGESTIONS_BYTES 100

static int not_found(const struct tasks *tasks, const struct wanted *wanted, struct error *err)
{
	CLEANUP(free) const char **names = calloc(tasks->count + 1, sizeof(*names));
	char near[SUGGESTIONS_BYTES + TASK_COMM_MAX + 8] = "";
	const char *nearest;

	if (wanted->kind == BY_ADDRESS)
		return error_set(err, -ENOENT, "no task is at %s, nor has its stack there", wanted->word);
	if (wanted->kind == BY_PID)
		return error_set(err, -ENOENT, "no task has the pid %s: there are %zu", wanted->word,
				 tasks->count);
	if (!names)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < tasks->count; i++) {
		names[i] = tasks->list[i].comm;
		if (contains_word(names[i], wanted->word) && strlen(near) < SUGGESTIONS_BYTES)
			suggest(near, sizeof(near), names[i]);
	}
	nearest = nearest_name(wanted->word, names);
	if (nearest && strlen(near) < SUGGESTIONS_BYTES)
		suggest(near, sizeof(near), nearest);
	return error_set(err, -ENOENT, "no task is called '%s'%s%s", wanted->word,
			 near[0] ? ": near are " : "", near);
}

static int show_chosen(struct inspection *inspection, struct tasks *tasks, const bool *chosen,
		       struct ktask_parts *parts, struct error *err)
{
	int status = 0;

	for (size_t i = 0; i < tasks->count && !status; i++) {
		if (!chosen[i])
			continue;
		status = task_complete(tasks->kernel, &tasks->layout, &tasks->list[i]);
		if (status)
			return error_set(err, status, "out of memory");
		tasks->incomplete += tasks->list[i].missing != 0;
		status = ktask_show_facts(inspection, &tasks->list[i]);
		if (!status)
			status = ktask_parts_show(parts, &tasks->list[i]);
	}
	return status;
}

static int show_wanted(struct inspection *inspection, const struct ktask_settings *settings, const char *word,
		       struct ktask_parts *parts, struct error *err)
{
	CLEANUP(tasks) struct tasks tasks = { 0 };
	struct wanted wanted;
	int status = tasks_read(inspection->kernel, TASKS_THREADS | TASKS_IDLE | TASKS_BRIEF, &tasks, err);

	if (status)
		return status;

	CLEANUP(free) bool *chosen = calloc(tasks.count, sizeof(*chosen));

	if (!chosen)
		return error_set(err, -ENOMEM, "out of memory");
	parse_wanted(word, &wanted);
	if (!choose(&tasks, &wanted, settings->wants_threads, chosen)) {
		wanted.kind = wanted.kind == BY_PID ? BY_NAME : wanted.kind; /* a name of digits */
		if (!choose(&tasks, &wanted, settings->wants_threads, chosen)) {
			parse_wanted(word, &wanted);
			not_found(&tasks, &wanted, err);
			status = err->code;
		}
	}
	if (!status)
		status = show_chosen(inspection, &tasks, chosen, parts, err);
	if (!status || status == -ENOENT) {
		int shown = ktask_show_damage(inspection, &tasks);

		status = status ? status : shown;
	}
	return status;
}

static int show_all(struct inspection *inspection, const struct ktask_settings *settings,
		    struct ktask_parts *parts, struct error *err)
{
	unsigned flags =
		(settings->wants_threads ? TASKS_THREADS : 0) | (settings->wants_idle ? TASKS_IDLE : 0);
	CLEANUP(tasks) struct tasks tasks = { 0 };
	int status = tasks_read(inspection->kernel, flags, &tasks, err);

	if (status)
		return status;
	if (settings->wants_tree)
		status = ktask_show_tree(inspection, &tasks, err);
	for (size_t i = 0; i < tasks.count && !status && !settings->wants_tree; i++)
		status = ktask_show_row(inspection->view, &tasks.list[i]);
	for (size_t i = 0; i < tasks.count && !status; i++)
		status = ktask_parts_show(parts, &tasks.list[i]);
	return status ? status : ktask_show_damage(inspection, &tasks);
}

static int ktask_configure(struct inspection *inspection, struct error *err)
{
	const struct ktask_settings *settings = inspection->options;
	const struct invocation *invocation = inspection->invocation;

	if (invocation->word_count > 1)
		return error_set(err, -EINVAL, "takes one task: what is '%s'?", invocation->words[1]);
	if (invocation->word_count && !invocation->words[0][0])
		return error_set(err, -EINVAL, "an empty name names no task");
	if (invocation->word_count && settings->wants_tree)
		return error_set(err, -EINVAL, "--tree shows all tasks: it goes without '%s'",
				 invocation->words[0]);
	return 0;
}

static int ktask_show(struct inspection *inspection, struct error *err)
{
	const struct ktask_settings *settings = inspection->options;
	CLEANUP(parts) struct ktask_parts *parts = NULL;
	int status = ktask_parts_open(inspection, settings, &parts, err);

	if (status)
		return status;
	if (inspection->invocation->word_count)
		return show_wanted(inspection, settings, inspection->invocation->words[0], parts, err);
	return show_all(inspection, settings, parts, err);
}

static const struct inspector ktask_inspector = { .configure = ktask_configure, .show = ktask_show };

static const struct view_record *const ktask_records[] = {
	&ktask_row_record,     &ktask_branch_record,  &ktask_facts_record,
	&ktask_address_record, &ktask_finding_record, &ktask_file_record,
	&ktask_mapping_record, &ktask_stack_record,   NULL,
};

const struct command ktask_command = {
	.name = "ktask",
	.summary = "processes and threads as the kernel's own structures have them",
	.usage = "[OPTIONS]\n[OPTIONS] PID|NAME|ADDRESS",
	.description =
		"Without an argument, a table of all processes, or a tree. With one, all facts of the tasks "
		"that it names: a\n"
		"pid, a name (all that have it), or an address: of a task_struct, within one, or within a "
		"kernel stack.\n"
		"An address has 0x in front or 16 digits. Pids and users are those of the initial "
		"namespaces.\n"
		"Exit code 1 when a list of tasks is damaged, 3 when no task is as asked for or something "
		"can't be read.",
	.options = ktask_options,
	.option_count = sizeof(ktask_options) / sizeof(ktask_options[0]),
	.settings_size = sizeof(struct ktask_settings),
	.inspector = &ktask_inspector,
	.records = ktask_records,
};
