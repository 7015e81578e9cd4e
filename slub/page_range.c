// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Where pages and their arrays are; how more of them becomes usable. What is handed out of it is pages.c's business.
#include "page_range.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "layout.h"
#include "machine.h"

// Arrays grow by doubling, from the first 64 MiB of pages on.
#define DESCRIBED_FIRST ((size_t)16384)
// Between what programs are loaded at and what mmap(2) chooses by itself, in 47 bits: places tried.
#define NOBODYS_START ((uintptr_t)16 << 40)
#define NOBODYS_BYTES ((uintptr_t)16 << 40)
#define TRIES 8
#define WORD_BITS 64

enum { SLABS, SLAB_OF, KIND, DIRTY, FREE, ARRAYS = FREE + SLUB_ORDERS };

static size_t bytes_of(size_t pages)
{
	return pages << SLUB_PAGE_SHIFT;
}

static size_t whole_pages(size_t bytes)
{
	return (bytes + SLUB_PAGE_SIZE - 1) & ~(size_t)(SLUB_PAGE_SIZE - 1);
}

// Of an array, for the first `count` pages: as many whole pages as that takes.
static size_t array_bytes(unsigned array, size_t count)
{
	unsigned order = array > FREE ? array - FREE : 0;

	switch (array) {
	case SLABS:
		return whole_pages(count * sizeof(struct slab));
	case SLAB_OF:
		return whole_pages(count * sizeof(uint32_t));
	case KIND:
		return whole_pages(count * sizeof(uint8_t));
	default:
		return whole_pages(((count >> order) + WORD_BITS - 1) / WORD_BITS * sizeof(uint64_t));
	}
}

static size_t all_array_bytes(size_t count)
{
	size_t bytes = 0;

	for (unsigned array = 0; array < ARRAYS; array++)
		bytes += array_bytes(array, count);
	return bytes;
}

static void place_arrays(struct slub_pages *pages, char *at)
{
	char *starts[ARRAYS];

	pages->arrays = at;
	for (unsigned array = 0; array < ARRAYS; array++) {
		starts[array] = at;
		at += array_bytes(array, pages->count);
	}
	pages->slabs = (struct slab *)starts[SLABS];
	pages->slab_of = (uint32_t *)starts[SLAB_OF];
	pages->kind = (uint8_t *)starts[KIND];
	pages->dirty = (uint64_t *)starts[DIRTY];
	for (unsigned order = 0; order < SLUB_ORDERS; order++)
		pages->free[order].bits = (uint64_t *)starts[FREE + order];
}

static char *map(void *place, size_t bytes, int protection, int flags)
{
	int saved = errno;
	char *mapped = mmap(place, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);

	// A kernel that doesn't know MAP_FIXED_NOREPLACE takes the place for a wish.
	if (mapped != MAP_FAILED && place && mapped != place) {
		munmap(mapped, bytes);
		mapped = MAP_FAILED;
	}
	errno = saved;
	return mapped == MAP_FAILED ? NULL : mapped;
}

static bool open_bytes(const struct slub_pages *pages, char *start, size_t bytes)
{
	int saved = errno;
	bool is_done;

	if (!bytes)
		return true;
	is_done = pages->is_reserved ? !mprotect(start, bytes, PROT_READ | PROT_WRITE) :
				       map(start, bytes, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE) != NULL;
	errno = saved;
	return is_done;
}

// From `described` to `describing`. An array that was opened before the next one was refused is not opened again.
static bool describe_more(struct slub_pages *pages)
{
	char *at = pages->arrays;

	for (unsigned array = 0; array < ARRAYS; array++) {
		size_t opened = array_bytes(array, pages->described), bytes = array_bytes(array, pages->describing);

		if (array >= pages->arrays_ahead) {
			if (!open_bytes(pages, at + opened, bytes - opened))
				return false;
			pages->arrays_ahead = array + 1;
		}
		at += array_bytes(array, pages->count);
	}
	pages->arrays_ahead = 0;
	pages->described = pages->describing;
	return true;
}

bool slub_range_describe(struct slub_pages *pages, size_t count)
{
	while (pages->described < count) {
		size_t next = pages->described ? 2 * pages->described : DESCRIBED_FIRST;

		if (!pages->arrays_ahead)
			pages->describing = next < pages->count ? next : pages->count;
		if (!describe_more(pages))
			return false;
	}
	return true;
}

bool slub_range_open(struct slub_pages *pages, size_t count)
{
	size_t had = pages->opened;

	if (count <= had)
		return true;
	if (count > pages->count || !slub_range_describe(pages, count) ||
	    !open_bytes(pages, pages->base + bytes_of(had), bytes_of(count - had)))
		return false;
	pages->opened = count;
	return true;
}

static char *up_to_chunk(char *address)
{
	size_t chunk = bytes_of(SLUB_CHUNK_PAGES);

	return (char *)(((uintptr_t)address + chunk - 1) & ~(chunk - 1));
}

// Arrays first, the range behind them, at a chunk.
static size_t bytes_for(size_t count)
{
	return all_array_bytes(count) + bytes_of(SLUB_CHUNK_PAGES) + bytes_of(count);
}

static void place(struct slub_pages *pages, size_t count, char *at)
{
	pages->count = count;
	place_arrays(pages, at);
	pages->base = up_to_chunk(at + all_array_bytes(count));
}

static bool reserve(struct slub_pages *pages, size_t count)
{
	struct rlimit limit;
	char *reserved = NULL;

	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
		reserved = map(NULL, bytes_for(count), PROT_NONE, 0);
	if (!reserved)
		return false;
	pages->is_reserved = true;
	place(pages, count, reserved);
	return true;
}

bool slub_range_init(struct slub_pages *pages, size_t count)
{
	if (reserve(pages, count)) {
		if (slub_range_open(pages, SLUB_CHUNK_PAGES))
			return true;
		slub_range_end(pages);
		return false;
	}
	for (int tries = 0; tries < TRIES; tries++) {
		uint64_t random = slub_machine_seed() + (uint64_t)tries * 0x9e3779b97f4a7c15;

		place(pages, count, up_to_chunk((char *)NOBODYS_START + random % NOBODYS_BYTES));
		if (slub_range_open(pages, SLUB_CHUNK_PAGES))
			return true;
		slub_range_end(pages);
	}
	return false;
}

void slub_range_end(struct slub_pages *pages)
{
	char *at = pages->arrays;

	if (pages->is_reserved) {
		munmap(at, bytes_for(pages->count));
	} else {
		for (unsigned array = 0; array < ARRAYS; array++) {
			size_t opened = array_bytes(array, array < pages->arrays_ahead ? pages->describing : pages->described);

			if (opened)
				munmap(at, opened);
			at += array_bytes(array, pages->count);
		}
		if (pages->opened)
			munmap(pages->base, bytes_of(pages->opened));
	}
	pages->is_reserved = false;
	pages->described = pages->opened = pages->count = 0;
	pages->arrays_ahead = 0;
}
