/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * libslub: the kernel's SLUB allocator for programs. Caches of objects of one size, kmalloc's size classes on top.
 *
 * Names and rules are the kernel's (include/linux/slab.h), with `slub_` in front: per-CPU sheaves of free objects, a
 * barn of full and empty sheaves and a list of partial slabs per node, freelists that are hardened and in random
 * order. Every function may be called from any thread; none may be called from a signal handler, unless all calls
 * outside it are known not to be interrupted. No function sets errno. Memory comes from one reserved range of
 * addresses and goes back to the system when slabs become empty.
 */
#ifndef SLUB_H
#define SLUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLUB_API __attribute__((visibility("default")))

/* Flags of a cache. SLUB_DEFAULT_FLAGS is what the kernel does without being asked. */
enum {
	SLUB_CONSISTENCY_CHECKS = 1u << 0, /* F: each alloc and free is checked against the slab */
	SLUB_RED_ZONE = 1u << 1,           /* Z: bytes before and behind an object that nobody may write */
	SLUB_POISON = 1u << 2,             /* P: free objects are filled, and checked when they are taken */
	SLUB_STORE_USER = 1u << 3,         /* U: who allocated and who freed an object last */
	SLUB_HWCACHE_ALIGN = 1u << 4,
	SLUB_TYPESAFE_BY_RCU = 1u << 5,    /* the freelist pointer stands outside the object */
	SLUB_NO_MERGE = 1u << 6,
	SLUB_NO_SHEAVES = 1u << 7,         /* every call works on the slabs themselves */
	SLUB_NO_HARDENED = 1u << 8,        /* freelist pointers are stored as they are */
	SLUB_NO_RANDOM = 1u << 9,          /* new slabs hand out their objects in order of addresses */
	SLUB_CPU_SLABS = 1u << 10,         /* the engine of kernels up to 6.17: a slab per CPU and no sheaves */
	SLUB_DEFAULT_FLAGS = 0,
};

struct kmem_cache;

/*
 * A cache for objects of `size` bytes. `align` is 0 or a power of two up to a page. `ctor` (may be NULL) is called
 * once for each object when its slab is made; such a cache hands objects out as they were freed.
 * A cache without constructor may be an alias of another of like size, unless SLUB_NO_MERGE is set.
 * NULL when the size or alignment can't be had or memory is out. `name` is copied (31 bytes).
 */
SLUB_API struct kmem_cache *slub_kmem_cache_create(const char *name, unsigned size, unsigned align, uint32_t flags,
						   void (*ctor)(void *));

/* Give the cache up. Returns the number of objects that were still allocated: then the cache stays, and so do they.
 * An alias only lets go. Nobody may use the cache meanwhile. */
SLUB_API size_t slub_kmem_cache_destroy(struct kmem_cache *cache);

/* Give all cached free objects and empty slabs back. Returns the number of slabs that went. */
SLUB_API size_t slub_kmem_cache_shrink(struct kmem_cache *cache);

/* NULL when memory is out. */
SLUB_API void *slub_kmem_cache_alloc(struct kmem_cache *cache);
SLUB_API void *slub_kmem_cache_zalloc(struct kmem_cache *cache);
/* `object` (not NULL) came from this cache. */
SLUB_API void slub_kmem_cache_free(struct kmem_cache *cache, void *object);

/* All or nothing: `count` objects, or 0. */
SLUB_API size_t slub_kmem_cache_alloc_bulk(struct kmem_cache *cache, size_t count, void **ret_objects);
SLUB_API void slub_kmem_cache_free_bulk(struct kmem_cache *cache, size_t count, void **objects);

/* Memory of any size: classes 8 … 8192 with 96 and 192, whole pages above. Size 0 gives a pointer that may only be
 * freed. Aligned to the power of two in the size class (96: 32), to a page above 8192. */
SLUB_API void *slub_kmalloc(size_t size);
SLUB_API void *slub_kzalloc(size_t size);
SLUB_API void *slub_krealloc(void *object, size_t size);
/* NULL is fine. `object` may come from any cache. */
SLUB_API void slub_kfree(void *object);
/* Bytes that may be used at `object`; 0 for NULL. */
SLUB_API size_t slub_ksize(const void *object);

/* A line of slabinfo, with what the kernel counts wrongly told apart: objects in sheaves are free. */
struct slub_cache_info {
	char name[32];
	unsigned object_size, size, align, offset, order, objects_per_slab;
	unsigned min_partial, sheaf_capacity, aliases;
	uint32_t flags;
	size_t slabs, partial_slabs, objects;
	size_t free_in_slabs, free_in_sheaves; /* with CPU slabs: on CPUs' freelists. The rest is allocated */
};

/* Fill in up to `count` caches, the oldest first. Returns how many caches there are. Counts of a cache that is in use
 * meanwhile are of slightly different moments. */
SLUB_API size_t slub_slabinfo(struct slub_cache_info *ret_info, size_t count);

#ifdef __cplusplus
}
#endif
#endif
