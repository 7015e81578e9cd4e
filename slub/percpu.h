/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What a CPU has of a cache, changed without lock or atomic instruction by restartable sequences (rseq(2)).
 *
 * Each CPU has one part of a mapping, 1 << SLUB_PERCPU_SHIFT bytes, with a struct slub_percpu_sheaves for every cache.
 * A sequence reads its CPU's number, works on that part and commits with its last instruction; the kernel restarts it
 * when the thread was preempted, moved or interrupted by a signal before that. So whoever is inside a sequence is alone
 * on that CPU's part.
 *
 * A thread that glibc has not registered has CPU number -1 or -2. Parts with these numbers exist: their sheaves are
 * empty and full for ever (slub_bootstrap_sheaf), so such a thread finds itself on the slow path by the same
 * instructions, and works there on a part of its own kind under a lock, a stripe.
 */
#ifndef SLUB_PERCPU_H
#define SLUB_PERCPU_H

#include "layout.h"

#define SLUB_NO_INLINE
#include "slub_inline.h"

#define SLUB_PERCPU_SHIFT 15
#define SLUB_UNREGISTERED_CPUS 2

#define SLUB_RSEQ_CPU_ID 4 /* offsets in struct rseq, include/uapi/linux/rseq.h */
#define SLUB_RSEQ_CS 8

/* From the thread pointer to the thread's struct rseq. */
extern ptrdiff_t slub_rseq_offset __attribute__((visibility("hidden")));

/* One CPU's sheaves as they were at one moment; work on them is void unless slub_percpu_commit() accepts it. */
struct slub_percpu_view {
	struct slub_percpu_sheaves sheaves;
	char *percpu; /* the cache's, as read */
	int cpu;      /* below 0: nothing per CPU may be used now, the cache is being drained */
	struct slub_lock *stripe; /* held, for a thread without rseq */
	struct slub_percpu_sheaves *area;
};

/* Set up the parts and membarrier(2). False when there is no memory. */
bool slub_percpu_init(struct slub_state *state);

/* Give a new cache its place. False when all are taken. */
bool slub_percpu_add(struct kmem_cache *cache);
void slub_percpu_remove(struct kmem_cache *cache);

/* The CPU that the calling thread is on, below 0 if the kernel doesn't tell it. */
int slub_percpu_cpu(void);

/* Look at what the CPU has: at the pair of words that stands `place` pairs behind the first (struct slub_cpu_slab). */
void slub_percpu_begin_at(struct kmem_cache *cache, unsigned place, struct slub_percpu_view *view);

static inline void slub_percpu_begin(struct kmem_cache *cache, struct slub_percpu_view *view)
{
	slub_percpu_begin_at(cache, 0, view);
}

/* Replace the sheaves of the view by `sheaves`. False when they have changed or the thread has moved. */
bool slub_percpu_commit(struct kmem_cache *cache, struct slub_percpu_view *view, struct slub_percpu_sheaves sheaves);
void slub_percpu_end(struct slub_percpu_view *view);

/* Take all sheaves of all CPUs from a cache: `take` gets each top once. Threads that use it meanwhile do without. */
void slub_percpu_drain(struct kmem_cache *cache, void (*take)(struct kmem_cache *, void **top));
/* The same for CPU slabs: `take` gets each CPU's once. */
void slub_percpu_drain_cpu_slabs(struct kmem_cache *cache,
				 void (*take)(struct kmem_cache *, const struct slub_cpu_slab *));
/* The same without taking them: only for counting, and only roughly right in a cache that is in use. */
size_t slub_percpu_count(struct kmem_cache *cache);

/* What became of an object that was to go in front of the CPU's freelist. */
enum slub_pushed {
	SLUB_NOT_PUSHED, /* its slab is not this CPU's */
	SLUB_PUSHED,
	SLUB_PUSHED_TWICE, /* it is there already: set_freepointer()'s check, mm/slub.c */
};

/* What became of an exchange of a slab's freelist and counters (slab_update.h). */
enum slub_update {
	SLUB_CHANGED, /* by somebody else: nothing was done */
	SLUB_UPDATED,
	SLUB_UPDATE_LOCKED, /* the cache stands still: it may be done under list_lock alone */
};

/* Around a fork, with all drain_locks held: nobody changes what CPUs and stripes have, on either side. The child registers
 * for membarrier(2) itself. */
void slub_percpu_before_fork(struct slub_state *state);
void slub_percpu_after_fork(struct slub_state *state);
void slub_percpu_register(void);

/* Compare a slab's freelist and counters with `old` and exchange them for `new`. Where has_cmpxchg_double says so. */
static inline bool slub_cmpxchg_double(struct slab *slab, const struct freelist_counters *old,
				       const struct freelist_counters *new)
{
#if defined(SLUB_MODEL) || !defined(__x86_64__)
	if (slab->freelist != old->freelist || slab->counters != old->counters)
		return false;
	slab->freelist = new->freelist;
	slab->counters = new->counters;
	return true;
#elif defined(__SANITIZE_THREAD__)
	unsigned __int128 had, wanted;

	__builtin_memcpy(&had, old, sizeof(had));
	__builtin_memcpy(&wanted, new, sizeof(wanted));
	return __sync_bool_compare_and_swap((unsigned __int128 *)&slab->freelist, had, wanted);
#else
	void *freelist = old->freelist;
	uint64_t counters = old->counters;
	bool is_done;

	asm volatile("lock cmpxchg16b (%[both])"
		     : "+a"(freelist), "+d"(counters), "=@ccz"(is_done)
		     : [both] "r"(&slab->freelist), "b"(new->freelist), "c"(new->counters)
		     : "memory");
	return is_done;
#endif
}

/* The same for a thread without restartable sequences: its stripe keeps forks out. */
enum slub_update slub_percpu_update_by_stripe(struct slab *slab, const struct freelist_counters *old,
					      const struct freelist_counters *new);

#if defined(__x86_64__) && !defined(SLUB_MODEL)
/* The sequences that programs have inline too stand in slub_inline.h. */
static inline __attribute__((always_inline)) void *slub_percpu_pop(struct kmem_cache *cache)
{
	return slub_sequence_pop(cache, slub_rseq_offset);
}

/* False too where objects may be another node's: the caller looks then, and pushes what is this one's. */
static inline __attribute__((always_inline)) bool slub_percpu_push_unchecked(struct kmem_cache *cache, void *object)
{
	return slub_sequence_push(cache, slub_rseq_offset, &cache->push_mask, object);
}

static inline bool slub_percpu_push(struct kmem_cache *cache, void *object)
{
	return slub_sequence_push(cache, slub_rseq_offset, &cache->sheaf_mask, object);
}

/* The head of this CPU's freelist, off it; NULL when there is none. `slot` is where it keeps its pointer. */
static inline void *slub_cpu_freelist_pop(struct kmem_cache *cache)
{
	void *area, *object, *next;

	// `object` is NULL at each jump: gcc 12 takes what it holds there for the result (-O1, inlined).
	asm volatile goto(SLUB_RSEQ_ENTER
		 "xorl %k[object], %k[object]\n\t"
		 "movq (%[cache]), %[area]\n\tcmpq %[home], %[area]\n\tjne %l[empty]\n\t"
		 "movslq %%fs:4(%[rseq]), %[area]\n\tshlq $15, %[area]\n\taddq %[home], %[area]\n\t"
		 "movq 16(%[area]), %[object]\n\t"
		 "testq %[object], %[object]\n\tjz %l[empty]\n\t"
		 "leaq (%[object],%[offset]), %[next]\n\t"
		 "bswapq %[next]\n\t"
		 "xorq (%[object],%[offset]), %[next]\n\t"
		 "xorq %[random], %[next]\n\t"
		 "movq %[next], 16(%[area])\n2:"
		 : [area] "=&r"(area), [object] "=&r"(object), [next] "=&r"(next)
		 : [rseq] "r"(slub_rseq_offset), [cache] "r"(cache), [home] "r"(cache->percpu_home),
		   [offset] "r"((uint64_t)cache->offset), [random] "r"(cache->random)
		 : "memory", "cc"
		 : empty);
	asm volatile("");
	return object;
empty:
	return NULL;
}

/* Put an object in front of this CPU's freelist. */
static inline enum slub_pushed slub_cpu_freelist_push(struct kmem_cache *cache, struct slab *slab, void *object)
{
	void **slot = (void **)((char *)object + cache->offset);
	uint64_t key = cache->random ^ __builtin_bswap64((uintptr_t)slot);
	void *area, *head;

	asm volatile goto(SLUB_RSEQ_ENTER
		 "movq (%[cache]), %[area]\n\tcmpq %[home], %[area]\n\tjne %l[other]\n\t"
		 "movslq %%fs:4(%[rseq]), %[area]\n\tshlq $15, %[area]\n\taddq %[home], %[area]\n\t"
		 "cmpq %[slab], 24(%[area])\n\tjne %l[other]\n\t"
		 "movq 16(%[area]), %[head]\n\t"
		 "cmpq %[object], %[head]\n\tje %l[twice]\n\t"
		 "xorq %[key], %[head]\n\t"
		 "movq %[head], (%[slot])\n\t"
		 "movq %[object], 16(%[area])\n2:"
		 : [area] "=&r"(area), [head] "=&r"(head)
		 : [rseq] "r"(slub_rseq_offset), [cache] "r"(cache), [home] "r"(cache->percpu_home), [slab] "r"(slab),
		   [slot] "r"(slot), [key] "r"(key), [object] "r"(object)
		 : "memory", "cc"
		 : other, twice);
	asm volatile("");
	return SLUB_PUSHED;
other:
	return SLUB_NOT_PUSHED;
twice:
	return SLUB_PUSHED_TWICE;
}

/*
 * slub_cmpxchg_double() as the last instruction of a sequence that begins by looking whether the cache stands still: who
 * forks has stopped the cache and restarted all sequences, so that none is changed while memory is copied.
 */
static inline enum slub_update slub_percpu_update(struct kmem_cache *cache, struct slab *slab,
						  const struct freelist_counters *old, const struct freelist_counters *new)
{
	void *area, *freelist = old->freelist;
	uint64_t counters = old->counters;

	asm volatile goto(SLUB_RSEQ_ENTER
		 "movq (%[cache]), %[area]\n\tcmpq %[home], %[area]\n\tjne %l[stopped]\n\t"
		 "cmpl $0, %%fs:4(%[rseq])\n\tjl %l[stopped]\n\t"
		 "lock cmpxchg16b (%[both])\n2:\n\t"
		 "jne %l[changed]"
		 : [area] "=&r"(area), "+a"(freelist), "+d"(counters)
		 : [rseq] "r"(slub_rseq_offset), [cache] "r"(cache), [home] "r"(cache->percpu_home),
		   [both] "r"(&slab->freelist), "b"(new->freelist), "c"(new->counters)
		 : "memory", "cc"
		 : stopped, changed);
	asm volatile("");
	return SLUB_UPDATED;
changed:
	return SLUB_CHANGED;
stopped:
	return slub_percpu_cpu() < 0 ? slub_percpu_update_by_stripe(slab, old, new) : SLUB_UPDATE_LOCKED;
}
#else
void *slub_percpu_pop(struct kmem_cache *cache);
bool slub_percpu_push(struct kmem_cache *cache, void *object);
static inline bool slub_percpu_push_unchecked(struct kmem_cache *cache, void *object)
{
	return !cache->checks_node && slub_percpu_push(cache, object);
}
void *slub_cpu_freelist_pop(struct kmem_cache *cache);
enum slub_pushed slub_cpu_freelist_push(struct kmem_cache *cache, struct slab *slab, void *object);
enum slub_update slub_percpu_update(struct kmem_cache *cache, struct slab *slab, const struct freelist_counters *old,
				    const struct freelist_counters *new);
#endif

#endif
