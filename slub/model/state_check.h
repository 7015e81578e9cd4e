/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Whether a state can be; and where its objects are.
 */
#ifndef SLUB_STATE_CHECK_H
#define SLUB_STATE_CHECK_H

#include "model_state.h"

struct slub_checked_state {
	const struct slub_cache_state *state;
	size_t *by_start;  /* the state's slabs, sorted by start */
	size_t *first_bit; /* of each slab's objects, by its place in the state */
	size_t *cpu_slab;  /* of each CPU, by its place in the state; SIZE_MAX: it has none */
	uint64_t *seen;    /* one bit per object: it was met as a free one */
	struct slub_state_fault fault;
};

/*
 * Check a state against a model of so many CPUs and nodes. 0, -EBADMSG or -EOPNOTSUPP with the fault, -ENOMEM. To be ended
 * in any case.
 */
int slub_state_check(struct slub_checked_state *checked, const struct slub_cache_state *state,
		     const struct slub_model_setting *setting);
void slub_state_end(struct slub_checked_state *checked);

/* The slab that has exactly this object, and its index there. False: none has. */
bool slub_state_find(const struct slub_checked_state *checked, uint64_t object, size_t *ret_slab, unsigned *ret_index);

#endif
