/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Walks through the kernel's containers: rings, chains, red-black trees, xarrays, maple trees. Each gives its
 * entries in order, none twice, and ends on damage.
 */
#ifndef DILL_KERNEL_FOLLOW_H
#define DILL_KERNEL_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct kernel;
struct kernel_types;

enum follow_kind {
	FOLLOW_LIST,        /* struct list_head; entries are all but the head */
	FOLLOW_RING,        /* the same from one of the entries on, and that one is the first */
	FOLLOW_HLIST,       /* struct hlist_head */
	FOLLOW_LLIST,       /* struct llist_head */
	FOLLOW_RBTREE,      /* struct rb_root */
	FOLLOW_RBTREE_LEFT, /* struct rb_root_cached */
	FOLLOW_XARRAY,      /* struct xarray, formerly radix_tree_root */
	FOLLOW_IDR,
	FOLLOW_MAPLE_TREE,
};

/* By the name of the type, "rb_root", or a shorter one, "rbtree". -ENOENT. */
int follow_kind_find(const char *name, enum follow_kind *ret_kind);
/* Entries are nodes within structures (list_head, rb_node); else they are whatever was put in. */
bool follow_kind_has_nodes(enum follow_kind kind);

struct follow_entry {
	uint64_t index;   /* 0, 1, … */
	uint64_t address; /* of the node, or what the container holds: a pointer or, is_value, a number */
	bool is_value, has_key;
	uint64_t key, last_key; /* index in an xarray; range of a maple tree */
};

/* 0 goes on; anything else ends the walk, and is returned. */
typedef int (*follow_visit)(const struct follow_entry *entry, void *context);

/* How it ended. */
struct follow_end {
	uint64_t count;     /* entries given out */
	bool is_cut;        /* there are more than the limit */
	const char *damage; /* NULL: none. "comes back to where it was", … */
	uint64_t damaged_at;
};

#define FOLLOW_ENTRIES_MAX (1u << 22)

/*
 * Walk the container at @address, @limit entries at most (0, or more than it: FOLLOW_ENTRIES_MAX). -ENOENT
 * when this kernel has no such containers. Sources: include/linux/{list,rbtree,llist,xarray,maple_tree}.h.
 */
int kernel_follow(struct kernel *kernel, struct kernel_types *types, enum follow_kind kind, uint64_t address,
		  uint64_t limit, follow_visit visit, void *context, struct follow_end *ret_end,
		  struct error *err);

#endif
