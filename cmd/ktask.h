/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the parts of ktask share: the options, and the views of tasks and of what hangs on them. */
#ifndef DILL_KTASK_H
#define DILL_KTASK_H

#include "inspect.h"
#include "task.h"
#include "view.h"

struct ktask_settings {
	bool wants_threads, wants_idle, wants_tree;
	bool wants_stack, wants_files, wants_maps;
};

/* ktask_show.c: a row of the table, or of a tree at @level; one task with all that is known of it. */
int ktask_show_row(struct view *view, const struct task *task);
int ktask_show_branch(struct view *view, const struct task *task, unsigned level);
int ktask_show_facts(const struct inspection *inspection, const struct task *task);
/* What was wrong with the lists: findings of a dump, gaps of what goes on changing. */
int ktask_show_damage(struct inspection *inspection, const struct tasks *tasks);
extern const struct view_record ktask_row_record, ktask_branch_record, ktask_facts_record;
extern const struct view_record ktask_address_record, ktask_finding_record;

/* ktask_parts.c: files, mappings and the stack of a task, as the options want them. */
struct ktask_parts;
int ktask_parts_open(struct inspection *inspection, const struct ktask_settings *settings,
		     struct ktask_parts **ret_parts, struct error *err);
void ktask_parts_close(struct ktask_parts *parts);
/* What can't be read is a gap or a finding, not a failure. Negative errno of the view. */
int ktask_parts_show(struct ktask_parts *parts, const struct task *task);
extern const struct view_record ktask_file_record, ktask_mapping_record, ktask_stack_record;

/* ktask_tree.c: all tasks, children below their parents. */
int ktask_show_tree(struct inspection *inspection, const struct tasks *tasks, struct error *err);

#endif
