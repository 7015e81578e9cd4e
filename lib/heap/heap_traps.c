// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Traps that leave. A watchpoint must stay until every CPU that has met it has told so: QEMU keeps a pointer to it
 * in such a CPU, and reads what lies there by then (heap_met.c). So all that are to be taken away at a stop stay
 * until its end.
 */
#include <errno.h>
#include <stdlib.h>

#include "heap_trace_private.h"

static bool is_same(const struct stub_trap *a, const struct stub_trap *b)
{
	return a->kind == b->kind && a->address == b->address && a->size == b->size;
}

/* True: it was about to leave, and stays. */
static bool recall(struct heap_trace *trace, const struct stub_trap *trap)
{
	for (size_t i = 0; i < trace->leaving_count; i++) {
		if (!is_same(&trace->leaving[i], trap))
			continue;
		trace->leaving[i] = trace->leaving[--trace->leaving_count];
		return true;
	}
	return false;
}

int heap_traps_add(struct heap_trace *trace, struct stub_target *target, struct stub_trap *traps, size_t count,
		   struct error *err)
{
	int status = 0;

	for (size_t i = 0; i < count && !status; i++) {
		traps[i].result = 0;
		if (!recall(trace, &traps[i]))
			status = stub_traps_change(target, NULL, 0, &traps[i], 1, err);
	}
	return status;
}

int heap_traps_remove(struct heap_trace *trace, const struct stub_trap *traps, size_t count, struct error *err)
{
	if (trace->leaving_count + count > trace->leaving_capacity) {
		size_t capacity = 2 * (trace->leaving_count + count);
		struct stub_trap *grown = reallocarray(trace->leaving, capacity, sizeof(*grown));

		if (!grown)
			return error_set(err, -ENOMEM, "out of memory");
		trace->leaving = grown;
		trace->leaving_capacity = capacity;
	}
	for (size_t i = 0; i < count; i++)
		trace->leaving[trace->leaving_count++] = traps[i];
	return 0;
}

int heap_traps_settle(struct heap_trace *trace, struct stub_target *target, struct error *err)
{
	size_t count = trace->leaving_count;

	trace->leaving_count = 0;
	return count ? stub_traps_change(target, trace->leaving, count, NULL, 0, err) : 0;
}
