// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* cflags: -std=gnu17 -D_GNU_SOURCE -Islub */
/* ldflags: slub/geometry.c */
/*
 * Lays out every cache of the running kernel by libslub's formulas, and compares with what /sys/kernel/slab says of it.
 * Which of the kernel's rules hold is found by trying them all; exit 0 when some explain each figure of each cache.
 *
 * sysfs doesn't say what a cache asked for beyond its flags. So a free pointer that stands outside may be inside if only
 * that explains the size, a cache may have no sheaves though others have, and 32 objects may have been asked for.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "geometry.h"
#include "slub.h"

#define ROOT "/sys/kernel/slab"
#define MOST 1024
#define ASKED_SHEAF 32

struct cache {
	char name[256];
	bool is_kmalloc, is_boot, has_sheaf_file;
	unsigned object_size, size, align, order, objects, min_partial, cpu_partial, sheaf_capacity;
	uint32_t flags;
	bool has_ctor;
};

static struct cache caches[MOST];
static size_t nr_caches;

/* A file's first number; -1 when it isn't there or begins with something else. */
static long number(const char *name, const char *file)
{
	char path[320], text[64] = "";
	FILE *stream;

	snprintf(path, sizeof(path), ROOT "/%s/%s", name, file);
	stream = fopen(path, "r");
	if (!stream)
		return -1;
	if (!fgets(text, sizeof(text), stream))
		text[0] = 0;
	fclose(stream);
	/* "ctor" has a symbol's name. */
	return !strcmp(file, "ctor") ? text[0] && text[0] != '\n' : text[0] >= '0' && text[0] <= '9' ? atol(text) : -1;
}

static void read_cache(const char *name)
{
	static const struct {
		const char *file;
		uint32_t flag;
	} flags[] = {
		{ "sanity_checks", SLUB_CONSISTENCY_CHECKS }, { "red_zone", SLUB_RED_ZONE },       { "poison", SLUB_POISON },
		{ "store_user", SLUB_STORE_USER },            { "destroy_by_rcu", SLUB_TYPESAFE_BY_RCU },
		{ "hwcache_align", SLUB_HWCACHE_ALIGN },
	};
	struct cache *cache = &caches[nr_caches++];

	snprintf(cache->name, sizeof(cache->name), "%s", name);
	cache->object_size = (unsigned)number(name, "object_size");
	cache->size = (unsigned)number(name, "slab_size");
	cache->align = (unsigned)number(name, "align");
	cache->order = (unsigned)number(name, "order");
	cache->objects = (unsigned)number(name, "objs_per_slab");
	cache->min_partial = (unsigned)number(name, "min_partial");
	cache->cpu_partial = (unsigned)number(name, "cpu_partial");
	cache->has_sheaf_file = number(name, "sheaf_capacity") >= 0;
	cache->sheaf_capacity = cache->has_sheaf_file ? (unsigned)number(name, "sheaf_capacity") : 0;
	cache->has_ctor = number(name, "ctor") > 0;
	cache->is_kmalloc = strstr(name, "kmalloc-");
	cache->is_boot = !strcmp(name, "kmem_cache") || !strcmp(name, "kmem_cache_node");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		cache->flags |= number(name, flags[i].file) == 1 ? flags[i].flag : 0;
}

/* Directories only: a link is an alias, or the name of a cache that may be merged. Of those the name is what tells. */
static void read_caches(void)
{
	DIR *root = opendir(ROOT);
	struct dirent *entry;

	while (root && (entry = readdir(root)) && nr_caches < MOST) {
		if (entry->d_name[0] != '.' && entry->d_type == DT_DIR)
			read_cache(entry->d_name);
	}
	if (root)
		closedir(root);
}

static bool differs(const struct cache *cache, bool is_told, const char *what, unsigned computed, unsigned seen)
{
	if (computed == seen)
		return false;
	if (is_told)
		printf("%s (%u bytes, align %u, flags %#x%s): %s is %u, the formulas say %u\n", cache->name, cache->object_size,
		       cache->align, cache->flags, cache->has_ctor ? ", ctor" : "", what, seen, computed);
	return true;
}

/* How many figures of a cache the rules don't explain. */
static unsigned compare(const struct slub_rules *rules, const struct cache *cache, bool is_told, unsigned *assumptions)
{
	struct slub_request request = {
		.object_size = cache->object_size, .align = cache->is_kmalloc ? 0 : cache->align, .flags = cache->flags, .has_ctor = cache->has_ctor,
		.is_kmalloc = cache->is_kmalloc,
	};
	struct slub_geometry found;
	unsigned wrong = 0;

	if (!slub_geometry(rules, &request, &found)) {
		if (is_told)
			printf("%s: no slab for %u bytes, align %u\n", cache->name, cache->object_size, cache->align);
		return 1;
	}
	if (found.size != cache->size && (request.has_ctor || request.flags & SLUB_TYPESAFE_BY_RCU)) {
		request.use_freeptr_offset = true;
		(*assumptions)++;
	}
	if (cache->has_sheaf_file && !cache->sheaf_capacity && found.sheaf_capacity) {
		request.flags |= SLUB_NO_SHEAVES;
		*assumptions += !cache->is_boot;
	} else if (cache->sheaf_capacity == ASKED_SHEAF && found.sheaf_capacity != ASKED_SHEAF) {
		request.sheaf_capacity = ASKED_SHEAF;
		(*assumptions)++;
	}
	slub_geometry(rules, &request, &found);
	wrong += differs(cache, is_told, "slab_size", found.size, cache->size);
	wrong += differs(cache, is_told, "align", found.align, cache->align);
	wrong += differs(cache, is_told, "order", found.order, cache->order);
	wrong += differs(cache, is_told, "objs_per_slab", found.objects, cache->objects);
	wrong += differs(cache, is_told, "min_partial", found.min_partial, cache->min_partial);
	wrong += differs(cache, is_told, "cpu_partial", found.cpu_partial, cache->cpu_partial);
	wrong += differs(cache, is_told, "sheaf_capacity", found.sheaf_capacity, cache->sheaf_capacity);
	return wrong;
}

static unsigned try(const struct slub_rules *rules, bool is_told, unsigned *ret_assumptions)
{
	unsigned wrong = 0;

	*ret_assumptions = 0;
	for (size_t i = 0; i < nr_caches; i++)
		wrong += compare(rules, &caches[i], is_told, ret_assumptions);
	return wrong;
}

static void say(const struct slub_rules *rules)
{
	printf("rules: kmalloc aligned to %s, order by %s, CPU partial lists %s, sheaves %s, %u-byte tracks, %u bytes of original size\n",
	       rules->kmalloc_aligns_to_factor ? "the power of two in its size" : "sizes that are powers of two",
	       rules->order_by_min_objects ? "falling min_objects" : "waste alone",
	       !rules->has_cpu_partial ? "none" : rules->cpu_partial_counts_objects ? "by objects" : "by slabs",
	       rules->has_sheaves ? "everywhere" : "where asked for", rules->track_size, rules->orig_size_bytes);
}

int main(void)
{
	static const unsigned tracks[] = { 0x20, 0x98 }, orig_sizes[] = { 0, 4, 8 };
	struct slub_rules best = { .cpus = (unsigned)sysconf(_SC_NPROCESSORS_CONF) };
	unsigned least = ~0u, fewest = ~0u, assumptions;

	read_caches();
	for (unsigned trial = 0; trial < 2 * 2 * 2 * 2 * 2 * 2 * 3; trial++) {
		struct slub_rules rules = {
			.cpus = best.cpus, .max_order = 3, .cache_line = 64, .track_size = tracks[trial >> 4 & 1],
			.kmalloc_aligns_to_factor = trial >> 5 & 1, .orig_size_bytes = orig_sizes[trial / 64], .order_by_min_objects = trial & 1,
			.cpu_partial_counts_objects = trial & 2, .has_cpu_partial = trial & 4, .has_sheaves = trial & 8,
		};
		unsigned wrong = try(&rules, false, &assumptions);

		if (wrong < least || (wrong == least && assumptions < fewest)) {
			least = wrong;
			fewest = assumptions;
			best = rules;
		}
	}
	try(&best, true, &assumptions);
	say(&best);
	printf("%zu caches, %u CPUs: %u figures not explained, %u assumptions about what a cache asked for\n", nr_caches,
	       best.cpus, least, fewest);
	return nr_caches < 50 || least ? 1 : 0;
}
