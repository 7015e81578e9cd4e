/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A cache of a model that starts where another one stands: a kernel's, a process's, one in a dump. The first objects that
 * the model then hands out are those that the other one would; what it makes anew (slabs, sheaves) is its own.
 *
 * Nothing of a state is believed. It must be whole and without contradiction: each object free in one place at most, lists
 * of slabs as SLUB has them between two calls. A state that was read while somebody used the cache rarely is.
 */
#ifndef SLUB_MODEL_STATE_H
#define SLUB_MODEL_STATE_H

#include "model.h"

/* Objects by the addresses that they have in the original, the next to be handed out first. */
struct slub_state_objects {
	const uint64_t *addresses;
	size_t count;
};

enum slub_state_place {
	SLUB_STATE_FULL,         /* on no list: no object of its freelist is free */
	SLUB_STATE_ON_CPU,       /* a CPU's slab */
	SLUB_STATE_CPU_PARTIAL,
	SLUB_STATE_NODE_PARTIAL,
};

struct slub_state_slab {
	uint64_t start;                 /* the first byte in the original, a multiple of a page, not 0 */
	unsigned order, objects;        /* as many objects as fit, or fewer */
	unsigned node;                  /* whose memory it is, and whose list it is on */
	enum slub_state_place place;
	unsigned cpu;                   /* of SLUB_STATE_ON_CPU and SLUB_STATE_CPU_PARTIAL */
	struct slub_state_objects free; /* its own freelist; all other objects count as in use in the slab */
};

struct slub_state_cpu {
	unsigned node;
	struct slub_state_objects freelist; /* of the CPU, in its slab */
	bool has_main, has_spare;           /* sheaves; one that is there may be empty */
	struct slub_state_objects main, spare;
};

struct slub_state_node {
	const struct slub_state_objects *full_sheaves; /* the next to be taken first; each of sheaf_capacity objects */
	size_t full_count;
	unsigned empty_count;
};

/* All of it is the caller's, and needed during the call only. */
struct slub_cache_state {
	const char *name;              /* 31 bytes are kept; hides a cache of the model that is called so */
	struct slub_geometry geometry; /* sizes in bytes; a sheaf_refill of 0 is sheaf_capacity */
	uint32_t flags;                /* SLUB_CPU_SLABS, SLUB_NO_SHEAVES, or neither: sheaves; SLUB_NO_RANDOM: new slabs in order */
	uint64_t random;               /* the cache's word that hardens pointers; 0: none */
	const struct slub_state_slab *slabs; /* those of one list in that list's order */
	size_t slab_count;
	const struct slub_state_cpu *cpus;   /* as many as the model has */
	const struct slub_state_node *nodes; /* the same */
};

/* What is wrong with a state. */
struct slub_state_fault {
	const char *what;
	uint64_t address; /* of the slab or object, 0: of none */
};

/*
 * Add a cache in this state to a model. The calling thread is in the model afterwards, as by slub_model_enter(), on CPU 0;
 * CPUs are on the nodes that the state says. The model was made with the state's number of CPUs and nodes, the rules
 * of its engine (of kernels to 5.15: cpu_partial_counts_objects), and pages for its slabs.
 *
 * 0; -EBADMSG: the state contradicts itself; -EOPNOTSUPP: it is of a kind that no model has; with the fault. -ENOMEM: the
 * model has not enough pages, or the process no memory; nothing but slub_model_destroy() may be done to the model then.
 */
int slub_model_load(struct slub_model *model, const struct slub_cache_state *state, struct kmem_cache **ret_cache,
		    struct slub_state_fault *ret_fault);

/* The address that an object has in the original; 0 when its slab was made by the model. */
uint64_t slub_model_origin(struct slub_model *model, const void *object);

/* The object whose memory covers that address in the original, and its cache. NULL: there is none (any more). */
void *slub_model_object(struct slub_model *model, uint64_t address, struct kmem_cache **ret_cache);

/* Whether an object is free: in its slab, on a CPU or in a sheaf. Looks through all that the cache has. */
bool slub_model_is_free(struct slub_model *model, struct kmem_cache *cache, const void *object);

#endif
