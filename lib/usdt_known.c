// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What the probes of glibc's allocator say. Names and meanings: glibc manual, "Memory Allocation Probes"; where it
 * describes sbrk_more and sbrk_less with their arguments the other way round, malloc.c decides: address, then size.
 */
#include <string.h>

#include "usdt_probes.h"

#define SIZE(name) { name, USDT_BYTES }
#define PLACE(name) { name, USDT_ADDRESS }
#define NUMBER(name) { name, USDT_NUMBER }
/* A setting in bytes, or of another kind: what is set, what it was. */
#define SIZES SIZE("new"), SIZE("old")
#define NUMBERS NUMBER("new"), NUMBER("old")

static const struct usdt_known known[] = {
	{ "memory_sbrk_more", "the main arena was extended by sbrk", { PLACE("address"), SIZE("size") } },
	{ "memory_sbrk_less", "the main arena gave memory back by sbrk", { PLACE("end"), SIZE("size") } },
	{ "memory_heap_new", "a heap of another arena was mapped", { PLACE("heap"), SIZE("size") } },
	{ "memory_heap_free", "a heap is about to be unmapped", { PLACE("heap"), SIZE("size") } },
	{ "memory_heap_more", "a heap was extended", { PLACE("heap"), SIZE("size") } },
	{ "memory_heap_less", "a heap gave memory back", { PLACE("heap"), SIZE("size") } },
	{ "memory_malloc_retry", "malloc found its arena full, and looks for another", { SIZE("bytes") } },
	{ "memory_calloc_retry", "calloc found its arena full, and looks for another", { SIZE("bytes") } },
	{ "memory_realloc_retry", "realloc found its arena full, and looks for another", { SIZE("bytes"), PLACE("block") } },
	{ "memory_memalign_retry", "memalign found its arena full, and looks for another",
	  { SIZE("bytes"), SIZE("alignment") } },
	{ "memory_arena_retry", "another arena is chosen, since one is full", { SIZE("bytes"), PLACE("arena") } },
	{ "memory_arena_new", "another arena was made", { PLACE("arena"), SIZE("size") } },
	{ "memory_arena_reuse", "a thread shares an arena that others use", { PLACE("arena"), PLACE("before") } },
	{ "memory_arena_reuse_wait", "a thread waits for an arena",
	  { PLACE("mutex"), PLACE("arena"), PLACE("before") } },
	{ "memory_arena_reuse_free_list", "a thread takes an arena that nobody uses", { PLACE("arena") } },
	{ "memory_mallopt", "mallopt was called", { NUMBER("parameter"), NUMBER("value") } },
	{ "memory_mallopt_mxfast", "M_MXFAST is set", { SIZES } },
	{ "memory_mallopt_trim_threshold", "M_TRIM_THRESHOLD is set", { SIZES, NUMBER("was_fixed") } },
	{ "memory_mallopt_top_pad", "M_TOP_PAD is set", { SIZES, NUMBER("was_fixed") } },
	{ "memory_mallopt_mmap_threshold", "M_MMAP_THRESHOLD is set", { SIZES, NUMBER("was_fixed") } },
	{ "memory_mallopt_mmap_max", "M_MMAP_MAX is set", { NUMBERS, NUMBER("was_fixed") } },
	{ "memory_mallopt_perturb", "M_PERTURB is set", { NUMBERS } },
	{ "memory_mallopt_check_action", "M_CHECK_ACTION is set", { NUMBERS } },
	{ "memory_mallopt_arena_test", "M_ARENA_TEST is set", { NUMBERS } },
	{ "memory_mallopt_arena_max", "M_ARENA_MAX is set", { NUMBERS } },
	{ "memory_mallopt_free_dyn_thresholds", "free raised the thresholds of mmap and trim",
	  { SIZE("mmap_threshold"), SIZE("trim_threshold") } },
	{ "memory_tunable_tcache_max_bytes", "glibc.malloc.tcache_max is set", { SIZES } },
	{ "memory_tunable_tcache_count", "glibc.malloc.tcache_count is set", { NUMBERS } },
	{ "memory_tunable_tcache_unsorted_limit", "glibc.malloc.tcache_unsorted_limit is set", { NUMBERS } },
	{ "memory_tcache_double_free", "free met a block that looks as if it were in the thread's cache already",
	  { PLACE("block"), NUMBER("bin") } },
};

/* malloc.c and arena.c of glibc 2.36; under these very names, since suffixed ones (.isra.0) have other arguments. */
const struct usdt_known usdt_known_functions[] = {
	{ "sbrk", "the break is to be moved: memory_sbrk_more, memory_sbrk_less", { SIZE("increment") } },
	{ "mallopt", "as memory_mallopt", { NUMBER("parameter"), NUMBER("value") } },
	{ "sysmalloc", "an arena is too small for a block, and the system is asked", { SIZE("bytes"), PLACE("arena") } },
	{ "systrim", "the main arena is to give memory back", { SIZE("keep"), PLACE("arena") } },
	{ "new_heap", "as memory_heap_new, before", { SIZE("size"), SIZE("top_pad") } },
	{ "grow_heap", "as memory_heap_more, before", { PLACE("heap"), SIZE("by") } },
	{ "shrink_heap", "as memory_heap_less, before", { PLACE("heap"), SIZE("by") } },
	{ "heap_trim", "as memory_heap_free and memory_heap_less, before", { PLACE("heap"), SIZE("keep") } },
	{ "_int_new_arena", "as memory_arena_new, before", { SIZE("size") } },
	{ "arena_get2", "a thread has no arena, or one that is locked", { SIZE("size"), PLACE("before") } },
	{ "arena_get_retry", "as memory_arena_retry", { PLACE("arena"), SIZE("bytes") } },
	{ "reused_arena", "as memory_arena_reuse, before", { PLACE("before") } },
	{ 0 },
};

const struct usdt_known *usdt_known_find(const char *provider, const char *name)
{
	for (size_t i = 0; strcmp(provider, "libc") == 0 && i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i].name, name) == 0)
			return &known[i];
	for (size_t i = 0; strcmp(provider, "function") == 0 && usdt_known_functions[i].name; i++)
		if (strcmp(usdt_known_functions[i].name, name) == 0)
			return &usdt_known_functions[i];
	return NULL;
}
