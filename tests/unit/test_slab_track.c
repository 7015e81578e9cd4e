// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Who allocated and who freed an object: stacks in struct track, and in the three shapes of the stack depot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "slab_debug_image.h"
#include "slab_track.h"

#define POOLS AT_PFN(40)	/* the array of pools */
#define POOLS_BEHIND AT_PFN(41) /* where a pointer leads to it */
#define POOL(number) AT_PFN(44 + (number))
#define TEXT(n) (0xffffffff81000000ULL + (n))
#define SLAB_PFN 64

static struct slab_image *image;

static uint64_t object(uint32_t index)
{
	return image_object(image, 0, SLAB_PFN, index);
}

static uint64_t track_of(uint32_t index, bool is_free)
{
	return object(index) + DEBUG_TRACK + (is_free ? debug_track_bytes(image) : 0);
}

static void build(enum shape shape, uint64_t flags)
{
	image = image_create(shape, SLAB_ENCODING_XOR_SWAP);
	debug_add_cache(image, "tracked", flags);
	debug_add_slab(image, 0, SLAB_PFN, FREE(2));
	image_list_partial(image, 0, SLAB_PFN);
	if (shape == SHAPE_SLAB)
		assert_int_equal(kernel_symbols_add(image->kernel->symbols, "stack_slabs", POOLS), 0);
	else if (shape != SHAPE_PAGE)
		assert_int_equal(kernel_symbols_add(image->kernel->symbols, "stack_pools", POOLS), 0);
	if (shape == SHAPE_SHEAVES)
		put64(image, POOLS, POOLS_BEHIND);
	assert_int_equal(slab_heap_open(image->kernel, &image->heap, NULL), 0);
}

/* A stack of @depth frames from TEXT(@first) on, in pool @number at @offset. Returns its handle. */
static uint32_t put_stack(unsigned number, uint32_t offset, uint32_t depth, uint64_t first)
{
	uint64_t array = image->shape == SHAPE_SHEAVES ? POOLS_BEHIND : POOLS;
	uint64_t record = POOL(number) + offset;

	put64(image, array + 8 * number, POOL(number));
	put32(image, record + RECORD_SIZE, depth);
	for (uint32_t i = 0; i < depth; i++)
		put64(image, record + RECORD_ENTRIES + 8 * i, TEXT(first + i));
	return (image->shape == SHAPE_SLAB ? number : number + 1) | offset >> 4 << 17;
}

static void put_track(uint64_t track, uint64_t caller, uint32_t pid, uint32_t depth)
{
	uint32_t late = image->shape == SHAPE_PAGE ? T_LATE : 0;

	put64(image, track + T_ADDR, caller);
	put32(image, track + T_CPU + late, 1);
	put32(image, track + T_PID + late, pid);
	put64(image, track + T_WHEN + late, 4294000000 + pid);
	if (late)
		for (uint32_t i = 0; i < depth; i++)
			put64(image, track + T_ADDRS + 8 * i, TEXT(pid + i));
	else
		put32(image, track + T_HANDLE, put_stack(pid % 3, 0x400 * (pid % 2), depth, pid));
}

static void assert_track(const struct slab_track *track, uint64_t caller, uint32_t pid, size_t depth)
{
	assert_int_equal(track->caller, caller);
	assert_int_equal(track->cpu, 1);
	assert_int_equal(track->pid, pid);
	assert_int_equal(track->jiffies, 4294000000 + pid);
	assert_int_equal(track->depth, depth);
	for (size_t i = 0; i < depth; i++)
		assert_int_equal(track->stack[i], TEXT(pid + i));
}

static void every_shape_tells_who_allocated_and_who_freed(void **state)
{
	(void)state;
	for (int shape = 0; shape < SHAPES; shape++) {
		struct slab_tracks tracks;

		build(shape, DEBUG_FLAGS);
		put_track(track_of(2, false), TEXT(0x111), 700, 5);
		put_track(track_of(2, true), TEXT(0x222), 801, 16);
		put32(image, object(2) + debug_padding(image) - 8, 40);
		assert_int_equal(slab_tracks_read(image->heap, 0, object(2), &tracks, NULL), 0);
		assert_track(&tracks.allocation, TEXT(0x111), 700, 5);
		assert_track(&tracks.free, TEXT(0x222), 801, 16);
		assert_int_equal(tracks.requested, 40);
		image_destroy(image);
	}
}

static void an_object_that_was_never_freed_has_no_such_track(void **state)
{
	(void)state;
	for (int shape = 0; shape < SHAPES; shape++) {
		struct slab_tracks tracks;

		build(shape, DEBUG_FLAGS & ~(uint64_t)FLAG_KMALLOC);
		put_track(track_of(0, false), TEXT(0x111), 700, 5);
		put32(image, object(0) + debug_padding(image) - 8, 40);
		assert_int_equal(slab_tracks_read(image->heap, 0, object(0), &tracks, NULL), 0);
		assert_int_equal(tracks.allocation.caller, TEXT(0x111));
		assert_int_equal(tracks.free.caller, 0);
		assert_int_equal(tracks.free.depth, 0);
		/* Not a cache of kmalloc: nobody asked for a number of bytes. */
		assert_int_equal(tracks.requested, 0);
		image_destroy(image);
	}
}

static void more_requested_than_the_object_has_is_not_told(void **state)
{
	struct slab_tracks tracks;

	(void)state;
	build(SHAPE_TYPED, DEBUG_FLAGS);
	put32(image, object(0) + debug_padding(image) - 8, DEBUG_OBJECT + 1);
	assert_int_equal(slab_tracks_read(image->heap, 0, object(0), &tracks, NULL), 0);
	assert_int_equal(tracks.requested, 0);
	image_destroy(image);
}

static void a_cache_without_tracks_says_so(void **state)
{
	struct error err = { 0 };
	struct slab_tracks tracks;

	(void)state;
	build(SHAPE_TYPED, DEBUG_FLAGS & ~(uint64_t)FLAG_STORE_USER);
	assert_int_equal(slab_tracks_read(image->heap, 0, object(0), &tracks, &err), -ENOENT);
	assert_non_null(strstr(err.text, "slub_debug=U"));
	image_destroy(image);
}

static void tracks_that_cannot_be_read_are_an_error(void **state)
{
	struct slab_tracks tracks;

	(void)state;
	build(SHAPE_TYPED, DEBUG_FLAGS);
	image->memory->hole = AT_PFN(SLAB_PFN);
	kernel_forget(image->kernel);
	assert_int_equal(slab_tracks_read(image->heap, 0, object(0), &tracks, NULL), -EFAULT);
	image_destroy(image);
}

static void handles_of_no_stack_are_refused(void **state)
{
	(void)state;
	for (int shape = SHAPE_SLAB; shape < SHAPES; shape++) {
		uint64_t stack[STACK_DEPOT_DEPTH];
		struct stack_depot depot;
		uint32_t handle;
		size_t depth = 77;

		build(shape, DEBUG_FLAGS);
		assert_int_equal(stack_depot_open(image->kernel, &depot, NULL), 0);
		assert_int_equal(depot.counts_from_one, shape != SHAPE_SLAB);
		assert_int_equal(stack_depot_read(image->kernel, &depot, 0, stack, &depth), -ENOENT);
		handle = put_stack(1, 0x100, STACK_DEPOT_DEPTH, 5);
		assert_int_equal(stack_depot_read(image->kernel, &depot, handle, stack, &depth), 0);
		assert_int_equal(depth, STACK_DEPOT_DEPTH);
		assert_int_equal(stack[63], TEXT(68));
		depth = 77;
		/* A record of no frames, of too many, with what is no address; a pool that is nowhere. */
		assert_true(stack_depot_read(image->kernel, &depot, put_stack(1, 0x400, 0, 5), stack,
					     &depth) < 0);
		handle = put_stack(1, 0x600, 1, 5);
		put32(image, POOL(1) + 0x600 + RECORD_SIZE, STACK_DEPOT_DEPTH + 1);
		assert_true(stack_depot_read(image->kernel, &depot, handle, stack, &depth) < 0);
		handle = put_stack(1, 0x800, 2, 5);
		put64(image, POOL(1) + 0x800 + RECORD_ENTRIES + 8, 0x4141414141414141);
		kernel_forget(image->kernel);
		assert_true(stack_depot_read(image->kernel, &depot, handle, stack, &depth) < 0);
		assert_true(stack_depot_read(image->kernel, &depot, 100, stack, &depth) < 0);
		assert_true(stack_depot_read(image->kernel, &depot, UINT32_MAX, stack, &depth) < 0);
		assert_int_equal(depth, 77);
		image_destroy(image);
	}
}

static void a_kernel_without_a_depot_has_none(void **state)
{
	struct stack_depot depot;

	(void)state;
	image = image_create(SHAPE_PAGE, SLAB_ENCODING_PLAIN);
	assert_int_equal(stack_depot_open(image->kernel, &depot, NULL), -ENOENT);
	image_destroy(image);
	image = image_create(SHAPE_TYPED, SLAB_ENCODING_PLAIN);
	assert_int_equal(stack_depot_open(image->kernel, &depot, NULL), -ENOENT);
	image_destroy(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_tells_who_allocated_and_who_freed),
		cmocka_unit_test(an_object_that_was_never_freed_has_no_such_track),
		cmocka_unit_test(more_requested_than_the_object_has_is_not_told),
		cmocka_unit_test(a_cache_without_tracks_says_so),
		cmocka_unit_test(tracks_that_cannot_be_read_are_an_error),
		cmocka_unit_test(handles_of_no_stack_are_refused),
		cmocka_unit_test(a_kernel_without_a_depot_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
