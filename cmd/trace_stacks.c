// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Stacks of events as frames: the kernel's by /proc/kallsyms, a process's by its mapped files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "symbol_table.h"
#include "symbolizer.h"
#include "trace_private.h"

#define MAX_FRAMES (8 * TRACE_STACK_FRAMES) /* with what is inlined */
#define MOST_PROCESSES_AHEAD 256             /* each takes some descriptors */

struct shown_stack {
	struct view_stack stack;
	struct view_frame frames[MAX_FRAMES];
};

struct trace_stacks {
	struct symbol_table kernel;
	bool is_kernel_read, has_kernel;
	struct symbolizer *symbolizer;
	struct shown_stack shown[2];
	size_t known_count; /* processes opened before one of their stacks was shown */
};

void trace_stacks_destroy(struct trace_stacks *stacks)
{
	if (!stacks)
		return;
	symbol_table_deinit(&stacks->kernel);
	symbolizer_destroy(stacks->symbolizer);
	free(stacks);
}

static struct trace_stacks *open_stacks(struct trace *trace)
{
	struct symbolizer_options options = { 0 }; /* lines would take debug files of every program on the machine */
	struct trace_stacks *stacks = trace->private->stacks;
	struct error err = { 0 };

	if (stacks)
		return stacks;
	trace->private->stacks = stacks = calloc(1, sizeof(*stacks));
	if (!stacks)
		return NULL;
	if (symbolizer_create(&options, &stacks->symbolizer, &err))
		run_notice(trace->run, "functions of programs stay without names: %s", err.text);
	return stacks;
}

/* Some 200,000 names, which only stacks of the kernel need. */
static void read_kernel(struct trace *trace, struct trace_stacks *stacks)
{
	struct error err = { 0 };

	if (stacks->is_kernel_read)
		return;
	stacks->is_kernel_read = true;
	stacks->has_kernel = !symbol_table_add_text(&stacks->kernel, "/proc/kallsyms", 0, &err);
	if (!stacks->has_kernel)
		run_notice(trace->run, "functions of the kernel stay without names: %s", err.text);
}

static void add_kernel_frame(struct trace_stacks *stacks, struct shown_stack *shown, uint64_t address)
{
	struct view_frame *frame = &shown->frames[shown->stack.count];
	uint64_t start, end;

	if (shown->stack.count == MAX_FRAMES)
		return;
	*frame = (struct view_frame){ .object = "kernel", .address = address };
	if (stacks->has_kernel && !symbol_table_at(&stacks->kernel, address, &frame->symbol, &start, &end))
		frame->offset = address - start;
	shown->stack.count++;
}

static void add_user_frames(struct trace_stacks *stacks, struct shown_stack *shown, pid_t pid, uint64_t address,
			    bool is_return_address)
{
	struct source_frames frames;

	if (!stacks->symbolizer || symbolizer_resolve(stacks->symbolizer, pid, address, is_return_address, &frames, NULL)) {
		if (shown->stack.count < MAX_FRAMES)
			shown->frames[shown->stack.count++] = (struct view_frame){ .address = address };
		return;
	}
	for (size_t i = 0; i < frames.count && shown->stack.count < MAX_FRAMES; i++) {
		const struct source_frame *from = &frames.list[i];

		shown->frames[shown->stack.count++] = (struct view_frame){
			.symbol = from->symbol,
			.offset = from->symbol ? from->symbol_offset : from->object_vaddr,
			.object = from->object,
			.file = from->file,
			.line = from->line,
			.is_inlined = from->is_inlined,
			.address = address,
		};
	}
}

/* What the kernel put on top to run our program. */
static bool is_of_tracing(const struct view_frame *frame)
{
	static const char *const prefixes[] = { "bpf_prog_", "bpf_trace_run", "__bpf_trace_", "__traceiter_", "trace_call_bpf",
						"perf_trace_", "trace_event_raw_event_", "perf_syscall_", "kprobe_",
						"kretprobe_", "bpf_get_stack", "__bpf_prog_enter", "bpf_trampoline_",
						"bpf_overflow_handler", "perf_event_", "__perf_event_", "perf_swevent_",
						"___perf_sw_event", "__perf_sw_event", "perf_tp_event" };

	for (size_t i = 0; frame->symbol && i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (strncmp(frame->symbol, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

void trace_stacks_open(struct trace *trace)
{
	struct trace_stacks *stacks = open_stacks(trace);

	if (stacks)
		read_kernel(trace, stacks);
}

void trace_stacks_learn(struct trace *trace, pid_t pid)
{
	struct trace_stacks *stacks = open_stacks(trace);

	if (!stacks || !stacks->symbolizer || stacks->known_count >= MOST_PROCESSES_AHEAD)
		return;
	stacks->known_count++;
	symbolizer_refresh(stacks->symbolizer, pid, NULL);
}

const struct view_stack *trace_stacks_show(struct trace *trace, pid_t pid, const unsigned long long *addresses,
					   size_t count, bool is_truncated, bool is_second)
{
	struct trace_stacks *stacks = open_stacks(trace);
	struct shown_stack *shown;

	if (!stacks || !count)
		return NULL;
	if (!pid)
		read_kernel(trace, stacks);
	shown = &stacks->shown[is_second];
	shown->stack = (struct view_stack){ .frames = shown->frames, .is_truncated = is_truncated };
	if (pid && stacks->symbolizer && !symbolizer_knows(stacks->symbolizer, pid, addresses[0]))
		symbolizer_refresh(stacks->symbolizer, pid, NULL); /* gone already: addresses alone are shown */
	for (size_t i = 0; i < count; i++)
		if (pid)
			add_user_frames(stacks, shown, pid, addresses[i], i > 0);
		else
			add_kernel_frame(stacks, shown, addresses[i]);
	while (!pid && shown->stack.count && is_of_tracing(shown->stack.frames)) {
		shown->stack.frames++;
		shown->stack.count--;
	}
	return &shown->stack;
}

const struct view_stack *trace_frames(struct trace *trace, pid_t pid, const struct trace_stack *stack, bool is_second)
{
	size_t count = stack->count < 0 ? 0 : stack->count > TRACE_STACK_FRAMES ? TRACE_STACK_FRAMES : stack->count;

	return trace_stacks_show(trace, pid, stack->addresses, count, count == TRACE_STACK_FRAMES, is_second);
}
