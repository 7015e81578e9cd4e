// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Which task is on which CPU, and the traps that depend on it.
 *
 * The kernel writes a CPU's current_task once for each switch, in __switch_to(). A write watchpoint on it tells
 * of every task that comes to a CPU, new ones and those that nobody has heard of included, and leaves nothing
 * behind in a task that ends. Watching task_struct.on_cpu instead would cost stops for followed tasks only, but
 * forks, threads, renames and ends would have to be watched too, in memory that is used again for something
 * else. A task's name can change while it runs (exec, prctl): where names are followed, that of the task on
 * each CPU is watched. What happens to a task's name while it waits is seen when it comes to a CPU.
 *
 * Without watchpoints nothing is followed: traps stay set, and each stop looks at its CPU's task.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "heap_trace_private.h"
#include "kernel.h"

#define PF_KTHREAD 0x200000

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/*
 * A variable of its own, but from 6.2 (e57ef2ed97c1 "x86: Put hot per CPU variables into a struct") to 6.14 a
 * member of pcpu_hot.
 */
static int find_current(struct kernel *kernel, uint64_t *ret_pointer, struct error *err)
{
	struct kernel_member member;
	uint32_t type;
	uint64_t hot;

	if (!kernel_symbol(kernel, "current_task", ret_pointer))
		return 0;
	if (kernel_symbol(kernel, "pcpu_hot", &hot) || kernel_type_find(kernel->types, "pcpu_hot", &type) ||
	    kernel_member_find(kernel->types, type, "current_task", &member, NULL))
		return error_set(err, -ENOENT, "this kernel has neither current_task nor pcpu_hot");
	*ret_pointer = hot + member.bit_offset / 8;
	return 0;
}

/* The kernel's number of a CPU by its per-CPU base, which gs or, in user mode, the other gs holds. */
static uint32_t number_of(const struct kernel *kernel, const struct stub_registers *registers, unsigned cpu)
{
	uint64_t base = registers->cs & 3 ? registers->kernel_gs_base : registers->gs_base;

	for (size_t i = 0; base && i < kernel->cpu_count; i++)
		if (kernel->percpu_offsets[i] == base)
			return (uint32_t)i;
	return cpu;
}

int heap_follow_init(struct heap_trace *trace, struct stub_target *target, struct error *err)
{
	uint64_t pointer;
	int status = find_current(trace->kernel, &pointer, err);

	if (status)
		return status;
	free(trace->cpus);
	trace->cpu_count = stub_cpu_count(target);
	trace->cpus = calloc(trace->cpu_count, sizeof(*trace->cpus));
	free(trace->reads);
	trace->reads = calloc(2 * trace->cpu_count, sizeof(*trace->reads));
	if (!trace->cpus || !trace->reads)
		return error_set(err, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < trace->cpu_count; i++) {
		struct heap_cpu *cpu = &trace->cpus[i];
		struct stub_registers registers;

		status = stub_registers_read(target, i, &registers, err);
		if (status)
			return status;
		cpu->number = number_of(trace->kernel, &registers, i);
		/* A CPU that the kernel doesn't use runs no tasks. */
		if (!kernel_percpu(trace->kernel, pointer, cpu->number, &cpu->current_address))
			cpu->gs_base = trace->kernel->percpu_offsets[cpu->number];
	}
	return 0;
}

/* Tasks ---------------------------------------------------------------------------------------------------- */

/* Read @cpu's current task at @address. What can't be read is no task that is wanted. */
static int read_task(struct heap_trace *trace, struct stub_target *target, unsigned cpu, uint64_t address,
		     struct error *err)
{
	const struct heap_task_layout *layout = &trace->task_layout;
	struct heap_cpu *at = &trace->cpus[cpu];
	uint32_t flags = 0;
	struct heap_task task = { .address = address };
	struct memory_read reads[] = {
		heap_read(address + layout->pid.offset, &task.pid, sizeof(task.pid)),
		heap_read(address + layout->tgid.offset, &task.tgid, sizeof(task.tgid)),
		heap_read(address + layout->comm.offset, task.comm, HEAP_COMM_MAX),
		heap_read(address + layout->flags.offset, &flags, sizeof(flags)),
	};
	int status = address ? stub_memory_read(target, cpu, reads, 4, err) : 0;

	if (status)
		return status;
	if (!address || reads[0].result || reads[1].result || reads[2].result || reads[3].result)
		task = (struct heap_task){ 0 };
	task.comm[HEAP_COMM_MAX] = '\0';
	task.is_kernel_thread = flags & PF_KTHREAD;
	at->task = task;
	at->is_wanted = task.address &&
			heap_filter_may_want_task(trace->filter, task.comm, task.tgid, task.pid);
	return 0;
}

static int read_current(struct heap_trace *trace, struct stub_target *target, unsigned cpu, struct error *err)
{
	uint64_t address = 0;
	struct memory_read read = heap_read(trace->cpus[cpu].current_address, &address, sizeof(address));
	int status = read.address ? stub_memory_read(target, cpu, &read, 1, err) : 0;

	if (status)
		return status;
	/* In user mode with page tables of its own: whoever it is, it may be wanted until the next stop tells. */
	if (read.result) {
		trace->cpus[cpu].task = (struct heap_task){ 0 };
		trace->cpus[cpu].is_wanted = true;
		return 0;
	}
	return read_task(trace, target, cpu, address, err);
}

bool heap_follow_wants(const struct heap_trace *trace, unsigned cpu)
{
	return !trace->is_following || trace->cpus[cpu].is_wanted;
}

int heap_follow_look(struct heap_trace *trace, struct heap_stop *stop, struct error *err)
{
	return trace->is_following ? 0 : read_current(trace, stop->target, stop->cpu, err);
}

/* Traps ---------------------------------------------------------------------------------------------------- */

static bool must_be_armed(const struct heap_trace *trace)
{
	bool is_wanted = !trace->is_following || trace->object_count;

	for (size_t i = 0; i < trace->cpu_count; i++)
		is_wanted = is_wanted || trace->cpus[i].is_wanted;
	return is_wanted;
}

/* -EOPNOTSUPP names the first that the stub refuses. */
static int check_traps(const struct stub_trap *traps, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (traps[i].result)
			return error_set(err, -EOPNOTSUPP, "the stub refuses a %s at 0x%llx",
					 traps[i].kind == STUB_BREAK ? "breakpoint" : "watchpoint",
					 (unsigned long long)traps[i].address);
	return 0;
}

static int arm(struct heap_trace *trace, struct stub_target *target, struct error *err)
{
	int status;

	if (trace->is_armed || !must_be_armed(trace))
		return 0;
	status = heap_traps_add(trace, target, trace->traps, trace->trap_count, err);
	if (status)
		return status;
	heap_follow_skip_time(trace);
	trace->is_armed = true;
	return check_traps(trace->traps, trace->trap_count, err);
}

void heap_follow_skip_time(struct heap_trace *trace)
{
	trace->armed_at_ns = now_ns();
}

void heap_follow_count_time(struct heap_trace *trace)
{
	uint64_t now = now_ns();

	if (trace->is_armed)
		trace->counts.armed_ns += now - trace->armed_at_ns;
	trace->armed_at_ns = now;
}

int heap_follow_disarm(struct heap_trace *trace, struct error *err)
{
	if (!trace->is_armed)
		return 0;
	heap_follow_count_time(trace);
	trace->is_armed = false;
	return heap_traps_remove(trace, trace->traps, trace->trap_count, err);
}

int heap_follow_settle(struct heap_trace *trace, struct stub_target *target, struct error *err)
{
	int status = must_be_armed(trace) ? 0 : heap_follow_disarm(trace, err);

	return status ? status : heap_traps_settle(trace, target, err);
}

static bool follows_names(const struct heap_trace *trace)
{
	for (size_t i = 0; i < trace->filter->process_count; i++)
		if (!trace->filter->processes[i].pid)
			return true;
	return false;
}

/* The name of the task that @cpu ran is nobody's to watch, unless another CPU runs it by now. */
static int unwatch_name(struct heap_trace *trace, unsigned cpu, struct error *err)
{
	struct stub_trap old = trace->cpus[cpu].comm;
	bool is_anothers = false;

	trace->cpus[cpu].comm = (struct stub_trap){ 0 };
	for (size_t i = 0; i < trace->cpu_count; i++)
		is_anothers |= trace->cpus[i].comm.size && trace->cpus[i].comm.address == old.address;
	return old.size && !is_anothers ? heap_traps_remove(trace, &old, 1, err) : 0;
}

/* Watch the name of the task that @cpu runs now, and no other's on its behalf. */
static int watch_name(struct heap_trace *trace, struct stub_target *target, unsigned cpu, struct error *err)
{
	struct heap_cpu *at = &trace->cpus[cpu];
	const struct field *comm = &trace->task_layout.comm;
	bool is_needed = trace->is_following && at->task.address && !at->task.is_kernel_thread &&
			 follows_names(trace);
	uint64_t address = is_needed ? at->task.address + comm->offset : 0;
	bool is_watched = false;
	int status;

	if ((at->comm.size != 0) == is_needed && at->comm.address == address)
		return 0;
	status = unwatch_name(trace, cpu, err);
	if (status || !is_needed)
		return status;
	for (size_t i = 0; i < trace->cpu_count; i++)
		is_watched |= trace->cpus[i].comm.size && trace->cpus[i].comm.address == address;
	at->comm = (struct stub_trap){ .kind = STUB_WATCH_WRITE, .address = address, .size = comm->size };
	return is_watched ? 0 : heap_traps_add(trace, target, &at->comm, 1, err);
}

static int watch_switches(struct heap_trace *trace, struct stub_target *target, bool is_wanted, struct error *err)
{
	if (is_wanted == trace->is_following)
		return 0;
	for (size_t i = 0; i < trace->cpu_count; i++) {
		struct stub_trap trap = { .kind = STUB_WATCH_WRITE, .address = trace->cpus[i].current_address,
					  .size = sizeof(uint64_t) };
		int status;

		if (!trap.address)
			continue;
		status = is_wanted ? heap_traps_add(trace, target, &trap, 1, err) :
				     heap_traps_remove(trace, &trap, 1, err);
		if (!status && is_wanted)
			status = check_traps(&trap, 1, err);
		if (status)
			return status;
	}
	trace->is_following = is_wanted;
	return 0;
}

int heap_follow_renew(struct heap_trace *trace, struct stub_target *target, struct error *err)
{
	bool is_following = trace->has_watchpoints && !heap_filter_wants_any_task(trace->filter);
	int status = watch_switches(trace, target, is_following, err);

	for (unsigned cpu = 0; cpu < trace->cpu_count && !status; cpu++) {
		status = read_current(trace, target, cpu, err);
		if (!status)
			status = watch_name(trace, target, cpu, err);
	}
	if (!status)
		status = arm(trace, target, err);
	return status ? status : heap_follow_settle(trace, target, err);
}

/* What changed on @cpu: the task, or (@is_renamed) its name. */
static int note_change(struct heap_trace *trace, struct heap_stop *stop, unsigned cpu, uint64_t task,
		       bool is_renamed, struct error *err)
{
	struct heap_cpu *at = &trace->cpus[cpu];
	bool was_wanted = at->is_wanted;
	int status = read_task(trace, stop->target, cpu, task, err);

	at->has_changed = true;
	if (!is_renamed && (was_wanted || at->is_wanted))
		trace->counts.switches++;
	return status ? status : watch_name(trace, stop->target, cpu, err);
}

/* Which task each CPU runs, and what its name is, by one request: two reads a CPU. */
static int read_all(struct heap_trace *trace, struct heap_stop *stop, struct error *err)
{
	bool wants_names = follows_names(trace);

	for (size_t i = 0; i < trace->cpu_count; i++) {
		struct heap_cpu *cpu = &trace->cpus[i];
		uint64_t task = wants_names ? cpu->task.address : 0;

		trace->reads[2 * i] = heap_read(cpu->current_address, &cpu->current,
						cpu->current_address ? sizeof(cpu->current) : 0);
		trace->reads[2 * i + 1] = heap_read(task + trace->task_layout.comm.offset, cpu->name,
						    task ? HEAP_COMM_MAX : 0);
	}
	return stub_memory_read(stop->target, stop->cpu, trace->reads, 2 * trace->cpu_count, err);
}

int heap_follow_note(struct heap_trace *trace, struct heap_stop *stop, struct error *err)
{
	int status = trace->is_following ? read_all(trace, stop, err) : 0;

	for (unsigned i = 0; i < trace->cpu_count && !status; i++) {
		const struct memory_read *reads = &trace->reads[2 * i];
		struct heap_cpu *cpu = &trace->cpus[i];

		cpu->has_changed = false;
		if (!trace->is_following || !reads[0].size || reads[0].result)
			continue;
		if (cpu->current != cpu->task.address)
			status = note_change(trace, stop, i, cpu->current, false, err);
		else if (reads[1].size && !reads[1].result && strncmp(cpu->name, cpu->task.comm, HEAP_COMM_MAX) != 0)
			status = note_change(trace, stop, i, cpu->current, true, err);
	}
	return status ? status : arm(trace, stop->target, err);
}
