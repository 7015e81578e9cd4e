// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A merge of two sorted lists of slabs for each pair of caches. */
#include "heap_diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

struct diff {
	const struct heap_snapshot *before, *after;
	const struct heap_diff_callbacks *callbacks;
	void *context;
};

static enum slab_object_state state_of(const struct heap_snapshot *snapshot, const struct snapshot_slab *slab,
				       uint32_t index)
{
	return slab && index < slab->objects ? snapshot_state(snapshot, slab->states_at + index) :
					       SLAB_OBJECT_FREE;
}

/* Counts into @slab and @cache; calls back when @is_told. */
static int compare_objects(const struct diff *diff, struct heap_cache_change *cache,
			   struct heap_slab_change *slab, bool is_told)
{
	uint32_t before = slab->before ? slab->before->objects : 0,
		 after = slab->after ? slab->after->objects : 0;
	const struct snapshot_cache *layout = slab->after ? cache->after : cache->before;
	const struct snapshot_slab *place = slab->after ? slab->after : slab->before;

	for (uint32_t i = 0; i < (before > after ? before : after); i++) {
		enum slab_object_state old = state_of(diff->before, slab->before, i);
		enum slab_object_state new = state_of(diff->after, slab->after, i);
		bool was = old == SLAB_OBJECT_ALLOCATED, is = new == SLAB_OBJECT_ALLOCATED;
		int status;

		if (old == SLAB_OBJECT_UNKNOWN || new == SLAB_OBJECT_UNKNOWN) {
			cache->unknown += !is_told;
			continue;
		}
		if (was == is)
			continue;
		if (!is_told) {
			slab->newly_allocated += is;
			slab->newly_freed += was;
			continue;
		}
		status = diff->callbacks->object(slab, snapshot_object(layout, place, i), i, is, new,
						 diff->context);
		if (status)
			return status;
	}
	return 0;
}

static int64_t bytes_of(const struct snapshot_slab *slab)
{
	return slab ? INT64_C(4096) << slab->order : 0;
}

/* The first pass sums up the cache, the second tells of slabs and objects. */
static int compare_slabs(const struct diff *diff, struct heap_cache_change *cache, bool is_told,
			 const struct snapshot_slab *before, const struct snapshot_slab *after)
{
	struct heap_slab_change slab = { .cache = cache, .before = before, .after = after };
	int status;

	compare_objects(diff, cache, &slab, false);
	if (!is_told) {
		cache->newly_allocated += slab.newly_allocated;
		cache->newly_freed += slab.newly_freed;
		cache->slabs_new += !before;
		cache->slabs_gone += !after;
		cache->num_objs += (after ? after->objects : 0) - (before ? before->objects : 0);
		cache->bytes += bytes_of(after) - bytes_of(before);
		return 0;
	}
	if (before && after && !slab.newly_allocated && !slab.newly_freed)
		return 0;
	status = diff->callbacks->slab ? diff->callbacks->slab(&slab, diff->context) : 0;
	if (!status && diff->callbacks->object)
		status = compare_objects(diff, cache, &slab, true);
	return status;
}

static int merge_slabs(const struct diff *diff, struct heap_cache_change *change, bool is_told)
{
	const struct snapshot_cache *before = change->before, *after = change->after;
	size_t old = before ? before[0].first_slab : 0, old_end = before ? before[1].first_slab : 0;
	size_t new = after ? after[0].first_slab : 0, new_end = after ? after[1].first_slab : 0;

	while (old < old_end || new < new_end) {
		const struct snapshot_slab *one = old < old_end ? &diff->before->slabs[old] : NULL;
		const struct snapshot_slab *other = new < new_end ? &diff->after->slabs[new] : NULL;
		int status;

		if (one && other && one->start != other->start) {
			if (one->start < other->start)
				other = NULL;
			else
				one = NULL;
		}
		status = compare_slabs(diff, change, is_told, one, other);
		if (status)
			return status;
		old += one != NULL;
		new += other != NULL;
	}
	return 0;
}

static int compare_caches(const struct diff *diff, const struct snapshot_cache *before,
			  const struct snapshot_cache *after)
{
	struct heap_cache_change change = { .before = before, .after = after };
	struct heap_cache_change counted;
	int status;

	merge_slabs(diff, &change, false);
	change.allocated = (int64_t)(change.newly_allocated - change.newly_freed);
	change.slabs = (int64_t)(change.slabs_new - change.slabs_gone);
	status = diff->callbacks->cache ? diff->callbacks->cache(&change, diff->context) : 0;
	counted = change;
	if (!status && (diff->callbacks->slab || diff->callbacks->object))
		status = merge_slabs(diff, &counted, true);
	return status;
}

static int by_address_and_name(const void *one, const void *other)
{
	const struct snapshot_cache *a = *(const struct snapshot_cache *const *)one;
	const struct snapshot_cache *b = *(const struct snapshot_cache *const *)other;

	return a->address != b->address ? (a->address < b->address ? -1 : 1) : strcmp(a->name, b->name);
}

static const struct snapshot_cache **sort_caches(const struct heap_snapshot *snapshot)
{
	const struct snapshot_cache **sorted = calloc(snapshot->cache_count + 1,
						      sizeof(const struct snapshot_cache *));

	for (size_t i = 0; sorted && i < snapshot->cache_count; i++)
		sorted[i] = &snapshot->caches[i];
	if (sorted)
		qsort(sorted, snapshot->cache_count, sizeof(const struct snapshot_cache *),
		      by_address_and_name);
	return sorted;
}

static const struct snapshot_cache *find(const struct snapshot_cache **sorted, const struct heap_snapshot *in,
					 const struct snapshot_cache *cache)
{
	const struct snapshot_cache **found = bsearch(
		&cache, sorted, in->cache_count, sizeof(const struct snapshot_cache *), by_address_and_name);

	return found ? *found : NULL;
}

int heap_diff(const struct heap_snapshot *before, const struct heap_snapshot *after,
	      const struct heap_diff_callbacks *callbacks, void *context)
{
	const struct diff diff = { before, after, callbacks, context };
	CLEANUP(free) const struct snapshot_cache **old = sort_caches(before);
	CLEANUP(free) const struct snapshot_cache **new = sort_caches(after);
	int status = 0;

	if (!old || !new)
		return -ENOMEM;
	for (size_t i = 0; i < after->cache_count && !status; i++)
		status = compare_caches(&diff, find(old, before, &after->caches[i]), &after->caches[i]);
	for (size_t i = 0; i < before->cache_count && !status; i++)
		if (!find(new, after, &before->caches[i]))
			status = compare_caches(&diff, &before->caches[i], NULL);
	return status;
}
