/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What `dill kcache NAME` can show of one cache. Each function takes the open heap and feeds the view; kcache.c
 * decides which of them is asked for.
 */
#ifndef DILL_KCACHE_VIEWS_H
#define DILL_KCACHE_VIEWS_H

#include "inspect.h"
#include "slab_heap.h"
#include "view.h"

#define KCACHE_ALL UINT64_MAX

struct kcache_scope {
	uint64_t cpu, node; /* KCACHE_ALL, or the only one to show */
	bool is_brief;      /* no chains of free objects */
};

/* kcache_show.c: facts, then CPUs, nodes and full slabs, with their chains. */
int kcache_show_cache(struct inspection *inspection, struct slab_heap *heap, uint32_t cache,
		      const struct kcache_scope *scope, struct error *err);
extern const struct view_record kcache_facts_record, kcache_cpu_record, kcache_sheaves_record,
	kcache_node_record, kcache_slab_record, kcache_free_record;

/* kcache_objects.c */
/* A line about @slab, which @cache lists. */
int kcache_show_slab_line(struct inspection *inspection, const struct slab_heap *heap, uint32_t cache,
			  const struct slab *slab);
/* The order of kcache_object_choices. */
enum kcache_objects { KCACHE_OBJECTS_NONE, KCACHE_OBJECTS_ALLOCATED, KCACHE_OBJECTS_FREE, KCACHE_OBJECTS_ALL };
struct kcache_object_options {
	unsigned which; /* enum kcache_objects */
	bool has_hexdump, has_tracks;
};
int kcache_show_objects(struct inspection *inspection, struct slab_heap *heap, uint32_t cache,
			const struct kcache_object_options *options, struct error *err);
/* The slab that covers @address: a map of its objects, then each. -ENOENT when it isn't @cache's, if that is
 * given. */
int kcache_show_slab(struct inspection *inspection, struct slab_heap *heap, uint32_t cache, uint64_t address,
		     const struct kcache_object_options *options, struct error *err);
extern const struct view_record kcache_object_record, kcache_object_line_record, kcache_map_record,
	kcache_bytes_record, kcache_track_record;

/* kcache_next.c: what CPUs hand out next. Damage on the way is a finding: inspect_found(). */
int kcache_show_next(struct inspection *inspection, struct slab_heap *heap, uint32_t cache,
		     const struct kcache_scope *scope, size_t count, struct error *err);
extern const struct view_record kcache_next_record;

/* kcache_order.c */
/*
 * Put what a forecast of @count objects has of nodes' lists in the order in which the CPU will come by it, and end it where it
 * needs a slab that isn't there yet. Negative errno: no model can tell (-EBADMSG, -EOPNOTSUPP …); the forecast is as good as
 * before.
 */
struct slab_forecast;
int kcache_order_next(struct slab_heap *heap, uint32_t cache, uint32_t cpu, size_t count, struct slab_forecast *forecast);

/* kcache_check.c: @cache SLAB_NO_CACHE: all. Exit code by inspect_found(). */
int kcache_show_check(struct inspection *inspection, struct slab_heap *heap, uint32_t cache, struct error *err);
/* What reading has found so far, of one cache or all. */
int kcache_show_findings(struct inspection *inspection, struct slab_heap *heap, uint32_t cache);
extern const struct view_record kcache_finding_record, kcache_checked_record;

#endif
