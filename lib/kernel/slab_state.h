/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The state of each object: allocated, or free, and where. */
#ifndef DILL_SLAB_STATE_H
#define DILL_SLAB_STATE_H

#include "slab_heap.h"

enum slab_object_state {
	SLAB_OBJECT_UNKNOWN = 0,   /* the slab's freelist is damaged before it could be told */
	SLAB_OBJECT_ALLOCATED,
	SLAB_OBJECT_FREE,          /* in its slab's own freelist */
	SLAB_OBJECT_CPU_FREELIST,  /* in a CPU's lockless freelist */
	SLAB_OBJECT_CPU_PARTIAL,   /* in the freelist of a slab on a CPU's partial list */
	SLAB_OBJECT_SHEAF_MAIN,
	SLAB_OBJECT_SHEAF_SPARE,
	SLAB_OBJECT_BARN,          /* in a full sheaf of a node's barn */
	SLAB_OBJECT_SHEAF_RCU,     /* pending: freed by kfree_rcu(), waits for a grace period */
	SLAB_OBJECT_DEFERRED,      /* pending: freed where the slab couldn't be locked (defer_free()) */
	SLAB_OBJECT_STATES,
};

/* "allocated", "free", "cpu_freelist", …: stable names, for JSON. */
extern const char *const slab_object_state_names[SLAB_OBJECT_STATES + 1];

/* An object that its slab counts as in use, but which is free or pending. */
struct slab_parked {
	uint64_t object;
	uint32_t position; /* 0: the next to be handed out from there */
	uint16_t owner;    /* CPU; node for SLAB_OBJECT_BARN */
	uint8_t state;     /* enum slab_object_state */
};

struct slab_object {
	uint64_t address;  /* as handed out */
	uint64_t slab;     /* struct slab */
	uint32_t cache;    /* index in the heap */
	uint32_t index;    /* in the slab */
	int64_t offset;    /* of the address asked for, from @address; negative in a left red zone */
	uint8_t state;     /* enum slab_object_state */
	uint8_t place;     /* enum slab_place of its slab */
	uint32_t owner; /* CPU or node that holds the list it is free in, else of its slab; SLAB_NO_OWNER */
	uint32_t position; /* in that list, 0: next; only of free objects */
};

/*
 * States of all objects of one slab: slab->objects entries into @ret_objects, by index. The cache's contents
 * are read first if need be. @ret_damage is the damage of its freelist (may be NULL). -EBADMSG: the slab
 * is_bad.
 */
int slab_objects_of(struct slab_heap *heap, const struct slab *slab, struct slab_object *ret_objects,
		    enum slab_damage *ret_damage, struct error *err);

/* Called for each slab of a pass, with its objects; non-zero ends the pass and is returned by it. */
typedef int (*slab_objects_callback)(const struct slab *slab, const struct slab_object *objects,
				     enum slab_damage freelist_damage, void *context);
/*
 * All objects of @cache, or of all caches with SLAB_NO_CACHE: a pass over struct page (slab_pages.h), slabs
 * grouped by cache and sorted by address.
 */
int slab_objects_each(struct slab_heap *heap, uint32_t cache, slab_objects_callback callback, void *context,
		      struct error *err);

/*
 * What lies at @address. 0; -ENOENT: no slab object (no slab, or the slab's tail); -EFAULT: its struct page
 * can't be read. Reads the contents of that cache once; no pass over struct page.
 */
int slab_object_at(struct slab_heap *heap, uint64_t address, struct slab_object *ret_object,
		   struct error *err);
/* The slab that covers @address, with its place. -ENOENT, -EFAULT. */
int slab_at(struct slab_heap *heap, uint64_t address, struct slab *ret_slab, struct error *err);

#endif
