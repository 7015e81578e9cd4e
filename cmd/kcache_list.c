// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill kcache without a name: every cache with its totals, sorted and filtered, once or again and again. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "kcache.h"
#include "slab_totals.h"
#include "view.h"

const char *const kcache_sorts[] = { "bytes", "name",  "slabs", "objects", "allocated",
				     "free",  "waste", "size",  "list",    NULL };

enum {
	CACHE_NAME,
	CACHE_ADDR,
	CACHE_OBJECT_SIZE,
	CACHE_SIZE,
	CACHE_ALIGN,
	CACHE_ORDER,
	CACHE_PER_SLAB,
	CACHE_SLABS,
	CACHE_SLABS_PARTIAL,
	CACHE_NUM_OBJS,
	CACHE_ACTIVE,
	CACHE_ALLOCATED,
	CACHE_FREE_SLAB,
	CACHE_FREE_CPU_PARTIAL,
	CACHE_FREE_CPU,
	CACHE_FREE_SHEAF,
	CACHE_FREE_BARN,
	CACHE_PENDING,
	CACHE_SLABS_CPU,
	CACHE_SLABS_CPU_PARTIAL,
	CACHE_SLABS_FULL,
	CACHE_BYTES,
	CACHE_WASTE,
	CACHE_MIN_PARTIAL,
	CACHE_SHEAF_CAPACITY,
	CACHE_REFCOUNT,
	CACHE_ALIAS_COUNT,
	CACHE_FLAGS,
	CACHE_HARDENED,
	CACHE_ALIASES,
	CACHE_DAMAGED,
	CACHE_CHANGE, /* last: a list that is shown once has no such column */
	CACHE_COLUMNS
};
#define JSON_ONLY .is_json_only = true
#define HIDDEN_IF(condition) .is_json_only = (condition)
/* The same columns for kernels and for processes; in text a process's have more of how a cache is laid out. */
#define CACHE_COLUMNS_OF(is_process) \
	{ \
		[CACHE_NAME] = { .name = "name", .type = VIEW_TEXT, .width = (is_process) ? 14 : 24 }, \
		[CACHE_ADDR] = { .name = "addr", .type = VIEW_HEX, JSON_ONLY }, \
		[CACHE_OBJECT_SIZE] = { .name = "object_size", .title = "OBJECT", .type = VIEW_U64, .width = 6 }, \
		[CACHE_SIZE] = { .name = "size", .type = VIEW_U64, .width = 6 }, \
		[CACHE_ALIGN] = { .name = "align", .type = VIEW_U64, .width = 5, HIDDEN_IF(!(is_process)) }, \
		[CACHE_ORDER] = { .name = "order", .title = "O", .type = VIEW_U64, .width = 1 }, \
		[CACHE_PER_SLAB] = { .name = "objects_per_slab", .title = "PER", .type = VIEW_U64, .width = 4, \
				     HIDDEN_IF(!(is_process)) }, \
		[CACHE_SLABS] = { .name = "slabs", .type = VIEW_U64, .width = 6 }, \
		[CACHE_SLABS_PARTIAL] = { .name = "slabs_node_partial", .title = "PART", .type = VIEW_U64, \
					  .width = 4, HIDDEN_IF(!(is_process)) }, \
		[CACHE_NUM_OBJS] = { .name = "num_objs", .title = "OBJECTS", .type = VIEW_U64, .width = 7 }, \
		[CACHE_ACTIVE] = { .name = "active_objs", .title = "ACTIVE", .type = VIEW_U64, JSON_ONLY }, \
		[CACHE_ALLOCATED] = { .name = "allocated", .title = "ALLOC", .type = VIEW_U64, .width = 7 }, \
		[CACHE_FREE_SLAB] = { .name = "free_slab", .title = "SLAB", .type = VIEW_U64, .width = 5 }, \
		[CACHE_FREE_CPU_PARTIAL] = { .name = "free_cpu_partial", .type = VIEW_U64, JSON_ONLY }, \
		[CACHE_FREE_CPU] = { .name = "free_cpu", .title = "CPU", .type = VIEW_U64, .width = 5 }, \
		[CACHE_FREE_SHEAF] = { .name = "free_sheaf", .title = "SHEAF", .type = VIEW_U64, .width = 5 }, \
		[CACHE_FREE_BARN] = { .name = "free_barn", .type = VIEW_U64, JSON_ONLY }, \
		[CACHE_PENDING] = { .name = "pending", .title = "PEND", .type = VIEW_U64, .width = 4, \
				    HIDDEN_IF(is_process) }, \
		[CACHE_SLABS_CPU] = { .name = "slabs_cpu", .type = VIEW_U64, JSON_ONLY }, \
		[CACHE_SLABS_CPU_PARTIAL] = { .name = "slabs_cpu_partial", .type = VIEW_U64, JSON_ONLY }, \
		[CACHE_SLABS_FULL] = { .name = "slabs_full", .type = VIEW_U64, JSON_ONLY }, \
		[CACHE_BYTES] = { .name = "bytes", .type = VIEW_BYTES, .width = 9 }, \
		[CACHE_WASTE] = { .name = "waste_bytes", .title = "WASTE", .type = VIEW_BYTES, .width = 9 }, \
		[CACHE_MIN_PARTIAL] = { .name = "min_partial", .type = VIEW_U64, JSON_ONLY }, \
		[CACHE_SHEAF_CAPACITY] = { .name = "sheaf_capacity", .type = VIEW_U64, JSON_ONLY }, \
		[CACHE_REFCOUNT] = { .name = "refcount", .type = VIEW_I64, JSON_ONLY }, \
		[CACHE_ALIAS_COUNT] = { .name = "alias_count", .title = "ALIASES", .type = VIEW_U64, .width = 7, \
					HIDDEN_IF(!(is_process)) }, \
		[CACHE_FLAGS] = { .name = "flags", .type = VIEW_TEXT, HIDDEN_IF(!(is_process)) }, \
		[CACHE_HARDENED] = { .name = "hardened", .type = VIEW_BOOL, JSON_ONLY }, \
		[CACHE_ALIASES] = { .name = "aliases", .type = VIEW_TEXT, .is_optional = true, JSON_ONLY }, \
		[CACHE_DAMAGED] = { .name = "damaged", .type = VIEW_BOOL, .is_optional = true, JSON_ONLY }, \
		[CACHE_CHANGE] = { .name = "change", .type = VIEW_I64, .width = 7, .is_optional = true }, \
	}
static const struct view_column cache_columns[CACHE_COLUMNS] = CACHE_COLUMNS_OF(false);
static const struct view_column slabinfo_columns[CACHE_COLUMNS] = CACHE_COLUMNS_OF(true);
#define CACHE_RECORD(record, of, count) \
	const struct view_record record = { .type = "cache", .columns = of, .column_count = count }
CACHE_RECORD(kcache_cache_record, cache_columns, CACHE_CHANGE);
CACHE_RECORD(kcache_change_record, cache_columns, CACHE_COLUMNS);
CACHE_RECORD(slabinfo_cache_record, slabinfo_columns, CACHE_CHANGE);
CACHE_RECORD(slabinfo_change_record, slabinfo_columns, CACHE_COLUMNS);

enum {
	SUM_CACHES,
	SUM_SLABS,
	SUM_BYTES,
	SUM_OBJECTS,
	SUM_ALLOCATED,
	SUM_WASTE,
	SUM_COLUMNS
};
static const struct view_column sum_columns[SUM_COLUMNS] = {
	[SUM_CACHES] = { .name = "caches", .type = VIEW_U64 },
	[SUM_SLABS] = { .name = "slabs", .type = VIEW_U64 },
	[SUM_BYTES] = { .name = "bytes", .type = VIEW_BYTES },
	[SUM_OBJECTS] = { .name = "num_objs", .type = VIEW_U64 },
	[SUM_ALLOCATED] = { .name = "allocated", .type = VIEW_U64 },
	[SUM_WASTE] = { .name = "waste_bytes", .type = VIEW_BYTES },
};
const struct view_record kcache_sum_record = {
	.type = "cache_sum",
	.columns = sum_columns,
	.column_count = SUM_COLUMNS,
	.text = "{caches} {caches:cache|caches}, {slabs} {slabs:slab|slabs} of {bytes}: {num_objs} "
		"{num_objs:object|objects}, {allocated} allocated, {waste_bytes} in no allocated object",
	.is_remark = true,
};

enum {
	TIME_AT,
	TIME_COLUMNS
};
static const struct view_column time_columns[TIME_COLUMNS] = {
	[TIME_AT] = { .name = "time", .type = VIEW_TIME },
};
const struct view_record kcache_time_record = {
	.type = "snapshot",
	.columns = time_columns,
	.column_count = TIME_COLUMNS,
	.text = "{time}",
	.starts_section = true,
};

struct row {
	const struct slab_cache *cache;
	struct slab_totals totals;
	int64_t change; /* of allocated, since the list before */
	uint32_t position; /* in the kernel's list */
	bool has_change;
};

/* What the list before showed: for the column of changes. */
struct past {
	uint64_t address, allocated;
};

static bool matches_one(const struct slab_cache *cache, const char *pattern)
{
	if (!fnmatch(pattern, cache->name, 0))
		return true;
	for (size_t i = 0; i < cache->alias_count; i++)
		if (!fnmatch(pattern, cache->aliases[i], 0))
			return true;
	return false;
}

static bool is_wanted(const struct kcache_settings *settings, char **words, const struct slab_cache *cache)
{
	bool is_among = !*words && !settings->filters.count;

	for (size_t i = 0; words[i] && !is_among; i++)
		is_among = matches_one(cache, words[i]);
	for (size_t i = 0; i < settings->filters.count && !is_among; i++)
		is_among = matches_one(cache, settings->filters.list[i]);
	return is_among;
}

static uint64_t sort_key(const struct row *row, enum kcache_sort sort)
{
	switch (sort) {
	case KCACHE_BY_BYTES:
		return row->totals.bytes;
	case KCACHE_BY_SLABS:
		return row->totals.slabs;
	case KCACHE_BY_OBJECTS:
		return row->totals.num_objs;
	case KCACHE_BY_ALLOCATED:
		return row->totals.allocated;
	case KCACHE_BY_FREE:
		return row->totals.num_objs - row->totals.allocated;
	case KCACHE_BY_WASTE:
		return row->totals.waste;
	case KCACHE_BY_SIZE:
		return row->cache->size;
	case KCACHE_BY_LIST:
		return UINT64_MAX - row->position;
	default:
		return 0;
	}
}

/* Largest first; what is equal by name. */
static int compare_rows(const void *left, const void *right, void *context)
{
	const struct kcache_settings *settings = context;
	const struct row *a = left, *b = right;
	uint64_t key_a = sort_key(a, settings->sort), key_b = sort_key(b, settings->sort);

	if (key_a != key_b)
		return key_a > key_b ? -1 : 1;
	return strcmp(a->cache->name, b->cache->name);
}

static void join_aliases(const struct slab_cache *cache, char *text, size_t size)
{
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < cache->alias_count && length + 1 < size; i++) {
		int added = snprintf(text + length, size - length, "%s%s", i ? "," : "", cache->aliases[i]);

		length += added > 0 ? (size_t)added : 0;
	}
}

static const struct view_record *record_of(const struct inspection *inspection)
{
	const struct kcache_settings *settings = inspection->options;

	if (inspection->invocation->command->inspector->begins_with_process)
		return settings->interval_ns ? &slabinfo_change_record : &slabinfo_cache_record;
	return settings->interval_ns ? &kcache_change_record : &kcache_cache_record;
}

static int show_row(struct inspection *inspection, const struct slab_heap *heap, const struct row *row)
{
	const struct slab_totals *totals = &row->totals;
	char flags[512], aliases[1024];

	join_aliases(row->cache, aliases, sizeof(aliases));
	return view_row(inspection->view, record_of(inspection),
			(struct view_value[CACHE_COLUMNS]) {
				[CACHE_NAME] = view_text(row->cache->name),
				[CACHE_ADDR] = view_u64(row->cache->address),
				[CACHE_OBJECT_SIZE] = view_u64(row->cache->object_size),
				[CACHE_SIZE] = view_u64(row->cache->size),
				[CACHE_ALIGN] = view_u64(row->cache->align),
				[CACHE_ORDER] = view_u64(row->cache->order),
				[CACHE_PER_SLAB] = view_u64(row->cache->objects),
				[CACHE_SLABS] = view_u64(totals->slabs),
				[CACHE_NUM_OBJS] = view_u64(totals->num_objs),
				[CACHE_ACTIVE] = view_u64(totals->active_objs),
				[CACHE_ALLOCATED] = view_u64(totals->allocated),
				[CACHE_CHANGE] = row->has_change ? view_i64(row->change) : view_absent(),
				[CACHE_FREE_SLAB] = view_u64(totals->free_slab),
				[CACHE_FREE_CPU_PARTIAL] = view_u64(totals->free_cpu_partial),
				[CACHE_FREE_CPU] = view_u64(totals->free_cpu),
				[CACHE_FREE_SHEAF] = view_u64(totals->free_sheaf),
				[CACHE_FREE_BARN] = view_u64(totals->free_barn),
				[CACHE_PENDING] = view_u64(totals->pending),
				[CACHE_SLABS_CPU] = view_u64(totals->slabs_cpu),
				[CACHE_SLABS_CPU_PARTIAL] = view_u64(totals->slabs_cpu_partial),
				[CACHE_SLABS_PARTIAL] = view_u64(totals->slabs_node_partial),
				[CACHE_SLABS_FULL] = view_u64(totals->slabs_full),
				[CACHE_BYTES] = view_u64(totals->bytes),
				[CACHE_WASTE] = view_u64(totals->waste),
				[CACHE_MIN_PARTIAL] = view_u64(row->cache->min_partial),
				[CACHE_SHEAF_CAPACITY] = view_u64(row->cache->sheaf_capacity),
				[CACHE_ALIAS_COUNT] =
					view_u64(row->cache->refcount > 1 ? (uint64_t)row->cache->refcount - 1 : 0),
				[CACHE_FLAGS] = view_text(slab_cache_flag_names(
					&heap->layout, row->cache->flags, flags, sizeof(flags))),
				[CACHE_HARDENED] = view_bool(heap->encoding != SLAB_ENCODING_PLAIN),
				[CACHE_REFCOUNT] = view_i64(row->cache->refcount),
				[CACHE_ALIASES] = aliases[0] ? view_text(aliases) : view_absent(),
				[CACHE_DAMAGED] = totals->is_damaged ? view_bool(true) : view_absent(),
			});
}

static int show_sum(struct inspection *inspection, const struct row *rows, size_t count)
{
	uint64_t slabs = 0, bytes = 0, objects = 0, allocated = 0, waste = 0;

	if (inspection->invocation->output.is_json)
		return 0;
	for (size_t i = 0; i < count; i++) {
		slabs += rows[i].totals.slabs;
		bytes += rows[i].totals.bytes;
		objects += rows[i].totals.num_objs;
		allocated += rows[i].totals.allocated;
		waste += rows[i].totals.waste;
	}
	return view_object(inspection->view, &kcache_sum_record,
			   (struct view_value[SUM_COLUMNS]){
				   [SUM_CACHES] = view_u64(count),
				   [SUM_SLABS] = view_u64(slabs),
				   [SUM_BYTES] = view_u64(bytes),
				   [SUM_OBJECTS] = view_u64(objects),
				   [SUM_ALLOCATED] = view_u64(allocated),
				   [SUM_WASTE] = view_u64(waste),
			   });
}

static void find_change(struct row *row, const struct past *past, size_t count)
{
	for (size_t i = 0; i < count && !row->has_change; i++)
		if (past[i].address == row->cache->address) {
			row->change = (int64_t)(row->totals.allocated - past[i].allocated);
			row->has_change = true;
		}
}

/* The wanted caches, counted and sorted. *ret_rows is owned by the caller and borrows from @heap. */
static int collect_rows(const struct inspection *inspection, struct slab_heap *heap, char **words,
			struct row **ret_rows, size_t *ret_count, struct error *err)
{
	const struct kcache_settings *settings = inspection->options;
	CLEANUP(free) struct row *rows = calloc(heap->cache_count + 1, sizeof(*rows));
	CLEANUP(free) uint32_t *wanted = calloc(heap->cache_count + 1, sizeof(*wanted));
	size_t count = 0;
	int status;

	if (!rows || !wanted)
		return error_set(err, -ENOMEM, "no memory for the list of caches");
	for (size_t i = 0; i < heap->cache_count; i++)
		if (is_wanted(settings, words, &heap->caches[i]))
			wanted[count++] = (uint32_t)i;
	status = slab_heap_load(heap, wanted, count, err);
	for (size_t i = 0; i < count && !status; i++) {
		rows[i] = (struct row){ .cache = &heap->caches[wanted[i]], .position = wanted[i] };
		status = slab_totals_count(heap, wanted[i], &rows[i].totals, err);
	}
	if (status)
		return status;
	qsort_r(rows, count, sizeof(*rows), compare_rows, (void *)settings);
	*ret_rows = TAKE_PTR(rows);
	*ret_count = count;
	return 0;
}

/* Damage is an outcome, never silent: with what was read while memory changed it may be a mere race. */
static void judge(struct inspection *inspection, const struct slab_heap *heap, const struct row *rows,
		  size_t count)
{
	size_t damaged = 0;

	for (size_t i = 0; i < count; i++)
		damaged += rows[i].totals.is_damaged;
	if (inspection->kernel->source->is_live) {
		if (damaged)
			inspect_notice(inspection, "%zu caches changed while they were read, or are damaged",
				       damaged);
		return;
	}
	if (heap->finding_count) {
		inspect_notice(inspection, "damage was met %zu times: dill kcache --check shows it",
			       heap->finding_count);
		inspect_found(inspection);
	}
}

static int show_once(struct inspection *inspection, char **words, struct past **past, size_t *past_count,
		     struct error *err)
{
	const struct kcache_settings *settings = inspection->options;
	CLEANUP(slab_heap) struct slab_heap *heap = NULL;
	CLEANUP(free) struct row *rows = NULL;
	size_t count = 0, shown;
	int status = slab_heap_open(inspection->kernel, &heap, err);

	if (!status && settings->has_aliases)
		status = slab_heap_read_aliases(heap, err);
	if (!status)
		status = collect_rows(inspection, heap, words, &rows, &count, err);
	if (!status && inspection->kernel->process)
		status = slabinfo_show_process(inspection, err);
	if (status)
		return status;
	for (size_t i = 0; i < count; i++)
		find_change(&rows[i], *past, *past_count);
	shown = settings->top && settings->top < count ? settings->top : count;
	for (size_t i = 0; i < shown && !status; i++)
		status = show_row(inspection, heap, &rows[i]);
	if (!status)
		status = show_sum(inspection, rows, count);
	judge(inspection, heap, rows, count);
	if (!count && (*words || settings->filters.count))
		inspect_notice(inspection, "no cache matches");
	if (!settings->interval_ns || status)
		return status;
	free(*past);
	*past_count = count;
	*past = calloc(count + 1, sizeof(**past));
	if (!*past)
		return error_set(err, -ENOMEM, "no memory for the list of caches");
	for (size_t i = 0; i < count; i++)
		(*past)[i] = (struct past){ rows[i].cache->address, rows[i].totals.allocated };
	return 0;
}

static int show_time(struct inspection *inspection)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return view_object(
		inspection->view, &kcache_time_record,
		(struct view_value[TIME_COLUMNS]) {
			[TIME_AT] = view_u64((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec),
		});
}

int kcache_list_configure(const struct kcache_settings *settings, struct error *err)
{
	return settings->repeat && !settings->interval_ns ? error_set(err, -EINVAL, "--repeat needs -i") : 0;
}

int kcache_show_list(struct inspection *inspection, char **words, struct error *err)
{
	const struct kcache_settings *settings = inspection->options;
	struct past *past = NULL;
	size_t past_count = 0;
	int status = 0;

	for (uint64_t round = 0; !status; round++) {
		const struct timespec pause = { (time_t)(settings->interval_ns / 1000000000),
						(long)(settings->interval_ns % 1000000000) };

		if (settings->interval_ns)
			status = show_time(inspection);
		if (!status)
			status = show_once(inspection, words, &past, &past_count, err);
		if (!settings->interval_ns || (settings->repeat && round + 1 >= settings->repeat) || status)
			break;
		nanosleep(&pause, NULL);
		kernel_forget(inspection->kernel);
	}
	free(past);
	return status;
}
