/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A walk through a container, as the files kernel_follow*.c share it. */
#ifndef DILL_KERNEL_FOLLOW_PRIVATE_H
#define DILL_KERNEL_FOLLOW_PRIVATE_H

#include "kernel.h"
#include "kernel_follow.h"
#include "kernel_types.h"

#define FOLLOW_ENDED 1 /* by the limit or by damage: what is in the end record */

struct follow {
	struct kernel *kernel;
	struct kernel_types *types;
	uint64_t limit;
	follow_visit visit;
	void *context;
	struct follow_end end;

	/* Nodes that were met: an open hash, at most half full. */
	uint64_t *met;
	uint64_t met_count, met_room;
};

/* Each returns 0 to go on, FOLLOW_ENDED, or what the visitor returned, or -ENOMEM. */
int follow_give(struct follow *follow, const struct follow_entry *entry);
int follow_damage(struct follow *follow, const char *damage, uint64_t address);
/* A node is met for the second time: damage. */
int follow_meet(struct follow *follow, uint64_t node);
int follow_word(struct follow *follow, uint64_t address, uint64_t *ret_word);

int follow_xarray(struct follow *follow, uint64_t head, struct error *err);
int follow_maple_tree(struct follow *follow, uint64_t root, struct error *err);

#endif
