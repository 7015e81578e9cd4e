// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill ksnap: saves the state of the slab heap, and shows what changed between two such files. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "heap_diff.h"
#include "heap_snapshot.h"
#include "inspect.h"
#include "slab_heap.h"
#include "view.h"

#define AT(member) offsetof(struct ksnap_settings, member)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

DEFINE_CLEANUP(slab_heap, struct slab_heap *, slab_heap_close(v));

struct ksnap_settings {
	struct text_list filters;
	bool shows_slabs, shows_objects, shows_all;
	unsigned sort;
	FILE *file;       /* save: opened before capabilities go */
	bool is_new_file; /* it wasn't there before */
};

enum { SORT_BYTES, SORT_OBJECTS, SORT_CHURN, SORT_NAME };
static const char *const ksnap_sorts[] = { "bytes", "objects", "churn", "name", NULL };

static const struct option_spec ksnap_options[] = {
	{ 0, "slabs", NULL, OPTION_FLAG, AT(shows_slabs), NULL,
	  "diff: also each slab that came, went or changed" },
	{ 0, "objects", NULL, OPTION_FLAG, AT(shows_objects), NULL,
	  "diff: also each object that was allocated or freed, with its address" },
	{ 0, "all", NULL, OPTION_FLAG, AT(shows_all), NULL, "diff: also caches that are as they were" },
	{ 0, "filter", "GLOB", OPTION_TEXTS, AT(filters), NULL,
	  "diff: only caches whose name matches (may be repeated)" },
	{ 0, "sort", "KEY", OPTION_CHOICE, AT(sort), ksnap_sorts,
	  "diff: bytes (default: most grown first), objects, churn (allocated + freed), name" },
};

enum {
	SAVED_FILE,
	SAVED_RELEASE,
	SAVED_CACHES,
	SAVED_SLABS,
	SAVED_OBJECTS,
	SAVED_ALLOCATED,
	SAVED_BYTES,
	SAVED_COLUMNS
};
static const struct view_column saved_columns[SAVED_COLUMNS] = {
	[SAVED_FILE] = { .name = "file", .type = VIEW_PATH },
	[SAVED_RELEASE] = { .name = "release", .type = VIEW_TEXT },
	[SAVED_CACHES] = { .name = "caches", .type = VIEW_U64 },
	[SAVED_SLABS] = { .name = "slabs", .type = VIEW_U64 },
	[SAVED_OBJECTS] = { .name = "objects", .type = VIEW_U64 },
	[SAVED_ALLOCATED] = { .name = "allocated", .type = VIEW_U64 },
	[SAVED_BYTES] = { .name = "file_bytes", .type = VIEW_BYTES },
};
static const struct view_record saved_record = {
	.type = "snapshot_saved",
	.columns = saved_columns,
	.column_count = SAVED_COLUMNS,
	.text = "{file}: {caches} {caches:cache|caches}, {slabs} {slabs:slab|slabs}, {objects} "
		"{objects:object|objects}, {allocated} allocated; {file_bytes}",
};

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
static const struct view_record cache_record = {
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
static const struct view_record slab_record = {
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
static const struct view_record object_record = {
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
static const struct view_record sum_record = {
	.type = "diff_sum",
	.columns = sum_columns,
	.column_count = SUM_COLUMNS,
	.text = "{caches} {caches:cache|caches} changed: {allocated:+} objects ({newly_allocated} allocated, "
		"{newly_freed} freed), {slabs:+} slabs, {bytes:+}",
};

/* Saving ------------------------------------------------------------------------------------------------- */

/* Kept as it is until there is something to write. Mode 0600: it says where the kernel keeps what. */
static int open_output(struct ksnap_settings *settings, const char *path, struct error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	settings->is_new_file = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	settings->file = fd >= 0 ? fdopen(fd, "wb") : NULL;
	return settings->file ? 0 : error_set(err, -errno, "%s: %s", path, strerror(errno));
}

static int write_output(const struct ksnap_settings *settings, const struct heap_snapshot *snapshot,
			const char *path, uint64_t *ret_bytes, struct error *err)
{
	struct stat at = { 0 };
	int status;

	/* Pipes and devices can't be cut, and needn't. */
	if (!fstat(fileno(settings->file), &at) && S_ISREG(at.st_mode) &&
	    ftruncate(fileno(settings->file), 0) < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	status = heap_snapshot_write(snapshot, settings->file, err);
	if (!status && (fflush(settings->file) || fstat(fileno(settings->file), &at)))
		status = error_set(err, -errno, "%s", strerror(errno));
	if (status)
		return error_context(err, "%s", path);
	*ret_bytes = (uint64_t)at.st_size;
	return 0;
}

static int show_saved(struct inspection *inspection, const struct heap_snapshot *snapshot, const char *path,
		      uint64_t bytes)
{
	struct view_value values[SAVED_COLUMNS] = {
		[SAVED_FILE] = view_text(path),
		[SAVED_RELEASE] = view_text(snapshot->identity.release),
		[SAVED_CACHES] = view_u64(snapshot->cache_count),
		[SAVED_SLABS] = view_u64(snapshot->slab_count),
		[SAVED_BYTES] = view_u64(bytes),
	};
	uint64_t objects = 0, allocated = 0;

	for (size_t i = 0; i < snapshot->slab_count; i++) {
		const struct snapshot_slab *slab = &snapshot->slabs[i];

		objects += slab->objects;
		for (uint32_t j = 0; j < slab->objects; j++)
			allocated += snapshot_state(snapshot, slab->states_at + j) == SLAB_OBJECT_ALLOCATED;
	}
	values[SAVED_OBJECTS] = view_u64(objects);
	values[SAVED_ALLOCATED] = view_u64(allocated);
	return view_object(inspection->view, &saved_record, values);
}

static int take(struct inspection *inspection, struct heap_snapshot *ret_snapshot, struct error *err)
{
	CLEANUP(slab_heap) struct slab_heap *heap = NULL;
	struct kernel *kernel;
	int status = inspection_kernel(inspection, &kernel, err);

	if (!status)
		status = slab_heap_open(kernel, &heap, err);
	return status ? status : heap_snapshot_take(heap, ret_snapshot, err);
}

static int save(struct inspection *inspection, const struct ksnap_settings *settings, const char *path,
		struct error *err)
{
	struct heap_snapshot snapshot = { 0 };
	uint64_t bytes = 0;
	int status = take(inspection, &snapshot, err);

	if (!status)
		status = write_output(settings, &snapshot, path, &bytes, err);
	else if (settings->is_new_file)
		unlink(path);
	if (!status)
		status = show_saved(inspection, &snapshot, path, bytes);
	if (!status && snapshot.is_damaged)
		inspect_incomplete(inspection,
				   "parts of the heap are unreadable or damaged (dill kcache --check)");
	heap_snapshot_deinit(&snapshot);
	return status;
}

/* Differences -------------------------------------------------------------------------------------------- */

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

	return view_row(view, &cache_record, values);
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
		       view_row(difference->view, &slab_record, values) :
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
		       view_row(difference->view, &object_record, values) :
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

	return view_object(difference->view, &sum_record, values);
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

static int diff(struct inspection *inspection, const struct ksnap_settings *settings, char **words,
		struct error *err)
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

/* The command -------------------------------------------------------------------------------------------- */

static int ksnap_configure(struct inspection *inspection, struct error *err)
{
	const struct invocation *invocation = inspection->invocation;
	const struct ksnap_settings *settings = inspection->options;
	const char *verb = invocation->word_count ? invocation->words[0] : "";

	if (!strcmp(verb, "save")) {
		if (invocation->word_count != 2)
			return error_set(err, -EINVAL, "save takes one FILE");
		if (settings->shows_slabs || settings->shows_objects || settings->shows_all ||
		    settings->filters.count)
			return error_set(err, -EINVAL, "save takes no option of diff");
		return open_output(invocation->settings, invocation->words[1], err);
	}
	if (!strcmp(verb, "diff"))
		return invocation->word_count == 3 ? 0 : error_set(err, -EINVAL, "diff takes two files");
	return error_set(err, -EINVAL, *verb ? "there is no 'ksnap %s': save or diff" : "save or diff?",
			 verb);
}

static int ksnap_show(struct inspection *inspection, struct error *err)
{
	struct ksnap_settings *settings = inspection->invocation->settings;
	char **words = inspection->invocation->words;
	int status = settings->file ? save(inspection, settings, words[1], err) :
				      diff(inspection, settings, words + 1, err);

	if (settings->file && fclose(settings->file) && !status)
		status = error_set(err, -errno, "%s: %s", words[1], strerror(errno));
	text_list_deinit(&settings->filters);
	return status;
}

static const struct inspector ksnap_inspector = { .configure = ksnap_configure,
						  .show = ksnap_show,
						  .opens_lazily = true };

static const struct view_record *const ksnap_records[] = { &saved_record, &cache_record, &slab_record,
							   &object_record, &sum_record, NULL };

const struct command ksnap_command = {
	.name = "ksnap",
	.summary = "snapshots of the slab heap, and what changed between two",
	.usage = "save [OPTIONS] FILE\ndiff [OPTIONS] BEFORE AFTER",
	.description = "save keeps the state of every object of every slab cache in a compact file; diff\n"
		       "shows what changed from one to another: by cache, slab and object.\n"
		       "Both must be of one boot.",
	.options = ksnap_options,
	.option_count = COUNT(ksnap_options),
	.settings_size = sizeof(struct ksnap_settings),
	.inspector = &ksnap_inspector,
	.records = ksnap_records,
};
