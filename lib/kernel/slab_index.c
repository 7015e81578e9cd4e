// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Sorted sets over a cache's contents, built once: objects that wait outside of slabs' freelists, and slabs
 * that a list or a CPU knows. Also the proof of how free pointers are stored.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "slab_freelist.h"
#include "slab_load.h"
#include "slab_state.h"

/* Wrong decodings make sense once in 2^40 or so: a few witnesses do, and few reads. */
#define ENOUGH_VOTES 8

static void park(struct slab_contents *contents, uint64_t object, enum slab_object_state state,
		 uint32_t owner, uint32_t position)
{
	contents->parked[contents->parked_count++] = (struct slab_parked){
		.object = object,
		.position = position,
		.owner = (uint16_t)owner,
		.state = (uint8_t)state,
	};
}

static void park_sheaf(struct slab_contents *contents, const struct slab_sheaf *sheaf,
		       enum slab_object_state state, uint32_t owner)
{
	for (uint32_t i = 0; i < sheaf->size; i++)
		park(contents, sheaf->objects[i], state, owner, sheaf->size - 1 - i);
}

static size_t count_parked(const struct slab_contents *contents)
{
	size_t count = contents->deferred_count;

	for (size_t c = 0; c < contents->cpu_count; c++) {
		const struct slab_cpu *cpu = &contents->cpus[c];

		count += (size_t)cpu->freelist.count + cpu->main.size + cpu->spare.size + cpu->rcu_free.size;
	}
	for (size_t n = 0; n < contents->node_count; n++)
		for (size_t s = 0; s < contents->nodes[n].full_sheaf_count; s++)
			count += contents->nodes[n].full_sheaves[s].size;
	return count;
}

static int compare_parked(const void *left, const void *right)
{
	const struct slab_parked *a = left, *b = right;

	if (a->object != b->object)
		return a->object < b->object ? -1 : 1;
	return a->state != b->state ? (a->state < b->state ? -1 : 1) : 0;
}

static int index_parked(struct slab_contents *contents)
{
	contents->parked = calloc(count_parked(contents) + 1, sizeof(*contents->parked));
	if (!contents->parked)
		return -ENOMEM;
	for (size_t c = 0; c < contents->cpu_count; c++) {
		const struct slab_cpu *cpu = &contents->cpus[c];

		for (uint32_t i = 0; i < cpu->freelist.count; i++)
			park(contents, cpu->freelist.objects[i], SLAB_OBJECT_CPU_FREELIST, cpu->cpu, i);
		park_sheaf(contents, &cpu->main, SLAB_OBJECT_SHEAF_MAIN, cpu->cpu);
		park_sheaf(contents, &cpu->spare, SLAB_OBJECT_SHEAF_SPARE, cpu->cpu);
		park_sheaf(contents, &cpu->rcu_free, SLAB_OBJECT_SHEAF_RCU, cpu->cpu);
	}
	for (size_t n = 0; n < contents->node_count; n++) {
		const struct slab_node *node = &contents->nodes[n];
		uint32_t before = 0;

		for (size_t s = 0; s < node->full_sheaf_count; s++) {
			const struct slab_sheaf *sheaf = &node->full_sheaves[s];

			for (uint32_t i = 0; i < sheaf->size; i++)
				park(contents, sheaf->objects[i], SLAB_OBJECT_BARN, node->node,
				     before + sheaf->size - 1 - i);
			before += sheaf->size;
		}
	}
	for (size_t i = 0; i < contents->deferred_count; i++)
		park(contents, contents->deferred[i].object, SLAB_OBJECT_DEFERRED, contents->deferred[i].cpu,
		     (uint32_t)i);
	if (contents->parked_count)
		qsort(contents->parked, contents->parked_count, sizeof(*contents->parked), compare_parked);
	return 0;
}

static int compare_slabs(const void *left, const void *right)
{
	const struct slab *a = *(const struct slab *const *)left, *b = *(const struct slab *const *)right;

	if (a->page != b->page)
		return a->page < b->page ? -1 : 1;
	return (int)a->place - (int)b->place;
}

static void list_all(struct slab_contents *contents, const struct slab_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		contents->listed[contents->listed_count++] = &list->slabs[i];
}

static int index_listed(struct slab_contents *contents)
{
	size_t count = 0;

	for (size_t c = 0; c < contents->cpu_count; c++)
		count += contents->cpus[c].has_slab + contents->cpus[c].partial.count;
	for (size_t n = 0; n < contents->node_count; n++)
		count += contents->nodes[n].partial.count + contents->nodes[n].full.count;
	contents->listed = calloc(count + 1, sizeof(struct slab *));
	if (!contents->listed)
		return -ENOMEM;
	for (size_t c = 0; c < contents->cpu_count; c++) {
		if (contents->cpus[c].has_slab)
			contents->listed[contents->listed_count++] = &contents->cpus[c].slab;
		list_all(contents, &contents->cpus[c].partial);
	}
	for (size_t n = 0; n < contents->node_count; n++) {
		list_all(contents, &contents->nodes[n].partial);
		list_all(contents, &contents->nodes[n].full);
	}
	if (contents->listed_count)
		qsort(contents->listed, contents->listed_count, sizeof(struct slab *), compare_slabs);
	return 0;
}

static void judge_duplicates(struct slab_heap *heap, uint32_t cache, const struct slab_contents *contents)
{
	for (size_t i = 1; i < contents->parked_count; i++) {
		const struct slab_parked *parked = &contents->parked[i];

		if (parked->object == parked[-1].object)
			slab_heap_note(heap, &(struct slab_finding){ .kind = SLAB_FREE_TWICE,
								     .cache = cache,
								     .object = parked->object,
								     .value = parked->state,
								     .expected = parked[-1].state,
								     .owner = parked->owner });
	}
	for (size_t i = 1; i < contents->listed_count; i++) {
		const struct slab *slab = contents->listed[i];

		if (slab->page == contents->listed[i - 1]->page)
			slab_heap_note(heap,
				       &(struct slab_finding) { .kind = SLAB_LISTED_TWICE,
								.cache = cache,
								.slab = slab->page,
								.value = slab->place,
								.expected = contents->listed[i - 1]->place,
								.owner = slab->owner });
	}
}

int slab_contents_index(struct slab_heap *heap, uint32_t cache, struct slab_contents *contents)
{
	int status = index_parked(contents);

	if (!status)
		status = index_listed(contents);
	if (!status)
		judge_duplicates(heap, cache, contents);
	return status;
}

/* Whether @stored makes sense in the first free object of @slab under @encoding: an object, or the end. */
static bool makes_sense(const struct slab_heap *heap, const struct slab *slab, enum slab_encoding encoding,
			uint64_t slot, uint64_t stored)
{
	const struct slab_cache *cache = &heap->caches[slab->cache];
	uint64_t next = slab_pointer_decode(encoding, cache->random, slot, stored);

	if (slab->objects - slab->inuse == 1)
		return !next;
	return next != slab->freelist && slab_pointer_judge(cache, slab, next) == SLAB_INTACT;
}

int slab_encoding_prove(struct slab_heap *heap, const struct slab *const *slabs, size_t count)
{
	static const enum slab_encoding encodings[] = { SLAB_ENCODING_XOR_SWAP, SLAB_ENCODING_XOR,
							SLAB_ENCODING_PLAIN };
	size_t votes[3] = { 0 }, best = 0;

	for (size_t i = 0; i < count && !heap->is_encoding_proven; i++) {
		const struct slab *slab = slabs[i];
		uint64_t slot, stored;

		if (slab->is_bad || slab->cache == SLAB_NO_CACHE || !slab->freelist ||
		    slab->inuse >= slab->objects ||
		    slab_pointer_judge(&heap->caches[slab->cache], slab, slab->freelist))
			continue;
		slot = slab_pointer_slot(&heap->caches[slab->cache], slab->freelist);
		if (kernel_read_u64(heap->kernel, slot, &stored))
			continue;
		if (votes[0] + votes[1] + votes[2] >= ENOUGH_VOTES)
			break;
		for (size_t e = 0; e < 3; e++)
			votes[e] += makes_sense(heap, slab, encodings[e], slot, stored);
	}
	for (size_t e = 1; e < 3; e++)
		if (votes[e] > votes[best])
			best = e;
	if (votes[best] && !heap->is_encoding_proven) {
		heap->encoding = encodings[best];
		heap->is_encoding_proven = true;
	}
	return heap->kernel->reader.code;
}
