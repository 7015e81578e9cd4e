// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Symbols of modules as each keeps them, and how modules appear in a kernel's own ELF file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <cmocka.h>
#include <gelf.h>
#include <linux/btf.h>

#include "kernel_elf.h"
#include "kernel_memory.h"
#include "kernel_types.h"
#include "module_symbols.h"
#include "symbol_table.h"

#define HEAD (MEMORY_VIRTUAL + 0x1000)
#define MODULE(i) (MEMORY_VIRTUAL + 0x2000 + 0x400 * (uint64_t)(i))
#define TABLES(i) (MEMORY_VIRTUAL + 0x3000 + 0x100 * (uint64_t)(i)) /* struct mod_kallsyms */
#define SYMBOLS(i) (MEMORY_VIRTUAL + 0x4000 + 0x1000 * (uint64_t)(i))
#define NAMES(i) (MEMORY_VIRTUAL + 0x8000 + 0x1000 * (uint64_t)(i))
#define LETTERS(i) (MEMORY_VIRTUAL + 0xa000 + 0x400 * (uint64_t)(i))
#define MODULE_TEXT(i) (0xffffffffc0000000ULL + 0x10000 * (uint64_t)(i))
#define BASE 0xffffffff81000000ULL

enum { LIST = 8, NAME = 24, KALLSYMS = 80, PARTS = 96, PART_BYTES = 16 };

static struct memory *memory;
static struct kernel *kernel;
static struct symbol_table table;
static unsigned modules;

static void field_of(struct btf *btf, const char *name, int type, unsigned bytes)
{
	assert_int_equal(btf__add_field(btf, name, type, bytes * 8, 0), 0);
}

static struct kernel_types *make_types(bool has_letters)
{
	struct btf *btf = btf__new_empty();
	struct kernel_types *types = NULL;
	int u32 = btf__add_int(btf, "unsigned int", 4, 0), u64 = btf__add_int(btf, "unsigned long", 8, 0);
	int name = btf__add_array(btf, u32, btf__add_int(btf, "char", 1, BTF_INT_SIGNED), 56);
	int list = btf__add_struct(btf, "list_head", 16), part;
	uint32_t size;
	const void *bytes;

	field_of(btf, "next", u64, 0);
	field_of(btf, "prev", u64, 8);
	part = btf__add_struct(btf, "module_memory", PART_BYTES);
	field_of(btf, "base", u64, 0);
	field_of(btf, "size", u32, 8);
	part = btf__add_array(btf, u32, part, 2);
	btf__add_struct(btf, "mod_kallsyms", 32);
	field_of(btf, "symtab", u64, 0);
	field_of(btf, "num_symtab", u32, 8);
	field_of(btf, "strtab", u64, 16);
	if (has_letters)
		field_of(btf, "typetab", u64, 24);
	btf__add_struct(btf, "module", PARTS + 2 * PART_BYTES);
	field_of(btf, "list", list, LIST);
	field_of(btf, "name", name, NAME);
	field_of(btf, "kallsyms", u64, KALLSYMS);
	field_of(btf, "mem", part, PARTS);
	bytes = btf__raw_data(btf, &size);
	assert_int_equal(kernel_types_open(bytes, size, "test", &types, NULL), 0);
	btf__free(btf);
	return types;
}

static void put(uint64_t address, const void *bytes, size_t size)
{
	memcpy(memory->bytes[SPACE_VIRTUAL] + (address - MEMORY_VIRTUAL), bytes, size);
}

static void add_module(const char *name)
{
	unsigned i = modules++;
	uint64_t last = i ? MODULE(i - 1) + LIST : HEAD;

	memory_put_virtual(memory, MODULE(i) + LIST, HEAD);
	memory_put_virtual(memory, MODULE(i) + LIST + 8, last);
	memory_put_virtual(memory, last, MODULE(i) + LIST);
	memory_put_virtual(memory, HEAD + 8, MODULE(i) + LIST);
	put(MODULE(i) + NAME, name, strlen(name) + 1);
	memory_put_virtual(memory, MODULE(i) + KALLSYMS, TABLES(i));
	memory_put_virtual(memory, MODULE(i) + PARTS, MODULE_TEXT(i));
	memory_put_virtual(memory, MODULE(i) + PARTS + 8, 0x1000);
	memory_put_virtual(memory, MODULE(i) + PARTS + PART_BYTES, MODULE_TEXT(i) + 0x4000);
	memory_put_virtual(memory, MODULE(i) + PARTS + PART_BYTES + 8, 0x1000);
	memory_put_virtual(memory, TABLES(i), SYMBOLS(i));
	memory_put_virtual(memory, TABLES(i) + 16, NAMES(i));
	memory_put_virtual(memory, TABLES(i) + 24, LETTERS(i));
}

static void add_symbol(unsigned i, const char *name, char letter, uint64_t address)
{
	static uint32_t used;
	uint32_t number = *(uint32_t *)(memory->bytes[SPACE_VIRTUAL] + (TABLES(i) + 8 - MEMORY_VIRTUAL));
	Elf64_Sym symbol = { .st_shndx = 1, .st_value = address, .st_info = (unsigned char)letter };

	used = number ? used : 1;
	symbol.st_name = used;
	put(NAMES(i) + used, name, strlen(name) + 1);
	used += (uint32_t)strlen(name) + 1;
	put(SYMBOLS(i) + number * sizeof(symbol), &symbol, sizeof(symbol));
	put(LETTERS(i) + number, &letter, 1);
	number++;
	put(TABLES(i) + 8, &number, sizeof(number));
}

static void set_up_as(bool has_letters)
{
	modules = 0;
	memory = memory_create(0, 0x10000);
	kernel = memory_kernel(memory, 0, 0);
	kernel->types = make_types(has_letters);
	kernel->layout.base = (struct kernel_fact){ BASE, "test" };
	kernel_symbols_add(kernel->symbols, "modules", HEAD);
	kernel_symbols_add(kernel->symbols, "_text", BASE);
	kernel_symbols_add(kernel->symbols, "_end", BASE + 0x100000);
	memory_put_virtual(memory, HEAD, HEAD);
	memory_put_virtual(memory, HEAD + 8, HEAD);
	add_module("one");
	add_symbol(0, "one_open", 'T', MODULE_TEXT(0) + 0x10);
	add_symbol(0, "one_close", 't', MODULE_TEXT(0) + 0x30);
	add_symbol(0, "one_state", 'd', MODULE_TEXT(0) + 0x4000);
	add_module("two");
	add_symbol(1, "two_open", 'T', MODULE_TEXT(1) + 0x10);
}

static int set_up(void **state)
{
	(void)state;
	set_up_as(true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	symbol_table_deinit(&table);
	kernel_close(kernel);
	return 0;
}

static void assert_symbol(const char *name, uint64_t wanted)
{
	uint64_t address;

	assert_int_equal(symbol_table_find(&table, name, &address), 0);
	assert_int_equal(address, wanted);
}

static void each_modules_symbols_are_copied_once(void **state)
{
	(void)state;
	assert_int_equal(module_symbols_copy(kernel, &table), 0);
	assert_int_equal(table.count, 4);
	assert_symbol("one_open", MODULE_TEXT(0) + 0x10);
	assert_symbol("one_close", MODULE_TEXT(0) + 0x30);
	assert_symbol("one_state", MODULE_TEXT(0) + 0x4000);
	assert_symbol("two_open", MODULE_TEXT(1) + 0x10);
	assert_int_equal(table.symbols[0].type, 'T');
	assert_int_equal(table.symbols[1].type, 't');
}

static void what_is_not_in_the_module_is_left_out(void **state)
{
	(void)state;
	add_symbol(1, "printk", 'U', MODULE_TEXT(1));
	add_symbol(1, "__crc_two_open", 'a', 0x1234);
	add_symbol(1, "nowhere", 't', 0);
	assert_int_equal(module_symbols_copy(kernel, &table), 0);
	assert_int_equal(table.count, 4);
}

static void older_kernels_keep_letters_in_the_symbols(void **state)
{
	(void)state;
	set_up_as(false);
	memset(memory->bytes[SPACE_VIRTUAL] + (LETTERS(0) - MEMORY_VIRTUAL), 0, 0x800);
	assert_int_equal(module_symbols_copy(kernel, &table), 0);
	assert_int_equal(table.count, 4);
	assert_int_equal(table.symbols[2].type, 'd');
}

static void tables_that_cannot_be_read_are_left_out(void **state)
{
	uint32_t count = UINT32_MAX;

	(void)state;
	put(TABLES(0) + 8, &count, sizeof(count)); /* its letters end somewhere */
	memory_put_virtual(memory, TABLES(1), 0x1000);
	assert_int_equal(module_symbols_copy(kernel, &table), 0);
	assert_symbol("one_open", MODULE_TEXT(0) + 0x10);
	assert_true(table.count < 1000);
}

static void without_modules_there_is_nothing(void **state)
{
	(void)state;
	kernel_types_close(kernel->types);
	kernel->types = NULL;
	assert_int_equal(module_symbols_copy(kernel, &table), -ENOENT);
	assert_int_equal(table.count, 0);
}

/* In the file ---------------------------------------------------------------------------------------------- */

/* The section's name and the symbol, of which there is one with this name. */
static const char *section_of(Elf *elf, const char *name, GElf_Sym *ret_symbol)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;

	assert_int_equal(elf_getshdrstrndx(elf, &names), 0);
	while ((section = elf_nextscn(elf, section))) {
		Elf_Data *data = elf_getdata(section, NULL);

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_SYMTAB)
			continue;
		for (int i = 1; gelf_getsym(data, i, ret_symbol); i++) {
			GElf_Shdr own;

			if (strcmp(elf_strptr(elf, header.sh_link, ret_symbol->st_name), name))
				continue;
			if (ret_symbol->st_shndx == SHN_ABS)
				return "absolute";
			gelf_getshdr(elf_getscn(elf, ret_symbol->st_shndx), &own);
			return elf_strptr(elf, names, own.sh_name);
		}
	}
	return "none";
}

static void modules_have_sections_of_their_own(void **state)
{
	struct kernel_elf made = { 0 };
	struct error error;
	GElf_Sym symbol;
	Elf *elf;

	(void)state;
	assert_int_equal(kernel_elf_make(kernel, &made, &error), 0);
	elf_version(EV_CURRENT);
	elf = elf_memory((char *)made.file.bytes, made.file.size);
	assert_string_equal(section_of(elf, "one_open", &symbol), "one.text");
	assert_int_equal(symbol.st_size, 0x20);
	assert_int_equal(GELF_ST_TYPE(symbol.st_info), STT_FUNC);
	assert_string_equal(section_of(elf, "one_close", &symbol), "one.text");
	assert_int_equal(symbol.st_size, 0x1000 - 0x30); /* to the section's end, not to the next symbol */
	assert_string_equal(section_of(elf, "one_state", &symbol), "one.data");
	assert_string_equal(section_of(elf, "two_open", &symbol), "two.text");
	assert_string_equal(section_of(elf, "_end", &symbol), ".text");
	elf_end(elf);
	kernel_elf_deinit(&made);
}

static void names_that_would_steer_a_terminal_are_made_harmless(void **state)
{
	struct kernel_elf made = { 0 };
	struct error error;
	GElf_Sym symbol;
	Elf *elf;

	(void)state;
	put(MODULE(0) + NAME, "\33]0;x", 6);
	add_symbol(1, "a\nb", 't', MODULE_TEXT(1) + 0x20);
	assert_int_equal(kernel_elf_make(kernel, &made, &error), 0);
	elf_version(EV_CURRENT);
	elf = elf_memory((char *)made.file.bytes, made.file.size);
	assert_string_equal(section_of(elf, "one_open", &symbol), "?]0;x.text");
	assert_string_equal(section_of(elf, "a?b", &symbol), "two.text");
	elf_end(elf);
	kernel_elf_deinit(&made);
}

static void modules_that_lie_over_others_have_no_section(void **state)
{
	struct kernel_elf made = { 0 };
	struct error error;
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Sym symbol;
	uint64_t end = 0;
	Elf *elf;

	(void)state;
	memory_put_virtual(memory, MODULE(1) + PARTS, BASE + 0x1000);
	memory_put_virtual(memory, MODULE(1) + PARTS + PART_BYTES, MODULE_TEXT(0) + 0x800);
	assert_int_equal(kernel_elf_make(kernel, &made, &error), 0);
	elf_version(EV_CURRENT);
	elf = elf_memory((char *)made.file.bytes, made.file.size);
	assert_string_equal(section_of(elf, "two_open", &symbol), "absolute");
	assert_string_equal(section_of(elf, "one_open", &symbol), "one.text");
	while ((section = elf_nextscn(elf, section)) && gelf_getshdr(section, &header)) {
		if (header.sh_type != SHT_NOBITS)
			continue;
		assert_true(header.sh_addr >= end);
		end = header.sh_addr + header.sh_size;
	}
	assert_int_equal(end, MODULE_TEXT(0) + 0x5000);
	elf_end(elf);
	kernel_elf_deinit(&made);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_modules_symbols_are_copied_once),
		TEST(what_is_not_in_the_module_is_left_out),
		cmocka_unit_test_teardown(older_kernels_keep_letters_in_the_symbols, tear_down),
		TEST(tables_that_cannot_be_read_are_left_out),
		TEST(without_modules_there_is_nothing),
		TEST(modules_have_sections_of_their_own),
		TEST(names_that_would_steer_a_terminal_are_made_harmless),
		TEST(modules_that_lie_over_others_have_no_section),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
