/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What can be read at the tracepoints of reclaim beside their arguments: whose memory is reclaimed, and how much is free.
 *
 * The page reclaimer's orders are a struct on its stack, and current->reclaim_state points into it (set_task_reclaim_state(), since 5.4):
 * so the memory cgroup is known on kernels whose tracepoints do not tell it (they do from 7.1 on). Zones are reached by
 * way of the task's memory cgroup, since their symbols are hidden where kallsyms has no data (CONFIG_KALLSYMS_ALL).
 */
#ifndef DILL_BPF_RECLAIM_BPF_H
#define DILL_BPF_RECLAIM_BPF_H

#include "kernel_types.h"

#define MOST_NODES 64
#define MOST_ZONES 6 /* MAX_NR_ZONES: DMA, DMA32, NORMAL, HIGHMEM, MOVABLE, DEVICE */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct atomic_long___zone {
	s64 counter;
};

struct zone___free { /* include/linux/mmzone.h */
	struct atomic_long___zone vm_stat[1]; /* the first is NR_FREE_PAGES */
};

struct pglist_data___zones {
	struct zone___free node_zones[1];
	int nr_zones;
};

struct lruvec___node {
	struct pglist_data___zones *pgdat;
};

struct mem_cgroup_per_node___lruvec { /* include/linux/memcontrol.h */
	struct lruvec___node lruvec;
};

struct mem_cgroup___nodes {
	struct cgroup_subsys_state css;
	struct mem_cgroup_per_node___lruvec *nodeinfo[1]; /* one for each possible node */
};

struct reclaim_state___any { /* include/linux/swap.h */
	void *mm_walk;
};

struct scan_control { /* mm/vmscan.c */
	struct mem_cgroup___nodes *target_mem_cgroup; /* NULL: the machine's */
	struct reclaim_state___any reclaim_state;
};

struct task_struct___reclaiming {
	struct reclaim_state___any *reclaim_state;
};

#pragma clang attribute pop

enum cgroup_subsys_id___memory { memory_cgrp_id___memory = 4 }; /* the running kernel's number is taken */

/* The cgroup's id of a memory cgroup; 0 for NULL. */
static __always_inline u64 memory_cgroup_id(struct mem_cgroup___nodes *memcg)
{
	return memcg ? BPF_CORE_READ(memcg, css.cgroup, kn, id) : 0;
}

/* Between begin and end of direct or memcg reclaim: the id of the memory cgroup that is at its limit; 0: none is. */
static __always_inline u64 reclaimed_cgroup_id(void)
{
	struct task_struct___reclaiming *task = (void *)bpf_get_current_task();
	u64 state = (u64)BPF_CORE_READ(task, reclaim_state);
	struct scan_control *orders = (void *)(state - bpf_core_field_offset(struct scan_control, reclaim_state));

	if (!bpf_core_field_exists(((struct scan_control *)0)->target_mem_cgroup) || !state)
		return 0;
	return memory_cgroup_id(BPF_CORE_READ(orders, target_mem_cgroup));
}

static __always_inline u64 node_free_pages(struct pglist_data___zones *node)
{
	u64 zones = (u64)node + bpf_core_field_offset(struct pglist_data___zones, node_zones), sum = 0;
	u32 count = BPF_CORE_READ(node, nr_zones);

	for (u32 i = 0; i < MOST_ZONES && i < count; i++) {
		s64 pages = 0;

		bpf_probe_read_kernel(&pages, sizeof(pages), (void *)(zones + i * bpf_core_type_size(struct zone___free) +
								    bpf_core_field_offset(struct zone___free, vm_stat)));
		sum += pages > 0 ? pages : 0;
	}
	return sum;
}

/* Free pages of @nodes nodes, without what CPUs hold back; 0: not known (CONFIG_MEMCG). A function of scalars, verified once. */
__noinline u64 machine_free_pages(u32 nodes)
{
	struct css_set *set = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), cgroups);
	u64 memcg = 0, sum = 0;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id___memory, memory_cgrp_id___memory) ||
	    !bpf_core_field_exists(((struct mem_cgroup___nodes *)0)->nodeinfo))
		return 0;
	bpf_probe_read_kernel(&memcg, sizeof(memcg),
			      (void *)((u64)set + bpf_core_field_offset(struct css_set, subsys) +
				       bpf_core_enum_value(enum cgroup_subsys_id___memory, memory_cgrp_id___memory) * sizeof(void *)));
	memcg -= bpf_core_field_offset(struct mem_cgroup___nodes, css);
	for (u32 i = 0; i < MOST_NODES && i < nodes; i++) {
		struct mem_cgroup_per_node___lruvec *info = NULL;

		bpf_probe_read_kernel(&info, sizeof(info), (void *)(memcg + i * sizeof(void *) +
								  bpf_core_field_offset(struct mem_cgroup___nodes, nodeinfo)));
		sum += node_free_pages(BPF_CORE_READ(info, lruvec.pgdat)); /* of a node that is not there nothing can be read */
	}
	return sum;
}

#endif
