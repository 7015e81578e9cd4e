// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// The malloc family on SLUB, for LD_PRELOAD: libslub-malloc.so (malloc(3), C23 7.24.3; posix_memalign(3)).
//
// kmalloc's classes double, which would waste a quarter of a program's memory; classes between them make it an eighth at
// most. Every class is a multiple of 16, so that each object has malloc's alignment, but for those of 8 bytes.
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "allocate.h"
#include "cache.h"
#include "runs.h"

#define SLOW __attribute__((noinline, cold))
#define STEP SLUB_MALLOC_STEP
#define STEPS (SLUB_KMALLOC_MAX / STEP + 1)

/*
 * Beside those of kmalloc's that are powers of two, which it aligns to their size. Its others it aligns to 8 bytes under
 * debugging (ARCH_KMALLOC_MINALIGN), so malloc has its own in their place. Their kinds follow kmalloc's.
 */
static const uint16_t more_classes[] = {
	48, 80, 96, 112, 160, 192, 224, 320, 384, 448, 640, 768, 896, 1280, 1536, 1792, 2560, 3072, 3584, 5120, 6144, 7168,
};
#define MORE (sizeof(more_classes) / sizeof(more_classes[0]))

struct kmem_cache *slub_malloc_caches[STEPS];
size_t slub_malloc_limit;

static struct kmem_cache *cache_for(size_t size)
{
	return slub_malloc_caches[(size + STEP - 1) / STEP];
}

static void put_number(char *text, unsigned number)
{
	char digits[8];
	int count = 0;

	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	while (count)
		*text++ = digits[--count];
}

static bool make_classes(void)
{
	struct slub_state *state = &slub;

	for (unsigned i = 0; i < MORE; i++) {
		struct slub_request request = { .object_size = more_classes[i], .align = STEP, .is_kmalloc = true };
		uint8_t kind = (uint8_t)(SLUB_KMALLOC_CACHES + i);
		char name[SLUB_NAME_BYTES] = "malloc-";

		put_number(name + strlen(name), more_classes[i]);
		if (!state->cache_of_kind[kind])
			state->cache_of_kind[kind] = slub_make_cache(name, &request, NULL, kind);
		if (!state->cache_of_kind[kind])
			return false;
	}
	return true;
}

static void fill_table(void)
{
	for (unsigned step = 1; step < STEPS; step++) {
		unsigned size = STEP;
		int best;

		while (size < step * STEP)
			size *= 2;
		best = slub_kmalloc_index(size);
		for (unsigned i = 0; i < MORE; i++) {
			if (more_classes[i] >= step * STEP && more_classes[i] < size) {
				size = more_classes[i];
				best = (int)(SLUB_KMALLOC_CACHES + i);
			}
		}
		slub_malloc_caches[step] = slub.cache_of_kind[best];
	}
	// Steps of 16 don't tell 8 from 16; size 0 takes what kmalloc takes.
	slub_malloc_caches[0] = slub.cache_of_kind[slub_kmalloc_index(8)];
	__atomic_store_n(&slub_malloc_limit, SLUB_KMALLOC_MAX + 1, __ATOMIC_RELEASE);
}

static bool set_up(void)
{
	bool is_ready = slub_init();

	// Under the lock that forks take too: a child has all of the table or will fill it.
	slub_lock(&slub.lock);
	if (is_ready && !slub_malloc_limit) {
		is_ready = make_classes();
		if (is_ready)
			fill_table();
	}
	slub_unlock(&slub.lock);
	return is_ready;
}

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

SLOW void *slub_malloc_slow(size_t size, bool wants_zero)
{
	void *memory = NULL;

	if (size > SLUB_KMALLOC_MAX)
		memory = slub_alloc_pages(size, 0, wants_zero);
	else if (__atomic_load_n(&slub_malloc_limit, __ATOMIC_ACQUIRE) || set_up())
		memory = slub_kmalloc_slow(cache_for(size), size);
	if (!memory)
		return no_memory();
	return wants_zero && size <= SLUB_KMALLOC_MAX ? memset(memory, 0, size) : memory;
}

SLUB_API void *malloc(size_t size)
{
	return slub_malloc(size);
}

SLUB_API void free(void *memory)
{
	slub_kfree_fast(memory);
}

SLUB_API void *calloc(size_t count, size_t size)
{
	size_t bytes;
	void *memory;

	if (__builtin_mul_overflow(count, size, &bytes))
		return no_memory();
	if (bytes > SLUB_KMALLOC_MAX)
		return slub_malloc_slow(bytes, true);
	memory = slub_malloc(bytes);
	return memory ? memset(memory, 0, bytes) : NULL;
}

SLUB_API void *realloc(void *memory, size_t size)
{
	size_t had = slub_ksize(memory);
	void *moved;

	if (!memory)
		return slub_malloc(size);
	if (!size) {
		free(memory);
		return NULL;
	}
	if (had <= SLUB_KMALLOC_MAX && size <= had && (size > had / 2 || had <= 2 * STEP)) {
		slub_note_size(memory, size);
		return memory;
	}
	if (had > SLUB_KMALLOC_MAX && size > SLUB_KMALLOC_MAX) {
		moved = slub_realloc_pages(memory, size);
		return moved ? moved : no_memory();
	}
	moved = slub_malloc(size);
	if (moved) {
		memcpy(moved, memory, had < size ? had : size);
		free(memory);
	}
	return moved;
}

SLUB_API void *reallocarray(void *memory, size_t count, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(count, size, &bytes) ? no_memory() : realloc(memory, bytes);
}

// Beyond a chunk no block is aligned: more is taken, and what stands around the aligned part given back.
static void *alloc_chunk_aligned(size_t align, size_t size)
{
	size_t bytes = (size + SLUB_PAGE_SIZE - 1) & ~(size_t)(SLUB_PAGE_SIZE - 1);
	size_t head;
	char *run;

	if (bytes + align < align)
		return NULL;
	run = slub_alloc_pages(bytes + align, 0, false);
	if (!run)
		return NULL;
	head = -(uintptr_t)run & (align - 1);
	slub_cut_pages(run, head >> SLUB_PAGE_SHIFT, bytes >> SLUB_PAGE_SHIFT);
	return run + head;
}

void *slub_malloc_aligned(size_t align, size_t size)
{
	unsigned order = 0;
	void *memory;

	if (align <= STEP && size >= align)
		return slub_malloc(size);
	// An object of a class that is a power of two is aligned to it.
	if (align <= SLUB_KMALLOC_MAX && size <= SLUB_KMALLOC_MAX) {
		size_t class = size > align ? size : align;

		return slub_malloc(class > 16 ? (size_t)1 << (64 - __builtin_clzl(class - 1)) : 16);
	}
	if (align > (size_t)SLUB_CHUNK_PAGES << SLUB_PAGE_SHIFT) {
		memory = alloc_chunk_aligned(align, size ? size : 1);
	} else {
		while ((size_t)SLUB_PAGE_SIZE << order < align)
			order++;
		memory = slub_alloc_pages(size ? size : 1, order, false);
	}
	return memory ? memory : no_memory();
}

static bool is_power_of_two(size_t value)
{
	return value && !(value & (value - 1));
}

SLUB_API void *aligned_alloc(size_t align, size_t size)
{
	if (is_power_of_two(align))
		return slub_malloc_aligned(align, size);
	errno = EINVAL;
	return NULL;
}

// As glibc has it, a number that is no power of two means the next one.
SLUB_API void *memalign(size_t align, size_t size)
{
	size_t power = STEP;

	while (power < align && power < SIZE_MAX / 2 + 1)
		power *= 2;
	return power < align ? no_memory() : slub_malloc_aligned(power, size);
}

SLUB_API int posix_memalign(void **ret_memory, size_t align, size_t size)
{
	int saved = errno;
	void *memory;

	if (!is_power_of_two(align) || align % sizeof(void *))
		return EINVAL;
	memory = slub_malloc_aligned(align, size);
	errno = saved;
	if (!memory)
		return ENOMEM;
	*ret_memory = memory;
	return 0;
}

SLUB_API void *valloc(size_t size)
{
	return slub_malloc_aligned(SLUB_PAGE_SIZE, size);
}

SLUB_API void *pvalloc(size_t size)
{
	size_t bytes = (size + SLUB_PAGE_SIZE - 1) & ~(size_t)(SLUB_PAGE_SIZE - 1);

	return bytes < size ? no_memory() : slub_malloc_aligned(SLUB_PAGE_SIZE, bytes ? bytes : SLUB_PAGE_SIZE);
}

SLUB_API size_t malloc_usable_size(void *memory)
{
	return slub_ksize(memory);
}

// C23 7.24.3.4 and .5: the size is what was asked for.
SLUB_API void free_sized(void *memory, size_t size);
SLUB_API void free_aligned_sized(void *memory, size_t align, size_t size);

void free_sized(void *memory, size_t size)
{
	(void)size;
	slub_kfree_fast(memory);
}

void free_aligned_sized(void *memory, size_t align, size_t size)
{
	(void)align, (void)size;
	slub_kfree_fast(memory);
}

// malloc_trim(3): all that lies idle, whatever `keep` says. 1 when memory went back to the system.
SLUB_API int malloc_trim(size_t keep)
{
	size_t slabs = 0;

	(void)keep;
	if (!set_up())
		return 0;
	for (unsigned kind = 1; kind < SLUB_KMALLOC_CACHES + MORE; kind++)
		slabs += slub_kmem_cache_shrink(slub.cache_of_kind[kind]);
	return slub_pages_release(&slub.pages) || slabs;
}
