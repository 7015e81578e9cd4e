// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The runner's side of event commands: trace.h. The ring is read here, and what was lost is told. */
#include "trace.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "cgroup_names.h"
#include "cleanup.h"
#include "stack_tables.h"
#include "trace_private.h"
#include "trace_schema.h"
#include "view.h"

#define LOOK_NS 100000000 /* what the ring holds is shown within this time */

int trace_configure(struct run *run, void *data, struct error *err)
{
	struct trace *trace = data;

	trace->run = run;
	trace->events = run->invocation->command->tracer->events;
	trace->state = calloc(1, trace->events->state_size + 1);
	trace->private = calloc(1, sizeof(*trace->private));
	if (!trace->state || !trace->private)
		return error_set(err, -ENOMEM, "out of memory");
	trace->private->timer_fd = -1;
	return trace->events->configure ? trace->events->configure(trace, err) : 0;
}

static int take_request(void *context, void *bytes, size_t size)
{
	const struct trace_head *head = bytes;
	struct trace *trace = context;

	if (size < sizeof(*head))
		return 0;
	if (head->type == TRACE_PROCESS_FORKED)
		trace->private->process_count++;
	else if (head->type == TRACE_PROCESS_ENDED && trace->private->process_count && --trace->private->process_count == 0)
		run_stop(trace->run);
	else if (head->type == TRACE_SPACE_WANTED && size >= sizeof(struct trace_space_event))
		trace_tables_wanted(trace, bytes);
	return 0;
}

/* The ring's callback: failures are kept, and end the run after this look. */
static int take_event(void *context, void *bytes, size_t size)
{
	const struct trace_head *head = bytes;
	struct trace *trace = context;
	int status;

	if (size < sizeof(*head))
		return 0;
	if (!(head->type & TRACE_NOTE))
		trace->shown++;
	status = trace->events->on_event ? trace->events->on_event(trace, head, size) : 0;
	if (status && !trace->private->status)
		trace->private->status = status;
	return status;
}

static int look(struct trace *trace)
{
	int count, status;

	view_batch_begin(trace->run->view);
	count = trace->private->ring ? ring_buffer__consume(trace->private->ring) : 0;
	status = view_batch_end(trace->run->view);
	if (trace->private->status || status)
		return trace->private->status ? trace->private->status : status;
	return count < 0 && count != -EINTR && count != -EAGAIN ? count : 0;
}

static int on_ring(struct run *run, void *data)
{
	(void)run;
	return look(data);
}

static int on_look_timer(struct run *run, void *data)
{
	struct trace *trace = data;
	uint64_t expirations;
	int status;

	(void)run;
	if (read(trace->private->timer_fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return 0;
	status = look(trace);
	return status || !trace->events->on_look ? status : trace->events->on_look(trace);
}

static int open_ring(struct trace *trace, struct error *err)
{
	struct itimerspec often = { { 0, LOOK_NS }, { 0, LOOK_NS } };
	int status;

	/* Looked at in this order. */
	trace->private->ring = ring_buffer__new(trace_map_fd(trace, "trace_requests"), take_request, trace, NULL);
	if (!trace->private->ring ||
	    ring_buffer__add(trace->private->ring, trace_map_fd(trace, "trace_ring"), take_event, trace))
		return error_set(err, -errno, "cannot read the ring of events: %s", strerror(errno));
	trace->private->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (trace->private->timer_fd < 0 || timerfd_settime(trace->private->timer_fd, 0, &often, NULL))
		return error_set(err, -errno, "cannot start a timer: %s", strerror(errno));
	status = run_watch(trace->run, ring_buffer__epoll_fd(trace->private->ring), on_ring, err);
	if (!status)
		status = run_watch(trace->run, trace->private->timer_fd, on_look_timer, err);
	return status;
}

int trace_start(struct run *run, void *data, struct error *err)
{
	struct trace *trace = data;
	int status = 0;

	cgroup_names_create(&trace->private->cgroups); /* without, cgroups have no names */
	if (trace->events->elf) {
		status = trace_load(trace, err);
		if (!status)
			status = open_ring(trace, err);
	}
	if (!status && trace->events->begin)
		status = trace->events->begin(trace, err);
	if (!status)
		run_verbose(run, "tracing"); /* for scripts that wait until nothing is missed */
	return status;
}

int trace_tick(struct run *run, void *data, struct error *err)
{
	struct trace *trace = data;
	int status = look(trace);

	(void)run;
	if (!status && trace->events->report)
		status = trace->events->report(trace, false, err);
	return status;
}

static void detach(struct trace *trace)
{
	if (trace->events->detach)
		trace->events->detach(trace);
	trace_unload(trace);
}

int trace_end(struct run *run, void *data, struct error *err)
{
	struct trace *trace = data;
	int status;

	(void)run;
	detach(trace);
	status = look(trace);
	if (!status && trace->events->report)
		status = trace->events->report(trace, true, err);
	return status || !trace->object ? status : trace_losses(trace);
}

void trace_destroy(void *data)
{
	struct trace *trace = data;

	if (!trace->private)
		return;
	detach(trace);
	if (trace->events->destroy)
		trace->events->destroy(trace);
	ring_buffer__free(trace->private->ring);
	if (trace->private->variables && trace->private->variables != MAP_FAILED)
		munmap(trace->private->variables, trace->private->variables_size);
	bpf_object__close(trace->object);
	cleanup_close(&trace->private->timer_fd);
	cgroup_names_destroy(trace->private->cgroups);
	trace_stacks_destroy(trace->private->stacks);
	stack_tables_destroy(trace->private->tables);
	trace_mappings_destroy(trace->private->mappings);
	trace_schemas_destroy(trace->private->schemas);
	free(trace->private);
	free(trace->state);
}

/* What events have in common ---------------------------------------------------------------------------------- */

const char *trace_cgroup(struct trace *trace, uint64_t cgroup_id, const char **ret_container)
{
	return trace->private->cgroups ? cgroup_name(trace->private->cgroups, cgroup_id, ret_container) : NULL;
}

void trace_enumerator(struct trace *trace, const char *type, const char *prefix, int value, char *text, size_t size)
{
	const char *name = kernel_targets_enumerator(trace_targets(trace), type, value);
	size_t length = 0;

	if (!name || strncmp(name, prefix, strlen(prefix)) != 0) {
		snprintf(text, size, "%d", value);
		return;
	}
	for (name += strlen(prefix); name[length] && length < size - 1; length++)
		text[length] = name[length] == '_' ? '_' : name[length] | 0x20;
	text[length] = '\0';
}

void trace_head_values(struct trace *trace, const struct trace_head *head, struct view_value *values)
{
	const char *container = NULL, *cgroup = trace_cgroup(trace, head->cgroup_id, &container);

	values[TRACE_TIME] = view_u64(run_wall_ns(trace->run, head->time_ns));
	values[TRACE_MONOTONIC] = view_u64(head->time_ns);
	values[TRACE_COMM] = view_text_n(head->comm, sizeof(head->comm));
	values[TRACE_PID] = view_u64(head->pid);
	values[TRACE_TID] = view_u64(head->tid);
	values[TRACE_CPU] = view_u64(head->cpu);
	values[TRACE_CGROUP_ID] = view_u64(head->cgroup_id);
	values[TRACE_CGROUP] = view_text(cgroup);
	values[TRACE_CONTAINER] = view_text(container);
}

/* Losses ---------------------------------------------------------------------------------------------------- */

static const struct view_column losses_columns[] = {
	{ .name = "seen", .type = VIEW_U64 },
	{ .name = "shown", .type = VIEW_U64 },
	{ .name = "dropped", .type = VIEW_U64, .is_bad_when_set = true },
	{ .name = "reasons", .type = VIEW_COUNTERS },
};
const struct view_record trace_losses_record = {
	.type = "losses",
	.columns = losses_columns,
	.column_count = sizeof(losses_columns) / sizeof(*losses_columns),
	.text = "{seen} {seen:event|events}{?, {dropped} of them lost?}{?: {reasons}?}",
	.starts_section = true,
	.is_remark = true,
};

/* Times when the kernel did not run a program because one of ours ran on this CPU already (since 9ed9e9ba2337, 5.12). */
static uint64_t recursion_misses(struct trace *trace)
{
	struct bpf_program *program;
	uint64_t misses = 0;

	bpf_object__for_each_program(program, trace->object) {
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);

		if (bpf_program__autoload(program) && !bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			misses += info.recursion_misses;
	}
	return misses;
}

int trace_map_sum(int map_fd, const void *key, uint64_t *ret_sums, size_t count)
{
	int cpus = libbpf_num_possible_cpus();
	CLEANUP(free) uint64_t *each = cpus > 0 ? calloc(cpus, count * sizeof(*each)) : NULL;

	if (!each)
		return -ENOMEM;
	if (bpf_map_lookup_elem(map_fd, key, each))
		return -errno;
	memset(ret_sums, 0, count * sizeof(*ret_sums));
	for (int cpu = 0; cpu < cpus; cpu++)
		for (size_t i = 0; i < count; i++)
			ret_sums[i] += each[cpu * count + i];
	return 0;
}

int trace_losses(struct trace *trace)
{
	struct trace_counters sum = { 0 };
	uint64_t shown = trace->shown + trace->counted, dropped, misses = recursion_misses(trace);
	uint32_t zero = 0;
	int status = trace_map_sum(trace_map_fd(trace, "trace_counters"), &zero, (uint64_t *)&sum,
				   sizeof(sum) / sizeof(uint64_t));

	if (status) {
		run_incomplete(trace->run, "the counters of losses cannot be read: %s", strerror(-status));
		return 0;
	}
	dropped = sum.seen > shown ? sum.seen - shown : 0;
	if (dropped || misses || sum.processes_lost)
		run_incomplete(trace->run, "%llu of %llu events were lost", (unsigned long long)(dropped + misses),
			       (unsigned long long)(sum.seen + misses));

	const struct view_counter reasons[] = {
		{ "ring_full", sum.ring_full },   { "map_full", sum.map_full },
		{ "recursion_misses", misses },   { "unpaired", sum.unpaired },
		{ "processes_lost", sum.processes_lost }, { "stacks_lost", sum.stacks_lost },
		{ "filtered", trace->filtered },
	};
	const struct view_value values[] = {
		view_u64(sum.seen), view_u64(shown), view_u64(dropped),
		view_counters(reasons, sizeof(reasons) / sizeof(*reasons)),
	};

	return trace_object(trace, &trace_losses_record, values);
}
