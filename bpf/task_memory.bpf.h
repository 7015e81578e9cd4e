/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What a process has in memory, as mm_struct counts it. Since 6.2 the counters are per CPU, and what is read here is the
 * sum that is kept apart: it lags by up to some dozens of pages for each CPU, as do the OOM killer's own figures.
 */
#ifndef DILL_BPF_TASK_MEMORY_BPF_H
#define DILL_BPF_TASK_MEMORY_BPF_H

#include "kernel_types.h"

/* include/linux/mm_types_task.h */
enum { RSS_FILE, RSS_ANON, RSS_SWAP, RSS_SHMEM };

/* Pages of kind @kind. */
static __always_inline u64 mm_pages(struct mm_struct *mm, u32 kind)
{
	struct mm_struct___with_atomics *old = (void *)mm;
	s64 count = 0;

	if (bpf_core_field_exists(old->rss_stat.count))
		bpf_probe_read_kernel(&count, sizeof(count),
				      (void *)((u64)mm + bpf_core_field_offset(old->rss_stat.count) + kind * sizeof(s64)));
	else
		bpf_probe_read_kernel(&count, sizeof(count),
				      (void *)((u64)mm + bpf_core_field_offset(mm->rss_stat) +
					       kind * bpf_core_type_size(struct percpu_counter) +
					       bpf_core_field_offset(struct percpu_counter, count)));
	return count > 0 ? count : 0;
}

static __always_inline u64 mm_resident_pages(struct mm_struct *mm)
{
	return mm_pages(mm, RSS_FILE) + mm_pages(mm, RSS_ANON) + mm_pages(mm, RSS_SHMEM);
}

/* The memory cgroup of a task; NULL without CONFIG_MEMCG. */
static __always_inline struct mem_cgroup *task_memory_cgroup(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct mem_cgroup *memcg = NULL;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return NULL;
	bpf_probe_read_kernel(&memcg, sizeof(memcg),
			      (void *)((u64)set + bpf_core_field_offset(struct css_set, subsys) +
				       bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id) * sizeof(void *)));
	return memcg; /* its css is its first member */
}

#endif
