// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Which slab functions there are, from 5.10 on. Since 6.10 (7bd230a26648) those that allocate end in _noprof.
 * A kernel has only some; which ones, its symbols say.
 */
#include "heap_functions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "kernel_symbols.h"

static const struct known_function {
	const char *name;
	enum heap_call call;
} known_functions[] = {
	{ "kmem_cache_alloc", HEAP_CALL_ALLOC },
	{ "kmem_cache_alloc_lru", HEAP_CALL_ALLOC },
	{ "kmem_cache_alloc_node", HEAP_CALL_ALLOC },
	{ "kmem_cache_alloc_trace", HEAP_CALL_ALLOC },
	{ "kmem_cache_alloc_node_trace", HEAP_CALL_ALLOC },
	{ "kmem_cache_alloc_from_sheaf", HEAP_CALL_ALLOC },
	{ "__kmem_cache_alloc_node", HEAP_CALL_ALLOC },
	{ "kmalloc_trace", HEAP_CALL_ALLOC },
	{ "kmalloc_node_trace", HEAP_CALL_ALLOC },
	{ "__kmalloc_cache", HEAP_CALL_ALLOC },
	{ "__kmalloc_cache_node", HEAP_CALL_ALLOC },
	{ "__kmalloc", HEAP_CALL_ALLOC },
	{ "__kmalloc_node", HEAP_CALL_ALLOC },
	{ "__kmalloc_flags", HEAP_CALL_ALLOC },
	{ "__kmalloc_track_caller", HEAP_CALL_ALLOC },
	{ "__kmalloc_node_track_caller", HEAP_CALL_ALLOC },
	{ "__kvmalloc_node", HEAP_CALL_ALLOC },
	{ "kmalloc_nolock", HEAP_CALL_ALLOC },
	{ "_kmalloc_nolock", HEAP_CALL_ALLOC },
	{ "__kmalloc_nolock", HEAP_CALL_ALLOC },
	/* Larger than any slab. */
	{ "kmalloc_order", HEAP_CALL_ALLOC },
	{ "kmalloc_order_trace", HEAP_CALL_ALLOC },
	{ "kmalloc_large", HEAP_CALL_ALLOC },
	{ "kmalloc_large_node", HEAP_CALL_ALLOC },
	{ "__kmalloc_large", HEAP_CALL_ALLOC },
	{ "__kmalloc_large_node", HEAP_CALL_ALLOC },
	{ "___kmalloc_large_node", HEAP_CALL_ALLOC },
	{ "kmem_cache_alloc_bulk", HEAP_CALL_ALLOC_BULK },
	{ "kmem_cache_free", HEAP_CALL_FREE },
	{ "__kmem_cache_free", HEAP_CALL_FREE },
	{ "kfree", HEAP_CALL_FREE },
	{ "kfree_nolock", HEAP_CALL_FREE },
	{ "free_large_kmalloc", HEAP_CALL_FREE },
	{ "kmem_cache_free_bulk", HEAP_CALL_FREE_BULK },
};

#define KNOWN_COUNT (sizeof(known_functions) / sizeof(*known_functions))

/* What can't be caught as calls, to be named where it is there. */
static const struct {
	const char *name, *why;
} known_unseen[] = {
	{ "kvfree_rcu_bulk", "releases in bulk, after a grace period, what kfree_rcu() was given" },
	{ "kvfree_rcu_list", "releases what kfree_rcu() was given, after a grace period" },
	{ "kvfree_rcu_cb", "releases what kfree_rcu() was given, after a grace period" },
	{ "__rcu_free_sheaf_prepare", "releases sheaves of objects after a grace period" },
	{ "kfree_rcu_work", "releases what kfree_rcu() was given, after a grace period" },
};

int heap_unseen_add(struct heap_sites *sites, const char *name, const char *why)
{
	struct heap_unseen *grown = reallocarray(sites->unseen, sites->unseen_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	sites->unseen = grown;
	grown += sites->unseen_count++;
	snprintf(grown->name, sizeof(grown->name), "%s", name);
	grown->why = why;
	return 0;
}

void heap_functions_free(struct heap_candidate *candidates, size_t count)
{
	for (size_t i = 0; candidates && i < count; i++) {
		argument_flow_destroy(candidates[i].arguments);
		heap_code_deinit(&candidates[i].code);
	}
	free(candidates);
}

void heap_arguments_place(const struct heap_prototype *prototype, const struct value_place *places,
			  struct heap_arguments *ret_arguments)
{
	struct value_place *const roles[HEAP_ROLES] = {
		[HEAP_ROLE_CACHE] = &ret_arguments->cache,   [HEAP_ROLE_SIZE] = &ret_arguments->size,
		[HEAP_ROLE_OBJECT] = &ret_arguments->object, [HEAP_ROLE_ARRAY] = &ret_arguments->array,
		[HEAP_ROLE_COUNT] = &ret_arguments->count,   [HEAP_ROLE_CALLER] = &ret_arguments->caller,
	};

	memset(ret_arguments, 0, sizeof(*ret_arguments));
	for (size_t i = 0; i < HEAP_ROLES; i++)
		if (prototype->argument_of[i] >= 0)
			*roles[i] = places[argument_registers[prototype->argument_of[i]]];
}

/* By the calling convention. */
static void place_at_entry(struct heap_candidate *candidate)
{
	struct value_place places[INSN_REGISTER_COUNT] = { 0 };

	for (uint8_t i = 0; i < INSN_REGISTER_COUNT; i++)
		places[i] = (struct value_place){ .kind = PLACE_REGISTER, .number = i };
	heap_arguments_place(&candidate->prototype, places, &candidate->function.at_entry);
}

/* The symbol, with or without _noprof. */
static bool find_symbol(struct kernel *kernel, const struct known_function *known,
			struct heap_function *ret_function)
{
	struct heap_function *function = ret_function;
	uint64_t start;
	char name[HEAP_FUNCTION_MAX + 1];

	memset(function, 0, sizeof(*function));
	function->call = known->call;
	snprintf(function->name, sizeof(function->name), "%s_noprof", known->name);
	if (kernel_symbol(kernel, function->name, &function->start)) {
		snprintf(function->name, sizeof(function->name), "%s", known->name);
		if (kernel_symbol(kernel, function->name, &function->start))
			return false;
	}
	return !kernel_symbols_at(kernel->symbols, function->start, name, sizeof(name), &start,
				  &function->end) &&
	       start == function->start && function->end > start;
}

static int compare(const void *a, const void *b)
{
	const struct heap_candidate *one = a, *other = b;

	return one->function.start < other->function.start ? -1 : one->function.start > other->function.start;
}

static size_t find_symbols(struct kernel *kernel, struct heap_candidate *candidates)
{
	size_t count = 0;

	for (size_t i = 0; i < KNOWN_COUNT; i++)
		if (find_symbol(kernel, &known_functions[i], &candidates[count].function))
			count++;
	qsort(candidates, count, sizeof(*candidates), compare);
	return count;
}

static void find_prototypes(struct kernel *kernel, struct heap_candidate *candidates, size_t count)
{
	struct heap_prototype prototypes[KNOWN_COUNT] = { 0 };
	enum heap_call calls[KNOWN_COUNT] = { 0 };
	const char *names[KNOWN_COUNT] = { 0 };

	for (size_t i = 0; i < count; i++) {
		names[i] = candidates[i].function.name;
		calls[i] = candidates[i].function.call;
	}
	heap_prototypes_find(kernel->types, names, calls, count, prototypes);
	for (size_t i = 0; i < count; i++)
		candidates[i].prototype = prototypes[i];
}

/* All of their code lies together: one round trip. */
static void prefetch(struct kernel *kernel, const struct heap_candidate *candidates, size_t count)
{
	struct memory_range ranges[KNOWN_COUNT];

	for (size_t i = 0; i < count; i++) {
		const struct heap_function *function = &candidates[i].function;

		ranges[i] = (struct memory_range){ function->start, function->end - function->start };
	}
	kernel_prefetch(kernel, ranges, count);
}

/* NULL: @candidate can be used. */
static const char *why_not(const struct heap_callees *callees, struct heap_candidate *candidate)
{
	const struct heap_function *function = &candidate->function;

	if (candidate->prototype.is_ambiguous)
		return "several functions have this name, with different parameters";
	if (!candidate->prototype.is_known)
		return "the kernel's types don't tell its parameters";
	if (heap_code_read(callees, function->name, function->start, function->end, &candidate->code))
		return "its code can't be read or decoded";
	return NULL;
}

static int drop_unusable(const struct heap_callees *callees, struct heap_sites *sites,
			 struct heap_candidate *candidates, size_t *count)
{
	size_t kept = 0;
	int status = 0;

	for (size_t i = 0; !status && i < *count; i++) {
		const char *why = why_not(callees, &candidates[i]);
		struct heap_candidate candidate = candidates[i];

		/* What isn't kept any more must not be freed twice. */
		memset(&candidates[i], 0, sizeof(candidates[i]));
		if (why) {
			heap_code_deinit(&candidate.code);
			status = heap_unseen_add(sites, candidate.function.name, why);
		} else {
			place_at_entry(&candidate);
			candidates[kept++] = candidate;
		}
	}
	*count = kept;
	return status;
}

bool heap_candidate_calls(const struct heap_candidate *caller, uint64_t target)
{
	for (size_t i = 0; i < caller->code.flow->count; i++)
		if (caller->code.flow->insns[i].outside == target)
			return true;
	return false;
}

static bool is_called_by(const struct heap_candidate *callee, const struct heap_candidate *caller)
{
	return callee != caller && callee->function.call == caller->function.call &&
	       heap_candidate_calls(caller, callee->function.start);
}

static int find_unseen(struct kernel *kernel, struct heap_sites *sites)
{
	int status = 0;

	for (size_t i = 0; !status && i < sizeof(known_unseen) / sizeof(*known_unseen); i++) {
		uint64_t address;

		if (!kernel_symbol(kernel, known_unseen[i].name, &address))
			status = heap_unseen_add(sites, known_unseen[i].name, known_unseen[i].why);
	}
	return status;
}

int heap_functions_find(struct heap_callees *callees, struct heap_sites *sites,
			struct heap_candidate **ret_candidates, size_t *ret_count, struct error *err)
{
	struct heap_candidate *candidates = calloc(KNOWN_COUNT, sizeof(*candidates));
	struct kernel *kernel = callees->kernel;
	size_t count;
	int status;

	if (!candidates)
		return error_set(err, -ENOMEM, "out of memory");
	count = find_symbols(kernel, candidates);
	find_prototypes(kernel, candidates, count);
	prefetch(kernel, candidates, count);
	status = drop_unusable(callees, sites, candidates, &count);
	if (!status)
		status = find_unseen(kernel, sites);
	for (size_t i = 0; i < count; i++) {
		(void)argument_flow_create(candidates[i].code.flow, heap_code_spares, callees,
					   &candidates[i].arguments);
		for (size_t j = 0; j < count; j++)
			candidates[i].function.is_inner |= is_called_by(&candidates[i], &candidates[j]);
	}
	if (status || !count) {
		heap_functions_free(candidates, count);
		return error_set(err, status ? status : -ENOENT,
				 status ? "out of memory"
					: "no slab function is known in this kernel's symbols");
	}
	*ret_candidates = candidates;
	*ret_count = count;
	return 0;
}
