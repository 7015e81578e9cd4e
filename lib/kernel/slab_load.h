/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* How caches' contents come into being and go. Internal to the slab model; slab_heap_load() is in
 * slab_heap.h. */
#ifndef DILL_SLAB_LOAD_H
#define DILL_SLAB_LOAD_H

#include "slab_chain.h"
#include "slab_heap.h"

/* One cache of a load. */
struct slab_load_cache {
	uint32_t index; /* in the heap */
	const struct slab_cache *cache;
	struct slab_contents *contents; /* owned until the heap has it */
};

/* What a list of slabs is: the context of its chain. */
struct slab_load_list {
	struct slab_load *load;
	struct slab_load_cache *of;
	struct slab_list *list;
	size_t capacity;
	enum slab_place place;
	uint32_t owner;
};

/* A load under way. Arrays are sized for the most that the caches' CPUs and nodes can need. */
struct slab_load {
	struct slab_heap *heap;
	struct slab_load_cache *caches;
	size_t count;
	struct slab_chain *chains;
	struct slab_load_list *lists;
	size_t chain_count;
};

/* As slab_heap_load(), with all that is met on the way; slab_settle.c tells races from damage. */
int slab_load_once(struct slab_heap *heap, const uint32_t *caches, size_t count, struct error *err);

/* A structure to be read, and what it belongs to. */
struct slab_record {
	uint64_t address;
	struct slab_load_cache *of;
	void *item;
	size_t size; /* bytes to read; 0: as much as the others */
};

/* @bytes is NULL when the record can't be read. Non-zero ends the load. */
typedef int (*slab_record_visit)(struct slab_load *load, const struct slab_record *record, const void *bytes);

/* Read @count records of at most @size bytes in few batches and visit each, in order. */
int slab_records_read(struct slab_load *load, const struct slab_record *records, size_t count, size_t size,
		      slab_record_visit visit);

/* Sheaves of CPUs, barns and their sheaves; after CPUs and nodes are known. slab_sheaf.c. */
int slab_load_sheaves(struct slab_load *load);
int slab_load_barns(struct slab_load *load);

/* Objects on their way back to slabs. slab_deferred.c. */
int slab_load_deferred(struct slab_load *load, struct error *err);

/* The sorted sets that answer "where is it", and what is wrong in them. slab_index.c. */
int slab_contents_index(struct slab_heap *heap, uint32_t cache, struct slab_contents *contents);

/* Find out how free pointers are stored from free objects of @slabs, unless it is known. */
int slab_encoding_prove(struct slab_heap *heap, const struct slab *const *slabs, size_t count);

void slab_contents_destroy(struct slab_contents *contents);

#endif
