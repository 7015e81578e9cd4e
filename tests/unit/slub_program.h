/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * For tests of libslub as programs have it: what slabinfo says of one cache, and all tests a second time without
 * restartable sequences. After cmocka.h.
 */
#ifndef SLUB_PROGRAM_H
#define SLUB_PROGRAM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "slub.h"

static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

static inline struct slub_cache_info info_of(const char *name)
{
	static struct slub_cache_info all[256];
	size_t count = slub_slabinfo(all, 256);

	for (size_t i = count; i-- > 0;) {
		if (!strcmp(all[i].name, name))
			return all[i];
	}
	fail_msg("no cache %s", name);
	return all[0];
}

static inline size_t allocated(const char *name)
{
	struct slub_cache_info info = info_of(name);

	return info.objects - info.free_in_slabs - info.free_in_sheaves;
}

/* The program itself in a child, without restartable sequences, with the word "without". All tests pass there. */
static inline void passes_without_restartable_sequences(void)
{
	pid_t child = fork();
	int status;

	if (!child) {
		setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
		if (!freopen("/dev/null", "w", stdout))
			_exit(3);
		execl("/proc/self/exe", "test", "without", NULL);
		_exit(2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#endif
