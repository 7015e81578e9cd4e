// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Sums by process, and what processes have mapped: hfaults_processes.h. */
#include "hfaults_processes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "hfaults_views.h"
#include "huge_pages.h"

#define MAX_PROCESSES 4096
#define SLOTS (2 * MAX_PROCESSES)
#define LOOK_SHARE 20 /* of the time, at most one in so many parts is spent on reading one process, */
#define LOOK_LATEST_NS 1000000000ULL /* unless it takes longer than this until it is read again */

struct huge_sum {
	uint64_t count, succeeded, fallbacks, failed, bytes;
	uint64_t latency_ns, timed, longest_ns;
};

struct huge_process {
	uint32_t pid;
	char comm[TRACE_COMM_BYTES];
	struct huge_sum sums[HUGE_KINDS];
	struct huge_mapped mapped;
	uint64_t look_again_ns; /* CLOCK_MONOTONIC */
	bool has_news, has_mapped, is_gone;
};

struct huge_processes {
	struct huge_process *list;
	size_t count, room;
	uint16_t slots[SLOTS]; /* places in @list and 1, by pid */
	uint64_t left_out;     /* events */
};

struct huge_processes *huge_processes_create(void)
{
	return calloc(1, sizeof(struct huge_processes));
}

void huge_processes_destroy(struct huge_processes *processes)
{
	if (processes)
		free(processes->list);
	free(processes);
}

/* The process of @pid, made if need be. NULL: the budget is used up, or out of memory. */
static struct huge_process *find_process(struct huge_processes *processes, uint32_t pid)
{
	size_t slot = pid * 2654435761U % SLOTS;

	while (processes->slots[slot] && processes->list[processes->slots[slot] - 1].pid != pid)
		slot = (slot + 1) % SLOTS;
	if (processes->slots[slot])
		return &processes->list[processes->slots[slot] - 1];
	if (processes->count == MAX_PROCESSES)
		return NULL;
	if (processes->count == processes->room) {
		size_t room = processes->room ? 2 * processes->room : 64;
		struct huge_process *list = reallocarray(processes->list, room, sizeof(*list));

		if (!list)
			return NULL;
		processes->list = list;
		processes->room = room;
	}
	processes->list[processes->count] = (struct huge_process){ .pid = pid };
	processes->slots[slot] = ++processes->count;
	return &processes->list[processes->count - 1];
}

void huge_processes_meet(struct huge_processes *processes, pid_t pid)
{
	struct huge_process *process = find_process(processes, pid);
	CLEANUP(fclose) FILE *file = NULL;
	char path[64];

	if (!process)
		return;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (file && fgets(process->comm, sizeof(process->comm), file))
		process->comm[strcspn(process->comm, "\n")] = '\0';
	process->has_news = true;
}

void huge_processes_add(struct huge_processes *processes, const struct huge_event *event)
{
	struct huge_process *process = find_process(processes, event->head.pid);
	struct huge_sum *sum;

	if (!process) {
		processes->left_out++;
		return;
	}
	process->has_news = true;
	memcpy(process->comm, event->head.comm, sizeof(process->comm));
	sum = &process->sums[event->kind];
	sum->count++;
	if (event->result == HUGE_FALLBACK)
		sum->fallbacks++;
	else if (event->result == HUGE_SIGBUS || event->result == HUGE_FAILED)
		sum->failed++;
	else {
		sum->succeeded++;
		if (event->result != HUGE_ZERO) /* which takes none */
			sum->bytes += event->size_bytes;
	}
	if (event->latency_ns) {
		sum->latency_ns += event->latency_ns;
		sum->timed++;
		if (event->latency_ns > sum->longest_ns)
			sum->longest_ns = event->latency_ns;
	}
}

void huge_processes_look(struct huge_processes *processes, bool is_last)
{
	for (size_t i = 0; i < processes->count; i++) {
		struct huge_process *process = &processes->list[i];
		uint64_t begun = run_monotonic_ns(), ended;
		char path[64];
		int status;

		if (process->is_gone || !process->pid ||
		    (!is_last && (!process->has_news || begun < process->look_again_ns)))
			continue;
		snprintf(path, sizeof(path), "/proc/%u/smaps_rollup", process->pid);
		status = huge_mapped_read(path, &process->mapped);
		process->has_mapped |= !status;
		process->is_gone = status == -ESRCH || status == -ENOENT; /* as for one that has ended, and is not yet waited for */
		ended = run_monotonic_ns();
		process->look_again_ns = ended + LOOK_SHARE * (ended - begun);
		if (process->look_again_ns > ended + LOOK_LATEST_NS)
			process->look_again_ns = ended + LOOK_LATEST_NS;
		process->has_news = false;
	}
}

static int show_sums(struct trace *trace, const struct huge_process *process)
{
	int status = 0;

	for (size_t kind = 0; kind < HUGE_KINDS && !status; kind++) {
		const struct huge_sum *sum = &process->sums[kind];
		const struct view_value values[HUGE_SUM_COLUMNS] = {
			[HUGE_SUM_COMM] = view_text_n(process->comm, sizeof(process->comm)),
			[HUGE_SUM_PID] = view_u64(process->pid),
			[HUGE_SUM_KIND] = view_u64(kind),
			[HUGE_SUM_COUNT] = view_u64(sum->count),
			[HUGE_SUM_HUGE] = view_u64(sum->succeeded),
			[HUGE_SUM_FALLBACK] = view_u64(sum->fallbacks),
			[HUGE_SUM_FAILED] = view_u64(sum->failed),
			[HUGE_SUM_BYTES] = view_u64(sum->bytes),
			[HUGE_SUM_LATENCY] = sum->timed ? view_u64(sum->latency_ns / sum->timed) : view_absent(),
			[HUGE_SUM_LONGEST] = sum->timed ? view_u64(sum->longest_ns) : view_absent(),
		};

		if (sum->count)
			status = trace_row(trace, &huge_sum_record, values);
	}
	return status;
}

static int show_mapped(struct trace *trace, const struct huge_process *process)
{
	const struct huge_mapped *mapped = &process->mapped;
	uint64_t huge = mapped->anonymous + mapped->shmem + mapped->file;
	const struct view_value values[HUGE_MAPPED_COLUMNS] = {
		[HUGE_MAPPED_COMM] = view_text_n(process->comm, sizeof(process->comm)),
		[HUGE_MAPPED_PID] = view_u64(process->pid),
		[HUGE_MAPPED_RSS] = view_u64(mapped->rss),
		[HUGE_MAPPED_ANON] = view_u64(mapped->anonymous),
		[HUGE_MAPPED_SHMEM] = view_u64(mapped->shmem),
		[HUGE_MAPPED_FILE] = view_u64(mapped->file),
		[HUGE_MAPPED_SHARE] = mapped->rss ? view_double(100.0 * huge / mapped->rss) : view_absent(),
		[HUGE_MAPPED_PRIVATE] = view_u64(mapped->hugetlb_private),
		[HUGE_MAPPED_SHARED] = view_u64(mapped->hugetlb_shared),
		[HUGE_MAPPED_RUNS] = view_bool(!process->is_gone),
	};

	return process->has_mapped ? trace_row(trace, &huge_mapped_record, values) : 0;
}

int huge_processes_show(struct trace *trace, struct huge_processes *processes)
{
	const struct view_value more[] = { view_u64(processes->left_out) };
	int status = 0;

	for (size_t i = 0; i < processes->count && !status; i++)
		status = show_sums(trace, &processes->list[i]);
	for (size_t i = 0; i < processes->count && !status; i++)
		status = show_mapped(trace, &processes->list[i]);
	if (!status && processes->left_out)
		status = trace_object(trace, &huge_more_record, more);
	return status;
}
