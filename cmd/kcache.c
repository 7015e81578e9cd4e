// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill kcache: which of its views is asked for. The views: kcache_list.c and those of kcache_views.h. */
#include "kcache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const kcache_object_choices[] = { "none", "allocated", "free", "all", NULL };

static const struct option_spec kcache_options[] = {
	KCACHE_LIST_OPTIONS("the kernel's order"),
	{ 0, "aliases", NULL, OPTION_FLAG, KCACHE_AT(has_aliases), NULL,
	  "also the names of caches that were merged; matched too (slower)" },
	{ 0, "check", NULL, OPTION_FLAG, KCACHE_AT(is_check), NULL,
	  "look for damage, in one cache or in all: freelists, lists, sheaves, counters, red zones, poison" },
	{ 0, "objects", "WHICH", OPTION_CHOICE, KCACHE_AT(objects.which), kcache_object_choices,
	  "list objects: allocated, free or all; of one cache, or without NAME of all" },
	{ 0, "slab", "ADDR", OPTION_TEXT, KCACHE_AT(slab), NULL, "the slab that covers ADDR: a map of its objects" },
	{ 0, "next", "N", OPTION_NUMBER, KCACHE_AT(next), NULL, "NAME's next N allocations on each CPU (or --cpu)" },
	{ 0, "hexdump", NULL, OPTION_FLAG, KCACHE_AT(objects.has_hexdump), NULL,
	  "with --objects or --slab: their bytes" },
	{ 0, "track", NULL, OPTION_FLAG, KCACHE_AT(objects.has_tracks), NULL,
	  "with --objects or --slab: who allocated and freed them (needs slub_debug=U)" },
	{ 0, "cpu", "N", OPTION_NUMBER, KCACHE_AT(scope.cpu), NULL, "with NAME: only this CPU" },
	{ 0, "node", "N", OPTION_NUMBER, KCACHE_AT(scope.node), NULL, "with NAME: only this node" },
	{ 0, "brief", NULL, OPTION_FLAG, KCACHE_AT(scope.is_brief), NULL, "with NAME: no chains of free objects" },
};
static const struct kcache_settings kcache_defaults = { .scope = { .cpu = KCACHE_ALL, .node = KCACHE_ALL } };

/* A word that can't be anything but one cache's name. */
static bool is_name(const struct invocation *invocation)
{
	return invocation->word_count == 1 && !strpbrk(invocation->words[0], "*?[");
}

static int kcache_configure(struct inspection *inspection, struct error *err)
{
	const struct kcache_settings *settings = inspection->options;
	const struct invocation *invocation = inspection->invocation;
	bool shows_objects = settings->objects.which || settings->slab;
	int views = shows_objects + (settings->next != 0) + settings->is_check;

	if (kcache_list_configure(settings, err))
		return -EINVAL;
	if (settings->interval_ns && inspection_is_of_caller(inspection))
		return error_set(err, -EINVAL, "-i: the target stands still, nothing would change");
	if (views > 1)
		return error_set(err, -EINVAL,
				 "--check, --next and --objects or --slab are different views: take one");
	if (views && invocation->word_count && !is_name(invocation))
		return error_set(err, -EINVAL, "one cache at a time");
	if (settings->next && !invocation->word_count)
		return error_set(err, -EINVAL, "--next needs the name of a cache");
	if ((settings->objects.has_hexdump || settings->objects.has_tracks) && !shows_objects)
		return error_set(err, -EINVAL, "--hexdump and --track go with --objects or --slab");
	return 0;
}

/* The message names what was probably meant. */
static int no_such_cache(const struct slab_heap *heap, const char *name, struct error *err)
{
	CLEANUP(free) const char **names = calloc(heap->cache_count + 1, sizeof(*names));
	const char *near;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < heap->cache_count; i++)
		names[i] = heap->caches[i].name;
	near = nearest_name(name, names);
	return error_set(err, -ENOENT,
			 near ? "no cache is called '%s': did you mean '%s'?" : "no cache is called '%s'", name,
			 near);
}

/* By name, by the name of a cache that was merged into it, or by address. */
static int find_cache(struct slab_heap *heap, const char *word, uint32_t *ret_cache, struct error *err)
{
	uint32_t cache = slab_heap_find(heap, word);
	uint64_t address;

	if (cache == SLAB_NO_CACHE && !strncmp(word, "0x", 2) && !inspect_hex(word, &address))
		cache = slab_heap_find_address(heap, address);
	if (cache == SLAB_NO_CACHE && !slab_heap_read_aliases(heap, NULL))
		cache = slab_heap_find(heap, word);
	if (cache == SLAB_NO_CACHE)
		return no_such_cache(heap, word, err);
	*ret_cache = cache;
	return 0;
}

static int show_one(struct inspection *inspection, const struct kcache_settings *settings, struct error *err)
{
	CLEANUP(slab_heap) struct slab_heap *heap = NULL;
	uint32_t cache = SLAB_NO_CACHE;
	uint64_t address;
	int status = slab_heap_open(inspection->kernel, &heap, err);

	if (!status && inspection->invocation->word_count)
		status = find_cache(heap, inspection->invocation->words[0], &cache, err);
	if (status)
		return status;
	if (settings->is_check)
		return kcache_show_check(inspection, heap, cache, err);
	if (settings->objects.which && !settings->slab)
		return kcache_show_objects(inspection, heap, cache, &settings->objects, err);
	if (settings->next)
		return kcache_show_next(inspection, heap, cache, &settings->scope, settings->next, err);
	if (!settings->slab)
		return kcache_show_cache(inspection, heap, cache, &settings->scope, err);
	status = inspect_hex(settings->slab, &address) ? inspect_address(inspection->kernel, settings->slab, &address, err)
						       : 0;
	return status ? status : kcache_show_slab(inspection, heap, cache, address, &settings->objects, err);
}

static int kcache_show(struct inspection *inspection, struct error *err)
{
	struct kcache_settings *settings = inspection->invocation->settings;
	bool is_view = settings->is_check || settings->objects.which || settings->slab || settings->next;
	int status;

	if (is_view || (is_name(inspection->invocation) && !settings->interval_ns))
		status = show_one(inspection, settings, err);
	else
		status = kcache_show_list(inspection, inspection->invocation->words, err);
	text_list_deinit(&settings->filters);
	return status;
}

static const struct inspector kcache_inspector = { .configure = kcache_configure,
						    .show = kcache_show,
						    .takes_processes = true };

static const struct view_record *const kcache_records[] = { &slabinfo_process_record, &kcache_cache_record,
							    &kcache_change_record,
							    &kcache_sum_record, &kcache_time_record,
							    &kcache_facts_record, &kcache_cpu_record,
							    &kcache_sheaves_record, &kcache_node_record,
							    &kcache_slab_record, &kcache_free_record,
							    &kcache_object_record, &kcache_object_line_record,
							    &kcache_map_record,
							    &kcache_next_record, &kcache_bytes_record,
							    &kcache_track_record, &kcache_finding_record,
							    &kcache_checked_record, NULL };

const struct command kcache_command = {
	.name = "kcache",
	.summary = "slab caches: who holds what, counted to the last object",
	.usage = "[OPTIONS] [GLOB...]\n[OPTIONS] NAME\n--check|--objects WHICH [OPTIONS] [NAME]\n--next N "
		 "NAME\n--slab ADDR [NAME]",
	.description =
		"Lists the kernel's slab caches with what /proc/slabinfo counts and with the truth beneath: "
		"objects that\n"
		"are truly allocated, free in slabs, on CPU freelists, in sheaves, or pending.\n"
		"With one NAME: that cache from the top down, each free object in the order in which it will "
		"be\n"
		"handed out. --check finds damage and exits with 1.",
	.options = kcache_options,
	.option_count = COUNT(kcache_options),
	.settings_size = sizeof(struct kcache_settings),
	.defaults = &kcache_defaults,
	.inspector = &kcache_inspector,
	.records = kcache_records,
};
