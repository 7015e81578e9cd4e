/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Sections of DWARF that are made here, and those that need no knowledge of types: strings and addresses of code. */
#ifndef DILL_DWARF_SECTIONS_H
#define DILL_DWARF_SECTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "byte_writer.h"

struct kernel_types;

/*
 * Where the sections' contents go: .debug_info, .debug_abbrev, .debug_str, .debug_loc, .debug_ranges,
 * .debug_aranges.
 */
struct dwarf_sections {
	struct byte_writer info, abbreviations, strings, locations, ranges, addresses;
};

struct dwarf_range {
	uint64_t start, end;
};

void dwarf_sections_deinit(struct dwarf_sections *sections);

/* BTF's own section of strings, which kernel_types_open() has seen end with NUL. Returns its size; 0: damaged. */
uint32_t dwarf_put_strings(const struct kernel_types *types, struct byte_writer *strings);
/* .debug_ranges with one list, for the one unit. */
void dwarf_put_ranges(const struct dwarf_range *code, size_t count, struct byte_writer *ranges);
/* The same again: without it, gdb takes the addresses of variables, per-CPU ones too, for the unit's own. */
void dwarf_put_addresses(const struct dwarf_range *code, size_t count, struct byte_writer *addresses);

#endif
