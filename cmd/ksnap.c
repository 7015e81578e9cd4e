// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill ksnap: the command, and save, which writes the state of the slab heap to a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "heap_snapshot.h"
#include "ksnap.h"
#include "slab_heap.h"
#include "view.h"

#define AT(member) offsetof(struct ksnap_settings, member)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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
				      ksnap_diff(inspection, settings, words + 1, err);

	if (settings->file && fclose(settings->file) && !status)
		status = error_set(err, -errno, "%s: %s", words[1], strerror(errno));
	text_list_deinit(&settings->filters);
	return status;
}

static const struct inspector ksnap_inspector = { .configure = ksnap_configure,
						  .show = ksnap_show,
						  .opens_lazily = true };

static const struct view_record *const ksnap_records[] = { &saved_record, &ksnap_cache_record,
							   &ksnap_slab_record, &ksnap_object_record,
							   &ksnap_sum_record, NULL };

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
