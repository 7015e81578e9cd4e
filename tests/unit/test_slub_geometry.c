// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * geometry: the kernel's formulas, against figures read from /sys/kernel/slab and memory of booted kernels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "geometry.h"
#include "slub.h"

static struct slub_geometry laid_out(const struct slub_rules *rules, struct slub_request request)
{
	struct slub_geometry geometry;

	assert_true(slub_geometry(rules, &request, &geometry));
	return geometry;
}

/* Of a booted 6.18 with two CPUs: order, objects per slab, min_partial, cpu_partial. */
static void kmalloc_caches_are_those_of_a_kernel_with_two_cpus(void **state)
{
	static const struct {
		unsigned size, order, objects, min_partial, cpu_partial;
	} seen[] = {
		{ 8, 0, 512, 5, 120 },  { 16, 0, 256, 5, 120 }, { 32, 0, 128, 5, 120 }, { 64, 0, 64, 5, 120 },
		{ 96, 0, 42, 5, 120 },  { 128, 0, 32, 5, 120 }, { 192, 0, 21, 5, 120 }, { 256, 0, 16, 5, 52 },
		{ 512, 1, 16, 5, 52 },  { 1024, 2, 16, 5, 24 }, { 2048, 3, 16, 5, 24 }, { 4096, 3, 8, 6, 6 },
		{ 8192, 3, 4, 6, 6 },
	};
	struct slub_rules rules = slub_rules_of_cpu_slabs(2);

	(void)state;
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		struct slub_geometry geometry =
			laid_out(&rules, (struct slub_request){ .object_size = seen[i].size, .is_kmalloc = true });

		assert_int_equal(geometry.size, seen[i].size);
		assert_int_equal(geometry.order, seen[i].order);
		assert_int_equal(geometry.objects, seen[i].objects);
		assert_int_equal(geometry.min_partial, seen[i].min_partial);
		assert_int_equal(geometry.cpu_partial, seen[i].cpu_partial);
		assert_int_equal(geometry.offset, seen[i].size / 2 & ~7u);
		assert_int_equal(geometry.sheaf_capacity, 0);
	}
}

static void sheaves_hold_4_12_28_or_60_objects(void **state)
{
	struct slub_rules rules = slub_rules_of_sheaves(2);

	(void)state;
	for (unsigned size = 8; size <= 8192; size *= 2) {
		unsigned wanted = size >= 4096 ? 4 : size >= 1024 ? 12 : size >= 256 ? 28 : 60;

		assert_int_equal(laid_out(&rules, (struct slub_request){ .object_size = size }).sheaf_capacity, wanted);
	}
	assert_int_equal(laid_out(&rules, (struct slub_request){ .object_size = 64, .flags = SLUB_POISON }).sheaf_capacity, 0);
	assert_int_equal(laid_out(&rules, (struct slub_request){ .object_size = 64, .flags = SLUB_NO_SHEAVES }).sheaf_capacity,
			 0);
}

static void sheaves_of_programs_are_larger_but_are_filled_as_the_kernels(void **state)
{
	struct slub_rules rules = slub_rules_of_programs(2), kernels = slub_rules_of_sheaves(2);

	(void)state;
	for (unsigned size = 8; size <= 8192; size += 8) {
		struct slub_request request = { .object_size = size };
		struct slub_geometry large = laid_out(&rules, request), small = laid_out(&kernels, request);
		unsigned bytes = (large.sheaf_capacity + 4) * 8;

		assert_int_equal(large.sheaf_refill, small.sheaf_capacity);
		assert_true(large.sheaf_capacity == small.sheaf_capacity || large.sheaf_capacity * size <= rules.sheaf_bytes);
		assert_true(bytes == 2048 || (bytes * 2 / 8 - 4) * size > rules.sheaf_bytes);
		assert_int_equal(bytes & (bytes - 1), 0);
		assert_int_equal(large.order, small.order);
	}
	assert_int_equal(laid_out(&rules, (struct slub_request){ .object_size = 64 }).sheaf_capacity, 252);
	assert_int_equal(laid_out(&rules, (struct slub_request){ .object_size = 256 }).sheaf_capacity, 124);
	assert_int_equal(laid_out(&rules, (struct slub_request){ .object_size = 4096 }).sheaf_capacity, 4);
}

/* slub_debug=FZPU,kmalloc-64: 256 bytes since stack depots, 512 on 5.10, whose tracks are 0x98 long. */
static void debugging_puts_red_zones_tracks_and_the_free_pointer_around(void **state)
{
	struct slub_request request = {
		.object_size = 64, .is_kmalloc = true,
		.flags = SLUB_RED_ZONE | SLUB_POISON | SLUB_STORE_USER | SLUB_CONSISTENCY_CHECKS,
	};
	struct slub_rules rules = slub_rules_of_cpu_slabs(2);
	struct slub_geometry geometry = laid_out(&rules, request);

	(void)state;
	assert_int_equal(geometry.size, 256);
	assert_int_equal(geometry.inuse, 72);
	assert_int_equal(geometry.offset, 72);
	assert_int_equal(geometry.red_left_pad, 64);
	assert_int_equal(geometry.cpu_partial, 0);
	rules.track_size = 0x98;
	rules.orig_size_bytes = 0;
	assert_int_equal(laid_out(&rules, request).size, 512);
}

static void the_free_pointer_stands_outside_where_the_object_must_stay(void **state)
{
	struct slub_rules rules = slub_rules_of_sheaves(2);
	struct slub_geometry rcu = laid_out(&rules, (struct slub_request){ .object_size = 100, .flags = SLUB_TYPESAFE_BY_RCU });
	struct slub_geometry ctor = laid_out(&rules, (struct slub_request){ .object_size = 100, .has_ctor = true });

	(void)state;
	assert_int_equal(rcu.offset, 104);
	assert_int_equal(rcu.size, 112);
	assert_int_equal(ctor.offset, 104);
	assert_int_equal(laid_out(&rules, (struct slub_request){ .object_size = 100 }).offset, 48);
}

static void lines_of_cache_and_alignments_are_kept(void **state)
{
	struct slub_rules rules = slub_rules_of_sheaves(2);

	(void)state;
	assert_int_equal(laid_out(&rules, (struct slub_request){ .object_size = 24, .flags = SLUB_HWCACHE_ALIGN }).size, 32);
	assert_int_equal(laid_out(&rules, (struct slub_request){ .object_size = 40, .flags = SLUB_HWCACHE_ALIGN }).size, 64);
	assert_int_equal(laid_out(&rules, (struct slub_request){ .object_size = 130, .flags = SLUB_HWCACHE_ALIGN }).size, 192);
	assert_int_equal(laid_out(&rules, (struct slub_request){ .object_size = 1, .align = 4096 }).size, 4096);
}

/* A size whose waste decides: 2 CPUs want 12 objects; 700 bytes in three pages' worth is order 2 with 5.8 % left. */
static void orders_follow_waste(void **state)
{
	struct slub_rules rules = slub_rules_of_cpu_slabs(2);
	struct slub_geometry geometry = laid_out(&rules, (struct slub_request){ .object_size = 704 });

	(void)state;
	assert_int_equal(geometry.order, 2);
	assert_int_equal(geometry.objects, 23);
	assert_int_equal(geometry.min_order, 0);
	assert_int_equal(geometry.min_objects, 5);
}

static void what_fits_in_no_slab_is_refused(void **state)
{
	struct slub_rules rules = slub_rules_of_sheaves(2);
	struct slub_geometry geometry;

	(void)state;
	assert_false(slub_geometry(&rules, &(struct slub_request){ .object_size = 0 }, &geometry));
	assert_false(slub_geometry(&rules, &(struct slub_request){ .object_size = (4u << 20) + 1 }, &geometry));
	assert_false(slub_geometry(&rules, &(struct slub_request){ .object_size = UINT32_MAX }, &geometry));
	assert_false(slub_geometry(&rules, &(struct slub_request){ .object_size = 64, .align = 3 }, &geometry));
	assert_false(slub_geometry(&rules, &(struct slub_request){ .object_size = 64, .align = 8192 }, &geometry));
	assert_true(slub_geometry(&rules, &(struct slub_request){ .object_size = 4u << 20 }, &geometry));
	assert_int_equal(geometry.order, 10);
}

static void sizes_take_the_smallest_class_that_holds_them(void **state)
{
	(void)state;
	assert_int_equal(slub_kmalloc_index(0), 0);
	assert_int_equal(slub_kmalloc_index(8193), -1);
	for (unsigned size = 1; size <= 8192; size++) {
		unsigned class = slub_kmalloc_size(slub_kmalloc_index(size));

		assert_true(class >= size);
		for (int index = 1; index <= 13; index++)
			assert_false(slub_kmalloc_size(index) >= size && slub_kmalloc_size(index) < class);
	}
}

/* calculate_order() told in another way: by the definition of waste, order by order. */
static unsigned order_by_definition(unsigned size, unsigned cpus)
{
	unsigned bits = 0, min_objects, first = 0, needed = 0;

	while (cpus >> bits)
		bits++;
	min_objects = 4 * (bits + 1);
	if (min_objects > 32768 / size)
		min_objects = 32768 / size ? 32768 / size : 1;
	while ((4096u << first) < min_objects * size)
		first++;
	for (unsigned fraction = 16; fraction >= 2; fraction /= 2) {
		for (unsigned order = first; order <= 3; order++) {
			unsigned slab = 4096u << order, objects = slab / size;

			if (objects * size + slab / fraction >= slab)
				return order;
		}
	}
	while ((4096u << needed) < size)
		needed++;
	return needed;
}

static void every_class_and_other_sizes_follow_the_formulas_on_1_to_64_cpus(void **state)
{
	static const unsigned sizes[] = {
		8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192, 24, 40, 56, 72, 104, 120, 136, 184, 216, 328, 392,
		576, 640, 704, 832, 960, 1088, 1472, 2176, 2432, 3520, 4352, 5120, 9792,
	};

	(void)state;
	for (unsigned cpus = 1; cpus <= 64; cpus++) {
		struct slub_rules sheaves = slub_rules_of_sheaves(cpus), cpu_slabs = slub_rules_of_cpu_slabs(cpus);

		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			unsigned size = sizes[i], log = 0, partial = size >= 4096 ? 6 : size >= 1024 ? 24 : size >= 256 ? 52 : 120;
			struct slub_geometry geometry = laid_out(&sheaves, (struct slub_request){ .object_size = size });
			struct slub_geometry older = laid_out(&cpu_slabs, (struct slub_request){ .object_size = size });

			while (size >> (log + 1))
				log++;
			assert_int_equal(geometry.order, order_by_definition(size, cpus));
			assert_int_equal(geometry.objects, (4096u << geometry.order) / size);
			assert_int_equal(geometry.min_partial, log / 2 < 5 ? 5 : log / 2 > 10 ? 10 : log / 2);
			assert_int_equal(geometry.cpu_partial, 0);
			assert_int_equal(geometry.sheaf_capacity, size >= 4096 ? 4 : size >= 1024 ? 12 : size >= 256 ? 28 : 60);
			assert_int_equal(geometry.offset, size / 2 / 8 * 8);
			assert_int_equal(older.order, geometry.order);
			assert_int_equal(older.cpu_partial, partial);
			/* As many slabs as have twice the objects when they are half full. */
			assert_true(older.cpu_partial_slabs * older.objects >= 2 * partial);
			assert_true((older.cpu_partial_slabs - 1) * older.objects < 2 * partial);
		}
	}
}

/* As the kernel's /sys/kernel/slab has it: kmalloc-96 is aligned to 32, kmalloc-192 to 64. */
static void what_a_cache_asks_for_is_kept(void **state)
{
	struct slub_rules rules = slub_rules_of_sheaves(2), older = slub_rules_of_cpu_slabs(2);
	struct slub_request request = { .object_size = 184, .flags = SLUB_TYPESAFE_BY_RCU };

	(void)state;
	assert_int_equal(laid_out(&rules, (struct slub_request){ .object_size = 96, .is_kmalloc = true }).align, 32);
	assert_int_equal(laid_out(&rules, (struct slub_request){ .object_size = 192, .is_kmalloc = true }).align, 64);
	older.kmalloc_aligns_to_factor = false;
	assert_int_equal(laid_out(&older, (struct slub_request){ .object_size = 192, .is_kmalloc = true }).align, 8);
	assert_int_equal(laid_out(&rules, request).size, 192);
	request.use_freeptr_offset = true;
	request.freeptr_offset = 16;
	assert_int_equal(laid_out(&rules, request).size, 184);
	assert_int_equal(laid_out(&rules, request).offset, 16);
	request.sheaf_capacity = 32;
	assert_int_equal(laid_out(&older, request).sheaf_capacity, 32);
	assert_int_equal(laid_out(&rules, request).sheaf_capacity, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kmalloc_caches_are_those_of_a_kernel_with_two_cpus),
		cmocka_unit_test(sheaves_hold_4_12_28_or_60_objects),
		cmocka_unit_test(sheaves_of_programs_are_larger_but_are_filled_as_the_kernels),
		cmocka_unit_test(debugging_puts_red_zones_tracks_and_the_free_pointer_around),
		cmocka_unit_test(the_free_pointer_stands_outside_where_the_object_must_stay),
		cmocka_unit_test(lines_of_cache_and_alignments_are_kept),
		cmocka_unit_test(orders_follow_waste),
		cmocka_unit_test(what_fits_in_no_slab_is_refused),
		cmocka_unit_test(every_class_and_other_sizes_follow_the_formulas_on_1_to_64_cpus),
		cmocka_unit_test(what_a_cache_asks_for_is_kept),
		cmocka_unit_test(sizes_take_the_smallest_class_that_holds_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
