// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * realloc and reallocarray in every way that moves, keeps, makes or frees a block.
 *
 * Counting: a realloc of a live block that succeeds is one free and one allocation, in place or not; the
 * block then belongs to the function that called realloc. One that fails changes nothing. realloc(NULL, n)
 * allocates; realloc(p, 0) frees and, where the C library returns a block for it, allocates one of 0 bytes.
 */
#include "truth.h"

enum { MANY = 500 };

TRUTH_SITE(first_block);
TRUTH_SITE(grow_by_steps);
TRUTH_SITE(shrink_in_place);
TRUTH_SITE(grow_and_move);
TRUTH_SITE(from_null);
TRUTH_SITE(to_nothing);
TRUTH_SITE(keep_when_failing);
TRUTH_SITE(array_grow);
TRUTH_SITE(mapped_grow);
TRUTH_SITE(mapped_to_small);
TRUTH_SITE(storm);

struct block {
	void *at;
	size_t size;
	struct truth_site *site;
};

static struct block many[MANY];

/* Sizes pass through here so that the compiler knows nothing about them. */
static volatile size_t huge = (size_t)PTRDIFF_MAX - 4096;

SITE static struct block first_block(size_t size)
{
	struct block block = { malloc(size), size, &site_first_block };

	truth_require(block.at);
	truth_alloc(block.site, size);
	return block;
}

/* Books a realloc that succeeded. */
static void block_became(struct block *block, void *at, size_t size, struct truth_site *site)
{
	if (block->at)
		truth_free(block->site, block->size);
	*block = (struct block){ at, size, site };
	truth_alloc(site, size);
}

SITE static void grow_by_steps(void)
{
	struct block block = first_block(10);

	for (size_t size = 20; size <= 5000; size += 10) {
		void *at = realloc(block.at, size);

		truth_require(at);
		block_became(&block, at, size, &site_grow_by_steps);
	}
}

SITE static void shrink_in_place(void)
{
	struct block block = first_block(10000);
	void *at = realloc(block.at, 400);

	truth_require(at);
	block_became(&block, at, 400, &site_shrink_in_place);
}

/* A neighbour right behind the block makes growing in place impossible. */
SITE static void grow_and_move(void)
{
	struct block block = first_block(600);
	struct block neighbour = first_block(600);
	void *at = realloc(block.at, 3000);

	KEEP(neighbour.at);
	truth_require(at);
	block_became(&block, at, 3000, &site_grow_and_move);
}

SITE static void from_null(void)
{
	struct block block = { NULL, 0, NULL };
	void *nothing = NULL;
	void *at;

	KEEP(&nothing);
	at = realloc(nothing, 123);
	truth_require(at);
	block_became(&block, at, 123, &site_from_null);
}

SITE static void to_nothing(void)
{
	volatile size_t nothing = 0;
	struct block block = first_block(321);
	void *at = realloc(block.at, nothing);

	if (at)
		block_became(&block, at, 0, &site_to_nothing);
	else
		truth_free(block.site, block.size);
}

/* The block stays allocated, with its size, at its old site. */
SITE static void keep_when_failing(void)
{
	struct block block = first_block(777);
	void *at = realloc(block.at, huge);

	truth_require(!at && errno == ENOMEM);
	at = realloc(block.at, 888);
	truth_require(at);
	block_became(&block, at, 888, &site_keep_when_failing);
	at = realloc(block.at, huge);
	truth_require(!at);
}

SITE static void array_grow(void)
{
	struct block block = first_block(50);
	void *at = reallocarray(block.at, 100, 7);

	truth_require(at);
	block_became(&block, at, 700, &site_array_grow);
	at = reallocarray(block.at, huge, 7);
	truth_require(!at && errno == ENOMEM);
}

/* Above the mmap threshold the C library grows a block by mremap. */
SITE static void mapped_grow(void)
{
	struct block block = first_block(1 << 20);
	void *at = realloc(block.at, 5 << 20);

	truth_require(at);
	block_became(&block, at, 5 << 20, &site_mapped_grow);
}

/* From a mapping of its own back into the heap: malloc, copy and munmap inside realloc. */
SITE static void mapped_to_small(void)
{
	struct block block = first_block(2 << 20);
	void *at = realloc(block.at, 90);

	truth_require(at);
	block_became(&block, at, 90, &site_mapped_to_small);
}

/* 20,000 reallocs of 500 blocks, up and down. Every other block is freed at the end. */
SITE static void storm(void)
{
	uint64_t random = 1;

	for (int i = 0; i < 20000; i++) {
		struct block *block = &many[i % MANY];
		size_t size;
		void *at;

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407U;
		size = 1 + (random >> 40) % (i % 97 == 0 ? 300000 : 3000);
		at = realloc(block->at, size);
		truth_require(at);
		block_became(block, at, size, &site_storm);
	}
	for (int i = 0; i < MANY; i += 2) {
		free(many[i].at);
		truth_free(many[i].site, many[i].size);
	}
}

int main(int argc, char **argv)
{
	truth_init(argc, argv);
	truth_ready();
	grow_by_steps();
	shrink_in_place();
	grow_and_move();
	from_null();
	to_nothing();
	keep_when_failing();
	array_grow();
	mapped_grow();
	mapped_to_small();
	storm();
	truth_end("");
	return 0;
}
