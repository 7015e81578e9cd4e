// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Memory of free pages: kept or given back. Dirty bits stand on free pages alone.
#include "page_return.h"

#include <errno.h>
#include <sys/mman.h>

#include "machine.h"

#define WORD_BITS 64
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
// Free pages that may always keep their memory: this many, and a sixteenth of what is in use.
#define DIRTY_KEPT 512
#define DIRTY_SHARE 16
// A page that comes back from the system costs one or two microseconds: 8 each millisecond are 1 % of the time. That
// many may come back for nothing, saved up for 100 ms at most; what is saved beyond lowers what is kept, by an eighth.
#define CREDIT_EACH_MS 8
#define MOST_CREDIT (100 * CREDIT_EACH_MS)
#define LOWERED_BY 8

static size_t most_kept(const struct slub_pages *pages)
{
	return DIRTY_KEPT + pages->taken / DIRTY_SHARE + pages->wanted_again;
}

static void earn_credit(struct slub_pages *pages)
{
	uint64_t now = slub_machine_ms(), spare;

	pages->credit += (now - pages->credit_at) * CREDIT_EACH_MS;
	pages->credit_at = now;
	if (pages->credit <= MOST_CREDIT)
		return;
	spare = (pages->credit - MOST_CREDIT) / LOWERED_BY;
	pages->wanted_again -= spare < pages->wanted_again ? spare : pages->wanted_again;
	pages->credit = MOST_CREDIT;
}

static void came_back(struct slub_pages *pages, size_t count)
{
	size_t paid = count < pages->credit ? count : pages->credit;

	pages->credit -= paid;
	pages->wanted_again += count - paid;
	if (pages->wanted_again > pages->touched)
		pages->wanted_again = pages->touched;
}

// The next bits of a word: from `page` on, as many as it has before `end`.
static uint64_t mask_from(size_t page, size_t end, size_t *ret_bits)
{
	size_t bits = WORD_BITS - page % WORD_BITS;

	if (bits > end - page)
		bits = end - page;
	*ret_bits = bits;
	return (bits == WORD_BITS ? ~0ull : (1ull << bits) - 1) << page % WORD_BITS;
}

// Clear the pages' dirty bits; how many there were.
static size_t clean(struct slub_pages *pages, size_t page, size_t count, size_t *ret_first, size_t *ret_end)
{
	size_t were = 0, bits;

	*ret_first = *ret_end = page;
	for (size_t end = page + count; page < end; page += bits) {
		uint64_t *word = &pages->dirty[page / WORD_BITS];
		uint64_t dirty = *word & mask_from(page, end, &bits);
		size_t base = page - page % WORD_BITS;

		if (!dirty)
			continue;
		if (!were)
			*ret_first = base + (size_t)__builtin_ctzll(dirty);
		*ret_end = base + WORD_BITS - (size_t)__builtin_clzll(dirty);
		were += (size_t)__builtin_popcountll(dirty);
		*word &= ~dirty;
	}
	return were;
}

void slub_pages_taken(struct slub_pages *pages, size_t page, size_t count, size_t *ret_first, size_t *ret_end)
{
	size_t end = page + count;
	// Beyond `touched` no page was ever handed out.
	size_t used_before = end <= pages->touched ? count : page < pages->touched ? pages->touched - page : 0;
	size_t dirty = clean(pages, page, count, ret_first, ret_end);

	if (end > pages->touched)
		pages->touched = end;
	if (used_before > dirty) {
		earn_credit(pages);
		came_back(pages, used_before - dirty);
	}
	pages->dirty_free -= dirty;
	pages->taken += count;
}

void slub_pages_given(struct slub_pages *pages, size_t page, size_t count)
{
	size_t bits;

	pages->taken -= count;
	pages->dirty_free += count;
	for (size_t end = page + count; page < end; page += bits)
		pages->dirty[page / WORD_BITS] |= mask_from(page, end, &bits);
}

// free() leaves errno alone, whatever comes of this. Locked pages go by the other word, since Linux 5.18.
static bool give_to_system(char *range, size_t bytes)
{
	int saved = errno;
	bool is_done = !madvise(range, bytes, MADV_DONTNEED) || !madvise(range, bytes, MADV_DONTNEED_LOCKED);

	errno = saved;
	return is_done;
}

// The last row of dirty pages before `end`; false when there is none.
static bool last_dirty_row(const struct slub_pages *pages, size_t end, size_t *ret_first, size_t *ret_end)
{
	while (end) {
		size_t bits = end % WORD_BITS ? end % WORD_BITS : WORD_BITS;
		uint64_t word = pages->dirty[(end - 1) / WORD_BITS] << (WORD_BITS - bits);

		if (word) {
			end -= (size_t)__builtin_clzll(word);
			break;
		}
		end -= bits;
	}
	if (!end)
		return false;
	*ret_end = end;
	while (end && pages->dirty[(end - 1) / WORD_BITS] >> (end - 1) % WORD_BITS & 1)
		end--;
	*ret_first = end;
	return true;
}

size_t slub_pages_release_to(struct slub_pages *pages, size_t keep)
{
	size_t first, end = pages->used, row_end, released = 0, unused[2];

	while (pages->dirty_free > keep && last_dirty_row(pages, end, &first, &row_end)) {
		if (row_end - first > pages->dirty_free - keep)
			first = row_end - (pages->dirty_free - keep);
		end = first;
		// Memory that is locked for good: the next free tries again, once.
		if (!give_to_system(pages->base + (first << SLUB_PAGE_SHIFT), (row_end - first) << SLUB_PAGE_SHIFT))
			break;
		clean(pages, first, row_end - first, &unused[0], &unused[1]);
		pages->dirty_free -= row_end - first;
		released += row_end - first;
	}
	return released;
}

void slub_pages_release_if_much(struct slub_pages *pages)
{
	if (pages->wanted_again)
		earn_credit(pages);
	// Half of it stays, so that a free page more does not cost a system call each.
	if (pages->dirty_free > most_kept(pages))
		slub_pages_release_to(pages, most_kept(pages) / 2);
}
