// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Leaks, says so and is gone by _exit: no destructors, no wait, nobody left to ask for maps or symbols. */
#include "truth.h"

TRUTH_SITE(leak_and_go);

SITE static void leak_and_go(size_t size)
{
	KEEP(malloc(size));
	truth_alloc(&site_leak_and_go, size);
}

int main(int argc, char **argv)
{
	truth_init(argc, argv);
	truth_ready();
	for (size_t i = 1; i <= 64; i++)
		leak_and_go(i);
	truth_print("");
	_exit(0);
}
