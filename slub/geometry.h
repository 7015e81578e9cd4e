/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * How SLUB lays a cache out: sizes, offsets, orders and limits, by the kernel's own formulas.
 *
 * Pure arithmetic. The rules changed between kernels; struct slub_rules says which ones hold, so that the
 * allocator, the model and a test against a kernel's /sys/kernel/slab share one piece of code.
 */
#ifndef SLUB_GEOMETRY_H
#define SLUB_GEOMETRY_H

#include <stdbool.h>
#include <stdint.h>

#define SLUB_PAGE_SHIFT 12
#define SLUB_PAGE_SIZE (1u << SLUB_PAGE_SHIFT)
#define SLUB_MAX_OBJECTS_PER_SLAB 32767 /* counters has 15 bits (mm/slab.h) */
#define SLUB_MAX_PAGE_ORDER 10
#define SLUB_MAX_SHEAF 2048u       /* bytes of the largest sheaf; of the largest that the kernel has */
#define SLUB_MAX_KERNEL_SHEAF 512u

/* Which of the kernel's rules hold. All sizes in bytes. */
struct slub_rules {
	unsigned cpus;             /* for min_objects */
	unsigned max_order;        /* slub_max_order: 3 (PAGE_ALLOC_COSTLY_ORDER) */
	unsigned cache_line;       /* for SLUB_HWCACHE_ALIGN */
	unsigned track_size;       /* struct track: 0x98 until stack depots, 0x20 since */
	unsigned orig_size_bytes;  /* kept behind a kmalloc object when users are tracked: 0, 4 or 8 */
	bool kmalloc_aligns_to_factor; /* to the power of two in any kmalloc size; before, where that is all of it */
	bool order_by_min_objects; /* until "remove min_objects loop from calculate_order()" */
	bool cpu_partial_counts_objects; /* until b47291ef02b0 (5.16); slabs since */
	bool has_cpu_partial;      /* per-CPU partial lists (gone with the per-CPU slabs, 7.0) */
	bool has_sheaves;          /* every cache has sheaves (7.0) */
	unsigned sheaf_bytes;      /* sheaves hold objects of this many bytes where the kernel's would hold fewer */
};

/* How one cache is laid out; the fields bear the names of struct kmem_cache (mm/slab.h). */
struct slub_geometry {
	unsigned object_size, size, inuse, align, offset, red_left_pad;
	unsigned order, objects;         /* kmem_cache.oo */
	unsigned min_order, min_objects; /* kmem_cache.min */
	unsigned min_partial, cpu_partial, cpu_partial_slabs;
	unsigned sheaf_capacity; /* 0: no sheaves */
	unsigned sheaf_refill;   /* objects that a sheaf gets out of slabs: the kernel's capacity */
};

/* What is wanted of a cache. Flags are SLUB_… of slub.h. */
struct slub_request {
	unsigned object_size, align;
	uint32_t flags;
	bool has_ctor;
	bool is_kmalloc;
	/* Of struct kmem_cache_args: a place within the object for the free pointer that would stand outside, and objects
	 * that a sheaf must hold (0: as the formula says). */
	bool use_freeptr_offset;
	unsigned freeptr_offset, sheaf_capacity;
};

/* The rules of kernels since 7.0 with `cpus` CPUs. */
struct slub_rules slub_rules_of_sheaves(unsigned cpus);

/* The same with larger sheaves: what an allocator for programs gains most from, and no more than a kernel may spend. */
struct slub_rules slub_rules_of_programs(unsigned cpus);

/* The rules of kernels from 6.8 to 6.17 with `cpus` CPUs: per-CPU slabs and partial lists. */
struct slub_rules slub_rules_of_cpu_slabs(unsigned cpus);

/* The rules of kernels to 5.15: a CPU's partial list is measured by its free objects. */
struct slub_rules slub_rules_of_counted_objects(unsigned cpus);

/* Lay a cache out. False when an object is too large for a slab (calculate_sizes(), mm/slub.c). */
bool slub_geometry(const struct slub_rules *rules, const struct slub_request *request,
		   struct slub_geometry *ret);

/* The size class that kmalloc(size) takes: index into kmalloc_caches (1 = 96, 2 = 192, 3 = 8 … 13 = 8192), 0 for
 * size 0, -1 when it goes to pages (kmalloc_index(), include/linux/slab.h). */
int slub_kmalloc_index(uint64_t size);

/* The object size of that index; 0 for an index without one. */
unsigned slub_kmalloc_size(int index);

#endif
