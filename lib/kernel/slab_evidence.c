// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What goes with a finding: the bytes that show it, and who has most likely written them. */
#include <string.h>

#include "kernel.h"
#include "slab_check.h"
#include "slab_freelist.h"
#include "slab_state.h"

static const char *const causes[SLAB_DAMAGE_KINDS] = {
	[SLAB_FREELIST_LOOP] = "an object was freed twice",
	[SLAB_FREELIST_OUTSIDE] = "write after free, or overflow by the left neighbour: the free pointer was overwritten",
	[SLAB_FREELIST_MISALIGNED] = "write after free, or overflow by the left neighbour: the free pointer was changed",
	[SLAB_FREELIST_UNREADABLE] = "the slab's memory is not there: its struct slab was overwritten",
	[SLAB_FREELIST_TOO_LONG] = "an object was freed twice, or the slab's counters were overwritten",
	[SLAB_FREELIST_TOO_SHORT] = "the free pointer was overwritten with the list's end, or the counters were changed",
	[SLAB_LIST_UNREADABLE] = "a list pointer in struct slab was overwritten",
	[SLAB_LIST_LOOP] = "a list pointer in struct slab was overwritten, or a slab was added twice",
	[SLAB_LIST_BAD_BACK_LINK] = "a list pointer in struct slab was overwritten",
	[SLAB_LIST_TOO_LONG] = "a list pointer in struct slab was overwritten",
	[SLAB_LIST_COUNT] = "the node's counter was overwritten, or slabs fell off the list",
	[SLAB_NOT_A_SLAB] = "a list pointer was overwritten, or the slab's pages were freed while it was listed",
	[SLAB_WRONG_CACHE] = "slab_cache was overwritten, or an object was freed to the wrong cache",
	[SLAB_BAD_COUNTERS] = "inuse, objects or frozen in struct slab was overwritten",
	[SLAB_BAD_FROZEN] = "inuse, objects or frozen in struct slab was overwritten",
	[SLAB_LISTED_TWICE] = "a list pointer in struct slab was overwritten, or a slab was added twice",
	[SLAB_SHEAF_UNREADABLE] = "a sheaf pointer was overwritten",
	[SLAB_SHEAF_WRONG_CACHE] = "the sheaf was overwritten, or a pointer to it",
	[SLAB_SHEAF_TOO_LARGE] = "the sheaf's size was overwritten",
	[SLAB_SHEAF_BAD_OBJECT] = "the sheaf was overwritten, or a wrong pointer was freed",
	[SLAB_FREE_TWICE] = "an object was freed twice",
	[SLAB_CACHE_UNREADABLE] = "the list of caches was overwritten",
	[SLAB_CACHE_DAMAGED] = "struct kmem_cache was overwritten",
	[SLAB_CACHE_LIST] = "struct kmem_cache was overwritten",
	[SLAB_CPU_UNREADABLE] = "a per-CPU pointer in struct kmem_cache was overwritten",
	[SLAB_NODE_UNREADABLE] = "a node pointer in struct kmem_cache was overwritten",
	[SLAB_NOT_LISTED] = "the slab fell off its list: a list pointer or a counter was overwritten",
	[SLAB_BOOKS_SLABS] = "the node's counter was overwritten, or struct pages were",
	[SLAB_BOOKS_OBJECTS] = "the node's counter or a slab's counters were overwritten",
	[SLAB_RED_ZONE_LEFT] = "overflow by the left neighbour, or a write before the object",
	[SLAB_RED_ZONE_RIGHT] = "overflow: a write past the object's end",
	[SLAB_POISON] = "write after free",
	[SLAB_PADDING] = "overflow far past an object's end",
};

/* Where the damaged bytes lie; 0: nowhere in particular. */
static uint64_t place_of(const struct slab_heap *heap, const struct slab_finding *finding)
{
	const struct slab_cache *cache = finding->cache < heap->cache_count ? &heap->caches[finding->cache] : NULL;

	switch (finding->kind) {
	case SLAB_RED_ZONE_LEFT:
	case SLAB_RED_ZONE_RIGHT:
	case SLAB_POISON:
	case SLAB_PADDING:
		return finding->value;
	case SLAB_FREELIST_LOOP:
	case SLAB_FREELIST_OUTSIDE:
	case SLAB_FREELIST_MISALIGNED:
	case SLAB_FREELIST_TOO_LONG:
	case SLAB_FREELIST_TOO_SHORT:
		/* No object: the head, in struct slab. */
		if (finding->object && cache)
			return slab_pointer_slot(cache, finding->object);
		return finding->slab ? finding->slab + heap->layout.slab.freelist.offset : 0;
	case SLAB_BAD_COUNTERS:
	case SLAB_BAD_FROZEN:
		return finding->slab + heap->layout.slab.inuse.offset;
	case SLAB_WRONG_CACHE:
		return finding->slab + heap->layout.slab.cache.offset;
	default:
		return finding->object ? finding->object : finding->slab;
	}
}

static bool is_about_neighbours(enum slab_damage kind)
{
	return kind == SLAB_FREELIST_OUTSIDE || kind == SLAB_FREELIST_MISALIGNED || kind == SLAB_RED_ZONE_LEFT;
}

/* The allocated object on the left of the finding's. */
static uint64_t left_neighbour(struct slab_heap *heap, const struct slab_finding *finding)
{
	const struct slab_cache *cache;
	struct slab_object left;
	struct slab slab;
	uint32_t index;

	if (finding->cache >= heap->cache_count || !finding->object || slab_read(heap, finding->slab, &slab))
		return 0;
	cache = &heap->caches[finding->cache];
	if (slab.is_bad || !slab_object_index(cache, &slab, finding->object, &index) || !index)
		return 0;
	if (slab_object_at(heap, slab_object_address(cache, &slab, index - 1), &left, NULL))
		return 0;
	return left.state == SLAB_OBJECT_ALLOCATED ? left.address : 0;
}

void slab_evidence_read(struct slab_heap *heap, const struct slab_finding *finding,
			struct slab_evidence *ret_evidence)
{
	struct slab_evidence evidence = { .address = place_of(heap, finding), .cause = causes[finding->kind] };
	bool is_at_bytes = finding->kind >= SLAB_RED_ZONE_LEFT;
	size_t size = is_at_bytes ? 16 : 8;

	if (evidence.address && !kernel_read(heap->kernel, evidence.address, evidence.bytes, size))
		evidence.size = size;
	if (is_about_neighbours(finding->kind))
		evidence.neighbour = left_neighbour(heap, finding);
	*ret_evidence = evidence;
}
