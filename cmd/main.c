// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The executable: one command, called with the process's own words, output and limits. */
#include <stdio.h>
#include <sys/resource.h>

#include "call.h"

/*
 * Before 5.11, where memory cgroups took over, BPF memory counts as locked memory of the user, that of
 * another dill too. Where the limit can't be raised, and there matters, loading fails and says so.
 */
static void raise_locked_memory(struct rlimit *ret_before)
{
	struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	getrlimit(RLIMIT_MEMLOCK, ret_before);
	setrlimit(RLIMIT_MEMLOCK, &none);
}

int main(int argc, char **argv)
{
	struct caller caller = { .out = stdout, .errors = stderr, .owns_process = true };

	raise_locked_memory(&caller.locked_memory);
	return call_words(&caller, argc - 1, argv + 1);
}
