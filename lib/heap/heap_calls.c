// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Heap calls under way: what was asked for when a call was met, kept until its return tells the result.
 *
 * A call is known by where its return address is on the stack. Nobody else can have a call there as long as it
 * lasts, whatever else its CPU does meanwhile, and wherever its task goes on. `ret` reads that place, so a read
 * watchpoint there meets the return, and it alone leaves rsp right behind it: unwinders and
 * __builtin_return_address() read it with rsp below. Where there are no watchpoints, a breakpoint at the return
 * address does, which other tasks meet as well.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "heap_trace_private.h"
#include "insn_x86.h"
#include "kernel.h"

#define SLOT_BYTES 8
/* kmalloc(0) returns it, kfree() ignores it and less: ZERO_OR_NULL_PTR() of include/linux/slab.h. */
#define ZERO_SIZE_PTR 16

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool is_watched(const struct heap_trace *trace, uint64_t object)
{
	for (size_t i = 0; i < trace->object_count; i++)
		if (trace->objects[i] == object)
			return true;
	return false;
}

/* Events --------------------------------------------------------------------------------------------------- */

static void describe(const struct heap_trace *trace, const struct heap_stop *stop,
		     const struct heap_call_begun *call, struct heap_event *event)
{
	const struct heap_function *function = &trace->sites->functions[call->function];
	bool is_alloc = function->call == HEAP_CALL_ALLOC || function->call == HEAP_CALL_ALLOC_BULK;

	*event = (struct heap_event){
		.kind = is_alloc ? HEAP_ALLOC : HEAP_FREE,
		.cache_address = call->values.cache,
		.size_bytes = is_alloc ? call->values.size : 0,
		.tgid = call->task.tgid,
		.pid = call->task.pid,
		.cpu = trace->cpus[stop->cpu].number,
		.caller = call->values.caller ? call->values.caller : call->return_address,
	};
	memcpy(event->function, function->name, sizeof(event->function));
	memcpy(event->comm, call->task.comm, sizeof(event->comm));
}

/* Complete an event of @object, and hand it on if it is wanted. */
static int emit(struct heap_trace *trace, struct heap_stop *stop, const struct heap_call_begun *call,
		uint64_t object, struct error *err)
{
	struct heap_event event;
	int status = 0;

	describe(trace, stop, call, &event);
	event.object = object;
	if (!event.cache_address && object)
		status = heap_fact_cache_of(trace, stop, object, &event.cache_address, err);
	if (!status)
		status = heap_fact_cache(trace, stop, &event, err);
	if (status)
		return status;
	if (!is_watched(trace, object) && !(call->is_wanted && heap_filter_wants(trace->filter, &event)))
		return 0;
	heap_fact_caller(trace, &event);
	event.time_ns = realtime_ns();
	trace->counts.events++;
	if (trace->on_event(trace->context, &event) == HEAP_EVENT_STOP)
		stop->verdict = HEAP_EVENT_STOP;
	return 0;
}

/* One event for each object in the array of a bulk call. */
static int emit_bulk(struct heap_trace *trace, struct heap_stop *stop, const struct heap_call_begun *call,
		     uint64_t count, struct error *err)
{
	CLEANUP(free) uint64_t *objects = NULL;
	struct memory_read read;
	int status;

	if (!count)
		return 0;
	if (!call->values.array || count > HEAP_BULK_MAX) {
		trace->counts.lost++;
		return 0;
	}
	objects = calloc(count, sizeof(*objects));
	if (!objects)
		return error_set(err, -ENOMEM, "out of memory");
	read = heap_read(call->values.array, objects, count * sizeof(*objects));
	status = stub_memory_read(stop->target, stop->cpu, &read, 1, err);
	if (!status && read.result)
		trace->counts.lost++;
	for (uint64_t i = 0; i < count && !status && !read.result; i++)
		if (objects[i] > ZERO_SIZE_PTR)
			status = emit(trace, stop, call, objects[i], err);
	return status;
}

/* Values --------------------------------------------------------------------------------------------------- */

enum { PLACES_MAX = 6 };

/* Where @place is now: in @ret_value, or, if it must be read from the stack, as a read in @ret_read. */
static bool is_on_stack(const struct value_place *place, const struct stub_registers *registers, uint64_t slot,
			uint64_t *ret_value, struct memory_read *ret_read)
{
	switch (place->kind) {
	case PLACE_REGISTER:
		*ret_value = place->number < 16 ? registers->general[place->number] : 0;
		break;
	case PLACE_CONSTANT:
		*ret_value = (uint64_t)place->offset;
		break;
	case PLACE_STACK:
		*ret_read = heap_read(slot + (uint64_t)place->offset, ret_value, sizeof(*ret_value));
		return true;
	case PLACE_MEMORY:
		*ret_read = heap_read((place->number < 16 ? registers->general[place->number] : 0) +
					      (uint64_t)place->offset,
				      ret_value, sizeof(*ret_value));
		return true;
	case PLACE_UNKNOWN:
		break;
	}
	return false;
}

/* The return address, and the arguments' values, in one read. */
static int read_values(struct heap_stop *stop, const struct heap_arguments *places, struct heap_call_begun *call,
		       struct error *err)
{
	const struct value_place *from[PLACES_MAX] = { &places->cache, &places->size,  &places->object,
						       &places->array, &places->count, &places->caller };
	struct heap_values *values = &call->values;
	uint64_t *to[PLACES_MAX] = { &values->cache, &values->size,  &values->object,
				     &values->array, &values->count, &values->caller };
	struct memory_read reads[PLACES_MAX + 1];
	size_t count = 1;
	int status;

	reads[0] = heap_read(call->slot, &call->return_address, sizeof(call->return_address));
	for (size_t i = 0; i < PLACES_MAX; i++)
		if (is_on_stack(from[i], &stop->registers, call->slot, to[i], &reads[count]))
			count++;
	status = stub_memory_read(stop->target, stop->cpu, reads, count, err);
	for (size_t i = 0; i < count && !status; i++)
		if (reads[i].result)
			memset(reads[i].buffer, 0, sizeof(uint64_t));
	return status;
}

/* Calls under way ------------------------------------------------------------------------------------------ */

static bool is_trap_shared(const struct heap_trace *trace, const struct heap_call_begun *call)
{
	for (size_t i = 0; i < trace->call_count; i++)
		if (&trace->calls[i] != call && trace->calls[i].trap.address == call->trap.address &&
		    trace->calls[i].trap.kind == call->trap.kind)
			return true;
	return false;
}

static int remove_call(struct heap_trace *trace, size_t index, struct error *err)
{
	struct heap_call_begun *call = &trace->calls[index];
	struct stub_trap trap = call->trap;
	bool is_shared = is_trap_shared(trace, call);

	/* Order is age: the oldest is given up when there are too many. */
	memmove(call, call + 1, (--trace->call_count - index) * sizeof(*call));
	return is_shared ? 0 : heap_traps_remove(trace, &trap, 1, err);
}

int heap_calls_forget(struct heap_trace *trace, struct error *err)
{
	int status = 0;

	while (trace->call_count && !status) {
		trace->counts.lost++;
		status = remove_call(trace, trace->call_count - 1, err);
	}
	return status;
}

static int add_call(struct heap_trace *trace, struct stub_target *target, struct heap_call_begun *call,
		    struct error *err)
{
	int status = 0;

	call->trap = trace->has_watchpoints
			     ? (struct stub_trap){ .kind = STUB_WATCH_READ, .address = call->slot,
						   .size = SLOT_BYTES }
			     : (struct stub_trap){ .kind = STUB_BREAK, .address = call->return_address, .size = 1 };
	if (trace->call_count == HEAP_CALLS_MAX) {
		trace->counts.lost++;
		status = remove_call(trace, 0, err);
	}
	if (!status && !is_trap_shared(trace, call))
		status = heap_traps_add(trace, target, &call->trap, 1, err);
	if (status)
		return status;
	if (call->trap.result)
		trace->counts.lost++;
	else
		trace->calls[trace->call_count++] = *call;
	return 0;
}

/* The call at @slot: index, or call_count. */
static size_t find_call(const struct heap_trace *trace, uint64_t slot)
{
	size_t i = 0;

	while (i < trace->call_count && trace->calls[i].slot != slot)
		i++;
	return i;
}

/* Beginning ------------------------------------------------------------------------------------------------ */

/* The same call was met before: as another function that jumped here, or at another of its sites. */
static bool is_seen(const struct heap_trace *trace, const struct heap_call_begun *call, bool may_be_repeated)
{
	const struct heap_function *function = &trace->sites->functions[call->function];
	size_t i = find_call(trace, call->slot);

	return i < trace->call_count && trace->calls[i].return_address == call->return_address &&
	       (may_be_repeated || (function->is_inner && trace->calls[i].function != call->function));
}

/*
 * Whether calls of @function are met at all. Of those that only hand on to an inner one (__kmalloc() of 6.1 to
 * __kmem_cache_alloc_node()) the inner one is what is met.
 */
static bool is_trapped(const struct heap_trace *trace, const struct heap_function *function)
{
	const struct heap_sites *sites = trace->sites;

	if (!trace->is_by_data)
		return true;
	for (size_t i = 0; i < sites->site_count; i++)
		if (&sites->functions[sites->sites[i].function] == function)
			return true;
	for (size_t i = 0; i < sites->by_code_count; i++)
		if (&sites->functions[sites->by_code[i]] == function)
			return true;
	return false;
}

/* Another function's part of a call that is met as that function's. */
static bool is_within_outer(const struct heap_trace *trace, const struct heap_call_begun *call)
{
	const struct heap_function *function = &trace->sites->functions[call->function];
	const struct heap_function *outer = heap_function_of(trace->sites, call->return_address);

	return function->is_inner && outer && outer->call == function->call && is_trapped(trace, outer);
}

static int begin_alloc(struct heap_trace *trace, struct heap_stop *stop, struct heap_call_begun *call,
		       bool may_be_repeated, struct error *err)
{
	size_t older = find_call(trace, call->slot);
	int status = 0;

	if (is_seen(trace, call, may_be_repeated)) {
		trace->counts.strangers++;
		return 0;
	}
	if (older < trace->call_count) { /* it never returned: its stack is another's now */
		trace->counts.lost++;
		status = remove_call(trace, older, err);
	}
	/* What the filter can tell by the cache alone need not be followed. */
	if (!status && call->is_wanted && call->values.cache) {
		struct heap_event event;

		describe(trace, stop, call, &event);
		status = heap_fact_cache(trace, stop, &event, err);
		call->is_wanted = heap_filter_wants(trace->filter, &event);
	}
	if (status || !(call->is_wanted || trace->object_count))
		return status;
	return add_call(trace, stop->target, call, err);
}

static int begin_free(struct heap_trace *trace, struct heap_stop *stop, const struct heap_call_begun *call,
		      struct error *err)
{
	const struct heap_function *function = &trace->sites->functions[call->function];
	struct heap_cpu *cpu = &trace->cpus[stop->cpu];
	bool is_same = function->is_inner && cpu->freed_slot == call->slot &&
		       cpu->freed_object == call->values.object && cpu->freed_function != call->function;

	if (is_same) {
		trace->counts.strangers++;
		return 0;
	}
	cpu->freed_slot = call->slot;
	cpu->freed_object = call->values.object;
	cpu->freed_function = call->function;
	if (function->call == HEAP_CALL_FREE_BULK)
		return emit_bulk(trace, stop, call, call->values.count, err);
	if (call->values.object > ZERO_SIZE_PTR)
		return emit(trace, stop, call, call->values.object, err);
	return 0;
}

int heap_call_begin(struct heap_trace *trace, struct heap_stop *stop, uint32_t function,
		    const struct heap_arguments *places, uint64_t slot, bool may_be_repeated, struct error *err)
{
	const struct heap_function *called = &trace->sites->functions[function];
	struct heap_cpu *cpu = &trace->cpus[stop->cpu];
	struct heap_call_begun call = { .slot = slot, .function = function };
	int status = heap_follow_look(trace, stop, err);

	call.task = cpu->task;
	call.is_wanted = cpu->is_wanted;
	if (!status && !call.is_wanted && !trace->object_count) {
		trace->counts.strangers++;
		return 0;
	}
	if (!status)
		status = read_values(stop, places, &call, err);
	if (status)
		return status;
	if (!call.return_address) {
		trace->counts.lost++;
		return 0;
	}
	if (is_within_outer(trace, &call)) {
		trace->counts.strangers++;
		return 0;
	}
	if (called->call == HEAP_CALL_ALLOC || called->call == HEAP_CALL_ALLOC_BULK)
		return begin_alloc(trace, stop, &call, may_be_repeated, err);
	return begin_free(trace, stop, &call, err);
}

/* End ------------------------------------------------------------------------------------------------------ */

/*
 * How many objects kmem_cache_alloc_bulk() has allocated: all or none. It returns their number; in 7.3 whether it has,
 * and of a bool only al counts.
 */
static uint64_t count_of(const struct heap_call_begun *call, uint64_t result)
{
	if (call->values.count && ((uint32_t)result == call->values.count || (uint8_t)result == 1))
		return call->values.count;
	return call->values.count && !(uint8_t)result ? 0 : (uint32_t)result;
}

int heap_call_end(struct heap_trace *trace, struct heap_stop *stop, bool *ret_is_ours, struct error *err)
{
	const struct stub_registers *registers = &stop->registers;
	uint64_t result = registers->general[INSN_RAX];
	size_t index = find_call(trace, registers->general[INSN_RSP] - SLOT_BYTES);
	struct heap_call_begun call;
	int status;

	if (index == trace->call_count || registers->rip != trace->calls[index].return_address)
		return 0;
	*ret_is_ours = true;
	call = trace->calls[index];
	heap_met_forget_handled(trace, call.slot);
	status = remove_call(trace, index, err);
	if (status)
		return status;
	if (trace->sites->functions[call.function].call == HEAP_CALL_ALLOC_BULK)
		return emit_bulk(trace, stop, &call, count_of(&call, result), err);
	return result == ZERO_SIZE_PTR ? 0 : emit(trace, stop, &call, result, err);
}
