/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One slab cache (struct kmem_cache) as plain values. What it holds in slabs, CPUs and nodes is slab_heap.h's
 * part.
 */
#ifndef DILL_SLAB_CACHE_H
#define DILL_SLAB_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slab_layout.h"

struct kernel;

/* Bound of objects in one slab: the kernel has 15 bits for their number. */
#define SLAB_OBJECTS_MAX 32767
/* Larger blocks of pages than any allocator has. */
#define SLAB_ORDER_MAX 20

struct slab_cache_node {
	uint64_t node; /* struct kmem_cache_node; 0: the node has no memory */
	uint64_t barn; /* struct node_barn; 0: none */
};

struct slab_cache {
	uint64_t address;
	char name[96]; /* "" when it can't be read */
	uint64_t flags;
	uint32_t size;         /* from one object to the next, bytes */
	uint32_t object_size;  /* what is handed out */
	uint32_t inuse;        /* up to the metadata */
	uint32_t offset;       /* of the free pointer in the object */
	uint32_t align;
	uint32_t red_left_pad; /* from the slot's start to the object's; 0 without red zones */
	uint8_t order, min_order; /* pages of a slab, power of two; of one made when memory was short */
	uint16_t objects, min_objects;    /* in such slabs */
	uint64_t min_partial;
	uint32_t cpu_partial, cpu_partial_slabs; /* 0 where the kernel has none */
	uint32_t sheaf_capacity;                 /* 0: this cache has no sheaves */
	uint32_t sheaf_refill;                   /* objects that an empty sheaf gets from slabs; 0: its capacity */
	uint64_t random; /* XORed into free pointers; 0 when not hardened */
	int32_t refcount; /* 1 + aliases; −1: never merged */
	uint64_t ctor;
	uint32_t useroffset, usersize;
	uint64_t cpu_slab, cpu_sheaves; /* per-CPU pointers; 0: none */
	struct slab_cache_node *nodes;  /* owned; by node number, kernel->node_count of them */
	char **aliases; /* owned, sorted; NULL: not looked for */
	size_t alias_count;
	bool is_damaged; /* its numbers contradict each other: nothing of it should be trusted */
};

/* Decode one. @bytes is a copy of @layout->cache.size bytes. -EBADMSG is not returned: see is_damaged. */
int slab_cache_decode(struct kernel *kernel, const struct slab_layout *layout, uint64_t address,
		      const void *bytes, struct slab_cache *ret_cache);
void slab_cache_deinit(struct slab_cache *cache);
/* Whether its sizes and numbers can be; orders are SLAB_ORDER_MAX at most. */
bool slab_cache_is_plausible(const struct slab_cache *cache);

/* The flags by name, separated by '|', "" for none; unknown bits as 0x…. Returns @to. */
char *slab_cache_flag_names(const struct slab_layout *layout, uint64_t flags, char *to, size_t size);

/* Bytes of a slab of the normal order. */
static inline uint64_t slab_cache_slab_bytes(const struct slab_cache *cache)
{
	return UINT64_C(4096) << cache->order;
}

#endif
