/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Where SLUB keeps what: members of its structures, flag bits and page types of the kernel at hand, found by
 * name in its types. Presence decides everything: a struct slab or the struct page before it (d122019bf061
 * "mm: Split slab into its own type", 5.17), CPU slabs or sheaves, node[] or per_node[].
 */
#ifndef DILL_SLAB_LAYOUT_H
#define DILL_SLAB_LAYOUT_H

#include "kernel_types.h"

struct kernel;

/* How a head page of a slab is told from others. */
enum slab_page_test {
	SLAB_PAGE_BY_FLAG,       /* a bit in page flags: until 6.9 */
	SLAB_PAGE_BY_CLEAR_BIT,  /* a bit of page_type that is 0: 46df8e73a4a3, 6.10 and 6.11 */
	SLAB_PAGE_BY_TYPE,       /* the top byte of page_type: 4ffca5a96678, 6.12 */
	SLAB_PAGE_BY_CACHE,      /* slab_cache: libslub's descriptors, which are no pages */
};

struct slab_flag {
	char name[28]; /* as the kernel's macro without SLAB_: "RED_ZONE", "TYPESAFE_BY_RCU" */
	uint64_t mask;
};

struct slab_layout {
	struct {
		size_t size; /* bytes that may be read: up to the end of the node pointers */
		struct field cpu_slab, cpu_sheaves;
		struct field flags, min_partial, object_bytes, object_size, offset, cpu_partial,
			cpu_partial_slabs;
		struct field sheaf_capacity, oo, min, refcount, ctor, inuse, align, red_left_pad, name, list;
		struct field random, useroffset, usersize, kobj;
		struct field node, barn; /* of node 0; barn only where it stands beside the node (7.1) */
		size_t node_stride;
	} cache; /* struct kmem_cache. object_bytes is its `size` */
	struct {
		size_t size;
		struct field freelist, tid, slab, partial;
	} cpu; /* struct kmem_cache_cpu */
	struct {
		size_t size;
		struct field main, spare, rcu_free;
	} sheaves; /* struct slub_percpu_sheaves */
	struct {
		struct field barn_list, capacity, cache, size, node; /* libslub's: barn_list alone, a pointer */
		size_t objects; /* offset of the array; 0: this kernel has no sheaves */
	} sheaf; /* struct slab_sheaf */
	struct {
		size_t size;
		struct field full, empty, nr_full, nr_empty; /* full: a list_head; libslub's: a pointer */
	} barn; /* struct node_barn */
	struct {
		size_t size;
		struct field nr_partial, partial, nr_slabs, total_objects, full, barn;
	} node; /* struct kmem_cache_node. nr_slabs, total_objects, full: with CONFIG_SLUB_DEBUG */
	struct {
		struct field flags, list, next, cache, freelist, inuse, objects, frozen, ext;
		struct field base, order, on_partial, node; /* libslub's alone: elsewhere the struct's place and size tell */
	} slab; /* struct slab, or struct page where it holds these */
	struct {
		size_t size;
		struct field flags, page_type, compound; /* compound_head, or compound_info since 7.1 */
		uint32_t order_offset; /* of the byte with the order, from the head page */
		uint8_t order_mask;
		uint8_t node_bits;  /* highest bits of the flags: the node (NODES_SHIFT); 0: there is but one */
		uint64_t head_mask; /* the flag of a compound head, 0 when unknown */
	} page; /* struct page */
	struct {
		size_t size;
		struct field addr, addrs, handle, cpu, pid, when;
	} track; /* struct track: addrs until 5.18, a stack depot handle since */
	enum slab_page_test page_test;
	uint64_t page_test_mask, page_test_value;
	bool is_hardened; /* CONFIG_SLAB_FREELIST_HARDENED: kmem_cache has random */
	struct slab_flag flags[64];
	size_t flag_count;
	/* Masks of those that the model needs; 0: this kernel has no such flag. */
	uint64_t flag_red_zone, flag_poison, flag_object_poison, flag_store_user, flag_trace;
	uint64_t flag_consistency, flag_typesafe_by_rcu, flag_kmalloc;
};

/* Fill @ret_layout from the kernel's types. -ENOENT names what is missing: no SLUB, or not one that we know.
 */
int slab_layout_load(struct kernel *kernel, struct slab_layout *ret_layout, struct error *err);

/* page_head() (page.h) of @page, of whose struct page @bytes are a copy. */
uint64_t slab_layout_head(const struct slab_layout *layout, uint64_t page, const void *bytes);
/* True when @page, the bytes of a struct page, is the first page of a slab. */
bool slab_layout_is_slab(const struct slab_layout *layout, const void *page);

#endif
