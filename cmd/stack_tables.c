// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Makes unwind tables out of the objects of processes and puts them into BPF maps. */
#include "stack_tables.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cfi.h"
#include "cleanup.h"
#include "elf_object.h"
#include "proc_maps.h"
#include "stack_layout.h"

#define MAX_TABLES 4096 /* MAX_UNWIND_TABLES of the walker */
#define BATCH_ROWS 65536
#define WAITING_TABLES 64
#define BYTES_PER_ROW 16 /* what the kernel takes: rounded up to 8 */

DEFINE_CLEANUP(maps, struct proc_maps, proc_maps_deinit(&v));
DEFINE_CLEANUP(table, struct unwind_table, unwind_table_deinit(&v));

/* An object seen in some process, by what the memory map says of it. */
struct known_object {
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	uint32_t table; /* UNWIND_NO_TABLE: frame pointers */
	uint32_t rows;
	uint64_t base_vaddr;
	struct elf_object *object; /* for the addresses of segments; NULL: could not be opened */
};

struct stack_tables {
	struct stack_tables_maps maps;
	uint64_t budget_bytes;
	struct known_object *objects;
	size_t object_count;
	uint32_t next_table;
	uint32_t waiting_index[WAITING_TABLES]; /* made, and not yet given to the walker */
	int waiting_fd[WAITING_TABLES];
	uint32_t waiting_count;
	struct stack_tables_totals totals;
};

int stack_tables_create(const struct stack_tables_maps *maps, uint64_t budget_bytes, struct stack_tables **ret_tables)
{
	struct stack_tables *tables = calloc(1, sizeof(*tables));

	if (!tables)
		return -ENOMEM;
	tables->maps = *maps;
	tables->budget_bytes = budget_bytes;
	*ret_tables = tables;
	return 0;
}

/*
 * Each call that changes the outer map waits until no program runs that may have seen what was there before, some 10 ms: so
 * all tables of a process go in one. Kernels that don't take several at once for maps of maps (5.10) get them one by one.
 * A table that is refused is missing: frame pointers.
 */
static void hand_over(struct stack_tables *tables)
{
	uint32_t count = tables->waiting_count;
	int outer = tables->maps.unwind_tables_fd;

	if (count && bpf_map_update_batch(outer, tables->waiting_index, tables->waiting_fd, &count, NULL))
		for (uint32_t i = 0; i < tables->waiting_count; i++)
			bpf_map_update_elem(outer, &tables->waiting_index[i], &tables->waiting_fd[i], BPF_ANY);
	while (tables->waiting_count)
		close(tables->waiting_fd[--tables->waiting_count]); /* the maps live on in the outer one */
}

void stack_tables_destroy(struct stack_tables *tables)
{
	if (!tables)
		return;
	hand_over(tables);
	for (size_t i = 0; i < tables->object_count; i++)
		elf_object_unref(tables->objects[i].object);
	free(tables->objects);
	free(tables);
}

static int fill_rows(int map_fd, const struct unwind_row *rows, uint32_t count)
{
	CLEANUP(free) uint32_t *keys = malloc(BATCH_ROWS * sizeof(*keys));

	if (!keys)
		return -ENOMEM;
	for (uint32_t at = 0; at < count;) {
		uint32_t batch = count - at < BATCH_ROWS ? count - at : BATCH_ROWS;

		for (uint32_t i = 0; i < batch; i++)
			keys[i] = at + i;
		if (bpf_map_update_batch(map_fd, keys, rows + at, &batch, NULL))
			return -errno;
		at += batch;
	}
	return 0;
}

/* Put a table into the kernel; hand_over() gives it to the walker. */
static int upload(struct stack_tables *tables, const struct unwind_table *table, uint32_t *ret_index)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP);
	CLEANUP(close) int fd = -1;
	int status;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_rows", sizeof(uint32_t), sizeof(struct unwind_row),
			    table->count, &options);
	if (fd < 0)
		return -errno;
	status = fill_rows(fd, table->rows, table->count);
	if (status)
		return status;
	if (tables->waiting_count == WAITING_TABLES)
		hand_over(tables);
	tables->waiting_index[tables->waiting_count] = *ret_index = tables->next_table++;
	tables->waiting_fd[tables->waiting_count++] = fd;
	fd = -1;
	return 0;
}

static void load_table(struct stack_tables *tables, struct known_object *known)
{
	CLEANUP(table) struct unwind_table table = { 0 };

	known->table = UNWIND_NO_TABLE;
	tables->totals.objects_without++;
	if (!known->object || tables->next_table >= MAX_TABLES || cfi_load(elf_object_fd(known->object), &table, NULL))
		return;
	if (tables->totals.bytes + table.count * BYTES_PER_ROW > tables->budget_bytes)
		return;
	if (upload(tables, &table, &known->table))
		return;
	known->rows = table.count;
	known->base_vaddr = table.base_vaddr;
	tables->totals.objects_without--;
	tables->totals.objects++;
	tables->totals.rows += table.count;
	tables->totals.bytes += table.count * BYTES_PER_ROW;
}

static const struct known_object *object_of(struct stack_tables *tables, pid_t pid, const struct mapping *mapping)
{
	struct known_object *grown;

	for (size_t i = 0; i < tables->object_count; i++) {
		const struct known_object *known = &tables->objects[i];

		/* All vDSOs of one kernel are the same. */
		if (known->inode == mapping->inode && known->dev_major == mapping->dev_major &&
		    known->dev_minor == mapping->dev_minor)
			return known;
	}
	grown = reallocarray(tables->objects, tables->object_count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	tables->objects = grown;
	grown = &grown[tables->object_count++];
	*grown = (struct known_object){ .inode = mapping->inode, .dev_major = mapping->dev_major,
					.dev_minor = mapping->dev_minor };
	if (elf_object_open_mapping(pid, mapping, &grown->object, NULL))
		grown->object = NULL;
	load_table(tables, grown);
	return grown;
}

static void add_mapping(struct stack_tables *tables, pid_t pid, const struct mapping *mapping, struct layout *layout)
{
	struct layout_mapping *entry = &layout->mappings[layout->count];
	const struct known_object *known = NULL;
	uint64_t vaddr;

	*entry = (struct layout_mapping){ .start = mapping->start, .end = mapping->end, .table = UNWIND_NO_TABLE };
	if (mapping->inode || !strcmp(mapping->path, "[vdso]"))
		known = object_of(tables, pid, mapping);
	if (known && known->table != UNWIND_NO_TABLE &&
	    !elf_object_offset_to_vaddr(known->object, mapping->file_offset, &vaddr)) {
		entry->bias = mapping->start - vaddr + known->base_vaddr;
		entry->table = known->table;
		entry->rows = known->rows;
	}
	layout->count++;
}

int stack_tables_update(struct stack_tables *tables, pid_t pid, uint32_t space, struct error *err)
{
	CLEANUP(maps) struct proc_maps maps = { 0 };
	CLEANUP(free) struct layout *layout = calloc(1, sizeof(*layout));
	int status;

	if (!layout)
		return -ENOMEM;
	status = proc_maps_read(pid, &maps, err);
	if (status)
		return status;
	for (size_t i = 0; i < maps.count && layout->count < LAYOUT_MAX_MAPPINGS; i++) {
		/* [vsyscall] is in the kernel's half, and nothing calls malloc from it. */
		if (maps.list[i].is_executable && strcmp(maps.list[i].path, "[vsyscall]"))
			add_mapping(tables, pid, &maps.list[i], layout);
	}
	hand_over(tables);
	if (bpf_map_update_elem(tables->maps.layouts_fd, &space, layout, BPF_ANY))
		return error_set(err, -errno, "cannot tell the stack walker of process %d: %s", pid, strerror(errno));
	__atomic_fetch_add(tables->maps.epoch, 1, __ATOMIC_SEQ_CST);
	return 0;
}

void stack_tables_forget(struct stack_tables *tables, uint32_t space)
{
	bpf_map_delete_elem(tables->maps.layouts_fd, &space);
}

void stack_tables_totals(const struct stack_tables *tables, struct stack_tables_totals *ret_totals)
{
	*ret_totals = tables->totals;
}
