/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Whether and where one function reads one global in a way that catches its calls. Not for use outside
 * heap_*.c.
 */
#ifndef DILL_HEAP_READINGS_H
#define DILL_HEAP_READINGS_H

#include "heap_functions.h"
#include "kernel_types.h"
#include "orc_table.h"

/*
 * slab_pre_alloc_hook() (mm/slab.h, mm/slub.c) where the compiler made it a function of its own: it is what
 * reads gfp_allowed_mask then. Its own parameters may have been rearranged; those of who calls it are there
 * still, in registers that it hasn't touched yet.
 */
struct heap_hook {
	uint64_t start; /* 0: there is none */
	struct heap_code code;
	struct argument_flow *arguments; /* owned */
	/* heap_hook_reads() fills in: the instruction that reads, and what holds there. */
	size_t read;
	struct heap_site frame; /* its ip_after and frame_* */
	struct argument_places places;
};

/* Look for it in the callees of @candidates. -ENOMEM. */
int heap_hook_find(struct heap_hook *hook, struct heap_callees *callees,
		   const struct heap_candidate *candidates, size_t count);
void heap_hook_deinit(struct heap_hook *hook);
/* Whether each call of it reads @global, once, where it can be told who called. */
bool heap_hook_reads(struct heap_hook *hook, struct orc_tables *orc, const struct heap_global *global);
bool heap_hook_is_called(const struct heap_hook *hook, const struct code_insn *insn);
/*
 * @places is what holds in the caller before its @call of the hook; it becomes what holds at the hook's read.
 * False: it can't be told.
 */
bool heap_hook_place(const struct heap_hook *hook, struct orc_tables *orc, const struct code_insn *call,
		     struct argument_places *places, struct heap_site *site);

/* What is needed to judge. */
struct heap_reader {
	struct kernel *kernel;
	struct orc_tables *orc;  /* owned; may be NULL */
	struct field task_flags; /* task_struct.flags */
	struct heap_hook hook;
};

/* What catching a function by a global comes to. Zeroed: not at all. */
struct heap_reading {
	bool catches;            /* every call that comes to do its work, once, with what an event needs */
	bool misses_reclaim;     /* but for those of tasks that reclaim memory */
	struct heap_site *sites; /* owned; `function` and `global` aren't filled in */
	size_t site_count;
	bool *is_around; /* owned; by instruction: reached without a read of the global. NULL: not known */
};

/* Looks for the hook in the callees of @candidates. -ENOMEM. */
int heap_reader_init(struct heap_reader *reader, struct kernel *kernel, struct heap_callees *callees,
		     const struct heap_candidate *candidates, size_t count);
void heap_reader_deinit(struct heap_reader *reader);

/* By reads of the function's own, or those of the hook that it calls. -ENOMEM. */
int heap_reading_find(struct heap_reader *reader, const struct heap_candidate *candidate,
		      const struct heap_global *global, struct heap_reading *ret_reading);
void heap_reading_deinit(struct heap_reading *reading);

bool heap_insn_reads(const struct code_insn *insn, const struct heap_global *global);
/* Fill in frame_*: where the return address lies at @ip. False: it can't be told. */
bool heap_site_place_frame(struct orc_tables *orc, uint64_t ip, const struct argument_places *places,
			   struct heap_site *site);
/* Whether the function at @target has one of these names, whatever a compiler put behind them (.isra.0). */
bool heap_function_is_one_of(struct kernel *kernel, uint64_t target, const char *const *names);

/* Whether @candidate gives objects out or takes them in by itself: it calls what does so in the slow case. */
bool heap_candidate_works(struct kernel *kernel, const struct heap_candidate *candidate);

#endif
