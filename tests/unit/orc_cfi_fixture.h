/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A kernel with ORC tables, their call frame information in a file, and a step from a frame that stands in their code
 * to its caller: by what libdw reads in the section. After cmocka.h.
 */
#ifndef DILL_ORC_CFI_FIXTURE_H
#define DILL_ORC_CFI_FIXTURE_H

#include "dwarf_file.h"
#include "orc_cfi.h"
#include "orc_table.h"
#include "task_image.h"

#define TEXT (MEMORY_VIRTUAL + 0x20000)
#define TEXT_END (TEXT + 0x300)
#define IPS (MEMORY_VIRTUAL + 0x30000)
#define ROWS (MEMORY_VIRTUAL + 0x31000)
#define STACK (MEMORY_VIRTUAL + 0x40000)
#define OTHER_STACK (MEMORY_VIRTUAL + 0x50000)
#define MISSING 0xdeadULL /* a register that is not known */

/* As kernels until 7.0 number them, and since 6.4 the types. */
enum { UNDEFINED, PREV_SP, DX, DI, BP, SP, R10, R13, BP_INDIRECT, SP_INDIRECT };
enum { NO_ROW, END, CALL, REGS, PARTIAL };
#define SIGNAL 8

enum { DW_RBX = 3, DW_RBP = 6, DW_RSP = 7, DW_R10 = 10, DW_R12 = 12, DW_RIP = 16, REGISTERS };

static struct task_image *image;
static struct orc_tables *tables;
static size_t rows, frames;
static Dwarf_CFI *cfi;
static Dwarf_Addr frame_start, frame_end;
static bool frame_is_signal;

static void add_types(struct btf *btf, int u32, int u64)
{
	int s16 = btf__add_int(btf, "short", 2, BTF_INT_SIGNED);

	(void)u64;
	assert(btf__add_struct(btf, "orc_entry", 6) > 0);
	assert(!btf__add_field(btf, "sp_offset", s16, 0, 0) &&
	       !btf__add_field(btf, "bp_offset", s16, 16, 0) && !btf__add_field(btf, "sp_reg", u32, 32, 4) &&
	       !btf__add_field(btf, "bp_reg", u32, 36, 4) && !btf__add_field(btf, "type", u32, 40, 3) &&
	       !btf__add_field(btf, "signal", u32, 43, 1));
}

static int set_up(void **state)
{
	(void)state;
	image = image_create(add_types);
	kernel_symbols_add(image->kernel->symbols, "_stext", TEXT);
	kernel_symbols_add(image->kernel->symbols, "_etext", TEXT_END);
	rows = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dwarf_file_end();
	orc_tables_close(tables);
	tables = NULL;
	image_destroy(image);
	return 0;
}

static void put_row(uint64_t ip, int kind, int sp_register, int sp_offset, int bp_register, int bp_offset)
{
	int16_t offsets[2] = { (int16_t)sp_offset, (int16_t)bp_offset };
	uint16_t bits = (uint16_t)(sp_register | bp_register << 4 | kind << 8);

	image_u32(image, IPS + 4 * rows, (uint32_t)(ip - (IPS + 4 * rows)));
	image_put(image, ROWS + 6 * rows, offsets, sizeof(offsets));
	image_put(image, ROWS + 6 * rows + 4, &bits, sizeof(bits));
	rows++;
}

/* @names, NULL-terminated, begin at TEXT, TEXT + 0x100, … */
static void make(const char *const *names)
{
	struct cfi_function functions[8];
	uint32_t section;
	size_t count = 0;

	put_row(TEXT_END, NO_ROW, UNDEFINED, 0, UNDEFINED, 0);
	kernel_symbols_add(image->kernel->symbols, "__start_orc_unwind_ip", IPS);
	kernel_symbols_add(image->kernel->symbols, "__stop_orc_unwind_ip", IPS + 4 * rows);
	kernel_symbols_add(image->kernel->symbols, "__start_orc_unwind", ROWS);
	assert_int_equal(orc_tables_open(image->kernel, &tables), 0);
	for (; names[count]; count++)
		functions[count] = (struct cfi_function){ TEXT + 0x100 * count, cfi_role_of(names[count]) };
	section = elf_writer_section(&writer, ".debug_frame", SHT_PROGBITS, 0, 0, 0);
	frames = orc_cfi_put(tables, functions, count, elf_writer_contents(&writer, section));
	dwarf_file_open();
	cfi = dwarf_getcfi(dwarf);
	assert_non_null(cfi);
}

static void make_one(const char *name)
{
	make((const char *const[]){ name, NULL });
}

static uint64_t word_at(uint64_t address)
{
	uint64_t value;

	assert_int_equal(kernel_read_u64(image->kernel, address, &value), 0);
	return value;
}

/* What an expression leaves. */
static uint64_t evaluate(const Dwarf_Op *ops, size_t count, const uint64_t *registers, uint64_t frame_address)
{
	uint64_t stack[16] = { 0 };
	size_t depth = 0;

	for (size_t i = 0; i < count; i++) {
		const Dwarf_Op *op = &ops[i];

		assert_true(depth < 15);
		if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
			stack[depth++] = registers[op->atom - DW_OP_breg0] + op->number;
		} else if (op->atom == DW_OP_bregx) {
			stack[depth++] = registers[op->number] + op->number2;
		} else if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31) {
			stack[depth++] = op->atom - DW_OP_lit0;
		} else if (op->atom == DW_OP_const1u || op->atom == DW_OP_consts) {
			stack[depth++] = op->number;
		} else if (op->atom == DW_OP_call_frame_cfa) {
			stack[depth++] = frame_address;
		} else if (op->atom == DW_OP_dup) {
			stack[depth] = stack[depth - 1];
			depth++;
		} else if (op->atom == DW_OP_deref) {
			stack[depth - 1] = word_at(stack[depth - 1]);
		} else if (op->atom == DW_OP_plus_uconst) {
			stack[depth - 1] += op->number;
		} else if (op->atom == DW_OP_bra) {
			/* To an operation's offset, counted from behind this one, which has 3 bytes. */
			size_t target = op->offset + 3 + (int16_t)op->number;

			if (stack[--depth])
				while (i + 1 < count && ops[i + 1].offset < target)
					i++;
		} else {
			uint64_t other = stack[--depth], *top = &stack[depth - 1];

			*top = op->atom == DW_OP_plus ? *top + other :
			       op->atom == DW_OP_and  ? (*top & other) :
			       op->atom == DW_OP_or   ? (*top | other) :
			       op->atom == DW_OP_eq   ? *top == other :
			       op->atom == DW_OP_shl  ? *top << other :
							MISSING;
			assert_true(strchr((const char[]){ DW_OP_plus, DW_OP_and, DW_OP_or, DW_OP_eq,
							   DW_OP_shl, 0 },
					   op->atom) != NULL);
		}
	}
	return stack[depth - 1];
}

/* A register of the caller; *@ret_place, if it is kept in memory. */
static uint64_t caller_register(Dwarf_Frame *frame, unsigned number, const uint64_t *registers,
				uint64_t frame_address, uint64_t *ret_place)
{
	Dwarf_Op memory[3], *ops;
	size_t count;

	*ret_place = 0;
	assert_int_equal(dwarf_frame_register(frame, (int)number, memory, &ops, &count), 0);
	if (!count)
		return ops == memory ? MISSING : registers[number];
	if (ops[count - 1].atom == DW_OP_stack_value)
		return evaluate(ops, count - 1, registers, frame_address);
	*ret_place = evaluate(ops, count, registers, frame_address);
	return *ret_place >= STACK ? word_at(*ret_place) : MISSING;
}

/* Go from @registers to the caller's. False: @pc has no description. */
static bool step(uint64_t pc, uint64_t *registers, uint64_t *ret_frame_address)
{
	uint64_t caller[REGISTERS], place;
	Dwarf_Frame *frame;
	Dwarf_Op *ops;
	size_t count;

	if (dwarf_cfi_addrframe(cfi, pc, &frame))
		return false;
	assert_true(dwarf_frame_info(frame, &frame_start, &frame_end, &frame_is_signal) >= 0);
	assert_int_equal(dwarf_frame_cfa(frame, &ops, &count), 0);
	*ret_frame_address = evaluate(ops, count, registers, 0);
	for (unsigned i = 0; i < REGISTERS; i++)
		caller[i] = caller_register(frame, i, registers, *ret_frame_address, &place);
	/* No rule for rsp: it is the CFA. */
	if (caller[DW_RSP] == registers[DW_RSP] || caller[DW_RSP] == MISSING)
		caller[DW_RSP] = *ret_frame_address;
	/* A return address that can't be read is none. */
	caller_register(frame, DW_RIP, registers, *ret_frame_address, &place);
	if (place >> 48 == 0x8000)
		caller[DW_RIP] = place;
	memcpy(registers, caller, sizeof(caller));
	free(frame);
	return true;
}

#endif
