// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill memcycles: what memory costs processes, by the processor's own counters. No BPF: events of perf_event_open(2), read at
 * each report. What this machine lacks is said, counter by counter.
 */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "launch.h"
#include "mapping_names.h"
#include "memory_counters.h"
#include "targets.h"
#include "trace.h"
#include "view.h"

struct memcycles_options {
	bool wants_list, wants_software;
	const char *stall_event;
};

#define OFFSET(field) offsetof(struct memcycles_options, field)

static const struct option_spec memcycles_option_specs[] = {
	{ 'l', "list", NULL, OPTION_FLAG, OFFSET(wants_list), NULL, "show which counters this machine has, and count nothing" },
	{ 'S', "software", NULL, OPTION_FLAG, OFFSET(wants_software), NULL,
	  "also what the kernel counts: time on a CPU, page faults, context switches" },
	{ 0, "stalls", "EVENT", OPTION_TEXT, OFFSET(stall_event), NULL,
	  "count this event as stalls: a name in the PMU's events, or its terms, such as event=0xa3,umask=0x14,cmask=0x14" },
};

struct counted_process {
	pid_t pid;
	char comm[16];
	int pidfd;
	struct counted_threads threads;
};

struct memcycles_state {
	struct memory_counters counters;
	struct counted_process *processes;
	size_t count, living;
	int epoll_fd; /* of the pidfds */
};

DEFINE_CLEANUP(closedir, DIR *, if (v) closedir(v));

/* Views ----------------------------------------------------------------------------------------------------- */

enum { CHOICE_COUNTER, CHOICE_EVENT, CHOICE_HERE, CHOICE_ERROR, CHOICE_NOTE, CHOICE_COLUMNS };
static const struct view_column choice_columns[CHOICE_COLUMNS] = {
	[CHOICE_COUNTER] = { .name = "counter", .type = VIEW_TEXT, .width = 14 },
	[CHOICE_EVENT] = { .name = "event", .type = VIEW_TEXT, .width = 24 },
	[CHOICE_HERE] = { .name = "is_here", .title = "HERE", .type = VIEW_BOOL },
	[CHOICE_ERROR] = { .name = "error", .type = VIEW_TEXT, .width = 10, .is_optional = true },
	[CHOICE_NOTE] = { .name = "note", .type = VIEW_TEXT, .is_optional = true },
};
static const struct view_record choice_record = { .type = "counter", .columns = choice_columns,
						  .column_count = CHOICE_COLUMNS };

enum { CYCLES_COMM, CYCLES_PID, CYCLES_CYCLES, CYCLES_INSTRUCTIONS, CYCLES_IPC, CYCLES_LLC_LOADS, CYCLES_LLC_MISSES,
       CYCLES_LLC_SHARE, CYCLES_DTLB_LOADS, CYCLES_DTLB_MISSES, CYCLES_DTLB_SHARE, CYCLES_STALLS, CYCLES_STALL_SHARE,
       CYCLES_COUNTED, CYCLES_COLUMNS };
#define COUNT_COLUMN(field, heading) \
	{ .name = field, .title = heading, .type = VIEW_COUNT, .width = 8, .is_optional = true }
#define SHARE_COLUMN(field, heading) \
	{ .name = field, .title = heading, .type = VIEW_PERCENT, .width = 7, .is_optional = true }
static const struct view_column cycles_columns[CYCLES_COLUMNS] = {
	[CYCLES_COMM] = { .name = "comm", .type = VIEW_TEXT, .width = 15 },
	[CYCLES_PID] = { .name = "pid", .type = VIEW_U64, .width = 7 },
	[CYCLES_CYCLES] = COUNT_COLUMN("cycles", "CYCLES"),
	[CYCLES_INSTRUCTIONS] = COUNT_COLUMN("instructions", "INSTR"),
	[CYCLES_IPC] = { .name = "ipc", .title = "IPC", .type = VIEW_DECIMAL, .width = 5, .is_optional = true },
	[CYCLES_LLC_LOADS] = COUNT_COLUMN("llc_loads", "LLC"),
	[CYCLES_LLC_MISSES] = COUNT_COLUMN("llc_misses", "LLC_MISS"),
	[CYCLES_LLC_SHARE] = SHARE_COLUMN("llc_miss_percent", "MISS%"),
	[CYCLES_DTLB_LOADS] = COUNT_COLUMN("dtlb_loads", "DTLB"),
	[CYCLES_DTLB_MISSES] = COUNT_COLUMN("dtlb_misses", "TLB_MISS"),
	[CYCLES_DTLB_SHARE] = SHARE_COLUMN("dtlb_miss_percent", "MISS%"),
	[CYCLES_STALLS] = COUNT_COLUMN("stall_cycles", "STALLS"),
	[CYCLES_STALL_SHARE] = SHARE_COLUMN("stall_percent", "STALL%"),
	[CYCLES_COUNTED] = SHARE_COLUMN("counted_percent", "COUNTED"),
};
static const struct view_record cycles_record = { .type = "memory_cycles", .columns = cycles_columns,
						  .column_count = CYCLES_COLUMNS };

enum { KERNEL_COMM, KERNEL_PID, KERNEL_CLOCK, KERNEL_MINOR, KERNEL_MAJOR, KERNEL_SWITCHES, KERNEL_COLUMNS };
static const struct view_column kernel_columns[KERNEL_COLUMNS] = {
	[KERNEL_COMM] = { .name = "comm", .type = VIEW_TEXT, .width = 15 },
	[KERNEL_PID] = { .name = "pid", .type = VIEW_U64, .width = 7 },
	[KERNEL_CLOCK] = { .name = "task_clock_ns", .title = "ON_CPU", .type = VIEW_DURATION_NS },
	[KERNEL_MINOR] = { .name = "minor_faults", .title = "MINOR", .type = VIEW_U64 },
	[KERNEL_MAJOR] = { .name = "major_faults", .title = "MAJOR", .type = VIEW_U64 },
	[KERNEL_SWITCHES] = { .name = "switches", .type = VIEW_U64 },
};
static const struct view_record kernel_record = { .type = "kernel_counts", .columns = kernel_columns,
						  .column_count = KERNEL_COLUMNS };

static const struct view_record *const memcycles_records[] = { &choice_record, &cycles_record, &kernel_record, NULL };

static struct view_value count_of(const struct counter_sum *sum)
{
	return sum->running_ns ? view_u64((uint64_t)llround(sum->value)) : view_absent();
}

static struct view_value ratio_of(const struct counter_sum *part, const struct counter_sum *whole, double scale)
{
	if (!part->running_ns || !whole->running_ns || whole->value <= 0)
		return view_absent();
	return view_double(part->value / whole->value * scale);
}

/* How much of the time that it was wanted the counter with the least was counted; the rest of its figure is scaled up. */
static struct view_value counted_share(const struct counter_sum *sums)
{
	double least = 100;
	bool is_any = false;

	for (size_t i = 0; i < COUNTER_HARDWARE_COUNT; i++) {
		double share = sums[i].enabled_ns ? 100.0 * (double)sums[i].running_ns / (double)sums[i].enabled_ns : 100;

		is_any |= sums[i].enabled_ns > 0;
		least = share < least ? share : least;
	}
	return is_any ? view_double(least) : view_absent();
}

static int show_cycles(struct trace *trace, const struct counted_process *process, const struct counter_sum *sums)
{
	struct view_value values[CYCLES_COLUMNS] = { 0 };

	values[CYCLES_COMM] = view_text(process->comm);
	values[CYCLES_PID] = view_u64(process->pid);
	values[CYCLES_CYCLES] = count_of(&sums[COUNTER_CYCLES]);
	values[CYCLES_INSTRUCTIONS] = count_of(&sums[COUNTER_INSTRUCTIONS]);
	values[CYCLES_IPC] = ratio_of(&sums[COUNTER_INSTRUCTIONS], &sums[COUNTER_CYCLES], 1);
	values[CYCLES_LLC_LOADS] = count_of(&sums[COUNTER_LLC_LOADS]);
	values[CYCLES_LLC_MISSES] = count_of(&sums[COUNTER_LLC_MISSES]);
	values[CYCLES_LLC_SHARE] = ratio_of(&sums[COUNTER_LLC_MISSES], &sums[COUNTER_LLC_LOADS], 100);
	values[CYCLES_DTLB_LOADS] = count_of(&sums[COUNTER_DTLB_LOADS]);
	values[CYCLES_DTLB_MISSES] = count_of(&sums[COUNTER_DTLB_MISSES]);
	values[CYCLES_DTLB_SHARE] = ratio_of(&sums[COUNTER_DTLB_MISSES], &sums[COUNTER_DTLB_LOADS], 100);
	values[CYCLES_STALLS] = count_of(&sums[COUNTER_STALL_CYCLES]);
	values[CYCLES_STALL_SHARE] = ratio_of(&sums[COUNTER_STALL_CYCLES], &sums[COUNTER_CYCLES], 100);
	values[CYCLES_COUNTED] = counted_share(sums);
	return trace_row(trace, &cycles_record, values);
}

static int show_kernel(struct trace *trace, const struct counted_process *process, const struct counter_sum *sums)
{
	const struct view_value values[KERNEL_COLUMNS] = {
		[KERNEL_COMM] = view_text(process->comm),
		[KERNEL_PID] = view_u64(process->pid),
		[KERNEL_CLOCK] = view_u64((uint64_t)sums[COUNTER_TASK_CLOCK].value),
		[KERNEL_MINOR] = view_u64((uint64_t)llround(sums[COUNTER_MINOR_FAULTS].value)),
		[KERNEL_MAJOR] = view_u64((uint64_t)llround(sums[COUNTER_MAJOR_FAULTS].value)),
		[KERNEL_SWITCHES] = view_u64((uint64_t)llround(sums[COUNTER_SWITCHES].value)),
	};

	return trace_row(trace, &kernel_record, values);
}

/* Which counters -------------------------------------------------------------------------------------------- */

static const char *why(int error)
{
	switch (-error) {
	case ENOENT: return "no such event here";
	case ENODEV: case EOPNOTSUPP: return "not in this processor, or not given to this machine";
	case EINVAL: return "the processor's driver refuses it";
	case EACCES: case EPERM: return "not allowed: kernel.perf_event_paranoid, CAP_PERFMON";
	default: return strerror(-error);
	}
}

static int show_choices(struct trace *trace, const struct memory_counters *counters)
{
	int status = 0;

	for (size_t i = 0; i < COUNTERS && !status; i++) {
		const struct counter_choice *choice = &counters->choices[i];
		struct view_value values[CHOICE_COLUMNS] = { 0 };
		char name[32];

		values[CHOICE_COUNTER] = view_text(memory_counter_name(i));
		values[CHOICE_EVENT] = view_text(choice->event);
		values[CHOICE_HERE] = view_bool(!choice->error);
		if (choice->error)
			values[CHOICE_ERROR] = view_text(errno_text(-choice->error, name, sizeof(name)));
		values[CHOICE_NOTE] = view_text(choice->error ? why(choice->error) : choice->note);
		status = view_row(trace->run->view, &choice_record, values);
	}
	return status;
}

/* "cycles (ENOENT), llc_loads (EOPNOTSUPP)": the processor's counters that are not there. */
static void name_lacking(const struct memory_counters *counters, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < COUNTER_HARDWARE_COUNT && at < size; i++) {
		char name[32];

		if (counters->choices[i].error)
			at += (size_t)snprintf(text + at, size - at, "%s%s (%s)", at ? ", " : "", memory_counter_name(i),
					       errno_text(-counters->choices[i].error, name, sizeof(name)));
	}
}

static int try_counters(struct trace *trace, struct error *err)
{
	const struct memcycles_options *options = trace->run->options;
	struct memcycles_state *state = trace->state;

	return memory_counters_try(&counter_calls_of_kernel, counter_pmu_path, options->stall_event, &state->counters, err);
}

static int say_lacking(struct trace *trace, struct error *err)
{
	const struct memcycles_options *options = trace->run->options;
	struct memcycles_state *state = trace->state;
	const struct memory_counters *counters = &state->counters;
	char lacking[512];

	name_lacking(counters, lacking, sizeof(lacking));
	if (!memory_counters_hardware_count(counters)) {
		if (!options->wants_software)
			return error_set(err, -EOPNOTSUPP,
					 "this machine has none of the processor's counters, as most virtual machines: %s. dill "
					 "memcycles --list says why; --software shows what the kernel counts itself", lacking);
		run_incomplete(trace->run, "this machine has none of the processor's counters: %s", lacking);
		return 0;
	}
	if (lacking[0])
		run_notice(trace->run, "this machine lacks counters: %s", lacking);
	for (size_t i = 0; i < COUNTER_HARDWARE_COUNT; i++)
		if (!counters->choices[i].error && counters->choices[i].note)
			run_notice(trace->run, "%s: %s (%s)", memory_counter_name(i), counters->choices[i].event,
				   counters->choices[i].note);
	if (counters->is_user_only)
		run_notice(trace->run, "only what runs in user mode is counted (kernel.perf_event_paranoid)");
	return 0;
}

static int memcycles_configure(struct trace *trace, struct error *err)
{
	const struct memcycles_options *options = trace->run->options;
	struct memcycles_state *state = trace->state;
	int status;

	state->epoll_fd = -1;
	if (!options->wants_list)
		return 0;
	if (trace->run->is_replay)
		return error_set(err, -EINVAL, "--list is about this machine, --replay about a recording");
	status = try_counters(trace, err);
	if (!status)
		status = show_choices(trace, &state->counters);
	if (!status && !memory_counters_hardware_count(&state->counters))
		run_incomplete(trace->run, "this machine has none of the processor's counters");
	return status ? status : 1;
}

/* Processes ------------------------------------------------------------------------------------------------- */

static int on_ended(struct run *run, void *data)
{
	struct memcycles_state *state = ((struct trace *)data)->state;
	struct epoll_event event;

	while (epoll_wait(state->epoll_fd, &event, 1, 0) == 1) {
		struct counted_process *process = &state->processes[event.data.u32];

		epoll_ctl(state->epoll_fd, EPOLL_CTL_DEL, process->pidfd, NULL);
		if (--state->living == 0)
			run_stop(run);
	}
	return 0;
}

/* Tells when it ends. Without (before 5.3), Ctrl-C does. */
static void watch_process(struct memcycles_state *state, struct counted_process *process)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)(process - state->processes) };

	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (process->pidfd >= 0)
		epoll_ctl(state->epoll_fd, EPOLL_CTL_ADD, process->pidfd, &event);
}

/* All threads before any of them is counted: one that a counted thread starts is counted with that, and must not be twice. */
static int list_threads(pid_t pid, struct target_list *threads)
{
	CLEANUP(closedir) DIR *tasks = NULL;
	struct dirent *entry;
	char path[64];
	int status = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && !status && (entry = readdir(tasks)))
		if (atoi(entry->d_name) > 0)
			status = target_list_add(threads, atoi(entry->d_name));
	return !tasks ? -ESRCH : status;
}

/* What a thread starts in the moment before it is counted is missed. */
static int count_threads(struct trace *trace, struct counted_process *process, struct error *err)
{
	const struct memcycles_options *options = trace->run->options;
	struct memcycles_state *state = trace->state;
	struct target_list threads = { 0 };
	int status = list_threads(process->pid, &threads);
	pid_t thread = process->pid;

	for (size_t i = 0; i < threads.count && !status; i++) {
		thread = threads.pids[i];
		status = counted_threads_add(&state->counters, thread, false, trace->run->settings->follows_children,
					     options->wants_software, &process->threads);
		if (status == -ESRCH && threads.count > 1)
			status = 0; /* one thread of several has ended */
	}
	target_list_deinit(&threads);
	if (status == -EMFILE)
		return error_set(err, status, "too many threads: each takes a descriptor for each counter (ulimit -n)");
	return status ? error_set(err, status, "cannot count in thread %d: %s", thread, strerror(-status)) : 0;
}

static int count_process(struct trace *trace, struct counted_process *process, struct error *err)
{
	const struct memcycles_options *options = trace->run->options;
	struct memcycles_state *state = trace->state;
	struct launch *launch = trace->run->launch;
	int status;

	process_comm(process->pid, process->comm);
	watch_process(state, process);
	if (!launch || launch_pid(launch) != process->pid)
		return count_threads(trace, process, err);
	status = counted_threads_add(&state->counters, process->pid, true, true, options->wants_software, &process->threads);
	return status ? error_set(err, status, "cannot count in the command: %s", strerror(-status)) : 0;
}

/* As many descriptors as this process may have. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int memcycles_begin(struct trace *trace, struct error *err)
{
	struct memcycles_state *state = trace->state;
	int status = try_counters(trace, err);

	if (!status)
		status = say_lacking(trace, err);
	if (status)
		return status;
	if (!state->counters.has_thread_inheritance && !trace->run->launch && !trace->run->settings->follows_children)
		run_notice(trace->run, "this kernel can't leave child processes out: they count with their parents");
	raise_descriptors();
	state->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	state->processes = calloc(trace->run->target_count + 1, sizeof(*state->processes));
	if (state->epoll_fd < 0 || !state->processes)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < trace->run->target_count && !status; i++) {
		struct counted_process *process = &state->processes[state->count++];

		*process = (struct counted_process){ .pid = trace->run->targets[i], .pidfd = -1 };
		status = count_process(trace, process, err);
	}
	state->living = state->count;
	return status ? status : run_watch(trace->run, state->epoll_fd, on_ended, err);
}

static int memcycles_report(struct trace *trace, bool is_last, struct error *err)
{
	const struct memcycles_options *options = trace->run->options;
	struct memcycles_state *state = trace->state;
	int status = 0;

	(void)is_last;
	for (size_t i = 0; i < state->count && !status; i++) {
		struct counted_process *process = &state->processes[i];
		struct counter_sum sums[COUNTERS];
		char comm[16];

		process_comm(process->pid, comm);
		if (strcmp(comm, "?") != 0) /* it may have another name since exec */
			strcpy(process->comm, comm);
		status = counted_threads_read(&state->counters, &process->threads, sums);
		if (status)
			return error_set(err, status, "cannot read the counters: %s", strerror(-status));
		if (memory_counters_hardware_count(&state->counters))
			status = show_cycles(trace, process, sums);
		if (!status && options->wants_software)
			status = show_kernel(trace, process, sums);
	}
	return status;
}

static void memcycles_destroy(struct trace *trace)
{
	struct memcycles_state *state = trace->state;

	for (size_t i = 0; i < state->count; i++) {
		counted_threads_deinit(&state->counters, &state->processes[i].threads);
		cleanup_close(&state->processes[i].pidfd);
	}
	free(state->processes);
	cleanup_close(&state->epoll_fd);
}

static const struct event_source memcycles_events = {
	.state_size = sizeof(struct memcycles_state),
	.configure = memcycles_configure,
	.begin = memcycles_begin,
	.report = memcycles_report,
	.destroy = memcycles_destroy,
};

static const struct rung memcycles_rungs[] = {
	{ "processor's counters", { KERNEL_CAP_PERF_HARDWARE }, 1, NULL, NULL },
	{ "kernel's counters", { 0 }, 0, "no cycles, caches and TLB: with --software what the kernel counts itself", NULL },
};

static const struct tracer memcycles_tracer = {
	TRACE_CALLBACKS,
	.events = &memcycles_events,
	.ladder = { memcycles_rungs, sizeof(memcycles_rungs) / sizeof(*memcycles_rungs) },
	.takes_command = true,
	.selects_processes = true,
	.needs_targets = true,
};

const struct command memcycles_command = {
	.name = "memcycles",
	.summary = "what memory costs processes, by the processor's counters",
	.usage = "[OPTIONS]\n[OPTIONS] -- COMMAND ARGS...\n--list\n--replay FILE [OPTIONS]",
	.description = "Counts cycles, instructions, accesses and misses of the last-level cache and the TLB, and cycles in which\n"
		       "processes stood still. Says which of these counters this machine lacks.",
	.options = memcycles_option_specs,
	.option_count = sizeof(memcycles_option_specs) / sizeof(*memcycles_option_specs),
	.settings_size = sizeof(struct memcycles_options),
	.tracer = &memcycles_tracer,
	.records = memcycles_records,
};
