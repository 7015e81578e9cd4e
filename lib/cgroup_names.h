/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * From a cgroup's id, as the kernel's programs have it, to its path, and to a container's id if the path looks like
 * one. In one hierarchy: the one where memory is accounted.
 */
#ifndef DILL_CGROUP_NAMES_H
#define DILL_CGROUP_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cgroup_names;

/*
 * The hierarchy: v1's with the memory controller, if one is mounted at /sys/fs/cgroup/memory, else v2 at /sys/fs/cgroup
 * or /sys/fs/cgroup/unified. -ENOENT: none is there. -ENOMEM.
 */
int cgroup_names_create(struct cgroup_names **ret_names);
bool cgroup_names_are_v1(const struct cgroup_names *names);
/* Where it is mounted. Borrowed. */
const char *cgroup_names_root(const struct cgroup_names *names);
void cgroup_names_destroy(struct cgroup_names *names);

/*
 * "/system.slice/cron.service"; "/" is the root. NULL: there is none of this id, or it may not be looked at
 * (CAP_DAC_READ_SEARCH). What was once known stays known after the cgroup has gone. *@ret_container (may be NULL): 64 hex
 * digits out of the last parts of the path, as docker, containerd, cri-o and podman name theirs; NULL: none.
 * Both are borrowed, and stay until cgroup_names_destroy().
 */
const char *cgroup_name(struct cgroup_names *names, uint64_t id, const char **ret_container);

#endif
