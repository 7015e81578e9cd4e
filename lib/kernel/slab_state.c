// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * States of objects, by slab and by address. A slab's freelist tells most; the sorted set of parked objects
 * tells the rest.
 */
#include "slab_state.h"

#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "kernel.h"
#include "partition_point.h"
#include "slab_freelist.h"
#include "slab_load.h"
#include "slab_pages.h"
#include "slub_heap.h"

/* Slabs whose freelists are walked side by side in a pass over all objects. */
#define SLABS_AT_ONCE 512
#define LIVE_RETRIES 3

const char *const slab_object_state_names[SLAB_OBJECT_STATES + 1] = {
	[SLAB_OBJECT_UNKNOWN] = "unknown",
	[SLAB_OBJECT_ALLOCATED] = "allocated",
	[SLAB_OBJECT_FREE] = "free",
	[SLAB_OBJECT_CPU_FREELIST] = "cpu_freelist",
	[SLAB_OBJECT_CPU_PARTIAL] = "cpu_partial",
	[SLAB_OBJECT_SHEAF_MAIN] = "sheaf_main",
	[SLAB_OBJECT_SHEAF_SPARE] = "sheaf_spare",
	[SLAB_OBJECT_BARN] = "barn",
	[SLAB_OBJECT_SHEAF_RCU] = "sheaf_rcu",
	[SLAB_OBJECT_DEFERRED] = "deferred",
};

static size_t first_parked(const struct slab_contents *contents, uint64_t address)
{
	return PARTITION_POINT(i, contents->parked_count, contents->parked[i].object < address);
}

/* Enter what waits outside of the slab's freelist. */
static void place_parked(const struct slab_cache *cache, const struct slab_contents *contents,
			 const struct slab *slab, struct slab_object *objects)
{
	uint64_t end = slab->start + (uint64_t)slab->objects * cache->size;

	for (size_t i = first_parked(contents, slab->start); i < contents->parked_count; i++) {
		const struct slab_parked *parked = &contents->parked[i];
		uint32_t index;

		if (parked->object >= end)
			return;
		/* A pointer between objects is nobody's state: slab_heap_check() of the checks reports it. */
		if (!slab_object_index(cache, slab, parked->object, &index) ||
		    parked->object != slab_object_address(cache, slab, index))
			continue;
		objects[index].state = parked->state;
		objects[index].owner = parked->owner;
		objects[index].position = parked->position;
	}
}

/* @walk has gone along the slab's own freelist. */
static void fill_objects(const struct slab_heap *heap, const struct slab *slab,
			 const struct slab_freelist_walk *walk, struct slab_object *objects)
{
	const struct slab_cache *cache = &heap->caches[slab->cache];
	const struct slab_contents *contents = heap->contents[slab->cache];
	const struct slab *listed = slab_contents_find(contents, slab->page);
	uint8_t place = listed ? listed->place : slab->place;
	uint32_t owner = listed ? listed->owner : slab->owner;
	/* Of a list whose end was overwritten all objects are known that the slab counts as free. */
	bool has_bad_end = (walk->result.damage == SLAB_FREELIST_OUTSIDE ||
			    walk->result.damage == SLAB_FREELIST_MISALIGNED) &&
			   walk->result.count == walk->limit;
	bool is_whole = walk->result.damage == SLAB_INTACT || has_bad_end;

	for (uint32_t i = 0; i < slab->objects; i++)
		objects[i] = (struct slab_object){
			.address = slab_object_address(cache, slab, i),
			.slab = slab->page,
			.cache = slab->cache,
			.index = i,
			.state = is_whole ? SLAB_OBJECT_ALLOCATED : SLAB_OBJECT_UNKNOWN,
			.place = place,
			.owner = owner,
		};
	for (uint32_t i = 0; i < walk->result.count; i++) {
		uint32_t index;

		if (!slab_object_index(cache, slab, walk->result.objects[i], &index))
			continue;
		objects[index].state = place == SLAB_CPU_PARTIAL ? SLAB_OBJECT_CPU_PARTIAL : SLAB_OBJECT_FREE;
		objects[index].position = i;
	}
	place_parked(cache, contents, slab, objects);
}

int slab_objects_of(struct slab_heap *heap, const struct slab *slab, struct slab_object *ret_objects,
		    enum slab_damage *ret_damage, struct error *err)
{
	struct slab_freelist_walk walk;
	int status;

	if (slab->is_bad || slab->cache == SLAB_NO_CACHE)
		return error_set(err, -EBADMSG, "slab 0x%llx: its counters or its cache are impossible",
				 (unsigned long long)slab->page);
	if (!slab_heap_contents(heap, slab->cache, err))
		return err ? err->code : -EFAULT;
	status = slab_encoding_prove(heap, &slab, 1);
	if (status)
		return error_set(err, status, "%s", heap->kernel->reader.text);
	walk = slab_freelist_walk_of(heap, slab);
	status = slab_freelists_walk(heap, &walk, 1, err);
	if (!status) {
		slab_freelist_judge(&walk);
		fill_objects(heap, slab, &walk, ret_objects);
		if (ret_damage)
			*ret_damage = walk.result.damage;
	}
	slab_freelist_deinit(&walk.result);
	return status;
}

/* Read the struct pages of @slabs anew. A slab that is another's by now is marked as bad. */
static int refresh(struct slab_heap *heap, struct slab *slabs, size_t count)
{
	size_t size = heap->layout.page.size;
	CLEANUP(free) struct memory_read *reads = calloc(count, sizeof(*reads));
	CLEANUP(free) char *bytes = calloc(count, size);
	int status;

	if (!reads || !bytes)
		return -ENOMEM;
	kernel_forget(heap->kernel);
	for (size_t i = 0; i < count; i++)
		reads[i] = (struct memory_read) { .address = slabs[i].page,
						  .buffer = bytes + i * size,
						  .size = size };
	status = kernel_read_many(heap->kernel, reads, count);
	for (size_t i = 0; i < count && !status; i++) {
		struct slab now;

		slab_decode(heap, slabs[i].page, reads[i].buffer, &now);
		if (reads[i].result || !slab_layout_is_slab(&heap->layout, reads[i].buffer) ||
		    now.cache != slabs[i].cache) {
			slabs[i].is_bad = true;
			continue;
		}
		now.place = slabs[i].place;
		now.owner = slabs[i].owner;
		slabs[i] = now;
	}
	return status;
}

/* What looks damaged in a running kernel has mostly just changed: look again, at once. */
static int walk_again(struct slab_heap *heap, struct slab *slab, struct slab_freelist_walk *walk,
		      struct error *err)
{
	int status = 0;

	for (int i = 0; i < LIVE_RETRIES && walk->result.damage && !slab->is_bad && !status; i++) {
		slab_freelist_deinit(&walk->result);
		status = refresh(heap, slab, 1);
		*walk = slab_freelist_walk_of(heap, slab);
		if (!status)
			status = slab_freelists_walk(heap, walk, 1, err);
		if (!status)
			slab_freelist_judge(walk);
	}
	return status;
}

static int visit_objects(struct slab_heap *heap, struct slab *slabs, size_t count,
			 struct slab_freelist_walk *walks, struct slab_object *objects,
			 slab_objects_callback callback, void *context, struct error *err)
{
	bool is_live = heap->kernel->source->is_live;
	int status = is_live ? refresh(heap, slabs, count) : 0;

	if (status)
		return error_set(err, status, "%s", status == -ENOMEM ? "no memory for slabs"
								      : heap->kernel->reader.text);
	for (size_t i = 0; i < count; i++)
		walks[i] = slab_freelist_walk_of(heap, &slabs[i]);
	status = slab_freelists_walk(heap, walks, count, err);
	for (size_t i = 0; i < count; i++) {
		if (!status)
			slab_freelist_judge(&walks[i]);
		if (!status && is_live)
			status = walk_again(heap, &slabs[i], &walks[i], err);
		if (!status && !slabs[i].is_bad) {
			fill_objects(heap, &slabs[i], &walks[i], objects);
			status = callback(&slabs[i], objects, walks[i].result.damage, context);
		}
		slab_freelist_deinit(&walks[i].result);
	}
	return status;
}

int slab_objects_each(struct slab_heap *heap, uint32_t cache, slab_objects_callback callback, void *context,
		      struct error *err)
{
	CLEANUP(free) struct slab_freelist_walk *walks = calloc(SLABS_AT_ONCE, sizeof(*walks));
	CLEANUP(free) struct slab_object *objects = calloc(SLAB_OBJECTS_MAX, sizeof(*objects));
	struct slab_pages pages = { 0 };
	size_t known;
	int status;

	if (!walks || !objects)
		return error_set(err, -ENOMEM, "no memory for objects");
	status = slab_heap_load(heap, cache == SLAB_NO_CACHE ? NULL : &cache, 1, err);
	if (!status)
		status = slab_pages_read(heap, cache, &pages, err);
	if (status)
		return status;
	known = pages.first[heap->cache_count];
	for (size_t at = 0; at < known && !status; at += SLABS_AT_ONCE)
		status = visit_objects(heap, pages.slabs + at,
				       known - at < SLABS_AT_ONCE ? known - at : SLABS_AT_ONCE, walks,
				       objects, callback, context, err);
	slab_pages_deinit(&pages);
	return status;
}

static bool is_in(const struct memory_range *range, uint64_t address)
{
	return range->size && address >= range->start && address - range->start < range->size;
}

int slab_locate(struct slab_heap *heap, uint64_t address, struct slab *ret_slab, struct error *err)
{
	const struct slab_layout *layout = &heap->layout;
	char bytes[SLAB_PAGE_BYTES_MAX];
	uint64_t physical, page, head;

	if (heap->kernel->process)
		return slub_locate(heap, address, ret_slab, err);
	if (is_in(&heap->kfence_pool, address) ||
	    kernel_direct_to_physical(heap->kernel, address, &physical) ||
	    kernel_pfn_to_page(heap->kernel, physical >> 12, &page))
		return error_set(err, -ENOENT, "0x%llx is not in the direct map",
				 (unsigned long long)address);
	if (kernel_read(heap->kernel, page, bytes, layout->page.size))
		return error_set(err, -EFAULT, "the struct page of 0x%llx can't be read",
				 (unsigned long long)address);
	head = slab_layout_head(layout, page, bytes);
	if (head != page && (head > page || kernel_read(heap->kernel, head, bytes, layout->page.size)))
		return error_set(err, -EFAULT, "the head page of 0x%llx can't be read",
				 (unsigned long long)address);
	if (!slab_layout_is_slab(layout, bytes))
		return error_set(err, -ENOENT, "0x%llx is in no slab", (unsigned long long)address);
	slab_decode(heap, head, bytes, ret_slab);
	return 0;
}

int slab_at(struct slab_heap *heap, uint64_t address, struct slab *ret_slab, struct error *err)
{
	const struct slab_contents *contents;
	const struct slab *listed;
	struct slab slab;
	int status = slab_locate(heap, address, &slab, err);

	if (status)
		return status;
	if (slab.cache != SLAB_NO_CACHE) {
		contents = slab_heap_contents(heap, slab.cache, err);
		if (!contents)
			return err ? err->code : -EFAULT;
		listed = slab_contents_find(contents, slab.page);
		slab.place = listed ? listed->place : SLAB_UNLISTED;
		slab.owner = listed ? listed->owner : SLAB_NO_OWNER;
	}
	*ret_slab = slab;
	return 0;
}

int slab_object_at(struct slab_heap *heap, uint64_t address, struct slab_object *ret_object,
		   struct error *err)
{
	CLEANUP(free) struct slab_object *objects = NULL;
	struct slab slab;
	uint32_t index;
	int status = slab_at(heap, address, &slab, err);

	if (status)
		return status;
	if (slab.is_bad || slab.cache == SLAB_NO_CACHE)
		return error_set(err, -EBADMSG, "slab 0x%llx: its counters or its cache are impossible",
				 (unsigned long long)slab.page);
	if (!slab_object_index(&heap->caches[slab.cache], &slab, address, &index))
		return error_set(err, -ENOENT, "0x%llx is behind the last object of its slab",
				 (unsigned long long)address);
	objects = calloc(slab.objects, sizeof(*objects));
	if (!objects)
		return error_set(err, -ENOMEM, "no memory for a slab's objects");
	status = slab_objects_of(heap, &slab, objects, NULL, err);
	if (status)
		return status;
	*ret_object = objects[index];
	ret_object->offset = (int64_t)(address - objects[index].address);
	return 0;
}
