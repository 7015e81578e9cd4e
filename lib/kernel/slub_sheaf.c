// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * libslub's sheaves. The kernel's say how many objects they have; here a CPU has the address behind the last object,
 * the top, and a sheaf's own address is that of the aligned block around the word before it (slub/layout.h). Sheaves in
 * a barn are full, or empty, and linked singly.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "slub_heap.h"
#include "slub_process.h"

/* A barn keeps 10 full sheaves; those of threads that put theirs in at the same time don't make it many more. */
#define BARN_MAX 1024

static const struct slub_layout *layout_of(const struct slab_load *load)
{
	return &load->heap->kernel->process->layout;
}

static size_t sheaf_bytes(const struct slab_load *load, const struct slab_cache *cache)
{
	return layout_of(load)->sheaf.all.size + cache->sheaf_capacity * sizeof(uint64_t);
}

static bool has_sheaves(const struct slab_cache *cache)
{
	return cache->cpu_sheaves && cache->sheaf_capacity && !cache->is_damaged;
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

/* Address and size of the sheaf that ends at @top. */
static void take_top(struct slab_load *load, const struct slab_load_cache *of, uint64_t top, struct slab_sheaf *sheaf,
		     uint32_t owner)
{
	uint64_t bytes = sheaf_bytes(load, of->cache), header = layout_of(load)->sheaf.all.size;
	uint64_t address = (top - 1) & ~(bytes - 1);

	if (!top || top == load->heap->kernel->process->bootstrap_top)
		return;
	sheaf->address = address;
	if (top % 8 || top - address < header) {
		sheaf->damage = SLAB_SHEAF_TOO_LARGE;
		note(load, of, SLAB_SHEAF_TOO_LARGE, address, top, address + header, owner);
		return;
	}
	sheaf->size = (uint32_t)((top - address - header) / 8);
}

static int keep_objects(struct slab_load *load, const struct slab_load_cache *of, const char *bytes,
			struct slab_sheaf *sheaf, uint32_t owner)
{
	if (!bytes) {
		sheaf->size = 0;
		sheaf->damage = SLAB_SHEAF_UNREADABLE;
		note(load, of, SLAB_SHEAF_UNREADABLE, sheaf->address, 0, 0, owner);
		return 0;
	}
	sheaf->objects = malloc(sheaf->size * sizeof(*sheaf->objects) + 1);
	if (!sheaf->objects)
		return -ENOMEM;
	memcpy(sheaf->objects, bytes + layout_of(load)->sheaf.all.size, sheaf->size * sizeof(*sheaf->objects));
	return 0;
}

static int visit_tops(struct slab_load *load, const struct slab_record *record, const void *bytes)
{
	const struct slab_layout *layout = &load->heap->layout;
	struct slab_cpu *cpu = record->item;

	if (!bytes) {
		note(load, record->of, SLAB_CPU_UNREADABLE, record->address, 0, 0, cpu->cpu);
		return 0;
	}
	cpu->sheaves = record->address;
	take_top(load, record->of, field_get(&layout->sheaves.main, bytes, layout->sheaves.size), &cpu->main, cpu->cpu);
	take_top(load, record->of, field_get(&layout->sheaves.spare, bytes, layout->sheaves.size), &cpu->spare, cpu->cpu);
	return 0;
}

static int visit_sheaf(struct slab_load *load, const struct slab_record *record, const void *bytes)
{
	struct slab_contents *contents = record->of->contents;
	struct slab_sheaf *sheaf = record->item;
	/* The sheaf lies within its CPU's element of the array. */
	size_t cpu = (size_t)((char *)sheaf - (char *)contents->cpus) / sizeof(*contents->cpus);

	return keep_objects(load, record->of, bytes, sheaf, (uint32_t)cpu);
}

int slub_load_sheaves(struct slab_load *load)
{
	size_t cpu_count = load->heap->kernel->cpu_count, count = 0, largest = 0;
	CLEANUP(free) struct slab_record *records = calloc(2 * load->count * cpu_count + 1, sizeof(*records));
	int status;

	if (!records)
		return -ENOMEM;
	for (size_t i = 0; i < load->count; i++)
		for (size_t c = 0; c < cpu_count && has_sheaves(load->caches[i].cache); c++) {
			uint64_t address = load->caches[i].cache->cpu_sheaves + load->heap->kernel->percpu_offsets[c];

			records[count++] = (struct slab_record){ address, &load->caches[i],
								 &load->caches[i].contents->cpus[c], 0 };
		}
	status = slab_records_read(load, records, count, load->heap->layout.sheaves.size, visit_tops);
	count = 0;
	for (size_t i = 0; i < load->count && !status; i++) {
		size_t bytes = sheaf_bytes(load, load->caches[i].cache);

		for (size_t c = 0; c < cpu_count && has_sheaves(load->caches[i].cache); c++) {
			struct slab_cpu *cpu = &load->caches[i].contents->cpus[c];
			struct slab_sheaf *sheaves[] = { &cpu->main, &cpu->spare };

			largest = bytes > largest ? bytes : largest;
			for (int s = 0; s < 2; s++)
				if (sheaves[s]->size)
					records[count++] = (struct slab_record){ sheaves[s]->address, &load->caches[i],
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
	return keep_objects(list->load, list->of, bytes, &larger[node->full_sheaf_count++], node->node);
}

static void add_barn(struct barns *barns, struct slab_load *load, struct slab_load_cache *of, struct slab_node *node)
{
	const struct slub_layout *layout = layout_of(load);
	char bytes[UINT16_MAX];
	uint64_t first;

	node->barn = of->cache->nodes[node->node].barn;
	if (!node->barn || kernel_read(load->heap->kernel, node->barn, bytes, layout->barn.all.size))
		return; /* the node around it couldn't be read either, which was noted */
	node->nr_full = (uint32_t)field_get(&layout->barn.nr_full, bytes, layout->barn.all.size);
	node->nr_empty = (uint32_t)field_get(&layout->barn.nr_empty, bytes, layout->barn.all.size);
	first = field_get(&layout->barn.full, bytes, layout->barn.all.size);
	barns->lists[barns->count] = (struct barn_list){ load, of, node };
	barns->chains[barns->count] = (struct slab_chain){ .next = first,
							   .link = layout->sheaf.next.offset,
							   .record_size = sheaf_bytes(load, of->cache),
							   .limit = BARN_MAX,
							   .visit = visit_full_sheaf,
							   .context = &barns->lists[barns->count] };
	barns->count++;
}

static void judge_barn(struct slab_load *load, const struct slab_chain *chain)
{
	const struct barn_list *list = chain->context;
	const struct slab_node *node = list->node;

	if (chain->damage)
		note(load, list->of, SLAB_LIST_UNREADABLE + (chain->damage - LIST_UNREADABLE), chain->damaged_node,
		     chain->damaged_value, 0, node->node);
	else if (chain->count != node->nr_full)
		note(load, list->of, SLAB_LIST_COUNT, node->barn, chain->count, node->nr_full, node->node);
}

int slub_load_barns(struct slab_load *load)
{
	size_t node_count = load->heap->kernel->node_count, most = load->count * node_count + 1;
	CLEANUP(free) struct barn_list *lists = calloc(most, sizeof(*lists));
	CLEANUP(free) struct slab_chain *chains = calloc(most, sizeof(*chains));
	struct barns barns = { lists, chains, 0 };
	int status;

	if (!lists || !chains)
		return -ENOMEM;
	for (size_t i = 0; i < load->count; i++)
		for (size_t n = 0; n < node_count && has_sheaves(load->caches[i].cache); n++)
			add_barn(&barns, load, &load->caches[i], &load->caches[i].contents->nodes[n]);
	status = slab_chains_follow(load->heap->kernel, chains, barns.count, NULL);
	for (size_t i = 0; i < barns.count && !status; i++)
		judge_barn(load, &chains[i]);
	return status;
}
