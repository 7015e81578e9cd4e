/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The kernel's books of huge pages: pools of hugetlb, what a process has mapped by huge pages, what the machine has counted.
 * Each takes the place to read, so that it can be another one in tests.
 */
#ifndef DILL_HUGE_PAGES_H
#define DILL_HUGE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUGE_POOLS_PATH "/sys/kernel/mm/hugepages"
#define HUGE_COUNTERS_PATH "/proc/vmstat"
#define HUGE_ENABLED_PATH "/sys/kernel/mm/transparent_hugepage/enabled"

#define HUGE_POOLS 8     /* sizes of huge pages; x86-64 has two */
#define HUGE_COUNTERS 64

/* Pages of one size (Documentation/admin-guide/mm/hugetlbpage.rst). */
struct huge_pool {
	uint64_t size_bytes;
	uint64_t pages, free, reserved, surplus;
};

/* The pools in @directory, the smallest size first; up to HUGE_POOLS. 0: the kernel has none. */
size_t huge_pools_read(const char *directory, struct huge_pool pools[HUGE_POOLS]);

/* What a process has in memory, in bytes (Documentation/filesystems/proc.rst, smaps). hugetlb is not part of rss. */
struct huge_mapped {
	uint64_t rss;
	uint64_t anonymous, shmem, file; /* by huge entries of its page table */
	uint64_t hugetlb_private, hugetlb_shared;
};

/* From @path, a smaps_rollup or smaps file, whose lines of a kind are added up. -errno; -ESRCH: the process has no memory. */
int huge_mapped_read(const char *path, struct huge_mapped *ret_mapped);

struct huge_counter {
	char name[40];
	uint64_t value;
};

/* The lines of @path (/proc/vmstat) about transparent huge pages, thp_*; how many. */
size_t huge_counters_read(const char *path, struct huge_counter counters[HUGE_COUNTERS]);

/* Whether transparent huge pages are made also where madvise(2) did not ask for them, by @path (…/enabled). */
bool huge_pages_are_always(const char *path);

#endif
