/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Writes an ELF file for x86-64 in memory: sections, symbols. What they mean is the caller's part. The
 * file is for those who read symbols and debug information, as `objcopy --only-keep-debug` makes them:
 * what lies at an address has no contents (SHT_NOBITS).
 */
#ifndef DILL_ELF_WRITER_H
#define DILL_ELF_WRITER_H

#include <elf.h>
#include <stdint.h>

#include "byte_writer.h"

struct elf_out_section {
	Elf64_Shdr header; /* sh_name: in the writer's names */
	struct byte_writer contents;
};

/* A zeroed one is empty. Failures stick, as byte_writer's do. */
struct elf_writer {
	struct elf_out_section *sections; /* the null section is first */
	uint32_t count, room;
	struct byte_writer names; /* of sections */
	/* Local symbols stand before all others: two tables until the file is put together. */
	struct byte_writer locals, globals, symbol_names;
	int status;
};

/* More would need the extended numbering of sections. */
#define ELF_SECTIONS_MAX 60000

void elf_writer_deinit(struct elf_writer *writer);
/*
 * A section without contents (SHT_NOBITS) is @size bytes at @address; of one with contents, @size is 0
 * and what elf_writer_contents() is given counts. Returns its number; 0: there are too many, or no
 * memory.
 */
uint32_t elf_writer_section(struct elf_writer *writer, const char *name, uint32_t type, uint64_t flags,
			    uint64_t address, uint64_t size);
/* Where a section's contents are put. Valid until the next section is made. */
struct byte_writer *elf_writer_contents(struct elf_writer *writer, uint32_t section);
/* A symbol; @section may be SHN_ABS. Names are written in the order of the calls. */
void elf_writer_symbol(struct elf_writer *writer, const char *name, unsigned binding, unsigned type,
		       uint32_t section, uint64_t address, uint64_t size);
/* Put the file together: .symtab, .strtab and .shstrtab are added. -ENOMEM. */
int elf_writer_finish(struct elf_writer *writer, struct byte_writer *ret_file);

#endif
