// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Memory larger than any class: taken, cut, grown, moved.
#include "runs.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "cache.h"
#include "layout.h"

#define SLOW __attribute__((noinline, cold))
/* A run that had to be moved to grow gets this part of its size more, so that growing by steps copies each byte a few
 * times and no more. Nobody touches those pages before they are used. */
#define ROOM_PART 4
/* From here on memory is moved by mremap(2). Such a piece of the range is a mapping of its own from then on, and a
 * process has 65,530 of them. */
#define MOVED_FROM ((size_t)16 << 20)

static size_t page_of(const void *address)
{
	return (size_t)((const char *)address - slub.pages.base) >> SLUB_PAGE_SHIFT;
}

static size_t pages_for(size_t size)
{
	return (size >> SLUB_PAGE_SHIFT) + !!(size & (SLUB_PAGE_SIZE - 1));
}

static char *take_run(size_t count, unsigned align_order, struct slub_dirty_part *ret_dirty)
{
	struct slub_pages *pages = &slub.pages;
	char *run = slub_init() ? slub_pages_alloc_run(pages, count, align_order, ret_dirty) : NULL;

	if (run) {
		pages->slab_of[page_of(run)] = (uint32_t)count;
		pages->kind[page_of(run)] = SLUB_PAGE_RUN;
	}
	return run;
}

SLOW void *slub_alloc_pages(size_t size, unsigned align_order, bool wants_zero)
{
	struct slub_dirty_part dirty;
	char *run = take_run(pages_for(size), align_order, &dirty);

	if (run && wants_zero)
		memset(run + dirty.start, 0, dirty.bytes);
	return run;
}

SLOW void slub_cut_pages(void *run, size_t first, size_t count)
{
	struct slub_pages *pages = &slub.pages;
	size_t page = page_of(run), had = pages->slab_of[page];
	char *kept = (char *)run + (first << SLUB_PAGE_SHIFT);

	pages->slab_of[page + first] = (uint32_t)count;
	pages->kind[page + first] = SLUB_PAGE_RUN;
	if (first)
		slub_pages_free_run(pages, run, first);
	if (had > first + count)
		slub_pages_free_run(pages, kept + (count << SLUB_PAGE_SHIFT), had - first - count);
}

static bool resize_in_place(void *run, size_t had, size_t wanted)
{
	struct slub_pages *pages = &slub.pages;

	if (wanted <= had && had - wanted <= had / ROOM_PART)
		return true;
	if (wanted > had && !slub_pages_extend_run(pages, run, had, wanted))
		return false;
	pages->slab_of[page_of(run)] = (uint32_t)wanted;
	if (wanted < had)
		slub_pages_free_run(pages, (char *)run + (wanted << SLUB_PAGE_SHIFT), had - wanted);
	return true;
}

// The pages themselves change places; where they were others are, that hold nothing.
static bool move_memory(char *run, char *from, size_t bytes)
{
	int saved = errno;
	bool is_moved = bytes >= MOVED_FROM && mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
						      run) == (void *)run;

	errno = saved;
	return is_moved;
}

SLOW void *slub_realloc_pages(void *run, size_t size)
{
	struct slub_pages *pages = &slub.pages;
	size_t had = pages->slab_of[page_of(run)], wanted = pages_for(size);
	struct slub_dirty_part dirty;
	char *moved;

	if (!wanted)
		return NULL;
	if (resize_in_place(run, had, wanted))
		return run;
	moved = take_run(wanted + wanted / ROOM_PART, 0, &dirty);
	if (!moved)
		moved = take_run(wanted, 0, &dirty);
	if (!moved)
		return NULL;
	if (!move_memory(moved, run, had << SLUB_PAGE_SHIFT))
		memcpy(moved, run, had << SLUB_PAGE_SHIFT);
	slub_pages_free_run(pages, run, had);
	return moved;
}

void slub_count_runs(size_t *ret_runs, size_t *ret_pages)
{
	struct slub_pages *pages = &slub.pages;
	size_t runs = 0, count = 0;

	slub_lock(&pages->lock);
	for (size_t page = 0; page < pages->used; page++) {
		if (pages->kind[page] == SLUB_PAGE_RUN) {
			runs++;
			count += pages->slab_of[page];
		}
	}
	slub_unlock(&pages->lock);
	*ret_runs = runs;
	*ret_pages = count;
}
