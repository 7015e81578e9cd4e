// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Damaged kallsyms tables: what is whole is found, what is not is refused, and nothing hangs or reads too
 * far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kallsyms_image.h"

static struct kallsyms_image *image;
static struct kallsyms *kallsyms;

static int tear_down(void **state)
{
	(void)state;
	kallsyms_close(kallsyms);
	kallsyms = NULL;
	kallsyms_image_destroy(image);
	return 0;
}

static void open_whole(enum kallsyms_layout layout)
{
	image = kallsyms_image_create(layout);
	assert_int_equal(kallsyms_open(image->kernel, &kallsyms, NULL), 0);
}

/* After an open image was changed under it. */
static void forget(void)
{
	kernel_forget(image->kernel);
	kallsyms->block_number = UINT32_MAX;
}

static void assert_refused(void)
{
	struct error err = { 0 };

	kernel_forget(image->kernel);
	assert_true(kallsyms_open(image->kernel, &kallsyms, &err) < 0);
	assert_null(kallsyms);
	assert_true(err.text[0]);
}

/* Every question there is; the answers may be anything. */
static void ask_everything(void)
{
	char name[KALLSYMS_NAME_SIZE], type;
	uint64_t address, start, end;

	for (uint32_t i = 0; i < image->count; i += 37) {
		kallsyms_name(kallsyms, i, name, &type);
		kallsyms_address(kallsyms, i, &address);
		kallsyms_at(kallsyms, FUNCTION_AT(i) + 3, name, sizeof(name), &start, &end);
		kallsyms_find(kallsyms, image->symbols[i].name, &address);
	}
	kallsyms_at(kallsyms, UINT64_MAX, name, sizeof(name), &start, &end);
	kallsyms_at(kallsyms, 0, name, sizeof(name), &start, &end);
}

static void an_image_without_tables_has_none(void **state)
{
	(void)state;
	image = kallsyms_image_begin(OFFSETS_LAST);
	assert_refused();
}

static void ten_digits_alone_are_no_token_table(void **state)
{
	static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";

	(void)state;
	image = kallsyms_image_begin(OFFSETS_LAST);
	for (uint64_t at = IMAGE_BASE + 0x2000; at < IMAGE_TABLES; at += 0x400)
		memcpy(kallsyms_byte(image, at), digits, sizeof(digits));
	assert_refused();
}

static void digits_without_end_are_given_up(void **state)
{
	(void)state;
	image = kallsyms_image_begin(OFFSETS_LAST);
	for (uint64_t at = IMAGE_BASE; at + 2 < IMAGE_BASE + IMAGE_SIZE; at += 2)
		*kallsyms_byte(image, at) = '0' + at / 2 % 10;
	assert_refused();
}

static void a_token_table_without_end_is_refused(void **state)
{
	(void)state;
	image = kallsyms_image_create(OFFSETS_LAST);
	memset(kallsyms_byte(image, image->places.token_table + 100), 'x',
	       IMAGE_BASE + IMAGE_SIZE - image->places.token_table - 100);
	assert_refused();
	kallsyms_image_publish(image);
	assert_refused();
}

static void token_numbers_that_disagree_with_the_tokens_are_refused(void **state)
{
	(void)state;
	image = kallsyms_image_create(OFFSETS_LAST);
	*kallsyms_byte(image, image->places.token_index + 300) ^= 1;
	assert_refused();
	kallsyms_image_publish(image);
	assert_refused();
}

static void counts_that_do_not_fit_the_names_are_refused(void **state)
{
	static const uint32_t counts[] = { 0, 1, 300, 1000000, 0x7fffffff, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		for (int is_published = 0; is_published < 2; is_published++) {
			image = kallsyms_image_create(OFFSETS_FIRST);
			kallsyms_put32(image, image->places.num_syms, counts[i]);
			if (is_published)
				kallsyms_image_publish(image);
			assert_refused();
			kallsyms_image_destroy(image);
		}
	}
	image = kallsyms_image_begin(OFFSETS_FIRST);
}

static void of_truncated_names_vmcoreinfo_saves_the_first(void **state)
{
	uint64_t address;

	(void)state;
	image = kallsyms_image_create(OFFSETS_LAST);
	memset(kallsyms_byte(image, image->places.names + 2000), 0,
	       image->names_end - image->places.names - 2000);
	assert_refused();
	kallsyms_image_publish(image);
	assert_int_equal(kallsyms_open(image->kernel, &kallsyms, NULL), 0);
	assert_int_equal(kallsyms->seqs, 0);
	assert_int_equal(kallsyms_find(kallsyms, "function_009", &address), 0);
	assert_int_equal(address, FUNCTION_AT(1));
	assert_int_equal(kallsyms_find(kallsyms, image->symbols[500].name, &address), -ENOENT);
	ask_everything();
}

static void addresses_that_do_not_lead_to_the_banner_are_refused(void **state)
{
	(void)state;
	for (int layout = 0; layout < KALLSYMS_LAYOUTS; layout++) {
		image = kallsyms_image_create(layout);
		strcpy((char *)kallsyms_byte(image, IMAGE_BANNER), "Minix");
		assert_refused();
		kallsyms_image_destroy(image);
	}
	image = kallsyms_image_begin(OFFSETS_LAST);
}

static void markers_that_decrease_are_refused(void **state)
{
	char name[KALLSYMS_NAME_SIZE], type;

	(void)state;
	open_whole(OFFSETS_LAST);
	kallsyms->markers[1] = kallsyms->markers[2] + 1;
	forget();
	assert_int_equal(kallsyms_name(kallsyms, 256, name, &type), -EBADMSG);
	assert_int_equal(kallsyms_name(kallsyms, 600, name, &type), 0);
	kallsyms->markers[2] = UINT32_MAX;
	forget();
	assert_int_equal(kallsyms_name(kallsyms, 256, name, &type), -EBADMSG);
	assert_int_equal(kallsyms_name(kallsyms, 600, name, &type), -EFAULT);
	kallsyms->markers[1] = kallsyms->markers[0];
	forget();
	assert_int_equal(kallsyms_name(kallsyms, 0, name, &type), -EBADMSG);
}

static void a_name_of_no_length_ends_its_block_alone(void **state)
{
	char name[KALLSYMS_NAME_SIZE], type;

	(void)state;
	open_whole(OFFSETS_LAST);
	*kallsyms_byte(image, image->places.names + kallsyms->markers[1]) = 0;
	forget();
	assert_int_equal(kallsyms_name(kallsyms, 255, name, &type), 0);
	assert_int_equal(kallsyms_name(kallsyms, 256, name, &type), -EBADMSG);
	assert_int_equal(kallsyms_name(kallsyms, 511, name, &type), -EBADMSG);
	assert_int_equal(kallsyms_name(kallsyms, 512, name, &type), 0);
}

static void names_that_run_out_of_their_block_are_refused(void **state)
{
	char name[KALLSYMS_NAME_SIZE], type;
	uint64_t first;

	(void)state;
	open_whole(OFFSETS_LAST);
	first = image->places.names + kallsyms->markers[1];
	*kallsyms_byte(image, first) = 0xff;
	*kallsyms_byte(image, first + 1) = 0xff;
	forget();
	assert_int_equal(kallsyms_name(kallsyms, 256, name, &type), -EBADMSG);
}

/* A token of 3000 characters, many times in one name. */
static void names_that_expand_without_end_are_cut(void **state)
{
	char name[KALLSYMS_NAME_SIZE], type;

	(void)state;
	open_whole(OFFSETS_LAST);
	memset(kallsyms->tokens, 'y', 3000);
	kallsyms->tokens[3000] = 0;
	for (int i = 0; i < 256; i++)
		kallsyms->token_start[i] = 0;
	for (uint32_t i = 0; i < image->count; i++) {
		assert_int_equal(kallsyms_name(kallsyms, i, name, &type), 0);
		assert_int_equal(strlen(name), KALLSYMS_NAME_SIZE - 1);
		assert_int_equal(type, 'y');
	}
}

static void a_name_of_empty_tokens_is_none(void **state)
{
	char name[KALLSYMS_NAME_SIZE], type;

	(void)state;
	open_whole(OFFSETS_LAST);
	memset(kallsyms->tokens, 0, 3000);
	assert_int_equal(kallsyms_name(kallsyms, 3, name, &type), -EBADMSG);
}

static void an_order_of_impossible_numbers_finds_nothing(void **state)
{
	uint64_t address;

	(void)state;
	open_whole(OFFSETS_LAST);
	memset(kallsyms_byte(image, image->seqs), 0xff, 3 * image->count);
	forget();
	assert_int_equal(kallsyms_find(kallsyms, "linux_banner", &address), -EBADMSG);
}

static void zeros_are_no_order(void **state)
{
	(void)state;
	image = kallsyms_image_create(OFFSETS_LAST);
	memset(kallsyms_byte(image, image->seqs), 0, 3 * image->count);
	assert_int_equal(kallsyms_open(image->kernel, &kallsyms, NULL), 0);
	assert_int_equal(kallsyms->seqs, 0);
	ask_everything();
}

static void tables_that_vanish_leave_errors(void **state)
{
	char name[KALLSYMS_NAME_SIZE], type;
	uint64_t address, start;

	(void)state;
	open_whole(OFFSETS_FIRST);
	image->memory->is_gone = true;
	forget();
	assert_int_equal(kallsyms_name(kallsyms, 3, name, &type), -EFAULT);
	assert_int_equal(kallsyms_address(kallsyms, 3, &address), -EFAULT);
	assert_int_equal(kallsyms_at(kallsyms, FUNCTION_AT(3), name, sizeof(name), &start, NULL), -EFAULT);
}

static void pages_that_are_missing_end_without_harm(void **state)
{
	(void)state;
	for (int layout = 0; layout < KALLSYMS_LAYOUTS; layout++) {
		image = kallsyms_image_create(layout);
		for (int is_published = 0; is_published < 2; is_published++) {
			for (uint64_t page = IMAGE_TABLES; page < image->end; page += PAGE) {
				image->memory->hole = page;
				kernel_forget(image->kernel);
				if (kallsyms_open(image->kernel, &kallsyms, NULL))
					continue;
				ask_everything();
				kallsyms_close(kallsyms);
				kallsyms = NULL;
			}
			if (!is_published)
				kallsyms_image_publish(image);
		}
		kallsyms_image_destroy(image);
	}
	image = kallsyms_image_begin(OFFSETS_LAST);
}

/* Words all over the tables replaced by garbage. */
static void garbage_anywhere_ends_without_harm(void **state)
{
	static const uint32_t garbage[] = { 0, UINT32_MAX, 0x80808080, 0x00100003 };

	(void)state;
	for (int layout = 0; layout < KALLSYMS_LAYOUTS; layout++) {
		image = kallsyms_image_create(layout);
		kallsyms_image_publish(image);
		for (uint64_t at = IMAGE_TABLES; at < image->end; at += 412) {
			uint32_t before;

			memcpy(&before, kallsyms_byte(image, at), 4);
			for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
				kallsyms_put32(image, at, garbage[i]);
				kernel_forget(image->kernel);
				if (kallsyms_open(image->kernel, &kallsyms, NULL))
					continue;
				ask_everything();
				kallsyms_close(kallsyms);
				kallsyms = NULL;
			}
			kallsyms_put32(image, at, before);
		}
		kallsyms_image_destroy(image);
	}
	image = kallsyms_image_begin(OFFSETS_LAST);
}

#define TEST(test) cmocka_unit_test_teardown(test, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_image_without_tables_has_none),
		TEST(ten_digits_alone_are_no_token_table),
		TEST(digits_without_end_are_given_up),
		TEST(a_token_table_without_end_is_refused),
		TEST(token_numbers_that_disagree_with_the_tokens_are_refused),
		TEST(counts_that_do_not_fit_the_names_are_refused),
		TEST(of_truncated_names_vmcoreinfo_saves_the_first),
		TEST(addresses_that_do_not_lead_to_the_banner_are_refused),
		TEST(markers_that_decrease_are_refused),
		TEST(a_name_of_no_length_ends_its_block_alone),
		TEST(names_that_run_out_of_their_block_are_refused),
		TEST(names_that_expand_without_end_are_cut),
		TEST(a_name_of_empty_tokens_is_none),
		TEST(an_order_of_impossible_numbers_finds_nothing),
		TEST(zeros_are_no_order),
		TEST(tables_that_vanish_leave_errors),
		TEST(pages_that_are_missing_end_without_harm),
		TEST(garbage_anywhere_ends_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
