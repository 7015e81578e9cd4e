/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * libslub's own source as a model: virtual CPUs and nodes, seeded randomness, no threads. Every call is made on the CPU
 * that was chosen before, takes the way that the allocator takes, and can be asked why.
 *
 * A model is used by one thread at a time; a process may have any number of them.
 */
#ifndef SLUB_MODEL_H
#define SLUB_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slub.h"
#include "why.h"

#define SLUB_MODEL_STEPS 64

enum slub_engine { SLUB_ENGINE_SHEAVES, SLUB_ENGINE_CPU_SLABS };

struct slub_model_setting {
	unsigned cpus, nodes; /* nodes divide the CPUs evenly; 1 to 64 and 1 to 16 */
	uint64_t seed;
	enum slub_engine engine;
};

/* A reason, with the number of the slab that it is about; 0: about none. Slabs are numbered from 1 in the order in which
 * they were first made; a number is used again when its slab has gone. */
struct slub_step {
	enum slub_why why;
	unsigned slab;
};

struct slub_model;

/* NULL when the setting is nonsense or memory is out. */
struct slub_model *slub_model_create(const struct slub_model_setting *setting);
void slub_model_destroy(struct slub_model *model);

/* The calls that follow in this thread are this model's, on this CPU. They are those of slub.h, and a walker's own. */
void slub_model_enter(struct slub_model *model, unsigned cpu);

/* The steps of the last call since this was asked; up to SLUB_MODEL_STEPS are kept. Returns how many there were. */
size_t slub_model_steps(struct slub_model *model, struct slub_step *ret_steps, size_t count);

/* What stands where, for pictures. Slabs and sheaves by number of objects. ------------------------------------- */

struct slub_model_slab {
	unsigned number, objects, inuse, node;
	unsigned on_cpu_freelist; /* of the CPU whose slab it is */
	bool frozen;
};

/* Of one CPU and cache. Sheaves: objects in main and spare, -1 for no such sheaf. CPU slabs: the CPU's slab (number 0:
 * none), objects on its freelist, and its partial list. */
struct slub_model_cpu {
	int main, spare;
	struct slub_model_slab slab;
	unsigned freelist;
	struct slub_model_slab partial[32];
	size_t partials; /* in all; the first 32 are given */
};

struct slub_model_node {
	unsigned full_sheaves, empty_sheaves;
	struct slub_model_slab partial[64];
	size_t partials;
	size_t slabs;
};

void slub_model_look_at_cpu(struct slub_model *model, struct kmem_cache *cache, unsigned cpu, struct slub_model_cpu *ret_cpu);
void slub_model_look_at_node(struct slub_model *model, struct kmem_cache *cache, unsigned node,
			     struct slub_model_node *ret_node);

/* The cache of that name, NULL if there is none. */
struct kmem_cache *slub_model_cache(struct slub_model *model, const char *name);

/* A cache's name, and what geometry.h made of it. */
struct slub_model_measures {
	unsigned size, order, objects, min_partial, sheaf_capacity, cpu_partial_slabs;
	size_t slabs;
};

const char *slub_model_name(const struct kmem_cache *cache);
struct slub_model_measures slub_model_measure(const struct kmem_cache *cache);

/* Where an object lies: its slab and its index there. False when it is no object. */
bool slub_model_locate(struct slub_model *model, const void *object, struct slub_model_slab *ret_slab, unsigned *ret_index);

#endif
