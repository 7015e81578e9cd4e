/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Caches of a slab_image.h made as slub_debug=FZPU would make them. A slot:
 *
 *	16 left red zone | 56 object | 8 right red zone | free pointer | 2 struct track | requested size |
 *padding
 */
#ifndef DILL_TESTS_SLAB_DEBUG_IMAGE_H
#define DILL_TESTS_SLAB_DEBUG_IMAGE_H

#include "slab_image.h"

#define DEBUG_OBJECT 56
#define DEBUG_INUSE 64
#define DEBUG_TRACK 72 /* behind the free pointer */
#define DEBUG_PADDING 24
#define DEBUG_FLAGS (FLAG_RED_ZONE | FLAG_POISON | 0x80000000ULL | FLAG_STORE_USER | FLAG_KMALLOC)
#define RED_FREE 0xbb
#define RED_IN_USE 0xcc
#define POISON_UNUSED 0x5a
#define POISON_FREED 0x6b
#define POISON_LAST 0xa5

static inline uint32_t debug_track_bytes(const struct slab_image *image)
{
	return T_BYTES + (image->shape == SHAPE_PAGE ? T_LATE : 0);
}

/* Where the padding of a slot is, from the object on. */
static inline uint32_t debug_padding(const struct slab_image *image)
{
	return DEBUG_TRACK + 2 * debug_track_bytes(image) + 8;
}

static inline uint32_t debug_slot(const struct slab_image *image)
{
	return 16 + debug_padding(image) + DEBUG_PADDING;
}

/* @flags: DEBUG_FLAGS, or some of them. */
static inline size_t debug_add_cache(struct slab_image *image, const char *name, uint64_t flags)
{
	size_t cache = image_add_cache(image, name, debug_slot(image), DEBUG_OBJECT, 0, flags);

	put32(image, image->caches[cache] + C_INUSE, DEBUG_INUSE);
	put32(image, image->caches[cache] + C_OFFSET, DEBUG_INUSE);
	return cache;
}

static inline void debug_fill_object(struct slab_image *image, uint64_t object, bool is_free)
{
	uint8_t red = is_free ? RED_FREE : RED_IN_USE;

	memset(image_at(image, object - 16), red, 16);
	memset(image_at(image, object), is_free ? POISON_FREED : 0x11, DEBUG_OBJECT);
	if (is_free)
		*image_at(image, object + DEBUG_OBJECT - 1) = POISON_LAST;
	memset(image_at(image, object + DEBUG_OBJECT), red, DEBUG_INUSE - DEBUG_OBJECT);
	memset(image_at(image, object + DEBUG_INUSE), 0, debug_padding(image) - DEBUG_INUSE);
}

/* As image_add_slab(), with all bytes as they should be. */
static inline void debug_add_slab(struct slab_image *image, size_t cache, uint64_t pfn, const int *free)
{
	memset(image_at(image, AT_PFN(pfn)), POISON_UNUSED, PAGE);
	for (uint32_t i = 0; i < image_objects(image, cache); i++) {
		bool is_free = false;

		for (const int *index = free; *index >= 0; index++)
			is_free |= *index == (int)i;
		debug_fill_object(image, image_object(image, cache, pfn, i), is_free);
	}
	image_add_slab(image, cache, pfn, free);
}

static inline void debug_list_full(struct slab_image *image, size_t cache, uint64_t pfn)
{
	ring_add(image, NODE_ADDRESS(cache, 0) + N_FULL, PAGE_OF(pfn) + P_LIST);
}

#endif
