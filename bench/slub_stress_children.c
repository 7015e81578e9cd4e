// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * slub_stress's children: processes that are forked while all threads work, down to a child's child's child, and spawned
 * ones. What the forking thread holds is a child's truth.
 */
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "slub_census.h"
#include "slub_stress.h"

#define HELD 64

size_t forks;

/* The slots that the parent held are the child's truth; what other threads had in hands is not. */
static void live_as_child(struct slot **held, size_t count, uint64_t random)
{
	struct slub_census census;

	alarm(60);
	for (unsigned kind = 0; kind < KINDS; kind++) {
		census_take(kinds[kind].cache, &census);
		if (census.fault && !strcmp(census.fault, "free in two places"))
			fail("in a child: free in two places", census.where);
		for (size_t i = 0; i < count; i++) {
			if (held[i]->object && held[i]->kind == kind && census_is_free(held[i]->object))
				fail("in a child: a live object is free", held[i]->object);
		}
	}
	for (unsigned i = 0; i < 60; i++)
		use_bulk(next_random(&random));
	live_with_a_cache(random);
	for (size_t i = 0; i < count; i++)
		end_slot(held[i], "in a child: an object was overwritten", random);
}

/* A child, its child, … down to one that has none; the first says whether all was well. */
static void live_as_children(struct slot **held, size_t count, uint64_t random)
{
	for (int depth = 0; depth < 3; depth++) {
		pid_t child;
		int status;

		live_as_child(held, count, next_random(&random));
		if (random % 2)
			break;
		child = fork();
		if (!child)
			continue;
		if (waitpid(child, &status, 0) != child || status)
			fail("a child's child failed", NULL);
		break;
	}
	_exit(0);
}

void have_a_child(uint64_t random)
{
	static int children;
	struct slot *held[HELD];
	size_t count = 0;
	pid_t child;
	int status;

	if (__atomic_fetch_add(&children, 1, __ATOMIC_RELAXED) < 2) {
		for (unsigned i = 0; i < HELD; i++) {
			struct slot *slot = &slots[next_random(&random) % SLOTS];

			if (lock_slot(slot))
				held[count++] = slot;
		}
		child = fork();
		if (!child)
			live_as_children(held, count, random);
		for (size_t i = 0; i < count; i++)
			unlock_slot(held[i]);
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			fail("a child failed", NULL);
		__atomic_add_fetch(&forks, 1, __ATOMIC_RELAXED);
	}
	__atomic_fetch_sub(&children, 1, __ATOMIC_RELAXED);
}

void spawn_program(void)
{
	static char *const words[] = { "true", NULL };
	char *const no_environment[] = { NULL };
	pid_t child;
	int status;

	if (posix_spawn(&child, "/bin/true", NULL, NULL, words, no_environment))
		return;
	if (waitpid(child, &status, 0) != child || status)
		fail("a spawned program failed", NULL);
}
