// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The order in which a CPU's allocations take what is free. mm/slub.c: alloc_from_pcs(), ___slab_alloc(). */
#include "slab_next.h"

#include <errno.h>
#include <stdlib.h>

#include "kernel.h"
#include "slab_freelist.h"

/* Beyond any cache's capacity. */
#define FORECAST_SHEAF_MAX 4096

struct forecast {
	struct slab_heap *heap;
	uint32_t cache;
	struct slab_next *objects;
	size_t count, limit;
};

static void add(struct forecast *forecast, uint64_t object, uint64_t slab, enum slab_object_state from,
		bool is_certain)
{
	if (forecast->count < forecast->limit)
		forecast->objects[forecast->count++] =
			(struct slab_next){ object, slab, (uint8_t)from, is_certain };
}

static void add_sheaf(struct forecast *forecast, const struct slab_sheaf *sheaf, enum slab_object_state from,
		      bool is_certain)
{
	for (uint32_t i = sheaf->size; i-- > 0;)
		add(forecast, sheaf->objects[i], 0, from, is_certain);
}

/* The node whose barn and partial list @cpu uses. */
static const struct slab_node *node_of(struct slab_heap *heap, const struct slab_contents *contents,
				       uint32_t cpu)
{
	uint64_t variable, address;
	uint32_t number = 0;

	if (!kernel_symbol(heap->kernel, "numa_node", &variable) &&
	    !kernel_percpu(heap->kernel, variable, cpu, &address))
		(void)kernel_read_u32(heap->kernel, address, &number);
	if (number >= contents->node_count)
		number = 0;
	return contents->node_count ? &contents->nodes[number] : NULL;
}

/* The objects of a slab's own freelist, in order. */
static int add_slab(struct forecast *forecast, const struct slab *slab, enum slab_object_state from,
		    bool is_certain, struct error *err)
{
	struct slab_freelist list = { 0 };
	int status;

	if (forecast->count >= forecast->limit || slab->is_bad)
		return 0;
	status = slab_freelist_read(forecast->heap, slab, &list, err);
	for (uint32_t i = 0; i < list.count && !status; i++)
		add(forecast, list.objects[i], slab->page, from, is_certain);
	slab_freelist_deinit(&list);
	return status;
}

static int add_list(struct forecast *forecast, const struct slab_list *list, enum slab_object_state from,
		    bool is_certain, struct error *err)
{
	int status = 0;

	for (size_t i = 0; i < list->count && forecast->count < forecast->limit && !status; i++)
		status = add_slab(forecast, &list->slabs[i], from, is_certain, err);
	return status;
}

/*
 * Main sheaf, then spare (they are swapped), then the barn's full sheaves, first of the list first. A refill
 * from slabs is left out of what is certain.
 */
static void add_sheaves(struct forecast *forecast, const struct slab_cpu *cpu, const struct slab_node *node)
{
	add_sheaf(forecast, &cpu->main, SLAB_OBJECT_SHEAF_MAIN, true);
	add_sheaf(forecast, &cpu->spare, SLAB_OBJECT_SHEAF_SPARE, true);
	for (size_t s = 0; node && s < node->full_sheaf_count; s++)
		add_sheaf(forecast, &node->full_sheaves[s], SLAB_OBJECT_BARN, false);
}

/*
 * An empty sheaf is filled up with objects in the order of the slabs' freelists, and then emptied from its
 * end (refill_objects()): capacity objects at a time come out in reverse.
 */
static void reverse_by_sheaf(struct slab_next *objects, size_t count, size_t capacity)
{
	for (size_t at = 0; at < count; at += capacity) {
		size_t size = count - at < capacity ? count - at : capacity;

		for (size_t i = 0; i < size / 2; i++) {
			struct slab_next other = objects[at + i];

			objects[at + i] = objects[at + size - 1 - i];
			objects[at + size - 1 - i] = other;
		}
	}
}

static int add_node_partial(struct forecast *forecast, const struct slab_node *node, struct error *err)
{
	size_t capacity = forecast->heap->caches[forecast->cache].sheaf_capacity, before = forecast->count;
	size_t limit = forecast->limit;
	int status;

	/* A whole last sheaf, since its end comes first. */
	if (capacity && capacity <= FORECAST_SHEAF_MAX)
		forecast->limit = before + (limit - before + capacity - 1) / capacity * capacity;
	status = add_list(forecast, &node->partial, SLAB_OBJECT_FREE, false, err);
	if (capacity && capacity <= FORECAST_SHEAF_MAX)
		reverse_by_sheaf(forecast->objects + before, forecast->count - before, capacity);
	forecast->limit = limit;
	if (forecast->count > limit)
		forecast->count = limit;
	return status;
}

static int fill(struct forecast *forecast, const struct slab_contents *contents, uint32_t cpu_number,
		struct error *err)
{
	const struct slab_cpu *cpu = &contents->cpus[cpu_number];
	const struct slab_node *node = node_of(forecast->heap, contents, cpu_number);
	int status = 0;

	add_sheaves(forecast, cpu, node);
	for (uint32_t i = 0; i < cpu->freelist.count; i++)
		add(forecast, cpu->freelist.objects[i], cpu->slab.page, SLAB_OBJECT_CPU_FREELIST, true);
	if (cpu->has_slab)
		status = add_slab(forecast, &cpu->slab, SLAB_OBJECT_FREE, true, err);
	if (!status)
		status = add_list(forecast, &cpu->partial, SLAB_OBJECT_CPU_PARTIAL, true, err);
	if (!status && node)
		status = add_node_partial(forecast, node, err);
	return status;
}

int slab_next_objects(struct slab_heap *heap, uint32_t cache, uint32_t cpu, size_t count,
		      struct slab_next **ret_objects, size_t *ret_count, struct error *err)
{
	const struct slab_contents *contents = slab_heap_contents(heap, cache, err);
	struct forecast forecast = { .heap = heap, .cache = cache, .limit = count };
	int status;

	if (!contents)
		return err ? err->code : -EFAULT;
	if (cpu >= contents->cpu_count)
		return error_set(err, -ENOENT, "there is no CPU %u", cpu);
	forecast.objects = calloc(count + FORECAST_SHEAF_MAX, sizeof(*forecast.objects));
	if (!forecast.objects)
		return error_set(err, -ENOMEM, "no memory for %zu objects", count);
	status = fill(&forecast, contents, cpu, err);
	if (status) {
		free(forecast.objects);
		return status;
	}
	*ret_objects = forecast.objects;
	*ret_count = forecast.count;
	return 0;
}
