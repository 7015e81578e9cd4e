/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Where a kernel's slab functions can be caught, found in its own symbols, types (BTF) and running code.
 *
 * Two ways, and each function is caught by one of them:
 *
 * - By data. Every slab allocation reads the global gfp_allowed_mask early (slab_pre_alloc_hook(),
 * mm/slub.c). Every release reads __kfence_pool (is_kfence_address(), include/linux/kfence.h) where KFENCE is
 * built in, else vmemmap_base to get from an address to its struct page. A read watchpoint on the global
 * stops at a known instruction of a known function, and argument_places.h says where its arguments are there.
 * The return is caught by a read watchpoint on the return address on the stack. QEMU's translator (TCG) keeps
 * its translated code over such a stop, but throws all of it away at every breakpoint: measured, 50 times as
 * many stops a second.
 * - By code: a breakpoint at the function's first instruction.
 *
 * Can't be seen: kfree(NULL) and kfree(ZERO_SIZE_PTR) by data, which do nothing; kmalloc(0), which gives
 * ZERO_SIZE_PTR; objects that the kernel's own delayed work releases in bulk inside of other functions (see
 * @unseen).
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
	PLACE_MEMORY,   /* at @offset from register @number */
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

/* What of a function's arguments matters. kind PLACE_UNKNOWN: it has no such argument, or it is lost there.
 */
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
	/*
	 * Another function of these with the same kind of call calls it, or jumps to it as its last act. Then
	 * both are caught where both are trapped. They are one call, the outer one's: the inner one's return
	 * address lies in the outer one's code (heap_function_of()), or, after a jump, in the same place on
	 * the stack.
	 */
	bool is_inner;
	struct heap_arguments at_entry; /* by the calling convention */
};

/*
 * An instruction that reads a watched global in a call of @function. Those that only run when another one has
 * read the same global in the same call are left out.
 */
struct heap_site {
	uint64_t ip_after; /* of the next instruction: where the CPU stands when the watchpoint is met */
	uint32_t function; /* index */
	uint32_t global;   /* index */
	/* Only of allocations: depending on its way, another site of the same call may have been met before.
	 */
	bool may_be_repeated;
	/*
	 * Not 0: the instruction is in another function, which @function and others call
	 * (slab_pre_alloc_hook(), where it is none of its own in the binary). It is this site if the word at
	 * @via_register + @via_offset, the other one's return address, is this. Such sites share their
	 * ip_after.
	 */
	uint64_t via_return;
	uint8_t via_register;
	int64_t via_offset;
	/*
	 * rsp at @function's first instruction, where its return address is: @frame_register + @frame_offset;
	 * if
	 * @frame_is_stored the word there, plus @frame_addend.
	 */
	uint8_t frame_register;
	bool frame_is_stored;
	int64_t frame_offset, frame_addend;
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
	/* Symbols that were looked for and are there, but can't be caught, and why: for `dill status`. Owned.
	 */
	struct heap_unseen {
		char name[HEAP_FUNCTION_MAX + 1];
		const char *why; /* constant text */
	} * unseen;
	size_t unseen_count;
};

/* -ENOENT: this kernel has none of the functions, or its symbols can't be had. */
int heap_sites_find(struct kernel *kernel, struct heap_sites **ret_sites, struct error *err);
void heap_sites_free(struct heap_sites *sites);

/* Reads a word of the stack. 0 or negative. */
typedef int (*heap_word_fn)(void *context, uint64_t address, uint64_t *ret_word);

/*
 * The site that a CPU is at, which has just read a watched global: @ip and @registers (by enum insn_register)
 * as they are now. @ret_frame: where the return address of its function is. -ENOENT: somebody else read the
 * global; else what @word returned, which is called once or twice for a few sites only.
 */
int heap_site_find(const struct heap_sites *sites, uint64_t ip, const uint64_t *registers, heap_word_fn word,
		   void *context, const struct heap_site **ret_site, uint64_t *ret_frame);
/* True if some site has this ip_after. */
bool heap_site_exists(const struct heap_sites *sites, uint64_t ip);
/* The function that starts there (for breakpoints), or NULL. */
const struct heap_function *heap_function_at(const struct heap_sites *sites, uint64_t start);
/* The function whose code (but for parts moved away) covers @ip, or NULL. */
const struct heap_function *heap_function_of(const struct heap_sites *sites, uint64_t ip);

#endif
