/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A walk along a struct list_head ring that ends on every damage: loops, broken back pointers, unreadable nodes. */
#ifndef DILL_KERNEL_LIST_H
#define DILL_KERNEL_LIST_H

#include <stdbool.h>
#include <stdint.h>

struct kernel;

enum list_damage {
	LIST_INTACT,
	LIST_UNREADABLE,    /* a next pointer leads to memory that is not there */
	LIST_LOOP,          /* it never comes back to its head */
	LIST_BAD_BACK_LINK, /* node->next->prev is not node; the walk went on */
	LIST_TOO_LONG,      /* more nodes than the limit */
};

struct list_walk {
	struct kernel *kernel;
	uint64_t head;
	uint64_t node;    /* the current one; head before the first */
	uint64_t count;   /* nodes given out */
	uint64_t limit;   /* a bound that comes from the structure */
	bool ignores_prev; /* RCU readers and deleted entries: don't judge back links */
	bool is_reverse;
	enum list_damage damage; /* what ended the walk, else the first that was met */
	uint64_t damaged_node;   /* whose pointer is wrong; of a loop, a node in it */
	/* Brent's cycle detection. */
	uint64_t tortoise, power, lap;
};

void list_walk_begin(struct list_walk *walk, struct kernel *kernel, uint64_t head, uint64_t limit);
/*
 * The next node's address (of its list_head), which can be read. False at the end, intact or not. Of a list
 * that loops, some nodes are given out more than once before that is noticed: three times as many at most.
 */
bool list_walk_next(struct list_walk *walk, uint64_t *ret_node);
/* "loops", "leads to unreadable memory", …: for findings and messages. */
const char *list_damage_text(enum list_damage damage);

#endif
