// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// What malloc has and holds, in the words of glibc: mallinfo(3), malloc_stats(3), malloc_info(3), mallopt(3).
//
// Memory of slabs and idle pages counts as the arena, whole pages (above 8192 bytes) as glibc's mmap()ed blocks.
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>

#include "kmalloc.h"
#include "report.h"
#include "runs.h"

#define MOST_CACHES 256

// One that counts in size_t; glibc's own structs have the width of their members alone between them.
static struct mallinfo2 figures(void)
{
	struct slub_cache_info infos[MOST_CACHES];
	size_t count = slub_slabinfo(infos, MOST_CACHES);
	struct mallinfo2 all = {};

	for (size_t i = 0; i < count && i < MOST_CACHES; i++) {
		size_t idle = infos[i].free_in_slabs + infos[i].free_in_sheaves;
		size_t used = infos[i].objects > idle ? infos[i].objects - idle : 0;

		all.arena += infos[i].slabs << infos[i].order << SLUB_PAGE_SHIFT;
		all.uordblks += used * infos[i].size;
		all.ordblks += infos[i].objects - used;
	}
	slub_count_runs(&all.hblks, &all.hblkhd);
	all.hblkhd <<= SLUB_PAGE_SHIFT;
	all.keepcost = __atomic_load_n(&slub.pages.dirty_free, __ATOMIC_RELAXED) << SLUB_PAGE_SHIFT;
	all.arena += all.keepcost;
	all.fordblks = all.arena - all.uordblks;
	return all;
}

SLUB_API struct mallinfo2 mallinfo2(void)
{
	return figures();
}

static int as_int(size_t value)
{
	return value > INT_MAX ? INT_MAX : (int)value;
}

// Deprecated, since its members are int; what doesn't fit is the largest of them here, not cut.
SLUB_API struct mallinfo mallinfo(void)
{
	struct mallinfo2 all = figures();

	return (struct mallinfo){
		.arena = as_int(all.arena), .ordblks = as_int(all.ordblks), .hblks = as_int(all.hblks),
		.hblkhd = as_int(all.hblkhd), .uordblks = as_int(all.uordblks), .fordblks = as_int(all.fordblks),
		.keepcost = as_int(all.keepcost),
	};
}

static void say_bytes(const char *what, size_t bytes)
{
	struct slub_line line = {};

	slub_put(&line, what);
	slub_put_number(&line, bytes);
	slub_say(&line);
}

SLUB_API void malloc_stats(void)
{
	struct mallinfo2 all = figures();

	say_bytes("Arena 0:\nsystem bytes     = ", all.arena);
	say_bytes("in use bytes     = ", all.uordblks);
	say_bytes("Total (incl. mmap):\nsystem bytes     = ", all.arena + all.hblkhd);
	say_bytes("in use bytes     = ", all.uordblks + all.hblkhd);
}

SLUB_API int malloc_info(int options, FILE *stream)
{
	struct mallinfo2 all = figures();

	if (options) {
		errno = EINVAL;
		return -1;
	}
	return fprintf(stream,
		       "<malloc version=\"1\">\n<heap nr=\"0\">\n<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n"
		       "<system type=\"current\" size=\"%zu\"/>\n</heap>\n<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n"
		       "<system type=\"current\" size=\"%zu\"/>\n</malloc>\n",
		       all.ordblks, all.fordblks, all.arena, all.hblks, all.hblkhd, all.arena + all.hblkhd) < 0 ? -1 : 0;
}

// All are hints about arenas and thresholds that aren't here: those that exist are taken, and change nothing.
SLUB_API int mallopt(int parameter, int value)
{
	static const int known[] = {
		M_MXFAST, M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_CHECK_ACTION, M_PERTURB, M_ARENA_TEST,
		M_ARENA_MAX,
	};

	(void)value;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (parameter == known[i])
			return 1;
	}
	return 0;
}
