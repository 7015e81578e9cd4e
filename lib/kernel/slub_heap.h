/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the slab model reads in another way when its target is a process with libslub (kernel->process). */
#ifndef DILL_SLUB_HEAP_H
#define DILL_SLUB_HEAP_H

#include "slab_heap.h"
#include "slab_pages.h"

/* As slab_layout_load(), by what the process says of itself. */
int slub_layout_load(struct kernel *kernel, struct slab_layout *ret_layout, struct error *err);

/* The addresses of all caches, newest first. *@ret_addresses is the caller's. Damage of the list is a finding. */
int slub_caches_collect(struct slab_heap *heap, uint64_t **ret_addresses, size_t *ret_count, struct error *err);

/* As slab_cache_decode(). */
int slub_cache_decode(struct kernel *kernel, const struct slab_layout *layout, uint64_t address, const void *bytes,
		      struct slab_cache *ret_cache);

/*
 * Threads without rseq work on stripes: the model has them as further CPUs, behind the last, if any of them holds
 * anything. Sets kernel->cpu_count.
 */
void slub_stripes_find(struct slab_heap *heap);

/* As slab_pages_each() and slab_locate(), by the arrays of what each page is. */
int slub_pages_each(struct slab_heap *heap, slab_callback callback, void *context, struct error *err);
int slub_locate(struct slab_heap *heap, uint64_t address, struct slab *ret_slab, struct error *err);

/* The return addresses of a track, whose bytes are a copy of struct slub_track; none when they can't be read. */
struct slab_track;
void slub_stack_read(struct kernel *kernel, const void *bytes, struct slab_track *track);

/*
 * Address and size of the sheaf that ends at @top, which is what a CPU has of it; 0 when it has none. What is wrong with
 * @top, else SLAB_INTACT.
 */
enum slab_damage slub_sheaf_at_top(struct kernel *kernel, const struct slab_layout *layout,
				   const struct slab_cache *cache, uint64_t top, struct slab_sheaf *ret_sheaf);

#endif
