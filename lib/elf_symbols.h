/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The functions that the symbol tables of one object define, by address and by name.
 *
 * Filled from any number of tables, then sealed, then asked. Holds copies: the ELF handles can be closed.
 * Costs 24 bytes a symbol and the string tables, and at most 32 bytes a symbol for the index by address.
 */
#ifndef DILL_ELF_SYMBOLS_H
#define DILL_ELF_SYMBOLS_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_symbols;

struct elf_symbol {
	uint64_t vaddr;
	uint64_t extent; /* bytes; without a stated size: up to the end of its section */
	uint32_t name;	 /* see elf_symbol_name() */
	uint8_t rank;	 /* order among aliases, lowest first */
	bool has_size : 1;
	bool is_ifunc : 1;
	bool is_weak : 1;
	bool is_local : 1;
	bool is_dynamic : 1;
	bool is_old_version : 1; /* kept for old binaries: name@VERSION rather than name@@VERSION */
};

/* -ENOMEM is the only failure. */
int elf_symbols_create(struct elf_symbols **ret_symbols);
void elf_symbols_destroy(struct elf_symbols *symbols);

/*
 * Add what the first section of type @section_type (SHT_SYMTAB or SHT_DYNSYM) defines in executable sections.
 * Nothing is added, and 0 returned, when there is no such section or it is damaged; a damaged symbol is
 * skipped.
 */
int elf_symbols_add(struct elf_symbols *symbols, Elf *elf, unsigned int section_type);

/*
 * Add the .symtab out of .gnu_debugdata: a whole ELF file, compressed by xz, that holds the local functions.
 */
int elf_symbols_add_minidebuginfo(struct elf_symbols *symbols, Elf *elf);

/* Sort and drop duplicates. Nothing may be added afterwards, and nothing asked before. */
void elf_symbols_seal(struct elf_symbols *symbols);

/* By address, aliases next to each other, the best one first. */
size_t elf_symbols_count(const struct elf_symbols *symbols);
const struct elf_symbol *elf_symbols_get(const struct elf_symbols *symbols, size_t index);
const char *elf_symbol_name(const struct elf_symbols *symbols, const struct elf_symbol *symbol);

/*
 * The function that covers @vaddr, or NULL; of several that do the one that begins last. A symbol without a
 * size reaches to the next symbol, but never over the end of its section, and never hides one that has a
 * size.
 *
 * Of the names of one address this order decides: functions before untyped labels, exported before local
 * ones, few leading underscores, global before weak, short. So malloc rather than __libc_malloc, and strdup,
 * which is weak, rather than __strdup, which is global.
 */
const struct elf_symbol *elf_symbols_at(struct elf_symbols *symbols, uint64_t vaddr);

/* By exact name, default version before old ones, exported before local. NULL when there is none. */
const struct elf_symbol *elf_symbols_named(struct elf_symbols *symbols, const char *name);

#endif
