// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill memleak: what a program has allocated and not freed, by stack.
 *
 * This file is the descriptor. leak_source.c traces, leak_books.c makes records, leak_report.c shows them.
 */
#include <errno.h>
#include <stdlib.h>

#include "leak_books.h"
#include "leak_report.h"
#include "leak_source.h"
#include "memleak_options.h"
#include "run.h"
#include "stack_layout.h"

#define OFFSET(field) offsetof(struct memleak_options, field)

static const char *const order_names[] = { "bytes", "count", "growth", NULL };

static const struct option_spec memleak_option_specs[] = {
	{ 0, "older-than", "TIME", OPTION_DURATION, OFFSET(older_than_ns), NULL,
	  "count only blocks held for this long (default 0: all)" },
	{ 'z', "min-size", "SIZE", OPTION_SIZE, OFFSET(min_size), NULL, "ignore smaller allocations" },
	{ 'Z', "max-size", "SIZE", OPTION_SIZE, OFFSET(max_size), NULL, "ignore larger allocations" },
	{ 'T', "top", "N", OPTION_NUMBER, OFFSET(top), NULL, "show the N first stacks (default 10; 0: all)" },
	{ 0, "sort", "ORDER", OPTION_CHOICE, OFFSET(order), order_names, "bytes (default), count or growth" },
	{ 'a', "show-allocations", NULL, OPTION_FLAG, OFFSET(shows_allocations), NULL,
	  "list each held block: address, size, age" },
	{ 0, "sample", "BYTES", OPTION_SIZE, OFFSET(sample_bytes), NULL,
	  "follow one allocation in so many bytes on average, and estimate the rest" },
	{ 0, "stack-depth", "N", OPTION_NUMBER, OFFSET(stack_depth), NULL, "frames of a stack (default and most: 127)" },
	{ 0, "max-memory", "SIZE", OPTION_SIZE, OFFSET(max_memory), NULL,
	  "budget for the kernel's maps (default 256M, or an eighth of the machine's memory if that is less)" },
	{ 0, "no-aggregate", NULL, OPTION_FLAG, OFFSET(streams), NULL,
	  "show each allocation and free as it happens, and what is held at the end only" },
	{ 'O', "object", "OBJECT", OPTION_TEXT, OFFSET(object), NULL,
	  "trace the allocator in this object: a path, or a file name such as libjemalloc.so" },
	{ 'S', "symbol-prefix", "PREFIX", OPTION_TEXT, OFFSET(prefix), NULL, "its functions begin so: je_ for je_malloc" },
	{ 0, "threshold", "SIZE", OPTION_SIZE, OFFSET(threshold), NULL,
	  "exit with 1 when one stack holds more than this (default: never)" },
	{ 0, "frame-pointers", NULL, OPTION_FLAG, OFFSET(uses_frame_pointers), NULL,
	  "walk stacks by frame pointers alone, not by unwind tables" },
	{ 0, "no-mappings", NULL, OPTION_FLAG, OFFSET(no_mappings), NULL, "leave mmap, munmap and mremap out" },
	{ 0, "no-operators", NULL, OPTION_FLAG, OFFSET(no_operators), NULL,
	  "leave C++ operator new and delete out where they do not call malloc" },
	{ 0, "no-lines", NULL, OPTION_FLAG, OFFSET(no_lines), NULL, "no source lines and inlined functions" },
	{ 0, "debuginfod", NULL, OPTION_FLAG, OFFSET(uses_debuginfod), NULL,
	  "ask the servers in DEBUGINFOD_URLS for missing debug files" },
};

static const struct memleak_options memleak_defaults = { .max_size = UINT64_MAX, .top = 10,
							 .stack_depth = WALK_MAX_FRAMES };

struct memleak_state {
	struct leak_report *report;
	struct leak_books *books; /* live runs only, from here on */
	struct leak_source *source;
	struct run *run;
};

static int memleak_configure(struct run *run, void *data, struct error *err)
{
	const struct memleak_options *options = run->options;
	struct memleak_state *state = data;

	if (!options->stack_depth || options->stack_depth > WALK_MAX_FRAMES)
		return error_set(err, -EINVAL, "--stack-depth wants 1 to %d", WALK_MAX_FRAMES);
	if (options->min_size > options->max_size)
		return error_set(err, -EINVAL, "--min-size is larger than --max-size");
	if (options->sample_bytes && options->older_than_ns)
		return error_set(err, -EINVAL, "--sample and --older-than do not go together");
	if (options->max_memory && options->max_memory < 4U << 20)
		return error_set(err, -EINVAL, "--max-memory wants 4M at least");
	state->run = run;
	return leak_report_create(options, &state->report);
}

static void report_image_end(struct leak_process *process, bool has_exited, void *context)
{
	struct memleak_state *state = context;
	struct error err = { 0 };
	int status;

	if (!process->is_attached)
		return;
	status = leak_books_report(state->books, process, has_exited ? LEAK_AT_EXIT : LEAK_AT_EXEC, &err);
	if (status == -EPIPE)
		run_stop(state->run);
	else if (status)
		run_incomplete(state->run, "no last report of process %d: %s", process->pid, err.text);
}

static void learn_map(struct leak_process *process, void *context)
{
	struct memleak_state *state = context;

	leak_books_learn(state->books, process->pid);
}

static void show_event(struct leak_process *process, const struct memleak_event *event, void *context)
{
	struct memleak_state *state = context;

	if (leak_books_event(state->books, process, event))
		run_stop(state->run);
}

static int memleak_consume(struct run *run, void *data)
{
	struct memleak_state *state = data;

	(void)run;
	return leak_source_consume(state->source);
}

static int memleak_start(struct run *run, void *data, struct error *err)
{
	const struct memleak_options *options = run->options;
	struct memleak_state *state = data;
	struct leak_listener listener = { report_image_end, learn_map, show_event, state };
	int status;

	status = leak_books_create(run, options, &state->books, err);
	if (status)
		return status;
	status = leak_source_create(run, options, &listener, &state->source, err);
	if (status)
		return status;
	leak_books_set_source(state->books, state->source);
	return run_watch(run, leak_source_event_fd(state->source), memleak_consume, err);
}

static int report_all(struct memleak_state *state, enum leak_reason reason, struct error *err)
{
	struct leak_process *process;
	int status = 0;

	for (size_t i = 0; (process = leak_source_process(state->source, i)) && !status; i++) {
		if (process->has_exited || !process->is_attached)
			continue;
		status = leak_books_report(state->books, process, reason, err);
	}
	return status;
}

static int memleak_tick(struct run *run, void *data, struct error *err)
{
	const struct memleak_options *options = run->options;

	return options->streams ? 0 : report_all(data, LEAK_AT_INTERVAL, err);
}

static int memleak_end(struct run *run, void *data, struct error *err)
{
	struct memleak_state *state = data;
	struct leak_process *process;

	/*
	 * Counts stand still once the probes are out. Perf events take seconds for that: report first,
	 * there.
	 */
	if (run->rung == 0)
		leak_source_detach(state->source);
	else
		leak_source_consume(state->source);
	for (size_t i = 0; (process = leak_source_process(state->source, i)); i++)
		if (!process->is_attached && !process->has_exited)
			run_incomplete(run, "process %d has no allocator that was found: see -O and -S", process->pid);
	return report_all(state, LEAK_AT_END, err);
}

static int memleak_on_record(struct run *run, void *data, uint32_t type, struct payload_reader *payload)
{
	struct memleak_state *state = data;

	return leak_report_take(state->report, run, type, payload);
}

static void memleak_destroy(void *data)
{
	struct memleak_state *state = data;

	leak_source_destroy(state->source);
	leak_books_destroy(state->books);
	leak_report_destroy(state->report);
}

static const struct rung memleak_rungs[] = {
	{ "uprobe_multi links",
	  { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_BPF_RINGBUF, KERNEL_CAP_UPROBE_MULTI,
	    KERNEL_CAP_UPROBE_MULTI_THREADS },
	  5, NULL, NULL },
	{ "perf uprobes",
	  { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_BPF_RINGBUF, KERNEL_CAP_UPROBE_PERF },
	  4, "attaching and detaching take longer", NULL },
};

static const struct tracer memleak_tracer = {
	.ladder = { memleak_rungs, sizeof(memleak_rungs) / sizeof(*memleak_rungs) },
	.takes_command = true,
	.needs_targets = true,
	.interval_ns = 5000000000ULL,
	.state_size = sizeof(struct memleak_state),
	.configure = memleak_configure,
	.start = memleak_start,
	.tick = memleak_tick,
	.end = memleak_end,
	.on_record = memleak_on_record,
	.destroy = memleak_destroy,
};

const struct command memleak_command = {
	.name = "memleak",
	.summary = "what a program has allocated and not freed, by stack",
	.usage = "-p PID [OPTIONS]\n[OPTIONS] -- COMMAND ARGS...\n--replay FILE [OPTIONS]",
	.description =
		"Follows malloc, calloc, realloc, free and their kin, C++ new and delete, mmap, mremap and munmap of\n"
		"running processes, or of a command from its first instruction on, and reports at every interval and at\n"
		"the end what is still held, grouped by stack, largest first. Running processes are not stopped.\n"
		"Held is not leaked: a stack that grows at each report deserves the look.",
	.options = memleak_option_specs,
	.option_count = sizeof(memleak_option_specs) / sizeof(*memleak_option_specs),
	.settings_size = sizeof(struct memleak_options),
	.defaults = &memleak_defaults,
	.tracer = &memleak_tracer,
	.records = leak_report_records,
};
