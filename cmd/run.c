// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The runner of tracing commands: see run.h. What only one command needs does not belong here. */
#include "run.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "call.h"
#include "cleanup.h"
#include "kernel_targets.h"
#include "launch.h"
#include "privileges.h"
#include "targets.h"
#include "view.h"

#define NS_PER_S 1000000000ULL
#define MAX_WATCHES 64

struct watch {
	int fd; /* -1: free */
	int (*callback)(struct run *run, void *state);
};

struct run_private {
	struct recording *recording;
	struct target_list targets;
	struct watch watches[MAX_WATCHES];
	uint64_t wall_offset_ns;
	int epoll_fd, signal_fd, timer_fd;
	uint64_t ticks;
	bool must_stop, was_found;
	char incomplete[512];
	unsigned int incomplete_count;
};

const struct option_spec trace_options[] = {
	{ 'p', "pid", "PID", OPTION_TEXTS, offsetof(struct trace_settings, pids), NULL,
	  "trace this process, all its threads; may be repeated" },
	{ 'n', "comm", "NAME", OPTION_TEXTS, offsetof(struct trace_settings, comms), NULL,
	  "trace the processes of this name (memleak: those that run now); may be repeated" },
	{ 0, "cgroup", "PATH", OPTION_TEXT, offsetof(struct trace_settings, cgroup), NULL,
	  "trace the processes in this cgroup; relative to /sys/fs/cgroup, or to memory/ there in version 1" },
	{ 0, "follow", NULL, OPTION_FLAG, offsetof(struct trace_settings, follows_children), NULL,
	  "also processes that the traced ones fork (memleak: each goes unseen while it is being attached to)" },
	{ 'i', "interval", "TIME", OPTION_DURATION, offsetof(struct trace_settings, interval_ns), NULL,
	  "time between reports; bare numbers are seconds (0, the default where none is named above: only at the end)" },
	{ 'd', "duration", "TIME", OPTION_DURATION, offsetof(struct trace_settings, duration_ns), NULL,
	  "stop after this time (default: at Ctrl-C, or when every traced process has exited)" },
	{ 'c', "count", "N", OPTION_NUMBER, offsetof(struct trace_settings, count), NULL,
	  "stop after N intervals" },
	{ 0, "record", "FILE", OPTION_TEXT, offsetof(struct trace_settings, record), NULL,
	  "also write what was seen to FILE" },
	{ 0, "replay", "FILE", OPTION_TEXT, offsetof(struct trace_settings, replay), NULL,
	  "show a recording instead of tracing; needs no privileges" },
	{ 0, "source", "NAME", OPTION_TEXT, offsetof(struct trace_settings, source), NULL,
	  "use this source of events instead of the best: see dill doctor" },
};
const size_t trace_option_count = sizeof(trace_options) / sizeof(*trace_options);

/* libbpf speaks through a process-wide callback without context: the one global of this file. */
static struct {
	bool is_verbose;
	char complaint[256];
} libbpf_voice;

static int libbpf_print(enum libbpf_print_level level, const char *format, va_list args)
{
	va_list copy;

	if (level == LIBBPF_WARN && !libbpf_voice.complaint[0]) {
		va_copy(copy, args);
		vsnprintf(libbpf_voice.complaint, sizeof(libbpf_voice.complaint), format, copy);
		va_end(copy);
		libbpf_voice.complaint[strcspn(libbpf_voice.complaint, "\n")] = '\0';
	}
	return libbpf_voice.is_verbose && level <= LIBBPF_INFO ? vfprintf(stderr, format, args) : 0;
}

const char *run_libbpf_complaint(void)
{
	return libbpf_voice.complaint;
}

static void notice(struct run *run, const char *format, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, args);
	complain(run->invocation, text);
}

void run_notice(struct run *run, const char *format, ...)
{
	va_list args;

	if (run->invocation->output.is_quiet)
		return;
	va_start(args, format);
	notice(run, format, args);
	va_end(args);
}

void run_verbose(struct run *run, const char *format, ...)
{
	va_list args;

	if (!run->invocation->output.is_verbose)
		return;
	va_start(args, format);
	notice(run, format, args);
	va_end(args);
}

void run_found(struct run *run)
{
	run->private->was_found = true;
}

void run_incomplete(struct run *run, const char *format, ...)
{
	va_list args;

	if (run->private->incomplete_count++)
		return;
	va_start(args, format);
	vsnprintf(run->private->incomplete, sizeof(run->private->incomplete), format, args);
	va_end(args);
}

void run_stop(struct run *run)
{
	run->private->must_stop = true;
}

uint64_t run_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

uint64_t run_wall_ns(const struct run *run, uint64_t monotonic_ns)
{
	return monotonic_ns + run->private->wall_offset_ns;
}

int run_watch(struct run *run, int fd, int (*callback)(struct run *run, void *state), struct error *err)
{
	for (unsigned int i = 0; i < MAX_WATCHES; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

		if (run->private->watches[i].fd >= 0)
			continue;
		if (epoll_ctl(run->private->epoll_fd, EPOLL_CTL_ADD, fd, &event))
			return error_set(err, -errno, "cannot watch a descriptor: %s", strerror(errno));
		run->private->watches[i] = (struct watch){ fd, callback };
		return 0;
	}
	return error_set(err, -ENOMEM, "more than %d things to watch", MAX_WATCHES);
}

void run_unwatch(struct run *run, int fd)
{
	for (unsigned int i = 0; i < MAX_WATCHES; i++) {
		if (run->private->watches[i].fd != fd)
			continue;
		epoll_ctl(run->private->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		run->private->watches[i].fd = -1;
	}
}

bool run_is_recorded(const struct run *run)
{
	return run->private->recording;
}

void run_record(struct run *run, uint32_t type, const struct payload *payload)
{
	if (run->private->recording)
		recording_write(run->private->recording, type, payload);
}

int run_emit(struct run *run, uint32_t type, const struct payload *payload)
{
	struct payload_reader reader = { .bytes = payload->bytes, .size = payload->size };

	if (payload->has_failed)
		return -ENOMEM;
	run_record(run, type, payload);
	return run->invocation->command->tracer->on_record(run, run->state, type, &reader);
}

static int on_timer(struct run *run, void *state)
{
	const struct tracer *tracer = run->invocation->command->tracer;
	struct error err = { 0 };
	uint64_t expirations;
	int status;

	if (read(run->private->timer_fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return 0;
	run->private->ticks++;
	if (run->settings->count && run->private->ticks >= run->settings->count) {
		run_stop(run); /* the last report is made by end() */
		return 0;
	}
	status = tracer->tick ? tracer->tick(run, state, &err) : 0;
	if (status && status != -EPIPE)
		run_incomplete(run, "%s", err.text[0] ? err.text : strerror(-status));
	return status;
}

/*
 * The first signal ends the trace with a report; the same again gets the default, which ends the process at
 * once.
 */
static int on_signal(struct run *run, void *state)
{
	struct signalfd_siginfo info;
	sigset_t set;

	(void)state;
	if (read(run->private->signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	run_stop(run);
	return 0;
}

static int open_signals(struct run *run, struct error *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	run->private->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	run->private->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	run->private->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (run->private->epoll_fd < 0 || run->private->signal_fd < 0 || run->private->timer_fd < 0)
		return error_set(err, -errno, "cannot set up the event loop: %s", strerror(errno));
	return run_watch(run, run->private->signal_fd, on_signal, err);
}

static int start_timer(struct run *run, struct error *err)
{
	uint64_t interval = run->settings->interval_ns;
	struct itimerspec when = { .it_interval = { interval / NS_PER_S, interval % NS_PER_S } };

	when.it_value = when.it_interval;
	if (!interval)
		return 0;
	if (timerfd_settime(run->private->timer_fd, 0, &when, NULL))
		return error_set(err, -errno, "cannot start the interval timer: %s", strerror(errno));
	return run_watch(run, run->private->timer_fd, on_timer, err);
}

/* Milliseconds until the duration is over; -1: none was set. */
static int time_left_ms(const struct run *run, uint64_t started_ns)
{
	uint64_t elapsed = run_monotonic_ns() - started_ns;

	if (!run->settings->duration_ns)
		return -1;
	if (elapsed >= run->settings->duration_ns)
		return 0;
	elapsed = (run->settings->duration_ns - elapsed + 999999) / 1000000;
	return elapsed > 1 << 30 ? 1 << 30 : elapsed;
}

static int loop(struct run *run, struct error *err)
{
	uint64_t started_ns = run_monotonic_ns();

	while (!run->private->must_stop) {
		struct epoll_event events[16];
		int left = time_left_ms(run, started_ns), count, status;

		if (!left)
			return 0;
		count = epoll_wait(run->private->epoll_fd, events, 16, left);
		if (count < 0 && errno != EINTR)
			return error_set(err, -errno, "cannot wait for events: %s", strerror(errno));
		for (int i = 0; i < count; i++) {
			struct watch *watch = &run->private->watches[events[i].data.u32];

			if (watch->fd < 0)
				continue;
			status = watch->callback(run, run->state);
			if (status == -EPIPE)
				return 0;
			if (status)
				return status;
		}
	}
	return 0;
}

static int open_targets(struct run *run, struct error *err)
{
	const struct tracer *tracer = run->invocation->command->tracer;
	int status;

	status = tracer->events && !tracer->selects_processes ? targets_by_pid(run->settings, &run->private->targets, err) :
		 targets_select(run->settings, &run->private->targets, err);
	if (status)
		return status;
	if (run->invocation->word_count) {
		if (!tracer->takes_command)
			return error_set(err, -EINVAL, "unexpected word '%s'", run->invocation->words[0]);
		status = launch_prepare(run->invocation->words, &run->invocation->caller->locked_memory, &run->launch, err);
		if (status)
			return status;
		status = target_list_add(&run->private->targets, launch_pid(run->launch));
		if (status)
			return status;
	}
	if (tracer->needs_targets && !run->private->targets.count)
		return error_set(err, -EINVAL, "name a process: -p PID, -n NAME, --cgroup PATH%s",
				 tracer->takes_command ? ", or -- COMMAND ARGS" : "");
	run->targets = run->private->targets.pids;
	run->target_count = run->private->targets.count;
	return 0;
}

static int choose_rung(struct run *run, struct error *err)
{
	const struct ladder *ladder = &run->invocation->command->tracer->ladder;
	const char *wanted = run->settings->source;
	char why[256];
	int status = ladder_has_targets(ladder) ? kernel_targets_open(&run->attachable, err) : 0;

	if (status)
		return status;
	if (run->attachable)
		run->caps->btf = kernel_targets_btf(run->attachable);
	status = ladder_choose(ladder, run->caps, run->attachable, wanted, &run->rung, why, sizeof(why));
	if (status == -ENOENT)
		return error_set(err, -EINVAL, "--source: no source is called '%s': see dill doctor", wanted);
	if (status)
		return error_set(err, -EOPNOTSUPP, "no source of events can be used here: %s (dill doctor tells more)", why);
	if (ladder->rungs[run->rung].loses)
		run_notice(run, "source: %s; %s", ladder->rungs[run->rung].name, ladder->rungs[run->rung].loses);
	else
		run_verbose(run, "source: %s", ladder->rungs[run->rung].name);
	return 0;
}

static int reduce_privileges(const struct run *run, struct error *err)
{
	const struct rung *rung = &run->invocation->command->tracer->ladder.rungs[run->rung];
	bool uses_perf = false;

	for (size_t i = 0; i < rung->need_count; i++)
		uses_perf |= rung->needs[i] == KERNEL_CAP_UPROBE_PERF;
	return privileges_reduce(uses_perf, err);
}

static int run_live(struct run *run, struct error *err)
{
	const struct tracer *tracer = run->invocation->command->tracer;
	struct kernel_caps caps;
	int status, ended;

	kernel_caps_init(&caps);
	run->caps = &caps;
	status = open_targets(run, err);
	if (!status)
		status = choose_rung(run, err);
	if (!status)
		status = open_signals(run, err);
	if (!status && run->settings->record)
		status = recording_create(run->settings->record, run->invocation->command->name,
					  &run->private->recording, err);
	if (!status)
		status = tracer->start(run, run->state, err);
	if (!status)
		status = reduce_privileges(run, err);
	if (!status && run->launch)
		status = launch_release(run->launch, err);
	if (!status)
		status = start_timer(run, err);
	if (status)
		return status;
	status = loop(run, err);
	run->has_ended = true;
	ended = tracer->end(run, run->state, status ? NULL : err);
	if (!status && run->launch && launch_exec_error(run->launch))
		return error_set(err, -ENOENT, "cannot run %s: %s", run->invocation->words[0],
				 strerror(-launch_exec_error(run->launch)));
	return status ? status : ended == -EPIPE ? 0 : ended;
}

static int run_replay(struct run *run, struct error *err)
{
	const struct tracer *tracer = run->invocation->command->tracer;
	struct payload_reader payload;
	struct recording *recording;
	uint32_t type;
	int status;

	status = recording_open(run->settings->replay, run->invocation->command->name, &recording, err);
	if (status)
		return status;
	signal(SIGPIPE, SIG_IGN);
	while ((status = recording_next(recording, &type, &payload)) > 0) {
		status = tracer->on_record(run, run->state, type, &payload);
		if (status)
			break;
	}
	recording_close(recording);
	if (status == -EBADMSG) {
		run_incomplete(run, "%s is cut or damaged: shown up to there", run->settings->replay);
		return 0;
	}
	return status == -EPIPE ? 0 : status;
}

static int check_settings(const struct invocation *invocation, struct trace_settings *settings, struct error *err)
{
	if (settings->replay && (settings->record || settings->pids.count || settings->comms.count ||
				 settings->cgroup || invocation->word_count || invocation->argument_count))
		return error_set(err, -EINVAL, "--replay shows a recording: it goes with no process and no --record");
	if (invocation->word_count && !invocation->has_dashes)
		return error_set(err, -EINVAL, "unexpected word '%s' (a command to start goes after --)",
				 invocation->words[0]);
	return 0;
}

static int close_run(struct run *run, int status, struct error *err)
{
	const struct tracer *tracer = run->invocation->command->tracer;
	int recorded = recording_close(run->private->recording);

	if (tracer->destroy)
		tracer->destroy(run->state);
	launch_destroy(run->launch);
	kernel_targets_close(run->attachable);
	cleanup_close(&run->private->timer_fd);
	cleanup_close(&run->private->signal_fd);
	cleanup_close(&run->private->epoll_fd);
	target_list_deinit(&run->private->targets);
	if (status && view_problem(run->view)[0])
		return error_set(err, -EPROTO, "this is a defect of dill: %s", view_problem(run->view));
	if (status)
		return status;
	if (recorded)
		return error_set(err, recorded, "the recording is incomplete: %s", strerror(-recorded));
	if (run->private->incomplete_count) {
		complain(run->invocation, run->private->incomplete);
		return EXIT_INCOMPLETE;
	}
	return run->private->was_found ? EXIT_FINDINGS : EXIT_CLEAN;
}

int run_tracer(struct invocation *invocation, struct trace_settings *settings, struct error *err)
{
	const struct tracer *tracer = invocation->command->tracer;
	CLEANUP(free) void *state = calloc(1, tracer->state_size);
	struct run_private private = { .epoll_fd = -1, .signal_fd = -1, .timer_fd = -1 };
	struct run run = { .invocation = invocation, .settings = settings, .options = invocation->settings,
			   .view = invocation->view, .state = state, .private = &private };
	struct timespec now;
	int status;

	if (!state)
		return -ENOMEM;
	for (unsigned int i = 0; i < MAX_WATCHES; i++)
		private.watches[i].fd = -1;
	clock_gettime(CLOCK_REALTIME, &now);
	private.wall_offset_ns = now.tv_sec * NS_PER_S + now.tv_nsec - run_monotonic_ns();
	libbpf_voice.is_verbose = invocation->output.is_verbose;
	libbpf_set_print(libbpf_print);
	run.is_replay = settings->replay != NULL;
	status = check_settings(invocation, settings, err);
	if (!status && tracer->configure)
		status = tracer->configure(&run, state, err);
	if (!status)
		status = run.is_replay ? run_replay(&run, err) : run_live(&run, err);
	return close_run(&run, status > 0 ? 0 : status, err);
}
