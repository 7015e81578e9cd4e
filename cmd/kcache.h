/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the parts of `dill kcache` share: its options. kcache.c decides, kcache_list.c shows the list. */
#ifndef DILL_KCACHE_H
#define DILL_KCACHE_H

#include "inspect.h"
#include "kcache_views.h"
#include "slab_heap.h"

struct kcache_settings {
	struct text_list filters;
	unsigned sort; /* enum kcache_sort */
	uint64_t top;  /* 0: all */
	uint64_t interval_ns; /* 0: once */
	uint64_t repeat; /* lists to show at most with an interval; 0: until interrupted */
	bool has_aliases;
	struct kcache_scope scope;
	struct kcache_object_options objects;
	const char *slab; /* an address in it */
	uint64_t next;
	bool is_check;
};

/* The order of kcache_sorts. */
enum kcache_sort {
	KCACHE_BY_BYTES,
	KCACHE_BY_NAME,
	KCACHE_BY_SLABS,
	KCACHE_BY_OBJECTS,
	KCACHE_BY_ALLOCATED,
	KCACHE_BY_FREE,
	KCACHE_BY_WASTE,
	KCACHE_BY_SIZE,
	KCACHE_BY_LIST,
};
extern const char *const kcache_sorts[];

/* The list of caches that match @words (globs; none: all) and --filter, again and again with an interval. */
int kcache_show_list(struct inspection *inspection, char **words, struct error *err);
extern const struct view_record slabinfo_cache_record, slabinfo_change_record;
extern const struct view_record kcache_cache_record, kcache_change_record, kcache_sum_record, kcache_time_record;
/* Of a process: what its allocator has in all. slabinfo.c. */
int slabinfo_show_process(struct inspection *inspection, struct error *err);
extern const struct view_record slabinfo_process_record;

#endif
