/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The slab allocator of a kernel as it was when it was read: caches, and per cache what CPUs and nodes hold.
 *
 * Terms. A slab is a block of pages with objects of one cache. It is a CPU slab, on a CPU's partial list, on
 * a node's partial or full list, or on no list at all (full, without SLAB_STORE_USER): those are found by a
 * pass over struct page alone (slab_pages.h). Objects are free in a slab's own freelist, in a CPU's lockless
 * freelist, or parked in a sheaf, where the slab counts them as in use.
 *
 * Everything is read in batches: all caches' structures of one kind in one round. What is damaged is noted in
 * the heap's findings and left out; reading goes on.
 */
#ifndef DILL_SLAB_HEAP_H
#define DILL_SLAB_HEAP_H

#include "cleanup.h"
#include "kernel_list.h"
#include "memory_source.h"
#include "slab_cache.h"

/* How a pointer is stored in a free object: mm/slub.c, freelist_ptr_encode(). */
enum slab_encoding {
	SLAB_ENCODING_PLAIN,   /* not hardened */
	SLAB_ENCODING_XOR,     /* pointer ^ random ^ its own address: 2482ddec670f, 4.14 */
	SLAB_ENCODING_XOR_SWAP /* … ^ byte-swapped address: 1ad53d9fa3f6, 5.7 and backports */
};

enum slab_damage {
	SLAB_INTACT = 0,
	/* Freelists. */
	SLAB_FREELIST_LOOP,
	SLAB_FREELIST_OUTSIDE,    /* a pointer leads out of the slab */
	SLAB_FREELIST_MISALIGNED, /* … between objects */
	SLAB_FREELIST_UNREADABLE,
	SLAB_FREELIST_TOO_LONG,   /* more than the slab has objects free */
	SLAB_FREELIST_TOO_SHORT,  /* fewer than objects − inuse */
	/* Lists of slabs: as enum list_damage. */
	SLAB_LIST_UNREADABLE,
	SLAB_LIST_LOOP,
	SLAB_LIST_BAD_BACK_LINK,
	SLAB_LIST_TOO_LONG,
	SLAB_LIST_COUNT,          /* nr_partial, nr_full … differ from the list's length */
	/* Slabs. */
	SLAB_NOT_A_SLAB,          /* a listed page isn't marked as a slab */
	SLAB_WRONG_CACHE,         /* slab_cache isn't the cache that lists it */
	SLAB_BAD_COUNTERS,        /* inuse > objects, or objects is neither of the cache's two */
	SLAB_BAD_FROZEN,          /* frozen although on a node's list */
	SLAB_LISTED_TWICE,
	/* Sheaves. */
	SLAB_SHEAF_UNREADABLE,
	SLAB_SHEAF_WRONG_CACHE,
	SLAB_SHEAF_TOO_LARGE,     /* size > capacity */
	SLAB_SHEAF_BAD_OBJECT,    /* not an object of a slab of this cache */
	SLAB_FREE_TWICE,          /* one object is free in two places */
	/* Caches. */
	SLAB_CACHE_UNREADABLE,
	SLAB_CACHE_DAMAGED,       /* its numbers contradict each other */
	SLAB_CACHE_LIST,          /* slab_caches itself */
	SLAB_CPU_UNREADABLE,
	SLAB_NODE_UNREADABLE,
	/* Found by slab_check.h. */
	SLAB_NOT_LISTED,     /* has free objects, but is on no list: they are lost */
	SLAB_BOOKS_SLABS,    /* nr_slabs differs from the slabs there are */
	SLAB_BOOKS_OBJECTS,  /* total_objects differs from their objects */
	SLAB_RED_ZONE_LEFT,  /* bytes before an object */
	SLAB_RED_ZONE_RIGHT, /* bytes behind it */
	SLAB_POISON,         /* a free object was written to */
	SLAB_PADDING,        /* bytes behind its metadata, or behind the last object */
	SLAB_DAMAGE_KINDS,
};

/* "freelist-loop", …: stable names, for JSON. */
extern const char *const slab_damage_names[SLAB_DAMAGE_KINDS + 1];

/* More than struct page takes in any configuration. */
#define SLAB_PAGE_BYTES_MAX 256

#define SLAB_NO_CACHE UINT32_MAX
#define SLAB_NO_OWNER UINT32_MAX

/* One thing found wrong while reading. Members that don't apply are 0, owner SLAB_NO_OWNER. */
struct slab_finding {
	enum slab_damage kind;
	uint32_t cache;   /* index in the heap, or SLAB_NO_CACHE */
	uint64_t slab;    /* address of the struct slab */
	uint64_t object;  /* object, sheaf or list node where it was seen */
	uint64_t value;   /* what was read there: the decoded pointer, the counter … */
	uint64_t expected;
	uint32_t owner;   /* CPU or node */
};

/* Where a slab is. */
enum slab_place {
	SLAB_UNLISTED = 0, /* full, or known by struct page only */
	SLAB_ON_CPU,
	SLAB_CPU_PARTIAL,
	SLAB_NODE_PARTIAL,
	SLAB_NODE_FULL,
	SLAB_PLACES,
};

/* "full", "cpu", "cpu_partial", …: stable names, for JSON. */
extern const char *const slab_place_names[SLAB_PLACES + 1];

/* One slab: its struct slab, decoded. */
struct slab {
	uint64_t page;     /* address of struct slab, which is that of its first struct page */
	uint64_t start;    /* of its memory, in the direct map */
	uint64_t freelist; /* first free object, plain; 0: none */
	uint32_t cache;    /* index in the heap, SLAB_NO_CACHE when slab_cache is none of its caches */
	uint32_t owner;    /* CPU or node by place, SLAB_NO_OWNER when unlisted */
	uint16_t inuse, objects;
	uint16_t node; /* whose memory it is */
	uint8_t order;
	uint8_t place; /* enum slab_place */
	bool is_frozen;
	bool is_bad; /* counters or cache are impossible: its objects can't be told apart */
};

/* A chain of free objects. */
struct slab_freelist {
	uint64_t *objects; /* owned; in the order in which they will be handed out */
	uint32_t count;
	enum slab_damage damage;
	uint64_t damaged_object; /* whose pointer is bad; 0: the head */
	uint64_t damaged_value;  /* that pointer, decoded */
};

struct slab_sheaf {
	uint64_t address;  /* 0: there is none */
	uint64_t *objects; /* owned; the last is handed out first */
	uint32_t size;     /* objects read */
	enum slab_damage damage;
};

struct slab_list {
	struct slab *slabs; /* owned; in list order */
	size_t count;
	enum list_damage damage;
};

struct slab_cpu {
	uint32_t cpu;
	uint64_t cpu_slab;  /* struct kmem_cache_cpu; 0: none */
	uint64_t tid;
	uint64_t first_free;    /* as they stand in struct kmem_cache_cpu */
	uint64_t first_partial;
	bool has_slab;
	struct slab slab;              /* the CPU slab; its own freelist holds what others freed */
	struct slab_freelist freelist; /* the lockless one */
	struct slab_list partial;
	uint64_t sheaves;              /* struct slub_percpu_sheaves; 0: none */
	struct slab_sheaf main, spare, rcu_free;
};

struct slab_node {
	uint32_t node;
	uint64_t address;      /* struct kmem_cache_node; 0: the node has none */
	uint64_t nr_partial;
	bool has_books;        /* nr_slabs and total_objects are there */
	uint64_t nr_slabs, total_objects;
	struct slab_list partial;
	struct slab_list full; /* only with SLAB_STORE_USER */
	uint64_t barn;         /* struct node_barn; 0: none */
	uint32_t nr_full, nr_empty;
	struct slab_sheaf *full_sheaves; /* owned, next to be used first */
	size_t full_sheaf_count;
};

/* An object that was freed, but waits on @cpu for its way back to its slab. */
struct slab_deferred {
	uint64_t object;
	uint32_t cpu;
};

/* Where an object that no slab's freelist shows as free is: see slab_state.h. */
struct slab_parked;

/* What one cache holds, apart from slabs that no list knows. */
struct slab_contents {
	struct slab_cpu *cpus; /* owned; by CPU number, possible CPUs */
	size_t cpu_count;
	struct slab_node *nodes; /* owned; by node number */
	size_t node_count;
	struct slab_deferred *deferred; /* owned; in no order */
	size_t deferred_count;
	struct slab_parked *parked; /* owned; sorted by object: duplicates stand side by side */
	size_t parked_count;
	const struct slab **listed; /* owned; all slabs of CPUs and lists, sorted by page */
	size_t listed_count;
};

/* Slabs of a cache and objects in them, counted by a pass over struct page. */
struct slab_count {
	uint64_t slabs, objects;
};

struct slab_heap {
	struct kernel *kernel; /* borrowed */
	struct slab_layout layout;
	enum slab_encoding encoding;
	bool is_encoding_proven; /* false: no free object was met yet that tells which one */
	struct slab_cache *caches; /* owned; in the order of the list: newest first */
	size_t cache_count;
	uint32_t *by_address;      /* owned; cache indexes sorted by address */
	struct slab_contents **contents; /* owned; by cache index; NULL: not read yet */
	struct slab_finding *findings;   /* owned */
	size_t finding_count, finding_capacity;
	uint64_t findings_dropped; /* beyond SLAB_FINDINGS_MAX */
	/* Not the same in two readings of a running kernel: races, left out of findings. */
	uint64_t findings_unsettled;
	struct slab_count *counted; /* owned; by cache index; NULL: not counted. slab_totals.h */
	struct memory_range kfence_pool; /* size 0: none. Its pages look like slabs and belong to no list */
};

#define SLAB_FINDINGS_MAX 65536

/*
 * Read the list of caches (symbol slab_caches, mm/slab_common.c). A damaged list gives what could be read and
 * a finding. -ENOENT: no SLUB here; -EFAULT: not even its first cache is readable.
 */
int slab_heap_open(struct kernel *kernel, struct slab_heap **ret_heap, struct error *err);
void slab_heap_close(struct slab_heap *heap);
DEFINE_CLEANUP(slab_heap, struct slab_heap *, slab_heap_close(v));

/*
 * Read what @count caches hold, all together in few rounds, unless it was read before: fills heap->contents.
 * @caches NULL: all caches. Of a running kernel, caches in which damage was met are read again, up to a dozen
 * times, to tell it from changes on the way. -ENOMEM, or what kernel_read_many() says when the source is gone.
 */
int slab_heap_load(struct slab_heap *heap, const uint32_t *caches, size_t count, struct error *err);
/* The same for one. NULL only on failure. */
const struct slab_contents *slab_heap_contents(struct slab_heap *heap, uint32_t cache, struct error *err);

/* Index of the cache with that name (or alias, if those were read); SLAB_NO_CACHE. */
uint32_t slab_heap_find(const struct slab_heap *heap, const char *name);
uint32_t slab_heap_find_address(const struct slab_heap *heap, uint64_t address);

/*
 * Names of merged caches, from the links in sysfs (slab_kset): fills aliases of all caches. -ENOENT: this
 * kernel keeps none. Costs a few hundred small reads.
 */
int slab_heap_read_aliases(struct slab_heap *heap, struct error *err);

/* Note a finding; drops it when there are too many. */
void slab_heap_note(struct slab_heap *heap, const struct slab_finding *finding);

/*
 * Decode the struct slab at @page. 0, -EFAULT (unreadable). The place is SLAB_UNLISTED; is_bad tells
 * nonsense.
 */
int slab_read(struct slab_heap *heap, uint64_t page, struct slab *ret_slab);
/* The same from a copy of sizeof(struct page) bytes. */
void slab_decode(const struct slab_heap *heap, uint64_t page, const void *bytes, struct slab *ret_slab);
/* The listed slab at @page, with its place, or NULL. */
const struct slab *slab_contents_find(const struct slab_contents *contents, uint64_t page);

/*
 * The slab that covers @address of the direct map: through its struct page, without a place. -ENOENT: none
 * does (or KFENCE's pool does); -EFAULT: the struct page can't be read.
 */
int slab_locate(struct slab_heap *heap, uint64_t address, struct slab *ret_slab, struct error *err);

/* The node whose barn and partial list a CPU uses; 0 where the kernel has no such variable, as a process. */
uint32_t slab_cpu_node(const struct slab_heap *heap, uint32_t cpu);

/* Objects and addresses within a slab. The address handed out for object @index. */
static inline uint64_t slab_object_address(const struct slab_cache *cache, const struct slab *slab,
					   uint32_t index)
{
	return slab->start + (uint64_t)index * cache->size + cache->red_left_pad;
}

/* Index of the object whose slot covers @address; false when none does. */
static inline bool slab_object_index(const struct slab_cache *cache, const struct slab *slab,
				     uint64_t address, uint32_t *ret_index)
{
	uint64_t offset = address - slab->start;

	if (address < slab->start || !cache->size || offset / cache->size >= slab->objects)
		return false;
	*ret_index = (uint32_t)(offset / cache->size);
	return true;
}

#endif
