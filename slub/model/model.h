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

#include "geometry.h"
#include "point.h"
#include "slub.h"
#include "why.h"

#define SLUB_MODEL_STEPS 64

enum slub_engine { SLUB_ENGINE_SHEAVES, SLUB_ENGINE_CPU_SLABS };

struct slub_model_setting {
	unsigned cpus, nodes; /* nodes divide the CPUs evenly; 1 to 1024 and 1 to 16 */
	uint64_t seed;
	enum slub_engine engine;
	uint32_t flags;          /* SLUB_NO_RANDOM, SLUB_NO_HARDENED …: of every cache */
	struct slub_rules rules; /* another kernel's; .cpus 0: the engine's own */
	size_t pages;            /* memory for slabs, of 4 KiB, above 1 GiB */
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

/*
 * Threads of execution: operations that can be stopped at a point (point.h) while others go on, and moved to another CPU.
 * A thread runs when it is told to, until it meets the point; so every schedule can be played, and played again. None
 * is stopped while it has a lock.
 *
 * Steps are the model's: ask for them after each run of a thread to know whose they are. While a thread stands in the
 * middle of a drain, other calls on its cache that drain are to be made in threads, too, which then wait.
 */
struct slub_model_thread;

/* A thread that will carry out work(context) on that CPU. NULL when memory is out. */
struct slub_model_thread *slub_model_thread_create(struct slub_model *model, unsigned cpu, void (*work)(void *),
						   void *context);

/*
 * Run it until it meets `point` for the nth time from here on (n from 1), SLUB_POINTS: any point, SLUB_POINT_NONE: to the
 * end. Returns where it stands: a point, SLUB_POINT_NONE when its work is done. A thread that must wait for another one
 * that drains the same cache stands at SLUB_POINT_WAIT, whatever was asked for.
 */
enum slub_point slub_model_thread_run(struct slub_model_thread *thread, enum slub_point point, unsigned n);

void slub_model_thread_move(struct slub_model_thread *thread, unsigned cpu);

/* Before the model. What a thread was in the middle of stays so: unless the model is given up, its work must be done. */
void slub_model_thread_destroy(struct slub_model_thread *thread);

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

/* What can be written to /sys/kernel/slab/NAME: slabs that a node's partial list keeps, free objects that a CPU's partial
 * list should have. */
void slub_model_set_min_partial(struct kmem_cache *cache, unsigned slabs);
void slub_model_set_cpu_partial(struct kmem_cache *cache, unsigned objects);

/* Where an object lies: its slab and its index there. False when it is no object. */
bool slub_model_locate(struct slub_model *model, const void *object, struct slub_model_slab *ret_slab, unsigned *ret_index);

#endif
