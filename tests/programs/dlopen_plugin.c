// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* shared: yes */
/* What dlopen_leak loads. Leaks in its constructor and in plugin_work; keeps and prints its own books. */
#include "truth.h"

void plugin_work(int blocks);
void plugin_print(void);

TRUTH_SITE(leak_in_constructor);
TRUTH_SITE(leak_in_plugin);

SITE static void leak_in_constructor(size_t size)
{
	KEEP(malloc(size));
	truth_alloc(&site_leak_in_constructor, size);
}

SITE static void leak_in_plugin(void)
{
	KEEP(malloc(52));
	truth_alloc(&site_leak_in_plugin, 52);
}

__attribute__((constructor)) static void plugin_start(void)
{
	for (size_t i = 1; i <= 5; i++)
		leak_in_constructor(i * 11);
}

SITE void plugin_work(int blocks)
{
	for (int i = 0; i < blocks; i++)
		leak_in_plugin();
}

/* The program's own lines come after these: `truth` of the program is the last one. */
void plugin_print(void)
{
	truth_print("role=plugin");
}
