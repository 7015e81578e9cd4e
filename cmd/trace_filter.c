// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Gives the programs of an event command the options that all share: whose events are wanted. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup_names.h"
#include "cleanup.h"
#include "error.h"
#include "trace_private.h"

#define FIRST_PID_NAMESPACE 0xeffffffcU /* PROC_PID_INIT_INO, include/linux/proc_ns.h */

/* Ids are shown, and wanted, as dill's own PID namespace has them. */
static int set_namespace(struct trace *trace, struct error *err)
{
	struct stat info;

	if (stat("/proc/self/ns/pid", &info))
		return error_set(err, -errno, "cannot find out the PID namespace: %s", strerror(errno));
	trace->private->is_nested = info.st_ino != FIRST_PID_NAMESPACE;
	return !trace->private->is_nested ? 0 : trace_set(trace, "trace_namespace_inode", info.st_ino, err);
}

/* Memory is accounted in v1's hierarchy where one is mounted: then tasks' cgroups are read there. */
static int set_hierarchy(struct trace *trace, struct error *err)
{
	struct kernel_targets *targets = trace->run->attachable;

	if (!trace->private->cgroups || !cgroup_names_are_v1(trace->private->cgroups))
		return 0;
	for (int i = 0; i < 32; i++) {
		const char *name = kernel_targets_enumerator(targets, "cgroup_subsys_id", i);

		if (name && strcmp(name, "memory_cgrp_id") == 0)
			return trace_set(trace, "trace_memory_subsystem", i, err);
	}
	return 0;
}

/* The directory of --cgroup: its inode is the id (kernfs, 64 bits since 5.5), its depth the level. */
static int set_cgroup(struct trace *trace, struct error *err)
{
	const char *wanted = trace->run->settings->cgroup, *top;
	char path[4096];
	struct stat info, root;
	unsigned int level = 0;
	int status;

	if (!wanted)
		return 0;
	if (!trace->private->cgroups)
		return error_set(err, -EOPNOTSUPP, "--cgroup: no hierarchy of cgroups is mounted at /sys/fs/cgroup");
	top = cgroup_names_root(trace->private->cgroups);
	snprintf(path, sizeof(path), "%s%s%s", wanted[0] == '/' ? "" : top, wanted[0] == '/' ? "" : "/", wanted);
	if (stat(top, &root))
		return error_set(err, -errno, "%s: %s", top, strerror(errno));
	if (stat(path, &info) || !S_ISDIR(info.st_mode))
		return error_set(err, -ENOENT, "no cgroup at %s: %s", path, strerror(errno ? errno : ENOTDIR));
	if (info.st_dev != root.st_dev)
		return error_set(err, -EINVAL, "%s is no cgroup below %s", path, top);
	if (info.st_ino == root.st_ino)
		return 0;
	status = trace_set(trace, "trace_cgroup_id", info.st_ino, err);
	for (struct stat above = info; above.st_ino != root.st_ino && level < 256; level++) {
		if (strlen(path) + 4 > sizeof(path))
			return error_set(err, -ENAMETOOLONG, "--cgroup: the path is too long");
		strcat(path, "/..");
		if (stat(path, &above))
			return error_set(err, -errno, "%s: %s", path, strerror(errno));
	}
	return status ? status : trace_set(trace, "trace_cgroup_level", level, err);
}

int trace_filter_constants(struct trace *trace, struct error *err)
{
	const struct trace_settings *settings = trace->run->settings;
	int status = set_namespace(trace, err);

	if (!status)
		status = set_hierarchy(trace, err);
	if (!status)
		status = trace_set(trace, "trace_has_pids", trace->run->target_count > 0, err);
	if (!status)
		status = trace_set(trace, "trace_has_comms", settings->comms.count > 0, err);
	if (!status)
		status = set_cgroup(trace, err);
	return status;
}

int trace_filter_maps(struct trace *trace, struct error *err)
{
	const struct trace_settings *settings = trace->run->settings;
	int pids = trace_map_fd(trace, "trace_pids"), comms = trace_map_fd(trace, "trace_comms");
	uint8_t one = 1;

	for (size_t i = 0; i < trace->run->target_count; i++) {
		uint32_t pid = trace->run->targets[i];

		if (bpf_map_update_elem(pids, &pid, &one, BPF_ANY))
			return error_set(err, -errno, "too many processes are wanted: %s", strerror(errno));
		trace->private->process_count++;
	}
	for (size_t i = 0; i < settings->comms.count; i++) {
		char comm[TRACE_COMM_BYTES] = "";

		memcpy(comm, settings->comms.list[i], strnlen(settings->comms.list[i], sizeof(comm) - 1));
		if (bpf_map_update_elem(comms, comm, &one, BPF_ANY))
			return error_set(err, -errno, "too many names are wanted: %s", strerror(errno));
	}
	return 0;
}
