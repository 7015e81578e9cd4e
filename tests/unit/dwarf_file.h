/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* An ELF file that a test has written in memory, read back by elfutils. One at a time. */
#ifndef DILL_DWARF_FILE_H
#define DILL_DWARF_FILE_H

#include <dwarf.h>
#include <elfutils/libdw.h>

#include "elf_writer.h"

static struct elf_writer writer;
static struct byte_writer file;
static Elf *elf;
static Dwarf *dwarf;

/* What @writer holds is complete. */
static inline void dwarf_file_open(void)
{
	assert_int_equal(elf_writer_finish(&writer, &file), 0);
	elf_version(EV_CURRENT);
	elf = elf_memory((char *)file.bytes, file.size);
	dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	assert_non_null(dwarf);
}

static inline void dwarf_file_end(void)
{
	dwarf_end(dwarf);
	elf_end(elf);
	dwarf = NULL;
	elf = NULL;
	byte_writer_deinit(&file);
	elf_writer_deinit(&writer);
}

#endif
