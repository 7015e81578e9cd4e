/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Part of slab_check.h: the bytes that slub_debug writes around and into objects. */
#ifndef DILL_SLAB_CHECK_BYTES_H
#define DILL_SLAB_CHECK_BYTES_H

#include "slab_check.h"
#include "slab_state.h"

/*
 * Compare all bytes of @slab that have a known value. @objects: the states of its objects. Notes findings, one
 * for each object and kind. -ENOMEM.
 */
int slab_check_bytes(struct slab_heap *heap, const struct slab *slab, const struct slab_object *objects,
		     struct slab_check_extent *extent);

/* slab_heap_note(), unless the same was noted already. */
void slab_check_note(struct slab_heap *heap, const struct slab_finding *finding);

/* Where the parts of a slot lie, from the object's address. Layout: mm/slub.c, "Object layout". */
struct slab_slot_layout {
	uint32_t info_end;  /* behind the free pointer, where it is outside of the object; else inuse */
	uint32_t track;     /* of struct track for the allocation, the one for the free follows; 0: none */
	uint32_t orig_size; /* u32 or unsigned long that kmalloc was asked for; 0: none */
	uint32_t padding;   /* from here on POISON_INUSE, up to end */
	uint32_t end;       /* of the slot */
};
void slab_slot_layout(const struct slab_heap *heap, const struct slab_cache *cache,
		      struct slab_slot_layout *ret_layout);

#endif
