// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Names of merged caches. The kernel keeps them nowhere but in sysfs: as links in /sys/kernel/slab to the
 * cache that took them in (mm/slub.c, sysfs_slab_alias()). kernfs holds a folder's entries in a red-black
 * tree; it is read level by level, each in one batch.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "slab_heap.h"

/* Entries of the folder: bounds a damaged tree. */
#define ENTRIES_MAX 65536
/* A red-black tree of so many entries is no deeper. */
#define LEVELS_MAX 40
/* enum kernfs_node_type has no other value for links since 3.14. */
#define KERNFS_LINK_DEFAULT 4

struct alias_layout {
	struct field kset_kobj, kobject_kset, kobject_sd, children, left, right, rb, name, flags, target, priv;
	size_t node_size;
	int64_t link;
};

static const struct field_spec alias_fields[] = {
	{ "kset", "kobj", offsetof(struct alias_layout, kset_kobj), true },
	{ "kobject", "kset", offsetof(struct alias_layout, kobject_kset), true },
	{ "kobject", "sd", offsetof(struct alias_layout, kobject_sd), true },
	{ "kernfs_node", "dir.children.rb_node", offsetof(struct alias_layout, children), true },
	{ "kernfs_node", "rb.rb_left", offsetof(struct alias_layout, left), true },
	{ "kernfs_node", "rb.rb_right", offsetof(struct alias_layout, right), true },
	{ "kernfs_node", "rb", offsetof(struct alias_layout, rb), true },
	{ "kernfs_node", "name", offsetof(struct alias_layout, name), true },
	{ "kernfs_node", "flags", offsetof(struct alias_layout, flags), true },
	{ "kernfs_node", "symlink.target_kn", offsetof(struct alias_layout, target), true },
	{ "kernfs_node", "priv", offsetof(struct alias_layout, priv), true },
};

struct link_entry {
	uint64_t name, target;
};

struct tree_walk {
	struct slab_heap *heap;
	struct alias_layout layout;
	uint64_t *level; /* nodes of this level; the next one is made in @below */
	uint64_t *below;
	size_t level_count, below_count;
	struct link_entry *links;
	size_t link_count;
	size_t seen;
};

/* The variable, or where names are hidden what a cache's kobject says (mm/slub.c, sysfs_slab_add()). */
static int find_kset(struct slab_heap *heap, const struct alias_layout *layout, uint64_t *ret_kset)
{
	uint64_t kset = 0;

	if (!kernel_read_variable(heap->kernel, "slab_kset", sizeof(*ret_kset), ret_kset))
		return 0;
	for (size_t i = 0; i < heap->cache_count && !kset; i++)
		if (field_read(heap->kernel, &layout->kobject_kset,
			       heap->caches[i].address + heap->layout.cache.kobj.offset, &kset))
			kset = 0;
	*ret_kset = kset;
	return kset ? 0 : -ENOENT;
}

static int root_of(struct slab_heap *heap, const struct alias_layout *layout, uint64_t *ret_root)
{
	uint64_t kset, folder;
	int status = find_kset(heap, layout, &kset);

	if (!status)
		status = kernel_read_u64(
			heap->kernel, kset + layout->kset_kobj.offset + layout->kobject_sd.offset, &folder);
	if (!status)
		status = kernel_read_u64(heap->kernel, folder + layout->children.offset, ret_root);
	return status;
}

static void visit_entry(struct tree_walk *walk, const void *bytes)
{
	const struct alias_layout *layout = &walk->layout;
	uint64_t left = field_get(&layout->left, bytes, layout->node_size);
	uint64_t right = field_get(&layout->right, bytes, layout->node_size);

	/* A link's word for its kind lies in flags' low four bits (KERNFS_TYPE_MASK). */
	if ((int64_t)(field_get(&layout->flags, bytes, layout->node_size) & 0xf) == layout->link)
		walk->links[walk->link_count++] =
			(struct link_entry){ field_get(&layout->name, bytes, layout->node_size),
					     field_get(&layout->target, bytes, layout->node_size) };
	if (left && walk->below_count < ENTRIES_MAX)
		walk->below[walk->below_count++] = left;
	if (right && walk->below_count < ENTRIES_MAX)
		walk->below[walk->below_count++] = right;
}

/* All entries of @walk->level; their children become the next level. */
static int read_level(struct tree_walk *walk)
{
	CLEANUP(free) struct memory_read *reads = calloc(walk->level_count, sizeof(*reads));
	CLEANUP(free) char *bytes = calloc(walk->level_count, walk->layout.node_size);
	uint64_t *spare = walk->level;
	int status;

	if (!reads || !bytes)
		return -ENOMEM;
	for (size_t i = 0; i < walk->level_count; i++)
		reads[i] = (struct memory_read){ .address = walk->level[i] - walk->layout.rb.offset,
						 .buffer = bytes + i * walk->layout.node_size,
						 .size = walk->layout.node_size };
	status = kernel_read_many(walk->heap->kernel, reads, walk->level_count);
	walk->below_count = 0;
	for (size_t i = 0; i < walk->level_count && !status && walk->seen < ENTRIES_MAX; i++) {
		walk->seen++;
		if (!reads[i].result)
			visit_entry(walk, reads[i].buffer);
	}
	walk->level = walk->below;
	walk->level_count = walk->below_count;
	walk->below = spare;
	return status;
}

static int add_alias(struct slab_cache *cache, const char *name)
{
	char **larger = realloc(cache->aliases, (cache->alias_count + 1) * sizeof(*larger));
	char *copy = strdup(name);

	if (larger)
		cache->aliases = larger;
	if (!larger || !copy) {
		free(copy);
		return -ENOMEM;
	}
	larger[cache->alias_count++] = copy;
	return 0;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* A link leads to the entry whose kobject is the cache's. */
static int name_caches(struct tree_walk *walk)
{
	CLEANUP(free) struct memory_read *reads = calloc(walk->link_count + 1, sizeof(*reads));
	CLEANUP(free) uint64_t *kobjects = calloc(walk->link_count + 1, sizeof(*kobjects));
	struct slab_heap *heap = walk->heap;
	int status;

	if (!reads || !kobjects)
		return -ENOMEM;
	for (size_t i = 0; i < walk->link_count; i++)
		reads[i] = (struct memory_read){ .address = walk->links[i].target + walk->layout.priv.offset,
						 .buffer = &kobjects[i],
						 .size = sizeof(kobjects[i]) };
	status = kernel_read_many(heap->kernel, reads, walk->link_count);
	for (size_t i = 0; i < walk->link_count && !status; i++) {
		uint32_t cache = slab_heap_find_address(heap, kobjects[i] - heap->layout.cache.kobj.offset);
		char name[sizeof(heap->caches->name)];

		/* The cache's own name can be a link as well: to its unique ID. */
		if (reads[i].result || cache == SLAB_NO_CACHE ||
		    kernel_read_string(heap->kernel, walk->links[i].name, name, sizeof(name)) || !name[0] ||
		    !strcmp(name, heap->caches[cache].name))
			continue;
		status = add_alias(&heap->caches[cache], name);
	}
	for (size_t i = 0; i < heap->cache_count && !status; i++)
		if (heap->caches[i].alias_count)
			qsort(heap->caches[i].aliases, heap->caches[i].alias_count, sizeof(char *),
			      compare_names);
	return status;
}

static int walk_folder(struct tree_walk *walk, uint64_t root)
{
	int status = 0;

	walk->level = calloc(ENTRIES_MAX + 1, sizeof(*walk->level));
	walk->below = calloc(ENTRIES_MAX + 1, sizeof(*walk->below));
	walk->links = calloc(ENTRIES_MAX + 1, sizeof(*walk->links));
	if (!walk->level || !walk->below || !walk->links)
		return -ENOMEM;
	walk->level[0] = root;
	walk->level_count = root ? 1 : 0;
	for (size_t depth = 0; depth < LEVELS_MAX && walk->level_count && !status; depth++)
		status = read_level(walk);
	return status ? status : name_caches(walk);
}

int slab_heap_read_aliases(struct slab_heap *heap, struct error *err)
{
	struct tree_walk walk = { .heap = heap };
	uint64_t root;
	int status;

	if (heap->kernel->process)
		return error_set(err, -ENOENT, "libslub keeps no names of merged caches");
	status = fields_load(heap->kernel->types, alias_fields, sizeof(alias_fields) / sizeof(alias_fields[0]),
			     &walk.layout, NULL);
	if (status || !field_exists(&heap->layout.cache.kobj))
		return error_set(err, -ENOENT, "this kernel keeps no names of merged caches");
	walk.layout.node_size = kernel_sizeof(heap->kernel->types, "kernfs_node");
	if (kernel_enumerator(heap->kernel->types, "KERNFS_LINK", &walk.layout.link))
		walk.layout.link = KERNFS_LINK_DEFAULT;
	status = root_of(heap, &walk.layout, &root);
	if (status)
		return error_set(err, -ENOENT, "sysfs' folder of caches (slab_kset) can't be read");
	status = walk_folder(&walk, root);
	free(walk.level);
	free(walk.below);
	free(walk.links);
	if (status)
		return error_set(err, status, "%s", status == -ENOMEM ? "no memory for names of caches"
								      : heap->kernel->reader.text);
	return 0;
}
