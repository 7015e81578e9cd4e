/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One allocation or release of a kernel heap object, as plain values: what `dill run` in gdb shows, and every
 * other trace of the kernel's heap.
 */
#ifndef DILL_HEAP_EVENT_H
#define DILL_HEAP_EVENT_H

#include <stdint.h>

enum heap_event_kind {
	HEAP_ALLOC,
	HEAP_FREE,
};

enum {
	HEAP_FUNCTION_MAX = 63,
	HEAP_CACHE_MAX = 63,
	HEAP_SYMBOL_MAX = 127,
	HEAP_COMM_MAX = 15, /* TASK_COMM_LEN − 1 */
};

struct heap_event {
	uint64_t time_ns; /* CLOCK_REALTIME of the observer */
	enum heap_event_kind kind;
	char function[HEAP_FUNCTION_MAX + 1]; /* "kmem_cache_alloc_noprof", as the kernel calls it */
	char cache[HEAP_CACHE_MAX + 1];       /* "": no slab cache's: a large kmalloc, or not known */
	uint64_t cache_address;               /* of its kmem_cache; 0 as above */
	uint64_t object;                      /* 0: the allocation failed */
	uint64_t size_bytes;                  /* as asked for; 0: not known, and for HEAP_FREE */
	uint64_t object_size_bytes;           /* what the cache hands out; 0: not known */
	int32_t tgid, pid;                    /* of the current task, in the initial namespace */
	char comm[HEAP_COMM_MAX + 1];
	uint32_t cpu;
	uint64_t caller;                      /* return address in whoever called @function; 0: not known */
	char caller_symbol[HEAP_SYMBOL_MAX + 1]; /* "getname_flags+0x4f"; "": not known */
};

#endif
