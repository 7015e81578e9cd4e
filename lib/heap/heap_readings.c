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

/* include/linux/sched.h, unchanged since 2.6. */
#define PF_MEMALLOC 0x800

void heap_reader_deinit(struct heap_reader *reader)
{
	heap_hook_deinit(&reader->hook);
	orc_tables_close(reader->orc);
}

int heap_reader_init(struct heap_reader *reader, struct kernel *kernel, struct heap_callees *callees,
		     const struct heap_candidate *candidates, size_t count)
{
	static const struct field_spec specs[] = { { "task_struct", "flags", 0, false } };

	memset(reader, 0, sizeof(*reader));
	reader->kernel = kernel;
	if (fields_load(kernel->types, specs, 1, &reader->task_flags, NULL))
		memset(&reader->task_flags, 0, sizeof(reader->task_flags));
	if (orc_tables_open(kernel, &reader->orc))
		reader->orc = NULL;
	return heap_hook_find(&reader->hook, callees, candidates, count);
}

void heap_reading_deinit(struct heap_reading *reading)
{
	free(reading->sites);
	free(reading->is_around);
	memset(reading, 0, sizeof(*reading));
}

/*
 * What takes the slow way to or from a slab. Each function that allocates or frees calls one of them, or the
 * ones below; no way to one of these may lead around a read that is to catch the function.
 */
static const char *const workers[] = {
	"__slab_free", "___slab_alloc", "__slab_alloc", "__pcs_replace_full_main", "__pcs_replace_empty_main",
	NULL
};
/* Functions of their own right that do all of the work for others. */
static const char *const inner_workers[] = { "__kmem_cache_free", "__kmem_cache_alloc_node", NULL };

bool heap_function_is_one_of(struct kernel *kernel, uint64_t target, const char *const *names)
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
		if (flow->insns[i].outside &&
		    heap_function_is_one_of(kernel, flow->insns[i].outside, workers))
			return true;
	return false;
}

/* One judgement. */
struct judge {
	struct heap_reader *reader;
	const struct heap_candidate *candidate;
	bool is_by_hook; /* marked are calls of the reader's hook, not reads */
	bool *is_marked, *never_jumps, *is_around, *is_on_bypass; /* by instruction */
	enum code_order *order;
	size_t marked_count;
};

static bool calls_worker(const struct judge *judge, const bool *is_asked)
{
	const struct code_flow *flow = judge->candidate->code.flow;
	struct kernel *kernel = judge->reader->kernel;

	for (size_t i = 0; i < flow->count; i++)
		if ((!is_asked || is_asked[i]) && flow->insns[i].outside &&
		    (heap_function_is_one_of(kernel, flow->insns[i].outside, workers) ||
		     heap_function_is_one_of(kernel, flow->insns[i].outside, inner_workers)))
			return true;
	return false;
}

/* A store that isn't to the frame, to a per-CPU variable, or to a global (that of WARN_ONCE()). */
static bool stores(const struct insn_x86 *insn)
{
	return insn->stores && insn->has_memory && !insn->is_elsewhere && insn->base != INSN_NO_REGISTER &&
	       insn->base != INSN_RSP;
}

/*
 * Whether the function may do its work without a marked instruction. Where it calls no worker, work is to
 * change anything and to come to an end.
 */
static int find_way_around(struct judge *judge, const bool *never_jumps, bool *ret_is_there)
{
	const struct code_flow *flow = judge->candidate->code.flow;

	if (code_flow_around(flow, judge->is_marked, never_jumps, judge->is_around))
		return -ENOMEM;
	*ret_is_there = calls_worker(judge, judge->is_around);
	if (calls_worker(judge, NULL))
		return 0;
	if (code_flow_bypass(flow, judge->is_marked, never_jumps, judge->is_on_bypass))
		return -ENOMEM;
	for (size_t i = 0; i < flow->count; i++)
		*ret_is_there |= judge->is_on_bypass[i] && stores(&flow->insns[i].x86);
	return 0;
}

bool heap_insn_reads(const struct code_insn *insn, const struct heap_global *global)
{
	uint64_t address;

	return insn->x86.loads && insn_x86_fixed_address(&insn->x86, insn->ip, &address) &&
	       address - global->address < global->size;
}

/*
 * Some compilers move the read of gfp_allowed_mask behind the test that might_alloc() makes: tasks that
 * reclaim memory don't come there.
 *
 *     testb $8,0x2d(%r12)      task->flags & PF_MEMALLOC
 *     jne   …                  goes around the read
 */
static void find_reclaim_branches(struct judge *judge)
{
	const struct code_flow *flow = judge->candidate->code.flow;
	const struct field *flags = &judge->reader->task_flags;

	for (size_t i = 1; i < flow->count && field_exists(flags); i++) {
		const struct insn_x86 *test = &flow->insns[i - 1].x86;
		int64_t shift = 8 * ((int64_t)test->displacement - flags->offset);

		judge->never_jumps[i] =
			flow->insns[i - 1].next == i && flow->insns[i].x86.condition == 5 &&
			test->map == INSN_MAP_ONE_BYTE && (test->opcode == 0xf6 || test->opcode == 0xf7) &&
			(test->modrm >> 3 & 7) == 0 && test->has_memory && !test->is_elsewhere &&
			test->base != INSN_NO_REGISTER && test->index == INSN_NO_REGISTER && shift >= 0 &&
			shift < 32 && (uint64_t)test->immediate << shift == PF_MEMALLOC;
	}
}

static int prepare(struct judge *judge)
{
	size_t count = judge->candidate->code.flow->count;

	judge->is_marked = calloc(count, sizeof(*judge->is_marked));
	judge->never_jumps = calloc(count, sizeof(*judge->never_jumps));
	judge->is_around = calloc(count, sizeof(*judge->is_around));
	judge->is_on_bypass = calloc(count, sizeof(*judge->is_on_bypass));
	judge->order = calloc(count, sizeof(*judge->order));
	return judge->is_marked && judge->never_jumps && judge->is_around && judge->is_on_bypass &&
			       judge->order
		       ? 0
		       : -ENOMEM;
}

static void judge_deinit(struct judge *judge)
{
	free(judge->is_marked);
	free(judge->never_jumps);
	free(judge->is_around);
	free(judge->is_on_bypass);
	free(judge->order);
}

/* Whether the marked instructions are met on all ways that matter. */
static int judge_ways(struct judge *judge, struct heap_reading *reading)
{
	bool is_there;

	if (code_flow_order(judge->candidate->code.flow, judge->is_marked, judge->order) ||
	    find_way_around(judge, NULL, &is_there))
		return -ENOMEM;
	reading->catches = !is_there;
	if (reading->catches)
		return 0;
	find_reclaim_branches(judge);
	if (find_way_around(judge, judge->never_jumps, &is_there))
		return -ENOMEM;
	reading->catches = reading->misses_reclaim = !is_there;
	return 0;
}

/*
 * Where the return address lies at @ip, from the code itself and, to compare, from the kernel's unwind table,
 * where it has a row. It says where the stack was before the call: 8 above.
 */
bool heap_site_place_frame(struct orc_tables *orc, uint64_t ip, const struct argument_places *places,
			   struct heap_site *site)
{
	struct orc_row row = { .kind = ORC_NO_ROW };
	bool has_row = orc && !orc_find(orc, ip, &row) && row.kind == ORC_CALL;
	uint8_t number = has_row && row.sp_register == ORC_BP ? INSN_RBP : INSN_RSP;

	if (has_row && (row.sp_register == ORC_SP || row.sp_register == ORC_BP)) {
		site->frame_register = number;
		site->frame_offset = row.sp_offset - 8;
		return !places->frames[number].is_known ||
		       places->frames[number].offset == site->frame_offset;
	}
	for (number = 0; number < INSN_REGISTER_COUNT && !places->frames[number].is_known; number++)
		;
	if (number < INSN_REGISTER_COUNT) {
		site->frame_register = number;
		site->frame_offset = places->frames[number].offset;
		return true;
	}
	site->frame_is_stored = true;
	site->frame_register = places->stored_frame.number;
	site->frame_offset = places->stored_frame.offset;
	site->frame_addend = places->stored_frame.addend;
	return site->frame_register != INSN_NO_REGISTER &&
	       (!has_row || row.sp_register != ORC_BP_INDIRECT || site->frame_register != INSN_RBP ||
		row.sp_offset == site->frame_offset);
}

static bool is_sufficient(const struct heap_arguments *arguments, enum heap_call call)
{
	switch (call) {
	case HEAP_CALL_ALLOC:
		/* What it returns says the cache, where it says that there is one. */
		return arguments->size.kind != PLACE_UNKNOWN || arguments->cache.kind != PLACE_UNKNOWN;
	case HEAP_CALL_FREE:
		return arguments->object.kind != PLACE_UNKNOWN;
	default:
		return arguments->array.kind != PLACE_UNKNOWN && arguments->count.kind != PLACE_UNKNOWN;
	}
}

/* False: nothing can be made of it. */
static bool make_site(const struct judge *judge, size_t index, struct heap_site *ret_site)
{
	const struct heap_candidate *candidate = judge->candidate;
	const struct code_insn *insn = &candidate->code.flow->insns[index];
	struct heap_site site = { .ip_after = insn->ip + insn->x86.length };
	struct argument_places places;

	if (judge->is_by_hook) {
		argument_places_before(candidate->arguments, index, &places);
		if (!heap_hook_place(&judge->reader->hook, judge->reader->orc, insn, &places, &site))
			return false;
		heap_arguments_place(&candidate->prototype, places.entries, &site.arguments);
		*ret_site = site;
		return is_sufficient(&site.arguments, candidate->function.call);
	}
	argument_places_behind(candidate->arguments, index, &places);
	heap_arguments_place(&candidate->prototype, places.entries, &site.arguments);
	if (!is_sufficient(&site.arguments, candidate->function.call) ||
	    !heap_site_place_frame(judge->reader->orc, insn->ip, &places, &site))
		return false;
	*ret_site = site;
	return true;
}

/* For each marked instruction that may be the first one. False: one of them is of no use. */
static bool make_sites(const struct judge *judge, struct heap_reading *reading)
{
	enum heap_call call = judge->candidate->function.call;
	bool is_alloc = call == HEAP_CALL_ALLOC || call == HEAP_CALL_ALLOC_BULK;

	for (size_t i = 0; i < judge->candidate->code.flow->count; i++) {
		struct heap_site *site = &reading->sites[reading->site_count];

		if (!judge->is_marked[i] || judge->order[i] == CODE_LATER)
			continue;
		if ((judge->order[i] == CODE_EITHER && !is_alloc) || !make_site(judge, i, site))
			return false;
		site->may_be_repeated = judge->order[i] == CODE_EITHER;
		reading->site_count++;
	}
	return reading->site_count > 0;
}

static int judge_reads(struct judge *judge, struct heap_reading *reading)
{
	int status = judge_ways(judge, reading);

	if (status || !reading->catches)
		return status;
	reading->sites = calloc(judge->marked_count + 1, sizeof(*reading->sites));
	if (!reading->sites)
		return -ENOMEM;
	reading->catches = make_sites(judge, reading);
	reading->is_around = TAKE_PTR(judge->is_around);
	return 0;
}

/* @is_by_hook: by calls of the hook. */
static int find(struct heap_reader *reader, const struct heap_candidate *candidate,
		const struct heap_global *global, bool is_by_hook, struct heap_reading *ret_reading)
{
	const struct code_flow *flow = candidate->code.flow;
	struct judge judge = { .reader = reader, .candidate = candidate, .is_by_hook = is_by_hook };
	struct heap_reading reading = { 0 };
	int status = prepare(&judge);

	for (size_t i = 0; !status && i < flow->count; i++) {
		judge.is_marked[i] = is_by_hook ? heap_hook_is_called(&reader->hook, &flow->insns[i])
						: heap_insn_reads(&flow->insns[i], global);
		judge.marked_count += judge.is_marked[i];
	}
	if (!status && judge.marked_count && candidate->arguments)
		status = judge_reads(&judge, &reading);
	judge_deinit(&judge);
	if (status || !reading.catches)
		heap_reading_deinit(&reading);
	*ret_reading = reading;
	return status;
}

int heap_reading_find(struct heap_reader *reader, const struct heap_candidate *candidate,
		      const struct heap_global *global, struct heap_reading *ret_reading)
{
	bool is_alloc = candidate->function.call == HEAP_CALL_ALLOC ||
			candidate->function.call == HEAP_CALL_ALLOC_BULK;
	int status = find(reader, candidate, global, false, ret_reading);

	if (status || ret_reading->catches || !is_alloc ||
	    !heap_hook_reads(&reader->hook, reader->orc, global))
		return status;
	return find(reader, candidate, global, true, ret_reading);
}
