/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The slab functions that a kernel has, by their names, with their code and with what their parameters mean.
 * Not for use outside heap_*.c.
 */
#ifndef DILL_HEAP_FUNCTIONS_H
#define DILL_HEAP_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "argument_places.h"
#include "code_flow.h"
#include "heap_sites.h"

struct kernel;
struct kernel_types;

/* What a parameter is for; as the members of struct heap_arguments. */
enum heap_role {
	HEAP_ROLE_CACHE,
	HEAP_ROLE_SIZE,
	HEAP_ROLE_OBJECT,
	HEAP_ROLE_ARRAY,
	HEAP_ROLE_COUNT,
	HEAP_ROLE_CALLER,
	HEAP_ROLES,
};

struct heap_prototype {
	bool is_known;
	bool is_ambiguous;              /* several functions have the name, and they differ */
	int8_t argument_of[HEAP_ROLES]; /* −1: no such parameter */
};

/*
 * What the parameters of functions called @names are for, by their types and names in BTF. One pass over all
 * types. Functions that aren't there, or whose parameters don't fit @calls, stay unknown.
 */
void heap_prototypes_find(struct kernel_types *types, const char *const *names, const enum heap_call *calls,
			  size_t count, struct heap_prototype *ret_prototypes);

/* A function's running code. */
struct heap_code {
	struct code_piece pieces[CODE_PIECES_MAX]; /* bytes owned */
	size_t piece_count;
	struct code_flow *flow; /* owned */
};

/* What is known of functions that are called, and of traps. */
enum { HEAP_CALLEES_MAX = 64 };
struct heap_callees {
	struct kernel *kernel;
	struct code_ends ends; /* owned */
	size_t count;
	struct heap_callee { /* those that get addresses in a caller's frame */
		uint64_t target;
		uint8_t spared; /* bits, as argument_spares_fn says */
	} known[HEAP_CALLEES_MAX];
};

int heap_callees_init(struct heap_callees *callees, struct kernel *kernel);
void heap_callees_deinit(struct heap_callees *callees);
/* argument_spares_fn; @context is a struct heap_callees. */
uint8_t heap_code_spares(void *context, uint64_t target);

/* Read and follow the function [start, end), with the parts of it that lie elsewhere. As code_flow_create().
 */
int heap_code_read(const struct heap_callees *callees, const char *name, uint64_t start, uint64_t end,
		   struct heap_code *ret_code);
void heap_code_deinit(struct heap_code *code);

struct heap_candidate {
	struct heap_function function;
	struct heap_prototype prototype;
	struct heap_code code;
	struct argument_flow *arguments; /* owned; NULL: not to be followed */
};

/*
 * All that the kernel of @callees has, by start. What is there and can't be used goes to @sites->unseen.
 * @callees must outlive the candidates. -ENOENT: nothing; -ENOMEM.
 */
int heap_functions_find(struct heap_callees *callees, struct heap_sites *sites,
			struct heap_candidate **ret_candidates, size_t *ret_count, struct error *err);
void heap_functions_free(struct heap_candidate *candidates, size_t count);

/* Fill in places of arguments: @places is of what registers had at entry, by enum insn_register. */
void heap_arguments_place(const struct heap_prototype *prototype, const struct value_place *places,
			  struct heap_arguments *ret_arguments);

/* Whether @caller calls @target or jumps there. */
bool heap_candidate_calls(const struct heap_candidate *caller, uint64_t target);

int heap_unseen_add(struct heap_sites *sites, const char *name, const char *why);

#endif
