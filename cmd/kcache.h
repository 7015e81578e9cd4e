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

/* Entries of a table of options for those who list caches; @list_order is what `--sort list` means. */
#define KCACHE_AT(member) offsetof(struct kcache_settings, member)
#define KCACHE_LIST_OPTIONS(list_order)                                                                     \
	{ 0, "filter", "GLOB", OPTION_TEXTS, KCACHE_AT(filters), NULL,                                      \
	  "only caches whose name matches (may be repeated)" },                                             \
	{ 0, "sort", "KEY", OPTION_CHOICE, KCACHE_AT(sort), kcache_sorts,                                   \
	  "bytes (default), name, slabs, objects, allocated, free, waste, size, list (" list_order ")" },   \
	{ 0, "top", "N", OPTION_NUMBER, KCACHE_AT(top), NULL, "only the first N caches" },                  \
	{ 'i', "interval", "SEC", OPTION_DURATION, KCACHE_AT(interval_ns), NULL,                            \
	  "show the list again and again, with what changed" },                                             \
	{ 0, "repeat", "N", OPTION_NUMBER, KCACHE_AT(repeat), NULL, "with -i: end after N lists" }
/* What of them only makes sense together. -EINVAL. */
int kcache_list_configure(const struct kcache_settings *settings, struct error *err);

/* The list of caches that match @words (globs; none: all) and --filter, again and again with an interval. */
int kcache_show_list(struct inspection *inspection, char **words, struct error *err);
extern const struct view_record slabinfo_cache_record, slabinfo_change_record;
extern const struct view_record kcache_cache_record, kcache_change_record, kcache_sum_record, kcache_time_record;
/* Of a process: what its allocator has in all. slabinfo.c. */
int slabinfo_show_process(struct inspection *inspection, struct error *err);
extern const struct view_record slabinfo_process_record;

#endif
