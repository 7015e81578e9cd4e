// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A kernel's own ELF file, read back by libelf: symbols of kallsyms tables of each layout, parts, notes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>
#include <gelf.h>

#include "kallsyms_image.h"
#include "kernel_elf.h"

#define BUILD_ID "00112233445566778899aabbccddeeff01234567"

static struct kallsyms_image *image;
static struct kernel_elf made;
static struct error error;
static Elf *elf;

static void open_made(void)
{
	assert_int_equal(kernel_elf_make(image->kernel, &made, &error), 0);
	elf_version(EV_CURRENT);
	elf = elf_memory((char *)made.file.bytes, made.file.size);
	assert_non_null(elf);
}

static void make_image(enum kallsyms_layout layout, bool has_data)
{
	image = kallsyms_image_begin(layout);
	kallsyms_fill(image, has_data);
	kallsyms_image_finish(image);
	kallsyms_image_publish(image);
	assert_int_equal(kernel_symbols_add_kallsyms(image->kernel->symbols, image->kernel, &error), 0);
}

static int set_up(void **state)
{
	(void)state;
	make_image(OFFSETS_LAST, true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	elf_end(elf);
	elf = NULL;
	kernel_elf_deinit(&made);
	if (image)
		kallsyms_image_destroy(image);
	image = NULL;
	return 0;
}

static Elf_Scn *section_of_type(uint32_t type, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, header) && header->sh_type == type)
			return section;
	return NULL;
}

/* The symbol of @name at @address. */
static bool find(const char *name, uint64_t address, GElf_Sym *ret_symbol)
{
	GElf_Shdr header;
	Elf_Data *data = elf_getdata(section_of_type(SHT_SYMTAB, &header), NULL);

	for (int i = 1; gelf_getsym(data, i, ret_symbol); i++)
		if (ret_symbol->st_value == address &&
		    !strcmp(elf_strptr(elf, header.sh_link, ret_symbol->st_name), name))
			return true;
	return false;
}

static const char *section_name(unsigned number)
{
	GElf_Shdr header;
	size_t names;

	assert_int_equal(elf_getshdrstrndx(elf, &names), 0);
	assert_non_null(gelf_getshdr(elf_getscn(elf, number), &header));
	return elf_strptr(elf, names, header.sh_name);
}

static void every_symbol_is_at_its_address_in_every_layout(void **state)
{
	(void)state;
	for (int layout = 0; layout < KALLSYMS_LAYOUTS; layout++) {
		GElf_Sym symbol;

		make_image(layout, true);
		open_made();
		assert_int_equal(made.symbol_count, image->count);
		for (uint32_t i = 0; i < image->count; i++)
			if (!find(image->symbols[i].name, image->symbols[i].address, &symbol))
				fail_msg("layout %d: no %s", layout, image->symbols[i].name);
		tear_down(NULL);
	}
}

static void functions_reach_to_the_next_symbol(void **state)
{
	GElf_Sym symbol;

	(void)state;
	open_made();
	assert_true(find("function_009", FUNCTION_AT(1), &symbol));
	assert_int_equal(symbol.st_size, 16);
	assert_int_equal(symbol.st_info, GELF_ST_INFO(STB_GLOBAL, STT_FUNC));
	assert_string_equal(section_name(symbol.st_shndx), ".text");
	assert_true(find("function_450", FUNCTION_AT(50), &symbol));
	assert_int_equal(symbol.st_size, 8);
	assert_int_equal(symbol.st_info, GELF_ST_INFO(STB_LOCAL, STT_FUNC));
}

static void data_is_no_function(void **state)
{
	GElf_Sym symbol;

	(void)state;
	open_made();
	assert_true(find("linux_banner", IMAGE_BANNER, &symbol));
	assert_int_equal(symbol.st_info, GELF_ST_INFO(STB_GLOBAL, STT_OBJECT));
	assert_int_equal(symbol.st_size, 0x100);
	assert_string_equal(section_name(symbol.st_shndx), ".image");
}

static void ends_have_no_size(void **state)
{
	GElf_Sym symbol;

	(void)state;
	open_made();
	assert_true(find("_end", IMAGE_TABLES + 0x10000, &symbol));
	assert_int_equal(symbol.st_size, 0);
	assert_int_not_equal(symbol.st_shndx, SHN_ABS);
}

static void symbols_outside_of_the_image_are_absolute(void **state)
{
	GElf_Sym symbol;

	(void)state;
	open_made();
	assert_true(find("cpu_number", 0x5000, &symbol));
	assert_int_equal(symbol.st_shndx, SHN_ABS);
	assert_int_equal(symbol.st_size, 0);
}

static void of_aliases_the_kernels_first_global_one_stands_last(void **state)
{
	GElf_Sym first, second, third;

	(void)state;
	open_made();
	assert_true(find("first_name", IMAGE_BANNER + 0x100, &first)); /* a local one */
	assert_true(find("second_name", IMAGE_BANNER + 0x100, &second));
	assert_true(find("third_name", IMAGE_BANNER + 0x100, &third));
	assert_true(second.st_name > third.st_name && third.st_name > first.st_name);
}

static void local_symbols_come_before_all_others(void **state)
{
	GElf_Shdr header;
	GElf_Sym symbol;
	Elf_Data *data;

	(void)state;
	open_made();
	data = elf_getdata(section_of_type(SHT_SYMTAB, &header), NULL);
	for (int i = 0; gelf_getsym(data, i, &symbol); i++)
		assert_int_equal(GELF_ST_BIND(symbol.st_info) == STB_LOCAL, (unsigned)i < header.sh_info);
}

static void sections_have_no_contents_and_no_gaps(void **state)
{
	Elf_Scn *section = NULL;
	uint64_t at = IMAGE_BASE;
	GElf_Shdr header;

	(void)state;
	open_made();
	while ((section = elf_nextscn(elf, section))) {
		gelf_getshdr(section, &header);
		if (!(header.sh_flags & SHF_ALLOC))
			continue;
		assert_int_equal(header.sh_type, SHT_NOBITS);
		assert_int_equal(header.sh_addr, at);
		at += header.sh_size;
		assert_int_equal((header.sh_flags & SHF_EXECINSTR) != 0, at == IMAGE_DATA - 0x1000);
	}
	assert_int_equal(at, IMAGE_TABLES + 0x10000);
}

static void without_data_symbols_there_are_functions(void **state)
{
	GElf_Sym symbol;

	(void)state;
	tear_down(NULL);
	make_image(OFFSETS_LAST, false);
	open_made();
	assert_true(find("function_009", FUNCTION_AT(1), &symbol));
	assert_string_equal(section_name(symbol.st_shndx), ".text");
}

static void the_kernels_build_id_is_a_note(void **state)
{
	static const uint8_t wanted[] = { 4, 0, 0, 0, 20,  0,   0,   0, 3,    0,
					  0, 0, 'G', 'N', 'U', 0, 0x00, 0x11, 0x22 };
	GElf_Shdr header;
	Elf_Data *data;

	(void)state;
	free(image->kernel->vmcoreinfo);
	image->kernel->vmcoreinfo = strdup("BUILD-ID=" BUILD_ID "\n");
	open_made();
	data = elf_getdata(section_of_type(SHT_NOTE, &header), NULL);
	assert_int_equal(data->d_size, 16 + 20);
	assert_memory_equal(data->d_buf, wanted, sizeof(wanted));
}

static void a_build_id_that_is_none_is_left_out(void **state)
{
	GElf_Shdr header;

	(void)state;
	free(image->kernel->vmcoreinfo);
	image->kernel->vmcoreinfo = strdup("BUILD-ID=0x1\n");
	open_made();
	assert_null(section_of_type(SHT_NOTE, &header));
}

static void a_symbol_of_two_sources_is_there_once(void **state)
{
	char path[] = "/tmp/dill-test-elf-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	dprintf(fd, "%llx T function_009\n%llx D linux_banner\n%llx D only_here\n", FUNCTION_AT(1), IMAGE_BANNER,
		IMAGE_BANNER);
	close(fd);
	assert_int_equal(kernel_symbols_add_text(image->kernel->symbols, path, 0, &error), 0);
	unlink(path);
	open_made();
	assert_int_equal(made.symbol_count, image->count + 1);
}

static void without_symbols_there_is_no_file(void **state)
{
	(void)state;
	tear_down(NULL);
	image = kallsyms_image_begin(OFFSETS_LAST);
	assert_int_equal(kernel_elf_make(image->kernel, &made, &error), -ENOENT);
	assert_null(made.file.bytes);
}

static void symbols_that_contradict_the_image_are_refused(void **state)
{
	(void)state;
	image->kernel->layout.base.value = IMAGE_BASE + 0x100000;
	assert_int_equal(kernel_elf_make(image->kernel, &made, &error), -EBADMSG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(every_symbol_is_at_its_address_in_every_layout, tear_down),
		TEST(functions_reach_to_the_next_symbol),
		TEST(data_is_no_function),
		TEST(ends_have_no_size),
		TEST(symbols_outside_of_the_image_are_absolute),
		TEST(of_aliases_the_kernels_first_global_one_stands_last),
		TEST(local_symbols_come_before_all_others),
		TEST(sections_have_no_contents_and_no_gaps),
		TEST(without_data_symbols_there_are_functions),
		TEST(the_kernels_build_id_is_a_note),
		TEST(a_build_id_that_is_none_is_left_out),
		TEST(a_symbol_of_two_sources_is_there_once),
		TEST(without_symbols_there_is_no_file),
		TEST(symbols_that_contradict_the_image_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
