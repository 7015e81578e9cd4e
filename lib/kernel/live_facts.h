/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What can be found out about the running kernel by whoever can read its memory but knows none of its variables,
 * as on kernels whose kallsyms hide data. Each fact is proven by memory that is known otherwise; what can't be
 * proven is left out. Tried on every kernel, whether it hides anything or not.
 */
#ifndef DILL_LIVE_FACTS_H
#define DILL_LIVE_FACTS_H

#include "memory_source.h"

#define LIVE_SYMBOLS 4
#define LIVE_VALUES 4

struct live_facts {
	uint64_t direct_map; /* page_offset_base; 0: not known */
	struct memory_range *ram;
	size_t ram_count;
	char *vmcoreinfo;
	struct named_address symbols[LIVE_SYMBOLS];
	struct named_address values[LIVE_VALUES];
	struct cpu_registers cpu; /* cr3 and cr4 alone */
	uint64_t *percpu_offsets;
};

/*
 * Find what can be found by reading @source, which has SPACE_VIRTUAL, and enter it there. @task: the caller's own
 * task_struct. Fails only when the source does; @facts are to be released in any case.
 */
int live_facts_find(struct memory_source *source, uint64_t task, struct live_facts *facts, struct error *err);
void live_facts_deinit(struct live_facts *facts);

/* The direct map's address of physical memory that is RAM. -EFAULT: it is none, or the direct map isn't known. */
int live_facts_direct(const struct live_facts *facts, uint64_t physical, size_t size, uint64_t *ret_address);

/*
 * "System RAM" of /proc/iomem: sorted, disjoint. -EPERM: the addresses are hidden from this process (they need
 * CAP_SYS_ADMIN). The array is the caller's to free.
 */
int live_ram(struct memory_range **ret_ranges, size_t *ret_count);

/*
 * page_offset_base, proven by pages of this process: what is in them is found at their frames in the direct map.
 * @object: some address within the direct map. -ENOENT: not found; -EPERM: frames are hidden from this process.
 */
int live_direct_map(struct memory_source *source, uint64_t object, uint64_t *ret_base, struct error *err);

#endif
