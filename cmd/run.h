/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The runner of tracing commands. It alone owns: the arguments that all of them share, libbpf's voice, the
 * source ladder, signals,
 * the loop, record and replay, exit codes. A tracing command is a descriptor.
 *
 *   live:    BPF → tracer's start/tick/end → run_emit() → on_record → view
 *                                               └→ --record FILE
 *   replay:  --replay FILE                    → on_record → view
 */
#ifndef DILL_RUN_H
#define DILL_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "command.h"
#include "ladder.h"
#include "recording.h"

struct event_source;
struct kernel_targets;
struct launch;
struct run;

/* Values of the options that all tracing commands have. */
struct trace_settings {
	struct text_list pids;
	struct text_list comms;
	const char *cgroup;
	bool follows_children;
	uint64_t interval_ns; /* 0: a report at the end only */
	uint64_t duration_ns; /* 0: until interrupted */
	uint64_t count;       /* intervals; 0: no limit */
	const char *record;
	const char *replay;
	const char *source; /* words that a rung's name begins with; NULL: the first that stands */
};

extern const struct option_spec trace_options[];
extern const size_t trace_option_count;

struct tracer {
	struct ladder ladder;
	bool takes_command;  /* `-- CMD ARGS…` can be started and traced */
	bool takes_arguments; /* words that are no options, before `--`: invocation->arguments */
	bool selects_processes; /* of one with `events`: -n and --cgroup mean processes that run now, as without */
	bool needs_targets;  /* some process must be named: -p, -n, --cgroup or a command */
	const struct event_source *events; /* trace.h: of a command that filters events; -n and --cgroup are no processes */
	uint64_t interval_ns; /* default */
	size_t state_size;   /* zeroed memory that every call below gets */
	/*
	 * Check options together; called for live runs and for replays. -EINVAL is a usage error; 1: what they ask for needs no
	 * tracing, and was shown.
	 */
	int (*configure)(struct run *run, void *state, struct error *err);
	/* Load, attach. run->rung is chosen. Registers its descriptors by run_watch(). */
	int (*start)(struct run *run, void *state, struct error *err);
	int (*tick)(struct run *run, void *state, struct error *err); /* an interval is over: emit records */
	int (*end)(struct run *run, void *state, struct error *err);  /* detach, emit the last records */
	/* Consume a record, from this run or from a file: feed the view. */
	int (*on_record)(struct run *run, void *state, uint32_t type, struct payload_reader *payload);
	void (*destroy)(void *state); /* also after a failed start, and after replays */
};

/* One run, as the tracer sees it. */
struct run {
	const struct invocation *invocation;
	const struct trace_settings *settings;
	const void *options; /* the command's own settings */
	struct view *view;
	struct kernel_caps *caps;
	size_t rung;            /* index into the ladder */
	struct kernel_targets *attachable; /* the kernel's tracepoints and functions; NULL: the ladder asks for none */
	const pid_t *targets;   /* processes named by -p, -n, --cgroup, and the command that was started */
	size_t target_count;
	struct launch *launch;  /* the started command, or NULL */
	bool is_replay;
	bool has_ended;         /* the next report is the last */
	void *state;
	struct run_private *private;
};

/* Have @callback called whenever @fd is readable. @fd stays the caller's, and open while the run lasts. */
int run_watch(struct run *run, int fd, int (*callback)(struct run *run, void *state), struct error *err);
void run_unwatch(struct run *run, int fd);

/* Only into the recording, when there is one: for records that the view gets otherwise. */
bool run_is_recorded(const struct run *run);
void run_record(struct run *run, uint32_t type, const struct payload *payload);
/* Hand a record on: to the recording when there is one, and to the tracer's on_record. */
int run_emit(struct run *run, uint32_t type, const struct payload *payload);

/* A line on stderr, escaped; not with -q. run_verbose(): with -v only. */
void run_notice(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
void run_verbose(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * The outcome: something was found (exit 1); something is missing in the result (exit 3, the first reason
 * is printed at the end).
 */
void run_found(struct run *run);
void run_incomplete(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* End after this turn of the loop: nothing is left to trace. */
void run_stop(struct run *run);

/* CLOCK_REALTIME in ns for a CLOCK_MONOTONIC time in ns, by the difference at the start of the run. */
uint64_t run_wall_ns(const struct run *run, uint64_t monotonic_ns);
uint64_t run_monotonic_ns(void);

/* libbpf's last complaint, for a failed load; "" when there was none. */
const char *run_libbpf_complaint(void);

int run_tracer(struct invocation *invocation, struct trace_settings *settings, struct error *err);

#endif
