/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What the files of the model share.
 */
#ifndef SLUB_MODEL_PRIVATE_H
#define SLUB_MODEL_PRIVATE_H

#include "layout.h"
#include "model.h"

struct slub_model_origin;

struct slub_model {
	struct slub_state state;
	struct slub_model_setting setting;
	unsigned cpu;
	struct slub_step steps[SLUB_MODEL_STEPS];
	size_t nr_steps;
	int paused;                         /* of the thread that runs */
	struct slub_cpu_slab *percpu;       /* [place][cpu] */
	struct slub_model_thread *thread;   /* that runs; NULL: no thread of the model's */
	struct slub_model_thread *idle;     /* ended ones, for those to come */
	uint8_t *node_of_cpu;
	struct slub_model_origin *origins;  /* of slabs that were loaded, sorted by start */
	size_t origin_count;
	uint64_t *starts;                   /* the same by a slab's number; 0: the slab is the model's own */
	size_t start_count;
};

/* The model that this thread is in. */
extern __thread struct slub_model *slub_model_current;

/* What a CPU has of a cache. */
struct slub_cpu_slab *slub_model_part(struct kmem_cache *cache, unsigned cpu);

/* Numbers of slabs are places of their descriptors, from 1; 0 for NULL. */
unsigned slub_model_number(const struct slab *slab);

/* A slab was made where another one may have been. */
void slub_model_forget(struct slub_model *model, const struct slab *slab);

/* Free the threads that are over. */
void slub_model_threads_end(struct slub_model *model);

/* Something that another thread must do first: let others run. */
void slub_model_wait(void);

#endif
