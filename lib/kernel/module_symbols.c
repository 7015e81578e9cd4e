// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A module's symbols are an ELF symbol table with a table of letters beside it, as nm has them. Addresses
 * in it are those where the module lies.
 */
#include "module_symbols.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "kallsyms.h"
#include "kernel.h"
#include "kernel_module.h"
#include "kernel_types.h"
#include "symbol_table.h"

/* Of all modules together; a large one has some thousand. */
#define SYMBOLS_MAX (1u << 20)
#define PIECE_SYMBOLS 256

struct tables_layout {
	struct field kallsyms, symbols, count, names, letters;
};

#define AT(member) offsetof(struct tables_layout, member)

static const struct field_spec specs[] = {
	{ "module", "kallsyms", AT(kallsyms), true },
	{ "mod_kallsyms", "symtab", AT(symbols), true },
	{ "mod_kallsyms", "num_symtab", AT(count), true },
	{ "mod_kallsyms", "strtab", AT(names), true },
	/* 1c7651f43777 (5.2): before, st_info was overwritten with the letter. */
	{ "mod_kallsyms", "typetab", AT(letters), false },
};

struct copying {
	struct kernel *kernel;
	struct symbol_table *table;
	struct tables_layout layout;
	uint64_t last;        /* the module that was copied last */
	uint64_t left;        /* symbols that may still be taken */
	uint64_t names;
};

static int copy_symbol(struct copying *copying, const Elf64_Sym *symbol, char letter)
{
	char name[KALLSYMS_NAME_SIZE];

	/* Absolute ones are checksums and the like. */
	if (symbol->st_shndx == SHN_UNDEF || !symbol->st_value || !letter || strchr("UuAa", letter) ||
	    kernel_read_string(copying->kernel, copying->names + symbol->st_name, name, sizeof(name)) || !name[0])
		return 0;
	return symbol_table_add(copying->table, name, strlen(name), symbol->st_value, letter);
}

static int copy_symbols(struct copying *copying, uint64_t symbols, uint64_t letters, uint64_t count)
{
	int status = 0;

	for (uint64_t at = 0; at < count && !status; at += PIECE_SYMBOLS) {
		uint64_t size = count - at < PIECE_SYMBOLS ? count - at : PIECE_SYMBOLS;
		Elf64_Sym piece[PIECE_SYMBOLS];
		char names[PIECE_SYMBOLS];

		if (kernel_read(copying->kernel, symbols + at * sizeof(*piece), piece, size * sizeof(*piece)) ||
		    (letters && kernel_read(copying->kernel, letters + at, names, size)))
			continue;
		for (uint64_t i = 0; i < size && !status; i++)
			status = copy_symbol(copying, &piece[i], letters ? names[i] : (char)piece[i].st_info);
	}
	return status;
}

static int copy_module(void *context, const struct kernel_module *module)
{
	struct copying *copying = context;
	const struct tables_layout *layout = &copying->layout;
	struct kernel *kernel = copying->kernel;
	uint64_t tables, symbols, count, letters = 0;

	if (module->address == copying->last) /* another part of the same one */
		return 0;
	copying->last = module->address;
	if (field_read(kernel, &layout->kallsyms, module->address, &tables) ||
	    field_read(kernel, &layout->symbols, tables, &symbols) ||
	    field_read(kernel, &layout->count, tables, &count) ||
	    field_read(kernel, &layout->names, tables, &copying->names) ||
	    (field_exists(&layout->letters) && field_read(kernel, &layout->letters, tables, &letters)))
		return 0;
	count = count < copying->left ? count : copying->left;
	copying->left -= count;
	return copy_symbols(copying, symbols, letters, count);
}

int module_symbols_copy(struct kernel *kernel, struct symbol_table *table)
{
	struct copying copying = { .kernel = kernel, .table = table, .left = SYMBOLS_MAX };
	int status = fields_load(kernel->types, specs, sizeof(specs) / sizeof(*specs), &copying.layout, NULL);

	return status ? status : kernel_modules_each(kernel, copy_module, &copying, NULL);
}
