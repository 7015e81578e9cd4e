/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What type an object is of. A cache of one type says it by its name; in the kmalloc caches the contents do: a
 * word that holds a function's address stands where the type has a function pointer, a pointer to a dentry where
 * it has a struct dentry *, and so on. A guess, with how sure it is.
 */
#ifndef DILL_SLAB_GUESS_H
#define DILL_SLAB_GUESS_H

#include "slab_heap.h"
#include "slab_state.h"

#define SLAB_GUESSES_MAX 5

struct slab_guess {
	char type[64];
	uint32_t size;          /* of the type, bytes */
	uint32_t confidence;    /* percent */
	bool is_by_name;        /* the cache's name says it; else the contents do */
	uint32_t matches;       /* words that fit what the type has there */
	uint32_t contradictions;
};

/* The best first. *ret_count may be 0: nothing fits well. -EFAULT: the object can't be read; -ENOMEM. */
int slab_guess_type(struct slab_heap *heap, const struct slab_object *object, struct slab_guess *ret_guesses,
		    size_t *ret_count, struct error *err);

#endif
