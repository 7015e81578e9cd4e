// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill kbuddy: the page allocator under the slabs: what is free in each zone, in blocks of which order and
 * migrate type, how fragmented that is, and what CPUs keep. With an address: that page.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "inspect.h"
#include "view.h"
#include "zone.h"

DEFINE_CLEANUP(zones, struct zones *, zones_close(v));

enum {
	ZONE_NODE,
	ZONE_NAME,
	ZONE_ADDR,
	ZONE_START,
	ZONE_SPANNED,
	ZONE_PRESENT,
	ZONE_MANAGED,
	ZONE_FREE,
	ZONE_MIN,
	ZONE_LOW,
	ZONE_HIGH,
	ZONE_PCP,
	ZONE_COLUMNS
};
static const struct view_column zone_columns[ZONE_COLUMNS] = {
	[ZONE_NODE] = { .name = "node", .type = VIEW_U64 },
	[ZONE_NAME] = { .name = "zone", .type = VIEW_TEXT },
	[ZONE_ADDR] = { .name = "addr", .type = VIEW_HEX },
	[ZONE_START] = { .name = "start_pfn", .type = VIEW_HEX },
	[ZONE_SPANNED] = { .name = "spanned_pages", .type = VIEW_U64 },
	[ZONE_PRESENT] = { .name = "present_pages", .type = VIEW_U64 },
	[ZONE_MANAGED] = { .name = "managed_bytes", .type = VIEW_BYTES },
	[ZONE_FREE] = { .name = "free_bytes", .type = VIEW_BYTES },
	[ZONE_MIN] = { .name = "watermark_min_bytes", .type = VIEW_BYTES },
	[ZONE_LOW] = { .name = "watermark_low_bytes", .type = VIEW_BYTES },
	[ZONE_HIGH] = { .name = "watermark_high_bytes", .type = VIEW_BYTES },
	[ZONE_PCP] = { .name = "pcp_bytes", .type = VIEW_BYTES },
};
static const struct view_record zone_record = {
	.type = "zone",
	.columns = zone_columns,
	.column_count = ZONE_COLUMNS,
	.starts_section = true,
	.text = "node {node} zone {zone}: {free_bytes} free and {pcp_bytes} with CPUs, of {managed_bytes}; "
		"watermarks "
		"{watermark_min_bytes}, {watermark_low_bytes}, {watermark_high_bytes}",
};

/* One column for each migrate type, as /proc/pagetypeinfo has them. */
static const char *const migrate_names[] = { "unmovable",  "movable", "reclaimable",
					     "highatomic", "cma",     "isolate" };
#define MIGRATE_COLUMNS (sizeof(migrate_names) / sizeof(*migrate_names))

enum {
	ORDER_NODE, ORDER_ZONE, ORDER_ORDER, ORDER_BLOCKS, ORDER_BYTES, ORDER_TYPES,
	ORDER_UNUSABLE = ORDER_TYPES + MIGRATE_COLUMNS, ORDER_COLUMNS
};
static const struct view_column order_columns[ORDER_COLUMNS] = {
	[ORDER_NODE] = { .name = "node", .type = VIEW_U64, .is_json_only = true },
	[ORDER_ZONE] = { .name = "zone", .type = VIEW_TEXT, .is_json_only = true },
	[ORDER_ORDER] = { .name = "order", .type = VIEW_U64, .width = 5 },
	[ORDER_BLOCKS] = { .name = "blocks", .type = VIEW_U64, .width = 9 },
	[ORDER_BYTES] = { .name = "bytes", .type = VIEW_BYTES, .width = 10 },
	[ORDER_TYPES + 0] = { .name = "unmovable", .type = VIEW_U64, .width = 9, .is_optional = true },
	[ORDER_TYPES + 1] = { .name = "movable", .type = VIEW_U64, .width = 9, .is_optional = true },
	[ORDER_TYPES + 2] = { .name = "reclaimable", .type = VIEW_U64, .width = 11, .is_optional = true },
	[ORDER_TYPES + 3] = { .name = "highatomic", .type = VIEW_U64, .width = 10, .is_optional = true },
	[ORDER_TYPES + 4] = { .name = "cma", .type = VIEW_U64, .width = 6, .is_optional = true },
	[ORDER_TYPES + 5] = { .name = "isolate", .type = VIEW_U64, .width = 7, .is_optional = true },
	[ORDER_UNUSABLE] = { .name = "unusable_percent",
			     .title = "UNUSABLE",
			     .type = VIEW_PERCENT,
			     .width = 8 },
};
static const struct view_record order_record = {
	.type = "free_area",
	.columns = order_columns,
	.column_count = ORDER_COLUMNS,
};

enum { PCP_NODE, PCP_ZONE, PCP_CPU, PCP_ADDR, PCP_COUNT, PCP_HIGH, PCP_BATCH, PCP_COLUMNS };
static const struct view_column pcp_columns[PCP_COLUMNS] = {
	[PCP_NODE] = { .name = "node", .type = VIEW_U64, .is_json_only = true },
	[PCP_ZONE] = { .name = "zone", .type = VIEW_TEXT, .is_json_only = true },
	[PCP_CPU] = { .name = "cpu", .type = VIEW_U64, .width = 5 },
	[PCP_ADDR] = { .name = "addr", .title = "PER_CPU_PAGES", .type = VIEW_HEX, .width = 18 },
	[PCP_COUNT] = { .name = "pages", .type = VIEW_U64, .width = 7 },
	[PCP_HIGH] = { .name = "high", .type = VIEW_U64, .width = 7 },
	[PCP_BATCH] = { .name = "batch", .type = VIEW_U64, .width = 6 },
};
static const struct view_record pcp_record = {
	.type = "per_cpu_pages",
	.columns = pcp_columns,
	.column_count = PCP_COLUMNS,
};

enum {
	DAMAGE_NODE,
	DAMAGE_ZONE,
	DAMAGE_ORDER,
	DAMAGE_KIND,
	DAMAGE_COUNTED,
	DAMAGE_LISTED,
	DAMAGE_BAD,
	DAMAGE_COLUMNS
};
static const struct view_column damage_columns[DAMAGE_COLUMNS] = {
	[DAMAGE_NODE] = { .name = "node", .type = VIEW_U64 },
	[DAMAGE_ZONE] = { .name = "zone", .type = VIEW_TEXT },
	[DAMAGE_ORDER] = { .name = "order", .type = VIEW_U64 },
	[DAMAGE_KIND] = { .name = "kind", .type = VIEW_TEXT, .style = COLOUR_BAD },
	[DAMAGE_COUNTED] = { .name = "counted", .type = VIEW_U64 },
	[DAMAGE_LISTED] = { .name = "listed", .type = VIEW_U64 },
	[DAMAGE_BAD] = { .name = "bad_blocks", .type = VIEW_U64 },
};
static const struct view_record damage_record = {
	.type = "finding",
	.columns = damage_columns,
	.column_count = DAMAGE_COLUMNS,
	.text = "node {node} zone {zone} order {order}: the free lists {kind}: nr_free is {counted}, listed "
		"are {listed}, "
		"{bad_blocks} of them no free blocks",
};

enum {
	PAGE_ADDR, PAGE_PFN, PAGE_PHYSICAL, PAGE_NODE, PAGE_ZONE, PAGE_KIND, PAGE_TYPE, PAGE_ORDER, PAGE_HEAD,
	PAGE_REFCOUNT, PAGE_MAPCOUNT, PAGE_MAPPING, PAGE_INDEX, PAGE_FLAGS, PAGE_FLAG_BITS, PAGE_COLUMNS
};
static const struct view_column page_columns[PAGE_COLUMNS] = {
	[PAGE_ADDR] = { .name = "addr", .title = "struct page", .type = VIEW_HEX },
	[PAGE_PFN] = { .name = "pfn", .type = VIEW_HEX },
	[PAGE_PHYSICAL] = { .name = "physical", .type = VIEW_HEX },
	[PAGE_NODE] = { .name = "node", .type = VIEW_U64, .is_optional = true },
	[PAGE_ZONE] = { .name = "zone", .type = VIEW_TEXT, .is_optional = true },
	[PAGE_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = page_kind_names },
	[PAGE_TYPE] = { .name = "page_type", .type = VIEW_TEXT, .is_optional = true },
	[PAGE_ORDER] = { .name = "order", .type = VIEW_U64, .is_optional = true },
	[PAGE_HEAD] = { .name = "head", .type = VIEW_HEX, .is_optional = true },
	[PAGE_REFCOUNT] = { .name = "refcount", .type = VIEW_I64 },
	[PAGE_MAPCOUNT] = { .name = "mapcount", .type = VIEW_I64 },
	[PAGE_MAPPING] = { .name = "mapping", .type = VIEW_HEX, .is_optional = true },
	[PAGE_INDEX] = { .name = "index", .type = VIEW_HEX },
	[PAGE_FLAGS] = { .name = "flags", .type = VIEW_TEXT },
	[PAGE_FLAG_BITS] = { .name = "flag_bits", .type = VIEW_HEX },
};
static const struct view_record page_record = {
	.type = "page",
	.columns = page_columns,
	.column_count = PAGE_COLUMNS,
};

static int show_zone(struct inspection *inspection, const struct zone *zone)
{
	uint64_t pcp = 0;

	for (size_t i = 0; i < zone->cpu_count; i++)
		pcp += zone->cpus[i].count;
	return view_object(inspection->view, &zone_record,
			   (struct view_value[ZONE_COLUMNS]){
				   [ZONE_NODE] = view_u64(zone->node),
				   [ZONE_NAME] = view_text(zone->name),
				   [ZONE_ADDR] = view_u64(zone->address),
				   [ZONE_START] = view_u64(zone->start_pfn),
				   [ZONE_SPANNED] = view_u64(zone->spanned_pages),
				   [ZONE_PRESENT] = view_u64(zone->present_pages),
				   [ZONE_MANAGED] = view_u64(zone->managed_pages << 12),
				   [ZONE_FREE] = view_u64(zone->free_pages << 12),
				   [ZONE_MIN] = view_u64(zone->watermark_min << 12),
				   [ZONE_LOW] = view_u64(zone->watermark_low << 12),
				   [ZONE_HIGH] = view_u64(zone->watermark_high << 12),
				   [ZONE_PCP] = view_u64(pcp << 12),
			   });
}

static struct view_value listed_of(const struct zone_layout *layout, const struct zone_order *order,
				   const char *name)
{
	for (unsigned int i = 0; i < layout->migrate_count; i++)
		if (!strcmp(layout->migrate_names[i], name))
			return view_u64(order->listed[i]);
	return view_absent();
}

static int show_order(struct inspection *inspection, const struct zones *zones, const struct zone *zone,
		      unsigned int order)
{
	const struct zone_order *own = &zone->orders[order];
	struct view_value values[ORDER_COLUMNS] = {
		[ORDER_NODE] = view_u64(zone->node),
		[ORDER_ZONE] = view_text(zone->name),
		[ORDER_ORDER] = view_u64(order),
		[ORDER_BLOCKS] = view_u64(own->blocks),
		[ORDER_BYTES] = view_u64(own->blocks << (12 + order)),
		[ORDER_UNUSABLE] = view_double(100 * zone_unusable(zone, order, zones->layout.order_count)),
	};

	for (size_t i = 0; i < MIGRATE_COLUMNS; i++)
		values[ORDER_TYPES + i] = listed_of(&zones->layout, own, migrate_names[i]);
	return view_row(inspection->view, &order_record, values);
}

/* Counters move while a live list is walked; elsewhere a difference is damage. */
static int show_damage(struct inspection *inspection, const struct zones *zones, const struct zone *zone)
{
	int status = 0;

	for (unsigned int order = 0; order < zones->layout.order_count && !status; order++) {
		const struct zone_order *own = &zone->orders[order];
		uint64_t listed = 0;

		for (unsigned int i = 0; i < zones->layout.migrate_count; i++)
			listed += own->listed[i];
		if (inspection->kernel->source->is_live ||
		    (listed == own->blocks && !own->bad_blocks && own->damage == LIST_INTACT))
			continue;
		inspect_found(inspection);
		status = view_object(inspection->view, &damage_record,
				     (struct view_value[DAMAGE_COLUMNS]){
					     [DAMAGE_NODE] = view_u64(zone->node),
					     [DAMAGE_ZONE] = view_text(zone->name),
					     [DAMAGE_ORDER] = view_u64(order),
					     [DAMAGE_KIND] = view_text(
						     own->damage ? list_damage_text(own->damage) : "disagree"),
					     [DAMAGE_COUNTED] = view_u64(own->blocks),
					     [DAMAGE_LISTED] = view_u64(listed),
					     [DAMAGE_BAD] = view_u64(own->bad_blocks),
				     });
	}
	return status;
}

static int show_cpus(struct inspection *inspection, const struct zone *zone)
{
	int status = 0;

	for (size_t i = 0; i < zone->cpu_count && !status; i++)
		if (zone->cpus[i].address)
			status = view_row(inspection->view, &pcp_record,
					  (struct view_value[PCP_COLUMNS]){
						  [PCP_NODE] = view_u64(zone->node),
						  [PCP_ZONE] = view_text(zone->name),
						  [PCP_CPU] = view_u64(i),
						  [PCP_ADDR] = view_u64(zone->cpus[i].address),
						  [PCP_COUNT] = view_u64(zone->cpus[i].count),
						  [PCP_HIGH] = view_u64(zone->cpus[i].high),
						  [PCP_BATCH] = view_u64(zone->cpus[i].batch),
					  });
	return status;
}

static int show_all(struct inspection *inspection, struct zones *zones, struct error *err)
{
	int status = 0;

	for (size_t i = 0; i < zones->count && !status; i++) {
		struct zone *zone = &zones->zones[i];

		status = zone_read_lists(zones, zone, err);
		if (!status)
			status = show_zone(inspection, zone);
		for (unsigned int order = 0; order < zones->layout.order_count && !status; order++)
			status = show_order(inspection, zones, zone, order);
		if (!status)
			status = show_cpus(inspection, zone);
		if (!status)
			status = show_damage(inspection, zones, zone);
	}
	return status;
}

/* A word is a page frame number, or an address in the direct map or among struct pages. */
static int parse_page(const struct kernel *kernel, const char *word, uint64_t *ret_pfn, struct error *err)
{
	uint64_t value, physical;
	char *end;

	errno = 0;
	value = strtoull(word, &end, 0);
	if (errno || end == word || *end)
		return error_set(err, -EINVAL, "'%s' is neither an address nor a page frame number", word);
	if (value < UINT64_C(1) << 40)
		*ret_pfn = value;
	else if (!kernel_page_to_pfn(kernel, value, ret_pfn))
		return 0;
	else if (!kernel_direct_to_physical(kernel, value, &physical))
		*ret_pfn = physical >> 12;
	else
		return error_set(err, -EFAULT,
				 "%s is neither in the direct map nor a struct page: see dill kwhat", word);
	return 0;
}

static int show_page(struct inspection *inspection, const struct zones *zones, const char *word,
		     struct error *err)
{
	const struct zone *zone;
	struct page page;
	char flags[512];
	uint64_t pfn;
	int status = parse_page(inspection->kernel, word, &pfn, err);

	if (status)
		return status;
	if (page_read(inspection->kernel, &zones->page, pfn, &page))
		return error_set(err, -EFAULT, "there is no struct page for page frame %#lx", (long)pfn);
	zone = zones_find(zones, pfn);
	return view_object(
		inspection->view, &page_record,
		(struct view_value[PAGE_COLUMNS]){
			[PAGE_ADDR] = view_u64(page.address),
			[PAGE_PFN] = view_u64(pfn),
			[PAGE_PHYSICAL] = view_u64(pfn << 12),
			[PAGE_NODE] = zone ? view_u64(zone->node) : view_absent(),
			[PAGE_ZONE] = zone ? view_text(zone->name) : view_absent(),
			[PAGE_KIND] = view_u64(page.kind),
			[PAGE_TYPE] = page.kind == PAGE_TYPED ? view_text(page.type) : view_absent(),
			[PAGE_ORDER] = page.kind == PAGE_FREE ? view_u64(page.order) : view_absent(),
			[PAGE_HEAD] = page.head != page.address ? view_u64(page.head) : view_absent(),
			[PAGE_REFCOUNT] = view_i64(page.refcount),
			[PAGE_MAPCOUNT] = view_i64(page.mapcount),
			[PAGE_MAPPING] = page.mapping ? view_u64(page.mapping) : view_absent(),
			[PAGE_INDEX] = view_u64(page.index),
			[PAGE_FLAGS] =
				view_text(page_flag_names(&zones->page, page.flags, flags, sizeof(flags))),
			[PAGE_FLAG_BITS] = view_u64(page.flags),
		});
}

static int configure(struct inspection *inspection, struct error *err)
{
	return inspection->invocation->word_count > 1 ? error_set(err, -EINVAL, "one address at a time") : 0;
}

static int show(struct inspection *inspection, struct error *err)
{
	CLEANUP(zones) struct zones *zones = NULL;
	int status = zones_open(inspection->kernel, &zones, err);

	if (status)
		return status;
	if (inspection->invocation->word_count)
		return show_page(inspection, zones, inspection->invocation->words[0], err);
	return show_all(inspection, zones, err);
}

static const struct inspector inspector = { .configure = configure, .show = show };
static const struct view_record *const records[] = { &zone_record, &order_record, &pcp_record,
						     &damage_record, &page_record, NULL };

const struct command kbuddy_command = {
	.name = "kbuddy",
	.summary = "free pages by node, zone, order and migrate type; what a page is",
	.usage = "[OPTIONS]\n[OPTIONS] ADDR|PFN",
	.description =
		"Shows the page allocator of a running kernel, a dump or a stopped machine: for each zone the "
		"free\n"
		"blocks of each order and migrate type, and how much of the free memory is in blocks too small "
		"for that\n"
		"order. Lists are compared with the kernel's counters: a difference is damage (exit 1).\n"
		"With an address or page frame number: what that page is used for.\n",
	.inspector = &inspector,
	.records = records,
};
