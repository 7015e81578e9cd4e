// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The order in which a CPU's allocations take what is free. mm/slub.c: alloc_from_pcs(), ___slab_alloc(). */
#include "slab_next.h"

#include <errno.h>
#include <stdlib.h>

#include "kernel.h"
#include "slab_freelist.h"
#include "slab_load.h"

/* Beyond any cache's capacity. */
#define FORECAST_SHEAF_MAX 4096
/* Of a running kernel, until damage is the same twice in a row. */
#define READINGS_MAX 12

struct forecast {
	struct slab_heap *heap;
	uint32_t cache;
	size_t limit;
	size_t intact; /* objects that were there when damage was met */
	struct slab_forecast result;
};

static void add(struct forecast *forecast, uint64_t object, uint64_t slab, enum slab_object_state from,
		bool is_certain)
{
	struct slab_forecast *result = &forecast->result;

	if (result->count < forecast->limit)
		result->objects[result->count++] = (struct slab_next){
			.address = object,
			.slab = slab,
			.from = (uint8_t)from,
			.damage = (uint8_t)result->damage,
			.is_certain = is_certain && !result->damage,
		};
}

/* From here on nothing is certain. */
static void meet(struct forecast *forecast, enum slab_damage damage, uint64_t object, uint64_t value)
{
	if (forecast->result.damage || forecast->result.count >= forecast->limit)
		return;
	forecast->intact = forecast->result.count;
	forecast->result.damage = damage;
	forecast->result.damaged_object = object;
	forecast->result.damaged_value = value;
}

static void add_sheaf(struct forecast *forecast, const struct slab_sheaf *sheaf, enum slab_object_state from,
		      bool is_certain)
{
	for (uint32_t i = sheaf->size; i-- > 0;)
		add(forecast, sheaf->objects[i], 0, from, is_certain);
	if (sheaf->damage)
		meet(forecast, sheaf->damage, sheaf->address, 0);
}

/* Free objects of @slab, and where the chain is broken what it leads to: the allocator takes that for an object. */
static void add_chain(struct forecast *forecast, const struct slab *slab, const struct slab_freelist *list,
		      enum slab_object_state from, bool is_certain)
{
	for (uint32_t i = 0; i < list->count; i++)
		add(forecast, list->objects[i], slab->page, from, is_certain);
	if (!list->damage)
		return;
	meet(forecast, list->damage, list->damaged_object, list->damaged_value);
	if (list->damaged_value)
		add(forecast, list->damaged_value, list->damage == SLAB_FREELIST_OUTSIDE ? 0 : slab->page, from,
		    false);
}

static const struct slab_node *node_of(struct slab_heap *heap, const struct slab_contents *contents,
				       uint32_t cpu)
{
	uint32_t number = slab_cpu_node(heap, cpu);

	return number < contents->node_count ? &contents->nodes[number] : NULL;
}

/* Why the objects of a slab that is_bad can't be told apart. */
static enum slab_damage damage_of(const struct forecast *forecast, const struct slab *slab)
{
	if (slab->cache != forecast->cache)
		return SLAB_WRONG_CACHE;
	return forecast->heap->caches[forecast->cache].is_damaged ? SLAB_CACHE_DAMAGED : SLAB_BAD_COUNTERS;
}

/* The objects of a slab's own freelist, in order. */
static int add_slab(struct forecast *forecast, const struct slab *slab, enum slab_object_state from,
		    bool is_certain, struct error *err)
{
	struct slab_freelist list = { 0 };
	int status;

	if (forecast->result.count >= forecast->limit)
		return 0;
	if (slab->is_bad) {
		meet(forecast, damage_of(forecast, slab), 0, 0);
		return 0;
	}
	status = slab_freelist_read(forecast->heap, slab, &list, err);
	if (!status)
		add_chain(forecast, slab, &list, from, is_certain);
	slab_freelist_deinit(&list);
	return status;
}

static int add_list(struct forecast *forecast, const struct slab_list *list, enum slab_object_state from,
		    bool is_certain, struct error *err)
{
	int status = 0;

	for (size_t i = 0; i < list->count && forecast->result.count < forecast->limit && !status; i++)
		status = add_slab(forecast, &list->slabs[i], from, is_certain, err);
	if (list->damage)
		meet(forecast, SLAB_LIST_UNREADABLE + (list->damage - LIST_UNREADABLE), 0, 0);
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
	const struct slab_cache *cache = &forecast->heap->caches[forecast->cache];
	size_t capacity = cache->sheaf_refill ? cache->sheaf_refill : cache->sheaf_capacity;
	struct slab_forecast *result = &forecast->result;
	size_t before = result->count, limit = forecast->limit;
	int status;

	if (!capacity || capacity > FORECAST_SHEAF_MAX)
		return add_list(forecast, &node->partial, SLAB_OBJECT_FREE, false, err);
	/* A whole last sheaf, since its end comes first. */
	forecast->limit = before + (limit - before + capacity - 1) / capacity * capacity;
	status = add_list(forecast, &node->partial, SLAB_OBJECT_FREE, false, err);
	/* A sheaf is filled, and meets the damage, before any of its objects is handed out. */
	if (result->damage && forecast->intact >= before)
		for (size_t i = before + (forecast->intact - before) / capacity * capacity; i < result->count; i++)
			result->objects[i].damage = (uint8_t)result->damage;
	reverse_by_sheaf(result->objects + before, result->count - before, capacity);
	forecast->limit = limit;
	if (result->count > limit)
		result->count = limit;
	return status;
}

/* The lockless freelist, and the slab that it belongs to. */
static int add_cpu_slab(struct forecast *forecast, const struct slab_cpu *cpu, struct error *err)
{
	if (cpu->slab.page && !cpu->has_slab) {
		meet(forecast, SLAB_CPU_UNREADABLE, 0, cpu->slab.page);
		return 0;
	}
	if (!cpu->has_slab)
		return 0;
	add_chain(forecast, &cpu->slab, &cpu->freelist, SLAB_OBJECT_CPU_FREELIST, true);
	return add_slab(forecast, &cpu->slab, SLAB_OBJECT_FREE, true, err);
}

static int fill(struct forecast *forecast, const struct slab_contents *contents, uint32_t cpu_number,
		struct error *err)
{
	const struct slab_cpu *cpu = &contents->cpus[cpu_number];
	const struct slab_node *node = node_of(forecast->heap, contents, cpu_number);
	int status;

	add_sheaves(forecast, cpu, node);
	if (!cpu->cpu_slab && forecast->heap->caches[forecast->cache].cpu_slab)
		meet(forecast, SLAB_CPU_UNREADABLE, 0, 0);
	status = add_cpu_slab(forecast, cpu, err);
	if (!status)
		status = add_list(forecast, &cpu->partial, SLAB_OBJECT_CPU_PARTIAL, true, err);
	if (!status && node)
		status = add_node_partial(forecast, node, err);
	return status;
}

static int read_once(struct slab_heap *heap, uint32_t cache, uint32_t cpu, size_t count,
		     struct slab_forecast *ret_forecast, struct error *err)
{
	const struct slab_contents *contents = slab_heap_contents(heap, cache, err);
	struct forecast forecast = { .heap = heap, .cache = cache, .limit = count };
	int status;

	if (!contents)
		return err ? err->code : -EFAULT;
	if (cpu >= contents->cpu_count)
		return error_set(err, -ENOENT, "there is no CPU %u", cpu);
	forecast.result.objects = calloc(count + FORECAST_SHEAF_MAX, sizeof(*forecast.result.objects));
	if (!forecast.result.objects)
		return error_set(err, -ENOMEM, "no memory for %zu objects", count);
	status = fill(&forecast, contents, cpu, err);
	if (status) {
		slab_forecast_deinit(&forecast.result);
		return status;
	}
	*ret_forecast = forecast.result;
	return 0;
}

static bool is_same_damage(const struct slab_forecast *a, const struct slab_forecast *b)
{
	return a->damage == b->damage && a->damaged_object == b->damaged_object &&
	       a->damaged_value == b->damaged_value;
}

int slab_forecast_read(struct slab_heap *heap, uint32_t cache, uint32_t cpu, size_t count,
		       struct slab_forecast *ret_forecast, struct error *err)
{
	struct slab_forecast forecast = { 0 }, before = { 0 };
	int status;

	for (size_t reading = 1;; reading++) {
		status = read_once(heap, cache, cpu, count, &forecast, err);
		if (status)
			return status;
		if (!forecast.damage || !heap->kernel->source->is_live || is_same_damage(&forecast, &before) ||
		    reading == READINGS_MAX)
			break;
		before = forecast;
		slab_forecast_deinit(&forecast);
		slab_contents_destroy(heap->contents[cache]);
		heap->contents[cache] = NULL;
		kernel_forget(heap->kernel);
	}
	*ret_forecast = forecast;
	return 0;
}

void slab_forecast_deinit(struct slab_forecast *forecast)
{
	free(forecast->objects);
	*forecast = (struct slab_forecast){ 0 };
}
