// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* kdump-compressed dumps: whole, flattened, cut off and damaged. The sandbox has tests of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "dump_fixture.h"
#include "kdump_fixture.h"

#include "kdump_file.h"

static const uint8_t qemu_note[440] = { 1, 0, 0, 0, 0xb8, 1, [136] = 0x19 };
static const struct note_spec notes[] = {
	{ "CORE", NT_PRSTATUS, qemu_note, 336 },
	{ "QEMU", 0, qemu_note, sizeof(qemu_note) },
	{ "VMCOREINFO", 0, "OSRELEASE=6.1.0\n", 16 },
};

static struct image good_dump(void)
{
	return image_kdump(notes, 3);
}

static struct memory_source *open_image(const struct image *image)
{
	struct memory_source *source = NULL;
	struct error err = { 0 };

	if (image_open(image, &source, &err))
		fail_msg("%s", err.text);
	return source;
}

/*
 * Equal, or zeros from somewhere on: libkdumpfile fills up the page that a file's end cuts through. Returns whether
 * it did.
 */
static bool check_page(const uint8_t *page, const uint8_t *expected)
{
	static const uint8_t zeros[KDUMP_PAGE];
	size_t same = 0;

	while (same < KDUMP_PAGE && page[same] == expected[same])
		same++;
	assert_memory_equal(page + same, zeros, KDUMP_PAGE - same);
	return same < KDUMP_PAGE;
}

/* How many pages can be read; their contents must be right when @is_true, but for one where a file is cut off. */
static size_t read_pages(struct memory_source *source, bool is_true)
{
	uint8_t page[KDUMP_PAGE], expected[KDUMP_PAGE];
	size_t readable = 0, filled_up = 0;

	for (unsigned int number = 0; number < KDUMP_PAGES; number++) {
		if (memory_source_read(source, SPACE_PHYSICAL, number * KDUMP_PAGE, page, KDUMP_PAGE, NULL))
			continue;
		readable++;
		kdump_page_contents(number, expected);
		if (is_true)
			filled_up += check_page(page, expected);
	}
	assert_true(filled_up <= 1);
	return readable;
}

static void check_good(struct memory_source *source)
{
	assert_string_equal(source->ops->name, "kdump");
	assert_true(source->has_space[SPACE_PHYSICAL]);
	assert_false(source->has_space[SPACE_VIRTUAL]);
	assert_int_equal(read_pages(source, true), KDUMP_PAGES - 1);
	assert_int_equal(word_at(source, SPACE_PHYSICAL, 60 * KDUMP_PAGE + 4088), WORD_MARK + 60 * KDUMP_PAGE + 4088);
	assert_unreadable(source, 7 * KDUMP_PAGE, 8);
	assert_unreadable(source, KDUMP_PAGES * KDUMP_PAGE, 8);
	assert_unreadable(source, UINT64_MAX - 4095, 8);
	assert_int_equal(word_at(source, SPACE_VIRTUAL, 0), 0);
	assert_int_equal(source->ram_count, 2);
	assert_int_equal(source->ram[0].size, 7 * KDUMP_PAGE);
	assert_int_equal(source->ram[1].start, 8 * KDUMP_PAGE);
	assert_int_equal(source->ram[1].size, (KDUMP_PAGES - 8) * KDUMP_PAGE);
	assert_string_equal(source->vmcoreinfo, "OSRELEASE=6.1.0\n");
	assert_int_equal(source->cpu_count, 1);
	assert_int_equal(source->cpus[0].rip, 0x19);
	memory_source_close(source);
}

static void pages_of_every_compression_are_read(void **state)
{
	struct image image = good_dump();

	(void)state;
	check_good(open_image(&image));
	free(image.bytes);
}

static void a_flattened_dump_is_put_in_order(void **state)
{
	struct image image = good_dump();

	(void)state;
	for (size_t piece = 1000; piece < 100000; piece *= 5) {
		struct image flat = image_flattened(&image, piece);

		check_good(open_image(&flat));
		free(flat.bytes);
	}
	free(image.bytes);
}

static void vmcoreinfo_is_found_without_notes(void **state)
{
	struct image image = image_kdump(NULL, 0);
	struct memory_source *source;

	(void)state;
	put64(image.bytes + KDUMP_PAGE + 32, KDUMP_PAGE + 2000);
	put64(image.bytes + KDUMP_PAGE + 40, 10);
	memcpy(image.bytes + KDUMP_PAGE + 2000, "PAGESIZE=4096", 13);
	source = open_image(&image);
	assert_string_equal(source->vmcoreinfo, "PAGESIZE=4");
	assert_int_equal(source->cpu_count, 0);
	memory_source_close(source);
	free(image.bytes);
}

/* As with all damage: an error or less memory, never more, and the child is gone afterwards. */
static size_t open_damaged(const struct image *image, bool is_true)
{
	struct memory_source *source = NULL;
	struct error err = { 0 };
	size_t readable = 0;
	int status = image_open(image, &source, &err);

	if (status) {
		assert_int_equal(status, err.code);
		assert_true(err.text[0]);
		assert_null(source);
	} else {
		readable = read_pages(source, is_true);
		memory_source_close(source);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	return readable;
}

static void a_dump_cut_off_anywhere_gives_what_is_left(void **state)
{
	struct image image = good_dump();
	size_t whole = image.size, readable = 0;

	(void)state;
	for (size_t cut = 16; cut < whole; cut += cut < 600 ? 97 : 1499) {
		image.size = cut;
		readable = open_damaged(&image, true);
		assert_true(readable < KDUMP_PAGES);
	}
	assert_true(readable > KDUMP_PAGES / 2);
	free(image.bytes);
}

static void a_flattened_dump_cut_off_anywhere_gives_what_is_left(void **state)
{
	struct image image = good_dump();
	struct image flat = image_flattened(&image, 3000);
	size_t whole = flat.size;

	(void)state;
	for (size_t cut = 16; cut < whole; cut += 4999) {
		flat.size = cut;
		open_damaged(&flat, false);
	}
	free(flat.bytes);
	free(image.bytes);
}

static void records_of_absurd_size_do_no_harm(void **state)
{
	static const uint64_t absurd[] = { 0, 1, INT64_MAX, 1ULL << 63, UINT64_MAX, (1ULL << 46) - 1, 1ULL << 46 };
	struct image image = good_dump();
	struct image flat = image_flattened(&image, 3000);

	(void)state;
	for (size_t at = 4096; at < 4096 + 16; at += 8) {
		for (size_t i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
			uint8_t saved[8];

			memcpy(saved, flat.bytes + at, 8);
			put64(flat.bytes + at, htobe64(absurd[i]));
			open_damaged(&flat, false);
			memcpy(flat.bytes + at, saved, 8);
		}
	}
	free(flat.bytes);
	free(image.bytes);
}

/* Headers, bitmaps and descriptors: where a decoder is hurt most. */
static void random_damage_is_an_error_or_less_memory(void **state)
{
	struct image image = good_dump();
	uint8_t *whole = malloc(image.size);
	uint32_t random = 1;

	(void)state;
	memcpy(whole, image.bytes, image.size);
	for (int round = 0; round < 300; round++) {
		for (int i = 0; i < 1 + round % 6; i++) {
			static const uint32_t parts[][2] = { { 0, 16 }, { 424, 40 }, { 4096, 112 }, { 4608, 200 },
							     { 8192, 16 }, { 12288, 16 }, { 16384, 1512 },
							     { 17896, 8000 } };
			const uint32_t *part;

			random = random * 1664525 + 1013904223;
			part = parts[(random >> 28) % 8];
			image.bytes[part[0] + (random >> 12) % part[1]] = (uint8_t)(random >> 4);
		}
		if (kdump_file_is_kdump((char *)image.bytes))
			open_damaged(&image, false);
		memcpy(image.bytes, whole, image.size);
	}
	free(whole);
	free(image.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_of_every_compression_are_read),
		cmocka_unit_test(a_flattened_dump_is_put_in_order),
		cmocka_unit_test(vmcoreinfo_is_found_without_notes),
		cmocka_unit_test(a_dump_cut_off_anywhere_gives_what_is_left),
		cmocka_unit_test(a_flattened_dump_cut_off_anywhere_gives_what_is_left),
		cmocka_unit_test(records_of_absurd_size_do_no_harm),
		cmocka_unit_test(random_damage_is_an_error_or_less_memory),
	};

	if (!kdump_file_decoder()) {
		printf("SKIP: built without libkdumpfile\n");
		return 77;
	}
	alarm(300);
	return cmocka_run_group_tests_name("source_kdump", tests, NULL, NULL);
}
