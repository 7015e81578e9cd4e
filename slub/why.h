/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Why an allocation got its object where it did, and where a free put it: told by the model's build of the allocator at
 * each step, and by nothing in the fast one.
 */
#ifndef SLUB_WHY_H
#define SLUB_WHY_H

#include <stdbool.h>

enum slub_why {
	SLUB_WHY_NONE,
	/* Sheaves: where the object came from. */
	SLUB_WHY_MAIN,            /* the CPU's main sheaf */
	SLUB_WHY_SPARE,           /* main was empty, the spare became main */
	SLUB_WHY_BARN_FULL,       /* main and spare were empty, a full sheaf came from the barn */
	SLUB_WHY_REFILL,          /* no full sheaf in the barn: one was filled from slabs */
	SLUB_WHY_KEPT_AS_SPARE,   /* main got objects while that went on: the filled sheaf became the spare */
	SLUB_WHY_NOT_NEEDED,      /* … and so did the spare: the filled sheaf went away again */
	SLUB_WHY_SHEAFLESS,       /* the cache has no sheaves, or is being drained: from a slab */
	/* … and where it went. */
	SLUB_WHY_TO_MAIN,
	SLUB_WHY_TO_FIRST_MAIN,   /* the CPU had no sheaf: an empty one became main */
	SLUB_WHY_TO_SPARE,        /* main was full, the spare became main */
	SLUB_WHY_TO_NEW_MAIN,     /* main was full and there was no spare: main became spare, an empty sheaf main */
	SLUB_WHY_BARN_TOOK_FULL,  /* both were full: one went to the barn for an empty sheaf */
	SLUB_WHY_FLUSHED,         /* the barn had its ten: a full sheaf's objects went to their slabs */
	SLUB_WHY_TO_SLAB,
	SLUB_WHY_TO_NODE,         /* it is of another node than the CPU: to its slab */
	/* CPU slabs: where the object came from. */
	SLUB_WHY_CPU_FREELIST,
	SLUB_WHY_CPU_SLAB,        /* the CPU's freelist was empty, its slab had objects freed by others */
	SLUB_WHY_CPU_SLAB_FULL,   /* the CPU let go of its slab, which is full and on no list now */
	SLUB_WHY_CPU_PARTIAL,     /* the first slab of the CPU's partial list became its slab */
	SLUB_WHY_CPU_PARTIAL_FILLED, /* more slabs of the node's list went to the CPU's partial list */
	/* … and where it went. */
	SLUB_WHY_TO_CPU_FREELIST, /* its slab is the CPU's */
	SLUB_WHY_TO_FROZEN_SLAB,  /* its slab is another CPU's, which will find it there */
	SLUB_WHY_TO_CPU_PARTIAL,  /* its slab was full: it is on this CPU's partial list now */
	SLUB_WHY_CPU_PARTIAL_DRAINED, /* that list was too long: its slabs went to their nodes first */
	/* Slabs. */
	SLUB_WHY_NODE_PARTIAL,    /* from the first slab of the node's partial list */
	SLUB_WHY_OTHER_NODE,
	SLUB_WHY_NEW_SLAB,
	SLUB_WHY_TO_PARTIAL_SLAB, /* its slab was partial and is so still */
	SLUB_WHY_BECAME_PARTIAL,  /* its slab was full: it is at the end of the node's partial list now */
	SLUB_WHY_TO_NODE_LIST,    /* a partial slab that a CPU had is on its node's partial list now */
	SLUB_WHY_EMPTY_KEPT,      /* its slab is empty now; the node's list has fewer than min_partial, so it stays */
	SLUB_WHY_DRAINED,         /* a CPU's sheaves or slabs are taken from it */
	SLUB_WHY_EMPTY_SHRUNK,    /* an empty slab that was kept goes when the cache is shrunk */
	SLUB_WHY_EMPTY_DISCARDED, /* … has min_partial: it went back to the page layer */
};

/* A clause in words, "" for SLUB_WHY_NONE. */
const char *slub_why_words(enum slub_why why);

struct slab;

/* slub_why() tells a reason, and the slab that it is about if there is one. Between slub_why_pause(true) and (false) the
 * allocator works for itself: sheaves are objects, too. */
#ifdef SLUB_MODEL
void slub_why(enum slub_why why, const struct slab *slab);
void slub_why_pause(bool is_paused);
#else
static inline void slub_why_pause(bool is_paused)
{
	(void)is_paused;
}

static inline void slub_why(enum slub_why why, const struct slab *slab)
{
	(void)why, (void)slab;
}
#endif

#endif
