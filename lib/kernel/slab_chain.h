/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Many linked lists followed in step: each round reads the next record of every list in one batch, so that
 * round trips depend on the longest list and not on their number. Internal to the slab model.
 */
#ifndef DILL_SLAB_CHAIN_H
#define DILL_SLAB_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "kernel_list.h"

struct kernel;

struct slab_chain {
	/* Set by the caller. */
	uint64_t head;     /* of a list_head ring; 0: linked singly, until NULL */
	uint64_t next;     /* the first record's list_head; linked singly: the first record */
	uint64_t last;     /* the head's prev; not judged when head is 0 */
	uint32_t link;     /* offset of the list_head, or of the pointer, in a record */
	size_t record_size;
	uint64_t limit;    /* records: a bound that comes from the structure */
	/* Called with each record, in order; non-zero (-ENOMEM) ends everything. */
	int (*visit)(struct slab_chain *chain, uint64_t record, const void *bytes);
	void *context;
	bool is_left; /* set by visit: the record is another list's by now, its link leads elsewhere */

	/* Filled. */
	uint64_t count;
	enum list_damage damage; /* the first that was met */
	uint64_t damaged_node;   /* the link whose pointer is bad */
	uint64_t damaged_value;  /* what it holds */

	/* The walk's own. */
	uint64_t previous, tortoise, power, lap;
};

/* Follow all of @chains to their ends. 0, -ENOMEM, what visit() returned, or the source's failure. */
int slab_chains_follow(struct kernel *kernel, struct slab_chain *chains, size_t count, struct error *err);

#endif
