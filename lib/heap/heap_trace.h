/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Follows tasks' kernel heap calls in a target with traps (stub_target.h): sets them, makes events of what
 * they meet, and lets the target run on. Where the target has watchpoints, those that catch calls are set only
 * while a task that the filter may want is on a CPU, and each switch of tasks costs a stop (heap_follow.c).
 */
#ifndef DILL_HEAP_TRACE_H
#define DILL_HEAP_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "heap_event.h"
#include "heap_filter.h"
#include "heap_sites.h"
#include "stub_proxy.h"

struct heap_trace;
struct kernel;

enum heap_trace_way {
	HEAP_TRACE_AUTO, /* by data where guest code is translated, else by code */
	HEAP_TRACE_BY_DATA,
	HEAP_TRACE_BY_CODE,
};

/* What is done with an event that the filter wants. */
enum heap_verdict {
	HEAP_EVENT_GO_ON,
	HEAP_EVENT_STOP, /* stop the target and let gdb know */
};
typedef enum heap_verdict (*heap_event_fn)(void *context, const struct heap_event *event);

struct heap_trace_counts {
	uint64_t stops;      /* traps met */
	uint64_t strangers;  /* of them, by tasks that aren't wanted, or reads by other functions */
	uint64_t events;     /* handed on */
	uint64_t switches;   /* of them, wanted tasks coming to or leaving a CPU */
	/* Calls that were met, but not their end, or not understood; stops that hid what a wanted task met. */
	uint64_t lost;
	uint64_t armed_ns, started_ns; /* host time with traps set, and when it began (CLOCK_MONOTONIC) */
};

/* @kernel and @filter are borrowed and must outlive the trace; @filter may change in between (its `changes`). */
int heap_trace_create(struct kernel *kernel, const struct heap_filter *filter, enum heap_trace_way way,
		      heap_event_fn on_event, void *context, struct heap_trace **ret_trace, struct error *err);
void heap_trace_destroy(struct heap_trace *trace);

/* An object whose release or next allocation is wanted whoever does it, and what is then done. Up to 64. */
int heap_trace_watch(struct heap_trace *trace, uint64_t object, struct error *err);
int heap_trace_unwatch(struct heap_trace *trace, uint64_t object);

/*
 * Begin, and end (takes all traps away). The target stands still. -EOPNOTSUPP: this stub can't set the traps
 * that are needed.
 */
int heap_trace_start(struct heap_trace *trace, struct stub_target *target, struct error *err);
int heap_trace_stop(struct heap_trace *trace, struct stub_target *target, struct error *err);
bool heap_trace_is_running(const struct heap_trace *trace);

/* For stub_handlers. */
int heap_trace_on_trap(struct heap_trace *trace, struct stub_target *target, const struct stub_stop *stop,
		       enum stub_verdict *ret_verdict, struct error *err);
/* The filter may have changed, memory was changed by hand, tasks came and went: look anew. */
int heap_trace_on_resume(struct heap_trace *trace, struct stub_target *target, struct error *err);

const struct heap_trace_counts *heap_trace_counts(const struct heap_trace *trace);
const struct heap_sites *heap_trace_sites(const struct heap_trace *trace);
/* Whether it meets calls by watchpoints, as far as they can be met so. */
bool heap_trace_is_by_data(const struct heap_trace *trace);
/* In a few words, for `dill status`: "watchpoints on gfp_allowed_mask, phys_base", "breakpoints at 14 functions". */
const char *heap_trace_way_text(const struct heap_trace *trace);

#endif
