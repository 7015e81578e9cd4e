// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Walks through containers in memory that the test wrote, whole and damaged. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>
#include <cmocka.h>

#include "kernel_follow.h"
#include "kernel_memory.h"
#include "kernel_types.h"

#define BASE MEMORY_VIRTUAL
#define AT(slot) (BASE + 0x1000 + (slot) * 0x400ULL) /* aligned as nodes of xarrays and maple trees want it */
#define HEAD (BASE + 0x100)
#define ENTRIES_MAX 600

static struct memory *memory;
static struct kernel *kernel;
static struct kernel_types *types;
static struct follow_entry entries[ENTRIES_MAX];
static size_t entry_count;
static struct follow_end end;

static int add_words(struct btf *btf, int word, int index, unsigned count)
{
	return btf__add_array(btf, index, word, count);
}

/* The containers' types with the members that matter, at offsets as on x86-64. */
static void make_types(void)
{
	struct btf *btf = btf__new_empty();
	int byte = btf__add_int(btf, "unsigned char", 1, 0), index = btf__add_int(btf, "unsigned int", 4, 0);
	int word = btf__add_int(btf, "unsigned long", 8, 0);
	int slots64 = add_words(btf, word, index, 64), slots16 = add_words(btf, word, index, 16);
	int pivots15 = add_words(btf, word, index, 15), pivots9 = add_words(btf, word, index, 9);
	int slots10 = add_words(btf, word, index, 10), rb_root;
	uint32_t size;
	const void *bytes;

	btf__add_struct(btf, "rb_node", 24);
	btf__add_field(btf, "__rb_parent_color", word, 0, 0);
	btf__add_field(btf, "rb_right", word, 64, 0);
	btf__add_field(btf, "rb_left", word, 128, 0);
	rb_root = btf__add_struct(btf, "rb_root", 8);
	btf__add_field(btf, "rb_node", word, 0, 0);
	btf__add_struct(btf, "rb_root_cached", 16);
	btf__add_field(btf, "rb_root", rb_root, 0, 0);
	btf__add_struct(btf, "xarray", 16);
	btf__add_field(btf, "xa_head", word, 64, 0);
	btf__add_struct(btf, "xa_node", 576);
	btf__add_field(btf, "shift", byte, 0, 0);
	btf__add_field(btf, "slots", slots64, 40 * 8, 0);
	btf__add_struct(btf, "maple_tree", 16);
	btf__add_field(btf, "ma_root", word, 64, 0);
	btf__add_struct(btf, "maple_range_64", 256);
	btf__add_field(btf, "pivot", pivots15, 64, 0);
	btf__add_field(btf, "slot", slots16, 128 * 8, 0);
	btf__add_struct(btf, "maple_arange_64", 256);
	btf__add_field(btf, "pivot", pivots9, 64, 0);
	btf__add_field(btf, "slot", slots10, 80 * 8, 0);
	btf__add_enum(btf, "maple_type", 4);
	btf__add_enum_value(btf, "maple_leaf_64", 1);
	btf__add_enum_value(btf, "maple_range_64", 2);
	btf__add_enum_value(btf, "maple_arange_64", 3);
	bytes = btf__raw_data(btf, &size);
	assert_int_equal(kernel_types_open(bytes, size, "test", &types, NULL), 0);
	btf__free(btf);
}

static int make(void **state)
{
	(void)state;
	memory = memory_create(0, 1 << 20);
	kernel = memory_kernel(memory, 0, 0);
	make_types();
	return 0;
}

static int drop(void **state)
{
	(void)state;
	kernel_types_close(types);
	kernel_close(kernel);
	return 0;
}

static void put(uint64_t address, uint64_t value)
{
	memory_put_virtual(memory, address, value);
}

static int remember(const struct follow_entry *entry, void *context)
{
	(void)context;
	assert_true(entry_count < ENTRIES_MAX);
	assert_int_equal(entry->index, entry_count);
	entries[entry_count++] = *entry;
	return 0;
}

static void walk(enum follow_kind kind, uint64_t limit)
{
	struct error err = { 0 };

	entry_count = 0;
	kernel_forget(kernel);
	if (kernel_follow(kernel, types, kind, HEAD, limit, remember, NULL, &end, &err))
		fail_msg("%s", err.text);
	assert_int_equal(end.count, entry_count);
}

static void assert_entries(size_t count, const char *damage)
{
	assert_int_equal(entry_count, count);
	if (damage)
		assert_string_equal(end.damage, damage);
	else
		assert_null(end.damage);
}

static void put_ring(unsigned count)
{
	for (unsigned i = 0; i <= count; i++) {
		uint64_t node = i ? AT(i) : HEAD, next = i < count ? AT(i + 1) : HEAD;

		put(node, next);
		put(next + 8, node);
	}
}

static void rings_give_all_but_the_head(void **state)
{
	(void)state;
	put_ring(5);
	walk(FOLLOW_LIST, 0);
	assert_entries(5, NULL);
	assert_true(entries[0].address == AT(1) && entries[4].address == AT(5));
	walk(FOLLOW_RING, 0);
	assert_entries(6, NULL);
	assert_true(entries[0].address == HEAD);
	put_ring(0);
	walk(FOLLOW_LIST, 0);
	assert_entries(0, NULL);
}

static void limit_cuts_a_walk_and_says_so(void **state)
{
	(void)state;
	put_ring(5);
	walk(FOLLOW_LIST, 3);
	assert_entries(3, NULL);
	assert_true(end.is_cut);
	walk(FOLLOW_LIST, 5);
	assert_entries(5, NULL);
	assert_false(end.is_cut);
}

static void damaged_rings_end(void **state)
{
	(void)state;
	put_ring(5);
	put(AT(3), AT(2));
	put(AT(2) + 8, AT(3));
	walk(FOLLOW_LIST, 0);
	assert_entries(1, "has an entry that doesn't point back");
	put_ring(5);
	put(AT(5), AT(5));
	put(AT(5) + 8, AT(5));
	walk(FOLLOW_LIST, 0);
	assert_entries(4, "has an entry that doesn't point back");
	put_ring(5);
	put(AT(4), 0);
	walk(FOLLOW_LIST, 0);
	assert_entries(4, "leads to memory that can't be read");
}

static void chains_end_with_null(void **state)
{
	(void)state;
	put(HEAD, AT(1));
	put(AT(1), AT(2));
	put(AT(1) + 8, HEAD);
	put(AT(2) + 8, AT(1));
	walk(FOLLOW_HLIST, 0);
	assert_entries(2, NULL);
	walk(FOLLOW_LLIST, 0);
	assert_entries(2, NULL);
	put(AT(2) + 8, 1);
	walk(FOLLOW_HLIST, 0);
	assert_entries(1, "has an entry that doesn't point back");
}

static void chain_that_loops_gives_each_node_once(void **state)
{
	(void)state;
	put(HEAD, AT(1));
	put(AT(1), AT(2));
	put(AT(2), AT(3));
	put(AT(3), AT(1));
	walk(FOLLOW_LLIST, 0);
	assert_entries(3, "comes back to where it was");
	assert_true(end.damaged_at == AT(1));
}

static void put_tree_node(unsigned node, unsigned parent, unsigned left, unsigned right)
{
	put(AT(node), (parent ? AT(parent) : 0) | 1);
	put(AT(node) + 8, right ? AT(right) : 0);
	put(AT(node) + 16, left ? AT(left) : 0);
}

/*      4
 *    2   6
 *   1 3 5
 */
static void put_tree(void)
{
	put(HEAD, AT(4));
	put_tree_node(4, 0, 2, 6);
	put_tree_node(2, 4, 1, 3);
	put_tree_node(6, 4, 5, 0);
	put_tree_node(1, 2, 0, 0);
	put_tree_node(3, 2, 0, 0);
	put_tree_node(5, 6, 0, 0);
}

static void trees_are_walked_in_order(void **state)
{
	(void)state;
	put_tree();
	walk(FOLLOW_RBTREE, 0);
	assert_entries(6, NULL);
	for (unsigned i = 0; i < 6; i++)
		assert_true(entries[i].address == AT(i + 1));
	walk(FOLLOW_RBTREE_LEFT, 0);
	assert_entries(6, NULL);
	put(HEAD, 0);
	walk(FOLLOW_RBTREE, 0);
	assert_entries(0, NULL);
}

static void damaged_trees_end(void **state)
{
	(void)state;
	put_tree();
	put_tree_node(3, 2, 4, 0);
	walk(FOLLOW_RBTREE, 0);
	assert_entries(2, "has a node that names another parent");
	put_tree();
	put_tree_node(1, 1, 1, 0);
	put(AT(2) + 16, AT(1));
	walk(FOLLOW_RBTREE, 0);
	assert_entries(0, "has a node that names another parent");
	/* A node that is its own parent and its own left side. */
	put(HEAD, AT(1));
	put_tree_node(1, 0, 1, 0);
	put(AT(1), AT(1));
	walk(FOLLOW_RBTREE, 0);
	assert_entries(0, "has a node that names another parent");
}

static void put_xa_node(unsigned node, uint8_t shift)
{
	put(AT(node), shift);
}

static uint64_t xa_slot(unsigned node, unsigned slot)
{
	return AT(node) + 40 + 8 * slot;
}

static void xarrays_give_what_they_hold_by_index(void **state)
{
	(void)state;
	put(HEAD + 8, AT(1) | 2);
	put_xa_node(1, 6);
	put_xa_node(2, 0);
	put(xa_slot(1, 0), AT(2) | 2);
	put(xa_slot(1, 3), 0xffff888000abc000);    /* 64 indexes at once */
	put(xa_slot(1, 4), 3 << 2 | 2);            /* a sibling of that */
	put(xa_slot(2, 5), 0xffff888000123000);
	put(xa_slot(2, 63), 77 << 1 | 1);          /* a number */
	put(xa_slot(2, 7), 257 << 2 | 2);          /* reserved */
	walk(FOLLOW_XARRAY, 0);
	assert_entries(3, NULL);
	assert_true(entries[0].address == 0xffff888000123000 && entries[0].key == 5 &&
		    entries[0].last_key == 5);
	assert_true(entries[1].is_value && entries[1].address == 77 && entries[1].key == 63);
	assert_true(entries[2].address == 0xffff888000abc000 && entries[2].key == 192 &&
		    entries[2].last_key == 255);
	put(HEAD + 8, 0xffff888000123000);
	walk(FOLLOW_XARRAY, 0);
	assert_entries(1, NULL);
	assert_true(entries[0].has_key && entries[0].key == 0);
	put(HEAD + 8, 0);
	walk(FOLLOW_XARRAY, 0);
	assert_entries(0, NULL);
}

static void damaged_xarrays_end(void **state)
{
	(void)state;
	put(HEAD + 8, AT(1) | 2);
	put_xa_node(1, 6);
	put(xa_slot(1, 0), AT(1) | 2);
	walk(FOLLOW_XARRAY, 0);
	assert_entries(0, "comes back to where it was");
	put_xa_node(2, 6);
	put(xa_slot(1, 0), AT(2) | 2);
	walk(FOLLOW_XARRAY, 0);
	assert_entries(0, "has a node on a level where none can be");
	put(xa_slot(1, 0), 0xdead0000 | 2);
	walk(FOLLOW_XARRAY, 0);
	assert_entries(0, "leads to memory that can't be read");
}

#define MAPLE(node, type) (AT(node) | (type) << 3 | 4)

static void put_maple_leaf(unsigned node, const uint64_t *pivots, const uint64_t *slots, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (i < 15)
			put(AT(node) + 8 + 8 * i, pivots[i]);
		put(AT(node) + 128 + 8 * i, slots[i]);
	}
}

static void maple_trees_give_ranges(void **state)
{
	static const uint64_t first_pivots[] = { 0xfff, 0x1fff, 0x4fff },
			      first_slots[] = { 0, 0xffff888000001000, 0 };
	static const uint64_t second_pivots[] = { 0x7fff, 0 }, second_slots[] = { 0xffff888000002000, 0 };

	(void)state;
	put(HEAD + 8, MAPLE(1, 3) | 2);
	put(AT(1) + 8, 0x4fff);
	put(AT(1) + 80, MAPLE(2, 1));
	put(AT(1) + 88, MAPLE(3, 1));
	put_maple_leaf(2, first_pivots, first_slots, 3);
	put_maple_leaf(3, second_pivots, second_slots, 2);
	walk(FOLLOW_MAPLE_TREE, 0);
	assert_entries(2, NULL);
	assert_true(entries[0].address == 0xffff888000001000 && entries[0].key == 0x1000 &&
		    entries[0].last_key == 0x1fff);
	assert_true(entries[1].address == 0xffff888000002000 && entries[1].key == 0x5000 &&
		    entries[1].last_key == 0x7fff);
	/* One entry alone has no node. */
	put(HEAD + 8, 0xffff888000001000);
	walk(FOLLOW_MAPLE_TREE, 0);
	assert_entries(1, NULL);
}

static void damaged_maple_trees_end(void **state)
{
	static const uint64_t pivots[] = { 0x5000, 0x4000 },
			      slots[] = { 0xffff888000001000, 0xffff888000002000 };

	(void)state;
	put(HEAD + 8, MAPLE(2, 1) | 2);
	put_maple_leaf(2, pivots, slots, 2);
	walk(FOLLOW_MAPLE_TREE, 0);
	assert_entries(1, "has keys out of order");
	put(HEAD + 8, MAPLE(1, 2) | 2);
	put(AT(1) + 128, MAPLE(1, 2));
	put(AT(1) + 8, 0x1000);
	walk(FOLLOW_MAPLE_TREE, 0);
	assert_entries(0, "comes back to where it was");
	put(HEAD + 8, MAPLE(1, 9) | 2);
	walk(FOLLOW_MAPLE_TREE, 0);
	assert_entries(0, "has a node of a kind that can't be there");
}

static void kinds_have_names_and_types(void **state)
{
	enum follow_kind kind;

	(void)state;
	assert_int_equal(follow_kind_find("list_head", &kind), 0);
	assert_int_equal(kind, FOLLOW_LIST);
	assert_int_equal(follow_kind_find("maple", &kind), 0);
	assert_int_equal(kind, FOLLOW_MAPLE_TREE);
	assert_int_equal(follow_kind_find("tree", &kind), -ENOENT);
	assert_true(follow_kind_has_nodes(FOLLOW_RBTREE));
	assert_false(follow_kind_has_nodes(FOLLOW_XARRAY));
}

static int stop(const struct follow_entry *entry, void *context)
{
	(void)context;
	return entry->index == 1 ? -EPIPE : 0;
}

static void visitor_ends_the_walk_with_its_own_code(void **state)
{
	(void)state;
	put_ring(5);
	kernel_forget(kernel);
	assert_int_equal(kernel_follow(kernel, types, FOLLOW_LIST, HEAD, 0, stop, NULL, &end, NULL), -EPIPE);
}

static void kernel_without_such_containers_says_so(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(kernel_follow(kernel, types, FOLLOW_IDR, HEAD, 0, remember, NULL, &end, &err),
			 -ENOENT);
	assert_string_equal(err.text, "this kernel has no idr.idr_rt.xa_head");
}

#define MEMORY_TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MEMORY_TEST(rings_give_all_but_the_head),
		MEMORY_TEST(limit_cuts_a_walk_and_says_so),
		MEMORY_TEST(damaged_rings_end),
		MEMORY_TEST(chains_end_with_null),
		MEMORY_TEST(chain_that_loops_gives_each_node_once),
		MEMORY_TEST(trees_are_walked_in_order),
		MEMORY_TEST(damaged_trees_end),
		MEMORY_TEST(xarrays_give_what_they_hold_by_index),
		MEMORY_TEST(damaged_xarrays_end),
		MEMORY_TEST(maple_trees_give_ranges),
		MEMORY_TEST(damaged_maple_trees_end),
		cmocka_unit_test(kinds_have_names_and_types),
		MEMORY_TEST(visitor_ends_the_walk_with_its_own_code),
		MEMORY_TEST(kernel_without_such_containers_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
