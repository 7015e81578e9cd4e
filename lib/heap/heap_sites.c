// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Chooses what to watch so that each slab call is met, and what is left to breakpoints. */
#include "heap_sites.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "heap_functions.h"
#include "heap_readings.h"
#include "kernel.h"
#include "partition_point.h"

/*
 * What may be watched, best first: none of them is written to while the kernel runs. Instructions that read
 * them, in all of the kernel's text from 5.10 to 7.3: gfp_allowed_mask 19 to 23, __kfence_pool 36 to 55,
 * phys_base 431 to 614, vmemmap_base 1027 to 1306, page_offset_base 1059 to 1330.
 */
static const struct {
	const char *name;
	uint32_t size;
} known_globals[] = {
	{ "gfp_allowed_mask", 4 }, { "__kfence_pool", 8 },    { "phys_base", 8 },
	{ "vmemmap_base", 8 },     { "page_offset_base", 8 },
};

enum { GLOBALS_MAX = sizeof(known_globals) / sizeof(*known_globals) };

/* How a function is caught. */
enum way {
	WAY_NONE, /* not needed: others that it calls, or that call it, are caught */
	WAY_DATA,
	WAY_CODE,
};

struct search {
	struct kernel *kernel;
	struct heap_callees callees;
	struct heap_reader reader;
	struct heap_candidate *candidates; /* owned */
	size_t count;
	struct heap_global globals[GLOBALS_MAX];
	size_t global_count;
	bool is_chosen[GLOBALS_MAX];
	struct heap_reading *readings; /* owned; by function, then global: GLOBALS_MAX of each */
	enum way *ways;                /* owned; by function */
	size_t *by_global;             /* owned; by function, of WAY_DATA */
};

DEFINE_CLEANUP(sites, struct heap_sites *, heap_sites_free(v));

void heap_sites_free(struct heap_sites *sites)
{
	if (!sites)
		return;
	free(sites->functions);
	free(sites->globals);
	free(sites->sites);
	free(sites->by_code);
	free(sites->unseen);
	free(sites);
}

static void search_deinit(struct search *search)
{
	for (size_t i = 0; search->readings && i < search->count * GLOBALS_MAX; i++)
		heap_reading_deinit(&search->readings[i]);
	free(search->readings);
	free(search->ways);
	free(search->by_global);
	heap_reader_deinit(&search->reader);
	heap_functions_free(search->candidates, search->count);
	heap_callees_deinit(&search->callees);
}

static void find_globals(struct search *search)
{
	for (size_t i = 0; i < GLOBALS_MAX; i++) {
		struct heap_global *global = &search->globals[search->global_count];

		if (kernel_symbol(search->kernel, known_globals[i].name, &global->address))
			continue;
		snprintf(global->name, sizeof(global->name), "%s", known_globals[i].name);
		global->size = known_globals[i].size;
		search->global_count++;
	}
}

static struct heap_reading *reading_of(const struct search *search, size_t function, size_t global)
{
	return &search->readings[function * GLOBALS_MAX + global];
}

static int find_readings(struct search *search)
{
	int status = 0;

	search->readings = calloc(search->count * GLOBALS_MAX, sizeof(*search->readings));
	search->ways = calloc(search->count, sizeof(*search->ways));
	search->by_global = calloc(search->count, sizeof(*search->by_global));
	if (!search->readings || !search->ways || !search->by_global)
		return -ENOMEM;
	for (size_t i = 0; i < search->count; i++)
		for (size_t j = 0; !status && j < search->global_count; j++)
			status = heap_reading_find(&search->reader, &search->candidates[i],
						   &search->globals[j], reading_of(search, i, j));
	return status;
}

/* How many functions @global catches of those that no chosen one does. */
static size_t gain_of(const struct search *search, size_t global)
{
	size_t gain = 0;

	for (size_t i = 0; i < search->count; i++)
		gain += search->ways[i] != WAY_DATA && reading_of(search, i, global)->catches;
	return gain;
}

static void choose_global(struct search *search, size_t global)
{
	search->is_chosen[global] = true;
	for (size_t i = 0; i < search->count; i++) {
		if (search->ways[i] == WAY_DATA || !reading_of(search, i, global)->catches)
			continue;
		search->ways[i] = WAY_DATA;
		search->by_global[i] = global;
	}
}

/*
 * The first global that catches kfree() and kmem_cache_free() both, else the first ones that catch one of
 * them: these two are what nearly all releases come by, and not worth a global of its own is any other
 * function.
 */
static bool is_frequent(const struct heap_candidate *candidate)
{
	return !strcmp(candidate->function.name, "kfree") ||
	       !strcmp(candidate->function.name, "kmem_cache_free");
}

static size_t frequent_gain(const struct search *search, size_t global)
{
	size_t gain = 0;

	for (size_t i = 0; i < search->count; i++)
		gain += is_frequent(&search->candidates[i]) && search->ways[i] != WAY_DATA &&
			reading_of(search, i, global)->catches;
	return gain;
}

static void choose_globals(struct search *search)
{
	size_t wanted = 2;

	if (search->global_count && !strcmp(search->globals[0].name, known_globals[0].name) &&
	    gain_of(search, 0))
		choose_global(search, 0);
	for (; wanted > 0; wanted--)
		for (size_t i = 0; i < search->global_count; i++)
			if (!search->is_chosen[i] && frequent_gain(search, i) >= wanted)
				choose_global(search, i);
}

/* Whether @caller may come to call the function at @target without having been caught. */
static bool slips_through(const struct search *search, size_t caller, uint64_t target)
{
	const struct code_flow *flow = search->candidates[caller].code.flow;
	const bool *is_around = NULL;

	if (search->ways[caller] == WAY_CODE)
		return false;
	if (search->ways[caller] == WAY_DATA)
		is_around = reading_of(search, caller, search->by_global[caller])->is_around;
	for (size_t i = 0; i < flow->count; i++)
		if (flow->insns[i].outside == target && (!is_around || is_around[i]))
			return true;
	return false;
}

static bool calls_inner(const struct search *search, size_t caller)
{
	for (size_t i = 0; i < search->count; i++)
		if (i != caller &&
		    search->candidates[i].function.call == search->candidates[caller].function.call &&
		    heap_candidate_calls(&search->candidates[caller], search->candidates[i].function.start))
			return true;
	return false;
}

/*
 * A release that is always met in a caller already. Allocations may be met twice: they are told by their
 * frame.
 */
static bool is_met_before(const struct search *search, size_t function)
{
	const struct heap_function *inner = &search->candidates[function].function;

	if (!inner->is_inner || inner->call != HEAP_CALL_FREE)
		return false;
	for (size_t i = 0; i < search->count; i++)
		if (i != function && slips_through(search, i, inner->start))
			return false;
	return true;
}

static void choose_ways(struct search *search)
{
	for (size_t i = 0; i < search->count; i++)
		if (search->ways[i] == WAY_NONE &&
		    (!calls_inner(search, i) || heap_candidate_works(search->kernel, &search->candidates[i])))
			search->ways[i] = WAY_CODE;
	for (size_t i = 0; i < search->count; i++)
		if (is_met_before(search, i))
			search->ways[i] = WAY_NONE;
}

static int compare_sites(const void *a, const void *b)
{
	const struct heap_site *one = a, *other = b;

	if (one->ip_after != other->ip_after)
		return one->ip_after < other->ip_after ? -1 : 1;
	return one->via_return < other->via_return ? -1 : one->via_return > other->via_return;
}

static int fill_globals(const struct search *search, struct heap_sites *sites, uint32_t *numbers)
{
	sites->globals = calloc(GLOBALS_MAX, sizeof(*sites->globals));
	if (!sites->globals)
		return -ENOMEM;
	for (size_t i = 0; i < search->global_count; i++) {
		numbers[i] = (uint32_t)sites->global_count;
		if (search->is_chosen[i])
			sites->globals[sites->global_count++] = search->globals[i];
	}
	return 0;
}

static int fill_sites(const struct search *search, struct heap_sites *sites)
{
	uint32_t numbers[GLOBALS_MAX];
	size_t room = 1;
	int status = fill_globals(search, sites, numbers);

	for (size_t i = 0; !status && i < search->count; i++)
		room += reading_of(search, i, search->by_global[i])->site_count;
	sites->sites = calloc(room, sizeof(*sites->sites));
	sites->by_code = calloc(search->count, sizeof(*sites->by_code));
	sites->functions = calloc(search->count, sizeof(*sites->functions));
	if (status || !sites->sites || !sites->by_code || !sites->functions)
		return -ENOMEM;
	for (size_t i = 0; i < search->count; i++) {
		const struct heap_reading *reading = reading_of(search, i, search->by_global[i]);

		sites->functions[sites->function_count++] = search->candidates[i].function;
		if (search->ways[i] == WAY_CODE)
			sites->by_code[sites->by_code_count++] = (uint32_t)i;
		for (size_t j = 0; search->ways[i] == WAY_DATA && j < reading->site_count; j++) {
			struct heap_site *site = &sites->sites[sites->site_count++];

			*site = reading->sites[j];
			site->function = (uint32_t)i;
			site->global = numbers[search->by_global[i]];
		}
	}
	qsort(sites->sites, sites->site_count, sizeof(*sites->sites), compare_sites);
	return 0;
}

/* One word for all of them. */
static int tell_misses(const struct search *search, struct heap_sites *sites)
{
	for (size_t i = 0; i < search->count; i++)
		if (search->ways[i] == WAY_DATA &&
		    reading_of(search, i, search->by_global[i])->misses_reclaim)
			return heap_unseen_add(
				sites, search->candidates[i].function.name,
				"and others don't read what is watched in tasks that reclaim memory");
	return 0;
}

static int run_search(struct search *search, struct heap_sites *sites, struct error *err)
{
	int status = heap_functions_find(&search->callees, sites, &search->candidates, &search->count, err);

	if (status)
		return status;
	find_globals(search);
	status = heap_reader_init(&search->reader, search->kernel, &search->callees, search->candidates,
				  search->count);
	if (!status)
		status = find_readings(search);
	if (!status) {
		choose_globals(search);
		choose_ways(search);
		status = fill_sites(search, sites);
	}
	if (!status)
		status = tell_misses(search, sites);
	return status ? error_set(err, status, "out of memory") : 0;
}

int heap_sites_find(struct kernel *kernel, struct heap_sites **ret_sites, struct error *err)
{
	CLEANUP(sites) struct heap_sites *sites = calloc(1, sizeof(*sites));
	struct search search = { .kernel = kernel };
	int status;

	if (!sites)
		return error_set(err, -ENOMEM, "out of memory");
	status = heap_callees_init(&search.callees, kernel);
	if (status)
		return error_set(err, status, "out of memory");
	status = run_search(&search, sites, err);
	search_deinit(&search);
	if (!status)
		*ret_sites = TAKE_PTR(sites);
	return status;
}

/* The first one whose ip_after isn't below. */
static size_t first_site(const struct heap_sites *sites, uint64_t ip)
{
	return PARTITION_POINT(i, sites->site_count, sites->sites[i].ip_after < ip);
}

bool heap_site_exists(const struct heap_sites *sites, uint64_t ip)
{
	size_t i = first_site(sites, ip);

	return i < sites->site_count && sites->sites[i].ip_after == ip;
}

int heap_site_find(const struct heap_sites *sites, uint64_t ip, const uint64_t *registers, heap_word_fn word,
		   void *context, const struct heap_site **ret_site, uint64_t *ret_frame)
{
	size_t i = first_site(sites, ip), number = i;
	const struct heap_site *site = &sites->sites[i];
	uint64_t via = 0, frame;
	int status = 0;

	if (!heap_site_exists(sites, ip))
		return -ENOENT;
	/* All that share an instruction find its function's return address in the same place. */
	if (site->via_return)
		status = word(context, registers[site->via_register] + (uint64_t)site->via_offset, &via);
	while (number < sites->site_count && sites->sites[number].ip_after == ip &&
	       sites->sites[number].via_return != via)
		number++;
	if (status)
		return status;
	if (number == sites->site_count || sites->sites[number].ip_after != ip)
		return -ENOENT;
	site = &sites->sites[number];
	frame = registers[site->frame_register] + (uint64_t)site->frame_offset;
	if (site->frame_is_stored) {
		status = word(context, frame, &frame);
		frame += (uint64_t)site->frame_addend;
	}
	if (!status) {
		*ret_site = site;
		*ret_frame = frame;
	}
	return status;
}

const struct heap_function *heap_function_of(const struct heap_sites *sites, uint64_t ip)
{
	for (size_t i = 0; i < sites->function_count; i++)
		if (ip - sites->functions[i].start < sites->functions[i].end - sites->functions[i].start)
			return &sites->functions[i];
	return NULL;
}

const struct heap_function *heap_function_at(const struct heap_sites *sites, uint64_t start)
{
	const struct heap_function *function = heap_function_of(sites, start);

	return function && function->start == start ? function : NULL;
}
