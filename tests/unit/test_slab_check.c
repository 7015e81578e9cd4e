// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The check of caches: each kind of damage is found by its name and at its place, and nothing else is. In
 * every shape of the kernel's structures, on plain and on hardened heaps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "slab_check.h"
#include "slab_debug_image.h"

enum { FULL = 64, PARTIAL = 65, OTHER = 80, OWN = 96 }; /* page frames of slabs */

static struct slab_image *image;

struct expectation {
	enum slab_damage kind;
	uint64_t slab, object, value, expected;
};

/*
 * "debugged" has a full slab and a partial one; "plain" has no debugging and a slab on its node's list, and a
 * CPU slab or a sheaf.
 */
static void build(enum shape shape, enum slab_encoding encoding)
{
	size_t debugged, plain;

	image = image_create(shape, encoding);
	debugged = debug_add_cache(image, "debugged", DEBUG_FLAGS);
	plain = image_add_cache(image, "plain", 512, 500, 0, 0);
	debug_add_slab(image, debugged, FULL, FREE());
	debug_list_full(image, debugged, FULL);
	debug_add_slab(image, debugged, PARTIAL, FREE(3, 1, 6));
	image_list_partial(image, debugged, PARTIAL);
	image_add_slab(image, plain, OTHER, FREE(2, 0, 5));
	image_list_partial(image, plain, OTHER);
	image_add_slab(image, plain, OWN, FREE());
	if (shape == SHAPE_SHEAVES)
		image_set_sheaf(image, plain, 0, SHEAVES_MAIN,
				image_sheaf(image, plain, FREE(OWN, 0, OWN, 4)));
	else
		image_set_cpu_slab(image, plain, 0, OWN, FREE(0, 4));
}

static struct slab_check_extent check(void)
{
	struct slab_check_extent extent = { 0 };
	struct error err = { 0 };

	if (slab_heap_open(image->kernel, &image->heap, &err) ||
	    slab_check(image->heap, SLAB_NO_CACHE, &extent, &err))
		fail_msg("%s", err.text);
	return extent;
}

static void print_findings(void)
{
	for (size_t i = 0; i < image->heap->finding_count && i < 5; i++) {
		const struct slab_finding *finding = &image->heap->findings[i];

		print_message("shape %d: %s, slab %#lx object %#lx value %#lx\n", image->shape,
			      slab_damage_names[finding->kind], (long)finding->slab, (long)finding->object,
			      (long)finding->value);
	}
}

/* Damage the heap by @damage, which says what must be found: that, and nothing else. */
static void in_every_heap(struct expectation (*damage)(void))
{
	static const enum slab_encoding encodings[] = { SLAB_ENCODING_PLAIN, SLAB_ENCODING_XOR,
							SLAB_ENCODING_XOR_SWAP };

	for (int shape = 0; shape < SHAPES; shape++) {
		for (size_t i = 0; i < sizeof(encodings) / sizeof(*encodings); i++) {
			const struct slab_finding *finding;
			struct expectation wanted;

			build(shape, encodings[i]);
			wanted = damage();
			check();
			if (image->heap->finding_count != (wanted.kind != SLAB_INTACT))
				print_findings();
			assert_int_equal(image->heap->finding_count, wanted.kind != SLAB_INTACT);
			finding = image->heap->findings;
			if (wanted.kind) {
				assert_string_equal(slab_damage_names[finding->kind],
						    slab_damage_names[wanted.kind]);
				assert_int_equal(finding->slab, wanted.slab);
				assert_int_equal(finding->object, wanted.object);
				assert_int_equal(finding->value, wanted.value);
				assert_int_equal(finding->expected, wanted.expected);
			}
			image_destroy(image);
		}
	}
}

static uint64_t debugged(uint64_t pfn, uint32_t index)
{
	return image_object(image, 0, pfn, index);
}

static uint64_t plain(uint64_t pfn, uint32_t index)
{
	return image_object(image, 1, pfn, index);
}

static void spoil(uint64_t address)
{
	*image_at(image, address) = 0x42;
}

static struct expectation leave_whole(void)
{
	return (struct expectation){ 0 };
}

static void a_sound_heap_gives_nothing(void **state)
{
	(void)state;
	in_every_heap(leave_whole);
}

static void what_was_looked_at_is_counted(void **state)
{
	(void)state;
	for (int shape = 0; shape < SHAPES; shape++) {
		struct slab_check_extent extent;
		uint32_t count;

		build(shape, SLAB_ENCODING_XOR_SWAP);
		count = image_objects(image, 0);
		extent = check();
		assert_int_equal(extent.caches, 2);
		assert_int_equal(extent.slabs, 4);
		assert_int_equal(extent.objects, 2 * count + 2 * 8);
		assert_int_equal(extent.objects_with_red_zone, 2 * count);
		assert_int_equal(extent.objects_with_poison, 3);
		assert_int_equal(extent.slabs_skipped, 0);
		image_destroy(image);
	}
}

/* Bytes around objects
 * ------------------------------------------------------------------------------------------------------ */

#define BYTES(function, kind, pfn, object_of, place, wanted)                            \
	static struct expectation function(void)                                        \
	{                                                                               \
		uint64_t object = object_of, at = place;                                \
                                                                                        \
		spoil(at);                                                              \
		return (struct expectation){ kind, PAGE_OF(pfn), object, at, wanted }; \
	}

BYTES(spoil_left, SLAB_RED_ZONE_LEFT, FULL, debugged(FULL, 2), object - 3, RED_IN_USE)
BYTES(spoil_left_of_free, SLAB_RED_ZONE_LEFT, PARTIAL, debugged(PARTIAL, 3), object - 16, RED_FREE)
BYTES(spoil_right, SLAB_RED_ZONE_RIGHT, FULL, debugged(FULL, 0), object + DEBUG_OBJECT, RED_IN_USE)
BYTES(spoil_right_of_free, SLAB_RED_ZONE_RIGHT, PARTIAL, debugged(PARTIAL, 6), object + DEBUG_INUSE - 1,
      RED_FREE)
BYTES(spoil_poison, SLAB_POISON, PARTIAL, debugged(PARTIAL, 1), object + 5, POISON_FREED)
BYTES(spoil_last_poison, SLAB_POISON, PARTIAL, debugged(PARTIAL, 1), object + DEBUG_OBJECT - 1, POISON_LAST)
BYTES(spoil_last_padding, SLAB_PADDING, FULL, debugged(FULL, 4), object + debug_slot(image) - 17,
      POISON_UNUSED)
BYTES(spoil_tail, SLAB_PADDING, FULL, AT_PFN(FULL) + image_objects(image, 0) * debug_slot(image),
      AT_PFN(FULL) + PAGE - 1, POISON_UNUSED)

static void red_zones_of_objects_in_use(void **state)
{
	(void)state;
	in_every_heap(spoil_left);
	in_every_heap(spoil_right);
}

static void red_zones_of_free_objects(void **state)
{
	(void)state;
	in_every_heap(spoil_left_of_free);
	in_every_heap(spoil_right_of_free);
}

static void writes_into_free_objects(void **state)
{
	(void)state;
	in_every_heap(spoil_poison);
	in_every_heap(spoil_last_poison);
}

static void padding_behind_the_metadata_and_behind_the_last_object(void **state)
{
	(void)state;
	in_every_heap(spoil_last_padding);
	in_every_heap(spoil_tail);
}

static struct expectation write_to_what_is_used(void)
{
	for (uint32_t i = 0; i < debug_padding(image); i++)
		if (i < DEBUG_OBJECT || i >= DEBUG_INUSE)
			spoil(debugged(FULL, 1) + i);
	return (struct expectation){ 0 };
}

static void objects_in_use_and_their_metadata_may_hold_anything(void **state)
{
	(void)state;
	in_every_heap(write_to_what_is_used);
}

static struct expectation put_extension_inside(void)
{
	uint64_t tail = AT_PFN(FULL) + image_objects(image, 0) * debug_slot(image);

	if (image->shape < SHAPE_TYPED)
		return (struct expectation){ 0 };
	put64(image, PAGE_OF(FULL) + P_EXTENSION, tail + 8);
	spoil(tail + 8);
	return (struct expectation){ 0 };
}

static struct expectation put_extension_outside(void)
{
	uint64_t tail = AT_PFN(FULL) + image_objects(image, 0) * debug_slot(image);

	if (image->shape >= SHAPE_TYPED)
		put64(image, PAGE_OF(FULL) + P_EXTENSION, AT_PFN(FULL + 1));
	spoil(tail + 8);
	return (struct expectation){ SLAB_PADDING, PAGE_OF(FULL), tail, tail + 8, POISON_UNUSED };
}

static void an_extension_vector_inside_the_slab_is_no_damage(void **state)
{
	(void)state;
	in_every_heap(put_extension_inside);
	in_every_heap(put_extension_outside);
}

/* Freelists, lists, books
 * ------------------------------------------------------------------------------------------------------ */

static struct expectation make_loop(void)
{
	image_link(image, 1, plain(OTHER, 5), plain(OTHER, 2));
	return (struct expectation){ SLAB_FREELIST_LOOP, PAGE_OF(OTHER), plain(OTHER, 5), plain(OTHER, 2),
				      0 };
}

static struct expectation lead_outside(void)
{
	image_link(image, 1, plain(OTHER, 0), AT_PFN(OTHER + 1) + 512);
	return (struct expectation){ SLAB_FREELIST_OUTSIDE, PAGE_OF(OTHER), plain(OTHER, 0),
				      AT_PFN(OTHER + 1) + 512, 0 };
}

static struct expectation lead_between(void)
{
	image_link(image, 1, plain(OTHER, 2), plain(OTHER, 0) + 8);
	return (struct expectation){ SLAB_FREELIST_MISALIGNED, PAGE_OF(OTHER), plain(OTHER, 2),
				      plain(OTHER, 0) + 8, 0 };
}

static struct expectation spoil_end(void)
{
	image_link(image, 1, plain(OTHER, 5), 0x4141414141414141);
	return (struct expectation){ SLAB_FREELIST_OUTSIDE, PAGE_OF(OTHER), plain(OTHER, 5),
				      0x4141414141414141, 0 };
}

static struct expectation cut_short(void)
{
	image_link(image, 1, plain(OTHER, 0), 0);
	return (struct expectation){ SLAB_FREELIST_TOO_SHORT, PAGE_OF(OTHER), plain(OTHER, 0), 2, 3 };
}

static struct expectation count_more_in_use(void)
{
	image_set_counters(image, OTHER, 6, 8, false);
	return (struct expectation){ SLAB_FREELIST_TOO_LONG, PAGE_OF(OTHER), plain(OTHER, 0), 2, 2 };
}

static void a_slabs_own_freelist(void **state)
{
	(void)state;
	in_every_heap(make_loop);
	in_every_heap(lead_outside);
	in_every_heap(lead_between);
	in_every_heap(spoil_end);
	in_every_heap(cut_short);
	in_every_heap(count_more_in_use);
}

/* On no list, with free objects; another slab has taken its place. */
static struct expectation lose_slab(void)
{
	image_add_slab(image, 1, OTHER + 1, FREE(7));
	return (struct expectation){ SLAB_NOT_LISTED, PAGE_OF(OTHER + 1), 0, 7, 8 };
}

static struct expectation freeze_lost_slab(void)
{
	lose_slab();
	image_set_counters(image, OTHER + 1, 7, 8, true);
	return (struct expectation){ 0 };
}

static void a_slab_with_free_objects_that_no_list_has(void **state)
{
	(void)state;
	in_every_heap(lose_slab);
	/* The kernel itself takes slabs away in which it met damage. */
	in_every_heap(freeze_lost_slab);
}

static struct expectation change_slab_count(void)
{
	put64(image, NODE_ADDRESS(1, 0) + N_NR_SLABS, 5);
	return (struct expectation){ SLAB_BOOKS_SLABS, 0, 0, 5, 2 };
}

static struct expectation change_object_count(void)
{
	put64(image, NODE_ADDRESS(1, 1) + N_TOTAL, 8);
	return (struct expectation){ SLAB_BOOKS_OBJECTS, 0, 0, 24, 16 };
}

static void books_that_differ_from_the_slabs(void **state)
{
	(void)state;
	in_every_heap(change_slab_count);
	in_every_heap(change_object_count);
}

/* Of objects 7 there can be none with slabs of 8; the freelist would fit. Books say what the counters say. */
static struct expectation change_objects(void)
{
	image_set_counters(image, OWN, 7, 7, false);
	put64(image, NODE_ADDRESS(1, 0) + N_TOTAL, 15);
	return (struct expectation){ SLAB_BAD_COUNTERS, PAGE_OF(OWN), 0, 7 << 16 | 7, 8 };
}

static void a_number_of_objects_that_the_cache_never_has(void **state)
{
	(void)state;
	in_every_heap(change_objects);
}

static struct expectation orphan_slab(void)
{
	uint64_t node = NODE_ADDRESS(1, 0);

	image_add_slab(image, 1, OTHER + 1, FREE());
	put64(image, PAGE_OF(OTHER + 1) + P_CACHE, AT_PFN(500));
	put64(image, node + N_NR_SLABS, 2);
	put64(image, node + N_TOTAL, 16);
	return (struct expectation){ SLAB_WRONG_CACHE, PAGE_OF(OTHER + 1), 0, 0, 0 };
}

static void a_slab_of_no_cache(void **state)
{
	(void)state;
	in_every_heap(orphan_slab);
}

static struct expectation park_stranger(void)
{
	uint64_t sheaf;

	if (image->shape != SHAPE_SHEAVES)
		return (struct expectation){ 0 };
	sheaf = get64(image, image->percpu[0] + PERCPU_POINTER(1) + SHEAVES_MAIN);
	put64(image, sheaf + SHEAF_OBJECTS + 8, debugged(FULL, 1));
	return (struct expectation){ SLAB_SHEAF_BAD_OBJECT, 0, debugged(FULL, 1), 0, 0 };
}

static struct expectation park_middle(void)
{
	uint64_t sheaf;

	if (image->shape != SHAPE_SHEAVES)
		return (struct expectation){ 0 };
	sheaf = get64(image, image->percpu[0] + PERCPU_POINTER(1) + SHEAVES_MAIN);
	put64(image, sheaf + SHEAF_OBJECTS, plain(OWN, 0) + 8);
	return (struct expectation){ SLAB_SHEAF_BAD_OBJECT, 0, plain(OWN, 0) + 8, 1, 0 };
}

static void a_sheaf_of_what_are_no_objects_of_the_cache(void **state)
{
	(void)state;
	in_every_heap(park_stranger);
	in_every_heap(park_middle);
}

/* One cache
 * ------------------------------------------------------------------------------------------------------ */

static void checking_one_cache_leaves_others_alone(void **state)
{
	struct slab_check_extent extent;

	(void)state;
	build(SHAPE_SLAB, SLAB_ENCODING_XOR_SWAP);
	make_loop();
	spoil_poison();
	assert_int_equal(slab_heap_open(image->kernel, &image->heap, NULL), 0);
	assert_int_equal(slab_check(image->heap, 0, &extent, NULL), 0);
	assert_int_equal(extent.caches, 1);
	assert_int_equal(image->heap->finding_count, 1);
	assert_int_equal(image->heap->findings[0].kind, SLAB_POISON);
	/* What is known is not noted again. */
	assert_int_equal(slab_check(image->heap, 0, &extent, NULL), 0);
	assert_int_equal(image->heap->finding_count, 1);
	assert_int_equal(slab_check(image->heap, 1, &extent, NULL), 0);
	assert_int_equal(image->heap->finding_count, 2);
	image_destroy(image);
}

/* Evidence
 * ------------------------------------------------------------------------------------------------------ */

static struct slab_evidence evidence_of(struct expectation (*damage)(void))
{
	struct slab_evidence evidence;

	build(SHAPE_TYPED, SLAB_ENCODING_XOR_SWAP);
	damage();
	check();
	assert_int_equal(image->heap->finding_count, 1);
	slab_evidence_read(image->heap, image->heap->findings, &evidence);
	assert_non_null(evidence.cause);
	return evidence;
}

static void evidence_shows_the_bytes(void **state)
{
	struct slab_evidence evidence = evidence_of(spoil_right);

	(void)state;
	assert_int_equal(evidence.address, debugged(FULL, 0) + DEBUG_OBJECT);
	assert_int_equal(evidence.size, 16);
	assert_int_equal(evidence.bytes[0], 0x42);
	assert_int_equal(evidence.bytes[1], RED_IN_USE);
	assert_int_equal(evidence.neighbour, 0);
	image_destroy(image);
}

static void evidence_names_the_allocated_object_on_the_left(void **state)
{
	struct slab_evidence evidence = evidence_of(spoil_left);

	(void)state;
	assert_int_equal(evidence.neighbour, debugged(FULL, 1));
	image_destroy(image);
	evidence = evidence_of(spoil_end);
	assert_int_equal(evidence.neighbour, plain(OTHER, 4));
	assert_int_equal(evidence.size, 8);
	assert_int_equal(evidence.address, plain(OTHER, 5) + 248);
	image_destroy(image);
	/* Behind a pointer that was overwritten, nobody knows which objects are free. */
	evidence = evidence_of(lead_between);
	assert_int_equal(evidence.neighbour, 0);
	image_destroy(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_heap_gives_nothing),
		cmocka_unit_test(what_was_looked_at_is_counted),
		cmocka_unit_test(red_zones_of_objects_in_use),
		cmocka_unit_test(red_zones_of_free_objects),
		cmocka_unit_test(writes_into_free_objects),
		cmocka_unit_test(padding_behind_the_metadata_and_behind_the_last_object),
		cmocka_unit_test(objects_in_use_and_their_metadata_may_hold_anything),
		cmocka_unit_test(an_extension_vector_inside_the_slab_is_no_damage),
		cmocka_unit_test(a_slabs_own_freelist),
		cmocka_unit_test(a_slab_with_free_objects_that_no_list_has),
		cmocka_unit_test(books_that_differ_from_the_slabs),
		cmocka_unit_test(a_number_of_objects_that_the_cache_never_has),
		cmocka_unit_test(a_slab_of_no_cache),
		cmocka_unit_test(a_sheaf_of_what_are_no_objects_of_the_cache),
		cmocka_unit_test(checking_one_cache_leaves_others_alone),
		cmocka_unit_test(evidence_shows_the_bytes),
		cmocka_unit_test(evidence_names_the_allocated_object_on_the_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
