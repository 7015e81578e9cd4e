/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The kernel's types (BTF) as DWARF, for debuggers: structs, unions, enums, typedefs, prototypes, and
 * functions and per-CPU variables with their types. One compilation unit without lines. Arguments have
 * places while a function has only just been called: where the ABI puts them. Later on nobody knows.
 *
 * Types that can't be (type_cycles.h), members beyond their struct's end and references that lead nowhere
 * are left out or become void: a debugger follows what it is given.
 */
#ifndef DILL_BTF_DWARF_H
#define DILL_BTF_DWARF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dwarf_sections.h"

struct kernel_types;

/* Where a symbol of the kernel is, by its name. */
struct dwarf_symbol {
	const char *name;
	uint64_t start, size;
	uint32_t prefix; /* bytes of a function's first instructions, which change no register: endbr64, fentry's */
	bool is_global, is_function;
};

/* What there is to write about. */
struct dwarf_contents {
	const char *producer;
	const struct kernel_types *types; /* NULL: only who made it is told */
	const struct dwarf_symbol *symbols; /* sorted by name, each name once */
	size_t symbol_count;
	const struct dwarf_range *code; /* all of the kernel's */
	size_t code_count;
};

/*
 * Fill @sections, which are empty; failures stick in them. @ret_count: types.
 * Source: DWARF 4; Documentation/bpf/btf.rst.
 */
void btf_dwarf_put(const struct dwarf_contents *contents, struct dwarf_sections *sections, size_t *ret_count);

#endif
