// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The kernel's books of huge pages: huge_pages.h. */
#include "huge_pages.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

DEFINE_CLEANUP(closedir, DIR *, if (v) closedir(v));

static uint64_t read_number(const char *directory, const char *pool, const char *name)
{
	CLEANUP(fclose) FILE *file = NULL;
	uint64_t number = 0;
	char path[512];

	if (snprintf(path, sizeof(path), "%s/%s/%s", directory, pool, name) < (int)sizeof(path))
		file = fopen(path, "re");
	return file && fscanf(file, "%" SCNu64, &number) == 1 ? number : 0;
}

static int compare_sizes(const void *left, const void *right)
{
	const struct huge_pool *a = left, *b = right;

	return a->size_bytes < b->size_bytes ? -1 : a->size_bytes > b->size_bytes;
}

size_t huge_pools_read(const char *directory, struct huge_pool pools[HUGE_POOLS])
{
	CLEANUP(closedir) DIR *entries = opendir(directory);
	const struct dirent *entry;
	size_t count = 0;

	while (entries && count < HUGE_POOLS && (entry = readdir(entries))) {
		uint64_t kilobytes;
		char unit[3] = "";

		if (sscanf(entry->d_name, "hugepages-%" SCNu64 "%2s", &kilobytes, unit) != 2 || strcmp(unit, "kB") != 0 ||
		    kilobytes > UINT64_MAX / 1024)
			continue;
		pools[count++] = (struct huge_pool){
			.size_bytes = kilobytes * 1024,
			.pages = read_number(directory, entry->d_name, "nr_hugepages"),
			.free = read_number(directory, entry->d_name, "free_hugepages"),
			.reserved = read_number(directory, entry->d_name, "resv_hugepages"),
			.surplus = read_number(directory, entry->d_name, "surplus_hugepages"),
		};
	}
	qsort(pools, count, sizeof(*pools), compare_sizes);
	return count;
}

int huge_mapped_read(const char *path, struct huge_mapped *ret_mapped)
{
	struct huge_mapped mapped = { 0 };
	const struct {
		const char *name;
		uint64_t *place;
	} kinds[] = {
		{ "Rss", &mapped.rss },
		{ "AnonHugePages", &mapped.anonymous },
		{ "ShmemPmdMapped", &mapped.shmem },
		{ "FilePmdMapped", &mapped.file },
		{ "Private_Hugetlb", &mapped.hugetlb_private },
		{ "Shared_Hugetlb", &mapped.hugetlb_shared },
	};
	CLEANUP(fclose) FILE *file = fopen(path, "re");
	char line[512];
	bool has_any = false;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		uint64_t kilobytes;
		char name[32];

		if (sscanf(line, "%31[A-Za-z_]: %" SCNu64 " kB", name, &kilobytes) != 2)
			continue;
		for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
			if (strcmp(name, kinds[i].name) == 0) {
				*kinds[i].place += kilobytes * 1024;
				has_any = true;
			}
	}
	if (!has_any)
		return -ESRCH;
	*ret_mapped = mapped;
	return 0;
}

size_t huge_counters_read(const char *path, struct huge_counter counters[HUGE_COUNTERS])
{
	CLEANUP(fclose) FILE *file = fopen(path, "re");
	size_t count = 0;
	char line[128];

	while (file && count < HUGE_COUNTERS && fgets(line, sizeof(line), file)) {
		struct huge_counter *counter = &counters[count];

		if (sscanf(line, "%39s %" SCNu64, counter->name, &counter->value) == 2 &&
		    strncmp(counter->name, "thp_", 4) == 0)
			count++;
	}
	return count;
}

bool huge_pages_are_always(const char *path)
{
	CLEANUP(fclose) FILE *file = fopen(path, "re");
	char line[128];

	return file && fgets(line, sizeof(line), file) && strstr(line, "[always]");
}
