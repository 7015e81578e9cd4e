/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What slub_stress's parts share: what fails, ends the process, so that no function says so. */
#ifndef SLUB_STRESS_H
#define SLUB_STRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slub.h"

#define SLOTS 3000
#define KINDS 14
#define KMALLOC KINDS /* after the caches */
#define MALLOC (KINDS + 1)

/* Who is `busy` with a slot has it alone. */
struct slot {
	int busy;
	unsigned kind;
	unsigned char *object;
	size_t size;
	uint64_t stamp;
};

struct kind {
	struct kmem_cache *cache;
	unsigned size;
	uint32_t flags;
	char name[16];
};

extern struct slot slots[SLOTS];
extern struct kind kinds[KINDS];
extern uint64_t seed;
extern size_t forks, counts; /* so far */

static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

/* slub_stress.c. Says what was found, and the seed; of use in a signal handler too. */
_Noreturn void fail(const char *what, const void *where);

/* slub_stress_objects.c */
bool lock_slot(struct slot *slot); /* false: another thread is busy with it */
void unlock_slot(struct slot *slot);
/* Fills, resizes or empties one that nobody is busy with. */
void use_slot(uint64_t random);
/* Gives the object back, if there is one; @what is said when it has changed. The slot is the caller's. */
void end_slot(struct slot *slot, const char *what, uint64_t random);
/* Takes, and gives back, many objects of a cache at once. */
void use_bulk(uint64_t random);
struct kmem_cache *make_cache(const char *name, uint64_t random, unsigned *ret_size, uint32_t *ret_flags);
/* A cache that nobody else has, from its making to its end. */
void live_with_a_cache(uint64_t random);

/* slub_stress_children.c. Both wait until the child has ended. */
void have_a_child(uint64_t random);
void spawn_program(void);

/* slub_stress_counts.c. All threads stand still. */
void count_all(void);

#endif
