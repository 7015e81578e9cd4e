// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * ELF cores that are cut off, contradict themselves or were written to do harm: what the file truly holds can be
 * read, the rest is unreadable, nothing crashes, hangs or takes memory that the file doesn't account for. Meant to
 * be run under the address sanitizer too. The damage is the same in every run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "dump_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct load_spec two_loads[] = {
	{ DIRECT_MAP, 0, 0x2000, 0x2000 },
	{ DIRECT_MAP + 0x10000, 0x10000, 0x2000, 0x2000 },
};

static struct image good_core(void)
{
	static const uint8_t state[440];
	static const uint8_t prstatus[336];
	const struct note_spec notes[] = {
		{ "CORE", NT_PRSTATUS, prstatus, sizeof(prstatus) },
		{ "QEMU", 0, state, sizeof(state) },
		{ "VMCOREINFO", 0, "OSRELEASE=6.1\n", 14 },
	};

	return image_core(two_loads, COUNT(two_loads), notes, COUNT(notes));
}

/* Read about everything. Returns how many of the sampled words could be read; those must be right. */
static size_t ask_everything(const struct image *image, bool is_true)
{
	struct memory_source *source = NULL;
	struct error err = { 0 };
	size_t readable = 0;
	int status = image_open(image, &source, &err);

	if (status) {
		assert_int_equal(status, err.code);
		assert_true(err.text[0]);
		assert_null(source);
		return 0;
	}
	for (uint64_t address = 0; address < 0x13000; address += 0x1f8) {
		uint64_t word = word_at(source, SPACE_PHYSICAL, address);

		readable += word != 0;
		if (word && is_true)
			assert_int_equal(word, WORD_MARK + address);
		word_at(source, SPACE_VIRTUAL, DIRECT_MAP + address);
	}
	for (size_t i = 1; i < source->ram_count; i++)
		assert_true(source->ram[i - 1].start + source->ram[i - 1].size < source->ram[i].start);
	for (size_t i = 0; i < source->mapping_count; i++)
		assert_true(source->mappings[i].size);
	memory_source_close(source);
	return readable;
}

static void a_core_cut_off_anywhere_gives_what_is_left(void **state)
{
	struct image image = good_core();
	size_t whole = ask_everything(&image, true), size = image.size, before = 0;

	(void)state;
	assert_true(whole > 30);
	for (size_t cut = 0; cut < size; cut += cut < 0x800 ? 1 : 61) {
		struct image rest = { .bytes = malloc(cut + 1), .size = cut };
		size_t readable;

		memcpy(rest.bytes, image.bytes, cut);
		readable = ask_everything(&rest, true);
		assert_true(readable >= before && readable <= whole);
		before = readable;
		free(rest.bytes);
	}
	assert_true(before + 2 >= whole);
	free(image.bytes);
}

static void a_file_cut_off_while_it_is_read_is_unreadable_from_there_on(void **state)
{
	struct image image = good_core();
	struct memory_source *source;
	char copy[0x2000];
	int fd;

	(void)state;
	assert_int_equal(source_file_open(image_file(image.bytes, image.size, &fd), &source, NULL), 0);
	assert_physical(source, 0x10000, 0x2000);
	assert_int_equal(ftruncate(fd, (off_t)image.size - 0x1000), 0);
	assert_physical(source, 0x10000, 0x1000);
	assert_unreadable(source, 0x11000, 8);
	assert_int_equal(memory_source_read(source, SPACE_PHYSICAL, 0x10000, copy, 0x2000, NULL), -EFAULT);
	memory_source_close(source);
	close(fd);
	free(image.bytes);
}

static void loads_that_overlap_have_each_byte_once(void **state)
{
	static const struct load_spec loads[] = {
		{ 0, 0x3000, 0x1000, 0x1000 }, { 0, 0x1000, 0x4000, 0x4000 }, { 0, 0x4000, 0x3000, 0x3000 },
		{ 0, 0x1000, 0x1000, 0x1000 }, { 0, 0x1000, 0x4000, 0x4000 }, { 0, 0x6800, 0x1000, 0x1000 },
	};
	struct image image = image_core(loads, COUNT(loads), NULL, 0);
	struct memory_source *source;

	(void)state;
	assert_int_equal(image_open(&image, &source, NULL), 0);
	assert_int_equal(source->ram_count, 1);
	assert_int_equal(source->ram[0].start, 0x1000);
	assert_int_equal(source->ram[0].size, 0x6800);
	assert_physical(source, 0x1000, 0x6800);
	memory_source_close(source);
	free(image.bytes);
}

/* Each field of the headers, overwritten by numbers that are likely to upset arithmetic. */
static void absurd_numbers_in_headers_do_no_harm(void **state)
{
	static const uint64_t absurd[] = { 0, 1, 7, 0xffff, 0x7fffffff, 0xffffffff, 0x100000000, INT64_MAX,
					   1ULL << 63, UINT64_MAX - 7, UINT64_MAX };
	struct image image = good_core();
	size_t header_bytes = sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr) + 64;

	(void)state;
	for (size_t at = 16; at + 8 <= header_bytes; at += 2) {
		for (size_t i = 0; i < 3 * COUNT(absurd); i++) {
			size_t width = (size_t)2 << i / COUNT(absurd);
			uint8_t saved[8];

			memcpy(saved, image.bytes + at, 8);
			memcpy(image.bytes + at, &absurd[i % COUNT(absurd)], width);
			ask_everything(&image, false);
			memcpy(image.bytes + at, saved, 8);
		}
	}
	free(image.bytes);
}

static void random_damage_does_no_harm(void **state)
{
	struct image image = good_core();
	uint8_t *damaged = malloc(image.size);
	uint32_t random = 1;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct image copy = { .bytes = damaged, .size = image.size };

		memcpy(damaged, image.bytes, image.size);
		for (int i = 0; i < 1 + round % 8; i++) {
			random = random * 1664525 + 1013904223;
			damaged[(random >> 8) % 0x640] = (uint8_t)(random >> 24);
		}
		ask_everything(&copy, false);
	}
	free(damaged);
	free(image.bytes);
}

/* A count of headers that the file doesn't have costs no memory. */
static void a_false_count_of_headers_takes_no_memory(void **state)
{
	struct image image = good_core();
	Elf64_Shdr section = { .sh_info = UINT32_MAX };
	Elf64_Ehdr *header = (Elf64_Ehdr *)image.bytes;
	struct rusage before, after;

	(void)state;
	header->e_phnum = PN_XNUM;
	header->e_shoff = image.size;
	image_append(&image, &section, sizeof(section));
	getrusage(RUSAGE_SELF, &before);
	ask_everything(&image, false);
	getrusage(RUSAGE_SELF, &after);
	assert_true(after.ru_maxrss - before.ru_maxrss < 20000);
	free(image.bytes);
}

/* All PT_NOTEs name the same bytes: a file of a few KB stands for gigabytes of notes. */
static void notes_named_many_times_end(void **state)
{
	const size_t count = 60000;
	Elf64_Ehdr header = elf_header();
	struct image image = { 0 };
	uint8_t *filler = calloc(1, 1 << 20);

	(void)state;
	header.e_phnum = (uint16_t)count;
	image_append(&image, &header, sizeof(header));
	for (size_t i = 0; i < count; i++) {
		Elf64_Phdr note = { .p_type = i ? PT_NOTE : PT_LOAD, .p_filesz = UINT64_MAX / 2, .p_memsz = 1 };

		image_append(&image, &note, sizeof(note));
	}
	image_append(&image, filler, 1 << 20);
	ask_everything(&image, false);
	free(filler);
	free(image.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_core_cut_off_anywhere_gives_what_is_left),
		cmocka_unit_test(a_file_cut_off_while_it_is_read_is_unreadable_from_there_on),
		cmocka_unit_test(loads_that_overlap_have_each_byte_once),
		cmocka_unit_test(absurd_numbers_in_headers_do_no_harm),
		cmocka_unit_test(random_damage_does_no_harm),
		cmocka_unit_test(a_false_count_of_headers_takes_no_memory),
		cmocka_unit_test(notes_named_many_times_end),
	};

	return cmocka_run_group_tests_name("source_file_damage", tests, NULL, NULL);
}
