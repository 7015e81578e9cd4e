// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Reading of zones. Every list is bounded by the pages of its zone. */
#include "zone.h"

#include <bpf/btf.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"

#define MAX_ZONES_A_NODE 8
#define LIST_HEAD_SIZE 16
#define PER_PAGE_LRU 8 /* struct page begins with flags; the list node (lru, buddy_list) is next */

DEFINE_CLEANUP(zones, struct zones *, zones_close(v));

#define FIELD(type, path, member, required) { type, path, offsetof(struct zone_layout, member), required }

static const struct field_spec specs[] = {
	FIELD("pglist_data", "node_zones", node_zones, true),
	FIELD("pglist_data", "nr_zones", nr_zones, true),
	FIELD("pglist_data", "node_id", node_id, true),
	FIELD("zone", "name", name, true),
	FIELD("zone", "zone_start_pfn", start_pfn, true),
	FIELD("zone", "spanned_pages", spanned, true),
	FIELD("zone", "present_pages", present, true),
	FIELD("zone", "managed_pages", managed, true),
	FIELD("zone", "_watermark", watermark, false),
	FIELD("zone", "free_area", free_area, true),
	FIELD("zone", "vm_stat", vm_stat, false),
	FIELD("zone", "per_cpu_pageset|pageset", pcp_pointer, false),
	FIELD("per_cpu_pages", "count", pcp_count, false),
	FIELD("per_cpu_pages", "high", pcp_high, false),
	FIELD("per_cpu_pages", "batch", pcp_batch, false),
	FIELD("per_cpu_pages", "lists", pcp_lists, false),
	FIELD("free_area", "free_list", free_list, true),
	FIELD("free_area", "nr_free", nr_free, true),
};

/* "unmovable" out of MIGRATE_UNMOVABLE = 0. */
static void load_migrate_names(struct kernel_types *types, struct zone_layout *layout)
{
	const struct btf *btf = kernel_types_btf(types);
	const struct btf_type *type;
	uint32_t id;

	if (kernel_type_find(types, "enum migratetype", &id))
		return;
	type = btf__type_by_id(btf, id);
	if (!type || !btf_is_enum(type))
		return;
	for (int i = btf_vlen(type) - 1; i >= 0; i--) { /* of names with one value, the first stays */
		const char *name = btf__name_by_offset(btf, btf_enum(type)[i].name_off);
		uint32_t value = btf_enum(type)[i].val;
		char *to;

		/* MIGRATE_PCPTYPES counts the types before it; MIGRATE_HIGHATOMIC has the same value. */
		if (!name || strncmp(name, "MIGRATE_", 8) || value >= layout->migrate_count ||
		    !strcmp(name, "MIGRATE_PCPTYPES"))
			continue;
		to = layout->migrate_names[value];
		snprintf(to, sizeof(layout->migrate_names[0]), "%s", name + 8);
		for (; *to; to++)
			*to = tolower((unsigned char)*to);
	}
}

static int load_layout(struct kernel *kernel, struct zone_layout *layout, struct error *err)
{
	int64_t value;
	int status = fields_load(kernel->types, specs, sizeof(specs) / sizeof(*specs), layout, err);

	if (status)
		return status;
	layout->zone_size = kernel_sizeof(kernel->types, "zone");
	layout->free_area_size = kernel_sizeof(kernel->types, "free_area");
	if (!layout->zone_size || !layout->free_area_size)
		return error_set(err, -ENOENT, "no struct zone, no struct free_area");
	layout->order_count = layout->free_area.size / layout->free_area_size;
	layout->migrate_count = layout->free_list.size / LIST_HEAD_SIZE;
	if (!layout->order_count || layout->order_count > ZONE_ORDERS_MAX || !layout->migrate_count ||
	    layout->migrate_count > ZONE_MIGRATE_TYPES_MAX)
		return error_set(err, -EBADMSG, "%u orders and %u migrate types", layout->order_count,
				 layout->migrate_count);
	layout->free_pages_index = kernel_enumerator(kernel->types, "NR_FREE_PAGES", &value) ? -1 : (int)value;
	load_migrate_names(kernel->types, layout);
	return 0;
}

static int read_cpus(const struct zones *zones, struct zone *zone, uint64_t pointer)
{
	struct kernel *kernel = zones->kernel;

	if (!pointer || !field_exists(&zones->layout.pcp_count))
		return 0;
	zone->cpus = calloc(kernel->cpu_count + 1, sizeof(*zone->cpus));
	if (!zone->cpus)
		return -ENOMEM;
	zone->cpu_count = kernel->cpu_count;
	for (size_t cpu = 0; cpu < kernel->cpu_count; cpu++) {
		struct zone_cpu *own = &zone->cpus[cpu];
		uint64_t value;

		/* struct per_cpu_pageset, which it was in until 5.14, begins with it. */
		if (kernel_percpu(kernel, pointer, cpu, &own->address))
			continue;
		if (!field_read(kernel, &zones->layout.pcp_count, own->address, &value))
			own->count = value;
		if (!field_read(kernel, &zones->layout.pcp_high, own->address, &value))
			own->high = value;
		if (!field_read(kernel, &zones->layout.pcp_batch, own->address, &value))
			own->batch = value;
	}
	return 0;
}

static uint64_t element(const void *bytes, size_t size, const struct field *array, size_t index)
{
	uint64_t value;

	if (8 * index + 8 > array->size || array->offset + 8 * index + 8 > size)
		return 0;
	memcpy(&value, (const char *)bytes + array->offset + 8 * index, sizeof(value));
	return value;
}

static int read_zone(const struct zones *zones, const uint8_t *bytes, struct zone *zone)
{
	const struct zone_layout *layout = &zones->layout;
	size_t size = layout->zone_size;
	int64_t free_pages = 0;

	zone->start_pfn = field_get(&layout->start_pfn, bytes, size);
	zone->spanned_pages = field_get(&layout->spanned, bytes, size);
	zone->present_pages = field_get(&layout->present, bytes, size);
	zone->managed_pages = field_get(&layout->managed, bytes, size);
	zone->watermark_min = element(bytes, size, &layout->watermark, 0);
	zone->watermark_low = element(bytes, size, &layout->watermark, 1);
	zone->watermark_high = element(bytes, size, &layout->watermark, 2);
	if (layout->free_pages_index >= 0)
		free_pages = (int64_t)element(bytes, size, &layout->vm_stat, layout->free_pages_index);
	zone->free_pages = free_pages > 0 ? free_pages : 0;
	if (kernel_read_string(zones->kernel, field_get(&layout->name, bytes, size), zone->name,
			       sizeof(zone->name)))
		strcpy(zone->name, "?");
	for (unsigned int order = 0; order < layout->order_count; order++)
		zone->orders[order].blocks = field_get(
			&layout->nr_free, bytes + layout->free_area.offset + order * layout->free_area_size,
			layout->free_area_size);
	return read_cpus(zones, zone, field_get(&layout->pcp_pointer, bytes, size));
}

static int read_node(struct zones *zones, uint64_t node_data)
{
	const struct zone_layout *layout = &zones->layout;
	CLEANUP(free) uint8_t *bytes = malloc(layout->zone_size);
	uint64_t count, id;

	if (!bytes)
		return -ENOMEM;
	if (field_read(zones->kernel, &layout->nr_zones, node_data, &count) ||
	    field_read(zones->kernel, &layout->node_id, node_data, &id))
		return -EFAULT;
	for (uint64_t i = 0; i < count && i < MAX_ZONES_A_NODE; i++) {
		struct zone zone = { .address = node_data + layout->node_zones.offset + i * layout->zone_size,
				     .node = id,
				     .index = i };
		struct zone *larger;
		int status;

		if (kernel_read(zones->kernel, zone.address, bytes, layout->zone_size))
			return -EFAULT;
		if (!field_get(&layout->present, bytes, layout->zone_size))
			continue;
		status = read_zone(zones, bytes, &zone);
		larger = status ? NULL : reallocarray(zones->zones, zones->count + 1, sizeof(*larger));
		if (!larger) {
			free(zone.cpus);
			return -ENOMEM;
		}
		zones->zones = larger;
		zones->zones[zones->count++] = zone;
	}
	return 0;
}

int zones_open(struct kernel *kernel, struct zones **ret_zones, struct error *err)
{
	CLEANUP(zones) struct zones *zones = calloc(1, sizeof(*zones));
	uint64_t array, node;
	int status;

	if (!zones)
		return error_set(err, -ENOMEM, "out of memory");
	zones->kernel = kernel;
	status = load_layout(kernel, &zones->layout, err);
	if (!status)
		status = page_layout_load(kernel, &zones->page, err);
	if (status)
		return status;
	if (!kernel_symbol(kernel, "contig_page_data", &node)) { /* without CONFIG_NUMA */
		status = read_node(zones, node);
	} else if (!kernel_symbol(kernel, "node_data", &array)) {
		for (size_t i = 0; i < kernel->node_count && !status; i++)
			if (!kernel_read_u64(kernel, array + 8 * i, &node) && node)
				status = read_node(zones, node);
	} else {
		return error_set(err, -ENOENT,
				 "neither node_data nor contig_page_data is among the kernel's symbols");
	}
	if (status)
		return error_set(err, status, "the zones can't be read");
	if (!zones->count)
		return error_set(err, -EBADMSG, "no zone has pages");
	*ret_zones = TAKE_PTR(zones);
	return 0;
}

void zones_close(struct zones *zones)
{
	if (!zones)
		return;
	for (size_t i = 0; i < zones->count; i++)
		free(zones->zones[i].cpus);
	free(zones->zones);
	free(zones);
}

static int read_list(struct zones *zones, struct zone *zone, unsigned int order, unsigned int type)
{
	struct zone_order *own = &zone->orders[order];
	uint64_t head = zone->address + zones->layout.free_area.offset + order * zones->layout.free_area_size +
			zones->layout.free_list.offset + type * LIST_HEAD_SIZE;
	struct list_walk walk;
	uint64_t node;

	list_walk_begin(&walk, zones->kernel, head, zone->spanned_pages >> order);
	while (list_walk_next(&walk, &node)) {
		uint8_t bytes[256];
		struct page page;

		own->listed[type]++;
		if (kernel_read(zones->kernel, node - PER_PAGE_LRU, bytes, zones->page.size)) {
			own->bad_blocks++;
			continue;
		}
		page_decode(zones->kernel, &zones->page, node - PER_PAGE_LRU, bytes, &page);
		own->bad_blocks += page.kind != PAGE_FREE || page.order != order;
	}
	if (own->damage == LIST_INTACT)
		own->damage = walk.damage;
	return zones->kernel->reader.code;
}

int zone_read_lists(struct zones *zones, struct zone *zone, struct error *err)
{
	int status = 0;

	for (unsigned int order = 0; order < zones->layout.order_count && !status; order++)
		for (unsigned int type = 0; type < zones->layout.migrate_count && !status; type++)
			status = read_list(zones, zone, order, type);
	zone->has_lists = true;
	return status ? error_set(err, status, "%s", zones->kernel->reader.text) : 0;
}

double zone_unusable(const struct zone *zone, unsigned int order, unsigned int order_count)
{
	uint64_t all = 0, suitable = 0;

	for (unsigned int i = 0; i < order_count && i < ZONE_ORDERS_MAX; i++) {
		uint64_t pages = zone->orders[i].blocks << i;

		all += pages;
		suitable += i >= order ? pages : 0;
	}
	return all ? (double)(all - suitable) / (double)all : 0;
}

const struct zone *zones_find(const struct zones *zones, uint64_t pfn)
{
	for (size_t i = 0; i < zones->count; i++)
		if (pfn >= zones->zones[i].start_pfn &&
		    pfn - zones->zones[i].start_pfn < zones->zones[i].spanned_pages)
			return &zones->zones[i];
	return NULL;
}
