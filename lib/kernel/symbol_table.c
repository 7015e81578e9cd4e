// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The table of symbols, and its readers of text and ELF. */
#include "symbol_table.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "name_hash.h"
#include "partition_point.h"

#define MAX_SYMBOLS (16U << 20) /* a kernel has some 200,000 */

DEFINE_CLEANUP(elf, Elf *, elf_end(v));

void symbol_table_deinit(struct symbol_table *table)
{
	free(table->symbols);
	free(table->names);
	free(table->by_hash);
	memset(table, 0, sizeof(*table));
}

static int make_room(void **array, size_t *room, size_t wanted, size_t element)
{
	size_t larger = *room ? *room * 2 : 4096;
	void *moved;

	if (wanted <= *room)
		return 0;
	larger = larger < wanted ? wanted : larger;
	moved = reallocarray(*array, larger, element);
	if (!moved)
		return -ENOMEM;
	*array = moved;
	*room = larger;
	return 0;
}

int symbol_table_add(struct symbol_table *table, const char *name, size_t length, uint64_t address, char type)
{
	if (table->count >= MAX_SYMBOLS || table->names_size > UINT32_MAX - 4096 || length > 4095)
		return -ENOMEM;
	if (make_room((void **)&table->symbols, &table->room, table->count + 1, sizeof(*table->symbols)) ||
	    make_room((void **)&table->names, &table->names_room, table->names_size + length + 1, 1))
		return -ENOMEM;
	table->symbols[table->count++] =
		(struct table_symbol){ .address = address, .name = table->names_size, .type = type };
	memcpy(table->names + table->names_size, name, length);
	table->names[table->names_size + length] = 0;
	table->names_size += length + 1;
	free(table->by_hash);
	table->by_hash = NULL;
	return 0;
}

/* Cuts the line's name out; NULL for lines that are none. */
static const char *parse_line(const char *line, uint64_t *ret_address, char *ret_type, size_t *ret_length)
{
	char *end;
	const char *name;

	*ret_address = strtoull(line, &end, 16);
	if (end == line || end[0] != ' ' || !end[1] || end[2] != ' ')
		return NULL;
	*ret_type = end[1];
	name = end + 3;
	*ret_length = strcspn(name, " \t\n");
	return *ret_length ? name : NULL;
}

int symbol_table_add_text(struct symbol_table *table, const char *path, uint64_t slide, struct error *err)
{
	CLEANUP(fclose) FILE *file = fopen(path, "re");
	size_t before = table->count, length;
	char line[4096], type;
	uint64_t address;
	bool is_any = false;

	if (!file)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		const char *name = parse_line(line, &address, &type, &length);

		if (!name)
			continue;
		is_any = true;
		if (address && symbol_table_add(table, name, length, address + slide, type))
			return error_set(err, -ENOMEM, "%s: more symbols than can be kept", path);
	}
	if (table->count == before)
		return error_set(err, is_any ? -EPERM : -EBADMSG,
				 is_any ? "%s: addresses are hidden (kptr_restrict)" : "%s: no symbols in it", path);
	return 0;
}

static int add_section(struct symbol_table *table, Elf *elf, Elf_Scn *section, uint64_t slide)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Shdr header;
	GElf_Sym symbol;

	if (!data || !gelf_getshdr(section, &header) || !header.sh_entsize)
		return -EBADMSG;
	for (size_t i = 0; i < header.sh_size / header.sh_entsize && gelf_getsym(data, i, &symbol); i++) {
		const char *name = elf_strptr(elf, header.sh_link, symbol.st_name);
		unsigned int type = GELF_ST_TYPE(symbol.st_info);
		bool is_global = GELF_ST_BIND(symbol.st_info) != STB_LOCAL;
		bool is_absolute = symbol.st_shndx == SHN_ABS;
		int status;

		if (!name || !*name || symbol.st_shndx == SHN_UNDEF || type == STT_FILE || type == STT_SECTION)
			continue;
		status = symbol_table_add(table, name, strnlen(name, 4095),
					  symbol.st_value + (is_absolute ? 0 : slide),
					  is_absolute ? 'A' : type == STT_FUNC ? "tT"[is_global] : "dD"[is_global]);
		if (status)
			return status;
	}
	return 0;
}

int symbol_table_add_elf(struct symbol_table *table, const char *path, uint64_t slide, struct error *err)
{
	CLEANUP(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(elf) Elf *elf = NULL;
	Elf_Scn *section = NULL;
	size_t before = table->count;

	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF)
		return error_set(err, -EBADMSG, "%s: not an ELF file", path);
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		int status = 0;

		if (gelf_getshdr(section, &header) && header.sh_type == SHT_SYMTAB)
			status = add_section(table, elf, section, slide);
		if (status)
			return error_set(err, status, "%s: the symbol table is damaged", path);
	}
	return table->count > before ? 0 : error_set(err, -ENOENT, "%s: no symbol table in it", path);
}

/* By address; those with the same one: global ones first, then as they came. */
static int compare(const void *left, const void *right)
{
	const struct table_symbol *a = left, *b = right;
	bool is_a_global = a->type >= 'A' && a->type <= 'Z', is_b_global = b->type >= 'A' && b->type <= 'Z';

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (is_a_global != is_b_global)
		return is_a_global ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

static int build_index(struct symbol_table *table)
{
	size_t slots = 1024;

	if (table->by_hash)
		return 0;
	while (slots < 2 * table->count)
		slots *= 2;
	table->by_hash = calloc(slots, sizeof(*table->by_hash));
	if (!table->by_hash)
		return -ENOMEM;
	table->slot_count = slots;
	if (table->count)
		qsort(table->symbols, table->count, sizeof(*table->symbols), compare);
	for (size_t i = 0; i < table->count; i++) {
		const char *name = table->names + table->symbols[i].name;
		size_t slot = name_hash(name, strlen(name)) & (slots - 1);

		while (table->by_hash[slot])
			slot = (slot + 1) & (slots - 1);
		table->by_hash[slot] = i + 1;
	}
	return 0;
}

int symbol_table_find(struct symbol_table *table, const char *name, uint64_t *ret_address)
{
	if (build_index(table))
		return -ENOMEM;
	for (size_t slot = name_hash(name, strlen(name)) & (table->slot_count - 1); table->by_hash[slot];
	     slot = (slot + 1) & (table->slot_count - 1)) {
		const struct table_symbol *symbol = &table->symbols[table->by_hash[slot] - 1];

		if (strcmp(table->names + symbol->name, name))
			continue;
		*ret_address = symbol->address;
		return 0;
	}
	return -ENOENT;
}

int symbol_table_at(struct symbol_table *table, uint64_t address, const char **ret_name, uint64_t *ret_start,
		    uint64_t *ret_end)
{
	size_t low, first;

	if (build_index(table))
		return -ENOMEM;
	low = PARTITION_POINT(i, table->count, table->symbols[i].address <= address);
	if (!low || (low == table->count && table->symbols[low - 1].address != address))
		return -ENOENT;
	first = low - 1;
	while (first && table->symbols[first - 1].address == table->symbols[low - 1].address)
		first--;
	*ret_name = table->names + table->symbols[first].name;
	*ret_start = table->symbols[first].address;
	*ret_end = low < table->count ? table->symbols[low].address : *ret_start;
	return 0;
}
