/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Event commands: tracing commands whose kernel side sends events over one ring (bpf/trace.bpf.h), or counts in maps.
 * This is what they share above the runner: loading the programs that this kernel has targets for, filters, the ring,
 * names of cgroups and stacks, rows, and what was lost.
 *
 *     tracepoint … → NAME.bpf.c → ring → on_event() ┐
 *                              └→ maps → report()   ┴→ trace_row() → recording, view
 *
 * A command is a struct event_source, named by its tracer, whose callbacks are those of this file:
 *
 *     static const struct tracer NAME_tracer = { TRACE_CALLBACKS, .events = &NAME_events, .ladder = …, };
 */
#ifndef DILL_TRACE_H
#define DILL_TRACE_H

#include "column.h"
#include "kernel_targets.h"
#include "run.h"
#include "trace_event.h"

struct bpf_object;
struct trace;

/* A program of the object. Programs that no entry names are loaded on no rung. */
struct trace_program {
	const char *name;
	unsigned int rungs;  /* 1 << index in the ladder */
	/*
	 * Without it, since this kernel has no such target or refuses it: what is missing then, said as a notice. NULL: it
	 * is needed, unless it is one of several (`one_of`) of which another one is there. "": nothing is missing.
	 */
	const char *without;
	const char *one_of;  /* programs with the same word do the same on different kernels */
	/* Words of kernel_targets_have() beside the section's own target, asked first: types cost less than kallsyms. */
	const char *only_with;
	/* SEC("perf_event"): 1 << PERF_COUNT_SW_… of each software event: every occurrence, on every CPU. */
	unsigned int software_events;
};

/* Which argument of a raw tracepoint is the one of a name, where kernels differ: @variable of the programs (trace_argument()). */
struct trace_argument {
	const char *variable;  /* a __s32 constant, set to the argument's number, or -1 */
	const char *tracepoint, *argument;
};

struct event_source {
	/* NAME_bpf__elf_bytes of the skeleton. NULL: no BPF, and so neither events nor losses: begin() and report() do it all. */
	const void *(*elf)(size_t *ret_size);
	const struct trace_program *programs; /* until one without name */
	const struct trace_argument *arguments; /* until one without variable; NULL: none */
	size_t state_size;                    /* zeroed, in trace->state */
	/* As a tracer's. May be NULL, as all below. */
	int (*configure)(struct trace *trace, struct error *err);
	/* The object is open and not loaded: set what its programs have as constants, sizes of maps. */
	int (*prepare)(struct trace *trace, struct error *err);
	/* Loaded and attached. */
	int (*begin)(struct trace *trace, struct error *err);
	/* Take away what begin() attached. Called once or more often, also when begin() failed or never came. */
	void (*detach)(struct trace *trace);
	/* One event out of the ring, of @size bytes, in the order of one CPU. */
	int (*on_event)(struct trace *trace, const struct trace_head *head, size_t size);
	/* Some ten times a second. */
	int (*on_look)(struct trace *trace);
	/* An interval is over, or all: nothing is attached any more. */
	int (*report)(struct trace *trace, bool is_last, struct error *err);
	void (*destroy)(struct trace *trace);
};

struct trace {
	struct run *run;
	const struct event_source *events;
	void *state;
	struct bpf_object *object;  /* live runs only, from here on */
	uint64_t shown;             /* events that came out of the ring */
	uint64_t counted;           /* the command's: seen ones that it found in its maps */
	uint64_t filtered;          /* the command's: seen ones that it left out by its own filter */
	struct trace_private *private;
};

int trace_configure(struct run *run, void *data, struct error *err);
int trace_start(struct run *run, void *data, struct error *err);
int trace_tick(struct run *run, void *data, struct error *err);
int trace_end(struct run *run, void *data, struct error *err);
int trace_on_record(struct run *run, void *data, uint32_t type, struct payload_reader *payload);
void trace_destroy(void *data);

#define TRACE_CALLBACKS                                                                                       \
	.state_size = sizeof(struct trace), .configure = trace_configure, .start = trace_start, .tick = trace_tick, \
	.end = trace_end, .on_record = trace_on_record, .destroy = trace_destroy

/* The object ---------------------------------------------------------------------------------------------- */

/* In prepare(): a `volatile const` integer of the programs. A name that they lack is a defect: -ENOENT. */
int trace_set(struct trace *trace, const char *variable, uint64_t value, struct error *err);
/* The same of anything else, of exactly @size bytes. */
int trace_set_bytes(struct trace *trace, const char *variable, const void *bytes, size_t size, struct error *err);
/* After the load: a variable of the programs that begins as zero, in place; NULL: they lack it. */
void *trace_variable(struct trace *trace, const char *name);
struct bpf_map *trace_map(struct trace *trace, const char *name);
int trace_map_fd(struct trace *trace, const char *name);
/* An element of a per-CPU map whose value is @count u64: their sums over the CPUs. */
int trace_map_sum(int map_fd, const void *key, uint64_t *ret_sums, size_t count);
/* Whether program @name is loaded: its target is there. */
bool trace_has_program(struct trace *trace, const char *name);
/* In prepare(): leave program @name out. */
void trace_leave_out(struct trace *trace, const char *name);
/* In prepare(): fill the constants of bpf/page_walk.bpf.h. They need the direct map's place; without it none is walked. */
int trace_set_page_tables(struct trace *trace, bool *ret_is_known, struct error *err);
/* In prepare(): fill the constants of bpf/page_node.bpf.h. */
int trace_set_nodes(struct trace *trace, struct error *err);

/* Rows ---------------------------------------------------------------------------------------------------- */

/*
 * A row, or an object (a sentence, a list), of one of the command's records, which go into the recording too. A record
 * that the command does not list is a defect.
 */
int trace_row(struct trace *trace, const struct view_record *record, const struct view_value *values);
int trace_object(struct trace *trace, const struct view_record *record, const struct view_value *values);

/*
 * An object of a distribution of durations, @slots (HISTOGRAM_SLOTS_MAX), in the record's last column; @kinds are the
 * columns before. Of an empty one there is none.
 */
int trace_durations(struct trace *trace, const struct view_record *record, const struct view_value *kinds, uint64_t *slots);

/*
 * Columns that each event has, and their values. Begin a record's columns with TRACE_HEAD_COLUMNS and its enum of
 * values with TRACE_HEAD_VALUES.
 */
enum {
	TRACE_TIME, TRACE_MONOTONIC, TRACE_COMM, TRACE_PID, TRACE_TID, TRACE_CPU, TRACE_CGROUP_ID, TRACE_CGROUP,
	TRACE_CONTAINER, TRACE_HEAD_COUNT
};
#define TRACE_HEAD_COLUMNS                                                                                  \
	{ .name = "time", .type = VIEW_TIME },                                                              \
	{ .name = "monotonic_ns", .type = VIEW_U64, .is_json_only = true },                                 \
	{ .name = "comm", .type = VIEW_TEXT, .width = 15 },                                                 \
	{ .name = "pid", .type = VIEW_U64, .width = 7 },                                                    \
	{ .name = "tid", .type = VIEW_U64, .is_json_only = true },                                          \
	{ .name = "cpu", .type = VIEW_U64, .is_json_only = true },                                          \
	{ .name = "cgroup_id", .type = VIEW_U64, .is_json_only = true },                                    \
	{ .name = "cgroup", .type = VIEW_PATH, .is_json_only = true, .is_optional = true },                 \
	{ .name = "container", .type = VIEW_TEXT, .is_json_only = true, .is_optional = true }
/* Fill values[0 … TRACE_HEAD_COUNT-1]. Texts are borrowed from @head and the trace, until the next event. */
void trace_head_values(struct trace *trace, const struct trace_head *head, struct view_value *values);

/* The last record of every event command; list it among .records. */
extern const struct view_record trace_losses_record;

/* Names --------------------------------------------------------------------------------------------------- */

/* Path of a cgroup below its mount, and the container's id when its name looks like one; NULL: not known. Borrowed. */
const char *trace_cgroup(struct trace *trace, uint64_t cgroup_id, const char **ret_container);
/* The kernel's tracepoints, functions and types. */
struct kernel_targets *trace_targets(struct trace *trace);
/*
 * What the kernel calls value @value of its enum @type, without @prefix, in lower case: "COMPACT_NO_SUITABLE_PAGE" is
 * "no_suitable_page". The number when it has no such name.
 */
void trace_enumerator(struct trace *trace, const char *type, const char *prefix, int value, char *text, size_t size);

/*
 * Frames of a stack of the kernel (@pid 0) or of a process, in dill's PID namespace, as values: valid until the next
 * call with the same @is_second, so that two can be shown at once. NULL when @stack has none.
 */
const struct view_stack *trace_frames(struct trace *trace, pid_t pid, const struct trace_stack *stack, bool is_second);

/* In begin(), of commands that may not wait at the first stack: reads what stacks of all kinds need. */
void trace_stacks_open(struct trace *trace);

/*
 * User stacks walked by unwind tables: for programs that include trace_stack.bpf.h. Call trace_user_stacks() in prepare(),
 * also when none are wanted, so that they take no memory. Frames of a key as above; NULL: there is no stack.
 */
int trace_user_stacks(struct trace *trace, bool are_wanted, struct error *err);
/* Wanted, but few in all, and seldom two alike: takes little memory and remembers no walks. */
int trace_rare_user_stacks(struct trace *trace, struct error *err);
const struct view_stack *trace_user_frames(struct trace *trace, pid_t pid, uint64_t key, bool is_second);

#endif
