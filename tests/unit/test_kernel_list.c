// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Walks along rings that are whole and rings that are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kernel_list.h"
#include "memory_image.h"

#define HEAD (IMAGE_BASE + 0x1000)
#define NODE(i) (IMAGE_BASE + 0x2000 + 64 * (uint64_t)(i))

static void put_links(struct memory_image *image, uint64_t node, uint64_t next, uint64_t prev)
{
	image_put_u64(image, node, next);
	image_put_u64(image, node + 8, prev);
}

/* HEAD ↔ NODE(0) ↔ … ↔ NODE(count − 1) ↔ HEAD */
static void put_ring(struct memory_image *image, size_t count)
{
	for (size_t i = 0; i <= count; i++) {
		uint64_t here = i ? NODE(i - 1) : HEAD;

		put_links(image, here, i == count ? HEAD : NODE(i), i == 0 ? (count ? NODE(count - 1) : HEAD)
								   : i == 1 ? HEAD : NODE(i - 2));
	}
}

static int set_up(void **state)
{
	*state = image_create();
	return 0;
}

static int tear_down(void **state)
{
	image_destroy(*state);
	return 0;
}

/* Walk to the end; returns how many nodes were given out, the last one in @ret_last. */
static size_t walk_all(struct list_walk *walk, uint64_t *ret_last)
{
	size_t count = 0;

	while (list_walk_next(walk, ret_last))
		assert_true(++count < 100000);
	assert_false(list_walk_next(walk, ret_last)); /* stays ended */
	return count;
}

static void an_empty_ring_has_no_nodes(void **state)
{
	struct memory_image *image = *state;
	struct list_walk walk;
	uint64_t node;

	put_ring(image, 0);
	list_walk_begin(&walk, &image->kernel, HEAD, 10);
	assert_int_equal(walk_all(&walk, &node), 0);
	assert_int_equal(walk.damage, LIST_INTACT);
}

static void a_whole_ring_gives_each_node_once(void **state)
{
	struct memory_image *image = *state;
	struct list_walk walk;
	uint64_t node;

	put_ring(image, 100);
	list_walk_begin(&walk, &image->kernel, HEAD, 100);
	for (size_t i = 0; i < 100; i++) {
		assert_true(list_walk_next(&walk, &node));
		assert_int_equal(node, NODE(i));
	}
	assert_false(list_walk_next(&walk, &node));
	assert_int_equal(walk.damage, LIST_INTACT);
	assert_int_equal(walk.count, 100);
}

static void a_reverse_walk_begins_with_the_last(void **state)
{
	struct memory_image *image = *state;
	struct list_walk walk;
	uint64_t node;

	put_ring(image, 3);
	list_walk_begin(&walk, &image->kernel, HEAD, 3);
	walk.is_reverse = true;
	assert_true(list_walk_next(&walk, &node));
	assert_int_equal(node, NODE(2));
	assert_int_equal(walk_all(&walk, &node), 2);
	assert_int_equal(node, NODE(0));
	assert_int_equal(walk.damage, LIST_INTACT);
}

static void a_loop_that_leaves_out_the_head_is_found(void **state)
{
	struct memory_image *image = *state;

	for (size_t length = 1; length < 40; length += 3) {
		struct list_walk walk;
		uint64_t node;

		put_ring(image, 50);
		put_links(image, NODE(49), NODE(50 - length), NODE(48));
		image_put_u64(image, NODE(50 - length) + 8, NODE(49));
		list_walk_begin(&walk, &image->kernel, HEAD, 1000000);
		assert_true(walk_all(&walk, &node) < 400);
		assert_int_equal(walk.damage, LIST_LOOP);
	}
}

static void a_pointer_to_nowhere_ends_the_walk(void **state)
{
	struct memory_image *image = *state;
	struct list_walk walk;
	uint64_t node;

	put_ring(image, 5);
	image_put_u64(image, NODE(2), 0xdead000000000100); /* LIST_POISON1 */
	list_walk_begin(&walk, &image->kernel, HEAD, 10);
	assert_int_equal(walk_all(&walk, &node), 3);
	assert_int_equal(walk.damage, LIST_UNREADABLE);
	assert_int_equal(walk.damaged_node, 0xdead000000000100);
}

static void a_misaligned_pointer_is_no_node(void **state)
{
	struct memory_image *image = *state;
	struct list_walk walk;
	uint64_t node;

	put_ring(image, 5);
	image_put_u64(image, NODE(1), NODE(2) + 1);
	list_walk_begin(&walk, &image->kernel, HEAD, 10);
	assert_int_equal(walk_all(&walk, &node), 2);
	assert_int_equal(walk.damage, LIST_UNREADABLE);
}

static void a_wrong_back_link_is_told_and_the_walk_goes_on(void **state)
{
	struct memory_image *image = *state;
	struct list_walk walk;
	uint64_t node;

	put_ring(image, 5);
	image_put_u64(image, NODE(3) + 8, NODE(0));
	list_walk_begin(&walk, &image->kernel, HEAD, 10);
	assert_int_equal(walk_all(&walk, &node), 5);
	assert_int_equal(walk.damage, LIST_BAD_BACK_LINK);
	assert_int_equal(walk.damaged_node, NODE(3));
	list_walk_begin(&walk, &image->kernel, HEAD, 10);
	walk.ignores_prev = true;
	assert_int_equal(walk_all(&walk, &node), 5);
	assert_int_equal(walk.damage, LIST_INTACT);
}

static void the_heads_own_back_link_counts(void **state)
{
	struct memory_image *image = *state;
	struct list_walk walk;
	uint64_t node;

	put_ring(image, 5);
	image_put_u64(image, HEAD + 8, NODE(1));
	list_walk_begin(&walk, &image->kernel, HEAD, 10);
	assert_int_equal(walk_all(&walk, &node), 5);
	assert_int_equal(walk.damage, LIST_BAD_BACK_LINK);
	assert_int_equal(walk.damaged_node, HEAD);
}

static void more_nodes_than_there_can_be_end_the_walk(void **state)
{
	struct memory_image *image = *state;
	struct list_walk walk;
	uint64_t node;

	put_ring(image, 20);
	list_walk_begin(&walk, &image->kernel, HEAD, 19);
	assert_int_equal(walk_all(&walk, &node), 19);
	assert_int_equal(walk.damage, LIST_TOO_LONG);
	list_walk_begin(&walk, &image->kernel, HEAD, 20);
	assert_int_equal(walk_all(&walk, &node), 20);
	assert_int_equal(walk.damage, LIST_INTACT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_empty_ring_has_no_nodes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_whole_ring_gives_each_node_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_reverse_walk_begins_with_the_last, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_loop_that_leaves_out_the_head_is_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_pointer_to_nowhere_ends_the_walk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_misaligned_pointer_is_no_node, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_wrong_back_link_is_told_and_the_walk_goes_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_heads_own_back_link_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(more_nodes_than_there_can_be_end_the_walk, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
