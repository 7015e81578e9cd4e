/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Debugging of objects as slub_debug= does it: red zones, poison, who allocated and freed (mm/slub.c, init_object(),
 * check_object(), alloc_debug_processing(), free_debug_processing()).
 *
 *     left red zone | object | right red zone | free pointer | track of alloc | of free | size asked for | padding
 *
 * All calls are made under the node's list_lock. What is found damaged is reported (report.h); where the process may go
 * on, the bytes are put right and the object is not handed out or taken back.
 */
#ifndef SLUB_DEBUG_H
#define SLUB_DEBUG_H

#include "layout.h"

#define SLUB_DEBUG_FLAGS (SLUB_CONSISTENCY_CHECKS | SLUB_RED_ZONE | SLUB_POISON | SLUB_STORE_USER)

/* What a free object looks like; of a new slab. */
void slub_debug_init(struct kmem_cache *cache, void *object);

/* An object leaves the freelist. False when it was written to while free: it is not to be used. */
bool slub_debug_alloc(struct kmem_cache *cache, struct slab *slab, void *object);

/* An object is to be freed. False when it may not be: it was freed before, or is no object. */
bool slub_debug_free(struct kmem_cache *cache, struct slab *slab, void *object);

/* kmalloc(size) got this object: what lies behind `size` is red zone too (set_orig_size()). */
void slub_debug_set_size(struct kmem_cache *cache, void *object, size_t size);

/* Bytes of an object that its owner may use: what was asked for where that is kept. */
size_t slub_debug_size(const struct kmem_cache *cache, const void *object);

/* The flags that SLUB_DEBUG sets for a cache of this name: FZPU for all caches, "ZP,name,na*" for some, more after
 * ";", "-" for none (slub_debug= of the kernel's command line). */
uint32_t slub_debug_flags(const char *name);

#endif
