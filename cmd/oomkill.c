// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill oomkill: whom the OOM killer killed, for whom, and how things stood. What the kernel's side cannot have (load,
 * pressure) is read as soon as the event is there.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "error.h"
#include "gfp_names.h"
#include "oomkill.h"
#include "oomkill.skel.h"
#include "oomkill_views.h"

enum { RUNG_FENTRY, RUNG_KPROBE, RUNG_TRACEPOINTS };

struct oomkill_state {
	struct gfp_names *gfp;
	uint64_t page_bytes;
};

static const struct view_record *const oomkill_records[] = {
	&oom_kill_record, &oom_victim_record, &oom_trigger_record, &oom_memcg_record, &oom_memcg_swap_record,
	&oom_memcg_both_record, &oom_total_record, &oom_machine_record, &oom_load_record, &oom_task_record, &oom_stack_record,
	&trace_losses_record, NULL,
};

static const struct trace_argument oomkill_arguments[] = {
	{ "direct_order", "mm_vmscan_direct_reclaim_begin", "order" },
	{ "direct_gfp", "mm_vmscan_direct_reclaim_begin", "gfp_flags" },
	{ "memcg_gfp", "mm_vmscan_memcg_reclaim_begin", "gfp_flags" },
	{ "memcg_memcg", "mm_vmscan_memcg_reclaim_begin", "memcg" },
	{ 0 },
};

static int oomkill_prepare(struct trace *trace, struct error *err)
{
	struct oomkill_state *state = trace->state;
	int status = gfp_names_open(trace_targets(trace), &state->gfp, err);

	state->page_bytes = sysconf(_SC_PAGESIZE);
	if (!status)
		status = trace_rare_user_stacks(trace, err);
	if (status)
		return status;
	return trace_set(trace, "marks_a_task", kernel_targets_argument(trace_targets(trace), "mark_victim", "task") >= 0, err);
}

/* Values of a kill ------------------------------------------------------------------------------------------ */

struct kill_texts {
	char gfp[512], nodes[256], constraint[32];
};

static struct view_value bytes_of(const struct oomkill_state *state, uint64_t pages)
{
	return view_u64(pages * state->page_bytes);
}

/* No limit is PAGE_COUNTER_MAX, include/linux/page_counter.h. */
static struct view_value limit_of(const struct oomkill_state *state, uint64_t pages)
{
	return pages >= LONG_MAX / state->page_bytes ? view_absent() : bytes_of(state, pages);
}

/* "CONSTRAINT_MEMORY_POLICY" → "memory_policy"; none is what the machine as a whole is short of. */
static struct view_value constraint_value(struct trace *trace, uint32_t constraint, struct kill_texts *texts)
{
	const char *name = kernel_targets_enumerator(trace_targets(trace), "oom_constraint", constraint);
	size_t length = 0;

	if (constraint == OOM_NOT_MEMCG)
		return view_text("not_memcg");
	if (!name || strncmp(name, "CONSTRAINT_", 11) != 0)
		return view_absent();
	for (name += 11; name[length] && length < sizeof(texts->constraint) - 1; length++)
		texts->constraint[length] = name[length] | 0x20; /* '_' has that bit */
	texts->constraint[length] = '\0';
	return view_text(strcmp(texts->constraint, "none") == 0 ? "global" : texts->constraint);
}

/* "0,2" */
static struct view_value nodes_value(uint64_t nodes, struct kill_texts *texts)
{
	size_t length = 0;

	for (unsigned int node = 0; node < 64; node++)
		if (nodes >> node & 1)
			length += snprintf(texts->nodes + length, sizeof(texts->nodes) - length, "%s%u", length ? "," : "", node);
	return nodes ? view_text(texts->nodes) : view_absent();
}

static void request_values(struct trace *trace, const struct oom_event *event, struct kill_texts *texts,
			   struct view_value *values)
{
	const struct oomkill_state *state = trace->state;

	values[KILL_KIND] = view_u64(event->kind);
	values[KILL_CONSTRAINT] = constraint_value(trace, event->constraint, texts);
	values[KILL_UID] = view_u64(event->trigger_uid);
	if (event->has_request) {
		gfp_names_text(state->gfp, event->gfp_flags, texts->gfp, sizeof(texts->gfp));
		values[KILL_GFP] = view_text(texts->gfp);
		values[KILL_GFP_FLAGS] = view_u64(event->gfp_flags);
		if (event->order != OOM_ORDER_UNKNOWN)
			values[KILL_ORDER] = view_i64(event->order);
	}
	if (event->node >= 0)
		values[KILL_NODE] = view_u64(event->node);
	values[KILL_NODES] = nodes_value(event->nodes, texts);
	if (event->total_pages) {
		values[KILL_TOTAL] = bytes_of(state, event->total_pages);
		values[KILL_TOTAL_PAGES] = view_u64(event->total_pages);
	}
	if (event->has_points && event->kind == OOM_CHOSEN)
		values[KILL_POINTS] = view_i64(event->points);
}

static void victim_values(struct trace *trace, const struct oom_event *event, struct view_value *values)
{
	const struct oomkill_state *state = trace->state;
	const char *container = NULL, *cgroup = trace_cgroup(trace, event->victim_cgroup_id, &container);

	values[KILL_VICTIM_COMM] = view_text_n(event->victim.comm, sizeof(event->victim.comm));
	values[KILL_VICTIM_PID] = view_u64(event->victim.pid);
	values[KILL_VICTIM_UID] = view_u64(event->victim.uid);
	values[KILL_VICTIM_CGROUP_ID] = view_u64(event->victim_cgroup_id);
	values[KILL_VICTIM_CGROUP] = view_text(cgroup);
	values[KILL_VICTIM_CONTAINER] = view_text(container);
	values[KILL_VICTIM_RSS] = bytes_of(state, event->victim.resident_pages);
	values[KILL_VICTIM_ANON] = bytes_of(state, event->anon_pages);
	values[KILL_VICTIM_FILE] = bytes_of(state, event->file_pages);
	values[KILL_VICTIM_SHMEM] = bytes_of(state, event->shmem_pages);
	values[KILL_VICTIM_SWAP] = bytes_of(state, event->swap_pages);
	values[KILL_VICTIM_VIRTUAL] = bytes_of(state, event->virtual_pages);
	values[KILL_VICTIM_TABLES] = view_u64(event->page_table_bytes);
	values[KILL_VICTIM_ADJ] = view_i64(event->victim.oom_score_adj);
	values[KILL_PROCESSES] = view_u64(event->process_count);
}

static void memcg_values(struct trace *trace, const struct oom_event *event, struct view_value *values)
{
	const struct oomkill_state *state = trace->state;

	if (!event->memcg_cgroup_id)
		return;
	values[KILL_MEMCG_ID] = view_u64(event->memcg_cgroup_id);
	values[KILL_MEMCG] = view_text(trace_cgroup(trace, event->memcg_cgroup_id, NULL));
	values[KILL_MEMCG_USAGE] = bytes_of(state, event->memcg_pages);
	values[KILL_MEMCG_LIMIT] = limit_of(state, event->memcg_limit);
	values[event->is_v1 ? KILL_MEMCG_BOTH : KILL_MEMCG_SWAP] = bytes_of(state, event->memcg_swap_pages);
	values[event->is_v1 ? KILL_MEMCG_BOTH_LIMIT : KILL_MEMCG_SWAP_LIMIT] = limit_of(state, event->memcg_swap_limit);
}

static void machine_values(const struct oom_event *event, struct view_value *values)
{
	FILE *file = fopen("/proc/loadavg", "re");
	double load[3], some[2], full[2];

	if (file && fscanf(file, "%lf %lf %lf", &load[0], &load[1], &load[2]) == 3)
		for (int i = 0; i < 3; i++)
			values[KILL_LOAD_1 + i] = view_double(load[i]);
	if (file)
		fclose(file);
	file = fopen("/proc/pressure/memory", "re");
	if (file && fscanf(file, "some avg10=%lf avg60=%lf %*[^\n] full avg10=%lf avg60=%lf", &some[0], &some[1], &full[0],
			   &full[1]) == 4) {
		values[KILL_SOME_10] = view_double(some[0]);
		values[KILL_SOME_60] = view_double(some[1]);
		values[KILL_FULL_10] = view_double(full[0]);
		values[KILL_FULL_60] = view_double(full[1]);
	}
	if (file)
		fclose(file);
	values[KILL_OBSERVED] = view_u64(run_monotonic_ns() - event->head.time_ns);
}

/* Events ---------------------------------------------------------------------------------------------------- */

static int show_kill(struct trace *trace, const struct oom_event *event, const struct view_value *values)
{
	const struct view_record *sentences[6];
	size_t count = 0;
	int status;

	sentences[count++] = &oom_victim_record;
	sentences[count++] = &oom_trigger_record;
	if (values[KILL_MEMCG_USAGE].kind)
		sentences[count++] = values[KILL_MEMCG_BOTH_LIMIT].kind ? &oom_memcg_both_record :
				     values[KILL_MEMCG_SWAP_LIMIT].kind ? &oom_memcg_swap_record : &oom_memcg_record;
	if (values[KILL_TOTAL].kind)
		sentences[count++] = &oom_total_record;
	if (values[KILL_LOAD_1].kind)
		sentences[count++] = values[KILL_SOME_10].kind ? &oom_machine_record : &oom_load_record;
	if (event->kind == OOM_GROUP)
		count = 1; /* the rest is as with the one that was chosen */
	status = trace_object(trace, &oom_kill_record, values);
	for (size_t i = 0; i < count && !status; i++)
		status = trace_object(trace, sentences[i], values);
	return status;
}

static int compare_tasks(const void *left, const void *right)
{
	const struct oom_task *a = left, *b = right;

	return (a->resident_pages < b->resident_pages) - (a->resident_pages > b->resident_pages);
}

static int show_greatest(struct trace *trace, const struct oom_event *event)
{
	const struct oomkill_state *state = trace->state;
	struct oom_task top[OOM_TOP_TASKS];
	int status = 0;

	memcpy(top, event->top, sizeof(top));
	qsort(top, OOM_TOP_TASKS, sizeof(*top), compare_tasks);
	for (size_t i = 0; i < OOM_TOP_TASKS && top[i].resident_pages && !status; i++) {
		const struct view_value values[TASK_COLUMNS] = {
			view_u64(event->head.time_ns), view_u64(event->victim.pid), view_text_n(top[i].comm, sizeof(top[i].comm)),
			view_u64(top[i].pid), view_u64(top[i].uid), bytes_of(state, top[i].resident_pages),
			view_i64(top[i].oom_score_adj),
		};

		status = trace_row(trace, &oom_task_record, values);
	}
	if (event->is_cut)
		run_incomplete(trace->run, "the greatest are of the first %u processes", event->process_count);
	return status;
}

static int oomkill_on_event(struct trace *trace, const struct trace_head *head, size_t size)
{
	const struct oom_event *event = (const void *)head;
	struct view_value values[KILL_COLUMNS] = { 0 }, stacks[STACK_COLUMNS];
	struct kill_texts texts;
	int status;

	if (size < sizeof(*event) || event->kind >= OOM_KINDS)
		return -EBADMSG;
	/* First what passes by: load and pressure, then the maps of a trigger that may be dying. */
	machine_values(event, values);
	stacks[STACK_MONOTONIC] = view_u64(head->time_ns);
	stacks[STACK_VICTIM_PID] = view_u64(event->victim.pid);
	stacks[STACK_USER] = view_frames(head->pid ? trace_user_frames(trace, head->pid, event->user_stack, true) : NULL);
	stacks[STACK_KERNEL] = view_frames(trace_frames(trace, 0, &event->kernel_stack, false));
	trace_head_values(trace, head, values);
	request_values(trace, event, &texts, values);
	victim_values(trace, event, values);
	memcg_values(trace, event, values);
	status = show_kill(trace, event, values);
	if (status || event->kind == OOM_GROUP)
		return status;
	status = show_greatest(trace, event);
	return status ? status : trace_object(trace, &oom_stack_record, stacks);
}

static int oomkill_begin(struct trace *trace, struct error *err)
{
	(void)err;
	trace_stacks_open(trace); /* not when memory is short */
	return 0;
}

static void oomkill_destroy(struct trace *trace)
{
	gfp_names_close(((struct oomkill_state *)trace->state)->gfp);
}

#define ALL_RUNGS (1 << RUNG_FENTRY | 1 << RUNG_KPROBE | 1 << RUNG_TRACEPOINTS)
static const struct trace_program oomkill_programs[] = {
	{ .name = "victim_marked", .rungs = ALL_RUNGS },
	{ .name = "signal_sent", .rungs = ALL_RUNGS },
	{ .name = "kill_entered", .rungs = 1 << RUNG_FENTRY },
	{ .name = "kill_left", .rungs = 1 << RUNG_FENTRY },
	{ .name = "kill_entry_probed", .rungs = 1 << RUNG_KPROBE },
	{ .name = "kill_return_probed", .rungs = 1 << RUNG_KPROBE },
	{ .name = "direct_begun", .rungs = ALL_RUNGS },
	{ .name = "memcg_begun", .rungs = ALL_RUNGS,
	  .without = "kills in memory cgroups are not told apart (CONFIG_MEMCG)" },
	{ 0 },
};

static const struct event_source oomkill_events = {
	.elf = oomkill_bpf__elf_bytes,
	.programs = oomkill_programs,
	.arguments = oomkill_arguments,
	.state_size = sizeof(struct oomkill_state),
	.prepare = oomkill_prepare,
	.begin = oomkill_begin,
	.on_event = oomkill_on_event,
	.destroy = oomkill_destroy,
};

#define MARK "raw_tp/mark_victim raw_tp/signal_generate"
static const struct rung oomkill_rungs[] = {
	{ "fentry", { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_BPF_RINGBUF, KERNEL_CAP_FENTRY }, 4, NULL,
	  MARK " fentry/oom_kill_process" },
	{ "kprobe", { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_BPF_RINGBUF, KERNEL_CAP_KPROBE }, 4, NULL,
	  MARK " kprobe/oom_kill_process" },
	{ "tracepoints", { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_BPF_RINGBUF }, 3,
	  "node, points and the total of the OOM domain; order and flags are those of the last reclaim; global, cpuset and "
	  "memory policy are not told apart",
	  MARK " raw_tp/mm_vmscan_direct_reclaim_begin" },
};

static const struct tracer oomkill_tracer = {
	TRACE_CALLBACKS,
	.events = &oomkill_events,
	.ladder = { oomkill_rungs, sizeof(oomkill_rungs) / sizeof(*oomkill_rungs) },
	.takes_command = true,
};

const struct command oomkill_command = {
	.name = "oomkill",
	.summary = "whom the OOM killer killed, for whom, and how things stood",
	.usage = "[OPTIONS]\n[OPTIONS] -- COMMAND ARGS...\n--replay FILE [OPTIONS]",
	.description = "Shows each kill of the OOM killer: the victim and what it had, the task whose allocation could not be\n"
		       "met (the trigger) and what it wanted, the limit that was reached, the greatest processes, the\n"
		       "trigger's stack. -p, -n and --cgroup choose by victim or trigger.",
	.settings_size = 1,
	.tracer = &oomkill_tracer,
	.records = oomkill_records,
};
