// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Real objects against elfutils, which shares no code with lib/cfi*.c: dwarf_cfi_addrframe() must give the
 * same rule at both ends of each of its own intervals, and at both sides of each of our rows. The linker's
 * .eh_frame_hdr says where functions start and how many there are.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cfi.h"
#include "error.h"

#define REG_RBP 6
#define REG_RSP 7
#define REG_RETURN_ADDRESS 16

/* Of 1000 rows: ld.so needs 5 for its lazy binding trampolines (CFA from rbx), the others hardly one. */
#define UNSUPPORTED_PER_1000 5

struct object {
	int fd;
	Elf *elf;
	Dwarf_CFI *cfi;
	struct unwind_table table;
	uint64_t *starts; /* of functions, from .eh_frame_hdr; ascending */
	size_t start_count;
};

/* The location or value of a register, as libdw describes it. */
struct location {
	Dwarf_Op memory[3];
	Dwarf_Op *ops;
	size_t count;
	bool is_undefined;
};

/* @ret_location must stay where it is: ops may point into it. */
static void read_location(Dwarf_Frame *frame, int reg, struct location *ret_location)
{
	assert_int_equal(dwarf_frame_register(frame, reg, ret_location->memory, &ret_location->ops,
					      &ret_location->count),
			 0);
	ret_location->is_undefined = ret_location->count == 0 && ret_location->ops == ret_location->memory;
}

static bool is_cfa_plus(const struct location *location, int64_t *ret_offset)
{
	if (location->count == 0 || location->count > 2 || location->ops[0].atom != DW_OP_call_frame_cfa)
		return false;
	*ret_offset = 0;
	if (location->count == 1)
		return true;
	*ret_offset = (int64_t)location->ops[1].number;
	return location->ops[1].atom == DW_OP_plus_uconst;
}

/* One operation "register + number". */
static bool is_breg(const Dwarf_Op *op, int reg, int64_t *ret_number)
{
	if (op->atom == DW_OP_bregx && op->number == (Dwarf_Word)reg)
		*ret_number = (int64_t)op->number2;
	else if (op->atom == DW_OP_breg0 + reg)
		*ret_number = (int64_t)op->number;
	else
		return false;
	return true;
}

/* A DW_CFA_expression of that operation alone: libdw shows the CFA, which lies on the stack before it runs.
 */
static bool is_slot(const struct location *location, int reg, int64_t *ret_number)
{
	return location->count == 2 && location->ops[0].atom == DW_OP_call_frame_cfa &&
	       is_breg(&location->ops[1], reg, ret_number);
}

static bool is_plt(const Dwarf_Op *ops, size_t count)
{
	static const uint8_t atoms[] = {DW_OP_breg7, DW_OP_breg16, DW_OP_lit15, DW_OP_and, 0,
					DW_OP_ge,    DW_OP_lit3,   DW_OP_shl,   DW_OP_plus};

	if (count != sizeof(atoms) || ops[0].number != 8 || ops[1].number != 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (atoms[i] && ops[i].atom != atoms[i])
			return false;
	return ops[4].atom == DW_OP_lit10 || ops[4].atom == DW_OP_lit11;
}

static enum cfa_kind expected_cfa(Dwarf_Frame *frame, int *ret_offset)
{
	Dwarf_Op *ops;
	size_t count;
	int64_t number = 0;
	bool is_rsp;

	assert_int_equal(dwarf_frame_cfa(frame, &ops, &count), 0);
	if (count == 0)
		return CFA_NONE;
	if (is_plt(ops, count)) {
		*ret_offset = ops[4].atom - DW_OP_lit0;
		return CFA_PLT;
	}
	is_rsp = is_breg(&ops[0], REG_RSP, &number);
	if (!is_rsp && !is_breg(&ops[0], REG_RBP, &number))
		return CFA_NONE;
	*ret_offset = (int)number;
	if (count == 1)
		return is_rsp ? CFA_RSP : CFA_RBP;
	if (count == 2 && ops[1].atom == DW_OP_deref)
		return is_rsp ? CFA_RSP_DEREF : CFA_RBP_DEREF;
	return CFA_NONE;
}

static bool expected_rbp(Dwarf_Frame *frame, struct unwind_row *row)
{
	struct location rbp;
	int64_t offset;

	read_location(frame, REG_RBP, &rbp);
	if (rbp.count == 0)
		return true;
	if (is_cfa_plus(&rbp, &offset)) {
		row->rbp_offset = (short)offset;
		return offset == row->rbp_offset && offset != 0;
	}
	if (!is_slot(&rbp, REG_RBP, &offset))
		return false;
	row->rbp_offset = (short)offset;
	row->flags = UNWIND_RBP_FROM_RBP;
	return true;
}

/* What a row must say at @pc, an address of the object. False: libdw has a rule that rows can't express. */
static bool expected_row(Dwarf_Frame *frame, struct unwind_row *ret_row)
{
	struct location ra, rsp;
	struct unwind_row row = {0};
	int64_t offset = 0;
	bool is_signal;

	*ret_row = row;
	read_location(frame, REG_RETURN_ADDRESS, &ra);
	read_location(frame, REG_RSP, &rsp);
	dwarf_frame_info(frame, NULL, NULL, &is_signal);
	if (ra.is_undefined) {
		ret_row->kind = CFA_END;
		return true;
	}
	if (is_signal && is_slot(&ra, REG_RSP, &offset) && offset == 168) {
		ret_row->kind = CFA_SIGNAL;
		return true;
	}
	row.kind = (unsigned char)expected_cfa(frame, &row.cfa_offset);
	if (row.kind == CFA_NONE || !is_cfa_plus(&ra, &offset) || offset != -8)
		return false;
	if (rsp.count != 2 || rsp.ops[0].atom != DW_OP_call_frame_cfa || rsp.ops[1].atom != DW_OP_stack_value)
		return false;
	if (!expected_rbp(frame, &row))
		return false;
	*ret_row = row;
	return true;
}

/* libdw's answer at @vaddr against the table's. Gives the end of libdw's interval, 0 where it has none. */
static uint64_t compare_at(struct object *object, uint64_t vaddr, size_t *ret_unsupported)
{
	const struct unwind_row *found =
		unwind_table_find(&object->table, (uint32_t)(vaddr - object->table.base_vaddr));
	struct unwind_row row = found ? *found : (struct unwind_row){0}, expected = {0};
	Dwarf_Addr start, end = 0;
	Dwarf_Frame *frame;

	*ret_unsupported = 0;
	if (dwarf_cfi_addrframe(object->cfi, vaddr, &frame) == 0) {
		*ret_unsupported = !expected_row(frame, &expected);
		dwarf_frame_info(frame, &start, &end, NULL);
		free(frame);
	}
	if (row.kind != expected.kind || row.cfa_offset != expected.cfa_offset ||
	    row.rbp_offset != expected.rbp_offset || row.flags != expected.flags)
		fail_msg("%#lx: kind %d, CFA %+d, rbp %+d, flags %d; libdw: %d, %+d, %+d, %d", (long)vaddr,
			 row.kind, row.cfa_offset, row.rbp_offset, row.flags, expected.kind,
			 expected.cfa_offset, expected.rbp_offset, expected.flags);
	return end;
}

static Elf_Data *section_data(Elf *elf, const char *wanted, GElf_Shdr *ret_header)
{
	Elf_Scn *section = NULL;
	size_t names;

	assert_int_equal(elf_getshdrstrndx(elf, &names), 0);
	while ((section = elf_nextscn(elf, section))) {
		assert_non_null(gelf_getshdr(section, ret_header));
		if (strcmp(elf_strptr(elf, names, ret_header->sh_name), wanted) == 0)
			return elf_getdata(section, NULL);
	}
	return NULL;
}

/* .eh_frame_hdr in the one layout that linkers write: 1, 0x1b, 3, 0x3b, eh_frame, count, {start, fde}… */
static void read_starts(struct object *object)
{
	GElf_Shdr header;
	Elf_Data *data = section_data(object->elf, ".eh_frame_hdr", &header);
	const uint8_t *bytes;
	uint32_t count;

	assert_non_null(data);
	bytes = data->d_buf;
	assert_memory_equal(bytes, "\x01\x1b\x03\x3b", 4);
	memcpy(&count, bytes + 8, 4);
	assert_true(12 + 8ul * count <= data->d_size);
	object->starts = calloc(count, sizeof(*object->starts));
	assert_non_null(object->starts);
	object->start_count = count;
	for (size_t i = 0; i < count; i++) {
		int32_t distance;

		memcpy(&distance, bytes + 12 + 8 * i, 4);
		object->starts[i] = header.sh_addr + (uint64_t)(int64_t)distance;
	}
}

static void open_object(struct object *object, const char *path)
{
	struct error err = {0};

	object->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (object->fd < 0 && errno == ENOENT) {
		print_message("not installed: %s\n", path);
		skip();
	}
	assert_true(object->fd >= 0);
	if (cfi_load(object->fd, &object->table, &err) != 0)
		fail_msg("%s: %s", path, err.text);
	elf_version(EV_CURRENT);
	object->elf = elf_begin(object->fd, ELF_C_READ_MMAP, NULL);
	assert_non_null(object->elf);
	object->cfi = dwarf_getcfi_elf(object->elf);
	assert_non_null(object->cfi);
	read_starts(object);
}

static void close_object(struct object *object)
{
	dwarf_cfi_end(object->cfi);
	elf_end(object->elf);
	close(object->fd);
	free(object->starts);
	unwind_table_deinit(&object->table);
}

/* From each function's start through libdw's intervals to the next function, the gap included. */
static size_t compare_functions(struct object *object)
{
	size_t unsupported = 0;

	for (size_t i = 0; i < object->start_count; i++) {
		uint64_t at = object->starts[i];
		uint64_t next = i + 1 < object->start_count ? object->starts[i + 1] : UINT64_MAX;
		size_t count;

		while (at < next) {
			uint64_t end = compare_at(object, at, &count);

			unsupported += count;
			if (end == 0)
				break;
			compare_at(object, end - 1, &count);
			at = end;
		}
	}
	return unsupported;
}

static void compare_rows(struct object *object)
{
	const struct unwind_table *table = &object->table;
	size_t unsupported;

	for (size_t i = 0; i < table->count; i++) {
		uint64_t vaddr = table->base_vaddr + table->rows[i].pc;

		compare_at(object, vaddr, &unsupported);
		compare_at(object, vaddr - 1, &unsupported);
	}
}

static void rows_have_the_shape_that_binary_search_needs(const struct unwind_table *table)
{
	assert_true(table->count > 0);
	for (size_t i = 1; i < table->count; i++) {
		assert_true(table->rows[i - 1].pc < table->rows[i].pc);
		assert_memory_not_equal(&table->rows[i - 1].cfa_offset, &table->rows[i].cfa_offset, 8);
	}
	assert_int_equal(table->rows[table->count - 1].kind, CFA_NONE);
}

static void the_table_agrees_with_libdw(void **state)
{
	struct object object = {0};

	open_object(&object, *state);
	assert_int_equal(object.table.damaged, 0);
	assert_int_equal(object.table.fdes, object.start_count);
	rows_have_the_shape_that_binary_search_needs(&object.table);
	assert_int_equal(object.table.unsupported, compare_functions(&object));
	compare_rows(&object);
	assert_true(object.table.unsupported * 1000 <= object.table.count * UNSUPPORTED_PER_1000);
	close_object(&object);
}

#ifndef __clang__
/* An aligned local, alloca and an argument on the stack: gcc finds its caller through r10, then through a
 * slot. */
__attribute__((noipa)) static int realigned(size_t size, int b, int c, int d, int e, int f, int on_stack)
{
	_Alignas(64) volatile char aligned[64];
	volatile char *bytes = __builtin_alloca(size);

	bytes[size - 1] = (char)(b + c + d + e + f);
	aligned[0] = (char)on_stack;
	return aligned[0] + bytes[size - 1];
}

static void a_stack_realigned_by_gcc_agrees_with_libdw(void **state)
{
	struct object object = {0};
	size_t realigned_rows = 0;

	(void)state;
	assert_int_equal(realigned(100, 1, 2, 3, 4, 5, 6), 21);
	open_object(&object, "/proc/self/exe");
	assert_int_equal(object.table.unsupported, compare_functions(&object));
	compare_rows(&object);
	for (size_t i = 0; i < object.table.count; i++) {
		const struct unwind_row *row = &object.table.rows[i];

		realigned_rows += row->kind == CFA_RBP_DEREF && row->flags == UNWIND_RBP_FROM_RBP;
	}
	assert_true(realigned_rows > 0);
	close_object(&object);
}
#endif

#define OBJECT(path)                                                                                         \
	{                                                                                                    \
		.name = "the_table_agrees_with_libdw: " path, .test_func = the_table_agrees_with_libdw,      \
		.initial_state = path                                                                        \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifndef __clang__
		cmocka_unit_test(a_stack_realigned_by_gcc_agrees_with_libdw),
#endif
		OBJECT("/lib/x86_64-linux-gnu/libc.so.6"),
		OBJECT("/lib64/ld-linux-x86-64.so.2"),
		OBJECT("/usr/bin/python3.11"),
		OBJECT("/usr/bin/sqlite3"),
		OBJECT("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"),
		OBJECT("/usr/lib/x86_64-linux-gnu/libstdc++.so.6"),
		OBJECT("/usr/lib/x86_64-linux-musl/libc.so"),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
