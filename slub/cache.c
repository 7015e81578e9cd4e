// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Caches: creating, merging, ending, counting; setting the allocator up.
#include "cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "debug.h"
#include "fork.h"
#include "machine.h"
#include "percpu.h"
#include "sheaf.h"
#include "cpu_slab.h"
#include "slab.h"
#include "slab_make.h"
#include "tracks.h"

#define CACHES_PER_BLOCK_PAGES 16
// Caches with these are never an alias and have none (SLAB_NEVER_MERGE, mm/slab_common.c).
#define NEVER_MERGE (SLUB_RED_ZONE | SLUB_POISON | SLUB_STORE_USER | SLUB_CONSISTENCY_CHECKS | SLUB_TYPESAFE_BY_RCU | \
		     SLUB_NO_MERGE)
// These must be the same (SLAB_MERGE_SAME).
#define MERGE_SAME (SLUB_NO_SHEAVES | SLUB_CPU_SLABS | SLUB_NO_HARDENED | SLUB_NO_RANDOM)

// Descriptors come out of blocks that stay; one that is not in use any more waits in free_caches.
static struct kmem_cache *new_descriptor(void)
{
	struct slub_state *state = &slub;
	size_t bytes = sizeof(struct kmem_cache) + state->nodes * sizeof(struct kmem_cache_node);
	struct kmem_cache *cache = state->free_caches;
	struct slub_dirty_part dirty;

	bytes = (bytes + 63) & ~(size_t)63;
	if (cache) {
		char *home = cache->percpu_home;

		state->free_caches = cache->next;
		memset(cache, 0, bytes);
		cache->percpu_home = home;
		return cache;
	}
	if ((size_t)(state->descriptors_end - state->descriptors) < bytes) {
		char *block = slub_pages_alloc_run(&state->pages, CACHES_PER_BLOCK_PAGES, 0, &dirty);

		if (!block)
			return NULL;
		state->descriptors = block;
		state->descriptors_end = block + CACHES_PER_BLOCK_PAGES * SLUB_PAGE_SIZE;
	}
	cache = (struct kmem_cache *)state->descriptors;
	state->descriptors += bytes;
	memset(cache, 0, bytes);
	return cache;
}

static void put_descriptor(struct kmem_cache *cache)
{
	cache->next = slub.free_caches;
	slub.free_caches = cache;
}

static void set_geometry(struct kmem_cache *cache, const struct slub_geometry *geometry)
{
	unsigned sheaf_bytes = (geometry->sheaf_capacity + SHEAF_HEADER_WORDS) * sizeof(void *);

	cache->geometry = *geometry;
	cache->size = geometry->size;
	cache->offset = geometry->offset;
	cache->red_left_pad = geometry->red_left_pad;
	cache->divisor = UINT64_MAX / geometry->size + 1;
	cache->has_sheaves = geometry->sheaf_capacity;
	// Without sheaves the bootstrap sheaf stays: empty and full.
	cache->sheaf_mask = cache->has_sheaves ? sheaf_bytes - 1 : sizeof(void *) - 1;
}

struct kmem_cache *slub_lay_cache(const char *name, const struct slub_geometry *geometry, uint32_t flags,
				  void (*ctor)(void *), uint8_t kind)
{
	struct kmem_cache *cache = new_descriptor();

	if (!cache)
		return NULL;
	set_geometry(cache, geometry);
	cache->flags = flags;
	cache->is_debugged = flags & SLUB_DEBUG_FLAGS;
	cache->has_cpu_slabs = flags & SLUB_CPU_SLABS && !cache->is_debugged;
	cache->has_cmpxchg_double = slub.has_cmpxchg_double;
	cache->checks_node = slub.nodes > 1 && cache->has_sheaves;
	cache->push_mask = cache->checks_node ? 0 : cache->sheaf_mask;
	cache->kind = kind;
	cache->ctor = ctor;
	cache->refcount = 1;
	// A list end is encoded NULL and a slot's address is never 0, so that no random word has to be avoided.
	cache->random = flags & SLUB_NO_HARDENED ? 0 : slub_random();
	strncpy(cache->name, name, sizeof(cache->name) - 1);
	for (unsigned number = 0; number < slub.nodes; number++)
		list_init(&cache->node[number].partial);
	if (!slub_percpu_add(cache) || !slub_shuffle_init(cache)) {
		put_descriptor(cache);
		return NULL;
	}
	cache->next = slub.caches;
	slub.caches = cache;
	return cache;
}

struct kmem_cache *slub_make_cache(const char *name, const struct slub_request *wanted, void (*ctor)(void *),
				   uint8_t kind)
{
	struct slub_request request = *wanted;
	struct slub_geometry geometry;
	struct kmem_cache *cache;

	if (kind != SLUB_PAGE_SHEAF)
		request.flags |= slub.default_flags | slub_debug_flags(name);
	if (!slub_geometry(&slub.rules, &request, &geometry))
		return NULL;
	cache = slub_lay_cache(name, &geometry, request.flags, ctor, kind);
	if (cache)
		cache->is_kmalloc = request.is_kmalloc;
	return cache;
}

// Sheaves are what other caches need before they have any.
static bool make_sheaf_caches(void)
{
	static const char names[][SLUB_NAME_BYTES] = {
		"slab_sheaf-64", "slab_sheaf-128", "slab_sheaf-256", "slab_sheaf-512", "slab_sheaf-1k", "slab_sheaf-2k",
	};
	const unsigned largest = slub.rules.sheaf_bytes ? SLUB_MAX_SHEAF : SLUB_MAX_KERNEL_SHEAF;

	for (unsigned bytes = 64, i = 0; bytes <= largest; bytes *= 2, i++) {
		struct slub_request request = { .object_size = bytes, .align = bytes, .flags = SLUB_NO_SHEAVES };
		struct kmem_cache **cache = &slub.sheaf_caches[slub_kmalloc_index(bytes)];

		if (!*cache)
			*cache = slub_make_cache(names[i], &request, NULL, SLUB_PAGE_SHEAF);
		if (!*cache)
			return false;
	}
	return true;
}

// The engine of caches that don't say which.
static uint32_t engine_by_environment(void)
{
	const char *engine = secure_getenv("SLUB_ENGINE");

	return engine && !strcmp(engine, "cpu_slabs") ? SLUB_CPU_SLABS : 0;
}

static bool set_up(struct slub_state *state)
{
	state->cpus = slub_machine_cpus();
	state->nodes = slub_machine_nodes(SLUB_MAX_NODES);
	state->seed = slub_machine_seed();
	state->has_cmpxchg_double = slub_machine_has_cmpxchg_double();
	if (!state->rules.cpus) {
		state->rules = slub_rules_of_programs(state->cpus);
		state->default_flags = engine_by_environment();
	}
	// What an earlier try came to have is kept.
	return (state->pages.count || slub_pages_init(&state->pages)) && (state->percpu || slub_percpu_init(state)) &&
	       make_sheaf_caches() && slub_kmalloc_init();
}

bool slub_init(void)
{
	struct slub_state *state = &slub;
	bool is_ready;

	if (__atomic_load_n(&state->is_ready, __ATOMIC_ACQUIRE))
		return true;
	// First, since a fork has to wait for a set-up that has begun.
	slub_watch_forks();
	slub_lock(&state->lock);
	is_ready = state->is_ready;
	if (!is_ready) {
		int saved = errno;

		is_ready = set_up(state);
		errno = saved;
		__atomic_store_n(&state->is_ready, is_ready, __ATOMIC_RELEASE);
	}
	slub_unlock(&state->lock);
	return is_ready;
}

static bool may_merge(const struct kmem_cache *cache, const struct slub_request *wanted,
		      const struct slub_geometry *geometry)
{
	return !(cache->flags & NEVER_MERGE) && !cache->ctor && cache->kind == SLUB_PAGE_SLAB &&
	       !((cache->flags ^ wanted->flags) & MERGE_SAME) && cache->size >= geometry->size &&
	       cache->size - geometry->size < sizeof(void *) && !(cache->size & (geometry->align - 1)) &&
	       cache->geometry.align >= geometry->align;
}

// A cache that can serve as this one too: find_mergeable(), mm/slab_common.c.
static struct kmem_cache *find_alias(const char *name, const struct slub_request *wanted, void (*ctor)(void *))
{
	struct slub_geometry geometry;

	if (ctor || wanted->flags & NEVER_MERGE || slub_debug_flags(name) || !slub_geometry(&slub.rules, wanted, &geometry))
		return NULL;
	for (struct kmem_cache *cache = slub.caches; cache; cache = cache->next) {
		if (may_merge(cache, wanted, &geometry))
			return cache;
	}
	return NULL;
}

struct kmem_cache *slub_kmem_cache_create(const char *name, unsigned size, unsigned align, uint32_t flags,
					  void (*ctor)(void *))
{
	struct slub_request request = { .object_size = size, .align = align, .flags = flags, .has_ctor = ctor };
	struct kmem_cache *cache;

	if (!slub_init())
		return NULL;
	request.flags |= slub.default_flags;
	if (flags & SLUB_STORE_USER)
		slub_tracks_prepare();
	slub_lock(&slub.lock);
	cache = find_alias(name, &request, ctor);
	if (cache) {
		cache->refcount++;
		if (size > cache->geometry.object_size)
			__atomic_store_n(&cache->geometry.object_size, size, __ATOMIC_RELAXED);
	} else {
		cache = slub_make_cache(name, &request, ctor, SLUB_PAGE_SLAB);
	}
	slub_unlock(&slub.lock);
	return cache;
}

// In a cache whose CPUs have nothing.
static size_t allocated_in(struct kmem_cache *cache)
{
	size_t count = 0;

	for (unsigned number = 0; number < slub.nodes; number++) {
		struct kmem_cache_node *node = &cache->node[number];

		slub_lock(&node->list_lock);
		count += node->total_objects - slub_slabs_count_free(node);
		slub_unlock(&node->list_lock);
	}
	return count;
}

static void unlink_cache(struct kmem_cache *cache)
{
	struct kmem_cache **link = &slub.caches;

	while (*link != cache)
		link = &(*link)->next;
	*link = cache->next;
}

static void flush(struct kmem_cache *cache)
{
	if (cache->has_cpu_slabs)
		slub_cpu_slab_flush(cache);
	else
		slub_sheaves_flush(cache);
}

size_t slub_kmem_cache_destroy(struct kmem_cache *cache)
{
	size_t left = 0;

	slub_lock(&slub.lock);
	if (cache->refcount > 1) {
		cache->refcount--;
		slub_unlock(&slub.lock);
		return 0;
	}
	flush(cache);
	slub_slabs_shrink(cache);
	left = allocated_in(cache);
	if (!left) {
		slub_percpu_remove(cache);
		slub_shuffle_end(cache);
		unlink_cache(cache);
		put_descriptor(cache);
	}
	slub_unlock(&slub.lock);
	return left;
}

size_t slub_kmem_cache_shrink(struct kmem_cache *cache)
{
	flush(cache);
	return slub_slabs_shrink(cache);
}

// Slabs come and go between nodes and CPUs meanwhile: what was met twice is not free twice.
static void describe_cpu_slabs(struct kmem_cache *cache, struct slub_cache_info *info)
{
	struct slub_cpu_slab_counts counts = slub_cpu_slab_count(cache);

	info->free_in_slabs += counts.in_slabs;
	if (info->free_in_slabs > info->objects)
		info->free_in_slabs = info->objects;
	info->free_in_sheaves = counts.on_cpus;
	if (info->free_in_sheaves > info->objects - info->free_in_slabs)
		info->free_in_sheaves = info->objects - info->free_in_slabs;
}

static void describe(struct kmem_cache *cache, struct slub_cache_info *info)
{
	*info = (struct slub_cache_info){
		.object_size = cache->geometry.object_size, .size = cache->size, .align = cache->geometry.align,
		.offset = cache->offset, .order = cache->geometry.order, .objects_per_slab = cache->geometry.objects,
		.min_partial = cache->geometry.min_partial, .sheaf_capacity = cache->geometry.sheaf_capacity,
		.aliases = cache->refcount - 1, .flags = cache->flags,
	};
	memcpy(info->name, cache->name, sizeof(info->name));
	for (unsigned number = 0; number < slub.nodes; number++) {
		struct kmem_cache_node *node = &cache->node[number];

		slub_lock(&node->list_lock);
		info->slabs += node->nr_slabs;
		info->partial_slabs += node->nr_partial;
		info->objects += node->total_objects;
		info->free_in_slabs += slub_slabs_count_free(node);
		slub_unlock(&node->list_lock);
	}
	if (cache->has_cpu_slabs)
		describe_cpu_slabs(cache, info);
	else
		info->free_in_sheaves = slub_sheaves_count(cache);
}

size_t slub_slabinfo(struct slub_cache_info *ret_info, size_t count)
{
	size_t caches = 0, at = 0;

	if (!slub_init())
		return 0;
	slub_lock(&slub.lock);
	for (struct kmem_cache *cache = slub.caches; cache; cache = cache->next)
		caches++;
	for (struct kmem_cache *cache = slub.caches; cache; cache = cache->next) {
		// The list has the newest first.
		size_t place = caches - ++at;

		if (place < count)
			describe(cache, &ret_info[place]);
	}
	slub_unlock(&slub.lock);
	return caches;
}
