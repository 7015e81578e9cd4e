/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Source ladders: a tracing command's event sources, best first, with what each needs and what it loses. */
#ifndef DILL_LADDER_H
#define DILL_LADDER_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel_caps.h"

struct kernel_targets;

#define RUNG_MAX_NEEDS 8

struct rung {
	const char *name;
	enum kernel_cap_id needs[RUNG_MAX_NEEDS];
	size_t need_count;
	const char *loses; /* compared with the rung above; NULL: nothing */
	const char *targets; /* what it attaches to, as kernel_targets_have() takes it; NULL: no need to look */
};

struct ladder {
	const struct rung *rungs;
	size_t count;
};

/*
 * The first rung whose needs this kernel and process meet, and whose targets are among @targets (NULL: not looked at);
 * with @wanted, of those whose name begins so.
 * -ENOENT: none is
 * called so. -EOPNOTSUPP: none stands; then @why (of @size) says what the last one lacks. *ret_index counts
 * from 0.
 */
int ladder_choose(const struct ladder *ladder, struct kernel_caps *caps, struct kernel_targets *targets,
		  const char *wanted, size_t *ret_index, char *why, size_t size);
/* Whether some rung has targets, so that they are worth opening. */
bool ladder_has_targets(const struct ladder *ladder);

#endif
