// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Several sites that leak known amounts, through malloc and calloc, among traffic that is freed.
 * static_leak, musl_leak and nonpie are this program built in other ways.
 */
#include "truth.h"

TRUTH_SITE(leak_small);
TRUTH_SITE(leak_large);
TRUTH_SITE(leak_zeroed);
TRUTH_SITE(leak_some);
TRUTH_SITE(leak_empty);
TRUTH_SITE(free_all);

SITE static void leak_small(void)
{
	KEEP(malloc(24));
	truth_alloc(&site_leak_small, 24);
}

/* Above glibc's mmap threshold: the allocator maps it, which is still one allocation of this size. */
SITE static void leak_large(void)
{
	KEEP(malloc(1000003));
	truth_alloc(&site_leak_large, 1000003);
}

SITE static void leak_zeroed(size_t members)
{
	KEEP(calloc(members, 12));
	truth_alloc(&site_leak_zeroed, members * 12);
}

/* Every third block is lost. */
SITE static void leak_some(int turn)
{
	size_t bytes = 100 + (size_t)turn % 7;
	void *block = malloc(bytes);

	KEEP(block);
	truth_alloc(&site_leak_some, bytes);
	if (turn % 3 == 0)
		return;
	free(block);
	truth_free(&site_leak_some, bytes);
}

/* malloc(0) returns a block of no bytes, which counts. */
SITE static void leak_empty(void)
{
	volatile size_t nothing = 0;

	KEEP(malloc(nothing));
	truth_alloc(&site_leak_empty, 0);
}

SITE static void free_all(void)
{
	void *block = malloc(333);

	KEEP(block);
	truth_alloc(&site_free_all, 333);
	free(block);
	truth_free(&site_free_all, 333);
	free(NULL);
}

int main(int argc, char **argv)
{
	truth_init(argc, argv);
	truth_ready();
	for (int i = 0; i < 100; i++)
		leak_small();
	for (int i = 0; i < 3; i++)
		leak_large();
	for (size_t i = 1; i <= 10; i++)
		leak_zeroed(i);
	for (int i = 0; i < 1000; i++)
		leak_some(i);
	leak_empty();
	for (int i = 0; i < 500; i++)
		free_all();
	truth_end("");
	return 0;
}
