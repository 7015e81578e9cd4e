// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Caches, their contents and totals, in all shapes of the kernel's structures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "slab_image.h"
#include "slab_pages.h"
#include "slab_state.h"
#include "slab_totals.h"

static struct slab_image *image;
static struct slab_totals totals;

static void open_heap(void)
{
	struct error err = { 0 };

	if (slab_heap_open(image->kernel, &image->heap, &err))
		fail_msg("%s", err.text);
	if (slab_heap_load(image->heap, NULL, 0, &err))
		fail_msg("%s", err.text);
}

static void count(uint32_t cache)
{
	assert_int_equal(slab_totals_count(image->heap, cache, &totals, NULL), 0);
	assert_int_equal(totals.num_objs, totals.allocated + totals.free_slab + totals.free_cpu +
						  totals.free_sheaf + totals.pending);
}

/* States of all objects, by the pass over struct page. */
static uint64_t states[SLAB_OBJECT_STATES];

static int add_states(const struct slab *slab, const struct slab_object *objects, enum slab_damage damage,
		      void *context)
{
	(void)context;
	assert_int_equal(damage, SLAB_INTACT);
	for (uint32_t i = 0; i < slab->objects; i++)
		states[objects[i].state]++;
	return 0;
}

static void count_states(uint32_t cache)
{
	memset(states, 0, sizeof(states));
	assert_int_equal(slab_objects_each(image->heap, cache, add_states, NULL, NULL), 0);
}

/* Two caches: one of 8 objects a slab with slabs everywhere, one that is empty. */
static void build_with_cpu_slabs(enum shape shape, enum slab_encoding encoding)
{
	image = image_create(shape, encoding);
	image_add_cache(image, "eights", 512, 500, 0, 0);
	image_add_cache(image, "empty", 64, 64, 0, 0);
	image_add_slab(image, 0, 64, FREE()); /* full, on no list */
	image_add_slab(image, 0, 65, FREE(3, 1, 6));
	image_add_slab(image, 0, 66, FREE(0));
	image_list_partial(image, 0, 65);
	image_list_partial(image, 0, 66);
	image_add_slab(image, 0, 67, FREE(7)); /* a CPU slab: 7 was freed by another CPU */
	image_set_cpu_slab(image, 0, 0, 67, FREE(2, 5));
	image_add_slab(image, 0, 68, FREE());
	image_set_cpu_slab(image, 0, 1, 68, FREE(4));
	image_add_slab(image, 0, 69, FREE(1, 2));
	image_add_slab(image, 0, 70, FREE(0, 3));
	image_add_cpu_partial(image, 0, 1, 69);
	image_add_cpu_partial(image, 0, 1, 70);
}

static void assert_totals_with_cpu_slabs(void)
{
	count(0);
	assert_int_equal(totals.slabs, 7);
	assert_int_equal(totals.num_objs, 56);
	assert_int_equal(totals.active_objs, 52);
	assert_int_equal(totals.free_slab, 3 + 1 + 1 + 2 + 2);
	assert_int_equal(totals.free_cpu_partial, 4);
	assert_int_equal(totals.free_cpu, 3);
	assert_int_equal(totals.allocated, 56 - 12);
	assert_int_equal(totals.slabs_cpu, 2);
	assert_int_equal(totals.slabs_cpu_partial, 2);
	assert_int_equal(totals.slabs_node_partial, 2);
	assert_int_equal(totals.slabs_full, 1);
	assert_int_equal(totals.bytes, 7 * PAGE);
	assert_int_equal(totals.waste, 7 * PAGE - 44 * 500);
	assert_false(totals.is_damaged);
	count(1);
	assert_int_equal(totals.slabs, 0);
	assert_int_equal(totals.allocated, 0);
}

static void totals_are_counted_with_cpu_slabs_in_every_shape(void **state)
{
	(void)state;
	for (enum shape shape = SHAPE_PAGE; shape <= SHAPE_TYPED; shape++)
		for (int encoding = SLAB_ENCODING_PLAIN; encoding <= SLAB_ENCODING_XOR_SWAP; encoding++) {
			build_with_cpu_slabs(shape, (enum slab_encoding)encoding);
			open_heap();
			assert_int_equal(image->heap->finding_count, 0);
			assert_int_equal(image->heap->encoding, encoding);
			assert_true(image->heap->is_encoding_proven);
			assert_totals_with_cpu_slabs();
			count_states(SLAB_NO_CACHE);
			assert_int_equal(states[SLAB_OBJECT_ALLOCATED], 44);
			assert_int_equal(states[SLAB_OBJECT_FREE], 5);
			assert_int_equal(states[SLAB_OBJECT_CPU_PARTIAL], 4);
			assert_int_equal(states[SLAB_OBJECT_CPU_FREELIST], 3);
			image_destroy(image);
		}
}

static void build_with_sheaves(void)
{
	uint64_t sheaf;

	image = image_create(SHAPE_SHEAVES, SLAB_ENCODING_XOR_SWAP);
	image_add_cache(image, "eights", 512, 500, 0, 0);
	image_add_slab(image, 0, 64, FREE());
	image_add_slab(image, 0, 65, FREE(3, 1));
	image_list_partial(image, 0, 65);
	image_set_sheaf(image, 0, 0, SHEAVES_MAIN, image_sheaf(image, 0, FREE(64, 0, 64, 2, 65, 7)));
	image_set_sheaf(image, 0, 0, SHEAVES_SPARE, image_sheaf(image, 0, FREE(64, 4)));
	image_set_sheaf(image, 0, 0, SHEAVES_RCU, image_sheaf(image, 0, FREE(65, 0)));
	image_set_sheaf(image, 0, 1, SHEAVES_MAIN, image_sheaf(image, 0, FREE()));
	sheaf = image_sheaf(image, 0, FREE(64, 1, 64, 3, 64, 5, 64, 6));
	image_add_full_sheaf(image, 0, sheaf);
}

static void totals_are_counted_with_sheaves(void **state)
{
	(void)state;
	build_with_sheaves();
	open_heap();
	assert_int_equal(image->heap->finding_count, 0);
	count(0);
	assert_int_equal(totals.active_objs, 14);
	assert_int_equal(totals.free_slab, 2);
	assert_int_equal(totals.free_sheaf, 8);
	assert_int_equal(totals.free_barn, 4);
	assert_int_equal(totals.pending, 1);
	assert_int_equal(totals.allocated, 5);
	count_states(0);
	assert_int_equal(states[SLAB_OBJECT_ALLOCATED], 5);
	assert_int_equal(states[SLAB_OBJECT_FREE], 2);
	assert_int_equal(states[SLAB_OBJECT_SHEAF_MAIN], 3);
	assert_int_equal(states[SLAB_OBJECT_SHEAF_SPARE], 1);
	assert_int_equal(states[SLAB_OBJECT_SHEAF_RCU], 1);
	assert_int_equal(states[SLAB_OBJECT_BARN], 4);
	image_destroy(image);
}

static void objects_on_their_way_back_are_pending(void **state)
{
	(void)state;
	build_with_sheaves();
	image_defer(image, 0, 1, image_object(image, 0, 65, 4));
	image_defer(image, 0, 1, image_object(image, 0, 65, 5));
	open_heap();
	count(0);
	assert_int_equal(totals.pending, 1 + 2);
	assert_int_equal(totals.allocated, 3);
	count_states(0);
	assert_int_equal(states[SLAB_OBJECT_DEFERRED], 2);
	assert_int_equal(states[SLAB_OBJECT_ALLOCATED], 3);
	image_destroy(image);
}

static void slabs_of_the_smaller_order_are_counted_as_such(void **state)
{
	(void)state;
	image = image_create(SHAPE_SLAB, SLAB_ENCODING_XOR);
	image_add_cache(image, "large", 1024, 1024, 1, 0);
	put32(image, image->caches[0] + C_MIN, 0 << 16 | 4);
	image_add_slab(image, 0, 64, FREE());
	image_add_slab(image, 0, 66, FREE(1));
	image_set_counters(image, 66, 3, 4, false);
	put64(image, NODE_ADDRESS(0, 0) + N_TOTAL, 8 + 4);
	image_list_partial(image, 0, 66);
	open_heap();
	count(0);
	assert_int_equal(totals.bytes, 3 * PAGE);
	assert_int_equal(image->heap->contents[0]->nodes[0].partial.slabs[0].order, 0);
	assert_int_equal(image->heap->finding_count, 0);
	image_destroy(image);
}

static void assert_object(uint64_t address, uint32_t index, int64_t offset, enum slab_object_state state,
			  uint32_t owner, uint32_t position)
{
	struct slab_object object;
	struct error err = { 0 };

	if (slab_object_at(image->heap, address, &object, &err))
		fail_msg("%s", err.text);
	assert_int_equal(object.index, index);
	assert_int_equal(object.offset, offset);
	assert_int_equal(object.state, state);
	if (state != SLAB_OBJECT_ALLOCATED) {
		assert_int_equal(object.owner, owner);
		assert_int_equal(object.position, position);
	}
}

static void without_books_slabs_are_counted_by_their_pages(void **state)
{
	(void)state;
	build_with_cpu_slabs(SHAPE_SLAB, SLAB_ENCODING_XOR_SWAP);
	put64(image, NODE_ADDRESS(0, 0) + N_NR_SLABS, 1000);
	assert_int_equal(slab_heap_open(image->kernel, &image->heap, NULL), 0);
	image->heap->layout.node.nr_slabs.size = 0; /* as if without CONFIG_SLUB_DEBUG */
	image->heap->layout.node.total_objects.size = 0;
	assert_totals_with_cpu_slabs();
	assert_false(totals.has_books);
	image_destroy(image);
}

static void an_address_leads_to_its_object_and_state(void **state)
{
	(void)state;
	build_with_cpu_slabs(SHAPE_SLAB, SLAB_ENCODING_XOR_SWAP);
	open_heap();
	assert_object(AT_PFN(64) + 512 * 3 + 17, 3, 17, SLAB_OBJECT_ALLOCATED, 0, 0);
	assert_object(AT_PFN(65) + 512 * 6, 6, 0, SLAB_OBJECT_FREE, 0, 2);
	assert_object(AT_PFN(67) + 512 * 5, 5, 0, SLAB_OBJECT_CPU_FREELIST, 0, 1);
	assert_object(AT_PFN(68) + 512 * 4 + 511, 4, 511, SLAB_OBJECT_CPU_FREELIST, 1, 0);
	assert_object(AT_PFN(70) + 512 * 3, 3, 0, SLAB_OBJECT_CPU_PARTIAL, 1, 1);
	image_destroy(image);
	build_with_sheaves();
	open_heap();
	assert_object(AT_PFN(64), 0, 0, SLAB_OBJECT_SHEAF_MAIN, 0, 2);
	assert_object(AT_PFN(65) + 512 * 7, 7, 0, SLAB_OBJECT_SHEAF_MAIN, 0, 0);
	assert_object(AT_PFN(64) + 512 * 6, 6, 0, SLAB_OBJECT_BARN, 0, 0);
	image_destroy(image);
}

static void tail_pages_lead_to_their_slab_in_both_ways(void **state)
{
	(void)state;
	for (enum shape shape = SHAPE_PAGE; shape < SHAPES; shape++) {
		image = image_create(shape, SLAB_ENCODING_XOR_SWAP);
		image_add_cache(image, "large", 3000, 3000, 2, 0);
		image_add_slab(image, 0, 64, FREE());
		open_heap();
		assert_object(AT_PFN(64) + 4 * 3000 + 10, 4, 10, SLAB_OBJECT_ALLOCATED, 0, 0);
		image_destroy(image);
	}
}

static void the_red_zone_on_the_left_belongs_to_its_object(void **state)
{
	(void)state;
	image = image_create(SHAPE_SLAB, SLAB_ENCODING_XOR_SWAP);
	image_add_cache(image, "zoned", 256, 200, 0, FLAG_RED_ZONE);
	image_add_slab(image, 0, 64, FREE(2));
	image_list_partial(image, 0, 64);
	open_heap();
	assert_int_equal(image->heap->finding_count, 0);
	assert_object(AT_PFN(64) + 256, 1, -16, SLAB_OBJECT_ALLOCATED, 0, 0);
	assert_object(AT_PFN(64) + 512 + 16, 2, 0, SLAB_OBJECT_FREE, 0, 0);
	image_destroy(image);
}

static void what_is_no_object_is_not_found(void **state)
{
	struct slab_object object;

	(void)state;
	image = image_create(SHAPE_TYPED, SLAB_ENCODING_XOR_SWAP);
	image_add_cache(image, "large", 3000, 3000, 0, 0);
	image_add_slab(image, 0, 64, FREE());
	open_heap();
	assert_int_equal(slab_object_at(image->heap, AT_PFN(63), &object, NULL), -ENOENT);
	assert_int_equal(slab_object_at(image->heap, AT_PFN(64) + 3001, &object, NULL), -ENOENT);
	assert_int_equal(slab_object_at(image->heap, 0xffffffff81000000, &object, NULL), -ENOENT);
	assert_int_equal(slab_object_at(image->heap, 0x1000, &object, NULL), -ENOENT);
	image_destroy(image);
}

static void the_pass_finds_each_slab_once_and_places_it(void **state)
{
	struct slab_pages pages;

	(void)state;
	build_with_cpu_slabs(SHAPE_TYPED, SLAB_ENCODING_XOR_SWAP);
	open_heap();
	image->heap->kfence_pool = (struct memory_range){ AT_PFN(66), PAGE };
	assert_int_equal(slab_pages_read(image->heap, SLAB_NO_CACHE, &pages, NULL), 0);
	assert_int_equal(pages.count, 6);
	assert_int_equal(pages.first[1] - pages.first[0], 6);
	assert_int_equal(pages.pages_read, PFN_COUNT);
	for (size_t i = 0; i < pages.count; i++)
		assert_int_equal(pages.slabs[i].place,
				 pages.slabs[i].page == PAGE_OF(64)   ? SLAB_UNLISTED
				 : pages.slabs[i].page == PAGE_OF(65) ? SLAB_NODE_PARTIAL
				 : pages.slabs[i].page <= PAGE_OF(68) ? SLAB_ON_CPU
								      : SLAB_CPU_PARTIAL);
	slab_pages_deinit(&pages);
	image_destroy(image);
}

/* A pool of 3 objects at page 512, with its metadata at page 40: as an array, or behind a pointer. */
static void add_kfence(bool is_array)
{
	uint64_t metadata = AT_PFN(40), variables = AT_PFN(7);

	put64(image, variables, AT_PFN(512));
	put64(image, variables + 8, metadata);
	for (uint64_t i = 0; i < 3; i++) /* objects lie somewhere in their pages */
		put64(image, metadata + i * KFENCE_BYTES + KFENCE_ADDR, AT_PFN(512 + 2 * (i + 1)) + 64 * i);
	kernel_symbols_add(image->kernel->symbols, "__kfence_pool", variables);
	kernel_symbols_add(image->kernel->symbols, "kfence_metadata", is_array ? metadata : variables + 8);
}

static void the_kfence_pool_is_found_by_its_metadata(void **state)
{
	(void)state;
	for (int is_array = 0; is_array < 2; is_array++) {
		struct slab_pages pages;
		struct slab_object object;

		build_with_cpu_slabs(SHAPE_SLAB, SLAB_ENCODING_XOR_SWAP);
		add_kfence(is_array);
		image_add_slab(image, 0, 514, FREE());
		open_heap();
		assert_int_equal(image->heap->kfence_pool.start, AT_PFN(512));
		assert_int_equal(image->heap->kfence_pool.size, 8 * PAGE);
		assert_int_equal(slab_pages_read(image->heap, 0, &pages, NULL), 0);
		assert_int_equal(pages.count, 7);
		assert_int_equal(slab_object_at(image->heap, AT_PFN(514), &object, NULL), -ENOENT);
		slab_pages_deinit(&pages);
		image_destroy(image);
	}
}

static void holes_of_the_array_of_pages_are_skipped(void **state)
{
	struct slab_pages pages;

	(void)state;
	build_with_cpu_slabs(SHAPE_SLAB, SLAB_ENCODING_XOR_SWAP);
	image_add_slab(image, 0, 900, FREE());
	open_heap();
	image->memory->hole = VMEMMAP + 10 * PAGE; /* pages 640 to 703 */
	assert_int_equal(slab_pages_read(image->heap, 0, &pages, NULL), 0);
	assert_int_equal(pages.count, 8);
	assert_int_equal(pages.pages_absent, 64);
	assert_int_equal(pages.pages_read, PFN_COUNT - 64);
	slab_pages_deinit(&pages);
	image_destroy(image);
}

static void caches_are_found_by_name_and_by_address(void **state)
{
	(void)state;
	build_with_cpu_slabs(SHAPE_SLAB, SLAB_ENCODING_PLAIN);
	open_heap();
	assert_int_equal(slab_heap_find(image->heap, "empty"), 1);
	assert_int_equal(slab_heap_find(image->heap, "none"), SLAB_NO_CACHE);
	assert_int_equal(slab_heap_find_address(image->heap, image->caches[0]), 0);
	assert_int_equal(slab_heap_find_address(image->heap, image->caches[0] + 8), SLAB_NO_CACHE);
	image_destroy(image);
}

static void round_trips_depend_on_the_longest_list_only(void **state)
{
	size_t calls;

	(void)state;
	image = image_create(SHAPE_SLAB, SLAB_ENCODING_XOR_SWAP);
	for (size_t cache = 0; cache < 8; cache++) {
		image_add_cache(image, "many", 512, 512, 0, 0);
		for (uint64_t i = 0; i < 3; i++) {
			image_add_slab(image, cache, 64 + 64 * cache + i, FREE(1));
			image_list_partial(image, cache, 64 + 64 * cache + i);
		}
		image_add_slab(image, cache, 80 + 64 * cache, FREE());
		image_set_cpu_slab(image, cache, 0, 80 + 64 * cache, FREE(0, 1, 2, 3));
	}
	assert_int_equal(slab_heap_open(image->kernel, &image->heap, NULL), 0);
	calls = image->memory->calls;
	assert_int_equal(slab_heap_load(image->heap, NULL, 0, NULL), 0);
	assert_true(image->memory->calls - calls <= 16);
	for (uint32_t cache = 0; cache < 8; cache++) {
		count(cache);
		assert_int_equal(totals.free_cpu, 4);
		assert_int_equal(totals.free_slab, 3);
	}
	image_destroy(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(totals_are_counted_with_cpu_slabs_in_every_shape),
		cmocka_unit_test(totals_are_counted_with_sheaves),
		cmocka_unit_test(objects_on_their_way_back_are_pending),
		cmocka_unit_test(slabs_of_the_smaller_order_are_counted_as_such),
		cmocka_unit_test(without_books_slabs_are_counted_by_their_pages),
		cmocka_unit_test(an_address_leads_to_its_object_and_state),
		cmocka_unit_test(tail_pages_lead_to_their_slab_in_both_ways),
		cmocka_unit_test(the_red_zone_on_the_left_belongs_to_its_object),
		cmocka_unit_test(what_is_no_object_is_not_found),
		cmocka_unit_test(the_pass_finds_each_slab_once_and_places_it),
		cmocka_unit_test(the_kfence_pool_is_found_by_its_metadata),
		cmocka_unit_test(holes_of_the_array_of_pages_are_skipped),
		cmocka_unit_test(caches_are_found_by_name_and_by_address),
		cmocka_unit_test(round_trips_depend_on_the_longest_list_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
