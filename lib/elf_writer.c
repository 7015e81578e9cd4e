// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Puts an ELF file together:
 *
 *     header | a segment for each section with an address | contents of sections, aligned | section headers
 */
#include "elf_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

void elf_writer_deinit(struct elf_writer *writer)
{
	for (uint32_t i = 0; i < writer->count; i++)
		byte_writer_deinit(&writer->sections[i].contents);
	free(writer->sections);
	byte_writer_deinit(&writer->names);
	byte_writer_deinit(&writer->locals);
	byte_writer_deinit(&writer->globals);
	byte_writer_deinit(&writer->symbol_names);
	memset(writer, 0, sizeof(*writer));
}

static uint32_t add_section(struct elf_writer *writer, const Elf64_Shdr *header)
{
	struct elf_out_section *moved;

	if (writer->count == writer->room) {
		uint32_t room = writer->room ? 2 * writer->room : 16;

		moved = reallocarray(writer->sections, room, sizeof(*moved));
		if (!moved) {
			writer->status = -ENOMEM;
			return 0;
		}
		writer->sections = moved;
		writer->room = room;
	}
	writer->sections[writer->count] = (struct elf_out_section){ .header = *header };
	return writer->count++;
}

uint32_t elf_writer_section(struct elf_writer *writer, const char *name, uint32_t type, uint64_t flags,
			    uint64_t address, uint64_t size)
{
	Elf64_Shdr header = { .sh_type = type,
			      .sh_flags = flags,
			      .sh_addr = address,
			      .sh_size = size,
			      .sh_addralign = 1 };

	if (!writer->count) {
		put_text(&writer->names, "");
		put_text(&writer->symbol_names, "");
		add_section(writer, &(Elf64_Shdr){ .sh_type = SHT_NULL });
	}
	if (writer->status || writer->count >= ELF_SECTIONS_MAX)
		return 0;
	header.sh_name = (uint32_t)put_text(&writer->names, name);
	return add_section(writer, &header);
}

struct byte_writer *elf_writer_contents(struct elf_writer *writer, uint32_t section)
{
	return &writer->sections[section].contents;
}

void elf_writer_symbol(struct elf_writer *writer, const char *name, unsigned binding, unsigned type,
		       uint32_t section, uint64_t address, uint64_t size)
{
	Elf64_Sym symbol = { .st_info = ELF64_ST_INFO(binding, type),
			     .st_shndx = (uint16_t)section,
			     .st_value = address,
			     .st_size = size };

	symbol.st_name = (uint32_t)put_text(&writer->symbol_names, name);
	put_bytes(binding == STB_LOCAL ? &writer->locals : &writer->globals, &symbol, sizeof(symbol));
}

/* The three tables that every file has. */
static void add_tables(struct elf_writer *writer)
{
	uint32_t symbols = elf_writer_section(writer, ".symtab", SHT_SYMTAB, 0, 0, 0), strings, names;
	Elf64_Shdr *header;

	strings = elf_writer_section(writer, ".strtab", SHT_STRTAB, 0, 0, 0);
	names = elf_writer_section(writer, ".shstrtab", SHT_STRTAB, 0, 0, 0);
	if (!names || !strings || !symbols) {
		writer->status = -ENOMEM;
		return;
	}
	header = &writer->sections[symbols].header;
	header->sh_link = strings;
	header->sh_info = (uint32_t)(1 + writer->locals.size / sizeof(Elf64_Sym));
	header->sh_entsize = sizeof(Elf64_Sym);
	header->sh_addralign = 8;
	put_bytes(&writer->sections[symbols].contents, &(Elf64_Sym){ 0 }, sizeof(Elf64_Sym));
	put_bytes(&writer->sections[symbols].contents, writer->locals.bytes, writer->locals.size);
	put_bytes(&writer->sections[symbols].contents, writer->globals.bytes, writer->globals.size);
	byte_writer_deinit(&writer->locals);
	byte_writer_deinit(&writer->globals);
	/* Handed over, not copied. */
	writer->sections[strings].contents = writer->symbol_names;
	writer->sections[names].contents = writer->names;
	memset(&writer->symbol_names, 0, sizeof(writer->symbol_names));
	memset(&writer->names, 0, sizeof(writer->names));
}

static int status_of(const struct elf_writer *writer)
{
	int status = writer->status;

	for (uint32_t i = 0; !status && i < writer->count; i++)
		status = writer->sections[i].contents.status;
	if (!status)
		status = writer->locals.status ? writer->locals.status : writer->globals.status;
	if (!status)
		status = writer->names.status ? writer->names.status : writer->symbol_names.status;
	return status;
}

static void put_section(struct byte_writer *file, struct elf_out_section *section)
{
	Elf64_Shdr *header = &section->header;

	if (header->sh_type == SHT_NULL)
		return;
	if (header->sh_type != SHT_NOBITS)
		put_padding(file, header->sh_addralign, 0);
	header->sh_offset = file->size;
	if (header->sh_type == SHT_NOBITS)
		return;
	header->sh_size = section->contents.size;
	put_bytes(file, section->contents.bytes, section->contents.size);
	byte_writer_deinit(&section->contents); /* a file of many megabytes is not held twice */
}

static int by_address(const void *left, const void *right)
{
	const Elf64_Phdr *a = left, *b = right;

	return a->p_vaddr < b->p_vaddr ? -1 : a->p_vaddr > b->p_vaddr;
}

/* What lies at an address must be in a segment, and segments in the order of their addresses: elf(5). */
static void put_segments(struct byte_writer *file, const struct elf_writer *writer, uint16_t *ret_count)
{
	size_t start = file->size, count = 0;

	for (uint32_t i = 0; i < writer->count; i++) {
		const Elf64_Shdr *section = &writer->sections[i].header;
		Elf64_Phdr segment = {
			.p_type = PT_LOAD,
			.p_flags = PF_R | (section->sh_flags & SHF_WRITE ? PF_W : 0) |
				   (section->sh_flags & SHF_EXECINSTR ? PF_X : 0),
			.p_vaddr = section->sh_addr,
			.p_paddr = section->sh_addr,
			.p_memsz = section->sh_size,
			.p_align = 1,
		};

		if (!(section->sh_flags & SHF_ALLOC))
			continue;
		put_bytes(file, &segment, sizeof(segment));
		count++;
	}
	if (!file->status && count)
		qsort(file->bytes + start, count, sizeof(Elf64_Phdr), by_address);
	*ret_count = (uint16_t)count;
}

int elf_writer_finish(struct elf_writer *writer, struct byte_writer *ret_file)
{
	struct byte_writer file = { 0 };
	Elf64_Ehdr header = { .e_type = ET_EXEC,
			      .e_machine = EM_X86_64,
			      .e_version = EV_CURRENT,
			      .e_ehsize = sizeof(header),
			      .e_phoff = sizeof(header),
			      .e_phentsize = sizeof(Elf64_Phdr),
			      .e_shentsize = sizeof(Elf64_Shdr) };
	int status = status_of(writer);
	uint16_t segments;

	if (!status) {
		add_tables(writer);
		status = status_of(writer);
	}
	if (status)
		return status;
	memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = ELFCLASS64;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	header.e_ident[EI_VERSION] = EV_CURRENT;
	header.e_shnum = (uint16_t)writer->count;
	header.e_shstrndx = (uint16_t)(writer->count - 1);
	put_bytes(&file, &header, sizeof(header));
	put_segments(&file, writer, &segments);
	patch_number(&file, offsetof(Elf64_Ehdr, e_phnum), segments, sizeof(segments));
	for (uint32_t i = 0; i < writer->count; i++)
		put_section(&file, &writer->sections[i]);
	put_padding(&file, 8, 0);
	patch_number(&file, offsetof(Elf64_Ehdr, e_shoff), file.size, sizeof(header.e_shoff));
	for (uint32_t i = 0; i < writer->count; i++)
		put_bytes(&file, &writer->sections[i].header, sizeof(Elf64_Shdr));
	if (file.status) {
		status = file.status;
		byte_writer_deinit(&file);
		return status;
	}
	*ret_file = file;
	return 0;
}
