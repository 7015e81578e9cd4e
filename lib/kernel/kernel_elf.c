// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Puts a kernel's own ELF file together: symbols in their sections, and what orc_cfi.c and btf_dwarf.c
 * make of the kernel's tables.
 */
#include "kernel_elf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "btf_dwarf.h"
#include "cleanup.h"
#include "elf_writer.h"
#include "kernel.h"
#include "kernel_open.h"
#include "kernel_sections.h"
#include "kernel_symbols.h"
#include "module_symbols.h"
#include "orc_cfi.h"
#include "orc_table.h"
#include "symbol_table.h"

#define BUILD_ID_TEXT 129
#define NAME_COMPARISONS 16

#ifndef DILL_VERSION
#define DILL_VERSION "?"
#endif
#define PRODUCER "dill " DILL_VERSION

DEFINE_CLEANUP(dwarf_sections, struct dwarf_sections, dwarf_sections_deinit(&v));
DEFINE_CLEANUP(elf_writer, struct elf_writer, elf_writer_deinit(&v));
DEFINE_CLEANUP(kernel_sections, struct kernel_sections, kernel_sections_deinit(&v));
DEFINE_CLEANUP(orc_tables, struct orc_tables *, orc_tables_close(v));
DEFINE_CLEANUP(symbol_table, struct symbol_table, symbol_table_deinit(&v));

static void add_sections(struct elf_writer *writer, struct kernel_sections *sections)
{
	for (size_t i = 0; i < sections->count; i++) {
		struct kernel_section *piece = &sections->list[i];

		piece->number = elf_writer_section(writer, piece->name, SHT_NOBITS, SHF_ALLOC | piece->flags,
						    piece->start, piece->end - piece->start);
	}
}

/* Symbols ---------------------------------------------------------------------------------------------- */

static bool is_module_space(uint64_t address)
{
	return address >= START_KERNEL_MAP + KERNEL_IMAGE_SIZE;
}

static bool is_global(const struct table_symbol *symbol)
{
	return symbol->type >= 'A' && symbol->type <= 'Z';
}

/*
 * By address. Of several at one address the one that the kernel's users know it by comes last (a global
 * one, and of those the first in the kernel's own order): gdb takes the name that stands last in the
 * table of names.
 */
static int by_address(const void *left, const void *right)
{
	const struct table_symbol *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (is_global(a) != is_global(b))
		return is_global(a) ? 1 : -1;
	return a->name > b->name ? -1 : a->name < b->name;
}

/* Whether one of the symbols before @number is the same: two sources may both have it. */
static bool is_double(const struct symbol_table *table, size_t number)
{
	const struct table_symbol *symbol = &table->symbols[number];
	size_t first = number > NAME_COMPARISONS ? number - NAME_COMPARISONS : 0;

	for (size_t i = number; i-- > first && table->symbols[i].address == symbol->address;)
		if (!strcmp(table->names + table->symbols[i].name, table->names + symbol->name))
			return true;
	return false;
}

static unsigned binding_of(const struct table_symbol *symbol)
{
	if (strchr("wWvV", symbol->type))
		return STB_WEAK;
	return is_global(symbol) ? STB_GLOBAL : STB_LOCAL;
}

/* @end: of the room until the next symbol. Its place goes to @ret_place, too. */
static void add_symbol(struct elf_writer *writer, const struct symbol_table *table,
		       const struct table_symbol *symbol, const struct kernel_section *piece, uint64_t end,
		       struct kernel_elf *elf, struct dwarf_symbol *ret_place)
{
	bool is_function = strchr("tTwW", symbol->type) != NULL;
	uint64_t size = 0;
	unsigned type = STT_NOTYPE;

	if (piece) {
		end = end < piece->end ? end : piece->end;
		size = end - symbol->address;
	}
	if (size)
		type = is_function ? STT_FUNC : STT_OBJECT;
	*ret_place = (struct dwarf_symbol){ .name = table->names + symbol->name,
					    .start = symbol->address,
					    .size = size,
					    .is_function = type == STT_FUNC,
					    .is_global = is_global(symbol) };
	elf->symbol_count++;
	elf->function_count += type == STT_FUNC;
	elf_writer_symbol(writer, table->names + symbol->name, binding_of(symbol), type,
			  piece ? piece->number : SHN_ABS, symbol->address, size);
}

/* @places has room for as many as there are in @table. */
static void add_symbols(struct elf_writer *writer, const struct kernel_sections *sections,
			const struct symbol_table *table, struct kernel_elf *elf, struct dwarf_symbol *places)
{
	size_t next = 0;
	size_t at = 0;

	for (size_t i = 0; i < table->count; i++) {
		const struct table_symbol *symbol = &table->symbols[i];
		const struct kernel_section *piece;

		while (next < table->count && table->symbols[next].address <= symbol->address)
			next++;
		/* An end belongs to the part that it ends when nothing begins there. */
		while (at + 1 < sections->count && symbol->address >= sections->list[at + 1].start)
			at++;
		piece = &sections->list[at];
		if (symbol->address < piece->start || symbol->address > piece->end || !piece->number)
			piece = NULL;
		if (!is_double(table, i))
			add_symbol(writer, table, symbol, piece,
				   next < table->count ? table->symbols[next].address : UINT64_MAX, elf,
				   &places[elf->symbol_count]);
	}
}

/* Frames ----------------------------------------------------------------------------------------------- */

static void add_frames(struct elf_writer *writer, struct kernel *kernel, const struct symbol_table *table,
		       struct kernel_elf *elf)
{
	CLEANUP(orc_tables) struct orc_tables *tables = NULL;
	CLEANUP(free) struct cfi_function *functions = calloc(table->count, sizeof(*functions));
	uint32_t section;
	size_t count = 0;

	if (!functions || orc_tables_open(kernel, &tables))
		return;
	for (size_t i = 0; i < table->count; i++) {
		const struct table_symbol *symbol = &table->symbols[i];

		if (strchr("tTwW", symbol->type))
			functions[count++] = (struct cfi_function){ symbol->address,
								    cfi_role_of(table->names + symbol->name) };
	}
	section = elf_writer_section(writer, ".debug_frame", SHT_PROGBITS, 0, 0, 0);
	if (!section)
		return;
	writer->sections[section].header.sh_addralign = 8;
	elf->frame_count = orc_cfi_put(tables, functions, count, elf_writer_contents(writer, section));
}

/* Types ------------------------------------------------------------------------------------------------ */

static int by_name(const void *left, const void *right)
{
	const struct dwarf_symbol *a = left, *b = right;

	return strcmp(a->name, b->name);
}

/*
 * Bytes of the instructions that a function may begin with for the sake of others, and that change no
 * register: endbr64, or what became of it where nothing jumps (ibt_seal); the nop that stands for the
 * call of __fentry__.
 */
static uint32_t prefix_size(struct kernel *kernel, const struct dwarf_symbol *symbol)
{
	static const uint8_t landings[][4] = { { 0xf3, 0x0f, 0x1e, 0xfa },   /* endbr64 */
					       { 0x66, 0x0f, 0x1f, 0x00 },   /* nopw (%rax) */
					       { 0x0f, 0x1f, 0x40, 0xd6 } }; /* nopl -42(%rax) */
	static const uint8_t nop[5] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	uint32_t size = 0;
	uint8_t code[9];

	if (symbol->size < sizeof(code) || kernel_read(kernel, symbol->start, code, sizeof(code)))
		return 0;
	for (size_t i = 0; !size && i < sizeof(landings) / sizeof(*landings); i++)
		if (!memcmp(code, landings[i], sizeof(landings[i])))
			size = sizeof(landings[i]);
	if (!memcmp(code + size, nop, sizeof(nop)))
		size += sizeof(nop);
	return size;
}

/*
 * Sorted by name. What several have is nobody's: which one a type is of can't be told. Returns how many
 * are left.
 */
static size_t keep_unique(struct dwarf_symbol *places, size_t count)
{
	size_t kept = 0, next;

	qsort(places, count, sizeof(*places), by_name);
	for (size_t i = 0; i < count; i = next) {
		for (next = i + 1; next < count && !strcmp(places[i].name, places[next].name); next++)
			;
		if (next == i + 1)
			places[kept++] = places[i];
	}
	return kept;
}

/* Takes @contents over. */
static void add_debug_section(struct elf_writer *writer, const char *name, struct byte_writer *contents)
{
	uint32_t section = elf_writer_section(writer, name, SHT_PROGBITS, 0, 0, 0);

	if (!section)
		return;
	writer->sections[section].contents = *contents;
	*contents = (struct byte_writer){ 0 };
}

/*
 * Without types, too: where a file has no debug information at all, gdb looks for some elsewhere by the
 * build ID, and takes what it finds to be at the addresses where the kernel was linked.
 */
static void add_types(struct elf_writer *writer, struct kernel *kernel, const struct kernel_sections *sections,
		      struct dwarf_symbol *places, struct kernel_elf *elf)
{
	CLEANUP(dwarf_sections) struct dwarf_sections dwarf = { 0 };
	CLEANUP(free) struct dwarf_range *code = calloc(sections->count, sizeof(*code));
	struct dwarf_contents contents = {
		.producer = PRODUCER, .types = kernel->types, .symbols = places, .code = code
	};

	for (size_t i = 0; code && i < sections->count; i++)
		if (sections->list[i].flags & SHF_EXECINSTR)
			code[contents.code_count++] =
				(struct dwarf_range){ sections->list[i].start, sections->list[i].end };
	/* In the order of their addresses, in which reading is quick. */
	for (size_t i = 0; kernel->types && i < elf->symbol_count; i++)
		if (places[i].is_function)
			places[i].prefix = prefix_size(kernel, &places[i]);
	/* BTF is the image's: a module's function of the same name is no other candidate. */
	for (size_t i = 0; i < elf->symbol_count; i++)
		if (!is_module_space(places[i].start))
			places[contents.symbol_count++] = places[i];
	contents.symbol_count = keep_unique(places, contents.symbol_count);
	btf_dwarf_put(&contents, &dwarf, &elf->type_count);
	add_debug_section(writer, ".debug_info", &dwarf.info);
	add_debug_section(writer, ".debug_abbrev", &dwarf.abbreviations);
	add_debug_section(writer, ".debug_str", &dwarf.strings);
	add_debug_section(writer, ".debug_loc", &dwarf.locations);
	add_debug_section(writer, ".debug_ranges", &dwarf.ranges);
	add_debug_section(writer, ".debug_aranges", &dwarf.addresses);
}

/* Notes ------------------------------------------------------------------------------------------------ */

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* The kernel's own, so that tools can tell whose symbols these are. */
static void add_build_id(struct elf_writer *writer, struct kernel *kernel)
{
	char text[BUILD_ID_TEXT];
	struct byte_writer *note;
	uint32_t section;
	size_t length;

	kernel_build_id(kernel, text, sizeof(text));
	length = strlen(text);
	if (!length || length % 2 || strspn(text, "0123456789abcdef") != length)
		return;
	section = elf_writer_section(writer, ".note.gnu.build-id", SHT_NOTE, 0, 0, 0);
	if (!section)
		return;
	writer->sections[section].header.sh_addralign = 4;
	note = elf_writer_contents(writer, section);
	put_number(note, sizeof("GNU"), 4);
	put_number(note, length / 2, 4);
	put_number(note, NT_GNU_BUILD_ID, 4);
	put_bytes(note, "GNU", sizeof("GNU"));
	for (size_t i = 0; i < length; i += 2)
		put_number(note, (uint64_t)(hex_digit(text[i]) << 4 | hex_digit(text[i + 1])), 1);
	put_padding(note, 4, 0);
}

static void add_producer(struct elf_writer *writer)
{
	uint32_t section = elf_writer_section(writer, ".comment", SHT_PROGBITS, SHF_MERGE | SHF_STRINGS, 0, 0);

	if (!section)
		return;
	writer->sections[section].header.sh_entsize = 1;
	put_text(elf_writer_contents(writer, section), PRODUCER);
}

/* The file --------------------------------------------------------------------------------------------- */

/* Where the image begins and ends. */
static int find_image(struct kernel *kernel, const struct symbol_table *table, uint64_t *ret_start,
		      uint64_t *ret_end, struct error *err)
{
	uint64_t start = kernel->layout.base.value, end;

	if (!kernel->layout.base.origin)
		return error_set(err, -ENOENT, "where the kernel's image lies is not known");
	if (kernel_symbol(kernel, "_end", &end)) {
		/* Data symbols are hidden: up to the last symbol that may still be in the image. */
		end = start;
		for (size_t i = 0; i < table->count; i++)
			if (table->symbols[i].address - start < KERNEL_IMAGE_SIZE &&
			    table->symbols[i].address > end && !is_module_space(table->symbols[i].address))
				end = table->symbols[i].address;
	}
	if (end <= start || end - start > KERNEL_IMAGE_SIZE)
		return error_set(err, -EBADMSG, "the kernel's symbols contradict where its image lies");
	*ret_start = start;
	*ret_end = end;
	return 0;
}

static int collect(struct kernel *kernel, struct symbol_table *table, struct error *err)
{
	int status = kernel_symbols_copy(kernel->symbols, table);

	if (!status)
		status = module_symbols_copy(kernel, table);
	if (status && status != -ENOENT)
		return error_set(err, status, "the kernel has more symbols than can be kept");
	if (!table->count)
		return error_set(err, -ENOENT,
				 "no symbols: the target has no kallsyms, or hides it; --symbols FILE or "
				 "--vmlinux FILE helps");
	for (size_t i = 0; i < table->count; i++)
		make_printable(table->names + table->symbols[i].name);
	qsort(table->symbols, table->count, sizeof(*table->symbols), by_address);
	return 0;
}

int kernel_elf_make(struct kernel *kernel, struct kernel_elf *ret_elf, struct error *err)
{
	CLEANUP(elf_writer) struct elf_writer writer = { 0 };
	CLEANUP(symbol_table) struct symbol_table table = { 0 };
	CLEANUP(free) struct dwarf_symbol *places = NULL;
	struct kernel_elf elf = { 0 };
	CLEANUP(kernel_sections) struct kernel_sections sections = { 0 };
	uint64_t start = 0, end = 0;
	int status = collect(kernel, &table, err);

	if (!status)
		status = find_image(kernel, &table, &start, &end, err);
	if (status)
		return status;
	places = calloc(table.count, sizeof(*places));
	if (!places)
		return error_set(err, -ENOMEM, "out of memory");
	status = kernel_sections_make(kernel, start, end, &sections);
	if (status)
		return error_set(err, status, "out of memory");
	add_sections(&writer, &sections);
	add_build_id(&writer, kernel);
	add_producer(&writer);
	add_symbols(&writer, &sections, &table, &elf, places);
	add_frames(&writer, kernel, &table, &elf);
	add_types(&writer, kernel, &sections, places, &elf);
	status = elf_writer_finish(&writer, &elf.file);
	if (status)
		return error_set(err, status, "out of memory");
	*ret_elf = elf;
	return 0;
}

void kernel_elf_deinit(struct kernel_elf *elf)
{
	byte_writer_deinit(&elf->file);
}
