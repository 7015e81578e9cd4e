/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Making caches, and the state of the process that they stand in.
 */
#ifndef SLUB_CACHE_H
#define SLUB_CACHE_H

#include "layout.h"

/* Set the allocator up, once; cheap when it is. False when the system refuses memory. */
bool slub_init(void);

/* A cache that is no other's alias. `kind` is what its pages are (pages.h). Under state.lock. */
struct kmem_cache *slub_make_cache(const char *name, const struct slub_request *request, void (*ctor)(void *),
				   uint8_t kind);

/* The same of a geometry that is known. NULL when memory is out. */
struct kmem_cache *slub_lay_cache(const char *name, const struct slub_geometry *geometry, uint32_t flags,
				  void (*ctor)(void *), uint8_t kind);

/* Make kmalloc's caches (kmalloc.c). Under state.lock. */
bool slub_kmalloc_init(void);

#endif
