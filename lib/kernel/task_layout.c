// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The members of tasks and of what hangs on them. Alternatives are listed new | old. */
#include "task_layout.h"

#include <string.h>

#include "kernel.h"

#define AT(member) offsetof(struct task_layout, member)
#define NEEDED(type, path, member)           \
	{                                    \
		type, path, AT(member), true \
	}
#define OPTIONAL(type, path, member)          \
	{                                     \
		type, path, AT(member), false \
	}

static const struct field_spec task_specs[] = {
	/* 2f064a59a11f (5.14) renamed state. */
	NEEDED("task_struct", "__state|state", task.state),
	NEEDED("task_struct", "exit_state", task.exit_state),
	NEEDED("task_struct", "flags", task.flags),
	OPTIONAL("task_struct", "on_cpu", task.on_cpu),
	/* bcf9033e5449 (5.16) moved cpu into thread_info on x86. */
	OPTIONAL("task_struct", "thread_info.cpu|cpu", task.cpu),
	NEEDED("task_struct", "pid", task.pid),
	NEEDED("task_struct", "tgid", task.tgid),
	NEEDED("task_struct", "comm", task.comm),
	NEEDED("task_struct", "tasks", task.tasks),
	NEEDED("task_struct", "thread_node", task.thread_node),
	OPTIONAL("task_struct", "group_leader", task.group_leader),
	OPTIONAL("task_struct", "real_parent", task.real_parent),
	NEEDED("task_struct", "mm", task.mm),
	OPTIONAL("task_struct", "real_cred", task.real_cred),
	NEEDED("task_struct", "signal", task.signal),
	OPTIONAL("task_struct", "thread_pid", task.thread_pid),
	OPTIONAL("task_struct", "nsproxy", task.nsproxy),
	OPTIONAL("task_struct", "cgroups", task.cgroups),
	OPTIONAL("task_struct", "files", task.files),
	OPTIONAL("task_struct", "fs", task.fs),
	OPTIONAL("task_struct", "prio", task.prio),
	OPTIONAL("task_struct", "static_prio", task.static_prio),
	OPTIONAL("task_struct", "rt_priority", task.rt_priority),
	OPTIONAL("task_struct", "policy", task.policy),
	OPTIONAL("task_struct", "start_boottime|real_start_time", task.start_boottime),
	OPTIONAL("task_struct", "stack", task.stack),
	OPTIONAL("task_struct", "stack_vm_area", task.stack_vm_area),
	OPTIONAL("task_struct", "thread.sp", task.sp),
	OPTIONAL("task_struct", "se.cfs_rq", task.cfs_rq),
	OPTIONAL("vm_struct", "size", vm_size),
	OPTIONAL("rq", "idle", rq_idle),
	OPTIONAL("cfs_rq", "rq", cfs_rq_rq),
};

static const struct field_spec memory_specs[] = {
	OPTIONAL("mm_struct", "total_vm", mm.total_vm),
	OPTIONAL("mm_struct", "exe_file", mm.exe_file),
	OPTIONAL("mm_struct", "rss_stat.count", mm.rss_atomic),
	OPTIONAL("mm_struct", "rss_stat", mm.rss_percpu),
	OPTIONAL("percpu_counter", "count", percpu_counter.count),
	OPTIONAL("percpu_counter", "counters", percpu_counter.counters),
};

static const struct field_spec owner_specs[] = {
	OPTIONAL("cred", "uid", cred.uid),
	OPTIONAL("cred", "gid", cred.gid),
	OPTIONAL("cred", "euid", cred.euid),
	OPTIONAL("cred", "egid", cred.egid),
	OPTIONAL("cred", "user_ns", cred.user_ns),
	OPTIONAL("signal_struct", "thread_head", signal.thread_head),
	OPTIONAL("signal_struct", "nr_threads", signal.nr_threads),
	OPTIONAL("pid", "level", pid.level),
	OPTIONAL("upid", "nr", upid.nr),
	OPTIONAL("upid", "ns", upid.ns),
	OPTIONAL("nsproxy", "mnt_ns", nsproxy[TASK_NS_MNT]),
	OPTIONAL("nsproxy", "uts_ns", nsproxy[TASK_NS_UTS]),
	OPTIONAL("nsproxy", "ipc_ns", nsproxy[TASK_NS_IPC]),
	OPTIONAL("nsproxy", "net_ns", nsproxy[TASK_NS_NET]),
	OPTIONAL("nsproxy", "cgroup_ns", nsproxy[TASK_NS_CGROUP]),
	OPTIONAL("nsproxy", "time_ns", nsproxy[TASK_NS_TIME]),
	OPTIONAL("pid_namespace", "ns.inum", inum[TASK_NS_PID]),
	OPTIONAL("user_namespace", "ns.inum", inum[TASK_NS_USER]),
	OPTIONAL("mnt_namespace", "ns.inum", inum[TASK_NS_MNT]),
	OPTIONAL("uts_namespace", "ns.inum", inum[TASK_NS_UTS]),
	OPTIONAL("ipc_namespace", "ns.inum", inum[TASK_NS_IPC]),
	OPTIONAL("net", "ns.inum", inum[TASK_NS_NET]),
	OPTIONAL("cgroup_namespace", "ns.inum", inum[TASK_NS_CGROUP]),
	OPTIONAL("time_namespace", "ns.inum", inum[TASK_NS_TIME]),
};

static const struct field_spec cgroup_specs[] = {
	OPTIONAL("css_set", "dfl_cgrp", cgroup.dfl_cgrp),
	OPTIONAL("css_set", "cgrp_links", cgroup.cgrp_links),
	OPTIONAL("cgrp_cset_link", "cgrp", cgroup.link_cgrp),
	OPTIONAL("cgrp_cset_link", "cgrp_link", cgroup.link_node),
	OPTIONAL("cgroup", "kn", cgroup.kn),
	OPTIONAL("cgroup", "root", cgroup.root),
	OPTIONAL("cgroup", "subsys", cgroup.subsys),
	OPTIONAL("cgroup_root", "hierarchy_id", cgroup.root_hierarchy),
	OPTIONAL("cgroup_root", "name", cgroup.root_name),
	OPTIONAL("cgroup_root", "subsys_mask", cgroup.root_mask),
	OPTIONAL("cgroup_subsys_state", "ss", cgroup.css_ss),
	OPTIONAL("cgroup_subsys", "legacy_name", cgroup.ss_legacy_name),
	OPTIONAL("kernfs_node", "name", cgroup.kn_name),
	/* 633488947ef6 (6.15) renamed parent. */
	OPTIONAL("kernfs_node", "__parent|parent", cgroup.kn_parent),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* How much of a structure has to be read for all fields of @specs that are of its @type. */
static size_t reading_size(const struct field_spec *specs, size_t count, const char *type, const void *layout)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++) {
		const struct field *field = (const void *)((const char *)layout + specs[i].at);

		if (!strcmp(specs[i].type, type) && (size_t)field->offset + field->size > size)
			size = (size_t)field->offset + field->size;
	}
	return size;
}

/* struct pid's numbers[]: of no size where it is flexible, so not a field. */
static int load_pid_numbers(struct kernel *kernel, struct task_layout *layout, struct error *err)
{
	struct kernel_member member;
	uint32_t id;
	int status = kernel_type_find(kernel->types, "pid", &id);

	if (status)
		return error_set(err, status, "the kernel's types have no struct pid");
	status = kernel_member_find(kernel->types, id, "numbers", &member, err);
	if (!status)
		layout->pid.numbers = member.bit_offset / 8;
	return status;
}

/* The order is kernel ABI to no one, but has been this since 4.5 (eca56ff906bd). */
static void load_rss_indexes(struct kernel *kernel, struct task_layout *layout)
{
	static const char *const names[] = { "MM_FILEPAGES", "MM_ANONPAGES", "MM_SWAPENTS", "MM_SHMEMPAGES" };
	uint32_t *const indexes[] = { &layout->rss.file, &layout->rss.anon, &layout->rss.swap,
				      &layout->rss.shmem };

	for (uint32_t i = 0; i < COUNT(names); i++) {
		int64_t value;

		if (kernel_enumerator(kernel->types, names[i], &value) || value < 0 || value > 15)
			value = i;
		*indexes[i] = value;
	}
}

int task_layout_load(struct kernel *kernel, struct task_layout *ret_layout, struct error *err)
{
	static const struct {
		const struct field_spec *specs;
		size_t count;
	} parts[] = {
		{ task_specs, COUNT(task_specs) },
		{ memory_specs, COUNT(memory_specs) },
		{ owner_specs, COUNT(owner_specs) },
		{ cgroup_specs, COUNT(cgroup_specs) },
	};
	struct task_layout layout = { 0 };
	int status = 0;

	for (size_t i = 0; i < COUNT(parts) && !status; i++)
		status = fields_load(kernel->types, parts[i].specs, parts[i].count, &layout, err);
	if (!status)
		status = load_pid_numbers(kernel, &layout, err);
	if (status)
		return status;
	layout.task.read_size = reading_size(task_specs, COUNT(task_specs), "task_struct", &layout);
	layout.task.size = kernel_sizeof(kernel->types, "task_struct");
	layout.mm.read_size = reading_size(memory_specs, COUNT(memory_specs), "mm_struct", &layout);
	layout.percpu_counter.size = kernel_sizeof(kernel->types, "percpu_counter");
	layout.upid.size = kernel_sizeof(kernel->types, "upid");
	load_rss_indexes(kernel, &layout);
	*ret_layout = layout;
	return 0;
}
