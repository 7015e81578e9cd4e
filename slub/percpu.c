// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Per-CPU parts: where they are, whole-state commits of the slow paths, draining. The fast sequences stand in the header.
#include "percpu.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/rseq.h>

#include "cpu_slab.h"

#define PART_BYTES ((size_t)1 << SLUB_PERCPU_SHIFT)
#define PLACES (PART_BYTES / sizeof(struct slub_percpu_sheaves))
// Of either engine: a descriptor's place may serve a cache of the other one later.
#define PLACES_PER_CACHE (sizeof(struct slub_cpu_slab) / sizeof(struct slub_percpu_sheaves))

_Static_assert(SLUB_PERCPU_SHIFT == 15, "SLUB_RSEQ_AREA (slub_inline.h) has the shift");
_Static_assert(offsetof(struct kmem_cache, percpu) == 0, "the sequences have the offset");
#ifdef SLUB_INLINE_ABI
#define IS_PUBLIC(field) (offsetof(struct kmem_cache, field) == offsetof(struct slub_cache_head_1, field))
_Static_assert(IS_PUBLIC(percpu) && IS_PUBLIC(push_mask) && IS_PUBLIC(rseq_offset) && IS_PUBLIC(checks_node),
	       "programs have the offsets: another layout takes another SLUB_INLINE_ABI");
#endif

void *slub_bootstrap_sheaf[SLUB_BOOTSTRAP_WORDS + 1] __attribute__((aligned(SLUB_MAX_SHEAF)));
ptrdiff_t slub_rseq_offset;

// What a thread without glibc's registration looks like; -1 is RSEQ_CPU_ID_UNINITIALIZED.
static __thread struct rseq unregistered __attribute__((tls_model("initial-exec"))) = { .cpu_id = (uint32_t)-1 };

extern const unsigned int __rseq_size __attribute__((weak));
extern const ptrdiff_t __rseq_offset __attribute__((weak));

static struct slub_percpu_sheaves *area_of(char *percpu, int number)
{
	return (struct slub_percpu_sheaves *)(percpu + number * (ptrdiff_t)PART_BYTES);
}

static struct slub_cpu_slab *cpu_slab_of(const struct kmem_cache *cache, int number)
{
	return (struct slub_cpu_slab *)area_of(cache->percpu_home, number);
}

int slub_percpu_cpu(void)
{
#ifdef __x86_64__
	int cpu;

	// Sanitizers take an offset from %fs for an address: not by __seg_fs.
	asm volatile("movl %%fs:%c2(%1), %0" : "=r"(cpu) : "r"(slub_rseq_offset), "i"(SLUB_RSEQ_CPU_ID));
	return cpu;
#else
	return (int)*(volatile uint32_t *)((char *)__builtin_thread_pointer() + slub_rseq_offset + SLUB_RSEQ_CPU_ID);
#endif
}

static int membarrier(int command)
{
	int saved = errno, result = (int)syscall(SYS_membarrier, command, 0, 0);

	errno = saved;
	return result;
}

// CPU -2 and -1, the CPUs, as many stripes.
static int parts_of(const struct slub_state *state)
{
	return SLUB_UNREGISTERED_CPUS + 2 * (int)state->cpus;
}

static struct slub_lock *stripe_locks(const struct slub_state *state)
{
	return (struct slub_lock *)(state->percpu + 2 * (ptrdiff_t)state->cpus * (ptrdiff_t)PART_BYTES);
}

bool slub_percpu_init(struct slub_state *state)
{
	size_t bytes = (size_t)parts_of(state) * PART_BYTES + state->cpus * sizeof(struct slub_lock);
	char *parts = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	bool has_rseq = &__rseq_size && __rseq_size;

	if (parts == MAP_FAILED)
		return false;
	slub_rseq_offset = has_rseq ? __rseq_offset : (char *)&unregistered - (char *)__builtin_thread_pointer();
	state->percpu = parts + SLUB_UNREGISTERED_CPUS * PART_BYTES;
	slub_percpu_register();
	// Place 0 is where caches point while they are drained.
	for (int number = -SLUB_UNREGISTERED_CPUS; number < (int)state->cpus; number++)
		area_of(state->percpu, number)->main = SLUB_BOOTSTRAP_TOP;
	state->percpu_used = 1;
	return true;
}

bool slub_percpu_add(struct kmem_cache *cache)
{
	struct slub_state *state = &slub;

	if (!cache->percpu_home) {
		if (state->percpu_used + PLACES_PER_CACHE > PLACES)
			return false;
		cache->percpu_home = state->percpu + state->percpu_used * sizeof(struct slub_percpu_sheaves);
		state->percpu_used += PLACES_PER_CACHE;
	}
	for (int number = -SLUB_UNREGISTERED_CPUS; number < parts_of(state) - SLUB_UNREGISTERED_CPUS; number++)
		*cpu_slab_of(cache, number) = (struct slub_cpu_slab){ .none.main = SLUB_BOOTSTRAP_TOP };
	cache->rseq_offset = slub_rseq_offset;
	__atomic_store_n(&cache->percpu, cache->percpu_home, __ATOMIC_RELEASE);
	return true;
}

// The place stays the descriptor's, for the next cache that gets it.
void slub_percpu_remove(struct kmem_cache *cache)
{
	__atomic_store_n(&cache->percpu, slub.percpu, __ATOMIC_RELEASE);
}

static bool is_stopped(char *percpu)
{
	return percpu == slub.percpu;
}

static struct slub_lock *lock_stripe(void)
{
	struct slub_lock *stripe = &stripe_locks(&slub)[(unsigned)sched_getcpu() % slub.cpus];

	slub_lock(stripe);
	return stripe;
}

enum slub_update slub_percpu_update_by_stripe(struct slab *slab, const struct freelist_counters *old,
					      const struct freelist_counters *new)
{
	struct slub_lock *stripe = lock_stripe();
	bool is_done = slub_cmpxchg_double(slab, old, new);

	slub_unlock(stripe);
	return is_done ? SLUB_UPDATED : SLUB_CHANGED;
}

void slub_percpu_begin_at(struct kmem_cache *cache, unsigned place, struct slub_percpu_view *view)
{
	int cpu = slub_percpu_cpu();

	view->stripe = NULL;
	if (cpu < 0) {
		view->stripe = lock_stripe();
		cpu = (int)slub.cpus + (int)(view->stripe - stripe_locks(&slub));
	}
	view->percpu = __atomic_load_n(&cache->percpu, __ATOMIC_ACQUIRE);
	view->area = area_of(view->percpu, cpu) + place;
	if (is_stopped(view->percpu)) {
		view->cpu = -1;
		view->sheaves = (struct slub_percpu_sheaves){ .main = SLUB_BOOTSTRAP_TOP };
	} else {
		view->cpu = cpu;
		view->sheaves = *view->area;
	}
}

void slub_percpu_end(struct slub_percpu_view *view)
{
	if (view->stripe)
		slub_unlock(view->stripe);
}

#if defined(__x86_64__)
static bool commit_sequence(struct kmem_cache *cache, const struct slub_percpu_view *view,
			    const struct slub_percpu_sheaves *sheaves)
{
	void *area;

	asm volatile goto(SLUB_RSEQ_ENTER
		 "cmpl %[cpu], %%fs:4(%[rseq])\n\tjne %l[lost]\n\t"
		 "movq (%[cache]), %[area]\n\tcmpq %[percpu], %[area]\n\tjne %l[lost]\n\t"
		 "movq %[where], %[area]\n\t"
		 "cmpq %[main], (%[area])\n\tjne %l[lost]\n\t"
		 "cmpq %[spare], 8(%[area])\n\tjne %l[lost]\n\t"
		 "movdqa (%[new]), %%xmm0\n\t"
		 "movdqa %%xmm0, (%[area])\n2:"
		 : [area] "=&r"(area)
		 : [rseq] "r"(slub_rseq_offset), [cache] "r"(cache), [cpu] "r"(view->cpu), [percpu] "r"(view->percpu),
		   [where] "r"(view->area), [main] "r"(view->sheaves.main), [spare] "r"(view->sheaves.spare),
		   [new] "r"(sheaves)
		 : "memory", "cc", "xmm0"
		 : lost);
	asm volatile("");
	return true;
lost:
	return false;
}
#else
static bool commit_sequence(struct kmem_cache *cache, const struct slub_percpu_view *view,
			    const struct slub_percpu_sheaves *sheaves)
{
	(void)cache, (void)view, (void)sheaves;
	return false;
}

void *slub_percpu_pop(struct kmem_cache *cache)
{
	(void)cache;
	return NULL;
}

bool slub_percpu_push(struct kmem_cache *cache, void *object)
{
	(void)cache, (void)object;
	return false;
}

void *slub_cpu_freelist_pop(struct kmem_cache *cache)
{
	(void)cache;
	return NULL;
}

enum slub_pushed slub_cpu_freelist_push(struct kmem_cache *cache, struct slab *slab, void *object)
{
	(void)cache, (void)slab, (void)object;
	return SLUB_NOT_PUSHED;
}

enum slub_update slub_percpu_update(struct kmem_cache *cache, struct slab *slab, const struct freelist_counters *old,
				    const struct freelist_counters *new)
{
	(void)cache, (void)slab, (void)old, (void)new;
	return SLUB_UPDATE_LOCKED;
}
#endif

bool slub_percpu_commit(struct kmem_cache *cache, struct slub_percpu_view *view, struct slub_percpu_sheaves sheaves)
{
	if (!view->stripe)
		return commit_sequence(cache, view, &sheaves);
	// The stripe is held, so is the drain kept out.
	*view->area = sheaves;
	return true;
}

static void take_part(struct kmem_cache *cache, int number, void (*take)(struct kmem_cache *, void **))
{
	struct slub_percpu_sheaves *area = area_of(cache->percpu_home, number), had = *area;

	*area = (struct slub_percpu_sheaves){ .main = SLUB_BOOTSTRAP_TOP };
	if (had.main != SLUB_BOOTSTRAP_TOP)
		take(cache, had.main);
	if (had.spare)
		take(cache, had.spare);
}

static void take_cpu_slab(struct kmem_cache *cache, int number,
			  void (*take)(struct kmem_cache *, const struct slub_cpu_slab *))
{
	struct slub_cpu_slab *area = cpu_slab_of(cache, number), had = *area;

	*area = (struct slub_cpu_slab){ .none.main = SLUB_BOOTSTRAP_TOP };
	take(cache, &had);
}

typedef void take_sheaf_fn(struct kmem_cache *, void **);
typedef void take_cpu_slab_fn(struct kmem_cache *, const struct slub_cpu_slab *);

static void take_from(struct kmem_cache *cache, int number, take_sheaf_fn *take, take_cpu_slab_fn *take_slab)
{
	if (take)
		take_part(cache, number, take);
	else
		take_cpu_slab(cache, number, take_slab);
}

static void drain(struct kmem_cache *cache, take_sheaf_fn *take, take_cpu_slab_fn *take_slab)
{
	struct slub_state *state = &slub;

	slub_lock(&cache->drain_lock);
	__atomic_store_n(&cache->percpu, state->percpu, __ATOMIC_SEQ_CST);
	// Every sequence that may still have the old place is restarted. Where the kernel can't, CPUs keep theirs.
	if (!membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ)) {
		for (int cpu = 0; cpu < (int)state->cpus; cpu++)
			take_from(cache, cpu, take, take_slab);
	}
	for (unsigned stripe = 0; stripe < state->cpus; stripe++) {
		slub_lock(&stripe_locks(state)[stripe]);
		take_from(cache, (int)(state->cpus + stripe), take, take_slab);
		slub_unlock(&stripe_locks(state)[stripe]);
	}
	__atomic_store_n(&cache->percpu, cache->percpu_home, __ATOMIC_RELEASE);
	slub_unlock(&cache->drain_lock);
}

void slub_percpu_drain(struct kmem_cache *cache, take_sheaf_fn *take)
{
	drain(cache, take, NULL);
}

void slub_percpu_drain_cpu_slabs(struct kmem_cache *cache, take_cpu_slab_fn *take)
{
	drain(cache, NULL, take);
}

SLUB_UNSYNCHRONISED size_t slub_percpu_count(struct kmem_cache *cache)
{
	size_t count = 0;

	for (int number = 0; number < 2 * (int)slub.cpus; number++) {
		struct slub_percpu_sheaves seen = *area_of(cache->percpu_home, number);

		if (seen.main != SLUB_BOOTSTRAP_TOP)
			count += sheaf_size(cache, seen.main);
		if (seen.spare)
			count += sheaf_size(cache, seen.spare);
	}
	return count;
}

struct slub_cpu_slab_counts slub_cpu_slab_count(struct kmem_cache *cache)
{
	struct slub_cpu_slab_counts counts = {};

	for (int number = 0; number < 2 * (int)slub.cpus; number++)
		slub_cpu_slab_add_counts(cache, cpu_slab_of(cache, number), &counts);
	return counts;
}

// fork() copies page after page while other threads run: an object that leaves one CPU's sheaf and comes to another's in
// between would be in both of the child's. So caches stand still as for a drain, and what else may be done takes locks.
// Where the kernel has no such membarrier(2), they don't.
void slub_percpu_before_fork(struct slub_state *state)
{
	for (struct kmem_cache *cache = state->caches; cache; cache = cache->next)
		__atomic_store_n(&cache->percpu, state->percpu, __ATOMIC_SEQ_CST);
	membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ);
	for (unsigned stripe = 0; stripe < state->cpus; stripe++)
		slub_lock(&stripe_locks(state)[stripe]);
}

void slub_percpu_after_fork(struct slub_state *state)
{
	for (unsigned stripe = 0; stripe < state->cpus; stripe++)
		slub_unlock(&stripe_locks(state)[stripe]);
	for (struct kmem_cache *cache = state->caches; cache; cache = cache->next)
		__atomic_store_n(&cache->percpu, cache->percpu_home, __ATOMIC_RELEASE);
}

void slub_percpu_register(void)
{
	membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ);
}
