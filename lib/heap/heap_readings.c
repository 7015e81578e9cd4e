// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Judges one function's reads of one global. */
#include "heap_readings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "kernel_symbols.h"

#define NAME_BYTES 128

void heap_reading_deinit(struct heap_reading *reading)
{
	free(reading->sites);
	free(reading->is_around);
	memset(reading, 0, sizeof(*reading));
}

/*
 * What takes the slow way to or from a slab. Each function that allocates or frees calls one of them, or the ones
 * below; no way to one of these may lead around a read that is to catch the function.
 */
static const char *const workers[] = { "__slab_free", "___slab_alloc", "__slab_alloc", "__pcs_replace_full_main",
				       "__pcs_replace_empty_main", NULL };
/* Functions of their own right that do all of the work for others. */
static const char *const inner_workers[] = { "__kmem_cache_free", "__kmem_cache_alloc_node", NULL };

static bool is_one_of(struct kernel *kernel, uint64_t target, const char *const *names)
{
	char name[NAME_BYTES];
	uint64_t start;

	if (kernel_symbols_at(kernel->symbols, target, name, sizeof(name), &start, NULL) || start != target)
		return false;
	name[strcspn(name, ".")] = '\0'; /* __slab_free.isra.0 */
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

bool heap_candidate_works(struct kernel *kernel, const struct heap_candidate *candidate)
{
	const struct code_flow *flow = candidate->code.flow;

	for (size_t i = 0; i < flow->count; i++)
		if (flow->insns[i].outside && is_one_of(kernel, flow->insns[i].outside, workers))
			return true;
	return false;
}

static bool has_way_around(struct kernel *kernel, const struct code_flow *flow, const bool *is_around)
{
	for (size_t i = 0; i < flow->count; i++)
		if (is_around[i] && flow->insns[i].outside &&
		    (is_one_of(kernel, flow->insns[i].outside, workers) ||
		     is_one_of(kernel, flow->insns[i].outside, inner_workers)))
			return true;
	return false;
}

static size_t mark_reads(const struct code_flow *flow, const struct heap_global *global, bool *is_marked)
{
	size_t count = 0;

	for (size_t i = 0; i < flow->count; i++) {
		const struct code_insn *insn = &flow->insns[i];
		uint64_t address;

		is_marked[i] = insn->x86.loads && insn_x86_fixed_address(&insn->x86, insn->ip, &address) &&
			       address - global->address < global->size;
		count += is_marked[i];
	}
	return count;
}

/*
 * rsp or rbp and how far above the return address lies, from the code itself and, to compare, from the kernel's
 * unwind table, where it has one.
 */
static bool place_frame(struct orc_tables *orc, uint64_t ip, const struct argument_places *places,
			struct heap_site *site)
{
	struct orc_row row;
	uint8_t number;

	if (orc && !orc_find(orc, ip, &row) && row.kind == ORC_CALL &&
	    (row.sp_register == ORC_SP || row.sp_register == ORC_BP)) {
		number = row.sp_register == ORC_SP ? INSN_RSP : INSN_RBP;
		site->frame_register = number;
		site->frame_offset = row.sp_offset - 8;
		return !places->frames[number].is_known || places->frames[number].offset == site->frame_offset;
	}
	for (number = 0; number < INSN_REGISTER_COUNT && !places->frames[number].is_known; number++)
		;
	if (number == INSN_REGISTER_COUNT)
		return false;
	site->frame_register = number;
	site->frame_offset = places->frames[number].offset;
	return true;
}

static bool is_sufficient(const struct heap_arguments *arguments, enum heap_call call)
{
	switch (call) {
	case HEAP_CALL_ALLOC:
		return true; /* what it returns says the rest */
	case HEAP_CALL_FREE:
		return arguments->object.kind != PLACE_UNKNOWN;
	default:
		return arguments->array.kind != PLACE_UNKNOWN && arguments->count.kind != PLACE_UNKNOWN;
	}
}

/* False: nothing can be made of it. */
static bool make_site(struct orc_tables *orc, const struct heap_candidate *candidate, size_t index,
		      struct heap_site *ret_site)
{
	const struct code_insn *insn = &candidate->code.flow->insns[index];
	struct heap_site site = { .ip_after = insn->ip + insn->x86.length };
	struct argument_places places;

	argument_places_behind(candidate->arguments, index, &places);
	heap_arguments_place(&candidate->prototype, places.arguments, &site.arguments);
	if (!is_sufficient(&site.arguments, candidate->function.call) || !place_frame(orc, insn->ip, &places, &site))
		return false;
	*ret_site = site;
	return true;
}

int heap_reading_find(struct kernel *kernel, struct orc_tables *orc, const struct heap_candidate *candidate,
		      const struct heap_global *global, struct heap_reading *ret_reading)
{
	const struct code_flow *flow = candidate->code.flow;
	CLEANUP(free) bool *is_marked = calloc(flow->count, sizeof(*is_marked));
	CLEANUP(free) bool *is_around = calloc(flow->count, sizeof(*is_around));
	CLEANUP(free) enum code_order *order = calloc(flow->count, sizeof(*order));
	CLEANUP(free) struct heap_site *sites = NULL;
	bool is_alloc = candidate->function.call == HEAP_CALL_ALLOC || candidate->function.call == HEAP_CALL_ALLOC_BULK;
	size_t count, site_count = 0;

	memset(ret_reading, 0, sizeof(*ret_reading));
	if (!is_marked || !is_around || !order)
		return -ENOMEM;
	count = mark_reads(flow, global, is_marked);
	if (!count || !candidate->arguments)
		return 0;
	sites = calloc(count, sizeof(*sites));
	if (!sites || code_flow_around(flow, is_marked, is_around) || code_flow_order(flow, is_marked, order))
		return -ENOMEM;
	if (has_way_around(kernel, flow, is_around))
		return 0;
	for (size_t i = 0; i < flow->count; i++) {
		if (!is_marked[i] || order[i] == CODE_LATER)
			continue;
		if ((order[i] == CODE_EITHER && !is_alloc) || !make_site(orc, candidate, i, &sites[site_count]))
			return 0;
		sites[site_count++].may_be_repeated = order[i] == CODE_EITHER;
	}
	*ret_reading = (struct heap_reading){ site_count > 0, TAKE_PTR(sites), site_count, TAKE_PTR(is_around) };
	return 0;
}
