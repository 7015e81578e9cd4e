// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Files that are written as a whole; and the bytes that go into them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "byte_writer.h"
#include "new_file.h"

static char folder[] = "/tmp/dill-test-file-XXXXXX";
static char path[64], other[64];
static struct new_file file;
static struct error error;

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/dill-test-file-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	return 0;
}

/* Fails when anything else is left than the two names. */
static int drop_folder(void **state)
{
	(void)state;
	new_file_deinit(&file);
	unlink(path);
	unlink(other);
	return rmdir(folder);
}

static void assert_content(const char *name, const char *wanted)
{
	char text[64] = "";
	FILE *stream = fopen(name, "re");

	assert_non_null(stream);
	assert_int_equal(fread(text, 1, sizeof(text), stream), strlen(wanted));
	fclose(stream);
	assert_string_equal(text, wanted);
}

static void write_old(const char *name)
{
	FILE *stream = fopen(name, "we");

	assert_non_null(stream);
	assert_true(fputs("old", stream) >= 0);
	fclose(stream);
}

static void where_nothing_was_a_file_of_the_owners_alone_appears(void **state)
{
	struct stat at;

	(void)state;
	assert_int_equal(new_file_open(&file, path, &error), 0);
	assert_int_equal(new_file_write(&file, "new", 3, &error), 0);
	assert_int_equal(new_file_finish(&file, &error), 0);
	assert_content(path, "new");
	assert_int_equal(stat(path, &at), 0);
	assert_int_equal(at.st_mode & 07777, 0600);
}

static void an_older_file_is_there_until_the_new_one_is_whole(void **state)
{
	(void)state;
	write_old(path);
	assert_int_equal(new_file_open(&file, path, &error), 0);
	assert_int_equal(new_file_write(&file, "new", 3, &error), 0);
	assert_content(path, "old");
	assert_int_equal(new_file_finish(&file, &error), 0);
	assert_content(path, "new");
}

static void of_a_file_that_is_given_up_nothing_stays(void **state)
{
	(void)state;
	assert_int_equal(new_file_open(&file, path, &error), 0);
	new_file_deinit(&file);
	assert_int_equal(access(path, F_OK), -1);
	write_old(path);
	assert_int_equal(new_file_open(&file, path, &error), 0);
	new_file_deinit(&file);
	assert_content(path, "old");
}

static void links_and_devices_are_refused(void **state)
{
	(void)state;
	write_old(other);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(new_file_open(&file, path, &error), -EINVAL);
	assert_content(other, "old");
	assert_int_equal(new_file_open(&file, "/dev/null", &error), -EINVAL);
	assert_int_equal(new_file_open(&file, "/nowhere/file", &error), -ENOENT);
}

static void numbers_of_variable_length_are_dwarfs(void **state)
{
	static const uint8_t wanted[] = { 2, 0x7f, 0x80, 1, 0x80, 0x64, 2, 0x7e, 0xff, 0, 0x81, 0x7f, 0x80, 0x7f };
	struct byte_writer writer = { 0 };

	(void)state; /* DWARF 5, figures 22 and 23 */
	put_uleb(&writer, 2);
	put_uleb(&writer, 127);
	put_uleb(&writer, 128);
	put_uleb(&writer, 12800);
	put_sleb(&writer, 2);
	put_sleb(&writer, -2);
	put_sleb(&writer, 127);
	put_sleb(&writer, -127);
	put_sleb(&writer, -128);
	assert_int_equal(writer.size, sizeof(wanted));
	assert_memory_equal(writer.bytes, wanted, sizeof(wanted));
	byte_writer_deinit(&writer);
}

static void extreme_numbers_of_variable_length_are_whole(void **state)
{
	struct byte_writer writer = { 0 };

	(void)state;
	put_uleb(&writer, UINT64_MAX);
	assert_int_equal(writer.size, 10);
	assert_int_equal(writer.bytes[9], 1);
	put_sleb(&writer, INT64_MIN);
	assert_int_equal(writer.size, 20);
	assert_int_equal(writer.bytes[19], 0x7f);
	byte_writer_deinit(&writer);
}

static void padding_and_patches_keep_within_bounds(void **state)
{
	struct byte_writer writer = { 0 };

	(void)state;
	put_text(&writer, "ab");
	put_padding(&writer, 8, 0xcc);
	assert_int_equal(writer.size, 8);
	put_padding(&writer, 8, 0xcc);
	assert_int_equal(writer.size, 8);
	patch_number(&writer, 4, 0x12345678, 4);
	patch_number(&writer, 5, 0, 4);
	assert_memory_equal(writer.bytes, "ab\0\xcc\x78\x56\x34\x12", 8);
	byte_writer_deinit(&writer);
}

static void too_much_is_a_failure_that_sticks(void **state)
{
	struct byte_writer writer = { 0 };

	(void)state;
	put_text(&writer, "ab");
	writer.size = BYTE_WRITER_MAX - 1;
	put_number(&writer, 0, 2);
	assert_int_equal(writer.status, -ENOMEM);
	assert_int_equal(writer.size, BYTE_WRITER_MAX - 1);
	put_number(&writer, 0, 1);
	assert_int_equal(writer.size, BYTE_WRITER_MAX - 1);
	byte_writer_deinit(&writer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, drop_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(where_nothing_was_a_file_of_the_owners_alone_appears),
		TEST(an_older_file_is_there_until_the_new_one_is_whole),
		TEST(of_a_file_that_is_given_up_nothing_stays),
		TEST(links_and_devices_are_refused),
		cmocka_unit_test(numbers_of_variable_length_are_dwarfs),
		cmocka_unit_test(extreme_numbers_of_variable_length_are_whole),
		cmocka_unit_test(padding_and_patches_keep_within_bounds),
		cmocka_unit_test(too_much_is_a_failure_that_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
