// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The aligned allocation functions, each with blocks kept, blocks freed and calls that fail. An alignment of
 * 8 or 16 is nothing special to glibc, which then calls malloc from inside: still one allocation.
 */
#include "truth.h"

#include <malloc.h>

TRUTH_SITE(by_posix_memalign);
TRUTH_SITE(by_aligned_alloc);
TRUTH_SITE(by_memalign);
TRUTH_SITE(by_valloc);
TRUTH_SITE(by_pvalloc);

static volatile size_t huge = (size_t)PTRDIFF_MAX - 65536;

SITE static void by_posix_memalign(void)
{
	void *block;

	for (size_t align = 8; align <= 65536; align *= 2) {
		for (size_t i = 0; i < 6; i++) {
			truth_require(posix_memalign(&block, align, 100 + i) == 0);
			truth_require((uintptr_t)block % align == 0);
			truth_block(&site_by_posix_memalign, block, 100 + i, i < 2);
		}
	}
	truth_require(posix_memalign(&block, 3, 100) == EINVAL);
	truth_require(posix_memalign(&block, 4, 100) == EINVAL);
	truth_require(posix_memalign(&block, 64, huge) == ENOMEM);
}

SITE static void by_aligned_alloc(void)
{
	for (size_t align = 16; align <= 4096; align *= 2) {
		for (size_t i = 1; i <= 5; i++)
			truth_block(&site_by_aligned_alloc, aligned_alloc(align, align * i), align * i, i == 3);
	}
	truth_require(!aligned_alloc(64, huge));
}

SITE static void by_memalign(void)
{
	for (size_t align = 16; align <= 4096; align *= 2) {
		for (size_t i = 0; i < 5; i++)
			truth_block(&site_by_memalign, memalign(align, 1000 + i), 1000 + i, i < 1);
	}
	truth_block(&site_by_memalign, memalign(1 << 20, 3 << 20), 3 << 20, true);
	truth_require(!memalign(4096, huge));
}

SITE static void by_valloc(void)
{
	for (size_t i = 0; i < 5; i++)
		truth_block(&site_by_valloc, valloc(300 + i), 300 + i, i < 3);
	truth_require(!valloc(huge));
}

/* What is asked for counts, not the whole pages that pvalloc makes of it. */
SITE static void by_pvalloc(void)
{
	for (size_t i = 0; i < 5; i++)
		truth_block(&site_by_pvalloc, pvalloc(5000 + i), 5000 + i, i < 2);
	truth_require(!pvalloc(huge));
}

int main(int argc, char **argv)
{
	truth_init(argc, argv);
	truth_ready();
	by_posix_memalign();
	by_aligned_alloc();
	by_memalign();
	by_valloc();
	by_pvalloc();
	truth_end("");
	return 0;
}
