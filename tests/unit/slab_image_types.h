/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The structures of slab_image.h as BTF, in four shapes that the kernel's have had. Offsets are this file's own, so
 * that only names can have led to them.
 */
#ifndef DILL_TESTS_SLAB_IMAGE_TYPES_H
#define DILL_TESTS_SLAB_IMAGE_TYPES_H

#include <assert.h>
#include <bpf/btf.h>

#include "kernel_types.h"

enum shape {
	SHAPE_PAGE,    /* slabs are struct page, PG_slab is a flag: 5.10 */
	SHAPE_SLAB,    /* struct slab, PG_slab is a flag: 6.1 */
	SHAPE_TYPED,   /* struct slab, marked by a page type: 6.12 */
	SHAPE_SHEAVES, /* no CPU slabs, per_node[]: 7.1 */
	SHAPES,
};

enum {
	C_CPU_SLAB = 0x10,
	C_FLAGS = 0x20,
	C_MIN_PARTIAL = 0x28,
	C_SIZE = 0x30,
	C_OBJECT_SIZE = 0x34,
	C_OFFSET = 0x38,
	C_CPU_PARTIAL = 0x3c,
	C_SHEAF_CAPACITY = 0x40,
	C_OO = 0x44,
	C_MIN = 0x48,
	C_REFCOUNT = 0x4c,
	C_CTOR = 0x50,
	C_INUSE = 0x58,
	C_ALIGN = 0x5c,
	C_RED_LEFT = 0x60,
	C_NAME = 0x68,
	C_LIST = 0x70,
	C_RANDOM = 0x80,
	C_SHEAVES = 0x88,
	C_NODES = 0x90,
	C_BYTES = 0x200, /* one cache to the next */
	CPU_FREELIST = 8,
	CPU_TID = 0,
	CPU_SLAB = 24,
	CPU_PARTIAL = 16,
	CPU_BYTES = 32,
	SHEAVES_MAIN = 0,
	SHEAVES_SPARE = 8,
	SHEAVES_RCU = 16,
	SHEAVES_BYTES = 24,
	SHEAF_LIST = 0,
	SHEAF_CACHE = 16,
	SHEAF_SIZE = 24,
	SHEAF_OBJECTS = 32,
	SHEAF_CAPACITY = 4,
	BARN_FULL = 0,
	BARN_EMPTY = 16,
	BARN_NR_FULL = 32,
	BARN_NR_EMPTY = 36,
	BARN_BYTES = 40,
	N_NR_PARTIAL = 0,
	N_PARTIAL = 8,
	N_NR_SLABS = 24,
	N_TOTAL = 32,
	N_FULL = 40,
	N_BYTES = 64,
	P_FLAGS = 0,
	P_LIST = 16,
	P_NEXT = 16,
	P_CACHE = 8,
	P_FREELIST = 32,
	P_COUNTERS = 40,
	P_TYPE = 48,
	P_COMPOUND = 56,
	P_EXTENSION = 56, /* of a head page, TYPED and SHEAVES */
	T_ADDR = 0,
	T_ADDRS = 8, /* 16 of them: SHAPE_PAGE */
	T_HANDLE = 8,
	T_CPU = 12, /* behind the addrs: T_LATE further */
	T_PID = 16,
	T_WHEN = 24,
	T_BYTES = 32,
	T_LATE = 128,
	RECORD_SIZE = 20, /* struct stack_record */
	RECORD_ENTRIES = 32,
	KFENCE_ADDR = 8, KFENCE_BYTES = 24,
	FLAG_RED_ZONE = 0x400,
	FLAG_POISON = 0x800,
	FLAG_KMALLOC = 0x1000,
	FLAG_STORE_USER = 0x10000,
};

struct image_types {
	int u8, u32, u64, list, order, counter;
};

static inline void add_field(struct btf *btf, const char *name, int type, unsigned bytes)
{
	assert(!btf__add_field(btf, name, type, bytes * 8, 0));
}

static inline void add_cache_type(struct btf *btf, const struct image_types *t, enum shape shape)
{
	bool has_sheaves = shape == SHAPE_SHEAVES;
	int item = 0, array, node;

	if (has_sheaves) {
		item = btf__add_struct(btf, "kmem_cache_per_node_ptrs", 16);
		add_field(btf, "barn", t->u64, 0);
		add_field(btf, "node", t->u64, 8);
	}
	array = btf__add_array(btf, t->u32, has_sheaves ? item : t->u64, 1024);
	node = btf__add_struct(btf, "kmem_cache", C_NODES + 1024 * (has_sheaves ? 16 : 8));
	assert(node > 0);
	if (!has_sheaves) {
		add_field(btf, "cpu_slab", t->u64, C_CPU_SLAB);
		add_field(btf, "cpu_partial", t->u32, C_CPU_PARTIAL);
	} else {
		add_field(btf, "cpu_sheaves", t->u64, C_SHEAVES);
		add_field(btf, "sheaf_capacity", t->u32, C_SHEAF_CAPACITY);
	}
	add_field(btf, "flags", t->u64, C_FLAGS);
	add_field(btf, "min_partial", t->u64, C_MIN_PARTIAL);
	add_field(btf, "size", t->u32, C_SIZE);
	add_field(btf, "object_size", t->u32, C_OBJECT_SIZE);
	add_field(btf, "offset", t->u32, C_OFFSET);
	add_field(btf, "oo", t->order, C_OO);
	add_field(btf, "min", t->order, C_MIN);
	add_field(btf, "refcount", t->u32, C_REFCOUNT);
	add_field(btf, "ctor", t->u64, C_CTOR);
	add_field(btf, "inuse", t->u32, C_INUSE);
	add_field(btf, "align", t->u32, C_ALIGN);
	add_field(btf, "red_left_pad", t->u32, C_RED_LEFT);
	add_field(btf, "name", t->u64, C_NAME);
	add_field(btf, "list", t->list, C_LIST);
	add_field(btf, "random", t->u64, C_RANDOM);
	add_field(btf, has_sheaves ? "per_node" : "node", array, C_NODES);
}

static inline void add_page_fields(struct btf *btf, const struct image_types *t)
{
	add_field(btf, "slab_list", t->list, P_LIST);
	add_field(btf, "next", t->u64, P_NEXT);
	add_field(btf, "slab_cache", t->u64, P_CACHE);
	add_field(btf, "freelist", t->u64, P_FREELIST);
	assert(!btf__add_field(btf, "inuse", t->u32, P_COUNTERS * 8, 16));
	assert(!btf__add_field(btf, "objects", t->u32, P_COUNTERS * 8 + 16, 15));
	assert(!btf__add_field(btf, "frozen", t->u32, P_COUNTERS * 8 + 31, 1));
}

static inline void add_page_types(struct btf *btf, const struct image_types *t, enum shape shape)
{
	if (shape != SHAPE_PAGE) {
		btf__add_struct(btf, "slab", 64);
		add_field(btf, "__page_flags", t->u64, P_FLAGS);
		add_page_fields(btf, t);
		if (shape >= SHAPE_TYPED)
			add_field(btf, "obj_exts", t->u64, P_EXTENSION);
	}
	btf__add_struct(btf, "page", 64);
	add_field(btf, "flags", t->u64, P_FLAGS);
	if (shape == SHAPE_PAGE)
		add_page_fields(btf, t);
	add_field(btf, "page_type", t->u32, P_TYPE);
	add_field(btf, shape == SHAPE_SHEAVES ? "compound_info" : "compound_head", t->u64, P_COMPOUND);
	btf__add_enum(btf, "pagetype", 4);
	if (shape >= SHAPE_TYPED)
		btf__add_enum_value(btf, "PGTY_slab", 0xf5);
	else
		btf__add_enum_value(btf, "PG_slab", 9);
}

static inline void add_cpu_types(struct btf *btf, const struct image_types *t, enum shape shape)
{
	if (shape != SHAPE_SHEAVES) {
		btf__add_struct(btf, "kmem_cache_cpu", CPU_BYTES);
		add_field(btf, "tid", t->u64, CPU_TID);
		add_field(btf, "freelist", t->u64, CPU_FREELIST);
		add_field(btf, "partial", t->u64, CPU_PARTIAL);
		add_field(btf, shape == SHAPE_PAGE ? "page" : "slab", t->u64, CPU_SLAB);
		return;
	}
	btf__add_struct(btf, "slub_percpu_sheaves", SHEAVES_BYTES);
	add_field(btf, "main", t->u64, SHEAVES_MAIN);
	add_field(btf, "spare", t->u64, SHEAVES_SPARE);
	add_field(btf, "rcu_free", t->u64, SHEAVES_RCU);
	btf__add_struct(btf, "slab_sheaf", SHEAF_OBJECTS);
	add_field(btf, "barn_list", t->list, SHEAF_LIST);
	add_field(btf, "cache", t->u64, SHEAF_CACHE);
	add_field(btf, "size", t->u32, SHEAF_SIZE);
	add_field(btf, "objects", btf__type_cnt(btf), SHEAF_OBJECTS);
	assert(btf__add_array(btf, t->u32, t->u64, 0) > 0);
	btf__add_struct(btf, "node_barn", BARN_BYTES);
	add_field(btf, "sheaves_full", t->list, BARN_FULL);
	add_field(btf, "sheaves_empty", t->list, BARN_EMPTY);
	add_field(btf, "nr_full", t->u32, BARN_NR_FULL);
	add_field(btf, "nr_empty", t->u32, BARN_NR_EMPTY);
	btf__add_struct(btf, "llist_head", 8);
	add_field(btf, "first", t->u64, 0);
	btf__add_struct(btf, "defer_free", 16);
	add_field(btf, "objects", btf__type_cnt(btf) - 2, 8);
}

/*
 * struct track with stacks in it, or with handles of the depot, whose pools are: stack_slabs[], stack_pools[], an
 * array that stack_pools points to.
 */
static inline void add_track_types(struct btf *btf, const struct image_types *t, enum shape shape)
{
	unsigned late = shape == SHAPE_PAGE ? T_LATE : 0;
	int addrs = shape == SHAPE_PAGE ? btf__add_array(btf, t->u32, t->u64, 16) : 0;

	btf__add_struct(btf, "track", T_BYTES + late);
	add_field(btf, "addr", t->u64, T_ADDR);
	if (shape == SHAPE_PAGE)
		add_field(btf, "addrs", addrs, T_ADDRS);
	else
		add_field(btf, "handle", t->u32, T_HANDLE);
	add_field(btf, "cpu", t->u32, T_CPU + late);
	add_field(btf, "pid", t->u32, T_PID + late);
	add_field(btf, "when", t->u64, T_WHEN + late);
	if (shape == SHAPE_PAGE)
		return;
	btf__add_struct(btf, "handle_parts", 4);
	assert(!btf__add_field(btf, shape == SHAPE_SLAB ? "slabindex" : "pool_index_plus_1", t->u32, 0, 17));
	assert(!btf__add_field(btf, "offset", t->u32, 17, 10));
	addrs = btf__add_array(btf, t->u32, t->u64, 64);
	btf__add_struct(btf, "stack_record", RECORD_ENTRIES + 64 * 8);
	add_field(btf, "size", t->u32, RECORD_SIZE);
	add_field(btf, "entries", addrs, RECORD_ENTRIES);
}

static inline struct kernel_types *image_types(enum shape shape)
{
	struct btf *btf = btf__new_empty();
	struct kernel_types *types = NULL;
	struct image_types t;
	const void *bytes;
	uint32_t size;

	t.u8 = btf__add_int(btf, "unsigned char", 1, 0);
	t.u32 = btf__add_int(btf, "unsigned int", 4, 0);
	t.u64 = btf__add_int(btf, "unsigned long", 8, 0);
	t.list = btf__add_struct(btf, "list_head", 16);
	add_field(btf, "next", t.u64, 0);
	add_field(btf, "prev", t.u64, 8);
	t.order = btf__add_struct(btf, "kmem_cache_order_objects", 4);
	add_field(btf, "x", t.u32, 0);
	t.counter = btf__add_struct(btf, "atomic64_t", 8);
	add_field(btf, "counter", t.u64, 0);
	add_cache_type(btf, &t, shape);
	btf__add_struct(btf, "kmem_cache_node", N_BYTES);
	add_field(btf, "nr_partial", t.u64, N_NR_PARTIAL);
	add_field(btf, "partial", t.list, N_PARTIAL);
	add_field(btf, "nr_slabs", t.counter, N_NR_SLABS);
	add_field(btf, "total_objects", t.counter, N_TOTAL);
	add_field(btf, "full", t.list, N_FULL);
	btf__add_struct(btf, "kfence_metadata", KFENCE_BYTES);
	add_field(btf, "addr", t.u64, KFENCE_ADDR);
	add_page_types(btf, &t, shape);
	add_cpu_types(btf, &t, shape);
	add_track_types(btf, &t, shape);
	bytes = btf__raw_data(btf, &size);
	assert(!kernel_types_open(bytes, size, "test", &types, NULL));
	btf__free(btf);
	return types;
}

#endif
