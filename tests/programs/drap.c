// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* cflags: -fomit-frame-pointer */
/*
 * Functions that realign their stack: locals aligned to 32 and 64 bytes (as vector code has them) beside
 * alloca. The compiler then reaches its arguments and its caller through a register of its own, and .eh_frame
 * says so by a DWARF expression instead of register plus offset. The stacks:
 *
 *   leak_in_drap <- realigned_inner <- realigned_outer <- main
 */
#include "truth.h"

#include <alloca.h>

TRUTH_SITE(leak_in_drap);

SITE static void leak_in_drap(size_t size)
{
	KEEP(malloc(size));
	truth_alloc(&site_leak_in_drap, size);
}

SITE static void realigned_inner(size_t size, long a, long b, long c, long d, long e, long on_stack)
{
	char vector[96] __attribute__((aligned(64)));
	char *room = alloca(size);

	KEEP(vector);
	KEEP(room);
	truth_require((uintptr_t)vector % 64 == 0);
	leak_in_drap(size + (size_t)on_stack);
	KEEP(a + b + c + d + e);
	KEEP(vector);
}

SITE static void realigned_outer(size_t size)
{
	char vector[64] __attribute__((aligned(32)));
	char *room = alloca(size / 2 + 8);

	KEEP(vector);
	KEEP(room);
	truth_require((uintptr_t)vector % 32 == 0);
	realigned_inner(size, 1, 2, 3, 4, 5, (long)(size % 3));
	KEEP(vector);
}

int main(int argc, char **argv)
{
	truth_init(argc, argv);
	truth_ready();
	for (size_t i = 1; i <= 100; i++)
		realigned_outer(i * 3 + i % 3);
	truth_end("");
	return 0;
}
