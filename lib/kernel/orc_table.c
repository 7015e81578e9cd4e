// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Finds ORC rows by bisection in the kernel's memory. A table is two arrays of one length: orc_unwind_ip[i],
 * a 32-bit distance from itself to the first address that row i covers, ascending; and orc_unwind[i], packed:
 *
 *     s16 sp_offset | s16 bp_offset | sp_reg:4 bp_reg:4 type:2 end:1              until 6.2
 *                                     sp_reg:4 bp_reg:4 type:2 signal:1 end:1     6.3 (ffb1b4a41016)
 *                                     sp_reg:4 bp_reg:4 type:3 signal:1           since 6.4
 */
#include "orc_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "kernel_list.h"
#include "kernel_types.h"

#define MODULES_MAX 65536
#define MODULE_NAME_BYTES 64
#define ROW_BYTES 8
/* More rows than fit in an image of 1 GiB with a row for each instruction of one byte. */
#define ROWS_MAX (1u << 30)
/* Of all tables together, when all rows are asked for: a large kernel has a million. */
#define ROWS_WALKED (1u << 24)
#define PIECE_ROWS 4096

/* One table and the text that it is about. */
struct orc_part {
	uint64_t text, text_size;
	uint64_t ips, rows;
	uint64_t count;
	char name[MODULE_NAME_BYTES]; /* "": the image */
};

struct orc_layout {
	struct field sp_offset, bp_offset, sp_reg, bp_reg, type, end, signal;
	size_t size;
	struct field module_list, module_name, module_base, module_size;
	struct field module_count, module_ips, module_rows;
};

struct orc_tables {
	struct kernel *kernel;
	struct orc_layout layout;
	const enum orc_register *registers; /* by the number in a row, 16 of them */
	struct orc_part *parts;             /* the image first */
	size_t count;
};

/*
 * Registers were numbered anew between 7.0 and 7.3. No type or symbol tells, but rows do: SP is in most of
 * them. Of the new numbers, those that no row of the kernels seen has are left out.
 */
static const enum orc_register first_registers[16] = {
	ORC_UNDEFINED, ORC_PREV_SP, ORC_DX,          ORC_DI,          ORC_BP, ORC_SP,
	ORC_R10,       ORC_R13,     ORC_BP_INDIRECT, ORC_SP_INDIRECT, ORC_AX, ORC_UNKNOWN,
	ORC_UNKNOWN,   ORC_UNKNOWN, ORC_UNKNOWN,     ORC_UNKNOWN,
};
static const enum orc_register second_registers[16] = {
	ORC_UNDEFINED, ORC_UNKNOWN, ORC_DX,      ORC_SP,          ORC_BP,          ORC_UNKNOWN,
	ORC_R10,       ORC_R13,     ORC_PREV_SP, ORC_SP_INDIRECT, ORC_BP_INDIRECT, ORC_UNKNOWN,
	ORC_UNKNOWN,   ORC_UNKNOWN, ORC_UNKNOWN, ORC_UNKNOWN,
};
#define FIRST_SP 5
#define SECOND_SP 3
#define SAMPLE_ROWS 256

#define AT(member) offsetof(struct orc_layout, member)

static const struct field_spec specs[] = {
	{ "orc_entry", "sp_offset", AT(sp_offset), false },
	{ "orc_entry", "bp_offset", AT(bp_offset), false },
	{ "orc_entry", "sp_reg", AT(sp_reg), false },
	{ "orc_entry", "bp_reg", AT(bp_reg), false },
	{ "orc_entry", "type", AT(type), false },
	{ "orc_entry", "end", AT(end), false },
	{ "orc_entry", "signal", AT(signal), false },
	{ "module", "list", AT(module_list), false },
	{ "module", "name", AT(module_name), false },
	/* ac3b43283923 (6.4): a module's memory is an array, text first. */
	{ "module", "mem[0].base|core_layout.base", AT(module_base), false },
	{ "module", "mem[0].size|core_layout.text_size", AT(module_size), false },
	{ "module", "arch.num_orcs", AT(module_count), false },
	{ "module", "arch.orc_unwind_ip", AT(module_ips), false },
	{ "module", "arch.orc_unwind", AT(module_rows), false },
};

static int add_part(struct orc_tables *tables, const struct orc_part *part)
{
	if (!(tables->count & (tables->count - 1))) {
		size_t capacity = tables->count ? 2 * tables->count : 1;
		struct orc_part *grown = reallocarray(tables->parts, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		tables->parts = grown;
	}
	tables->parts[tables->count++] = *part;
	return 0;
}

/* The image's text, and its tables where they are known. */
static int add_image(struct orc_tables *tables)
{
	struct kernel *kernel = tables->kernel;
	struct orc_part part = { 0 };
	uint64_t end, stop;
	int status;

	if (kernel_symbol(kernel, "_stext", &part.text) || kernel_symbol(kernel, "_etext", &end) ||
	    end < part.text)
		return -ENOENT;
	part.text_size = end - part.text;
	if (tables->layout.size && !kernel_symbol(kernel, "__start_orc_unwind_ip", &part.ips) &&
	    !kernel_symbol(kernel, "__start_orc_unwind", &part.rows)) {
		if (kernel_symbol(kernel, "__stop_orc_unwind_ip", &stop))
			stop = part.rows; /* which comes right behind */
		if (stop > part.ips && (stop - part.ips) / 4 <= ROWS_MAX)
			part.count = (stop - part.ips) / 4;
	}
	status = add_part(tables, &part);
	/* The first idle task still is in start_kernel(), whose code is freed and whose rows are not. */
	if (!status && !kernel_symbol(kernel, "_sinittext", &part.text) &&
	    !kernel_symbol(kernel, "_einittext", &end) && end > part.text) {
		part.text_size = end - part.text;
		status = add_part(tables, &part);
	}
	return status;
}

static void read_module(struct orc_tables *tables, uint64_t module, struct orc_part *part)
{
	const struct orc_layout *layout = &tables->layout;
	struct kernel *kernel = tables->kernel;

	if (field_read(kernel, &layout->module_base, module, &part->text) ||
	    field_read(kernel, &layout->module_size, module, &part->text_size) ||
	    kernel_read_string(kernel, module + layout->module_name.offset, part->name, sizeof(part->name)) ||
	    !part->name[0])
		snprintf(part->name, sizeof(part->name), "module");
	if (field_read(kernel, &layout->module_count, module, &part->count) || part->count > ROWS_MAX ||
	    field_read(kernel, &layout->module_ips, module, &part->ips) ||
	    field_read(kernel, &layout->module_rows, module, &part->rows))
		part->count = 0;
}

/* What is found of the modules until their list ends. */
static int add_modules(struct orc_tables *tables)
{
	const struct orc_layout *layout = &tables->layout;
	struct list_walk walk;
	uint64_t head, node;
	int status = 0;

	if (!field_exists(&layout->module_list) || !field_exists(&layout->module_base) ||
	    !field_exists(&layout->module_name) || kernel_symbol(tables->kernel, "modules", &head))
		return 0;
	list_walk_begin(&walk, tables->kernel, head, MODULES_MAX);
	while (!status && list_walk_next(&walk, &node)) {
		struct orc_part part = { 0 };

		read_module(tables, node - layout->module_list.offset, &part);
		if (part.text_size)
			status = add_part(tables, &part);
	}
	return status;
}

/* Look at rows in the middle of the image's table. Without any, the numbers don't matter. */
static void learn_registers(struct orc_tables *tables)
{
	const struct orc_part *image = &tables->parts[0];
	size_t size = tables->layout.size, seen[16] = { 0 };
	uint64_t count = image->count < SAMPLE_ROWS ? image->count : SAMPLE_ROWS;
	uint64_t first = (image->count - count) / 2;

	for (uint64_t i = first; i < first + count; i++) {
		uint8_t bytes[ROW_BYTES] = { 0 };

		if (!kernel_read(tables->kernel, image->rows + i * size, bytes, size))
			seen[field_get(&tables->layout.sp_reg, bytes, ROW_BYTES) & 15]++;
	}
	tables->registers = seen[SECOND_SP] > seen[FIRST_SP] ? second_registers : first_registers;
}

int orc_tables_open(struct kernel *kernel, struct orc_tables **ret_tables)
{
	struct orc_tables *tables = calloc(1, sizeof(*tables));
	int status;

	if (!tables)
		return -ENOMEM;
	tables->kernel = kernel;
	status = fields_load(kernel->types, specs, sizeof(specs) / sizeof(*specs), &tables->layout, NULL);
	if (!status && field_exists(&tables->layout.type))
		tables->layout.size = kernel_sizeof(kernel->types, "orc_entry");
	if (tables->layout.size > ROW_BYTES)
		tables->layout.size = 0;
	if (!status)
		status = add_image(tables);
	if (!status) {
		learn_registers(tables);
		status = add_modules(tables);
	}
	if (status) {
		orc_tables_close(tables);
		return status;
	}
	*ret_tables = tables;
	return 0;
}

void orc_tables_close(struct orc_tables *tables)
{
	if (tables)
		free(tables->parts);
	free(tables);
}

static const struct orc_part *find_part(const struct orc_tables *tables, uint64_t address)
{
	for (size_t i = 0; i < tables->count; i++)
		if (address - tables->parts[i].text < tables->parts[i].text_size)
			return &tables->parts[i];
	return NULL;
}

bool orc_is_text(const struct orc_tables *tables, uint64_t address, char *name, size_t size)
{
	const struct orc_part *part = find_part(tables, address);

	if (part)
		snprintf(name, size, "%s", part->name);
	return part != NULL;
}

/* The last row whose address is not above @ip. */
static int bisect(struct kernel *kernel, const struct orc_part *part, uint64_t ip, uint64_t *ret_index)
{
	uint64_t low = 0, high = part->count;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2, at = part->ips + 4 * middle;
		uint32_t distance;

		if (kernel_read_u32(kernel, at, &distance))
			return -EFAULT;
		if (at + (uint64_t)(int64_t)(int32_t)distance <= ip)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return -ENOENT;
	*ret_index = low - 1;
	return 0;
}

static enum orc_kind kind_of(const struct orc_layout *layout, const uint8_t *bytes)
{
	static const enum orc_kind kinds[] = { ORC_NO_ROW, ORC_END_OF_STACK, ORC_CALL, ORC_REGS,
					       ORC_REGS_PARTIAL };
	static const enum orc_kind older_kinds[] = { ORC_CALL, ORC_REGS, ORC_REGS_PARTIAL };
	uint64_t type = field_get(&layout->type, bytes, ROW_BYTES);

	if (!field_exists(&layout->end))
		return type < sizeof(kinds) / sizeof(*kinds) ? kinds[type] : ORC_NO_ROW;
	if (field_get(&layout->end, bytes, ROW_BYTES))
		return ORC_END_OF_STACK;
	/* A row without a stack pointer stood for the end, or for no row. */
	if (field_get(&layout->sp_reg, bytes, ROW_BYTES) == ORC_UNDEFINED)
		return ORC_NO_ROW;
	return type < sizeof(older_kinds) / sizeof(*older_kinds) ? older_kinds[type] : ORC_NO_ROW;
}

static void decode_row(const struct orc_tables *tables, const uint8_t *bytes, struct orc_row *ret_row)
{
	const struct orc_layout *layout = &tables->layout;

	ret_row->sp_offset = (int16_t)field_get(&layout->sp_offset, bytes, ROW_BYTES);
	ret_row->bp_offset = (int16_t)field_get(&layout->bp_offset, bytes, ROW_BYTES);
	ret_row->sp_register = tables->registers[field_get(&layout->sp_reg, bytes, ROW_BYTES) & 15];
	ret_row->bp_register = tables->registers[field_get(&layout->bp_reg, bytes, ROW_BYTES) & 15];
	ret_row->kind = kind_of(layout, bytes);
	ret_row->is_signal = field_exists(&layout->signal)
				     ? field_get(&layout->signal, bytes, ROW_BYTES) != 0
				     : ret_row->kind == ORC_REGS || ret_row->kind == ORC_REGS_PARTIAL;
}

int orc_find(struct orc_tables *tables, uint64_t ip, struct orc_row *ret_row)
{
	const struct orc_part *part = find_part(tables, ip);
	uint8_t bytes[ROW_BYTES] = { 0 };
	uint64_t index;
	int status;

	if (!part || !part->count)
		return -ENOENT;
	status = bisect(tables->kernel, part, ip, &index);
	if (!status)
		status = kernel_read(tables->kernel, part->rows + index * tables->layout.size, bytes,
				     tables->layout.size);
	if (!status)
		decode_row(tables, bytes, ret_row);
	return status;
}

/* A walk along a table: the row that is known, and where it begins. */
struct orc_walk {
	struct orc_tables *tables;
	const struct orc_part *part;
	struct orc_row row;
	uint64_t start;
	bool has_row;
	uint64_t left; /* rows that may still be looked at */
	orc_visit visit;
	void *context;
};

/* The row that is known is about what lies before @end. */
static int end_row(struct orc_walk *walk, uint64_t end)
{
	uint64_t text_end = walk->part->text + walk->part->text_size;
	uint64_t start = walk->start > walk->part->text ? walk->start : walk->part->text;

	end = end < text_end ? end : text_end;
	if (!walk->has_row || start >= end)
		return 0;
	return walk->visit(walk->context, start, end, &walk->row);
}

/* Rows [@first, @first + @count). @ret_is_over: the part's text ends among them. */
static int walk_rows(struct orc_walk *walk, uint64_t first, size_t count, bool *ret_is_over)
{
	uint32_t distances[PIECE_ROWS];
	uint8_t rows[PIECE_ROWS * ROW_BYTES];
	size_t size = walk->tables->layout.size;
	uint64_t ips = walk->part->ips + 4 * first;
	struct kernel *kernel = walk->tables->kernel;
	int status = 0;

	if (kernel_read(kernel, ips, distances, 4 * count) ||
	    kernel_read(kernel, walk->part->rows + first * size, rows, count * size))
		return 0;
	for (size_t i = 0; !status && !*ret_is_over && i < count; i++) {
		uint64_t start = ips + 4 * i + (uint64_t)(int64_t)(int32_t)distances[i];
		uint8_t bytes[ROW_BYTES] = { 0 };

		if (walk->has_row && start < walk->start)
			continue;
		status = end_row(walk, start);
		memcpy(bytes, rows + i * size, size);
		decode_row(walk->tables, bytes, &walk->row);
		walk->start = start;
		walk->has_row = true;
		*ret_is_over = start >= walk->part->text + walk->part->text_size;
	}
	return status;
}

static int walk_part(struct orc_walk *walk)
{
	const struct orc_part *part = walk->part;
	bool is_over = false;
	uint64_t at;
	int status = bisect(walk->tables->kernel, part, part->text, &at);

	if (status == -ENOENT)
		at = 0;
	else if (status)
		return 0;
	walk->has_row = false;
	for (status = 0; !status && !is_over && at < part->count && walk->left;) {
		uint64_t count = part->count - at;

		count = count < PIECE_ROWS ? count : PIECE_ROWS;
		count = count < walk->left ? count : walk->left;
		walk->left -= count;
		status = walk_rows(walk, at, count, &is_over);
		at += count;
	}
	return status ? status : is_over ? 0 : end_row(walk, UINT64_MAX);
}

int orc_each(struct orc_tables *tables, orc_visit visit, void *context)
{
	struct orc_walk walk = { .tables = tables, .left = ROWS_WALKED, .visit = visit, .context = context };
	int status = 0;

	for (size_t i = 0; !status && i < tables->count; i++) {
		walk.part = &tables->parts[i];
		if (walk.part->count)
			status = walk_part(&walk);
	}
	return status;
}
