/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The open files of a task, as /proc/PID/fd has them. */
#ifndef DILL_TASK_FILES_H
#define DILL_TASK_FILES_H

#include "kernel_path.h"
#include "task.h"

struct task_files_layout {
	struct path_layout path;
	struct field files_fdt;
	struct field max_fds, fd, open_fds, close_on_exec;
};

struct task_file {
	uint32_t fd;
	bool closes_on_exec;
	struct kernel_file file;
};

struct task_files {
	struct task_file *list; /* by fd. Owned */
	size_t count;
	size_t unreadable; /* open, but the table's slot or the file can't be read */
};

int task_files_layout_load(struct kernel *kernel, struct task_files_layout *ret_layout, struct error *err);
/*
 * What @task has open; nothing for one that has no table (kernel threads share init's, zombies have none).
 * -EFAULT or -EBADMSG: the table itself is damaged. Free by task_files_deinit().
 */
int task_files_read(struct kernel *kernel, const struct task_files_layout *layout, const struct task *task,
		    struct task_files *ret_files, struct error *err);
void task_files_deinit(struct task_files *files);

#endif
