// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill kcache: which of its views is asked for. The views: kcache_list.c and those of kcache_views.h. */
#include "kcache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct kcache_settings, member)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct option_spec kcache_options[] = {
	{ 0, "filter", "GLOB", OPTION_TEXTS, AT(filters), NULL, "only caches whose name matches (may be repeated)" },
	{ 0, "sort", "KEY", OPTION_CHOICE, AT(sort), kcache_sorts,
	  "bytes (default), name, slabs, objects, allocated, free, waste, size, list (the kernel's order)" },
	{ 0, "top", "N", OPTION_NUMBER, AT(top), NULL, "only the first N caches" },
	{ 'i', "interval", "SEC", OPTION_DURATION, AT(interval_ns), NULL,
	  "show the list again and again, with what changed" },
	{ 0, "repeat", "N", OPTION_NUMBER, AT(repeat), NULL, "with -i: end after N lists" },
	{ 0, "aliases", NULL, OPTION_FLAG, AT(has_aliases), NULL,
	  "also the names of caches that were merged; matched too (slower)" },
};

static int kcache_configure(struct inspection *inspection, struct error *err)
{
	const struct kcache_settings *settings = inspection->options;

	if (settings->repeat && !settings->interval_ns)
		return error_set(err, -EINVAL, "--repeat needs -i");
	return 0;
}

static int kcache_show(struct inspection *inspection, struct error *err)
{
	struct kcache_settings *settings = inspection->invocation->settings;
	int status = kcache_show_list(inspection, inspection->invocation->words, err);

	text_list_deinit(&settings->filters);
	return status;
}

static const struct inspector kcache_inspector = { .configure = kcache_configure, .show = kcache_show };

static const struct view_record *const kcache_records[] = { &kcache_cache_record, &kcache_change_record,
							    &kcache_sum_record, &kcache_time_record, NULL };

const struct command kcache_command = {
	.name = "kcache",
	.summary = "slab caches: who holds what, counted to the last object",
	.usage = "[OPTIONS] [GLOB...]",
	.description = "Lists the kernel's slab caches with what /proc/slabinfo counts and with the truth beneath: "
		       "objects that\n"
		       "are truly allocated, free in slabs, on CPU freelists, in sheaves, or pending.",
	.options = kcache_options,
	.option_count = COUNT(kcache_options),
	.settings_size = sizeof(struct kcache_settings),
	.inspector = &kcache_inspector,
	.records = kcache_records,
};
