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
		cmocka_unit_test(sizes_take_the_smallest_class_that_holds_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
