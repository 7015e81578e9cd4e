// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Reads what caches hold, for many caches at once: CPUs' structures, nodes, lists of slabs, lockless
 * freelists. Sheaves: slab_sheaf.c. What it all means for objects: slab_state.c.
 */
#include "slab_load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "slab_freelist.h"

#define ROUND_BYTES ((size_t)8 << 20)

static int read_batch(struct slab_load *load, const struct slab_record *records, size_t count, size_t size,
		      struct memory_read *reads, char *buffer, slab_record_visit visit)
{
	int status;

	for (size_t i = 0; i < count; i++)
		reads[i] = (struct memory_read){ .address = records[i].address,
						 .buffer = buffer + i * size,
						 .size = records[i].size ? records[i].size : size };
	status = kernel_read_many(load->heap->kernel, reads, count);
	for (size_t i = 0; i < count && !status; i++)
		status = visit(load, &records[i], reads[i].result ? NULL : reads[i].buffer);
	return status;
}

int slab_records_read(struct slab_load *load, const struct slab_record *records, size_t count, size_t size,
		      slab_record_visit visit)
{
	size_t batch = size && size < ROUND_BYTES ? ROUND_BYTES / size : 1;
	CLEANUP(free) struct memory_read *reads = NULL;
	CLEANUP(free) char *buffer = NULL;
	int status = 0;

	if (!count || !size)
		return 0;
	if (batch > count)
		batch = count;
	reads = calloc(batch, sizeof(*reads));
	buffer = malloc(batch * size);
	if (!reads || !buffer)
		return -ENOMEM;
	for (size_t at = 0; at < count && !status; at += batch)
		status = read_batch(load, records + at, count - at < batch ? count - at : batch, size, reads,
				    buffer, visit);
	return status;
}

static void note(struct slab_load *load, const struct slab_record *record, enum slab_damage kind,
		 uint32_t owner)
{
	slab_heap_note(load->heap, &(struct slab_finding){ .kind = kind,
							   .cache = record->of->index,
							   .object = record->address,
							   .owner = owner });
}

/* A slab on a list, as the list's cache should have it. */
static void judge_listed(struct slab_load_list *of, const struct slab *slab, const void *bytes)
{
	struct slab_finding finding = { .cache = of->of->index, .slab = slab->page, .owner = of->owner };
	struct slab_heap *heap = of->load->heap;

	if (!slab_layout_is_slab(&heap->layout, bytes)) {
		finding.kind = SLAB_NOT_A_SLAB;
		slab_heap_note(heap, &finding);
	}
	if (slab->cache != of->of->index) {
		finding.kind = SLAB_WRONG_CACHE;
		finding.value = field_get(&heap->layout.slab.cache, bytes, heap->layout.page.size);
		finding.expected = of->of->cache->address;
		slab_heap_note(heap, &finding);
	} else if (slab->is_bad && !of->of->cache->is_damaged) {
		finding.kind = SLAB_BAD_COUNTERS;
		finding.value = slab->inuse;
		finding.expected = slab->objects;
		slab_heap_note(heap, &finding);
	}
	if (slab->is_frozen && of->place == SLAB_NODE_PARTIAL) {
		finding.kind = SLAB_BAD_FROZEN;
		finding.value = 1;
		finding.expected = 0;
		slab_heap_note(heap, &finding);
	}
}

/* Decode a slab that belongs to @of by a list or by being a CPU slab. */
static void decode_listed(struct slab_load_list *of, uint64_t page, const void *bytes, struct slab *ret_slab)
{
	slab_decode(of->load->heap, page, bytes, ret_slab);
	ret_slab->place = (uint8_t)of->place;
	ret_slab->owner = of->owner;
	judge_listed(of, ret_slab, bytes);
	if (ret_slab->cache != of->of->index)
		ret_slab->is_bad = true;
}

static int visit_slab(struct slab_chain *chain, uint64_t page, const void *bytes)
{
	struct slab_load_list *of = chain->context;
	const struct slab_layout *layout = &of->load->heap->layout;
	struct slab_list *list = of->list;

	/* A process's slab that went from this CPU to a node meanwhile: from there on it is that list. */
	if (of->place == SLAB_CPU_PARTIAL && field_get(&layout->slab.on_partial, bytes, layout->page.size)) {
		chain->is_left = true;
		return 0;
	}
	if (list->count == of->capacity) {
		size_t capacity = of->capacity ? of->capacity * 2 : 8;
		struct slab *larger = realloc(list->slabs, capacity * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		list->slabs = larger;
		of->capacity = capacity;
	}
	decode_listed(of, page, bytes, &list->slabs[list->count]);
	list->count++;
	return 0;
}

/* Remember a list to be followed: a ring when @head isn't 0. */
static void add_list(struct slab_load *load, const struct slab_load_list *list, uint64_t head, uint64_t next,
		     uint64_t last)
{
	const struct slab_layout *layout = &load->heap->layout;
	uint64_t pages = load->heap->kernel->layout.max_pfn.value;
	struct slab_load_list *kept = &load->lists[load->chain_count];

	*kept = *list;
	kept->load = load;
	load->chains[load->chain_count++] = (struct slab_chain){
		.head = head,
		.next = next,
		.last = last,
		.link = head ? layout->slab.list.offset : layout->slab.next.offset,
		.record_size = layout->page.size,
		.limit = pages ? pages : UINT32_MAX,
		.visit = visit_slab,
		.context = kept,
	};
}

static int visit_cpu(struct slab_load *load, const struct slab_record *record, const void *bytes)
{
	const struct slab_layout *layout = &load->heap->layout;
	struct slab_cpu *cpu = record->item;

	if (!bytes) {
		note(load, record, SLAB_CPU_UNREADABLE, cpu->cpu);
		return 0;
	}
	cpu->cpu_slab = record->address;
	cpu->first_free = field_get(&layout->cpu.freelist, bytes, layout->cpu.size);
	cpu->tid = field_get(&layout->cpu.tid, bytes, layout->cpu.size);
	cpu->slab.page = field_get(&layout->cpu.slab, bytes, layout->cpu.size);
	cpu->first_partial = field_get(&layout->cpu.partial, bytes, layout->cpu.size);
	if (cpu->first_partial)
		add_list(load,
			 &(struct slab_load_list){ .of = record->of,
						   .list = &cpu->partial,
						   .place = SLAB_CPU_PARTIAL,
						   .owner = cpu->cpu },
			 0, cpu->first_partial, 0);
	return 0;
}

static int visit_cpu_slab(struct slab_load *load, const struct slab_record *record, const void *bytes)
{
	struct slab_cpu *cpu = record->item;
	struct slab_load_list of = {
		.load = load, .of = record->of, .place = SLAB_ON_CPU, .owner = cpu->cpu
	};

	if (!bytes) {
		note(load, record, SLAB_CPU_UNREADABLE, cpu->cpu);
		return 0;
	}
	decode_listed(&of, record->address, bytes, &cpu->slab);
	cpu->has_slab = true;
	return 0;
}

static void add_ring(struct slab_load *load, const struct slab_record *record, const void *bytes,
		     const struct field *field, struct slab_list *list, enum slab_place place, uint32_t owner)
{
	uint64_t links[2];

	if (field->size < sizeof(links) || field->offset + sizeof(links) > load->heap->layout.node.size)
		return;
	memcpy(links, (const char *)bytes + field->offset, sizeof(links));
	add_list(load,
		 &(struct slab_load_list) { .of = record->of, .list = list, .place = place, .owner = owner },
		 record->address + field->offset, links[0], links[1]);
}

static int visit_node(struct slab_load *load, const struct slab_record *record, const void *bytes)
{
	const struct slab_layout *layout = &load->heap->layout;
	struct slab_node *node = record->item;

	if (!bytes) {
		note(load, record, SLAB_NODE_UNREADABLE, node->node);
		return 0;
	}
	node->address = record->address;
	node->nr_partial = field_get(&layout->node.nr_partial, bytes, layout->node.size);
	node->has_books = field_exists(&layout->node.nr_slabs) && field_exists(&layout->node.total_objects);
	node->nr_slabs = field_get(&layout->node.nr_slabs, bytes, layout->node.size);
	node->total_objects = field_get(&layout->node.total_objects, bytes, layout->node.size);
	if (field_exists(&layout->node.barn))
		node->barn = field_get(&layout->node.barn, bytes, layout->node.size);
	add_ring(load, record, bytes, &layout->node.partial, &node->partial, SLAB_NODE_PARTIAL, node->node);
	/* Elsewhere the list is empty, or its head isn't even set up. */
	if (record->of->cache->flags & layout->flag_store_user)
		add_ring(load, record, bytes, &layout->node.full, &node->full, SLAB_NODE_FULL, node->node);
	return 0;
}

static int load_cpus(struct slab_load *load, struct slab_record *records)
{
	struct slab_heap *heap = load->heap;
	size_t count = 0;
	int status;

	for (size_t i = 0; i < load->count; i++)
		for (size_t c = 0; c < load->caches[i].contents->cpu_count && load->caches[i].cache->cpu_slab;
		     c++) {
			struct slab_cpu *cpu = &load->caches[i].contents->cpus[c];
			uint64_t address;

			if (!kernel_percpu(heap->kernel, load->caches[i].cache->cpu_slab, c, &address))
				records[count++] = (struct slab_record){ address, &load->caches[i], cpu, 0 };
		}
	status = slab_records_read(load, records, count, heap->layout.cpu.size, visit_cpu);
	count = 0;
	for (size_t i = 0; i < load->count && !status; i++)
		for (size_t c = 0; c < load->caches[i].contents->cpu_count; c++) {
			struct slab_cpu *cpu = &load->caches[i].contents->cpus[c];

			if (cpu->slab.page)
				records[count++] =
					(struct slab_record){ cpu->slab.page, &load->caches[i], cpu, 0 };
		}
	return status ? status
		      : slab_records_read(load, records, count, heap->layout.page.size, visit_cpu_slab);
}

static int load_nodes(struct slab_load *load, struct slab_record *records)
{
	size_t count = 0;

	for (size_t i = 0; i < load->count; i++)
		for (size_t n = 0; n < load->caches[i].contents->node_count; n++)
			if (load->caches[i].cache->nodes[n].node)
				records[count++] = (struct slab_record){
					.address = load->caches[i].cache->nodes[n].node,
					.of = &load->caches[i],
					.item = &load->caches[i].contents->nodes[n],
				};
	return slab_records_read(load, records, count, load->heap->layout.node.size, visit_node);
}

/* What the walks along the lists of slabs met. */
static void judge_lists(struct slab_load *load)
{
	for (size_t i = 0; i < load->chain_count; i++) {
		const struct slab_chain *chain = &load->chains[i];
		const struct slab_load_list *of = &load->lists[i];
		struct slab_finding finding = { .cache = of->of->index,
						.object = chain->damaged_node,
						.value = chain->damaged_value,
						.owner = of->owner };

		of->list->damage = chain->damage;
		if (chain->damage) {
			finding.kind = SLAB_LIST_UNREADABLE + (chain->damage - LIST_UNREADABLE);
			slab_heap_note(load->heap, &finding);
		} else if (of->place == SLAB_NODE_PARTIAL &&
			   of->of->contents->nodes[of->owner].nr_partial != chain->count) {
			finding.kind = SLAB_LIST_COUNT;
			finding.object = chain->head;
			finding.value = chain->count;
			finding.expected = of->of->contents->nodes[of->owner].nr_partial;
			slab_heap_note(load->heap, &finding);
		}
	}
}

static void keep_cpu_freelist(struct slab_load *load, struct slab_load_cache *of, struct slab_cpu *cpu,
			      const struct slab_freelist *result)
{
	cpu->freelist = *result;
	if (result->damage)
		slab_heap_note(load->heap, &(struct slab_finding){ .kind = result->damage,
								   .cache = of->index,
								   .slab = cpu->slab.page,
								   .object = result->damaged_object,
								   .value = result->damaged_value,
								   .owner = cpu->cpu });
}

/* The lockless freelists: all objects of them lie in the CPU slab. */
static int load_cpu_freelists(struct slab_load *load, struct slab_record *records, struct error *err)
{
	CLEANUP(free) struct slab_freelist_walk *walks = NULL;
	size_t count = 0;
	int status;

	for (size_t i = 0; i < load->count; i++)
		for (size_t c = 0; c < load->caches[i].contents->cpu_count; c++) {
			struct slab_cpu *cpu = &load->caches[i].contents->cpus[c];

			if (cpu->first_free && cpu->has_slab && !cpu->slab.is_bad)
				records[count++] = (struct slab_record){ 0, &load->caches[i], cpu, 0 };
		}
	walks = calloc(count + 1, sizeof(*walks));
	if (!walks)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct slab_cpu *cpu = records[i].item;

		walks[i] = (struct slab_freelist_walk){ .cache = records[i].of->cache,
							.slab = &cpu->slab,
							.first = cpu->first_free,
							.limit = cpu->slab.objects };
	}
	status = slab_freelists_walk(load->heap, walks, count, err);
	for (size_t i = 0; i < count; i++)
		if (status)
			slab_freelist_deinit(&walks[i].result);
		else
			keep_cpu_freelist(load, records[i].of, records[i].item, &walks[i].result);
	return status;
}

/* Free objects on the lists just read show how their pointers are stored. */
static int prove_encoding(struct slab_load *load)
{
	const struct slab *slabs[64];
	size_t count = 0;

	for (size_t i = 0; i < load->chain_count; i++)
		for (size_t s = 0; s < load->lists[i].list->count && count < 64; s++)
			slabs[count++] = &load->lists[i].list->slabs[s];
	return slab_encoding_prove(load->heap, slabs, count);
}

static int prepare(struct slab_load *load, size_t cpu_count, size_t node_count)
{
	size_t lists = load->count * (cpu_count + 2 * node_count) + 1;

	load->chains = calloc(lists, sizeof(*load->chains));
	load->lists = calloc(lists, sizeof(*load->lists));
	for (size_t i = 0; i < load->count; i++) {
		struct slab_contents *contents = calloc(1, sizeof(*contents));

		load->caches[i].contents = contents;
		if (!contents)
			return -ENOMEM;
		contents->cpus = calloc(cpu_count + 1, sizeof(*contents->cpus));
		contents->nodes = calloc(node_count + 1, sizeof(*contents->nodes));
		if (!contents->cpus || !contents->nodes)
			return -ENOMEM;
		contents->cpu_count = cpu_count;
		contents->node_count = node_count;
		for (size_t c = 0; c < cpu_count; c++)
			contents->cpus[c].cpu = (uint32_t)c;
		for (size_t n = 0; n < node_count; n++)
			contents->nodes[n].node = (uint32_t)n;
	}
	return load->chains && load->lists ? 0 : -ENOMEM;
}

static int run(struct slab_load *load, struct error *err)
{
	size_t cpu_count = load->heap->kernel->cpu_count, node_count = load->heap->kernel->node_count;
	CLEANUP(free) struct slab_record *records =
		calloc(load->count * (cpu_count > node_count ? cpu_count : node_count) + 1, sizeof(*records));
	int status = records ? prepare(load, cpu_count, node_count) : -ENOMEM;

	if (!status)
		status = load_cpus(load, records);
	if (!status)
		status = load_nodes(load, records);
	if (!status)
		status = slab_load_sheaves(load);
	if (!status)
		status = slab_load_barns(load);
	if (!status)
		status = slab_chains_follow(load->heap->kernel, load->chains, load->chain_count, err);
	if (!status)
		judge_lists(load);
	if (!status)
		status = prove_encoding(load);
	if (!status)
		status = load_cpu_freelists(load, records, err);
	if (!status)
		status = slab_load_deferred(load, err);
	for (size_t i = 0; i < load->count && !status; i++)
		status = slab_contents_index(load->heap, load->caches[i].index, load->caches[i].contents);
	return status;
}

int slab_load_once(struct slab_heap *heap, const uint32_t *caches, size_t count, struct error *err)
{
	size_t wanted = caches ? count : heap->cache_count;
	struct slab_load load = { .heap = heap };
	int status;

	load.caches = calloc(wanted + 1, sizeof(*load.caches));
	if (!load.caches)
		return error_set(err, -ENOMEM, "no memory for %zu caches' contents", wanted);
	for (size_t i = 0; i < wanted; i++) {
		uint32_t index = caches ? caches[i] : (uint32_t)i;

		if (index < heap->cache_count && !heap->contents[index])
			load.caches[load.count++] =
				(struct slab_load_cache){ .index = index, .cache = &heap->caches[index] };
	}
	status = load.count ? run(&load, err) : 0;
	for (size_t i = 0; i < load.count; i++)
		if (status || heap->contents[load.caches[i].index])
			slab_contents_destroy(load.caches[i].contents);
		else
			heap->contents[load.caches[i].index] = load.caches[i].contents;
	free(load.caches);
	free(load.chains);
	free(load.lists);
	if (status)
		return error_set(err, status, "%s", status == -ENOMEM ? "no memory for the caches' contents"
								      : heap->kernel->reader.text);
	return 0;
}

const struct slab_contents *slab_heap_contents(struct slab_heap *heap, uint32_t cache, struct error *err)
{
	if (cache >= heap->cache_count) {
		error_set(err, -EINVAL, "no such cache");
		return NULL;
	}
	return slab_heap_load(heap, &cache, 1, err) ? NULL : heap->contents[cache];
}

static void list_free(struct slab_list *list)
{
	free(list->slabs);
}

void slab_contents_destroy(struct slab_contents *contents)
{
	if (!contents)
		return;
	for (size_t c = 0; c < contents->cpu_count; c++) {
		struct slab_cpu *cpu = &contents->cpus[c];

		slab_freelist_deinit(&cpu->freelist);
		list_free(&cpu->partial);
		free(cpu->main.objects);
		free(cpu->spare.objects);
		free(cpu->rcu_free.objects);
	}
	for (size_t n = 0; n < contents->node_count; n++) {
		struct slab_node *node = &contents->nodes[n];

		list_free(&node->partial);
		list_free(&node->full);
		for (size_t s = 0; s < node->full_sheaf_count; s++)
			free(node->full_sheaves[s].objects);
		free(node->full_sheaves);
	}
	free(contents->cpus);
	free(contents->nodes);
	free(contents->deferred);
	free(contents->parked);
	free(contents->listed);
	free(contents);
}
