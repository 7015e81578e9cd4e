/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What a folio is: its flags, how many pages it has, where in swap it belongs, whose memory it is. */
#ifndef DILL_BPF_FOLIO_BPF_H
#define DILL_BPF_FOLIO_BPF_H

#include "kernel_types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct folio___with_nr_pages { /* include/linux/mm_types.h, as in 6.18 */
	u32 _nr_pages;
};

struct folio___with_folio_nr_pages { /* as in 6.1 and 6.12 */
	u32 _folio_nr_pages;
};

struct folio___with_swap { /* since 3d2c9087688e ("mm/swap: inline folio_set_swap_entry()"), 6.6 */
	u64 swap;
};

struct folio___with_memcg_data { /* since 5.16, as in struct page before */
	u64 memcg_data;
};

struct page___with_memcg_data { /* since bcfe06bf2622 ("mm: memcontrol: Use helpers to read page's memcg data"), 5.11 */
	u64 memcg_data;
};

struct page___with_mem_cgroup {
	struct mem_cgroup *mem_cgroup;
};

struct page___with_private {
	u64 private;
};

struct obj_cgroup___with_root { /* as in 7.3: all folios' owners are told by one */
	_Bool is_root;
};

#pragma clang attribute pop

/* The bits of the running kernel are taken. */
enum pageflags { PG_head = 6, PG_locked = 0, PG_uptodate = 3, PG_writeback = 1, PG_swapbacked = 17, PG_swapcache = 10 };
#define FOLIO_FLAG(flag) (1UL << bpf_core_enum_value(enum pageflags, flag))

#define MEMCG_DATA_FLAGS 3ULL /* enum page_memcg_data_flags, include/linux/memcontrol.h; more of them are spare */

static __always_inline u64 folio_flags(const void *folio)
{
	u64 flags = 0;

	bpf_probe_read_kernel(&flags, sizeof(flags), folio); /* its first word, as a number or a struct */
	return flags;
}

/* Where in swap a folio of the swap cache, or one that is to be read, belongs: the type above, the offset below. */
static __always_inline u64 folio_swap_entry(const void *folio)
{
	if (bpf_core_field_exists(((struct folio___with_swap *)0)->swap))
		return BPF_CORE_READ((const struct folio___with_swap *)folio, swap);
	return BPF_CORE_READ((const struct page___with_private *)folio, private);
}

/* The memory cgroup that a page of a process or of the page cache is charged to; NULL: none. */
static __always_inline struct mem_cgroup *folio_memory_cgroup(const void *folio)
{
	u64 data;

	if (bpf_core_field_exists(((struct folio___with_memcg_data *)0)->memcg_data))
		data = BPF_CORE_READ((const struct folio___with_memcg_data *)folio, memcg_data);
	else if (bpf_core_field_exists(((struct page___with_memcg_data *)0)->memcg_data))
		data = BPF_CORE_READ((const struct page___with_memcg_data *)folio, memcg_data);
	else if (bpf_core_field_exists(((struct page___with_mem_cgroup *)0)->mem_cgroup))
		return BPF_CORE_READ((const struct page___with_mem_cgroup *)folio, mem_cgroup);
	else
		return NULL;
	data &= ~MEMCG_DATA_FLAGS;
	if (bpf_core_field_exists(((struct obj_cgroup___with_root *)0)->is_root))
		return BPF_CORE_READ((struct obj_cgroup *)data, memcg);
	return (struct mem_cgroup *)data;
}

/* A large folio whose count is nowhere (configurations that have none) counts as one page. */
static __always_inline u64 folio_pages(const void *folio)
{
	u32 pages = 1;

	if (!(folio_flags(folio) & FOLIO_FLAG(PG_head)))
		return 1;
	if (bpf_core_field_exists(((struct folio___with_nr_pages *)0)->_nr_pages))
		pages = BPF_CORE_READ((const struct folio___with_nr_pages *)folio, _nr_pages);
	else if (bpf_core_field_exists(((struct folio___with_folio_nr_pages *)0)->_folio_nr_pages))
		pages = BPF_CORE_READ((const struct folio___with_folio_nr_pages *)folio, _folio_nr_pages);
	return pages ? pages : 1;
}

#endif
