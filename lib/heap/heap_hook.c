// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The hook that reads gfp_allowed_mask for functions that allocate: who called it, and where the caller's
 * arguments are while it runs.
 */
#include "heap_readings.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "kernel_symbols.h"

#define NAME_BYTES 128

void heap_hook_deinit(struct heap_hook *hook)
{
	argument_flow_destroy(hook->arguments);
	heap_code_deinit(&hook->code);
	memset(hook, 0, sizeof(*hook));
}

static int take(struct heap_hook *hook, struct heap_callees *callees, uint64_t target)
{
	uint64_t start, end;
	char name[NAME_BYTES];
	int status;

	if (kernel_symbols_at(callees->kernel->symbols, target, name, sizeof(name), &start, &end) ||
	    heap_code_read(callees, name, start, end, &hook->code))
		return 0;
	status = argument_flow_create(hook->code.flow, heap_code_spares, callees, &hook->arguments);
	if (status)
		heap_hook_deinit(hook);
	else
		hook->start = start;
	return status == -ENOMEM ? status : 0;
}

int heap_hook_find(struct heap_hook *hook, struct heap_callees *callees,
		   const struct heap_candidate *candidates, size_t count)
{
	static const char *const names[] = { "slab_pre_alloc_hook", NULL };

	memset(hook, 0, sizeof(*hook));
	for (size_t i = 0; i < count; i++) {
		const struct code_flow *flow = candidates[i].code.flow;

		for (size_t j = 0; j < flow->count; j++)
			if (flow->insns[j].outside && flow->insns[j].x86.flow == INSN_FLOW_CALL &&
			    heap_function_is_one_of(callees->kernel, flow->insns[j].outside, names))
				return take(hook, callees, flow->insns[j].outside);
	}
	return 0;
}

bool heap_hook_is_called(const struct heap_hook *hook, const struct code_insn *insn)
{
	return hook->start && insn->outside == hook->start && insn->x86.flow == INSN_FLOW_CALL;
}

bool heap_hook_reads(struct heap_hook *hook, struct orc_tables *orc, const struct heap_global *global)
{
	const struct code_flow *flow = hook->code.flow;
	CLEANUP(free) bool *is_marked = calloc(flow ? flow->count : 1, sizeof(*is_marked));
	CLEANUP(free) bool *is_on_bypass = calloc(flow ? flow->count : 1, sizeof(*is_on_bypass));
	CLEANUP(free) enum code_order *order = calloc(flow ? flow->count : 1, sizeof(*order));
	size_t firsts = 0;

	if (!hook->start || !is_marked || !is_on_bypass || !order)
		return false;
	for (size_t i = 0; i < flow->count; i++)
		is_marked[i] = heap_insn_reads(&flow->insns[i], global);
	if (code_flow_order(flow, is_marked, order) || code_flow_bypass(flow, is_marked, NULL, is_on_bypass))
		return false;
	for (size_t i = 0; i < flow->count; i++) {
		if (is_on_bypass[i])
			return false;
		if (!is_marked[i] || order[i] == CODE_LATER)
			continue;
		hook->read = i;
		firsts += order[i] == CODE_FIRST ? 1 : 2;
	}
	if (firsts != 1)
		return false;
	argument_places_behind(hook->arguments, hook->read, &hook->places);
	hook->frame.ip_after = flow->insns[hook->read].ip + flow->insns[hook->read].x86.length;
	return heap_site_place_frame(orc, flow->insns[hook->read].ip, &hook->places, &hook->frame) &&
	       !hook->frame.frame_is_stored;
}

/* A place in the caller, at the hook's read. @depth: from the hook's return address up to the caller's. */
static struct value_place carry(const struct heap_hook *hook, const struct value_place *place, int64_t depth)
{
	struct value_place now;

	/* The hook may have an address in the caller's frame, but it hasn't written anything yet. */
	if (place->kind == PLACE_STACK && hook->read == hook->code.flow->first)
		return *place;
	if (place->kind != PLACE_REGISTER)
		return (struct value_place){ .kind = PLACE_UNKNOWN };
	now = hook->places.entries[place->number];
	if (now.kind == PLACE_STACK)
		now.offset -= depth;
	return now;
}

bool heap_hook_place(const struct heap_hook *hook, struct orc_tables *orc, const struct code_insn *call,
		     struct argument_places *places, struct heap_site *site)
{
	struct heap_site frame = { 0 };
	int64_t depth;

	if (!heap_site_place_frame(orc, call->ip, places, &frame) || frame.frame_register != INSN_RSP ||
	    frame.frame_is_stored)
		return false;
	/* The call pushed 8 bytes below the caller's rsp. */
	depth = frame.frame_offset + 8;
	for (size_t i = 0; i < INSN_REGISTER_COUNT; i++)
		places->entries[i] = carry(hook, &places->entries[i], depth);
	site->ip_after = hook->frame.ip_after;
	site->via_return = call->ip + call->x86.length;
	site->via_register = hook->frame.frame_register;
	site->via_offset = hook->frame.frame_offset;
	site->frame_register = hook->frame.frame_register;
	site->frame_offset = hook->frame.frame_offset + depth;
	return true;
}
