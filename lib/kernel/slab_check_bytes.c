// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Red zones, poison and padding of one slab's objects. The kernel checks them when it allocates or frees the
 * object; this looks at all of them at once.
 *
 *     slot:  left red zone | object | right red zone | free pointer | track ×2 | requested size | padding
 *
 * Values: include/linux/poison.h.
 */
#include "slab_check_bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"

#define RED_INACTIVE 0xbb
#define RED_ACTIVE 0xcc
#define POISON_INUSE 0x5a
#define POISON_FREE 0x6b
#define POISON_END 0xa5

struct slab_bytes {
	struct slab_heap *heap;
	const struct slab *slab;
	const struct slab_cache *cache;
	struct slab_slot_layout layout;
	const uint8_t *memory; /* of the whole slab */
	size_t size;
	bool has_red_zone, has_poison, has_object_poison;
	bool has_ext_inside; /* the extension vector lies in the slab's slack: padding has other contents */
};

void slab_slot_layout(const struct slab_heap *heap, const struct slab_cache *cache,
		      struct slab_slot_layout *ret_layout)
{
	const struct slab_layout *layout = &heap->layout;
	uint32_t end = cache->size - cache->red_left_pad;
	uint32_t at = cache->inuse;

	memset(ret_layout, 0, sizeof(*ret_layout));
	if (cache->offset >= cache->inuse) /* freeptr_outside_object() */
		at = cache->inuse + 8;
	ret_layout->info_end = at;
	if (cache->flags & layout->flag_store_user) {
		ret_layout->track = at;
		at += 2 * layout->track.size;
		/* 6edf2576a6cc, 6.1: the requested size, u32, later unsigned long; eight bytes are passed over.
		 */
		if (cache->flags & layout->flag_kmalloc) {
			ret_layout->orig_size = at;
			at += 8;
		}
	}
	ret_layout->padding = at < end ? at : end;
	ret_layout->end = end;
}

/* The first byte of [@from, @to) from the object's address on that is not @expected; SIZE_MAX: all are. */
static size_t first_other(const struct slab_bytes *bytes, size_t object, int64_t from, int64_t to,
			  uint8_t expected)
{
	for (int64_t at = from; at < to; at++) {
		size_t place = object + at;

		if (place >= bytes->size)
			return SIZE_MAX;
		if (bytes->memory[place] != expected)
			return place;
	}
	return SIZE_MAX;
}

static void note(const struct slab_bytes *bytes, enum slab_damage kind, uint64_t object, size_t place,
		 uint8_t expected)
{
	slab_check_note(bytes->heap, &(struct slab_finding){ .kind = kind,
							     .cache = bytes->slab->cache,
							     .slab = bytes->slab->page,
							     .object = object,
							     .value = bytes->slab->start + place,
							     .expected = expected,
							     .owner = bytes->slab->owner });
}

static void check_range(const struct slab_bytes *bytes, enum slab_damage kind, const struct slab_object *object,
			int64_t from, int64_t to, uint8_t expected)
{
	size_t place = first_other(bytes, object->address - bytes->slab->start, from, to, expected);

	if (place != SIZE_MAX)
		note(bytes, kind, object->address, place, expected);
}

static bool is_free(const struct slab_object *object)
{
	return object->state == SLAB_OBJECT_FREE || object->state == SLAB_OBJECT_CPU_FREELIST ||
	       object->state == SLAB_OBJECT_CPU_PARTIAL;
}

/*
 * How many bytes of the object are the user's. libslub paints as red what lies behind the bytes that kmalloc was asked for; the kernel, in free objects, what lies
 * behind the object (init_object()).
 */
static uint32_t bytes_asked_for(const struct slab_bytes *bytes, const struct slab_object *object)
{
	size_t place = object->address - bytes->slab->start + bytes->layout.orig_size;
	uint64_t asked;

	if (!bytes->heap->kernel->process || !bytes->layout.orig_size || place + sizeof(asked) > bytes->size)
		return bytes->cache->object_size;
	memcpy(&asked, bytes->memory + place, sizeof(asked));
	return asked && asked <= bytes->cache->object_size ? (uint32_t)asked : bytes->cache->object_size;
}

static void check_red_zones(const struct slab_bytes *bytes, const struct slab_object *object)
{
	const struct slab_cache *cache = bytes->cache;
	uint8_t expected = is_free(object) ? RED_INACTIVE : RED_ACTIVE;
	int64_t right = bytes_asked_for(bytes, object);

	check_range(bytes, SLAB_RED_ZONE_LEFT, object, -(int64_t)cache->red_left_pad, 0, expected);
	check_range(bytes, SLAB_RED_ZONE_RIGHT, object, right, cache->inuse, expected);
}

static void check_poison(const struct slab_bytes *bytes, const struct slab_object *object)
{
	int64_t size = bytes_asked_for(bytes, object);

	check_range(bytes, SLAB_POISON, object, 0, size - 1, POISON_FREE);
	check_range(bytes, SLAB_POISON, object, size - 1, size, POISON_END);
}

static void check_object(const struct slab_bytes *bytes, const struct slab_object *object,
			 struct slab_check_extent *extent)
{
	if (object->state != SLAB_OBJECT_ALLOCATED && !is_free(object))
		return;
	if (bytes->has_red_zone) {
		check_red_zones(bytes, object);
		extent->objects_with_red_zone++;
	}
	if (bytes->has_object_poison && is_free(object)) {
		check_poison(bytes, object);
		extent->objects_with_poison++;
	}
	if (bytes->has_poison && !bytes->has_red_zone)
		check_range(bytes, SLAB_PADDING, object, bytes->cache->object_size, bytes->cache->inuse,
			    POISON_INUSE);
	if (bytes->has_poison && !bytes->has_ext_inside)
		check_range(bytes, SLAB_PADDING, object, bytes->layout.padding, bytes->layout.end,
			    POISON_INUSE);
}

/* From the end of the last object to that of the slab: slab_pad_check(). */
static void check_tail(const struct slab_bytes *bytes)
{
	size_t used = (size_t)bytes->slab->objects * bytes->cache->size;

	for (size_t at = used; at < bytes->size; at++) {
		if (bytes->memory[at] == POISON_INUSE)
			continue;
		note(bytes, SLAB_PADDING, bytes->slab->start + used, at, POISON_INUSE);
		return;
	}
}

/* e.g. 7.0 on: the vector of struct slabobj_ext may lie in the slack of the slab that it belongs to. */
static bool ext_is_inside(const struct slab_heap *heap, const struct slab *slab, size_t size)
{
	uint64_t ext;

	if (field_read(heap->kernel, &heap->layout.slab.ext, slab->page, &ext))
		return false;
	ext &= ~UINT64_C(7);
	return ext >= slab->start && ext < slab->start + size;
}

int slab_check_bytes(struct slab_heap *heap, const struct slab *slab, const struct slab_object *objects,
		     struct slab_check_extent *extent)
{
	const struct slab_cache *cache = &heap->caches[slab->cache];
	CLEANUP(free) uint8_t *memory = NULL;
	struct slab_bytes bytes = {
		.heap = heap,
		.slab = slab,
		.cache = cache,
		.size = (size_t)4096 << slab->order,
		.has_red_zone = cache->flags & heap->layout.flag_red_zone,
		.has_poison = cache->flags & heap->layout.flag_poison,
		.has_object_poison = cache->flags & heap->layout.flag_object_poison,
	};

	if (!bytes.has_red_zone && !bytes.has_poison)
		return 0;
	memory = malloc(bytes.size);
	if (!memory)
		return -ENOMEM;
	if (kernel_read(heap->kernel, slab->start, memory, bytes.size)) {
		extent->slabs_skipped++;
		return 0;
	}
	bytes.memory = memory;
	bytes.has_ext_inside = ext_is_inside(heap, slab, bytes.size);
	slab_slot_layout(heap, cache, &bytes.layout);
	for (uint32_t i = 0; i < slab->objects; i++)
		check_object(&bytes, &objects[i], extent);
	if (bytes.has_poison && !bytes.has_ext_inside && !heap->kernel->process)
		check_tail(&bytes);
	return 0;
}
