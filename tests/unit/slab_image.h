/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A slab allocator in memory that a test builds: caches, slabs, freelists, CPU slabs, sheaves, in four shapes
 * of the kernel's structures. Offsets are this file's own, so that only names can have led to them.
 *
 * Memory: PFN_COUNT pages from MEMORY_VIRTUAL on (the direct map), then the array of struct page.
 */
#ifndef DILL_TESTS_SLAB_IMAGE_H
#define DILL_TESTS_SLAB_IMAGE_H

#include <assert.h>
#include <bpf/btf.h>

#include "kernel_memory.h"
#include "slab_freelist.h"
#include "slab_heap.h"

#define PFN_COUNT 1024ULL
#define VMEMMAP (MEMORY_VIRTUAL + PFN_COUNT * PAGE)
#define AT_PFN(pfn) (MEMORY_VIRTUAL + (uint64_t)(pfn) * PAGE)
#define PAGE_OF(pfn) (VMEMMAP + (uint64_t)(pfn) * 64)
#define CPUS 2
#define NODES 2

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

struct slab_image {
	struct memory *memory;
	struct kernel *kernel;
	struct slab_heap *heap;
	enum shape shape;
	enum slab_encoding encoding;
	uint64_t percpu[CPUS];
	uint64_t caches[8];
	size_t cache_count;
	uint64_t next_sheaf;
};

static inline uint8_t *image_at(struct slab_image *image, uint64_t address)
{
	return image->memory->bytes[SPACE_VIRTUAL] + (address - MEMORY_VIRTUAL);
}

static inline void put64(struct slab_image *image, uint64_t address, uint64_t value)
{
	memcpy(image_at(image, address), &value, 8);
}

static inline void put32(struct slab_image *image, uint64_t address, uint32_t value)
{
	memcpy(image_at(image, address), &value, 4);
}

static inline uint64_t get64(struct slab_image *image, uint64_t address)
{
	uint64_t value;

	memcpy(&value, image_at(image, address), 8);
	return value;
}

/* Types
 * ------------------------------------------------------------------------------------------------------- */

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

/* Memory
 * ------------------------------------------------------------------------------------------------------ */

#define SLAB_CACHES AT_PFN(1)
#define NODE_ADDRESS(cache, node) (AT_PFN(8) + 0x80 * ((cache) * NODES + (node)))
#define BARN_ADDRESS(cache, node) (AT_PFN(9) + 0x40 * ((cache) * NODES + (node)))
#define DEFERRED_POINTER 0x800ULL
#define PERCPU_POINTER(cache) (0x40 * ((cache) + 1))

static inline void ring_init(struct slab_image *image, uint64_t head)
{
	put64(image, head, head);
	put64(image, head + 8, head);
}

/* Insert at the tail. */
static inline void ring_add(struct slab_image *image, uint64_t head, uint64_t link)
{
	uint64_t last = get64(image, head + 8);

	put64(image, link, head);
	put64(image, link + 8, last);
	put64(image, last, link);
	put64(image, head + 8, link);
}

static inline struct slab_image *image_create(enum shape shape, enum slab_encoding encoding)
{
	struct slab_image *image = calloc(1, sizeof(*image));

	image->shape = shape;
	image->encoding = encoding;
	image->memory = memory_create(0, PFN_COUNT * (PAGE + 64));
	image->kernel = memory_kernel(image->memory, 0, 0);
	image->kernel->types = image_types(shape);
	image->kernel->cpu_count = CPUS;
	image->kernel->node_count = NODES;
	image->kernel->layout.page_offset_base = (struct kernel_fact){ MEMORY_VIRTUAL, "test" };
	image->kernel->layout.vmemmap_base = (struct kernel_fact){ VMEMMAP, "test" };
	image->kernel->layout.max_pfn = (struct kernel_fact){ PFN_COUNT, "test" };
	for (int cpu = 0; cpu < CPUS; cpu++)
		image->percpu[cpu] = AT_PFN(16 + cpu);
	image->kernel->percpu_offsets = malloc(sizeof(image->percpu));
	memcpy((void *)image->kernel->percpu_offsets, image->percpu, sizeof(image->percpu));
	assert(!kernel_symbols_add(image->kernel->symbols, "slab_caches", SLAB_CACHES));
	assert(!kernel_symbols_add(image->kernel->symbols, "defer_free_objects", DEFERRED_POINTER));
	ring_init(image, SLAB_CACHES);
	image->next_sheaf = AT_PFN(24);
	if (shape >= SHAPE_TYPED)
		for (uint64_t pfn = 0; pfn < PFN_COUNT; pfn++)
			put32(image, PAGE_OF(pfn) + P_TYPE, UINT32_MAX);
	return image;
}

static inline void image_destroy(struct slab_image *image)
{
	slab_heap_close(image->heap);
	kernel_close(image->kernel);
	free(image);
}

/* A cache of slabs of one order, 4096 << order bytes. Returns its number. */
static inline size_t image_add_cache(struct slab_image *image, const char *name, uint32_t size,
				     uint32_t object_size, unsigned order, uint64_t flags)
{
	size_t number = image->cache_count++;
	uint64_t cache = AT_PFN(2) + number * C_BYTES, text = AT_PFN(6) + 64 * number;
	uint32_t objects = (uint32_t)((PAGE << order) / size);
	bool has_sheaves = image->shape == SHAPE_SHEAVES;

	image->caches[number] = cache;
	strcpy((char *)image_at(image, text), name);
	put64(image, cache + C_NAME, text);
	put64(image, cache + C_FLAGS, flags);
	put64(image, cache + C_MIN_PARTIAL, 5);
	put32(image, cache + C_SIZE, size);
	put32(image, cache + C_OBJECT_SIZE, object_size);
	put32(image, cache + C_INUSE, object_size);
	put32(image, cache + C_OFFSET, object_size / 2 & ~7u);
	put32(image, cache + C_RED_LEFT, 16);
	put32(image, cache + C_OO, order << 16 | objects);
	put32(image, cache + C_MIN, order << 16 | objects);
	put32(image, cache + C_REFCOUNT, 1);
	put64(image, cache + C_RANDOM,
	      image->encoding == SLAB_ENCODING_PLAIN ? 0 : 0x123456789abcdef0 + number);
	put64(image, cache + C_CPU_SLAB, has_sheaves ? 0 : PERCPU_POINTER(number));
	put64(image, cache + C_SHEAVES, has_sheaves ? PERCPU_POINTER(number) : 0);
	if (has_sheaves)
		put32(image, cache + C_SHEAF_CAPACITY, SHEAF_CAPACITY);
	for (unsigned node = 0; node < NODES; node++) {
		uint64_t slot = cache + C_NODES + node * (has_sheaves ? 16 : 8);

		put64(image, slot + (has_sheaves ? 8 : 0), NODE_ADDRESS(number, node));
		ring_init(image, NODE_ADDRESS(number, node) + N_PARTIAL);
		ring_init(image, NODE_ADDRESS(number, node) + N_FULL);
		if (has_sheaves) {
			put64(image, slot, BARN_ADDRESS(number, node));
			ring_init(image, BARN_ADDRESS(number, node) + BARN_FULL);
			ring_init(image, BARN_ADDRESS(number, node) + BARN_EMPTY);
		}
	}
	ring_add(image, SLAB_CACHES, cache + C_LIST);
	return number;
}

static inline uint32_t image_objects(struct slab_image *image, size_t cache)
{
	uint32_t value;

	memcpy(&value, image_at(image, image->caches[cache] + C_OO), 4);
	return value & 0xffff;
}

static inline uint64_t image_object(struct slab_image *image, size_t cache, uint64_t pfn, uint32_t index)
{
	uint32_t size;

	memcpy(&size, image_at(image, image->caches[cache] + C_SIZE), 4);
	return AT_PFN(pfn) + (uint64_t)index * size +
	       (get64(image, image->caches[cache] + C_FLAGS) & FLAG_RED_ZONE ? 16 : 0);
}

/* Write @next into free @object, as the kernel would. */
static inline void image_link(struct slab_image *image, size_t cache, uint64_t object, uint64_t next)
{
	uint32_t offset;
	uint64_t random = get64(image, image->caches[cache] + C_RANDOM);

	memcpy(&offset, image_at(image, image->caches[cache] + C_OFFSET), 4);
	put64(image, object + offset, slab_pointer_decode(image->encoding, random, object + offset, next));
}

/* Chain objects of one slab by their indexes (ended by -1). Returns the first's address, 0 for none. */
static inline uint64_t image_chain(struct slab_image *image, size_t cache, uint64_t pfn, const int *indexes)
{
	for (int i = 0; indexes[i] >= 0; i++)
		image_link(image, cache, image_object(image, cache, pfn, (uint32_t)indexes[i]),
			   indexes[i + 1] < 0 ? 0
					      : image_object(image, cache, pfn, (uint32_t)indexes[i + 1]));
	return indexes[0] < 0 ? 0 : image_object(image, cache, pfn, (uint32_t)indexes[0]);
}

static inline void image_set_counters(struct slab_image *image, uint64_t pfn, uint32_t inuse,
				      uint32_t objects, bool is_frozen)
{
	put32(image, PAGE_OF(pfn) + P_COUNTERS, inuse | objects << 16 | (uint32_t)is_frozen << 31);
}

/* A slab whose own freelist has the objects of @free (ended by -1). Counted in node 0's books. */
static inline void image_add_slab(struct slab_image *image, size_t cache, uint64_t pfn, const int *free)
{
	uint64_t page = PAGE_OF(pfn), node = NODE_ADDRESS(cache, 0);
	uint32_t objects = image_objects(image, cache), order, count = 0;

	memcpy(&order, image_at(image, image->caches[cache] + C_OO), 4);
	while (free[count] >= 0)
		count++;
	put64(image, page + P_CACHE, image->caches[cache]);
	put64(image, page + P_FREELIST, image_chain(image, cache, pfn, free));
	image_set_counters(image, pfn, objects - count, objects, false);
	if (image->shape < SHAPE_TYPED)
		put64(image, page + P_FLAGS, 1 << 9);
	else
		put32(image, page + P_TYPE, 0xf5u << 24);
	for (uint64_t tail = 1; tail < UINT64_C(1) << (order >> 16); tail++)
		put64(image, PAGE_OF(pfn + tail) + P_COMPOUND,
		      image->shape == SHAPE_SHEAVES ? ~((UINT64_C(64) << (order >> 16)) - 1) | 1 : page + 1);
	put64(image, node + N_NR_SLABS, get64(image, node + N_NR_SLABS) + 1);
	put64(image, node + N_TOTAL, get64(image, node + N_TOTAL) + objects);
}

static inline void image_list_partial(struct slab_image *image, size_t cache, uint64_t pfn)
{
	uint64_t node = NODE_ADDRESS(cache, 0);

	ring_add(image, node + N_PARTIAL, PAGE_OF(pfn) + P_LIST);
	put64(image, node + N_NR_PARTIAL, get64(image, node + N_NR_PARTIAL) + 1);
}

/* Make the slab at @pfn the CPU's, with a lockless freelist of @free. */
static inline void image_set_cpu_slab(struct slab_image *image, size_t cache, unsigned cpu, uint64_t pfn,
				      const int *free)
{
	uint64_t at = image->percpu[cpu] + PERCPU_POINTER(cache);

	put64(image, at + CPU_SLAB, PAGE_OF(pfn));
	put64(image, at + CPU_FREELIST, image_chain(image, cache, pfn, free));
}

/* Put a slab in front of the CPU's partial list. */
static inline void image_add_cpu_partial(struct slab_image *image, size_t cache, unsigned cpu, uint64_t pfn)
{
	uint64_t at = image->percpu[cpu] + PERCPU_POINTER(cache) + CPU_PARTIAL;

	put64(image, PAGE_OF(pfn) + P_NEXT, get64(image, at));
	put64(image, at, PAGE_OF(pfn));
}

/* A sheaf with objects (pairs of pfn and index, ended by -1). */
static inline uint64_t image_sheaf(struct slab_image *image, size_t cache, const int *objects)
{
	uint64_t sheaf = image->next_sheaf;
	uint32_t size = 0;

	image->next_sheaf += 0x100;
	put64(image, sheaf + SHEAF_CACHE, image->caches[cache]);
	for (; objects[0] >= 0; objects += 2, size++)
		put64(image, sheaf + SHEAF_OBJECTS + 8 * size,
		      image_object(image, cache, (uint64_t)objects[0], (uint32_t)objects[1]));
	put32(image, sheaf + SHEAF_SIZE, size);
	return sheaf;
}

static inline void image_set_sheaf(struct slab_image *image, size_t cache, unsigned cpu, unsigned member,
				   uint64_t sheaf)
{
	put64(image, image->percpu[cpu] + PERCPU_POINTER(cache) + member, sheaf);
}

static inline void image_add_full_sheaf(struct slab_image *image, size_t cache, uint64_t sheaf)
{
	uint64_t barn = BARN_ADDRESS(cache, 0);
	uint32_t count;

	ring_add(image, barn + BARN_FULL, sheaf + SHEAF_LIST);
	memcpy(&count, image_at(image, barn + BARN_NR_FULL), 4);
	put32(image, barn + BARN_NR_FULL, count + 1);
}

/* Put an object in front of those that wait on @cpu for their way back. */
static inline void image_defer(struct slab_image *image, size_t cache, unsigned cpu, uint64_t object)
{
	uint64_t head = image->percpu[cpu] + DEFERRED_POINTER + 8;
	uint32_t offset;

	memcpy(&offset, image_at(image, image->caches[cache] + C_OFFSET), 4);
	put64(image, object + offset, get64(image, head));
	put64(image, head, object + offset);
}

#define FREE(...) ((const int[]){ __VA_ARGS__ __VA_OPT__(,) -1 })

#endif
