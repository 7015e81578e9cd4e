// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* cflags: -fomit-frame-pointer */
/*
 * deep_stack [DEPTH]: a leak below 1, 2, … DEPTH (default 200) frames of recursion, 16 + depth bytes each.
 *
 * The stack of the leak at depth d is leak_deep, then d frames that alternate between descend_alloca (odd, a
 * frame of a size known at run time only) and descend_fixed (even, up to 4 KiB), then descend_all, main. So
 * the whole stack of 200 frames is about half a megabyte, more than any copied piece of it.
 */
#include "truth.h"

#include <alloca.h>

TRUTH_SITE(leak_deep);

static void descend_alloca(int left, int depth);

SITE static void leak_deep(int depth)
{
	size_t size = 16 + (size_t)depth;

	KEEP(malloc(size));
	truth_alloc(&site_leak_deep, size);
}

SITE static void descend_fixed(int left, int depth)
{
	char room[4096];

	KEEP(room);
	if (left > 1)
		descend_alloca(left - 1, depth);
	else
		leak_deep(depth);
	KEEP(room);
}

SITE static void descend_alloca(int left, int depth)
{
	char *room = alloca(16 + (size_t)left * 8);

	KEEP(room);
	if (left > 1)
		descend_fixed(left - 1, depth);
	else
		leak_deep(depth);
	KEEP(room);
}

/* The function at `left` is chosen so that the one at 1 is descend_alloca. */
SITE static void descend_all(int depth)
{
	if (depth % 2)
		descend_alloca(depth, depth);
	else
		descend_fixed(depth, depth);
	STAY();
}

int main(int argc, char **argv)
{
	int depth;

	truth_init(argc, argv);
	depth = (int)truth_number(0, 200);
	if (depth > 1000)
		truth_usage("out of range");
	truth_ready();
	for (int i = 1; i <= depth; i++)
		descend_all(i);
	truth_end("");
	return 0;
}
