/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The buddy allocator (mm/page_alloc.c): zones of each node, their free blocks by order and migrate type, and the
 * pages that CPUs keep for themselves.
 */
#ifndef DILL_ZONE_H
#define DILL_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "kernel_list.h"
#include "kernel_types.h"
#include "page.h"

struct kernel;

#define ZONE_ORDERS_MAX 16
#define ZONE_MIGRATE_TYPES_MAX 12

struct zone_layout {
	struct field node_zones, nr_zones, node_id;                                        /* struct pglist_data */
	struct field name, start_pfn, spanned, present, managed, watermark, free_area, vm_stat; /* struct zone */
	struct field pcp_pointer;                  /* per_cpu_pageset, before 5.14 (28f836b6777b) pageset */
	struct field pcp_count, pcp_high, pcp_batch, pcp_lists; /* struct per_cpu_pages */
	struct field free_list, nr_free;           /* struct free_area */
	size_t zone_size, free_area_size;
	unsigned int order_count, migrate_count;
	char migrate_names[ZONE_MIGRATE_TYPES_MAX][24]; /* "unmovable", "highatomic", … from enum migratetype */
	int free_pages_index;                      /* NR_FREE_PAGES in vm_stat; −1: not known */
};

/* The free blocks of one order. */
struct zone_order {
	uint64_t blocks;                             /* nr_free, the kernel's counter */
	uint64_t listed[ZONE_MIGRATE_TYPES_MAX];     /* what the lists have */
	uint64_t bad_blocks;                         /* listed pages that are not free blocks of this order */
	enum list_damage damage;                     /* the first of any of these lists */
};

struct zone_cpu {
	uint64_t address; /* struct per_cpu_pages; 0: none */
	uint32_t count, high, batch;
};

struct zone {
	uint64_t address;
	uint32_t node, index;
	char name[16];
	uint64_t start_pfn, spanned_pages, present_pages, managed_pages;
	uint64_t free_pages; /* vm_stat[NR_FREE_PAGES] */
	uint64_t watermark_min, watermark_low, watermark_high;
	struct zone_order orders[ZONE_ORDERS_MAX];
	bool has_lists; /* listed[] was filled */
	struct zone_cpu *cpus; /* owned */
	size_t cpu_count;
};

struct zones {
	struct kernel *kernel; /* borrowed */
	struct zone_layout layout;
	struct page_layout page;
	struct zone *zones; /* owned; populated ones, by node, then by index */
	size_t count;
};

/* All populated zones and their counters. -ENOENT: types or symbols are missing. */
int zones_open(struct kernel *kernel, struct zones **ret_zones, struct error *err);
void zones_close(struct zones *zones);

/* Walk all free lists of @zone: fills listed, bad_blocks and damage. */
int zone_read_lists(struct zones *zones, struct zone *zone, struct error *err);

/*
 * How much of the free memory can't serve a block of @order, 0 to 1: as unusable_free_index(), mm/vmstat.c. 0
 * without free memory.
 */
double zone_unusable(const struct zone *zone, unsigned int order, unsigned int order_count);

/* The zone that @pfn lies in, or NULL. */
const struct zone *zones_find(const struct zones *zones, uint64_t pfn);

#endif
