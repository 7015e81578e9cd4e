/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * slub-walk: a script on a model. slub_walk.c reads it, slub_walk_calls.c makes the calls, slub_walk_steps.c says what came
 * of them, slub_walk_show.c draws.
 */
#ifndef DILL_SLUB_WALK_H
#define DILL_SLUB_WALK_H

#include "error.h"
#include "model_state.h"
#include "slub_script.h"

#define WALK_REASON_BYTES 1024
#define WALK_PLACE_BYTES 256
#define WALK_THREADS 26

struct view;
struct view_record;

/* A call that was stopped, or several that went the same way. */
struct walk_step {
	enum slub_order order;
	struct kmem_cache *cache;
	uint32_t first, last; /* objects; 0: none yet, or none at all */
	const void *object;   /* of the first; it may be free again */
	char thread;          /* 0: none */
	enum slub_point stopped_at;
	unsigned cpu;
};

/* One call, which may be a thread. */
struct walk_call {
	struct walk_step step;
	struct slub_model_thread *thread;
	void *object;   /* to be freed, or what was allocated */
	size_t result;
};

struct walk {
	struct view *view;
	struct slub_model *model;
	struct slub_model_setting setting;
	unsigned cpu;
	void **objects; /* by number, from 1; NULL when freed */
	struct kmem_cache **caches;
	uint32_t count, room;
	struct walk_call threads[WALK_THREADS]; /* .thread NULL: ended or not begun */
	unsigned begun;
	/* Steps are gathered while they go the same way. */
	struct {
		struct walk_step step;
		unsigned slab, index, last_slab;
		uint64_t origin; /* the address of an object that was loaded; 0: it wasn't */
		char place[WALK_PLACE_BYTES + 8];
		bool is_any, has_place;
		char why[WALK_REASON_BYTES];
	} pending;
	int status;
};

extern const struct view_record slub_walk_step_record, slub_walk_cache_record, slub_walk_cpu_record, slub_walk_node_record;

/* Carry a statement out. -EINVAL when there is no such thing, -ENOMEM. */
int slub_walk_carry_out(struct walk *walk, const struct slub_statement *statement, struct error *err);

/* The letter of a thread that is stopped still; 0: none. */
char slub_walk_stopped(const struct walk *walk);

/* Free what the walk holds, and the model. */
void slub_walk_end(struct walk *walk);

/* A call has returned or was stopped: its reasons are the model's steps. */
void slub_walk_add_step(struct walk *walk, const struct walk_step *step);

/* Show what is gathered. */
void slub_walk_show_steps(struct walk *walk);

/* The cache's measures, then what each CPU and each node has. Returns the view's answer. */
int slub_walk_show(struct view *view, struct slub_model *model, const struct slub_model_setting *setting,
		   struct kmem_cache *cache);

#endif
