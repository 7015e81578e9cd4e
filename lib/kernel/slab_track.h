/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Who allocated an object and who freed it, where the cache was made with slub_debug=U. */
#ifndef DILL_SLAB_TRACK_H
#define DILL_SLAB_TRACK_H

#include "slab_heap.h"
#include "stack_depot.h"

struct slab_track {
	uint64_t caller;   /* 0: never happened to this object */
	uint32_t cpu, pid; /* pid as the kernel's initial namespace has it */
	uint64_t jiffies;  /* of a process with libslub: CLOCK_MONOTONIC, ns */
	uint64_t stack[STACK_DEPOT_DEPTH]; /* innermost first */
	size_t depth;      /* 0: no stack was kept */
};

struct slab_tracks {
	struct slab_track allocation, free;
	uint64_t requested; /* bytes that kmalloc was asked for; 0: not kept */
};

/* -ENOENT: this cache keeps none; -EFAULT. @object is an address as handed out. */
int slab_tracks_read(struct slab_heap *heap, uint32_t cache, uint64_t object, struct slab_tracks *ret_tracks,
		     struct error *err);

#endif
