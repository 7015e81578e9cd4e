// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The heap trace itself: how it begins and ends, what a stop means, and to which part it goes. */
#include "heap_trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "heap_trace_private.h"
#include "insn_x86.h"
#include "kernel.h"
#include "slab_heap.h"

static const struct field_spec task_specs[] = {
	{ "task_struct", "pid", offsetof(struct heap_task_layout, pid), true },
	{ "task_struct", "tgid", offsetof(struct heap_task_layout, tgid), true },
	{ "task_struct", "comm", offsetof(struct heap_task_layout, comm), true },
	{ "task_struct", "flags", offsetof(struct heap_task_layout, flags), true },
};

DEFINE_CLEANUP(trace, struct heap_trace *, heap_trace_destroy(v));

int heap_trace_create_with(struct kernel *kernel, const struct heap_filter *filter, enum heap_trace_way way,
			   struct heap_sites *sites, heap_event_fn on_event, void *context,
			   struct heap_trace **ret_trace, struct error *err)
{
	CLEANUP(trace) struct heap_trace *trace = calloc(1, sizeof(*trace));
	int status;

	if (!trace) {
		heap_sites_free(sites);
		return error_set(err, -ENOMEM, "out of memory");
	}
	trace->kernel = kernel;
	trace->filter = filter;
	trace->way = way;
	trace->sites = sites;
	trace->on_event = on_event;
	trace->context = context;
	trace->symbols = calloc(HEAP_SYMBOLS_MAX, sizeof(*trace->symbols));
	trace->names = calloc(HEAP_NAMES_MAX, sizeof(*trace->names));
	trace->traps = calloc(sites->global_count + sites->function_count + 1, sizeof(*trace->traps));
	trace->codes = calloc(HEAP_CODES_MAX, sizeof(*trace->codes));
	if (!trace->symbols || !trace->names || !trace->traps || !trace->codes)
		return error_set(err, -ENOMEM, "out of memory");
	status = fields_load(kernel->types, task_specs, sizeof(task_specs) / sizeof(*task_specs),
			     &trace->task_layout, err);
	if (!status)
		status = slab_layout_load(kernel, &trace->slab_layout, err);
	if (status)
		return status;
	if (trace->slab_layout.page.size > SLAB_PAGE_BYTES_MAX)
		return error_set(err, -EBADMSG, "struct page is said to take %zu bytes",
				 trace->slab_layout.page.size);
	*ret_trace = TAKE_PTR(trace);
	return 0;
}

int heap_trace_create(struct kernel *kernel, const struct heap_filter *filter, enum heap_trace_way way,
		      heap_event_fn on_event, void *context, struct heap_trace **ret_trace, struct error *err)
{
	struct heap_sites *sites;
	int status = heap_sites_find(kernel, &sites, err);

	return status ? status
		      : heap_trace_create_with(kernel, filter, way, sites, on_event, context, ret_trace, err);
}

void heap_trace_destroy(struct heap_trace *trace)
{
	if (!trace)
		return;
	heap_sites_free(trace->sites);
	free(trace->traps);
	free(trace->cpus);
	free(trace->leaving);
	free(trace->reads);
	free(trace->codes);
	free(trace->symbols);
	free(trace->names);
	free(trace);
}

/* Beginning and end ---------------------------------------------------------------------------------------- */

static void add_breakpoint(struct heap_trace *trace, uint32_t function)
{
	trace->traps[trace->trap_count++] = (struct stub_trap){
		.kind = STUB_BREAK, .address = trace->sites->functions[function].start, .size = 1 };
}

static void choose_traps(struct heap_trace *trace)
{
	const struct heap_sites *sites = trace->sites;

	trace->trap_count = 0;
	for (size_t i = 0; i < sites->global_count && trace->is_by_data; i++)
		trace->traps[trace->trap_count++] = (struct stub_trap){
			.kind = STUB_WATCH_READ,
			.address = sites->globals[i].address,
			.size = sites->globals[i].size,
		};
	for (uint32_t i = 0; i < sites->by_code_count && trace->is_by_data; i++)
		add_breakpoint(trace, sites->by_code[i]);
	for (uint32_t i = 0; i < sites->function_count && !trace->is_by_data; i++)
		add_breakpoint(trace, i);
}

static void write_way(struct heap_trace *trace)
{
	const struct heap_sites *sites = trace->sites;
	size_t used = 0, by_code = trace->is_by_data ? sites->by_code_count : sites->function_count;
	char *text = trace->way_text;

	text[0] = '\0';
	for (size_t i = 0; i < sites->global_count && trace->is_by_data && used < sizeof(trace->way_text); i++)
		used += (size_t)snprintf(text + used, sizeof(trace->way_text) - used, "%s%s",
					 i ? ", " : "watchpoints on ", sites->globals[i].name);
	if (by_code && used < sizeof(trace->way_text))
		snprintf(text + used, sizeof(trace->way_text) - used, "%sbreakpoints at %zu functions",
			 used ? ", " : "", by_code);
}

int heap_trace_start(struct heap_trace *trace, struct stub_target *target, struct error *err)
{
	struct timespec now;
	int status;

	if (trace->is_running)
		return 0;
	if (trace->way == HEAP_TRACE_BY_DATA && !stub_is_translated(target))
		return error_set(err, -EOPNOTSUPP, "tracing by data needs a target whose code is translated");
	trace->has_watchpoints = stub_is_translated(target);
	trace->is_by_data = trace->has_watchpoints && trace->way != HEAP_TRACE_BY_CODE;
	choose_traps(trace);
	write_way(trace);
	trace->is_following = false;
	status = heap_follow_init(trace, target, err);
	if (!status)
		status = heap_follow_renew(trace, target, err);
	if (status) {
		stub_traps_clear(target, NULL);
		trace->is_armed = false;
		trace->leaving_count = 0;
		return status;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	trace->counts = (struct heap_trace_counts){
		.started_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec };
	trace->is_running = true;
	return 0;
}

int heap_trace_stop(struct heap_trace *trace, struct stub_target *target, struct error *err)
{
	int status;

	if (!trace->is_running)
		return 0;
	trace->is_running = false;
	trace->is_following = false;
	status = heap_calls_forget(trace, err);
	if (!status)
		status = heap_follow_disarm(trace, err);
	trace->leaving_count = 0;
	return status ? status : stub_traps_clear(target, err);
}

bool heap_trace_is_running(const struct heap_trace *trace)
{
	return trace->is_running;
}

int heap_trace_on_resume(struct heap_trace *trace, struct stub_target *target, struct error *err)
{
	heap_follow_skip_time(trace);
	return trace->is_running ? heap_follow_renew(trace, target, err) : 0;
}

/* Watched objects ------------------------------------------------------------------------------------------ */

int heap_trace_watch(struct heap_trace *trace, uint64_t object, struct error *err)
{
	for (size_t i = 0; i < trace->object_count; i++)
		if (trace->objects[i] == object)
			return 0;
	if (trace->object_count == HEAP_OBJECTS_MAX)
		return error_set(err, -ENOSPC, "%d objects are watched already", HEAP_OBJECTS_MAX);
	trace->objects[trace->object_count++] = object;
	return 0;
}

int heap_trace_unwatch(struct heap_trace *trace, uint64_t object)
{
	for (size_t i = 0; i < trace->object_count; i++) {
		if (trace->objects[i] != object)
			continue;
		trace->objects[i] = trace->objects[--trace->object_count];
		return 0;
	}
	return -ENOENT;
}

/* Stops ---------------------------------------------------------------------------------------------------- */

/* A word of the stack, for heap_site_find(). */
struct word_reader {
	struct heap_stop *stop;
	struct error *err;
};

static int read_word(void *context, uint64_t address, uint64_t *ret_word)
{
	struct word_reader *reader = context;
	struct memory_read read = heap_read(address, ret_word, sizeof(*ret_word));
	int status = stub_memory_read(reader->stop->target, reader->stop->cpu, &read, 1, reader->err);

	return status ? status : read.result;
}

static int on_site(struct heap_trace *trace, struct heap_stop *stop, bool *ret_is_ours, struct error *err)
{
	struct word_reader reader = { stop, err };
	const struct heap_site *site;
	uint64_t slot;
	int status = heap_site_find(trace->sites, stop->registers.rip, stop->registers.general, read_word, &reader,
				    &site, &slot);

	/* A stack that can't be read is nothing of ours. */
	if (status == -ENOENT || status == -EFAULT)
		return 0;
	if (status)
		return status;
	*ret_is_ours = true;
	heap_met_note_handled(trace, stop, slot);
	return heap_call_begin(trace, stop, site->function, &site->arguments, slot, site->may_be_repeated, err);
}

int heap_trace_at_place(struct heap_trace *trace, struct heap_stop *stop, bool *ret_is_ours, struct error *err)
{
	int status = heap_call_end(trace, stop, ret_is_ours, err);

	if (status || *ret_is_ours || !heap_site_exists(trace->sites, stop->registers.rip))
		return status;
	if (trace->object_count || heap_follow_wants(trace, stop->cpu))
		return on_site(trace, stop, ret_is_ours, err);
	*ret_is_ours = true;
	return 0;
}

/*
 * QEMU tells that a CPU met a watchpoint. Where it stands tells which. Stands it where it can't have met any, what
 * is told is old, and whatever it met there can't be known.
 */
static int on_watch(struct heap_trace *trace, struct heap_stop *stop, struct error *err)
{
	struct heap_cpu *cpu = &trace->cpus[stop->cpu];
	bool is_wanted = trace->object_count || heap_follow_wants(trace, stop->cpu);
	bool is_ours = false, may_have = true;
	int status = 0;

	/* It was handled where it was met, or QEMU stops a second time before anybody has run. */
	if (cpu->has_moved && !(stop->registers.cs & 3)) {
		status = heap_trace_at_place(trace, stop, &is_ours, err);
		if (!status && !is_ours && is_wanted && !cpu->has_changed)
			status = heap_met_may_have(trace, stop, &may_have, err);
	}
	trace->counts.lost += !may_have;
	trace->counts.strangers += !cpu->has_changed && (!is_ours || !is_wanted);
	return status;
}

/* Past an instruction that does nothing. Others the proxy steps over. */
static int skip_nop(struct heap_stop *stop, struct error *err)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa }, ftrace[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	uint64_t rip = stop->registers.rip, rsp = stop->registers.general[INSN_RSP];
	uint8_t code[sizeof(ftrace)];
	struct memory_read read = heap_read(rip, code, sizeof(code));
	int status = stop->is_gdbs ? 0 : stub_memory_read(stop->target, stop->cpu, &read, 1, err);

	if (status || stop->is_gdbs || read.result)
		return status;
	if (!memcmp(code, endbr64, sizeof(endbr64)))
		return stub_registers_jump(stop->target, stop->cpu, rip + sizeof(endbr64), rsp, err);
	if (!memcmp(code, ftrace, sizeof(ftrace)))
		return stub_registers_jump(stop->target, stop->cpu, rip + sizeof(ftrace), rsp, err);
	return 0;
}

static int on_break(struct heap_trace *trace, struct heap_stop *stop, struct error *err)
{
	const struct heap_function *function;
	bool is_ours = false;
	int status = stub_registers_read(stop->target, stop->cpu, &stop->registers, err);

	if (status)
		return status;
	function = heap_function_at(trace->sites, stop->registers.rip);
	if (function)
		status = heap_call_begin(trace, stop, (uint32_t)(function - trace->sites->functions),
					 &function->at_entry, stop->registers.general[INSN_RSP], false, err);
	else if (!trace->has_watchpoints)
		status = heap_call_end(trace, stop, &is_ours, err);
	trace->counts.strangers += !function && !is_ours;
	return status ? status : skip_nop(stop, err);
}

int heap_trace_on_trap(struct heap_trace *trace, struct stub_target *target, const struct stub_stop *stop,
		       enum stub_verdict *ret_verdict, struct error *err)
{
	struct heap_stop at = { .target = target, .cpu = stop->cpu, .is_gdbs = stop->is_gdbs };
	bool is_unheard = stop->kind == STUB_STOP_OTHER;
	int status = 0;

	*ret_verdict = STUB_GO_ON;
	if (!trace->is_running || stop->cpu >= trace->cpu_count)
		return 0;
	trace->counts.stops += !is_unheard;
	if (trace->has_watchpoints)
		status = heap_met_look(trace, &at, err);
	if (!status)
		status = heap_follow_note(trace, &at, err);
	if (!status && stop->kind == STUB_STOP_BREAK)
		status = on_break(trace, &at, err);
	else if (!status && stop->kind == STUB_STOP_WATCH)
		status = on_watch(trace, &at, err);
	if (!status && trace->has_watchpoints)
		status = heap_met_others(trace, &at, is_unheard && !stop->is_gdbs, err);
	if (!status)
		status = heap_follow_settle(trace, target, err);
	if (at.verdict == HEAP_EVENT_STOP)
		*ret_verdict = STUB_TELL_GDB;
	heap_follow_count_time(trace);
	return status;
}

const struct heap_trace_counts *heap_trace_counts(const struct heap_trace *trace)
{
	return &trace->counts;
}

const struct heap_sites *heap_trace_sites(const struct heap_trace *trace)
{
	return trace->sites;
}

bool heap_trace_is_by_data(const struct heap_trace *trace)
{
	return trace->is_by_data;
}

const char *heap_trace_way_text(const struct heap_trace *trace)
{
	return trace->way_text;
}
