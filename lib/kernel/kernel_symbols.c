// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * All names that are known of a kernel. /proc/kallsyms takes the kernel some 100 ms to write. It is read when the
 * first address is looked for that no other table has, which then is a module's or a BPF program's; for a name
 * only when there are no tables in memory: names that they lack are mostly those that the kernel lacks.
 */
#include "kernel_symbols.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kallsyms.h"
#include "symbol_table.h"

#define RUNNING "/proc/kallsyms"

struct kernel_symbols {
	struct kallsyms *kallsyms;
	struct symbol_table named; /* one by one: what a memory source found */
	struct symbol_table table; /* from files */
	bool has_running; /* /proc/kallsyms may be read, and hasn't been */
	char origin[128];
};

int kernel_symbols_create(struct kernel_symbols **ret_symbols)
{
	struct kernel_symbols *symbols = calloc(1, sizeof(*symbols));

	if (!symbols)
		return -ENOMEM;
	*ret_symbols = symbols;
	return 0;
}

void kernel_symbols_destroy(struct kernel_symbols *symbols)
{
	if (!symbols)
		return;
	kallsyms_close(symbols->kallsyms);
	symbol_table_deinit(&symbols->named);
	symbol_table_deinit(&symbols->table);
	free(symbols);
}

static void add_origin(struct kernel_symbols *symbols, const char *origin)
{
	size_t used = strlen(symbols->origin);

	snprintf(symbols->origin + used, sizeof(symbols->origin) - used, "%s%s", used ? ", " : "", origin);
}

int kernel_symbols_add_kallsyms(struct kernel_symbols *symbols, struct kernel *kernel, struct error *err)
{
	int status;

	if (symbols->kallsyms)
		return 0;
	status = kallsyms_open(kernel, &symbols->kallsyms, err);
	if (!status)
		add_origin(symbols, "kallsyms in memory");
	return status;
}

int kernel_symbols_add_text(struct kernel_symbols *symbols, const char *path, uint64_t slide, struct error *err)
{
	int status = symbol_table_add_text(&symbols->table, path, slide, err);

	if (!status)
		add_origin(symbols, path);
	return status;
}

int kernel_symbols_add_running(struct kernel_symbols *symbols, struct error *err)
{
	if (access(RUNNING, R_OK))
		return error_set(err, -errno, RUNNING ": %s", strerror(errno));
	symbols->has_running = true;
	if (!symbols->kallsyms)
		add_origin(symbols, RUNNING);
	return 0;
}

int kernel_symbols_add_elf(struct kernel_symbols *symbols, const char *path, uint64_t slide, struct error *err)
{
	int status = symbol_table_add_elf(&symbols->table, path, slide, err);

	if (!status)
		add_origin(symbols, path);
	return status;
}

int kernel_symbols_add(struct kernel_symbols *symbols, const char *name, uint64_t address)
{
	return symbol_table_add(&symbols->named, name, strlen(name), address, 'D');
}

/* Whether there is more to look through than before. */
static bool load_running(struct kernel_symbols *symbols)
{
	bool is_due = symbols->has_running;

	symbols->has_running = false;
	return is_due && !symbol_table_add_text(&symbols->table, RUNNING, 0, NULL);
}

int kernel_symbols_find(struct kernel_symbols *symbols, const char *name, uint64_t *ret_address)
{
	int status = symbol_table_find(&symbols->named, name, ret_address);

	if (status == -ENOENT)
		status = symbol_table_find(&symbols->table, name, ret_address);
	if (status == -ENOENT && symbols->kallsyms)
		status = kallsyms_find(symbols->kallsyms, name, ret_address);
	if (status && !symbols->kallsyms && load_running(symbols))
		status = symbol_table_find(&symbols->table, name, ret_address);
	return status;
}

static int table_at(struct symbol_table *table, uint64_t address, char *name, size_t size, uint64_t *ret_start,
		    uint64_t *ret_end)
{
	const char *found;
	uint64_t end;
	int status = symbol_table_at(table, address, &found, ret_start, &end);

	if (status)
		return status;
	if (size)
		snprintf(name, size, "%s", found);
	if (ret_end)
		*ret_end = end;
	return 0;
}

int kernel_symbols_at(struct kernel_symbols *symbols, uint64_t address, char *name, size_t size,
		      uint64_t *ret_start, uint64_t *ret_end)
{
	uint64_t start, last;
	int status;

	/* One by one are known places, not ranges. */
	if (!table_at(&symbols->named, address, name, size, &start, ret_end) && start == address) {
		*ret_start = start;
		return 0;
	}
	if (symbols->kallsyms) {
		status = kallsyms_at(symbols->kallsyms, address, name, size, ret_start, ret_end);
		if (status != -ENOENT)
			return status;
		/* Inside of the image the running kernel's list knows no more; behind it are modules. */
		if (!kallsyms_address(symbols->kallsyms, symbols->kallsyms->count - 1, &last) && address <= last)
			return -ENOENT;
	}
	load_running(symbols);
	return table_at(&symbols->table, address, name, size, ret_start, ret_end);
}

/* Where names from the tables in memory go. */
struct copying {
	struct kallsyms *kallsyms;
	struct symbol_table *table;
};

static int copy_name(void *context, uint32_t number, const char *name, char type)
{
	struct copying *copying = context;
	uint64_t address;

	if (kallsyms_address(copying->kallsyms, number, &address))
		return 0;
	return symbol_table_add(copying->table, name, strlen(name), address, type);
}

static int copy_table(const struct symbol_table *from, struct symbol_table *to)
{
	int status = 0;

	for (size_t i = 0; !status && i < from->count; i++) {
		const struct table_symbol *symbol = &from->symbols[i];
		const char *name = from->names + symbol->name;

		status = symbol_table_add(to, name, strlen(name), symbol->address, symbol->type);
	}
	return status;
}

int kernel_symbols_copy(struct kernel_symbols *symbols, struct symbol_table *table)
{
	struct copying copying = { symbols->kallsyms, table };
	int status = 0;

	load_running(symbols);
	if (symbols->kallsyms)
		status = kallsyms_each(symbols->kallsyms, copy_name, &copying);
	if (!status)
		status = copy_table(&symbols->table, table);
	return status ? status : copy_table(&symbols->named, table);
}

const char *kernel_symbols_origin(const struct kernel_symbols *symbols)
{
	return symbols->origin[0] ? symbols->origin : NULL;
}

size_t kernel_symbols_count(const struct kernel_symbols *symbols)
{
	return symbols->table.count + (symbols->kallsyms ? symbols->kallsyms->count : 0);
}
