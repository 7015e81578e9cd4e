// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Paths of the control groups that a css_set stands for: in the unified hierarchy and in those of version 1.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "task.h"

#define PATH_BYTES 4096
#define NAME_BYTES 256
/* Hierarchies of one css_set: no kernel has as many controllers, but named ones come on top. */
#define HIERARCHIES_MAX 256
#define CONTROLLERS_MAX 64

/* The path of a kernfs node within its file system; bounded by the buffer, as each step adds a byte. */
static int read_kernfs_path(struct kernel *kernel, const struct task_layout *layout, uint64_t node,
			    char **ret_path)
{
	char path[PATH_BYTES], name[NAME_BYTES];
	size_t start = sizeof(path) - 1;
	uint64_t parent, at;
	int status;

	path[start] = '\0';
	for (;;) {
		size_t length;

		status = field_read(kernel, &layout->cgroup.kn_parent, node, &parent);
		if (status)
			return status;
		if (!parent) /* the root, which has no name here */
			break;
		status = field_read(kernel, &layout->cgroup.kn_name, node, &at);
		if (!status)
			status = kernel_read_string(kernel, at, name, sizeof(name));
		if (status)
			return status;
		length = strlen(name);
		if (length + 1 > start)
			return -EBADMSG;
		start -= length;
		memcpy(path + start, name, length);
		path[--start] = '/';
		node = parent;
	}
	if (!path[start])
		path[--start] = '/';
	*ret_path = strdup(path + start);
	return *ret_path ? 0 : -ENOMEM;
}

static int read_cgroup_path(struct kernel *kernel, const struct task_layout *layout, uint64_t cgroup,
			    char **ret_path)
{
	uint64_t node;
	int status = field_read(kernel, &layout->cgroup.kn, cgroup, &node);

	if (!status && !node)
		status = -EFAULT;
	return status ? status : read_kernfs_path(kernel, layout, node, ret_path);
}

/* "cpu,cpuacct,name=x": the controllers that are bound to the cgroup's hierarchy, and its name. */
static void read_controllers(struct kernel *kernel, const struct task_layout *layout, uint64_t cgroup,
			     uint64_t root, char *text, size_t size)
{
	const struct field *subsys = &layout->cgroup.subsys;
	uint64_t mask = 0, css, ss, at;
	char name[64];

	text[0] = '\0';
	field_read(kernel, &layout->cgroup.root_mask, root, &mask);
	for (size_t i = 0; i < CONTROLLERS_MAX && (i + 1) * 8 <= subsys->size; i++) {
		size_t length = strlen(text);

		if (!(mask >> i & 1) || kernel_read_u64(kernel, cgroup + subsys->offset + i * 8, &css) ||
		    !css || field_read(kernel, &layout->cgroup.css_ss, css, &ss) ||
		    field_read(kernel, &layout->cgroup.ss_legacy_name, ss, &at) ||
		    kernel_read_string(kernel, at, name, sizeof(name)))
			continue;
		snprintf(text + length, size - length, "%s%s", length ? "," : "", name);
	}
	if (field_exists(&layout->cgroup.root_name) &&
	    !kernel_read_string(kernel, root + layout->cgroup.root_name.offset, name, sizeof(name)) &&
	    name[0]) {
		size_t length = strlen(text);

		snprintf(text + length, size - length, "%sname=%s", length ? "," : "", name);
	}
}

/* Add one hierarchy to *text. The unified one, number 0, is not meant here. */
static int append_hierarchy(struct kernel *kernel, const struct task_layout *layout, uint64_t cgroup,
			    char **text)
{
	CLEANUP(free) char *path = NULL;
	char controllers[512], *longer;
	uint64_t root, number;
	int status = field_read(kernel, &layout->cgroup.root, cgroup, &root);

	if (!status)
		status = field_read(kernel, &layout->cgroup.root_hierarchy, root, &number);
	if (status || !number)
		return status;
	status = read_cgroup_path(kernel, layout, cgroup, &path);
	if (status)
		return status;
	read_controllers(kernel, layout, cgroup, root, controllers, sizeof(controllers));
	if (asprintf(&longer, "%s%s%s:%s", *text ? *text : "", *text ? " " : "", controllers, path) < 0)
		return -ENOMEM;
	free(*text);
	*text = longer;
	return 0;
}

int task_cgroups_read(struct kernel *kernel, const struct task_layout *layout, uint64_t css_set,
		      char **ret_unified, char **ret_v1)
{
	CLEANUP(free) char *unified = NULL, *v1 = NULL;
	uint64_t cgroup, node;
	struct list_walk walk;
	int status = field_read(kernel, &layout->cgroup.dfl_cgrp, css_set, &cgroup);

	if (!status)
		status = read_cgroup_path(kernel, layout, cgroup, &unified);
	if (status)
		return status;
	if (field_exists(&layout->cgroup.cgrp_links) && field_exists(&layout->cgroup.link_node)) {
		list_walk_begin(&walk, kernel, css_set + layout->cgroup.cgrp_links.offset, HIERARCHIES_MAX);
		while (!status && list_walk_next(&walk, &node)) {
			status = field_read(kernel, &layout->cgroup.link_cgrp,
					    node - layout->cgroup.link_node.offset, &cgroup);
			if (!status)
				status = append_hierarchy(kernel, layout, cgroup, &v1);
		}
		if (!status && walk.damage != LIST_INTACT)
			status = -EBADMSG;
	}
	*ret_unified = TAKE_PTR(unified);
	*ret_v1 = TAKE_PTR(v1);
	return status;
}
