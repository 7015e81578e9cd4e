// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* One step along a list_head ring, with Brent's search for cycles: a loop shows after at most three rounds of it. */
#include "kernel_list.h"

#include <string.h>

#include "kernel.h"

/* struct list_head { next, prev }: include/linux/types.h. */
struct links {
	uint64_t next, prev;
};

void list_walk_begin(struct list_walk *walk, struct kernel *kernel, uint64_t head, uint64_t limit)
{
	memset(walk, 0, sizeof(*walk));
	walk->kernel = kernel;
	walk->head = walk->node = walk->tortoise = head;
	walk->limit = limit;
	walk->power = 1;
}

static bool read_links(const struct list_walk *walk, uint64_t node, struct links *ret_links)
{
	struct links links, swapped;

	if (node % sizeof(uint64_t) || kernel_read(walk->kernel, node, &links, sizeof(links)))
		return false;
	swapped = (struct links){ links.prev, links.next };
	*ret_links = walk->is_reverse ? swapped : links;
	return true;
}

/* Only the first damage is kept. */
static void note_damage(struct list_walk *walk, enum list_damage damage, uint64_t node)
{
	if (walk->damage != LIST_INTACT)
		return;
	walk->damage = damage;
	walk->damaged_node = node;
}

/* Ended by damage, even when a lesser one was met before. */
static bool end(struct list_walk *walk, enum list_damage damage, uint64_t node)
{
	walk->damage = LIST_INTACT;
	note_damage(walk, damage, node);
	walk->limit = walk->count; /* stays ended */
	return false;
}

static bool is_loop(struct list_walk *walk, uint64_t node)
{
	if (node == walk->tortoise)
		return true;
	if (++walk->lap == walk->power) {
		walk->tortoise = node;
		walk->power *= 2;
		walk->lap = 0;
	}
	return false;
}

bool list_walk_next(struct list_walk *walk, uint64_t *ret_node)
{
	struct links here, there;

	if (walk->damage != LIST_INTACT && walk->damage != LIST_BAD_BACK_LINK)
		return false;
	if (!read_links(walk, walk->node, &here))
		return end(walk, LIST_UNREADABLE, walk->node);
	if (!read_links(walk, here.next, &there))
		return end(walk, LIST_UNREADABLE, here.next);
	if (there.prev != walk->node && !walk->ignores_prev)
		note_damage(walk, LIST_BAD_BACK_LINK, here.next);
	if (here.next == walk->head)
		return false;
	if (is_loop(walk, here.next))
		return end(walk, LIST_LOOP, here.next);
	if (walk->count >= walk->limit)
		return end(walk, LIST_TOO_LONG, here.next);
	walk->count++;
	walk->node = here.next;
	*ret_node = here.next;
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
		return "has a back link that leads elsewhere";
	case LIST_TOO_LONG:
		return "is longer than it can be";
	}
	return "is damaged";
}
