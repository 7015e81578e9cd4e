// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * many_leaks [COUNT [SIZE]]: COUNT blocks (default 20,000,000) of SIZE bytes (default 16), none freed: more
 * than any table of single allocations is made for. Three of four come from leak_most, the rest from
 * leak_rest.
 */
#include "truth.h"

TRUTH_SITE(leak_most);
TRUTH_SITE(leak_rest);

SITE static void leak_most(size_t size)
{
	void *block = malloc(size);

	truth_require(block);
	truth_alloc(&site_leak_most, size);
}

SITE static void leak_rest(size_t size)
{
	void *block = malloc(size);

	truth_require(block);
	truth_alloc(&site_leak_rest, size);
}

int main(int argc, char **argv)
{
	long count;
	size_t size;

	truth_init(argc, argv);
	count = truth_number(0, 20000000);
	size = (size_t)truth_number(1, 16);
	truth_ready();
	for (long i = 0; i < count; i++) {
		if (i % 4 == 3)
			leak_rest(size);
		else
			leak_most(size);
	}
	truth_end("");
	return 0;
}
