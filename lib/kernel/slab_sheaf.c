// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Sheaves: arrays of free objects that CPUs and nodes hold (2d517aa09bbc "slab: add opt-in caching layer of
 * percpu sheaves", 6.18). No pointer is written into an object that waits in a sheaf.
 *
 * libslub's sheaves don't say whose they are and how many objects they have: of a CPU's the address behind the last
 * object is known, the top (slub_sheaf_at_top()), and those in a barn are full. A barn links them singly.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "slab_load.h"
#include "slub_heap.h"

/* More than any cache's capacity: the kernel's largest default is 60. */
#define CAPACITY_MAX 4096
/* Full sheaves in one barn, beside one of each CPU that puts its own in at the same time: it keeps 10. */
#define BARN_MAX 1024

static size_t sheaf_bytes(const struct slab_layout *layout, const struct slab_cache *cache)
{
	return layout->sheaf.objects + cache->sheaf_capacity * sizeof(uint64_t);
}

/* Caches without sheaves share one empty sheaf, which belongs to no cache. */
static bool has_sheaves(const struct slab_layout *layout, const struct slab_cache *cache)
{
	return layout->sheaf.objects && cache->cpu_sheaves && cache->sheaf_capacity &&
	       cache->sheaf_capacity <= CAPACITY_MAX;
}

static void note(struct slab_load *load, const struct slab_load_cache *of, enum slab_damage kind, uint64_t object,
		 uint64_t value, uint64_t expected, uint32_t owner)
{
	slab_heap_note(load->heap, &(struct slab_finding){ .kind = kind,
							   .cache = of->index,
							   .object = object,
							   .value = value,
							   .expected = expected,
							   .owner = owner });
}

static void note_sheaf(struct slab_load *load, const struct slab_load_cache *of, struct slab_sheaf *sheaf,
		       enum slab_damage kind, uint64_t value, uint64_t expected, uint32_t owner)
{
	sheaf->damage = kind;
	note(load, of, kind, sheaf->address, value, expected, owner);
}

/* @sheaf->size: how many objects it has, of one that doesn't say so itself. */
static int decode_sheaf(struct slab_load *load, const struct slab_load_cache *of, const void *bytes,
			struct slab_sheaf *sheaf, uint32_t owner)
{
	const struct slab_layout *layout = &load->heap->layout;
	uint64_t cache = of->cache->address, size = sheaf->size, capacity = of->cache->sheaf_capacity;

	sheaf->size = 0;
	if (!bytes) {
		note_sheaf(load, of, sheaf, SLAB_SHEAF_UNREADABLE, 0, 0, owner);
		return 0;
	}
	if (!load->heap->kernel->process) {
		cache = field_get(&layout->sheaf.cache, bytes, sheaf_bytes(layout, of->cache));
		size = field_get(&layout->sheaf.size, bytes, sheaf_bytes(layout, of->cache));
	}
	if (cache != of->cache->address) {
		note_sheaf(load, of, sheaf, SLAB_SHEAF_WRONG_CACHE, cache, of->cache->address, owner);
		return 0;
	}
	if (size > capacity) {
		note_sheaf(load, of, sheaf, SLAB_SHEAF_TOO_LARGE, size, capacity, owner);
		return 0;
	}
	sheaf->objects = malloc(size * sizeof(*sheaf->objects) + 1);
	if (!sheaf->objects)
		return -ENOMEM;
	memcpy(sheaf->objects, (const char *)bytes + layout->sheaf.objects, size * sizeof(*sheaf->objects));
	sheaf->size = (uint32_t)size;
	return 0;
}

/* A CPU's sheaf, as the CPU names it: by its address, or by its top. */
static void locate_sheaf(struct slab_load *load, const struct slab_record *record, const void *bytes,
			 const struct field *field, struct slab_sheaf *sheaf)
{
	const struct slab_layout *layout = &load->heap->layout;
	const struct slab_cpu *cpu = record->item;
	uint64_t name = field_get(field, bytes, layout->sheaves.size);
	enum slab_damage damage = SLAB_INTACT;

	if (load->heap->kernel->process)
		damage = slub_sheaf_at_top(load->heap->kernel, layout, record->of->cache, name, sheaf);
	else
		sheaf->address = name;
	if (damage)
		note_sheaf(load, record->of, sheaf, damage, name, sheaf->address + layout->sheaf.objects, cpu->cpu);
}

static int visit_sheaves(struct slab_load *load, const struct slab_record *record, const void *bytes)
{
	const struct slab_layout *layout = &load->heap->layout;
	struct slab_cpu *cpu = record->item;

	if (!bytes) {
		note(load, record->of, SLAB_CPU_UNREADABLE, record->address, 0, 0, cpu->cpu);
		return 0;
	}
	cpu->sheaves = record->address;
	locate_sheaf(load, record, bytes, &layout->sheaves.main, &cpu->main);
	locate_sheaf(load, record, bytes, &layout->sheaves.spare, &cpu->spare);
	locate_sheaf(load, record, bytes, &layout->sheaves.rcu_free, &cpu->rcu_free);
	return 0;
}

/* Which CPU's sheaf it is stands in the record's item: three records a CPU, in this order. */
static int visit_sheaf(struct slab_load *load, const struct slab_record *record, const void *bytes)
{
	struct slab_contents *contents = record->of->contents;
	struct slab_sheaf *sheaf = record->item;
	/* The sheaf lies within its CPU's element of the array. */
	size_t cpu = (size_t)((char *)sheaf - (char *)contents->cpus) / sizeof(*contents->cpus);

	return decode_sheaf(load, record->of, bytes, sheaf, (uint32_t)cpu);
}

int slab_load_sheaves(struct slab_load *load)
{
	const struct slab_layout *layout = &load->heap->layout;
	size_t cpu_count = load->heap->kernel->cpu_count, count = 0, largest = 0;
	CLEANUP(free) struct slab_record *records = NULL;
	int status;

	if (!layout->sheaf.objects)
		return 0;
	records = calloc(3 * load->count * cpu_count + 1, sizeof(*records));
	if (!records)
		return -ENOMEM;
	for (size_t i = 0; i < load->count; i++)
		for (size_t c = 0; c < cpu_count && has_sheaves(layout, load->caches[i].cache); c++) {
			struct slab_cpu *cpu = &load->caches[i].contents->cpus[c];
			uint64_t address;

			if (!kernel_percpu(load->heap->kernel, load->caches[i].cache->cpu_sheaves, c,
					   &address))
				records[count++] = (struct slab_record){ address, &load->caches[i], cpu, 0 };
		}
	status = slab_records_read(load, records, count, layout->sheaves.size, visit_sheaves);
	count = 0;
	for (size_t i = 0; i < load->count && !status; i++) {
		size_t bytes = sheaf_bytes(layout, load->caches[i].cache);

		if (!has_sheaves(layout, load->caches[i].cache))
			continue;
		largest = bytes > largest ? bytes : largest;
		for (size_t c = 0; c < cpu_count; c++) {
			struct slab_cpu *cpu = &load->caches[i].contents->cpus[c];
			struct slab_sheaf *sheaves[] = { &cpu->main, &cpu->spare, &cpu->rcu_free };

			for (int s = 0; s < 3; s++)
				if (sheaves[s]->address && !sheaves[s]->damage)
					records[count++] =
						(struct slab_record) { sheaves[s]->address, &load->caches[i],
								       sheaves[s], bytes };
		}
	}
	return status ? status : slab_records_read(load, records, count, largest, visit_sheaf);
}

/* A barn's list of full sheaves under way. */
struct barn_list {
	struct slab_load *load;
	struct slab_load_cache *of;
	struct slab_node *node;
};

struct barns {
	struct barn_list *lists;
	struct slab_chain *chains;
	size_t count;
};

static int visit_full_sheaf(struct slab_chain *chain, uint64_t address, const void *bytes)
{
	struct barn_list *list = chain->context;
	struct slab_node *node = list->node;
	struct slab_sheaf *larger =
		realloc(node->full_sheaves, (node->full_sheaf_count + 1) * sizeof(*node->full_sheaves));

	if (!larger)
		return -ENOMEM;
	node->full_sheaves = larger;
	larger[node->full_sheaf_count] =
		(struct slab_sheaf){ .address = address, .size = list->of->cache->sheaf_capacity };
	return decode_sheaf(list->load, list->of, bytes, &larger[node->full_sheaf_count++], node->node);
}

static void decode_barn(struct barns *barns, struct barn_list *list, const void *bytes)
{
	const struct slab_layout *layout = &list->load->heap->layout;
	struct slab_node *node = list->node;
	bool is_ring = layout->barn.full.size == 2 * sizeof(uint64_t);
	uint64_t links[2] = { 0 };

	node->nr_full = (uint32_t)field_get(&layout->barn.nr_full, bytes, layout->barn.size);
	node->nr_empty = (uint32_t)field_get(&layout->barn.nr_empty, bytes, layout->barn.size);
	if (layout->barn.full.size > sizeof(links) ||
	    layout->barn.full.offset + layout->barn.full.size > layout->barn.size)
		return;
	memcpy(links, (const char *)bytes + layout->barn.full.offset, layout->barn.full.size);
	barns->chains[barns->count] = (struct slab_chain){
		.head = is_ring ? node->barn + layout->barn.full.offset : 0,
		.next = links[0],
		.last = links[1],
		.link = layout->sheaf.barn_list.offset,
		.record_size = sheaf_bytes(layout, list->of->cache),
		.limit = BARN_MAX + list->load->heap->kernel->cpu_count,
		.visit = visit_full_sheaf,
		.context = list,
	};
	barns->count++;
}

static void judge_barns(struct slab_load *load, const struct barns *barns)
{
	for (size_t i = 0; i < barns->count; i++) {
		const struct slab_chain *chain = &barns->chains[i];
		const struct barn_list *list = chain->context;
		const struct slab_node *node = list->node;

		if (chain->damage)
			note(load, list->of, SLAB_LIST_UNREADABLE + (chain->damage - LIST_UNREADABLE),
			     chain->damaged_node, chain->damaged_value, 0, node->node);
		else if (chain->count != node->nr_full)
			note(load, list->of, SLAB_LIST_COUNT, node->barn, chain->count, node->nr_full, node->node);
	}
}

static int read_barns(struct slab_load *load, struct barns *barns, const struct slab_record *records,
		      size_t count)
{
	const struct slab_layout *layout = &load->heap->layout;
	CLEANUP(free) struct memory_read *reads = calloc(count + 1, sizeof(*reads));
	CLEANUP(free) char *bytes = calloc(count + 1, layout->barn.size);
	int status;

	if (!reads || !bytes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		reads[i] = (struct memory_read){ .address = records[i].address,
						 .buffer = bytes + i * layout->barn.size,
						 .size = layout->barn.size };
	status = kernel_read_many(load->heap->kernel, reads, count);
	for (size_t i = 0; i < count && !status; i++) {
		barns->lists[i] = (struct barn_list){ load, records[i].of, records[i].item };
		if (!reads[i].result)
			decode_barn(barns, &barns->lists[i], reads[i].buffer);
		else
			note(load, records[i].of, SLAB_NODE_UNREADABLE, records[i].address, 0, 0,
			     barns->lists[i].node->node);
	}
	if (!status)
		status = slab_chains_follow(load->heap->kernel, barns->chains, barns->count, NULL);
	if (!status)
		judge_barns(load, barns);
	return status;
}

int slab_load_barns(struct slab_load *load)
{
	const struct slab_layout *layout = &load->heap->layout;
	size_t node_count = load->heap->kernel->node_count, count = 0;
	CLEANUP(free) struct slab_record *records = NULL;
	struct barns barns = { 0 };
	int status = 0;

	if (!layout->sheaf.objects)
		return 0;
	records = calloc(load->count * node_count + 1, sizeof(*records));
	if (!records)
		return -ENOMEM;
	for (size_t i = 0; i < load->count; i++)
		for (size_t n = 0; n < node_count && has_sheaves(layout, load->caches[i].cache); n++) {
			struct slab_node *node = &load->caches[i].contents->nodes[n];

			/* libslub's lie within their nodes: where that can't be read it was noted. */
			if (field_exists(&layout->cache.barn) || (load->heap->kernel->process && node->address))
				node->barn = load->caches[i].cache->nodes[n].barn;
			if (node->barn)
				records[count++] =
					(struct slab_record) { node->barn, &load->caches[i], node, 0 };
		}
	barns.lists = calloc(count + 1, sizeof(*barns.lists));
	barns.chains = calloc(count + 1, sizeof(*barns.chains));
	if (!barns.lists || !barns.chains)
		status = -ENOMEM;
	else if (count)
		status = read_barns(load, &barns, records, count);
	free(barns.lists);
	free(barns.chains);
	return status;
}
