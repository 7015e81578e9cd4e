// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Rings of list_heads, whole and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel_list.h"
#include "kernel_memory.h"

#define NODE(number) (MEMORY_VIRTUAL + 0x40 * (number))
#define COUNT 5 /* nodes 1 to 5; 0 is the head */

static struct memory *memory;
static struct kernel *kernel;
static struct list_walk walk;
static uint64_t seen[64];
static size_t seen_count;

static void link_ring(void)
{
	for (uint64_t i = 0; i <= COUNT; i++) {
		memory_put_virtual(memory, NODE(i), NODE((i + 1) % (COUNT + 1)));
		memory_put_virtual(memory, NODE(i) + 8, NODE((i + COUNT) % (COUNT + 1)));
	}
}

static int set_up(void **state)
{
	(void)state;
	memory = memory_create(0, 2 * PAGE);
	kernel = memory_kernel(memory, 0, 0);
	link_ring();
	list_walk_begin(&walk, kernel, NODE(0), 60);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kernel_close(kernel);
	return 0;
}

static void collect(void)
{
	seen_count = 0;
	while (seen_count < 64 && list_walk_next(&walk, &seen[seen_count]))
		seen_count++;
	assert_true(seen_count < 64);
	assert_false(list_walk_next(&walk, &seen[63]));
	assert_int_equal(walk.count, seen_count);
}

static void an_intact_ring_gives_each_node_once(void **state)
{
	(void)state;
	collect();
	assert_int_equal(walk.damage, LIST_INTACT);
	assert_int_equal(seen_count, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(seen[i], NODE(i + 1));
}

static void a_reverse_walk_follows_prev(void **state)
{
	(void)state;
	walk.is_reverse = true;
	collect();
	assert_int_equal(walk.damage, LIST_INTACT);
	assert_int_equal(seen_count, COUNT);
	assert_int_equal(seen[0], NODE(COUNT));
}

static void an_empty_ring_is_intact(void **state)
{
	(void)state;
	memory_put_virtual(memory, NODE(0), NODE(0));
	memory_put_virtual(memory, NODE(0) + 8, NODE(0));
	collect();
	assert_int_equal(walk.damage, LIST_INTACT);
	assert_int_equal(seen_count, 0);
}

static void a_pointer_to_nowhere_ends_the_walk(void **state)
{
	(void)state;
	memory_put_virtual(memory, NODE(3), 0xdead000000000100);
	collect();
	assert_int_equal(walk.damage, LIST_UNREADABLE);
	assert_int_equal(walk.damaged_node, NODE(3));
	assert_int_equal(seen_count, 3);
}

static void a_misaligned_pointer_ends_the_walk(void **state)
{
	(void)state;
	memory_put_virtual(memory, NODE(2), NODE(3) + 4);
	collect();
	assert_int_equal(walk.damage, LIST_UNREADABLE);
	assert_int_equal(walk.damaged_node, NODE(2));
}

static void a_loop_past_the_head_is_noticed(void **state)
{
	(void)state;
	memory_put_virtual(memory, NODE(COUNT), NODE(3));
	collect();
	assert_int_equal(walk.damage, LIST_LOOP);
	assert_true(seen_count >= COUNT && seen_count <= 3 * COUNT);
	assert_true(walk.damaged_node >= NODE(3) && walk.damaged_node <= NODE(COUNT));
}

static void a_node_that_points_to_itself_is_a_loop(void **state)
{
	(void)state;
	walk.ignores_prev = true;
	memory_put_virtual(memory, NODE(4), NODE(4));
	collect();
	assert_int_equal(walk.damage, LIST_LOOP);
	assert_int_equal(walk.damaged_node, NODE(4));
}

static void a_wrong_back_link_is_told_and_walked_over(void **state)
{
	(void)state;
	memory_put_virtual(memory, NODE(2) + 8, NODE(5));
	collect();
	assert_int_equal(walk.damage, LIST_BAD_BACK_LINK);
	assert_int_equal(walk.damaged_node, NODE(2));
	assert_int_equal(seen_count, COUNT);
}

static void the_heads_own_back_link_is_judged(void **state)
{
	(void)state;
	memory_put_virtual(memory, NODE(0) + 8, NODE(1));
	collect();
	assert_int_equal(walk.damage, LIST_BAD_BACK_LINK);
	assert_int_equal(walk.damaged_node, NODE(0));
}

static void back_links_can_be_left_alone(void **state)
{
	(void)state;
	walk.ignores_prev = true;
	memory_put_virtual(memory, NODE(2) + 8, 0x122);
	collect();
	assert_int_equal(walk.damage, LIST_INTACT);
	assert_int_equal(seen_count, COUNT);
}

static void more_nodes_than_there_can_be_end_the_walk(void **state)
{
	(void)state;
	walk.limit = COUNT;
	collect();
	assert_int_equal(walk.damage, LIST_INTACT);
	list_walk_begin(&walk, kernel, NODE(0), COUNT - 1);
	collect();
	assert_int_equal(walk.damage, LIST_TOO_LONG);
	assert_int_equal(seen_count, COUNT - 1);
}

static void each_damage_has_words_of_its_own(void **state)
{
	(void)state;
	for (int a = LIST_INTACT; a <= LIST_TOO_LONG; a++)
		for (int b = LIST_INTACT; b < a; b++)
			assert_string_not_equal(list_damage_text(a), list_damage_text(b));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_intact_ring_gives_each_node_once),
		TEST(a_reverse_walk_follows_prev),
		TEST(an_empty_ring_is_intact),
		TEST(a_pointer_to_nowhere_ends_the_walk),
		TEST(a_misaligned_pointer_ends_the_walk),
		TEST(a_loop_past_the_head_is_noticed),
		TEST(a_node_that_points_to_itself_is_a_loop),
		TEST(a_wrong_back_link_is_told_and_walked_over),
		TEST(the_heads_own_back_link_is_judged),
		TEST(back_links_can_be_left_alone),
		TEST(more_nodes_than_there_can_be_end_the_walk),
		TEST(each_damage_has_words_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
