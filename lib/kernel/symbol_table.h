/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A table of symbols in our own memory: from text files, ELF files, or one by one. */
#ifndef DILL_SYMBOL_TABLE_H
#define DILL_SYMBOL_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct table_symbol {
	uint64_t address;
	uint32_t name; /* offset in names */
	char type;     /* as nm has it: upper case is global */
};

/* A zeroed one is empty. Sorted by address when it is asked; names through a hash, made when it is asked. */
struct symbol_table {
	struct table_symbol *symbols;
	size_t count, room;
	char *names;
	size_t names_size, names_room;
	uint32_t *by_hash; /* symbol number + 1 */
	size_t slot_count;
};

int symbol_table_add(struct symbol_table *table, const char *name, size_t length, uint64_t address, char type);
/* Lines "address type name [module]"; zero addresses (kptr_restrict) are left out: -EPERM when all are zero. */
int symbol_table_add_text(struct symbol_table *table, const char *path, uint64_t slide, struct error *err);
int symbol_table_add_elf(struct symbol_table *table, const char *path, uint64_t slide, struct error *err);
/* -ENOENT; -ENOMEM. The names returned live as long as nothing is added. */
int symbol_table_find(struct symbol_table *table, const char *name, uint64_t *ret_address);
int symbol_table_at(struct symbol_table *table, uint64_t address, const char **ret_name, uint64_t *ret_start,
		    uint64_t *ret_end);
void symbol_table_deinit(struct symbol_table *table);

#endif
