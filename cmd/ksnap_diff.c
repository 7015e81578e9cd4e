// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill ksnap diff: what changed between two files, by cache, slab and object. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "heap_diff.h"
#include "heap_snapshot.h"
#include "ksnap.h"

enum {
	CACHE_NAME,
	CACHE_ADDR,
	CACHE_CHANGE,
	CACHE_ALLOCATED,
	CACHE_NEW,
	CACHE_FREED,
	CACHE_NUM_OBJS,
	CACHE_SLABS,
	CACHE_SLABS_NEW,
	CACHE_SLABS_GONE,
	CACHE_BYTES,
	CACHE_UNKNOWN,
	CACHE_COLUMNS
};
static const char *const change_names[] = { "same", "changed", "new", "gone", NULL };
static const struct view_column cache_columns[CACHE_COLUMNS] = {
	[CACHE_NAME] = { .name = "name", .type = VIEW_TEXT, .width = 24 },
	[CACHE_ADDR] = { .name = "addr", .type = VIEW_HEX, .is_json_only = true },
	[CACHE_CHANGE] = { .name = "change", .type = VIEW_ENUM, .names = change_names, .width = 7 },
	[CACHE_ALLOCATED] = { .name = "allocated", .title = "ALLOC±", .type = VIEW_I64, .width = 8 },
	[CACHE_NEW] = { .name = "newly_allocated", .title = "NEW", .type = VIEW_U64, .width = 7 },
	[CACHE_FREED] = { .name = "newly_freed", .title = "FREED", .type = VIEW_U64, .width = 7 },
	[CACHE_NUM_OBJS] = { .name = "num_objs", .title = "OBJECTS±", .type = VIEW_I64, .width = 8 },
	[CACHE_SLABS] = { .name = "slabs", .title = "SLABS±", .type = VIEW_I64, .width = 7 },
	[CACHE_SLABS_NEW] = { .name = "slabs_new", .type = VIEW_U64, .is_json_only = true },
	[CACHE_SLABS_GONE] = { .name = "slabs_gone", .type = VIEW_U64, .is_json_only = true },
	[CACHE_BYTES] = { .name = "bytes", .title = "BYTES±", .type = VIEW_BYTES, .width = 10 },
	[CACHE_UNKNOWN] = { .name = "unknown", .type = VIEW_U64, .is_json_only = true },
};
const struct view_record ksnap_cache_record = {
	.type = "cache_diff",
	.columns = cache_columns,
	.column_count = CACHE_COLUMNS,
};

enum {
	SLAB_CACHE_NAME,
	SLAB_START,
	SLAB_CHANGE,
	SLAB_OBJECTS,
	SLAB_NEW,
	SLAB_FREED,
	SLAB_COLUMNS
};
static const struct view_column slab_columns[SLAB_COLUMNS] = {
	[SLAB_CACHE_NAME] = { .name = "cache", .type = VIEW_TEXT, .width = 24 },
	[SLAB_START] = { .name = "start", .title = "SLAB AT", .type = VIEW_HEX, .width = 18 },
	[SLAB_CHANGE] = { .name = "change", .type = VIEW_ENUM, .names = change_names, .width = 7 },
	[SLAB_OBJECTS] = { .name = "objects", .type = VIEW_U64, .width = 7 },
	[SLAB_NEW] = { .name = "newly_allocated", .title = "NEW", .type = VIEW_U64, .width = 7 },
	[SLAB_FREED] = { .name = "newly_freed", .title = "FREED", .type = VIEW_U64, .width = 7 },
};
const struct view_record ksnap_slab_record = {
	.type = "slab_diff",
	.columns = slab_columns,
	.column_count = SLAB_COLUMNS,
	.starts_section = true,
};

enum {
	OBJECT_CACHE,
	OBJECT_ADDR,
	OBJECT_INDEX,
	OBJECT_CHANGE,
	OBJECT_STATE,
	OBJECT_COLUMNS
};
static const char *const object_changes[] = { "freed", "allocated", NULL };
static const struct view_column object_columns[OBJECT_COLUMNS] = {
	[OBJECT_CACHE] = { .name = "cache", .type = VIEW_TEXT, .width = 24 },
	[OBJECT_ADDR] = { .name = "addr", .title = "OBJECT AT", .type = VIEW_HEX, .width = 18 },
	[OBJECT_INDEX] = { .name = "index", .type = VIEW_U64, .width = 5 },
	[OBJECT_CHANGE] = { .name = "change", .type = VIEW_ENUM, .names = object_changes, .width = 9 },
	[OBJECT_STATE] = { .name = "state",
			   .type = VIEW_ENUM,
			   .names = slab_object_state_names,
			   .is_optional = true },
};
const struct view_record ksnap_object_record = {
	.type = "object_diff",
	.columns = object_columns,
	.column_count = OBJECT_COLUMNS,
	.starts_section = true,
};

enum {
	SUM_CACHES,
	SUM_ALLOCATED,
	SUM_NEW,
	SUM_FREED,
	SUM_SLABS,
	SUM_BYTES,
	SUM_COLUMNS
};
static const struct view_column sum_columns[SUM_COLUMNS] = {
	[SUM_CACHES] = { .name = "caches", .type = VIEW_U64 },
	[SUM_ALLOCATED] = { .name = "allocated", .type = VIEW_I64 },
	[SUM_NEW] = { .name = "newly_allocated", .type = VIEW_U64 },
	[SUM_FREED] = { .name = "newly_freed", .type = VIEW_U64 },
	[SUM_SLABS] = { .name = "slabs", .type = VIEW_I64 },
	[SUM_BYTES] = { .name = "bytes", .type = VIEW_BYTES },
};
const struct view_record ksnap_sum_record = {
	.type = "diff_sum",
	.columns = sum_columns,
	.column_count = SUM_COLUMNS,
	.text = "{caches} {caches:cache|caches} changed: {allocated:+} objects ({newly_allocated} allocated, "
		"{newly_freed} freed), {slabs:+} slabs, {bytes:+}",
};

struct difference {
	struct view *view;
	const struct ksnap_settings *settings;
	struct heap_cache_change *changes; /* owned: collected, to be sorted */
	size_t count, capacity;
	int64_t allocated, slabs, bytes;
	uint64_t newly_allocated, newly_freed, changed;
};

static const struct snapshot_cache *cache_of(const struct heap_cache_change *change)
{
	return change->after ? change->after : change->before;
}

static bool is_wanted(const struct ksnap_settings *settings, const struct heap_cache_change *change)
{
	for (size_t i = 0; i < settings->filters.count; i++)
		if (!fnmatch(settings->filters.list[i], cache_of(change)->name, 0))
			return true;
	return settings->filters.count == 0;
}

static unsigned int kind_of(const struct heap_cache_change *change)
{
	if (!change->before || !change->after)
		return change->after ? 2 : 3;
	return change->newly_allocated || change->newly_freed || change->slabs_new || change->slabs_gone ||
	       change->num_objs || change->allocated;
}

static int collect(const struct heap_cache_change *change, void *context)
{
	struct difference *difference = context;

	if (!is_wanted(difference->settings, change))
		return 0;
	difference->allocated += change->allocated;
	difference->slabs += change->slabs;
	difference->bytes += change->bytes;
	difference->newly_allocated += change->newly_allocated;
	difference->newly_freed += change->newly_freed;
	difference->changed += kind_of(change) != 0;
	if (kind_of(change) == 0 && !difference->settings->shows_all)
		return 0;
	if (difference->count == difference->capacity) {
		size_t capacity = difference->capacity ? 2 * difference->capacity : 64;
		void *grown = reallocarray(difference->changes, capacity, sizeof(*difference->changes));

		if (!grown)
			return -ENOMEM;
		difference->changes = grown;
		difference->capacity = capacity;
	}
	difference->changes[difference->count++] = *change;
	return 0;
}

static int by_number(int64_t one, int64_t other)
{
	return one == other ? 0 : one > other ? -1 : 1;
}

static int by_key(const void *one, const void *other, void *context)
{
	const struct heap_cache_change *a = one, *b = other;
	const struct ksnap_settings *settings = context;
	int order = 0;

	if (settings->sort == SORT_BYTES)
		order = by_number(a->bytes, b->bytes);
	else if (settings->sort == SORT_CHURN)
		order = by_number((int64_t)(a->newly_allocated + a->newly_freed),
				  (int64_t)(b->newly_allocated + b->newly_freed));
	if (!order && settings->sort != SORT_NAME)
		order = by_number(a->allocated, b->allocated);
	return order ? order : strcmp(cache_of(a)->name, cache_of(b)->name);
}

static int show_cache(struct view *view, const struct heap_cache_change *change)
{
	const struct view_value values[CACHE_COLUMNS] = {
		[CACHE_NAME] = view_text(cache_of(change)->name),
		[CACHE_ADDR] = view_u64(cache_of(change)->address),
		[CACHE_CHANGE] = view_u64(kind_of(change)),
		[CACHE_ALLOCATED] = view_i64(change->allocated),
		[CACHE_NEW] = view_u64(change->newly_allocated),
		[CACHE_FREED] = view_u64(change->newly_freed),
		[CACHE_NUM_OBJS] = view_i64(change->num_objs),
		[CACHE_SLABS] = view_i64(change->slabs),
		[CACHE_SLABS_NEW] = view_u64(change->slabs_new),
		[CACHE_SLABS_GONE] = view_u64(change->slabs_gone),
		[CACHE_BYTES] = view_i64(change->bytes),
		[CACHE_UNKNOWN] = view_u64(change->unknown),
	};

	return view_row(view, &ksnap_cache_record, values);
}

static int show_slab(const struct heap_slab_change *change, void *context)
{
	const struct difference *difference = context;
	const struct snapshot_slab *slab = change->after ? change->after : change->before;
	const struct view_value values[SLAB_COLUMNS] = {
		[SLAB_CACHE_NAME] = view_text(cache_of(change->cache)->name),
		[SLAB_START] = view_u64(slab->start),
		[SLAB_CHANGE] = view_u64(!change->before ? 2 : !change->after ? 3 : 1),
		[SLAB_OBJECTS] = view_u64(slab->objects),
		[SLAB_NEW] = view_u64(change->newly_allocated),
		[SLAB_FREED] = view_u64(change->newly_freed),
	};

	return is_wanted(difference->settings, change->cache) ?
		       view_row(difference->view, &ksnap_slab_record, values) :
		       0;
}

static int show_object(const struct heap_slab_change *change, uint64_t address, uint32_t index,
		       bool is_allocated, enum slab_object_state state, void *context)
{
	const struct difference *difference = context;
	const struct view_value values[OBJECT_COLUMNS] = {
		[OBJECT_CACHE] = view_text(cache_of(change->cache)->name),
		[OBJECT_ADDR] = view_u64(address),
		[OBJECT_INDEX] = view_u64(index),
		[OBJECT_CHANGE] = view_u64(is_allocated),
		[OBJECT_STATE] = change->after ? view_u64(state) : view_absent(),
	};

	return is_wanted(difference->settings, change->cache) ?
		       view_row(difference->view, &ksnap_object_record, values) :
		       0;
}

static int show_sum(const struct difference *difference)
{
	const struct view_value values[SUM_COLUMNS] = {
		[SUM_CACHES] = view_u64(difference->changed),
		[SUM_ALLOCATED] = view_i64(difference->allocated),
		[SUM_NEW] = view_u64(difference->newly_allocated),
		[SUM_FREED] = view_u64(difference->newly_freed),
		[SUM_SLABS] = view_i64(difference->slabs),
		[SUM_BYTES] = view_i64(difference->bytes),
	};

	return view_object(difference->view, &ksnap_sum_record, values);
}

static int show_difference(struct difference *difference, const struct heap_snapshot *before,
			   const struct heap_snapshot *after)
{
	const struct heap_diff_callbacks caches = { .cache = collect }, slabs = { .slab = show_slab },
					 objects = { .object = show_object };
	int status = heap_diff(before, after, &caches, difference);

	if (!status && difference->count)
		qsort_r(difference->changes, difference->count, sizeof(*difference->changes), by_key,
			(void *)difference->settings);
	for (size_t i = 0; i < difference->count && !status; i++)
		status = show_cache(difference->view, &difference->changes[i]);
	if (!status)
		status = show_sum(difference);
	if (!status && difference->settings->shows_slabs)
		status = heap_diff(before, after, &slabs, difference);
	if (!status && difference->settings->shows_objects)
		status = heap_diff(before, after, &objects, difference);
	free(difference->changes);
	return status;
}

static int load(const char *path, struct heap_snapshot *ret_snapshot, struct error *err)
{
	CLEANUP(fclose) FILE *file = fopen(path, "rbe");
	int status = file ? heap_snapshot_read(file, ret_snapshot, err) :
			    error_set(err, -errno, "%s", strerror(errno));

	return status ? error_context(err, "%s", path) : 0;
}

int ksnap_diff(struct inspection *inspection, const struct ksnap_settings *settings, char **words, struct error *err)
{
	struct difference difference = { .view = inspection->view, .settings = settings };
	struct heap_snapshot before = { 0 }, after = { 0 };
	int status = load(words[0], &before, err);

	if (!status)
		status = load(words[1], &after, err);
	if (!status)
		status = heap_snapshot_compare(&before, &after, err);
	if (!status)
		status = show_difference(&difference, &before, &after);
	if (!status && (before.is_damaged || after.is_damaged))
		inspect_incomplete(inspection,
				   "parts of the heap were unreadable or damaged when %s was saved",
				   before.is_damaged ? words[0] : words[1]);
	heap_snapshot_deinit(&before);
	heap_snapshot_deinit(&after);
	return status;
}
