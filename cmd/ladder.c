// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Chooses the first rung that stands. */
#include "ladder.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "kernel_targets.h"

static bool rung_stands(const struct rung *rung, struct kernel_caps *caps, struct kernel_targets *targets, char *why,
			size_t size)
{
	char missing[160];

	for (size_t i = 0; i < rung->need_count; i++) {
		const struct kernel_cap *cap = kernel_caps_get(caps, rung->needs[i]);

		if (cap->state == CAP_YES)
			continue;
		snprintf(why, size, "no %s: %s", cap->name, cap->reason);
		return false;
	}
	if (rung->targets && targets && !kernel_targets_have(targets, rung->targets, missing, sizeof(missing))) {
		snprintf(why, size, "this kernel has no %s", missing);
		return false;
	}
	return true;
}

bool ladder_has_targets(const struct ladder *ladder)
{
	for (size_t i = 0; i < ladder->count; i++)
		if (ladder->rungs[i].targets)
			return true;
	return false;
}

int ladder_choose(const struct ladder *ladder, struct kernel_caps *caps, struct kernel_targets *targets,
		  const char *wanted, size_t *ret_index, char *why, size_t size)
{
	int status = -ENOENT;

	for (size_t i = 0; i < ladder->count; i++) {
		if (wanted && strncmp(ladder->rungs[i].name, wanted, strlen(wanted)))
			continue;
		status = -EOPNOTSUPP;
		if (!rung_stands(&ladder->rungs[i], caps, targets, why, size))
			continue;
		*ret_index = i;
		return 0;
	}
	return status;
}
