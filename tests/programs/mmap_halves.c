// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Mappings that are made, cut, moved, grown and replaced, and mallocs that map inside.
 *
 * Counting: a mapping is held while a byte of it is still mapped, and held_bytes is what is left of it. Each
 * function makes and changes mappings of its own, so that the site is the same whether a tool books an mremap
 * at the mmap or at the mremap; in seen and freed an mremap that succeeds counts as nothing. All lengths are
 * whole pages. `mapped FUNCTION ADDRESS LENGTH` lines say what must stand in /proc/PID/maps.
 */
#include "truth.h"

#include <sys/mman.h>

TRUTH_SITE(keep_whole);
TRUTH_SITE(unmap_whole);
TRUTH_SITE(unmap_first_half);
TRUTH_SITE(unmap_last_half);
TRUTH_SITE(unmap_middle);
TRUTH_SITE(unmap_in_thirds);
TRUTH_SITE(remap_grow);
TRUTH_SITE(remap_shrink);
TRUTH_SITE(remap_move);
TRUTH_SITE(remap_fails);
TRUTH_SITE(unmap_across_two);
TRUTH_SITE(unmap_fails);
TRUTH_SITE(map_over_own);
TRUTH_SITE(map_fails);
TRUTH_SITE(malloc_that_maps);

static size_t page;


/* A call of mmap in the function itself: the site is its caller. */
#define MAP_PAGES(pages) \
	mmap(NULL, (pages) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)

static void say_mapped(const char *function, const char *at, size_t pages)
{
	truth_say("mapped %s %#lx %zu", function, (unsigned long)at, pages * page);
}

/* Bytes that went while the rest of the mapping stayed. */
static void mapping_lost(struct truth_site *site, size_t pages)
{
	truth_add(site, 0, 0, 0, (long)(pages * page));
}

SITE static void keep_whole(void)
{
	char *at = MAP_PAGES(7);

	truth_require(at != MAP_FAILED);
	truth_alloc(&site_keep_whole, 7 * page);
	say_mapped("keep_whole", at, 7);
}

SITE static void unmap_whole(void)
{
	char *at = MAP_PAGES(9);

	truth_require(at != MAP_FAILED);
	truth_alloc(&site_unmap_whole, 9 * page);
	truth_require(munmap(at, 9 * page) == 0);
	truth_free(&site_unmap_whole, 9 * page);
}

SITE static void unmap_first_half(void)
{
	char *at = MAP_PAGES(16);

	truth_require(at != MAP_FAILED);
	truth_alloc(&site_unmap_first_half, 16 * page);
	truth_require(munmap(at, 8 * page) == 0);
	mapping_lost(&site_unmap_first_half, 8);
	say_mapped("unmap_first_half", at + 8 * page, 8);
}

SITE static void unmap_last_half(void)
{
	char *at = MAP_PAGES(18);

	truth_require(at != MAP_FAILED);
	truth_alloc(&site_unmap_last_half, 18 * page);
	truth_require(munmap(at + 9 * page, 9 * page) == 0);
	mapping_lost(&site_unmap_last_half, 9);
	say_mapped("unmap_last_half", at, 9);
}

/* Two pieces stay: five pages and seven. */
SITE static void unmap_middle(void)
{
	char *at = MAP_PAGES(20);

	truth_require(at != MAP_FAILED);
	truth_alloc(&site_unmap_middle, 20 * page);
	truth_require(munmap(at + 5 * page, 8 * page) == 0);
	mapping_lost(&site_unmap_middle, 8);
	say_mapped("unmap_middle", at, 5);
	say_mapped("unmap_middle", at + 13 * page, 7);
}

/* The middle, then both ends: nothing stays. */
SITE static void unmap_in_thirds(void)
{
	char *at = MAP_PAGES(12);

	truth_require(at != MAP_FAILED);
	truth_alloc(&site_unmap_in_thirds, 12 * page);
	truth_require(munmap(at + 4 * page, 4 * page) == 0);
	truth_require(munmap(at, 4 * page) == 0);
	truth_require(munmap(at + 8 * page, 4 * page) == 0);
	truth_free(&site_unmap_in_thirds, 12 * page);
}

SITE static void remap_grow(void)
{
	char *at = MAP_PAGES(10);

	truth_require(at != MAP_FAILED);
	truth_alloc(&site_remap_grow, 10 * page);
	at = mremap(at, 10 * page, 40 * page, MREMAP_MAYMOVE);
	truth_require(at != MAP_FAILED);
	truth_add(&site_remap_grow, 0, (long)(30 * page), 0, 0);
	say_mapped("remap_grow", at, 40);
}

SITE static void remap_shrink(void)
{
	char *at = MAP_PAGES(30);

	truth_require(at != MAP_FAILED);
	truth_alloc(&site_remap_shrink, 30 * page);
	at = mremap(at, 30 * page, 11 * page, 0);
	truth_require(at != MAP_FAILED);
	mapping_lost(&site_remap_shrink, 19);
	say_mapped("remap_shrink", at, 11);
}

/* To a place of its own choice, which is free. */
SITE static void remap_move(void)
{
	char *at = MAP_PAGES(13);
	char *to = MAP_PAGES(13);

	truth_require(at != MAP_FAILED);
	truth_alloc(&site_remap_move, 13 * page);
	truth_alloc(&site_remap_move, 13 * page);
	truth_require(munmap(to, 13 * page) == 0);
	truth_free(&site_remap_move, 13 * page);
	truth_require(mremap(at, 13 * page, 13 * page, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	say_mapped("remap_move", to, 13);
}

/* To a length that the address space doesn't have: nothing changes. */
SITE static void remap_fails(void)
{
	char *at = MAP_PAGES(14);

	truth_require(at != MAP_FAILED);
	truth_alloc(&site_remap_fails, 14 * page);
	truth_require(mremap(at, 14 * page, (size_t)1 << 46, 0) == MAP_FAILED);
	say_mapped("remap_fails", at, 14);
}

/* Neighbours: four pages and six; the munmap takes the last two and the first three. */
SITE static void unmap_across_two(void)
{
	char *room = MAP_PAGES(10);
	char *first, *second;

	truth_require(room != MAP_FAILED);
	truth_require(munmap(room, 10 * page) == 0);
	truth_alloc(&site_unmap_across_two, 10 * page);
	truth_free(&site_unmap_across_two, 10 * page);
	first = mmap(room, 4 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	second = mmap(room + 4 * page, 6 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	truth_require(first == room && second == room + 4 * page);
	truth_alloc(&site_unmap_across_two, 4 * page);
	truth_alloc(&site_unmap_across_two, 6 * page);
	truth_require(munmap(room + 2 * page, 5 * page) == 0);
	mapping_lost(&site_unmap_across_two, 5);
	say_mapped("unmap_across_two", first, 2);
	say_mapped("unmap_across_two", room + 7 * page, 3);
}

SITE static void unmap_fails(void)
{
	char *at = MAP_PAGES(15);

	truth_require(at != MAP_FAILED);
	truth_alloc(&site_unmap_fails, 15 * page);
	truth_require(munmap(at + 1, 15 * page) == -1 && errno == EINVAL);
	truth_require(munmap(at, 0) == -1 && errno == EINVAL);
	say_mapped("unmap_fails", at, 15);
}

/* Pages 3 to 7 of the first mapping become the second one. */
SITE static void map_over_own(void)
{
	char *at = MAP_PAGES(12);
	char *over;

	truth_require(at != MAP_FAILED);
	truth_alloc(&site_map_over_own, 12 * page);
	over = mmap(at + 3 * page, 5 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	truth_require(over == at + 3 * page);
	mapping_lost(&site_map_over_own, 5);
	truth_alloc(&site_map_over_own, 5 * page);
	say_mapped("map_over_own", at, 3);
	say_mapped("map_over_own", over, 5);
	say_mapped("map_over_own", at + 8 * page, 4);
}

SITE static void map_fails(void)
{
	truth_require(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	truth_require(mmap(NULL, page, PROT_READ, MAP_PRIVATE, -1, 0) == MAP_FAILED);
	STAY();
}

/* The allocator maps and unmaps these; each counts once, with the size that was asked for. */
SITE static void malloc_that_maps(void)
{
	for (size_t i = 0; i < 10; i++) {
		size_t size = ((size_t)2 << 20) + 1000 * i;
		void *block = malloc(size);

		truth_require(block);
		truth_alloc(&site_malloc_that_maps, size);
		if (i < 4)
			continue;
		free(block);
		truth_free(&site_malloc_that_maps, size);
	}
}

int main(int argc, char **argv)
{
	truth_init(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	truth_ready();
	keep_whole();
	unmap_whole();
	unmap_first_half();
	unmap_last_half();
	unmap_middle();
	unmap_in_thirds();
	remap_grow();
	remap_shrink();
	remap_move();
	remap_fails();
	unmap_across_two();
	unmap_fails();
	map_over_own();
	map_fails();
	malloc_that_maps();
	truth_end("");
	return 0;
}
