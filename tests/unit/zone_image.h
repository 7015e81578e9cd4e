/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A buddy allocator in memory that a test builds: struct pages and two zones of one node, with free blocks.
 *
 * Memory: ZONE_PFNS pages from MEMORY_VIRTUAL on (the direct map), then the array of struct page.
 */
#ifndef DILL_TESTS_ZONE_IMAGE_H
#define DILL_TESTS_ZONE_IMAGE_H

#include <assert.h>
#include <bpf/btf.h>

#include "kernel_memory.h"
#include "page.h"
#include "zone.h"

#define ZONE_PFNS 256ULL
#define ZONE_VMEMMAP (MEMORY_VIRTUAL + ZONE_PFNS * PAGE)
#define ZONE_PAGE(pfn) (ZONE_VMEMMAP + 64 * (uint64_t)(pfn))
#define NODE_DATA (MEMORY_VIRTUAL + PAGE)
#define NODE_ARRAY (MEMORY_VIRTUAL + 3 * PAGE)
#define ZONE_NAMES (MEMORY_VIRTUAL + 4 * PAGE)
#define ZONE_PERCPU(cpu) (MEMORY_VIRTUAL + (5 + (cpu)) * PAGE)
#define ZONE_AT(index) (NODE_DATA + (uint64_t)(index)*Z_BYTES)
#define ORDERS 4
#define TYPES 3

enum {
	G_FLAGS = 0, /* struct page */
	G_LRU = 8,
	G_COMPOUND = 8,
	G_MAPPING = 24,
	G_INDEX = 32,
	G_PRIVATE = 40,
	G_TYPE = 48,
	G_MAPCOUNT = 48,
	G_REFCOUNT = 52,
	A_NR_FREE = TYPES * 16, /* struct free_area */
	A_BYTES = A_NR_FREE + 8,
	Z_WATERMARK = 0, /* struct zone */
	Z_PAGESET = 24,
	Z_START = 32,
	Z_MANAGED = 40,
	Z_SPANNED = 48,
	Z_PRESENT = 56,
	Z_NAME = 64,
	Z_AREAS = 72,
	Z_STAT = Z_AREAS + ORDERS * A_BYTES,
	Z_BYTES = Z_STAT + 3 * 8,
	D_NR_ZONES = 2 * Z_BYTES, /* struct pglist_data */
	D_NODE = D_NR_ZONES + 4,
	BUDDY_PAGE_TYPE = 0xf0,
};

enum page_era {
	ERA_VALUES, /* PG_slab, page_type −129: until 6.11 */
	ERA_TYPES,  /* a type in the top byte: 6.12 */
	ERA_MASKS,  /* compound_info, a mask: 7.1 */
	ERAS,
};

struct zone_image {
	struct memory *memory;
	struct kernel *kernel;
	enum page_era era;
};

static inline void zone_put32(struct zone_image *image, uint64_t address, uint32_t value)
{
	memcpy(image->memory->bytes[SPACE_VIRTUAL] + (address - MEMORY_VIRTUAL), &value, sizeof(value));
}

static inline void zone_put(struct zone_image *image, uint64_t address, uint64_t value)
{
	memory_put_virtual(image->memory, address, value);
}

static inline void zone_field(struct btf *btf, const char *name, int type, unsigned bytes)
{
	assert(!btf__add_field(btf, name, type, bytes * 8, 0));
}

static inline void zone_page_types(struct btf *btf, int u32, int u64, enum page_era era)
{
	btf__add_struct(btf, "page", 64);
	zone_field(btf, "flags", u64, G_FLAGS);
	zone_field(btf, era == ERA_MASKS ? "compound_info" : "compound_head", u64, G_COMPOUND);
	zone_field(btf, "mapping", u64, G_MAPPING);
	zone_field(btf, era == ERA_VALUES ? "index" : "__folio_index", u64, G_INDEX);
	zone_field(btf, "private", u64, G_PRIVATE);
	zone_field(btf, "page_type", u32, G_TYPE);
	zone_field(btf, "_mapcount", u32, G_MAPCOUNT);
	zone_field(btf, "_refcount", u32, G_REFCOUNT);
	btf__add_enum(btf, "pageflags", 4);
	btf__add_enum_value(btf, "PG_locked", 0);
	btf__add_enum_value(btf, "PG_lru", 5);
	btf__add_enum_value(btf, "PG_head", 6);
	if (era == ERA_VALUES)
		btf__add_enum_value(btf, "PG_slab", 9);
	btf__add_enum_value(btf, "PG_reserved", 12);
	btf__add_enum_value(btf, "__NR_PAGEFLAGS", 24);
	btf__add_enum_value(btf, "PG_xen_remapped", 5);
	if (era == ERA_VALUES)
		return;
	btf__add_enum(btf, "pagetype", 4);
	btf__add_enum_value(btf, "PGTY_buddy", BUDDY_PAGE_TYPE);
	btf__add_enum_value(btf, "PGTY_table", 0xf2);
	btf__add_enum_value(btf, "PGTY_slab", 0xf5);
}

static inline void zone_zone_types(struct btf *btf, int u32, int u64, enum page_era era)
{
	int list = btf__add_struct(btf, "list_head", 16), lists, areas, three, zones;

	zone_field(btf, "next", u64, 0);
	zone_field(btf, "prev", u64, 8);
	lists = btf__add_array(btf, u32, list, TYPES);
	btf__add_struct(btf, "free_area", A_BYTES);
	zone_field(btf, "free_list", lists, 0);
	zone_field(btf, "nr_free", u64, A_NR_FREE);
	areas = btf__add_array(btf, u32, lists + 1, ORDERS);
	three = btf__add_array(btf, u32, u64, 3);
	zones = btf__add_struct(btf, "zone", Z_BYTES);
	zone_field(btf, "_watermark", three, Z_WATERMARK);
	zone_field(btf, era == ERA_VALUES ? "pageset" : "per_cpu_pageset", u64, Z_PAGESET);
	zone_field(btf, "zone_start_pfn", u64, Z_START);
	zone_field(btf, "managed_pages", u64, Z_MANAGED);
	zone_field(btf, "spanned_pages", u64, Z_SPANNED);
	zone_field(btf, "present_pages", u64, Z_PRESENT);
	zone_field(btf, "name", u64, Z_NAME);
	zone_field(btf, "free_area", areas, Z_AREAS);
	zone_field(btf, "vm_stat", three, Z_STAT);
	zones = btf__add_array(btf, u32, zones, 2);
	btf__add_struct(btf, "pglist_data", D_NODE + 4);
	zone_field(btf, "node_zones", zones, 0);
	zone_field(btf, "nr_zones", u32, D_NR_ZONES);
	zone_field(btf, "node_id", u32, D_NODE);
	btf__add_struct(btf, "per_cpu_pages", 16);
	zone_field(btf, "count", u32, 0);
	zone_field(btf, "high", u32, 4);
	zone_field(btf, "batch", u32, 8);
	btf__add_enum(btf, "migratetype", 4);
	btf__add_enum_value(btf, "MIGRATE_UNMOVABLE", 0);
	btf__add_enum_value(btf, "MIGRATE_MOVABLE", 1);
	btf__add_enum_value(btf, "MIGRATE_PCPTYPES", 2);
	btf__add_enum_value(btf, "MIGRATE_HIGHATOMIC", 2);
	btf__add_enum_value(btf, "MIGRATE_TYPES", TYPES);
	btf__add_enum(btf, "zone_stat_item", 4);
	btf__add_enum_value(btf, "NR_FREE_PAGES", 1);
}

static inline struct kernel_types *zone_types(enum page_era era)
{
	struct btf *btf = btf__new_empty();
	struct kernel_types *types = NULL;
	int u32 = btf__add_int(btf, "unsigned int", 4, 0), u64 = btf__add_int(btf, "unsigned long", 8, 0);
	const void *bytes;
	uint32_t size;

	zone_page_types(btf, u32, u64, era);
	zone_zone_types(btf, u32, u64, era);
	bytes = btf__raw_data(btf, &size);
	assert(!kernel_types_open(bytes, size, "test", &types, NULL));
	btf__free(btf);
	return types;
}

static inline uint64_t zone_list(unsigned zone, unsigned order, unsigned type)
{
	return ZONE_AT(zone) + Z_AREAS + order * A_BYTES + type * 16;
}

/* Zone 0 "DMA" is of pages 16 to 47, zone 1 "Normal" of 64 to 255. Both without free blocks. */
static inline void zone_fill(struct zone_image *image, unsigned index, const char *name, uint64_t start,
			     uint64_t spanned)
{
	uint64_t zone = ZONE_AT(index);

	for (int i = 0; i < 3; i++)
		zone_put(image, zone + Z_WATERMARK + 8 * i, 10 * (i + 1));
	zone_put(image, zone + Z_PAGESET, 0x40 * index);
	zone_put(image, zone + Z_START, start);
	zone_put(image, zone + Z_SPANNED, spanned);
	zone_put(image, zone + Z_PRESENT, spanned - 1);
	zone_put(image, zone + Z_MANAGED, spanned - 2);
	zone_put(image, zone + Z_NAME, ZONE_NAMES + 16 * index);
	strcpy((char *)image->memory->bytes[SPACE_VIRTUAL] + (ZONE_NAMES - MEMORY_VIRTUAL) + 16 * index,
	       name);
	for (unsigned order = 0; order < ORDERS; order++)
		for (unsigned type = 0; type < TYPES; type++)
			for (int link = 0; link < 2; link++)
				zone_put(image, zone_list(index, order, type) + 8 * link,
					 zone_list(index, order, type));
}

static inline struct zone_image *zone_image_create(enum page_era era)
{
	struct zone_image *image = calloc(1, sizeof(*image));
	uint64_t *offsets = calloc(2, sizeof(*offsets));

	image->era = era;
	image->memory = memory_create(0, ZONE_PFNS * (PAGE + 64));
	image->kernel = memory_kernel(image->memory, 0, 0);
	image->kernel->types = zone_types(era);
	image->kernel->cpu_count = 2;
	image->kernel->node_count = 1;
	image->kernel->layout.page_offset_base = (struct kernel_fact){ MEMORY_VIRTUAL, "test" };
	image->kernel->layout.vmemmap_base = (struct kernel_fact){ ZONE_VMEMMAP, "test" };
	image->kernel->layout.max_pfn = (struct kernel_fact){ ZONE_PFNS, "test" };
	for (int cpu = 0; cpu < 2; cpu++)
		offsets[cpu] = ZONE_PERCPU(cpu);
	image->kernel->percpu_offsets = offsets;
	for (uint64_t pfn = 0; pfn < ZONE_PFNS; pfn++)
		zone_put32(image, ZONE_PAGE(pfn) + G_TYPE, UINT32_MAX);
	zone_fill(image, 0, "DMA", 16, 32);
	zone_fill(image, 1, "Normal", 64, 192);
	zone_put32(image, NODE_DATA + D_NR_ZONES, 2);
	zone_put(image, NODE_ARRAY, NODE_DATA);
	return image;
}

static inline void zone_mark_free(struct zone_image *image, uint64_t pfn, unsigned order)
{
	zone_put32(image, ZONE_PAGE(pfn) + G_TYPE,
		   image->era == ERA_VALUES ? (uint32_t)-129 : (uint32_t)BUDDY_PAGE_TYPE << 24 | 0xffff);
	zone_put(image, ZONE_PAGE(pfn) + G_PRIVATE, order);
}

/* A free block, in front of its list, counted. */
static inline void zone_free_block(struct zone_image *image, unsigned zone, uint64_t pfn, unsigned order,
				   unsigned type)
{
	const uint8_t *bytes = image->memory->bytes[SPACE_VIRTUAL];
	uint64_t head = zone_list(zone, order, type), node = ZONE_PAGE(pfn) + G_LRU, first, count;
	uint64_t counter = ZONE_AT(zone) + Z_AREAS + order * A_BYTES + A_NR_FREE;

	memcpy(&first, bytes + (head - MEMORY_VIRTUAL), 8);
	memcpy(&count, bytes + (counter - MEMORY_VIRTUAL), 8);
	zone_mark_free(image, pfn, order);
	zone_put(image, node, first);
	zone_put(image, node + 8, head);
	zone_put(image, first + 8, node);
	zone_put(image, head, node);
	zone_put(image, counter, count + 1);
}

static inline void zone_image_destroy(struct zone_image *image)
{
	kernel_close(image->kernel);
	free(image);
}

#endif
