/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The structures of the allocator, with the kernel's names (mm/slab.h, mm/slub.c of 7.0).
 *
 *     kmem_cache ─ per CPU: main sheaf, spare sheaf
 *                └ per node: barn of full and empty sheaves, list of partial slabs
 *     sheaf      ─ an array of free objects; a CPU takes and gives at its end
 *     slab       ─ 1 << order pages of objects; those that are free are chained through themselves
 *
 * What the kernel keeps in struct page stands in struct slab, in an array beside the pages (pages.h).
 */
#ifndef SLUB_LAYOUT_H
#define SLUB_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "geometry.h"
#include "lock.h"
#include "pages.h"
#include "slub.h"

#define SLUB_MAX_NODES 16
#define SLUB_KMALLOC_CACHES 14
#define SLUB_KMALLOC_MAX 8192
#define SLUB_NAME_BYTES 32
#define SHEAF_HEADER_WORDS 4
/* Full sheaves that a barn holds before objects go back to their slabs (MAX_FULL_SHEAVES, mm/slub.c). */
#define SLUB_MAX_FULL_SHEAVES 10
#define SLUB_MAX_EMPTY_SHEAVES 10

/* Of functions that count what others change meanwhile, and may be a little wrong: ThreadSanitizer is not to watch. */
#define SLUB_UNSYNCHRONISED __attribute__((no_sanitize_thread))

struct list {
	struct list *next, *previous;
};

/*
 * A slab's free objects and what is counted of them: 16 bytes that change at once (slab_update.h).
 *
 *     freelist     the first free object; the others are chained at kmem_cache.offset
 *     frozen       some CPU's slab: free objects may be on that CPU's freelist
 *     is_isolated  damaged: leaked on purpose, as the kernel does
 */
#define SLUB_FREELIST_COUNTERS                                                  \
	void *freelist;                                                             \
	union {                                                                     \
		uint64_t counters;                                                      \
		struct {                                                                \
			uint16_t inuse, objects;                                            \
			bool frozen, is_isolated;                                           \
		};                                                                      \
	}

struct freelist_counters {
	SLUB_FREELIST_COUNTERS;
};

/*
 * 64 bytes, one for each slab. Lists and on_partial are under the node's list_lock, and so are freelist and counters but
 * in caches of the engine of CPU slabs. There they are changed by slab_update_freelist() alone, and whoever empties a slab
 * has list_lock before.
 */
struct slab {
	union {
		struct list slab_list; /* on the node's partial list while on_partial */
		struct slab *next;     /* among free descriptors, or on a CPU's partial list */
	};
	struct kmem_cache *slab_cache;
	char *base; /* the first page */
	SLUB_FREELIST_COUNTERS;
	uint8_t order, node;
	bool on_partial;
	uint16_t slabs; /* on a CPU's partial list: how many from here on, itself included */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct slab) == 64 && offsetof(struct slab, freelist) % 16 == 0 &&
	       offsetof(struct slab, counters) == offsetof(struct slab, freelist) + 8, "what cmpxchg16b works on");

/*
 * Free objects, sheaf_bytes long and aligned to that: four words of header, then objects up to the end. A sheaf is
 * told by the address behind its last object, its `top`: top[-1] is the next to be taken (NULL when the sheaf is
 * empty: the header's last word), and a top that is a multiple of sheaf_bytes says that it is full.
 */
struct slab_sheaf {
	struct slab_sheaf *next; /* in a barn */
	void *unused[2];
	void *bottom; /* always NULL */
	void *objects[];
};
_Static_assert(sizeof(struct slab_sheaf) == SHEAF_HEADER_WORDS * sizeof(void *), "objects fill the rest of a sheaf");

/* What a CPU has of a cache: the tops of its sheaves; spare is NULL when there is none. Changed by restartable
 * sequences alone, see percpu.h. */
struct slub_percpu_sheaves {
	void **main, **spare;
} __attribute__((aligned(16)));

/* What a CPU has of a cache of the other engine (struct kmem_cache_cpu). The first two change together. */
struct slub_cpu_slab {
	struct slub_percpu_sheaves none; /* a bootstrap sheaf, so that the common fast path finds nothing */
	void *freelist;
	struct slab *slab;
	struct slab *partial; /* chained by next */
	void *unused;
} __attribute__((aligned(16)));

struct node_barn {
	struct slub_lock lock;
	unsigned nr_full, nr_empty;
	struct slab_sheaf *sheaves_full, *sheaves_empty;
};

struct kmem_cache_node {
	struct node_barn barn;
	struct slub_lock list_lock __attribute__((aligned(64)));
	size_t nr_partial;
	struct list partial;
	size_t nr_slabs, total_objects;
} __attribute__((aligned(64)));

struct kmem_cache {
	/* Read by the fast path: struct slub_cache_head_1, which programs know (slub_inline.h). */
	char *percpu;         /* CPU 0's struct slub_percpu_sheaves; CPU n's is n << SLUB_PERCPU_SHIFT behind */
	uint64_t push_mask;   /* sheaf_mask; 0, which makes every sheaf full, when checks_node */
	ptrdiff_t rseq_offset; /* slub_rseq_offset, at hand */
	bool checks_node;     /* frees look whether the object is of this CPU's node */

	uint64_t sheaf_mask;  /* sheaf_bytes - 1 */
	char *percpu_home;    /* where percpu points unless the cache is being drained */
	uint32_t flags;
	uint8_t kind;         /* what its pages are, see pages.h */
	bool has_sheaves, has_cpu_slabs, is_kmalloc, is_debugged;
	bool has_cmpxchg_double; /* 16 bytes can be compared and exchanged at once (__CMPXCHG_DOUBLE) */
	struct slub_geometry geometry;
	unsigned size, offset, red_left_pad; /* of geometry, at hand */
	uint64_t random;
	uint64_t divisor;     /* UINT64_MAX / size + 1 */
	uint32_t *random_seq; /* geometry.objects offsets in bytes; NULL when in order */
	void (*ctor)(void *);
	unsigned refcount;
	char name[SLUB_NAME_BYTES];
	struct kmem_cache *next; /* newest first, under state.lock */
	struct slub_lock drain_lock;
	struct kmem_cache_node node[]; /* slub.nodes of them */
};

/* A random_seq that no cache has. */
struct slub_sequence {
	struct slub_sequence *next;
};
#define SLUB_SEQUENCE_ORDERS 18 /* up to SLUB_MAX_OBJECTS_PER_SLAB offsets, 1 << 17 bytes */

/* Everything that a process has of the allocator. */
struct slub_state {
	struct slub_lock lock; /* list of caches, making and ending them */
	bool is_ready;
	bool has_cmpxchg_double; /* of every cache */
	unsigned cpus, nodes; /* that there may ever be */
	struct slub_rules rules;
	uint32_t default_flags; /* of every cache: which engine */
	struct slub_pages pages;
	char *percpu; /* CPU 0's part; the parts of CPU -2 and -1 before it, the stripes' behind the last CPU's */
	unsigned percpu_used;
	uint64_t seed;
	struct kmem_cache *caches;
	struct kmem_cache *kmalloc_caches[SLUB_KMALLOC_CACHES];
	struct kmem_cache *cache_of_kind[256]; /* of a page's kind, NULL where kfree must look closer */
	struct kmem_cache *sheaf_caches[SLUB_KMALLOC_CACHES]; /* of kmalloc's sizes 64 … 2048, aligned to them */
	struct kmem_cache *free_caches; /* descriptors of caches that are gone */
	char *descriptors, *descriptors_end; /* what is left of the last block of them */
	struct slub_sequence *free_sequences[SLUB_SEQUENCE_ORDERS];
	char *sequences, *sequences_end; /* the same of random_seqs */
};

/* The top of a sheaf that is empty and full. */
extern void *slub_bootstrap_sheaf[] __attribute__((visibility("hidden")));
#define SLUB_BOOTSTRAP_WORDS (SLUB_MAX_SHEAF / sizeof(void *))
#define SLUB_BOOTSTRAP_TOP (&slub_bootstrap_sheaf[SLUB_BOOTSTRAP_WORDS])

#ifdef SLUB_MODEL
/* The model that the calling thread works on (model.h). */
extern __thread struct slub_state *slub_model_state;
#define slub (*slub_model_state)
#else
extern struct slub_state slub __attribute__((visibility("hidden")));
#endif

static inline void list_init(struct list *list)
{
	list->next = list->previous = list;
}

static inline void list_insert(struct list *entry, struct list *before, struct list *after)
{
	entry->previous = before;
	entry->next = after;
	before->next = after->previous = entry;
}

static inline void list_remove(struct list *entry)
{
	entry->previous->next = entry->next;
	entry->next->previous = entry->previous;
}

/* The slab that an address lies in, NULL when it is in none. */
static inline struct slab *slab_of_address(const void *address)
{
	struct slub_pages *pages = &slub.pages;
	size_t page = (size_t)((const char *)address - pages->base) >> SLUB_PAGE_SHIFT;

	if (page >= __atomic_load_n(&pages->used, __ATOMIC_ACQUIRE) || pages->kind[page] == SLUB_PAGE_NONE || pages->kind[page] == SLUB_PAGE_RUN)
		return NULL;
	return &pages->slabs[pages->slab_of[page] - 1];
}

static inline bool sheaf_is_full(const struct kmem_cache *cache, void **top)
{
	return !((uintptr_t)top & cache->sheaf_mask);
}

/*
 * Told by the address alone, as that is all a commit compares: what stands below the top of a sheaf that was seen a
 * moment ago may be another thread's by now, or nobody's, and the same sheaf may be back with the same top.
 */
static inline bool sheaf_is_empty(const struct kmem_cache *cache, void **top)
{
	uintptr_t offset = (uintptr_t)top & cache->sheaf_mask;

	return __builtin_expect(offset <= sizeof(struct slab_sheaf), 0) && (offset || top == SLUB_BOOTSTRAP_TOP);
}

static inline struct slab_sheaf *sheaf_of_top(const struct kmem_cache *cache, void **top)
{
	return (struct slab_sheaf *)(((uintptr_t)top - 1) & ~cache->sheaf_mask);
}

static inline size_t sheaf_size(const struct kmem_cache *cache, void **top)
{
	return (size_t)(top - sheaf_of_top(cache, top)->objects);
}

/* The freelist pointer as it is stored, and back: freelist_ptr_encode(), mm/slub.c. */
static inline void *freelist_pointer(const struct kmem_cache *cache, void *pointer, void **slot)
{
	return (void *)((uintptr_t)pointer ^ cache->random ^ __builtin_bswap64((uintptr_t)slot));
}

static inline void **freelist_slot(const struct kmem_cache *cache, void *object)
{
	return (void **)((char *)object + cache->offset);
}

#endif
