/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Tasks: processes, threads, idle tasks, as plain values. Read from the lists that the scheduler and /proc
 * use, with a bound on each; what is damaged is counted and named, and the rest is still read.
 *
 * Files, mappings and stacks of a task: task_files.h, task_maps.h, task_stack.h.
 */
#ifndef DILL_TASK_H
#define DILL_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "kernel_list.h"
#include "task_layout.h"

struct kernel;

#define TASK_COMM_MAX 16
/* PID_MAX_LIMIT of include/linux/threads.h on 64-bit machines: bounds each list of tasks. */
#define TASK_PID_LIMIT 4194304

/* Parts of a task that could not be read. */
enum task_missing {
	TASK_MISSING_SIGNAL = 1,
	TASK_MISSING_CRED = 2,
	TASK_MISSING_MEMORY = 4,
	TASK_MISSING_PIDS = 8,
	TASK_MISSING_NAMESPACES = 16,
	TASK_MISSING_CGROUP = 32,
	TASK_MISSING_PARENT = 64,
};

/* A task's number in one PID namespace. */
struct task_pid {
	int32_t pid;
	uint32_t inum; /* of the namespace, as in /proc/PID/ns/pid */
};

struct task {
	uint64_t addr;     /* of the task_struct */
	int32_t pid, tgid; /* in the initial namespace */
	int32_t ppid;      /* real_parent's tgid, as /proc shows it */
	char comm[TASK_COMM_MAX + 1];
	uint32_t state; /* __state as it is */
	uint32_t exit_state;
	uint32_t flags; /* PF_* */
	uint32_t cpu;   /* on which it runs or ran last */
	bool is_on_cpu; /* running at this moment */
	bool is_leader; /* of its thread group: a process */
	bool is_kernel_thread;
	bool is_idle;    /* a CPU's idle task: pid 0 */
	bool has_memory; /* an mm of its own; the five below are 0 else */
	uint64_t rss_file_bytes, rss_anon_bytes, rss_shmem_bytes, swap_bytes;
	uint64_t vsize_bytes;
	uint32_t uid, gid, euid, egid; /* as the initial user namespace counts */
	int32_t prio, nice, rt_priority;
	uint32_t policy;
	uint32_t thread_count;
	uint64_t start_boottime_ns; /* since boot, suspended time included */
	uint64_t stack;             /* lowest address of the kernel stack; 0: none */
	uint64_t stack_size;
	uint64_t sp; /* saved stack pointer: of a task that is not running */
	uint64_t mm, files, fs, signal, real_parent, group_leader;
	struct task_pid *pids; /* initial namespace first, its own last. Owned */
	size_t pid_count;
	uint32_t namespaces[TASK_NS_COUNT]; /* inode numbers; 0: not known */
	char *cgroup;                       /* path in the unified hierarchy; NULL: not known. Owned */
	char *cgroups_v1;                   /* "memory:/a cpu,cpuacct:/b"; NULL: no such hierarchies. Owned */
	uint32_t missing;                   /* enum task_missing */
};

/* All that was read in one pass. */
struct tasks {
	struct kernel *kernel; /* borrowed */
	struct task_layout layout;
	struct task *list; /* by tgid, within that leader first and then by pid; idle tasks last, by CPU */
	size_t count;
	size_t process_count;
	/* What was wrong. */
	enum list_damage damage; /* of the list of processes */
	uint64_t damaged_node;
	size_t damaged_groups; /* processes whose list of threads is damaged */
	size_t unreadable;     /* on a list, but can't be read */
	size_t impossible;     /* on a list, but certainly no task: pid, stack, leader make no sense */
	size_t incomplete;     /* tasks of which parts are missing */
};

enum tasks_flags {
	TASKS_THREADS = 1, /* all threads, not only leaders */
	TASKS_IDLE = 2,    /* idle tasks too */
	TASKS_BRIEF = 4,   /* names, numbers, states, addresses: nothing outside of the task_structs */
};

/*
 * Read all tasks that init_task's list leads to. A list that ends in damage is walked from its other end too.
 * @ret_tasks counts the damage; 0 is returned as long as there is any task. -ENOENT: init_task or a type is
 * not known. -EBADMSG: no task at all. Free by tasks_deinit().
 */
int tasks_read(struct kernel *kernel, unsigned flags, struct tasks *ret_tasks, struct error *err);
void tasks_deinit(struct tasks *tasks);

/* The first with this pid; with is_leader first when it's a tgid. NULL: none. */
const struct task *tasks_by_pid(const struct tasks *tasks, int32_t pid);
/* The task whose task_struct or kernel stack covers @address. NULL: none. */
const struct task *tasks_at(const struct tasks *tasks, uint64_t address);
/* True when @name is the task's, also where the kernel had to cut it to 15 bytes. */
bool task_is_called(const struct task *task, const char *name);

/* The letter that /proc/PID/stat shows, and the word in /proc/PID/status (fs/proc/array.c). */
char task_state_letter(const struct task *task);
const char *task_state_name(const struct task *task);
/* "normal", "fifo", "rr", "batch", "idle", "deadline", "ext"; NULL: another (include/uapi/linux/sched.h). */
const char *task_policy_name(uint32_t policy);
/* "PF_KTHREAD|PF_NOFREEZE"; bits that changed their meaning between kernels are numbers. */
void task_flags_text(uint32_t flags, char *text, size_t size);
/* "credentials, memory": what is in @missing. */
void task_missing_text(uint32_t missing, char *text, size_t size);
/* "pid", "user", "mnt", …: as in /proc/PID/ns. */
const char *task_namespace_name(enum task_namespace kind);

/* Internal to task*.c. */

/* Read the task at @address. -EFAULT; -EBADMSG when it can't be a task. @ret_task is empty on failure. */
int task_decode(struct kernel *kernel, const struct task_layout *layout, uint64_t address,
		struct task *ret_task);
/* Fill in what hangs on the task. What can't be read is noted in task->missing. -ENOMEM or 0. */
int task_complete(struct kernel *kernel, const struct task_layout *layout, struct task *task);
void task_deinit(struct task *task);
/* Paths of the cgroups of a css_set. -ENOMEM, -EFAULT, -ENOENT: not known here. */
int task_cgroups_read(struct kernel *kernel, const struct task_layout *layout, uint64_t css_set,
		      char **ret_unified, char **ret_v1);

#endif
