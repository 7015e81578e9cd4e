/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Where a kernel's slab functions can be caught, found in its own symbols, types (BTF) and running code.
 *
 * Two ways, and each function is caught by one of them:
 *
 * - By data. Every slab allocation reads the global gfp_allowed_mask once, early (slab_pre_alloc_hook(),
 *   mm/slub.c), and functions that free read globals to get from an address to its struct page (vmemmap_base,
 *   page_offset_base, phys_base). A read watchpoint on the global stops at a known instruction of a known
 *   function, and argument_places.h says where its arguments are there. The return is caught by a read
 *   watchpoint on the return address on the stack. QEMU's translator (TCG) keeps its translated code over such
 *   a stop, but throws all of it away at every breakpoint: measured, 50 times as many stops a second.
 * - By code: a breakpoint at the function's first instruction.
 */
#ifndef DILL_HEAP_SITES_H
#define DILL_HEAP_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "heap_event.h"

struct kernel;

/* Where a value is when a site is met. */
enum place_kind {
	PLACE_UNKNOWN,
	PLACE_REGISTER, /* @number: enum insn_register */
	PLACE_STACK,    /* at @offset from rsp as it was at the function's first instruction */
	PLACE_CONSTANT, /* @offset is the value */
};

struct value_place {
	enum place_kind kind;
	uint8_t number;
	int64_t offset;
};

enum heap_call {
	HEAP_CALL_ALLOC,      /* returns the object */
	HEAP_CALL_FREE,       /* takes it */
	HEAP_CALL_ALLOC_BULK, /* returns how many it put into an array */
	HEAP_CALL_FREE_BULK,  /* takes an array */
};

/* What of a function's arguments matters. kind PLACE_UNKNOWN: it has no such argument, or it is lost there. */
struct heap_arguments {
	struct value_place cache;  /* struct kmem_cache * */
	struct value_place size;   /* bytes asked for */
	struct value_place object; /* HEAP_CALL_FREE */
	struct value_place array;  /* void **: *_BULK */
	struct value_place count;  /* *_BULK */
	struct value_place caller; /* an argument that says who asked (kmalloc_track_caller) */
};

struct heap_function {
	char name[HEAP_FUNCTION_MAX + 1]; /* the kernel's symbol */
	uint64_t start, end;
	enum heap_call call;
	struct heap_arguments at_entry; /* by the calling convention */
};

/* An instruction of @function that reads a watched global. */
struct heap_site {
	uint64_t ip_after; /* of the next instruction: where the CPU stands when the watchpoint is met */
	uint32_t function; /* index */
	uint32_t global;   /* index */
	/* rsp at the function's first instruction, where its return address is: a register plus an offset. */
	uint8_t frame_register;
	int64_t frame_offset;
	struct heap_arguments arguments;
};

struct heap_global {
	char name[HEAP_FUNCTION_MAX + 1];
	uint64_t address;
	uint32_t size;
};

struct heap_sites {
	struct heap_function *functions; /* owned; by start */
	size_t function_count;
	struct heap_global *globals; /* owned; what to watch */
	size_t global_count;
	struct heap_site *sites; /* owned; by ip_after */
	size_t site_count;
	/* Functions to be caught by breakpoints when the others are caught by data: indexes. Owned. */
	uint32_t *by_code;
	size_t by_code_count;
	/* Symbols that were looked for and are there, but can't be caught, and why: for `dill status`. Owned. */
	struct heap_unseen {
		char name[HEAP_FUNCTION_MAX + 1];
		const char *why; /* constant text */
	} *unseen;
	size_t unseen_count;
};

/* -ENOENT: this kernel has none of the functions, or its symbols can't be had. */
int heap_sites_find(struct kernel *kernel, struct heap_sites **ret_sites, struct error *err);
void heap_sites_free(struct heap_sites *sites);

/* The site whose ip_after this is. NULL: the global was read by somebody else. */
const struct heap_site *heap_site_at(const struct heap_sites *sites, uint64_t ip);
/* The function that starts there (for breakpoints), or NULL. */
const struct heap_function *heap_function_at(const struct heap_sites *sites, uint64_t start);

#endif
