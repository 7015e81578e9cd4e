// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The check of caches. Reading has found what is wrong with lists, sheaves and CPUs (slab_heap_load()); this
 * adds what takes a look at every slab: its own freelist, whether it may be on no list, the books of slabs and
 * objects, and the bytes around objects (slab_check_bytes.c).
 */
#include "slab_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "slab_check_bytes.h"
#include "slab_freelist.h"
#include "slab_load.h"
#include "slab_pages.h"
#include "slab_settle.h"
#include "slab_state.h"

DEFINE_CLEANUP(slab_pages, struct slab_pages, slab_pages_deinit(&v));
DEFINE_CLEANUP(slab_freelist, struct slab_freelist, slab_freelist_deinit(&v));

struct check {
	struct slab_heap *heap;
	struct slab_check_extent extent;
	struct slab_object *objects; /* room for one slab's */
	struct error *err;
};

void slab_check_note(struct slab_heap *heap, const struct slab_finding *finding)
{
	for (size_t i = heap->finding_count; i > 0; i--) {
		const struct slab_finding *known = &heap->findings[i - 1];

		if (known->kind == finding->kind && known->slab == finding->slab &&
		    known->object == finding->object && known->cache == finding->cache)
			return;
		if (heap->finding_count - i > 256) /* those of one slab stand together */
			break;
	}
	slab_heap_note(heap, finding);
}

/* The slab's own freelist, and what it says about objects. */
static int check_freelist(struct check *check, const struct slab *slab)
{
	CLEANUP(slab_freelist) struct slab_freelist freelist = { 0 };
	int status = slab_freelist_read(check->heap, slab, &freelist, check->err);
	bool is_count;

	if (status || freelist.damage == SLAB_INTACT)
		return status;
	is_count = freelist.damage == SLAB_FREELIST_TOO_SHORT || freelist.damage == SLAB_FREELIST_TOO_LONG;
	slab_check_note(check->heap,
			&(struct slab_finding){ .kind = freelist.damage,
						.cache = slab->cache,
						.slab = slab->page,
						.object = freelist.damaged_object,
						.value = is_count ? freelist.count : freelist.damaged_value,
						.expected = is_count ? slab->objects - slab->inuse : 0,
						.owner = slab->owner });
	return 0;
}

static bool has_odd_count(const struct slab_cache *cache, const struct slab *slab)
{
	return slab->inuse > slab->objects ||
	       (slab->objects != cache->objects && slab->objects != cache->min_objects);
}

/*
 * A process's slab that came to a list after the list was read: it says so, and its neighbours agree. Threads do that all
 * the time, also between two looks.
 */
static bool is_listed_by_now(struct slab_heap *heap, const struct slab *slab)
{
	const struct slab_layout *layout = &heap->layout;
	uint64_t entry = slab->page + layout->slab.list.offset, says_so, next, previous, back, forth;

	if (!heap->kernel->process)
		return false;
	kernel_forget(heap->kernel);
	return !field_read(heap->kernel, &layout->slab.on_partial, slab->page, &says_so) && says_so &&
	       !kernel_read_u64(heap->kernel, entry, &next) && !kernel_read_u64(heap->kernel, entry + 8, &previous) &&
	       !kernel_read_u64(heap->kernel, next + 8, &back) && !kernel_read_u64(heap->kernel, previous, &forth) &&
	       back == entry && forth == entry;
}

static int check_slab(struct check *check, const struct slab *slab)
{
	const struct slab_cache *cache = &check->heap->caches[slab->cache];
	struct slab_finding finding = { .cache = slab->cache, .slab = slab->page, .owner = slab->owner };
	int status;

	check->extent.slabs++;
	if (slab->is_bad || has_odd_count(cache, slab)) {
		finding.kind = SLAB_BAD_COUNTERS;
		finding.value = (uint64_t)slab->inuse << 16 | slab->objects;
		finding.expected = cache->objects;
		slab_check_note(check->heap, &finding);
		check->extent.slabs_skipped++;
		return 0;
	}
	status = check_freelist(check, slab);
	if (status)
		return status;
	/* A slab that failed the kernel's own check is frozen and kept off the lists: mm/slub.c,
	 * alloc_debug_processing(). */
	if (slab->place == SLAB_UNLISTED && slab->inuse < slab->objects && !slab->is_frozen &&
	    !is_listed_by_now(check->heap, slab)) {
		finding.kind = SLAB_NOT_LISTED;
		finding.value = slab->inuse;
		finding.expected = slab->objects;
		slab_check_note(check->heap, &finding);
	}
	status = slab_objects_of(check->heap, slab, check->objects, NULL, check->err);
	if (status)
		return status == -EBADMSG ? 0 : status;
	check->extent.objects += slab->objects;
	return slab_check_bytes(check->heap, slab, check->objects, &check->extent);
}

/* On a running kernel: slabs came or went since the counters were read, so they can't be compared. */
static bool have_books_moved(struct slab_heap *heap, const struct slab_contents *contents)
{
	const struct slab_layout *layout = &heap->layout;

	for (size_t i = 0; i < contents->node_count; i++) {
		const struct slab_node *node = &contents->nodes[i];
		uint64_t nr_slabs, total_objects;

		if (!node->address)
			continue;
		kernel_forget(heap->kernel);
		if (field_read(heap->kernel, &layout->node.nr_slabs, node->address, &nr_slabs) ||
		    field_read(heap->kernel, &layout->node.total_objects, node->address, &total_objects) ||
		    nr_slabs != node->nr_slabs || total_objects != node->total_objects)
			return true;
	}
	return false;
}

/* nr_slabs and total_objects of all nodes against what the pass found. */
static void check_books(struct check *check, uint32_t cache, uint64_t slabs, uint64_t objects)
{
	const struct slab_contents *contents = check->heap->contents[cache];
	uint64_t nr_slabs = 0, total_objects = 0;
	bool has_books = false;

	for (size_t i = 0; contents && i < contents->node_count; i++) {
		has_books |= contents->nodes[i].has_books;
		nr_slabs += contents->nodes[i].nr_slabs;
		total_objects += contents->nodes[i].total_objects;
	}
	if (!has_books || (nr_slabs == slabs && total_objects == objects))
		return;
	if (check->heap->kernel->source->is_live && have_books_moved(check->heap, contents))
		return;
	if (nr_slabs != slabs)
		slab_check_note(check->heap, &(struct slab_finding){ .kind = SLAB_BOOKS_SLABS,
								     .cache = cache,
								     .value = nr_slabs,
								     .expected = slabs,
								     .owner = SLAB_NO_OWNER });
	if (total_objects != objects)
		slab_check_note(check->heap, &(struct slab_finding){ .kind = SLAB_BOOKS_OBJECTS,
								     .cache = cache,
								     .value = total_objects,
								     .expected = objects,
								     .owner = SLAB_NO_OWNER });
}

/* What is parked must be an object of this cache. Freelists were checked by their walk; sheaves are just
 * arrays. */
static void check_parked(struct check *check, uint32_t cache)
{
	const struct slab_contents *contents = check->heap->contents[cache];

	for (size_t i = 0; contents && i < contents->parked_count; i++) {
		const struct slab_parked *parked = &contents->parked[i];
		struct slab_object object;

		if (parked->state < SLAB_OBJECT_SHEAF_MAIN ||
		    (!slab_object_at(check->heap, parked->object, &object, NULL) && object.cache == cache &&
		     object.offset == 0))
			continue;
		slab_check_note(check->heap, &(struct slab_finding){ .kind = SLAB_SHEAF_BAD_OBJECT,
								     .cache = cache,
								     .object = parked->object,
								     .value = parked->position,
								     .owner = parked->owner });
	}
}

static int check_cache(struct check *check, const struct slab_pages *pages, uint32_t cache)
{
	uint64_t objects = 0;
	size_t first = pages->first[cache], end = pages->first[cache + 1];

	check->extent.caches++;
	for (size_t i = first; i < end; i++) {
		int status = check_slab(check, &pages->slabs[i]);

		if (status)
			return status;
		objects += pages->slabs[i].objects;
	}
	check_books(check, cache, end - first, objects);
	check_parked(check, cache);
	return 0;
}

/* Pages marked as slabs whose slab_cache is no cache: that pointer was written over, or the cache is gone. */
static void check_strays(struct check *check, const struct slab_pages *pages)
{
	for (size_t i = pages->first[check->heap->cache_count]; i < pages->count; i++)
		slab_check_note(check->heap, &(struct slab_finding){ .kind = SLAB_WRONG_CACHE,
								     .cache = SLAB_NO_CACHE,
								     .slab = pages->slabs[i].page,
								     .owner = SLAB_NO_OWNER });
}

static int check_all(struct check *check, uint32_t only, const uint32_t *caches, size_t count)
{
	CLEANUP(slab_pages) struct slab_pages pages = { 0 };
	int status = slab_pages_read(check->heap, only, &pages, check->err);

	for (size_t i = 0; i < count && !status; i++)
		status = check_cache(check, &pages, caches[i]);
	if (!status && only == SLAB_NO_CACHE)
		check_strays(check, &pages);
	return status;
}

/* A slab with a finding, as it is now. One that was given back meanwhile is no slab of this cache any more. */
static int check_slab_again(struct check *check, const struct slab_finding *before)
{
	const struct slab_contents *contents;
	const struct slab *listed;
	char bytes[SLAB_PAGE_BYTES_MAX];
	struct slab slab;

	if (kernel_read(check->heap->kernel, before->slab, bytes, check->heap->layout.page.size) ||
	    !slab_layout_is_slab(&check->heap->layout, bytes))
		return 0;
	slab_decode(check->heap, before->slab, bytes, &slab);
	if (slab.cache == SLAB_NO_CACHE && before->kind == SLAB_WRONG_CACHE)
		slab_check_note(check->heap, before);
	if (slab.cache == SLAB_NO_CACHE || slab.cache != before->cache)
		return 0;
	contents = slab_heap_contents(check->heap, slab.cache, check->err);
	listed = contents ? slab_contents_find(contents, slab.page) : NULL;
	slab.place = listed ? listed->place : SLAB_UNLISTED;
	slab.owner = listed ? listed->owner : SLAB_NO_OWNER;
	if (!contents)
		return check->err ? check->err->code : -EFAULT;
	return check_slab(check, &slab);
}

/* Books that were wrong: counted again, for which it takes a pass. */
static int check_books_again(struct check *check, const struct slab_suspects *suspects)
{
	CLEANUP(slab_pages) struct slab_pages pages = { 0 };
	int status = slab_pages_read(check->heap, SLAB_NO_CACHE, &pages, check->err);

	for (size_t i = 0; i < suspects->before_count && !status; i++) {
		const struct slab_finding *finding = &suspects->before[i];
		uint64_t objects = 0;

		if (finding->kind != SLAB_BOOKS_SLABS && finding->kind != SLAB_BOOKS_OBJECTS)
			continue;
		for (size_t s = pages.first[finding->cache]; s < pages.first[finding->cache + 1]; s++)
			objects += pages.slabs[s].objects;
		check_books(check, finding->cache,
			    pages.first[finding->cache + 1] - pages.first[finding->cache], objects);
	}
	return status;
}

static int check_again(struct slab_heap *heap, const struct slab_suspects *suspects, void *context,
		       struct error *err)
{
	struct check check = { .heap = heap, .err = err, .objects = context };
	int status = slab_load_once(heap, suspects->caches, suspects->count, err);
	bool has_books = false;

	for (size_t i = 0; i < suspects->before_count && !status; i++) {
		const struct slab_finding *finding = &suspects->before[i];

		has_books |= finding->kind == SLAB_BOOKS_SLABS || finding->kind == SLAB_BOOKS_OBJECTS;
		if (finding->slab && (!i || finding->slab != finding[-1].slab))
			status = check_slab_again(&check, finding);
	}
	for (size_t i = 0; i < suspects->count && !status; i++)
		check_parked(&check, suspects->caches[i]);
	return !status && has_books ? check_books_again(&check, suspects) : status;
}

int slab_check(struct slab_heap *heap, uint32_t cache, struct slab_check_extent *ret_extent, struct error *err)
{
	CLEANUP(free) struct slab_object *objects = calloc(SLAB_OBJECTS_MAX + 1, sizeof(*objects));
	CLEANUP(free) uint32_t *caches = calloc(heap->cache_count + 1, sizeof(*caches));
	struct check check = { .heap = heap, .err = err, .objects = objects };
	size_t count = 0, from = heap->finding_count;
	int status;

	if (!objects || !caches)
		return error_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < heap->cache_count; i++)
		if (cache == SLAB_NO_CACHE || cache == i)
			caches[count++] = i;
	status = slab_heap_load(heap, caches, count, err);
	if (!status)
		status = check_all(&check, cache, caches, count);
	if (!status && heap->kernel->source->is_live)
		status = slab_settle(heap, from, caches, count, check_again, objects, err);
	if (!status)
		*ret_extent = check.extent;
	return status;
}
