// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A struct kmem_cache's bytes into values. Follows no list and reads no slab. */
#include "slab_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

/* kmem_cache_order_objects: mm/slub.c, OO_SHIFT. */
#define ORDER_SHIFT 16

bool slab_cache_is_plausible(const struct slab_cache *cache)
{
	uint64_t bytes = slab_cache_slab_bytes(cache);

	return cache->size && cache->object_size && cache->object_size <= cache->size &&
	       cache->inuse <= cache->size && (uint64_t)cache->offset + sizeof(uint64_t) <= cache->size &&
	       cache->red_left_pad < cache->size && cache->objects && cache->objects <= SLAB_OBJECTS_MAX &&
	       cache->min_objects && cache->min_objects <= SLAB_OBJECTS_MAX &&
	       (uint64_t)cache->objects * cache->size <= bytes &&
	       (uint64_t)cache->min_objects * cache->size <= UINT64_C(4096) << cache->min_order;
}

static void decode_orders(struct slab_cache *cache, uint64_t normal, uint64_t smallest)
{
	uint64_t order = normal >> ORDER_SHIFT, min_order = smallest >> ORDER_SHIFT;

	cache->order = order > SLAB_ORDER_MAX ? SLAB_ORDER_MAX : (uint8_t)order;
	cache->min_order = min_order > SLAB_ORDER_MAX ? SLAB_ORDER_MAX : (uint8_t)min_order;
	cache->objects = (uint16_t)normal;
	cache->min_objects = (uint16_t)smallest;
	cache->is_damaged = order > SLAB_ORDER_MAX || min_order > SLAB_ORDER_MAX;
}

static int decode_nodes(struct kernel *kernel, const struct slab_layout *layout, const void *bytes,
			struct slab_cache *cache)
{
	struct field node = layout->cache.node, barn = layout->cache.barn;

	cache->nodes = calloc(kernel->node_count ? kernel->node_count : 1, sizeof(*cache->nodes));
	if (!cache->nodes)
		return -ENOMEM;
	for (size_t i = 0; i < kernel->node_count; i++) {
		cache->nodes[i].node = field_get(&node, bytes, layout->cache.size);
		cache->nodes[i].barn = field_get(&barn, bytes, layout->cache.size);
		node.offset += layout->cache.node_stride;
		barn.offset += layout->cache.node_stride;
	}
	return 0;
}

int slab_cache_decode(struct kernel *kernel, const struct slab_layout *layout, uint64_t address,
		      const void *bytes, struct slab_cache *ret_cache)
{
#define GET(member) field_get(&layout->cache.member, bytes, layout->cache.size)
	struct slab_cache cache = {
		.address = address,
		.flags = GET(flags),
		.size = (uint32_t)GET(object_bytes),
		.object_size = (uint32_t)GET(object_size),
		.inuse = (uint32_t)GET(inuse),
		.offset = (uint32_t)GET(offset),
		.align = (uint32_t)GET(align),
		.min_partial = GET(min_partial),
		.cpu_partial = (uint32_t)GET(cpu_partial),
		.cpu_partial_slabs = (uint32_t)GET(cpu_partial_slabs),
		.sheaf_capacity = (uint32_t)GET(sheaf_capacity),
		.random = GET(random),
		.refcount = (int32_t)GET(refcount),
		.ctor = GET(ctor),
		.useroffset = (uint32_t)GET(useroffset),
		.usersize = (uint32_t)GET(usersize),
		.cpu_slab = GET(cpu_slab),
		.cpu_sheaves = GET(cpu_sheaves),
	};

	/* Objects are moved by the left red zone only where there are red zones. */
	if (cache.flags & layout->flag_red_zone)
		cache.red_left_pad = (uint32_t)GET(red_left_pad);
	decode_orders(&cache, GET(oo), GET(min));
	if (!slab_cache_is_plausible(&cache))
		cache.is_damaged = true;
	if (kernel_read_string(kernel, GET(name), cache.name, sizeof(cache.name)))
		cache.name[0] = '\0';
#undef GET
	if (decode_nodes(kernel, layout, bytes, &cache))
		return -ENOMEM;
	*ret_cache = cache;
	return 0;
}

void slab_cache_deinit(struct slab_cache *cache)
{
	for (size_t i = 0; i < cache->alias_count; i++)
		free(cache->aliases[i]);
	free(cache->aliases);
	free(cache->nodes);
	memset(cache, 0, sizeof(*cache));
}

static size_t append(char *to, size_t size, size_t length, const char *text)
{
	int added = length < size ? snprintf(to + length, size - length, "%s%s", length ? "|" : "", text) : 0;

	return added > 0 ? length + (size_t)added : length;
}

char *slab_cache_flag_names(const struct slab_layout *layout, uint64_t flags, char *to, size_t size)
{
	size_t length = 0;

	to[0] = '\0';
	for (size_t i = 0; i < layout->flag_count; i++) {
		if (!(flags & layout->flags[i].mask))
			continue;
		length = append(to, size, length, layout->flags[i].name);
		flags &= ~layout->flags[i].mask;
	}
	if (flags) {
		char unknown[24];

		snprintf(unknown, sizeof(unknown), "0x%llx", (unsigned long long)flags);
		append(to, size, length, unknown);
	}
	return to;
}
