// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Leaks, then execs itself in another role, which leaks a different amount at another site. The pid stays;
 * what the first image held is gone with its address space. Prints a truth line for each image, and --hold
 * stays after the second.
 */
#include "truth.h"

TRUTH_SITE(leak_before_exec);
TRUTH_SITE(leak_after_exec);

SITE static void leak_before_exec(void)
{
	KEEP(malloc(120));
	truth_alloc(&site_leak_before_exec, 120);
}

SITE static void leak_after_exec(void)
{
	KEEP(malloc(48));
	truth_alloc(&site_leak_after_exec, 48);
}

static void second_image(void)
{
	for (int i = 0; i < 15; i++)
		leak_after_exec();
	truth_end("role=second");
}

int main(int argc, char **argv)
{
	char second[] = "--second", hold[] = "--hold", path[500];
	char *arguments[] = { argv[0], second, NULL, NULL };
	ssize_t length;

	truth_init(argc, argv);
	if (truth_flag("--second")) {
		second_image();
		return 0;
	}
	truth_ready();
	for (int i = 0; i < 40; i++)
		leak_before_exec();
	truth_print("role=first");
	length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	truth_require(length > 0);
	path[length] = '\0';
	if (truth_holds)
		arguments[2] = hold;
	execv(path, arguments);
	return 4;
}
