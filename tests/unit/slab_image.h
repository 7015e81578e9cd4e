/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A slab allocator in memory that a test builds: caches, slabs, freelists, CPU slabs, sheaves, in four shapes
 * of the kernel's structures.
 *
 * Memory: PFN_COUNT pages from MEMORY_VIRTUAL on (the direct map), then the array of struct page.
 */
#ifndef DILL_TESTS_SLAB_IMAGE_H
#define DILL_TESTS_SLAB_IMAGE_H

#include <assert.h>

#include "kernel_memory.h"
#include "slab_freelist.h"
#include "slab_heap.h"
#include "slab_image_types.h"

#define PFN_COUNT 1024ULL
#define VMEMMAP (MEMORY_VIRTUAL + PFN_COUNT * PAGE)
#define AT_PFN(pfn) (MEMORY_VIRTUAL + (uint64_t)(pfn) * PAGE)
#define PAGE_OF(pfn) (VMEMMAP + (uint64_t)(pfn) * 64)
#define CPUS 2
#define NODES 2

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
