// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Types of objects: by the name of the cache, and by what stands in the words of an object of kmalloc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "slab_guess.h"
#include "slab_image.h"

#define KERNEL_TEXT 0xffffffff81000000ULL
#define FUNCTION (KERNEL_TEXT + 0x100)
#define TABLE (KERNEL_TEXT + 0xc00000)

enum { DENTRY, EXT4, FILP, MERGED, KMALLOC_128, KMALLOC_256 }; /* caches; slabs at 64 + 2 * number */

static struct slab_image *image;
static struct kernel_types *own_types; /* of struct slab and so on; the image has those to guess from */

static const char symbols[] = "ffffffff81000000 T _text\n"
			      "ffffffff81000100 T wake_function\n"
			      "ffffffff81000180 T next_function\n"
			      "ffffffff81800000 T _etext\n"
			      "ffffffff81c00000 D sample_operations\n"
			      "ffffffff81c00080 D next_table\n";

/* Of 200 bytes: a function, a dentry, a number, a table of operations, and the rest data. */
static void add_waiter(struct btf *btf, const char *name, const int *types, int rest)
{
	btf__add_struct(btf, name, 200);
	for (int i = 0; i < 4; i++)
		add_field(btf, i == 0 ? "a" : i == 1 ? "b" : i == 2 ? "c" : "d", types[i], 8 * i);
	add_field(btf, "rest", rest, 32);
}

/* Each level has 60 members of the level below, all at 0. */
static void add_bomb(struct btf *btf, int u64)
{
	int below = u64;

	for (int level = 0; level < 9; level++) {
		char name[32];
		int own;

		snprintf(name, sizeof(name), "bomb_%d", level);
		own = btf__add_struct(btf, name, 200);
		for (int i = 0; i < 60; i++) {
			snprintf(name, sizeof(name), "m%d", i);
			add_field(btf, name, below, 0);
		}
		below = own;
	}
}

static struct kernel_types *guess_types(void)
{
	struct btf *btf = btf__new_empty();
	struct kernel_types *types = NULL;
	int u32 = btf__add_int(btf, "unsigned int", 4, 0), u64 = btf__add_int(btf, "unsigned long", 8, 0);
	int dentry = btf__add_struct(btf, "dentry", 192), operations, function, rest, to_dentry, to_table;
	const void *bytes;
	uint32_t size;

	add_field(btf, "d_flags", u64, 0);
	btf__add_struct(btf, "ext4_inode_info", 500);
	add_field(btf, "i_data", u64, 0);
	btf__add_struct(btf, "file", 256);
	add_field(btf, "f_mode", u64, 0);
	operations = btf__add_struct(btf, "sample_operations", 64);
	add_field(btf, "owner", u64, 0);
	to_dentry = btf__add_ptr(btf, dentry);
	to_table = btf__add_ptr(btf, btf__add_const(btf, operations));
	function = btf__add_ptr(btf, btf__add_func_proto(btf, u32));
	rest = btf__add_array(btf, u32, u64, 21);
	add_waiter(btf, "just_data", (int[]){ u64, u64, u64, u64 }, rest);
	add_waiter(btf, "waiter_turned", (int[]){ to_dentry, function, to_table, u64 }, rest);
	add_waiter(btf, "waiter", (int[]){ function, to_dentry, u64, to_table }, rest);
	btf__add_struct(btf, "small_waiter", 100);
	add_field(btf, "a", function, 0);
	add_field(btf, "b", to_dentry, 8);
	add_bomb(btf, u64);
	bytes = btf__raw_data(btf, &size);
	assert(!kernel_types_open(bytes, size, "test", &types, NULL));
	btf__free(btf);
	return types;
}

static int set_up(void **state)
{
	static const struct {
		const char *name;
		uint32_t size;
	} caches[] = { { "dentry", 192 },   { "ext4_inode_cache", 512 }, { "filp", 256 },
		       { "cred_jar", 192 }, { "kmalloc-128", 128 },	 { "kmalloc-256", 256 } };

	(void)state;
	image = image_create(SHAPE_SLAB, SLAB_ENCODING_PLAIN);
	for (size_t i = 0; i < sizeof(caches) / sizeof(*caches); i++) {
		image_add_cache(image, caches[i].name, caches[i].size, caches[i].size, 0, 0);
		image_add_slab(image, i, 64 + 2 * i, FREE());
	}
	put32(image, image->caches[FILP] + C_REFCOUNT, 2);
	kernel_name_symbols(image->kernel, symbols);
	image->kernel->layout.base = (struct kernel_fact){ KERNEL_TEXT, "test" };
	assert_int_equal(slab_heap_open(image->kernel, &image->heap, NULL), 0);
	own_types = image->kernel->types;
	image->kernel->types = guess_types();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	image_destroy(image);
	kernel_types_close(own_types);
	return 0;
}

static uint64_t object(unsigned cache, uint32_t index)
{
	return image_object(image, cache, 64 + 2 * cache, index);
}

static size_t guess(unsigned cache, struct slab_guess *guesses)
{
	struct slab_object found;
	size_t count = 77;

	assert_int_equal(slab_object_at(image->heap, object(cache, 2), &found, NULL), 0);
	assert_int_equal(slab_guess_type(image->heap, &found, guesses, &count, NULL), 0);
	return count;
}

static void put_waiter(void)
{
	put64(image, object(KMALLOC_256, 2), FUNCTION);
	put64(image, object(KMALLOC_256, 2) + 8, object(DENTRY, 3));
	put64(image, object(KMALLOC_256, 2) + 16, 1234);
	put64(image, object(KMALLOC_256, 2) + 24, TABLE);
}

static void caches_of_one_type_say_it_by_their_names(void **state)
{
	struct slab_guess guesses[SLAB_GUESSES_MAX];

	(void)state;
	assert_int_equal(guess(DENTRY, guesses), 1);
	assert_string_equal(guesses[0].type, "dentry");
	assert_int_equal(guesses[0].size, 192);
	assert_int_equal(guesses[0].confidence, 99);
	assert_true(guesses[0].is_by_name);
	/* Larger than its type. */
	assert_int_equal(guess(EXT4, guesses), 1);
	assert_string_equal(guesses[0].type, "ext4_inode_info");
	assert_int_equal(guesses[0].confidence, 90);
}

static void a_merged_cache_is_not_believed(void **state)
{
	struct slab_guess guesses[SLAB_GUESSES_MAX];

	(void)state;
	assert_int_equal(guess(FILP, guesses), 0);
	assert_int_equal(guess(MERGED, guesses), 0);
}

static void the_type_whose_pointers_fit_wins(void **state)
{
	struct slab_guess guesses[SLAB_GUESSES_MAX];
	size_t count;

	(void)state;
	put_waiter();
	count = guess(KMALLOC_256, guesses);
	assert_true(count >= 1);
	assert_string_equal(guesses[0].type, "waiter");
	assert_int_equal(guesses[0].size, 200);
	assert_int_equal(guesses[0].matches, 3);
	assert_int_equal(guesses[0].contradictions, 0);
	assert_false(guesses[0].is_by_name);
	assert_true(guesses[0].confidence >= 40);
	for (size_t i = 0; i < count; i++) {
		assert_string_not_equal(guesses[i].type, "just_data");
		assert_string_not_equal(guesses[i].type, "waiter_turned");
	}
}

static void types_that_a_smaller_cache_would_have_got_are_left_out(void **state)
{
	struct slab_guess guesses[SLAB_GUESSES_MAX];

	(void)state;
	put_waiter();
	put64(image, object(KMALLOC_256, 2) + 16, 0);
	put64(image, object(KMALLOC_256, 2) + 24, 0);
	assert_int_equal(guess(KMALLOC_256, guesses), 1);
	assert_string_equal(guesses[0].type, "waiter");
	/* In that cache it would be one. */
	put64(image, object(KMALLOC_128, 2), FUNCTION);
	put64(image, object(KMALLOC_128, 2) + 8, object(DENTRY, 3));
	kernel_forget(image->kernel);
	assert_int_equal(guess(KMALLOC_128, guesses), 1);
	assert_string_equal(guesses[0].type, "small_waiter");
}

static void contradictions_are_counted(void **state)
{
	struct slab_guess before[SLAB_GUESSES_MAX], after[SLAB_GUESSES_MAX];

	(void)state;
	put_waiter();
	guess(KMALLOC_256, before);
	/* A function where the type has data. */
	put64(image, object(KMALLOC_256, 2) + 64, FUNCTION);
	kernel_forget(image->kernel);
	if (guess(KMALLOC_256, after)) {
		assert_string_equal(after[0].type, "waiter");
		assert_int_equal(after[0].contradictions, 1);
		assert_true(after[0].confidence < before[0].confidence);
	}
}

static void an_object_of_zeros_is_of_no_type(void **state)
{
	struct slab_guess guesses[SLAB_GUESSES_MAX];

	(void)state;
	assert_int_equal(guess(KMALLOC_256, guesses), 0);
	assert_int_equal(guess(KMALLOC_128, guesses), 0);
}

static void an_object_that_cannot_be_read_is_an_error(void **state)
{
	struct slab_guess guesses[SLAB_GUESSES_MAX];
	struct slab_object found;
	size_t count;

	(void)state;
	assert_int_equal(slab_object_at(image->heap, object(KMALLOC_256, 2), &found, NULL), 0);
	image->memory->hole = AT_PFN(64 + 2 * KMALLOC_256);
	kernel_forget(image->kernel);
	assert_int_equal(slab_guess_type(image->heap, &found, guesses, &count, NULL), -EFAULT);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* All tests meet the types that are nested without end, see add_bomb(): they would never be through with
 * them. */
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(caches_of_one_type_say_it_by_their_names),
		TEST(a_merged_cache_is_not_believed),
		TEST(the_type_whose_pointers_fit_wins),
		TEST(types_that_a_smaller_cache_would_have_got_are_left_out),
		TEST(contradictions_are_counted),
		TEST(an_object_of_zeros_is_of_no_type),
		TEST(an_object_that_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
