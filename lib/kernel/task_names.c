// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Words for a task's states, flags and policies. Macros of the kernel, so no type information has them. */
#include <stdio.h>
#include <string.h>

#include "task.h"

/* include/linux/sched.h. All of these are the same since 4.14 (8ef9925b02c2); later ones went above. */
#define TASK_UNINTERRUPTIBLE 0x2
#define TASK_REPORT_BITS 0x7f
#define TASK_NOLOAD 0x400
#define TASK_IDLE_STATE (TASK_UNINTERRUPTIBLE | TASK_NOLOAD)
#define TASK_RTLOCK_WAIT 0x1000 /* 5f220be21418 (5.16) */
#define TASK_FROZEN 0x8000      /* f5d39b020809 (6.1) */

static const struct {
	char letter;
	const char *name;
} states[] = {
	{ 'R', "running" }, { 'S', "sleeping" },     { 'D', "disk sleep" },
	{ 'T', "stopped" }, { 't', "tracing stop" }, { 'X', "dead" },
	{ 'Z', "zombie" },  { 'P', "parked" },       { 'I', "idle" },
};
#define STATE_DISK_SLEEP 2
#define STATE_IDLE 8

/* As task_state_index() does: the highest bit of those that are reported. */
static unsigned state_index(const struct task *task)
{
	uint32_t bits = (task->state | task->exit_state) & TASK_REPORT_BITS;

	if (task->state & (TASK_RTLOCK_WAIT | TASK_FROZEN))
		return STATE_DISK_SLEEP;
	if ((task->state & TASK_IDLE_STATE) == TASK_IDLE_STATE)
		return STATE_IDLE;
	return bits ? 32 - __builtin_clz(bits) : 0;
}

char task_state_letter(const struct task *task)
{
	return states[state_index(task)].letter;
}

const char *task_state_name(const struct task *task)
{
	return states[state_index(task)].name;
}

const char *task_policy_name(uint32_t policy)
{
	static const char *const names[] = {
		"normal", "fifo", "rr", "batch", NULL, "idle", "deadline", "ext"
	};

	return policy < sizeof(names) / sizeof(*names) ? names[policy] : NULL;
}

/*
 * Without 0x8 and 0x4000 (PF_USED_ASYNC, then PF_USER_WORKER), 0x10000 (PF_FROZEN, then PF_KCOMPACTD),
 * 0x800000 (PF_SWAPWRITE, then PF_MEMALLOC_NORECLAIM), 0x1000000, 0x2000000, 0x20000000, 0x40000000: they
 * were given away again, and nothing in a kernel says which meaning it has.
 */
static const struct {
	uint32_t bit;
	const char *name;
} flag_names[] = {
	{ 0x1, "PF_VCPU" },
	{ 0x2, "PF_IDLE" },
	{ 0x4, "PF_EXITING" },
	{ 0x10, "PF_IO_WORKER" },
	{ 0x20, "PF_WQ_WORKER" },
	{ 0x40, "PF_FORKNOEXEC" },
	{ 0x80, "PF_MCE_PROCESS" },
	{ 0x100, "PF_SUPERPRIV" },
	{ 0x200, "PF_DUMPCORE" },
	{ 0x400, "PF_SIGNALED" },
	{ 0x800, "PF_MEMALLOC" },
	{ 0x1000, "PF_NPROC_EXCEEDED" },
	{ 0x2000, "PF_USED_MATH" },
	{ 0x8000, "PF_NOFREEZE" },
	{ 0x20000, "PF_KSWAPD" },
	{ 0x40000, "PF_MEMALLOC_NOFS" },
	{ 0x80000, "PF_MEMALLOC_NOIO" },
	{ 0x100000, "PF_LOCAL_THROTTLE" },
	{ 0x200000, "PF_KTHREAD" },
	{ 0x400000, "PF_RANDOMIZE" },
	{ 0x4000000, "PF_NO_SETAFFINITY" },
	{ 0x8000000, "PF_MCE_EARLY" },
	{ 0x10000000, "PF_MEMALLOC_PIN" },
	{ 0x80000000, "PF_SUSPEND_TASK" },
};

/* Add a word and what goes before it, whole or not at all. */
static void append(char *text, size_t size, const char *separator, const char *word)
{
	size_t length = strlen(text);

	if (length + strlen(separator) + strlen(word) < size)
		snprintf(text + length, size - length, "%s%s", length ? separator : "", word);
}

void task_flags_text(uint32_t flags, char *text, size_t size)
{
	char number[16];

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(flag_names) / sizeof(*flag_names); i++) {
		if (!(flags & flag_names[i].bit))
			continue;
		append(text, size, "|", flag_names[i].name);
		flags &= ~flag_names[i].bit;
	}
	for (uint32_t bit = 1; bit; bit <<= 1) {
		if (!(flags & bit))
			continue;
		snprintf(number, sizeof(number), "0x%x", bit);
		append(text, size, "|", number);
	}
}

void task_missing_text(uint32_t missing, char *text, size_t size)
{
	static const char *const names[] = { "threads",    "credentials", "memory", "pids",
					     "namespaces", "cgroup",      "parent" };

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (missing & (1u << i))
			append(text, size, ", ", names[i]);
}

const char *task_namespace_name(enum task_namespace kind)
{
	static const char *const names[TASK_NS_COUNT] = { "pid", "user", "mnt",    "uts",
							  "ipc", "net",  "cgroup", "time" };

	return names[kind];
}
