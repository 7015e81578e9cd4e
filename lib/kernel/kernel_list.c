// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Walks along list_head rings. Loops are found by Brent's algorithm, so a node in one may be given out again.
 */
#include "kernel_list.h"

#include <string.h>

#include "kernel.h"

/* struct list_head, include/linux/types.h. */
struct links {
	uint64_t next, prev;
};

void list_walk_begin(struct list_walk *walk, struct kernel *kernel, uint64_t head, uint64_t limit)
{
	*walk = (struct list_walk){
		.kernel = kernel,
		.head = head,
		.node = head,
		.limit = limit,
		.power = 1,
	};
}

static void note(struct list_walk *walk, enum list_damage damage, uint64_t node)
{
	if (walk->damage != LIST_INTACT)
		return;
	walk->damage = damage;
	walk->damaged_node = node;
}

static bool read_links(struct list_walk *walk, uint64_t node, uint64_t *ret_onward, uint64_t *ret_back)
{
	struct links links;

	if (node % sizeof(uint64_t) || kernel_read(walk->kernel, node, &links, sizeof(links)))
		return false;
	*ret_onward = walk->is_reverse ? links.prev : links.next;
	*ret_back = walk->is_reverse ? links.next : links.prev;
	return true;
}

/* True when @node was met before. The tortoise waits twice as long each time. */
static bool is_met_again(struct list_walk *walk, uint64_t node)
{
	if (walk->tortoise == node)
		return true;
	if (++walk->lap == walk->power) {
		walk->tortoise = node;
		walk->power *= 2;
		walk->lap = 0;
	}
	return false;
}

/* Damage that ends the walk says more than a back link that was off on the way. */
static bool end(struct list_walk *walk, enum list_damage damage, uint64_t node)
{
	if (walk->damage == LIST_BAD_BACK_LINK)
		walk->damage = LIST_INTACT;
	note(walk, damage, node);
	return false;
}

bool list_walk_next(struct list_walk *walk, uint64_t *ret_node)
{
	uint64_t onward, back, beyond;

	if (walk->count && walk->node == walk->head)
		return false;
	if (walk->damage != LIST_INTACT && walk->damage != LIST_BAD_BACK_LINK)
		return false;
	if (!read_links(walk, walk->node, &onward, &back) || !read_links(walk, onward, &beyond, &back))
		return end(walk, LIST_UNREADABLE, walk->node);
	if (!walk->ignores_prev && back != walk->node)
		note(walk, LIST_BAD_BACK_LINK, onward);
	if (onward == walk->head) {
		walk->node = walk->head;
		return false;
	}
	if (walk->count >= walk->limit)
		return end(walk, LIST_TOO_LONG, walk->node);
	if (is_met_again(walk, onward))
		return end(walk, LIST_LOOP, onward);
	walk->node = onward;
	walk->count++;
	*ret_node = onward;
	return true;
}

const char *list_damage_text(enum list_damage damage)
{
	switch (damage) {
	case LIST_INTACT:
		return "is intact";
	case LIST_UNREADABLE:
		return "leads to unreadable memory";
	case LIST_LOOP:
		return "loops without coming back to its head";
	case LIST_BAD_BACK_LINK:
		return "has a back link that points elsewhere";
	case LIST_TOO_LONG:
		return "has more nodes than there can be";
	}
	return "is damaged";
}
