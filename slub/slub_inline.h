/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * slub.h with slub_kmem_cache_alloc() and slub_kmem_cache_free() inline: their fast paths stand in the program itself,
 * which spares each call its way into the library. For C and C++ by gcc or clang on x86-64; slub.h alone elsewhere.
 *
 * What is compiled in here knows three words of a cache and how a CPU's sheaf is told (libslub's layout.h), so that it is
 * bound to one layout, number SLUB_INLINE_ABI. A library with another layout has other symbols (slub_abi_N, …): a program
 * that was compiled against this one then does not start, instead of reading what isn't there.
 */
#ifndef SLUB_INLINE_H
#define SLUB_INLINE_H

#include "slub.h"

#if defined(__x86_64__) && !defined(SLUB_MODEL) && (__GNUC__ >= 11 || __clang_major__ >= 12)
#define SLUB_INLINE_ABI 1
/* Never a function of its own: what isn't inlined is the library's. */
#define SLUB_INLINE extern __inline __attribute__((gnu_inline, always_inline))

/* How each struct kmem_cache begins. */
struct slub_cache_head_1 {
	char *percpu;          /* CPU 0's part; CPU n's is n << 15 behind. A part begins with the main sheaf's top */
	uint64_t push_mask;    /* a top of which no such bit is set is that of a full sheaf. 0: no free is to be done here */
	ptrdiff_t rseq_offset; /* from the thread pointer to a thread's struct rseq */
	bool checks_node;      /* that push_mask is 0; earlier programs look at both */
};

/*
 * volatile, and an empty statement behind each: gcc before 14 takes an asm goto with outputs for removable, and may lose
 * outputs at the jump (gcc bugs 98619, 113921).
 *
 * Descriptor of a sequence from label 1 to label 2 that starts again at 5 (struct rseq_cs). The sections are in the group
 * of the function that they are of, if it is in one ("?"), so that a linker drops them with it.
 */
#define SLUB_RSEQ_ENTER                                                         \
	".pushsection __rseq_cs, \"aw?\"\n\t.balign 32\n3:\n\t"                    \
	".long 0, 0\n\t.quad 1f, 2f - 1f, 4f\n\t.popsection\n\t"                   \
	".pushsection __rseq_failure, \"ax?\"\n\t.byte 0x0f, 0xb9, 0x3d\n\t"       \
	".long 0x53053053\n4:\n\tjmp 5f\n\t.popsection\n"                          \
	"5:\n\tleaq 3b(%%rip), %[area]\n\tmovq %[area], %%fs:8(%[rseq])\n1:\n\t"
#define SLUB_RSEQ_AREA                                                          \
	"movslq %%fs:4(%[rseq]), %[area]\n\tshlq $15, %[area]\n\taddq (%[cache]), %[area]\n\t"

/* The object that this CPU got last, NULL when its main sheaf is empty: as `object` is then, whatever gcc makes of the
 * jump. */
SLUB_INLINE void *slub_sequence_pop(struct kmem_cache *cache, ptrdiff_t rseq)
{
	void *area, **top, *object;

	__asm__ __volatile__ goto(SLUB_RSEQ_ENTER SLUB_RSEQ_AREA
		 "movq (%[area]), %[top]\n\t"
		 "movq -8(%[top]), %[object]\n\t"
		 "testq %[object], %[object]\n\t"
		 "jz %l[empty]\n\t"
		 "addq $-8, %[top]\n\t"
		 "movq %[top], (%[area])\n2:"
		 : [area] "=&r"(area), [top] "=&r"(top), [object] "=&r"(object)
		 : [rseq] "r"(rseq), [cache] "r"(cache)
		 : "memory", "cc"
		 : empty);
	__asm__ __volatile__("");
	if (!object)
		__builtin_unreachable(); /* spares callers their look */
	return object;
empty:
	return NULL;
}

/* False when this CPU's main sheaf is full: none of the mask's bits is set in its top. */
SLUB_INLINE bool slub_sequence_push(struct kmem_cache *cache, ptrdiff_t rseq, const uint64_t *mask, void *object)
{
	void *area, **top;

	__asm__ __volatile__ goto(SLUB_RSEQ_ENTER SLUB_RSEQ_AREA
		 "movq (%[area]), %[top]\n\t"
		 "testq %[mask], %[top]\n\t"
		 "jz %l[full]\n\t"
		 "movq %[object], (%[top])\n\t"
		 "addq $8, %[top]\n\t"
		 "movq %[top], (%[area])\n2:"
		 : [area] "=&r"(area), [top] "=&r"(top)
		 : [rseq] "r"(rseq), [cache] "r"(cache), [mask] "m"(*mask), [object] "r"(object)
		 : "memory", "cc"
		 : full);
	__asm__ __volatile__("");
	return true;
full:
	return false;
}

#ifdef __cplusplus
extern "C" {
#endif

/* What the inline halves call when a CPU's sheaf is empty or full; and the layout's name, nothing else. */
SLUB_API void *slub_alloc_slow_1(struct kmem_cache *cache);
SLUB_API void slub_free_slow_1(struct kmem_cache *cache, void *object);
SLUB_API extern const char slub_abi_1[8];

#ifndef SLUB_NO_INLINE
/* A word of data, as functions may be looked up as late as when they are called. */
static const char *const slub_inline_needs __attribute__((used)) = slub_abi_1;

SLUB_INLINE void *slub_kmem_cache_alloc(struct kmem_cache *cache)
{
	void *object = slub_sequence_pop(cache, ((struct slub_cache_head_1 *)cache)->rseq_offset);

	return __builtin_expect(object != NULL, 1) ? object : slub_alloc_slow_1(cache);
}

SLUB_INLINE void slub_kmem_cache_free(struct kmem_cache *cache, void *object)
{
	struct slub_cache_head_1 *head = (struct slub_cache_head_1 *)cache;

	if (__builtin_expect(!slub_sequence_push(cache, head->rseq_offset, &head->push_mask, object), 0))
		slub_free_slow_1(cache, object);
}
#endif

#ifdef __cplusplus
}
#endif
#endif
#endif
