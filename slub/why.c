// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// The reasons and the points in words.
#include "why.h"

#include "point.h"

const char *slub_why_words(enum slub_why why)
{
	static const char *const words[] = {
		[SLUB_WHY_NONE] = "",
		[SLUB_WHY_MAIN] = "the last object of the CPU's main sheaf",
		[SLUB_WHY_SPARE] = "main was empty, the spare sheaf took its place",
		[SLUB_WHY_BARN_FULL] = "main and spare were empty, the barn gave a full sheaf",
		[SLUB_WHY_REFILL] = "the barn had no full sheaf, one was filled from slabs",
		[SLUB_WHY_KEPT_AS_SPARE] = "main has objects by now, the filled sheaf became the spare",
		[SLUB_WHY_NOT_NEEDED] = "main and spare have objects by now, the filled sheaf is given up",
		[SLUB_WHY_SHEAFLESS] = "no sheaf may be used, the object comes from a slab",
		[SLUB_WHY_TO_MAIN] = "onto the CPU's main sheaf",
		[SLUB_WHY_TO_FIRST_MAIN] = "the CPU had no sheaf yet, an empty one became main",
		[SLUB_WHY_TO_SPARE] = "main was full, the spare sheaf took its place",
		[SLUB_WHY_TO_NEW_MAIN] = "main was full and became the spare, an empty sheaf took its place",
		[SLUB_WHY_BARN_TOOK_FULL] = "the barn took a full sheaf",
		[SLUB_WHY_FLUSHED] = "the barn has its ten full sheaves, the objects of one go to their slabs",
		[SLUB_WHY_TO_SLAB] = "to its slab",
		[SLUB_WHY_TO_NODE] = "it is of another node than the CPU: no sheaf of that takes it",
		[SLUB_WHY_CPU_FREELIST] = "the head of the CPU's freelist",
		[SLUB_WHY_CPU_SLAB] = "the CPU's freelist was empty, its slab has objects that others freed",
		[SLUB_WHY_CPU_SLAB_FULL] = "the CPU's slab is full: it stands on no list any more",
		[SLUB_WHY_CPU_PARTIAL] = "the first slab of the CPU's partial list became the CPU's slab",
		[SLUB_WHY_CPU_PARTIAL_FILLED] = "the CPU's partial list took another slab of the node",
		[SLUB_WHY_TO_CPU_FREELIST] = "its slab is the CPU's: onto the CPU's freelist",
		[SLUB_WHY_TO_FROZEN_SLAB] = "its slab is another CPU's: onto the slab's own freelist, for that CPU to find",
		[SLUB_WHY_TO_CPU_PARTIAL] = "its slab was full and is partial now: onto the CPU's partial list",
		[SLUB_WHY_CPU_PARTIAL_DRAINED] = "the CPU's partial list had its limit: all of it went to the node",
		[SLUB_WHY_NODE_PARTIAL] = "the first slab of the node's partial list",
		[SLUB_WHY_OTHER_NODE] = "another node's partial list",
		[SLUB_WHY_NEW_SLAB] = "no partial slab: a new slab",
		[SLUB_WHY_TO_PARTIAL_SLAB] = "its slab was partial and is so still",
		[SLUB_WHY_BECAME_PARTIAL] = "its slab was full and is partial now: at the end of the node's list",
		[SLUB_WHY_TO_NODE_LIST] = "the CPU's slab is partial: onto the node's list",
		[SLUB_WHY_EMPTY_KEPT] = "its slab is empty now and stays, the node's list has fewer than min_partial",
		[SLUB_WHY_DRAINED] = "what a CPU has goes back to the slabs",
		[SLUB_WHY_EMPTY_SHRUNK] = "an empty slab of the node's list: back to the page layer",
		[SLUB_WHY_EMPTY_DISCARDED] = "its slab is empty now, the node's list has min_partial: back to the page layer",
	};

	return (unsigned)why < sizeof(words) / sizeof(words[0]) && words[why] ? words[why] : "";
}

const char *slub_point_name(enum slub_point point)
{
	static const char *const names[SLUB_POINTS] = {
		[SLUB_POINT_NONE] = "",
		[SLUB_POINT_FAST] = "fast",
		[SLUB_POINT_COMMIT] = "commit",
		[SLUB_POINT_BARN] = "barn",
		[SLUB_POINT_REFILL] = "refill",
		[SLUB_POINT_INSTALL] = "install",
		[SLUB_POINT_FLUSH] = "flush",
		[SLUB_POINT_LIST_LOCK] = "list-lock",
		[SLUB_POINT_SLAB] = "slab",
		[SLUB_POINT_NEW_SLAB] = "new-slab",
		[SLUB_POINT_FREEZE] = "freeze",
		[SLUB_POINT_DRAIN] = "drain",
		[SLUB_POINT_WAIT] = "wait",
	};

	return (unsigned)point < SLUB_POINTS ? names[point] : "";
}
