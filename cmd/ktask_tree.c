// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Orders tasks as a tree: threads and children below their process. Damaged parents can't make it loop. */
#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "ktask.h"
#include "partition_point.h"

#define NONE SIZE_MAX

/* By index into tasks->list. */
struct branch {
	size_t first, last, next; /* children and siblings, NONE where there is none */
	bool is_shown;
};

/* The index of the process called @tgid; the list is sorted by that. */
static size_t find_process(const struct tasks *tasks, int32_t tgid)
{
	size_t low = PARTITION_POINT(i, tasks->count, !tasks->list[i].is_idle && tasks->list[i].tgid < tgid);

	if (low < tasks->count && tasks->list[low].tgid == tgid && tasks->list[low].is_leader &&
	    !tasks->list[low].is_idle)
		return low;
	return NONE;
}

static size_t find_parent(const struct tasks *tasks, size_t index)
{
	const struct task *task = &tasks->list[index];
	size_t parent;

	if (task->is_idle)
		return NONE;
	parent = find_process(tasks, task->is_leader ? task->ppid : task->tgid);
	return parent == index ? NONE : parent;
}

static void link_branches(const struct tasks *tasks, struct branch *branches)
{
	for (size_t i = 0; i < tasks->count; i++)
		branches[i] = (struct branch){ NONE, NONE, NONE, false };
	for (size_t i = 0; i < tasks->count; i++) {
		size_t parent = find_parent(tasks, i);

		if (parent == NONE)
			continue;
		if (branches[parent].last == NONE)
			branches[parent].first = i;
		else
			branches[branches[parent].last].next = i;
		branches[parent].last = i;
	}
}

/* A branch and what is below it, by a stack of what is still to be shown at each level. */
static int show_branch(struct view *view, const struct tasks *tasks, struct branch *branches, size_t root,
		       size_t *stack)
{
	unsigned depth = 1;
	int status = 0;

	stack[0] = root;
	while (depth && !status) {
		size_t index = stack[depth - 1];

		if (index == NONE) {
			depth--;
			continue;
		}
		stack[depth - 1] = depth == 1 ? NONE : branches[index].next;
		if (branches[index].is_shown)
			continue;
		branches[index].is_shown = true;
		status = ktask_show_branch(view, &tasks->list[index], depth - 1);
		stack[depth++] = branches[index].first;
	}
	return status;
}

int ktask_show_tree(struct inspection *inspection, const struct tasks *tasks, struct error *err)
{
	CLEANUP(free) struct branch *branches = calloc(tasks->count + 1, sizeof(*branches));
	CLEANUP(free) size_t *stack = calloc(tasks->count + 2, sizeof(*stack));
	int status = 0;

	if (!branches || !stack)
		return error_set(err, -ENOMEM, "out of memory");
	link_branches(tasks, branches);
	for (size_t i = 0; i < tasks->count && !status; i++)
		if (find_parent(tasks, i) == NONE)
			status = show_branch(inspection->view, tasks, branches, i, stack);
	/* Only parents in a circle are left. */
	for (size_t i = 0; i < tasks->count && !status; i++)
		if (!branches[i].is_shown)
			status = show_branch(inspection->view, tasks, branches, i, stack);
	return status;
}
