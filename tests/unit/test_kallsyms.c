// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The kallsyms tables in every layout that kernels have had: found, and searched by name and by address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kallsyms_image.h"

static const enum kallsyms_encoding encodings[KALLSYMS_LAYOUTS] = {
	KALLSYMS_ABSOLUTE_PERCPU, KALLSYMS_ABSOLUTE_PERCPU, KALLSYMS_ABSOLUTE_PERCPU,
	KALLSYMS_BASE_RELATIVE,	  KALLSYMS_PLACE_RELATIVE,
};

static struct kallsyms *open_image(struct kallsyms_image *image)
{
	struct kallsyms *kallsyms = NULL;
	struct error err = { 0 };

	if (kallsyms_open(image->kernel, &kallsyms, &err))
		fail_msg("layout %d: %s", image->layout, err.text);
	return kallsyms;
}

static void assert_at(struct kallsyms *kallsyms, uint64_t address, const char *name, uint64_t start,
		      uint64_t end)
{
	char found[KALLSYMS_NAME_SIZE] = "";
	uint64_t ret_start = 0, ret_end = 0;

	assert_int_equal(kallsyms_at(kallsyms, address, found, sizeof(found), &ret_start, &ret_end), 0);
	assert_string_equal(found, name);
	assert_int_equal(ret_start, start);
	assert_int_equal(ret_end, end);
}

static void assert_name(struct kallsyms *kallsyms, const char *name, uint64_t address)
{
	uint64_t found = 0;

	if (kallsyms_find(kallsyms, name, &found))
		fail_msg("%s is not found", name);
	assert_int_equal(found, address);
}

static void assert_every_symbol(struct kallsyms *kallsyms, const struct kallsyms_image *image)
{
	char name[KALLSYMS_NAME_SIZE], type;
	uint64_t address;

	assert_int_equal(kallsyms->count, image->count);
	for (uint32_t i = 0; i < image->count; i++) {
		assert_int_equal(kallsyms_name(kallsyms, i, name, &type), 0);
		assert_string_equal(name, image->symbols[i].name);
		assert_int_equal(type, image->symbols[i].type);
		assert_int_equal(kallsyms_address(kallsyms, i, &address), 0);
		assert_int_equal(address, image->symbols[i].address);
		if (strcmp(name, "function_twice"))
			assert_name(kallsyms, name, address);
	}
	assert_int_equal(kallsyms_name(kallsyms, image->count, name, &type), -ENOENT);
	assert_int_equal(kallsyms_address(kallsyms, image->count, &address), -ENOENT);
}

static void in_every_layout(void (*test)(struct kallsyms_image *image, struct kallsyms *kallsyms))
{
	for (int layout = 0; layout < KALLSYMS_LAYOUTS; layout++) {
		for (int is_published = 0; is_published < 2; is_published++) {
			struct kallsyms_image *image = kallsyms_image_create(layout);
			struct kallsyms *kallsyms;

			if (is_published)
				kallsyms_image_publish(image);
			kallsyms = open_image(image);
			test(image, kallsyms);
			kallsyms_close(kallsyms);
			kallsyms_image_destroy(image);
		}
	}
}

static void find_all(struct kallsyms_image *image, struct kallsyms *kallsyms)
{
	assert_int_equal(kallsyms->encoding, encodings[image->layout]);
	assert_int_equal(kallsyms->offsets, image->places.offsets);
	assert_int_equal(kallsyms->seqs, image->seqs);
	assert_every_symbol(kallsyms, image);
}

static void every_layout_gives_every_symbol(void **state)
{
	(void)state;
	in_every_layout(find_all);
}

static void find_first_of_twice(struct kallsyms_image *image, struct kallsyms *kallsyms)
{
	(void)image;
	assert_name(kallsyms, "function_twice", FUNCTION_AT(50) + 8);
}

static void the_first_of_several_with_one_name_is_found(void **state)
{
	(void)state;
	in_every_layout(find_first_of_twice);
}

static void find_strangers(struct kallsyms_image *image, struct kallsyms *kallsyms)
{
	static const char *const strangers[] = { "",	"a", "function_", "function_700", "function_0001",
						 "zzz", "~" };
	uint64_t address = 1;

	(void)image;
	for (size_t i = 0; i < sizeof(strangers) / sizeof(*strangers); i++)
		assert_int_equal(kallsyms_find(kallsyms, strangers[i], &address), -ENOENT);
	assert_int_equal(address, 1);
}

static void names_that_are_not_there_are_not_found(void **state)
{
	(void)state;
	in_every_layout(find_strangers);
}

static void look_between(struct kallsyms_image *image, struct kallsyms *kallsyms)
{
	(void)image;
	assert_at(kallsyms, FUNCTION_AT(3), "function_027", FUNCTION_AT(3), FUNCTION_AT(4));
	assert_at(kallsyms, FUNCTION_AT(3) + 15, "function_027", FUNCTION_AT(3), FUNCTION_AT(4));
	assert_at(kallsyms, FUNCTION_AT(4), "function_036", FUNCTION_AT(4), FUNCTION_AT(5));
	/* Symbols 255 and 256: names of two blocks. */
	for (uint32_t i = 254; i < 259; i++)
		assert_at(kallsyms, image->symbols[i].address + 1, image->symbols[i].name,
			  image->symbols[i].address, image->symbols[i + 1].address);
}

static void an_address_between_symbols_belongs_to_the_one_below(void **state)
{
	(void)state;
	in_every_layout(look_between);
}

static void look_at_aliases(struct kallsyms_image *image, struct kallsyms *kallsyms)
{
	(void)image;
	assert_at(kallsyms, IMAGE_BASE, "_text", IMAGE_BASE, FUNCTION_AT(0));
	assert_at(kallsyms, IMAGE_BANNER + 0x108, "second_name", IMAGE_BANNER + 0x100,
		  IMAGE_TABLES + 0x10000);
}

static void of_aliases_the_first_global_one_is_named(void **state)
{
	(void)state;
	in_every_layout(look_at_aliases);
}

static void look_at_the_ends(struct kallsyms_image *image, struct kallsyms *kallsyms)
{
	char name[64] = "untouched";
	uint64_t start = 1, end = image->symbols[image->count - 1].address;

	assert_at(kallsyms, end, "_end", end, end);
	assert_int_equal(kallsyms_at(kallsyms, end + 1, name, sizeof(name), &start, NULL), -ENOENT);
	assert_int_equal(kallsyms_at(kallsyms, UINT64_MAX, name, sizeof(name), &start, NULL), -ENOENT);
	if (image->layout <= OFFSETS_LAST)
		assert_at(kallsyms, 0x5008, "cpu_number", 0x5000, IMAGE_BASE);
	else
		assert_int_equal(kallsyms_at(kallsyms, IMAGE_BASE - 1, name, sizeof(name), &start, NULL),
				 -ENOENT);
	assert_string_equal(name, "untouched");
	assert_int_equal(start, 1);
}

static void the_last_symbol_covers_its_own_address_alone(void **state)
{
	(void)state;
	in_every_layout(look_at_the_ends);
}

static void look_with_little_room(struct kallsyms_image *image, struct kallsyms *kallsyms)
{
	char name[8] = "1234567";
	uint64_t start;

	(void)image;
	assert_int_equal(kallsyms_at(kallsyms, FUNCTION_AT(3), name, 5, &start, NULL), 0);
	assert_string_equal(name, "func");
	assert_int_equal(kallsyms_at(kallsyms, FUNCTION_AT(3), name, 0, &start, NULL), 0);
	assert_string_equal(name, "func");
}

static void names_are_cut_to_the_room_there_is(void **state)
{
	(void)state;
	in_every_layout(look_with_little_room);
}

static void where_data_is_hidden_it_has_no_names(void **state)
{
	(void)state;
	for (int layout = 0; layout < KALLSYMS_LAYOUTS; layout++) {
		struct kallsyms_image *image = kallsyms_image_begin(layout);
		struct kallsyms *kallsyms;
		char name[KALLSYMS_NAME_SIZE];
		uint64_t start;

		kallsyms_fill(image, false);
		/* What an image of text has behind its end: exception tables' marks. */
		kallsyms_add(image, "__init_begin", 'T', IMAGE_TABLES + 0x10000);
		kallsyms_image_finish(image);
		kallsyms = open_image(image);
		assert_int_equal(kallsyms->text_end, IMAGE_DATA - 0x1000);
		assert_int_equal(kallsyms->encoding, encodings[layout]);
		assert_at(kallsyms, IMAGE_DATA - 0x1000, "_etext", IMAGE_DATA - 0x1000,
			  IMAGE_TABLES + 0x10000);
		assert_int_equal(kallsyms_at(kallsyms, IMAGE_BANNER, name, sizeof(name), &start, NULL),
				 -ENOENT);
		assert_at(kallsyms, FUNCTION_AT(5) + 1, "function_045", FUNCTION_AT(5), FUNCTION_AT(6));
		kallsyms_close(kallsyms);
		kallsyms_image_destroy(image);
	}
}

static void with_vmcoreinfo_the_base_need_not_be_known(void **state)
{
	struct kallsyms_image *image = kallsyms_image_create(OFFSETS_LAST);
	struct kallsyms *kallsyms = NULL;
	struct error err = { 0 };

	(void)state;
	image->kernel->layout.base.origin = NULL;
	assert_int_equal(kallsyms_open(image->kernel, &kallsyms, &err), -ENOENT);
	assert_null(kallsyms);
	assert_non_null(strstr(err.text, "base"));
	kallsyms_image_publish(image);
	kallsyms = open_image(image);
	assert_name(kallsyms, "function_009", FUNCTION_AT(1));
	kallsyms_close(kallsyms);
	kallsyms_image_destroy(image);
}

static void vmcoreinfo_that_lies_is_not_believed(void **state)
{
	static const char *const lies[] = { "kallsyms_names)=", "kallsyms_num_syms)=",
					    "kallsyms_token_table)=", "kallsyms_offsets)=" };

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct kallsyms_image *image = kallsyms_image_create(OFFSETS_LAST);
		struct kallsyms *kallsyms;
		char *at;

		kallsyms_image_publish(image);
		at = strstr(image->kernel->vmcoreinfo, lies[i]) + strlen(lies[i]);
		memcpy(at, "ffff888000021000", 16);
		kallsyms = open_image(image);
		assert_name(kallsyms, "function_009", FUNCTION_AT(1));
		assert_every_symbol(kallsyms, image);
		kallsyms_close(kallsyms);
		kallsyms_image_destroy(image);
	}
}

static void names_set_one_by_one_go_before_the_tables(void **state)
{
	struct kallsyms_image *image = kallsyms_image_create(OFFSETS_FIRST);
	struct kernel_symbols *symbols = image->kernel->symbols;
	uint64_t address, start, end;
	char name[64];

	(void)state;
	assert_null(kernel_symbols_origin(symbols));
	assert_int_equal(kernel_symbols_add_kallsyms(symbols, image->kernel, NULL), 0);
	assert_string_equal(kernel_symbols_origin(symbols), "kallsyms in memory");
	assert_int_equal(kernel_symbols_count(symbols), image->count);
	assert_int_equal(kernel_symbols_add(symbols, "hidden", FUNCTION_AT(3) + 4), 0);
	assert_int_equal(kernel_symbols_add(symbols, "function_014", 0x1234), 0);
	assert_int_equal(kernel_symbols_find(symbols, "function_014", &address), 0);
	assert_int_equal(address, 0x1234);
	assert_int_equal(kernel_symbols_find(symbols, "function_027", &address), 0);
	assert_int_equal(address, FUNCTION_AT(3));
	assert_int_equal(kernel_symbols_find(symbols, "nowhere", &address), -ENOENT);
	/* A place that was named is no range. */
	assert_int_equal(kernel_symbols_at(symbols, FUNCTION_AT(3) + 4, name, sizeof(name), &start, &end), 0);
	assert_string_equal(name, "hidden");
	assert_int_equal(kernel_symbols_at(symbols, FUNCTION_AT(3) + 5, name, sizeof(name), &start, &end), 0);
	assert_string_equal(name, "function_027");
	assert_int_equal(end, FUNCTION_AT(4));
	assert_int_equal(kernel_symbol_at(image->kernel, FUNCTION_AT(3) + 9, name, sizeof(name), &start), 0);
	assert_int_equal(start, 9);
	assert_int_equal(kernel_symbols_add_kallsyms(symbols, image->kernel, NULL), 0);
	assert_string_equal(kernel_symbols_origin(symbols), "kallsyms in memory");
	kallsyms_image_destroy(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_gives_every_symbol),
		cmocka_unit_test(the_first_of_several_with_one_name_is_found),
		cmocka_unit_test(names_that_are_not_there_are_not_found),
		cmocka_unit_test(an_address_between_symbols_belongs_to_the_one_below),
		cmocka_unit_test(of_aliases_the_first_global_one_is_named),
		cmocka_unit_test(the_last_symbol_covers_its_own_address_alone),
		cmocka_unit_test(names_are_cut_to_the_room_there_is),
		cmocka_unit_test(where_data_is_hidden_it_has_no_names),
		cmocka_unit_test(with_vmcoreinfo_the_base_need_not_be_known),
		cmocka_unit_test(vmcoreinfo_that_lies_is_not_believed),
		cmocka_unit_test(names_set_one_by_one_go_before_the_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
