/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Where the members are that task.c reads, by this kernel's own types. Members that it hasn't got stay
 * absent: field_exists(). What only files, mappings and stacks need is in their own layouts.
 */
#ifndef DILL_TASK_LAYOUT_H
#define DILL_TASK_LAYOUT_H

#include "error.h"
#include "kernel_types.h"

/* The namespaces of a task, in the order of struct task's namespaces[]. */
enum task_namespace {
	TASK_NS_PID, /* its own, not that of its children */
	TASK_NS_USER,
	TASK_NS_MNT,
	TASK_NS_UTS,
	TASK_NS_IPC,
	TASK_NS_NET,
	TASK_NS_CGROUP,
	TASK_NS_TIME,
	TASK_NS_COUNT,
};

struct task_layout {
	struct {
		struct field state, exit_state, flags, on_cpu, cpu;
		struct field pid, tgid, comm;
		struct field tasks, thread_node, group_leader, real_parent;
		struct field mm, real_cred, signal, thread_pid, nsproxy, cgroups, files, fs;
		struct field prio, static_prio, rt_priority, policy;
		struct field start_boottime, stack, stack_vm_area, sp, cfs_rq;
		size_t read_size; /* covers all of the above */
		size_t size;
	} task;
	struct {
		struct field total_vm, exe_file;
		/* One of two: atomic counters (before 6.2, f1a7941243c1), or an array of percpu_counter. */
		struct field rss_atomic, rss_percpu;
		size_t read_size;
	} mm;
	struct {
		struct field count, counters;
		size_t size;
	} percpu_counter;
	struct {
		uint32_t file, anon, swap, shmem; /* indexes of the counters */
	} rss;
	struct {
		struct field uid, gid, euid, egid, user_ns;
	} cred;
	struct {
		struct field thread_head, nr_threads;
	} signal;
	struct {
		struct field level;
		uint32_t numbers; /* offset of the array; a flexible one since 5.11 */
	} pid;
	struct {
		struct field nr, ns;
		size_t size;
	} upid;
	struct field nsproxy[TASK_NS_COUNT]; /* absent: not held by nsproxy */
	struct field inum[TASK_NS_COUNT];    /* of each kind of namespace: its number */
	struct {
		struct field dfl_cgrp, cgrp_links;
		struct field link_cgrp, link_node;
		struct field kn, root, subsys;
		struct field root_hierarchy, root_name, root_mask;
		struct field css_ss, ss_legacy_name;
		struct field kn_name, kn_parent;
	} cgroup;
	struct field vm_size; /* vm_struct.size */
	struct field rq_idle, cfs_rq_rq;
};

/* -ENOENT names what this kernel's types lack. */
int task_layout_load(struct kernel *kernel, struct task_layout *ret_layout, struct error *err);

#endif
