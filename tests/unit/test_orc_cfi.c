// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * ORC tables as call frame information, taken by elfutils' word: from the registers of a frame that
 * stands in a table's code, the caller's are computed by what libdw reads in the section.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

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

static void a_call_leads_to_the_address_below_the_frame(void **state)
{
	uint64_t registers[REGISTERS] = { [DW_RSP] = STACK, [DW_RBP] = 55, [DW_RBX] = 33 }, frame;

	(void)state;
	put_row(TEXT, CALL, SP, 32, UNDEFINED, 0);
	make_one("function");
	image_u64(image, STACK + 24, 0x1234);
	assert_true(step(TEXT + 5, registers, &frame));
	assert_int_equal(frame, STACK + 32);
	assert_int_equal(registers[DW_RSP], STACK + 32);
	assert_int_equal(registers[DW_RIP], 0x1234);
	assert_int_equal(registers[DW_RBP], 55);
	assert_int_equal(registers[DW_RBX], MISSING);
	assert_false(frame_is_signal);
}

static void rows_within_a_function_begin_where_they_say(void **state)
{
	static const unsigned places[] = { 0, 1, 4, 99, 200, 0x250 }, sizes[] = { 8, 16, 40, 32, 24, 16 };

	(void)state; /* distances of one byte, of two, of an operation's own bits */
	for (size_t i = 0; i < 6; i++)
		put_row(TEXT + places[i], CALL, SP, (int)sizes[i], UNDEFINED, 0);
	make_one("function");
	assert_int_equal(frames, 1);
	for (size_t i = 0; i < 6; i++) {
		unsigned last = i < 5 ? places[i + 1] - 1 : 0x2ff;
		uint64_t registers[REGISTERS] = { [DW_RSP] = STACK }, frame;

		assert_true(step(TEXT + places[i], registers, &frame));
		assert_int_equal(frame, STACK + sizes[i]);
		registers[DW_RSP] = STACK;
		assert_true(step(TEXT + last, registers, &frame));
		assert_int_equal(frame, STACK + sizes[i]);
	}
}

static void frame_pointers_are_where_rows_say(void **state)
{
	uint64_t registers[REGISTERS] = { [DW_RSP] = STACK, [DW_RBP] = STACK + 8 }, frame;

	(void)state;
	put_row(TEXT, CALL, SP, 32, PREV_SP, -16);
	put_row(TEXT + 0x10, CALL, BP, 16, PREV_SP, -16);
	put_row(TEXT + 0x20, CALL, BP_INDIRECT, -8, BP, 0);
	put_row(TEXT + 0x30, CALL, R10, 0, UNDEFINED, 0);
	make_one("function");
	image_u64(image, STACK + 16, 77);
	image_u64(image, STACK + 8, 66);
	image_u64(image, STACK, STACK + 64);
	assert_true(step(TEXT, registers, &frame));
	assert_int_equal(registers[DW_RBP], 77);

	registers[DW_RSP] = STACK;
	registers[DW_RBP] = STACK + 16;
	assert_true(step(TEXT + 0x10, registers, &frame));
	assert_int_equal(frame, STACK + 32);
	assert_int_equal(registers[DW_RBP], 77);

	registers[DW_RBP] = STACK + 8;
	assert_true(step(TEXT + 0x20, registers, &frame));
	assert_int_equal(frame, STACK + 64);
	assert_int_equal(registers[DW_RBP], 66);

	registers[DW_R10] = STACK + 128;
	registers[DW_RBP] = 55;
	assert_true(step(TEXT + 0x30, registers, &frame));
	assert_int_equal(frame, STACK + 128);
	assert_int_equal(registers[DW_RBP], 55);
}

static void offsets_below_zero_are_no_large_ones(void **state)
{
	uint64_t registers[REGISTERS] = { [DW_RSP] = STACK, [DW_RBP] = STACK + 64 }, frame;

	(void)state;
	put_row(TEXT, CALL, BP, -24, UNDEFINED, 0);
	put_row(TEXT + 0x10, CALL, BP, 16, UNDEFINED, 0);
	make_one("function");
	assert_true(step(TEXT, registers, &frame));
	assert_int_equal(frame, STACK + 40);
	registers[DW_RBP] = STACK + 64;
	assert_true(step(TEXT + 0x10, registers, &frame));
	assert_int_equal(frame, STACK + 80);
}

/* A struct pt_regs at @at: r15 is 15, ip 0x1000, sp STACK + 0x800, and so on. */
static void put_registers(uint64_t at, uint64_t cs)
{
	static const uint64_t values[] = { 15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 100, 2, 1, 4, 5, 99 };

	for (size_t i = 0; i < 16; i++)
		image_u64(image, at + 8 * i, values[i]);
	image_u64(image, at + 128, 0x401000);
	image_u64(image, at + 136, cs);
	image_u64(image, at + 152, STACK + 0x800);
}

static void an_interrupt_left_all_registers(void **state)
{
	uint64_t registers[REGISTERS] = { [DW_RSP] = STACK }, frame;

	(void)state;
	put_row(TEXT, REGS | SIGNAL, SP, 16, UNDEFINED, 0);
	make_one("asm_something");
	put_registers(STACK + 16, 0x10);
	assert_true(step(TEXT, registers, &frame));
	assert_true(frame_is_signal);
	assert_int_equal(registers[DW_RIP], 0x401000);
	assert_int_equal(registers[DW_RSP], STACK + 0x800);
	assert_int_equal(registers[0], 100);
	for (unsigned i = 1; i <= 15; i++)
		if (i != DW_RSP)
			assert_int_equal(registers[i], i);
}

static void what_the_cpu_pushed_is_part_of_it(void **state)
{
	uint64_t registers[REGISTERS] = { [DW_RSP] = STACK + 128, [DW_RBP] = 55 }, frame;

	(void)state;
	put_row(TEXT, PARTIAL | SIGNAL, SP, 0, UNDEFINED, 0);
	make_one("asm_something");
	put_registers(STACK, 0x10);
	assert_true(step(TEXT, registers, &frame));
	assert_true(frame_is_signal);
	assert_int_equal(registers[DW_RIP], 0x401000);
	assert_int_equal(registers[DW_RSP], STACK + 0x800);
	assert_int_equal(registers[DW_RBP], 55);
	assert_int_equal(registers[DW_R12], MISSING);
}

static void user_mode_is_not_led_to(void **state)
{
	(void)state;
	put_row(TEXT, REGS | SIGNAL, SP, 16, UNDEFINED, 0);
	put_row(TEXT + 0x10, PARTIAL | SIGNAL, SP, 16 + 128, UNDEFINED, 0);
	make_one("asm_something");
	put_registers(STACK + 16, 0x33);
	for (int i = 0; i < 2; i++) {
		uint64_t registers[REGISTERS] = { [DW_RSP] = STACK }, frame;

		assert_true(step(TEXT + 0x10 * i, registers, &frame));
		assert_int_equal(registers[DW_RIP], 0x8000000000401000);
	}
}

static void an_end_and_a_system_calls_entry_have_no_caller(void **state)
{
	uint64_t registers[REGISTERS] = { [DW_RSP] = STACK }, frame;

	(void)state;
	put_row(TEXT, END, UNDEFINED, 0, UNDEFINED, 0);
	put_row(TEXT + 0x100, REGS | SIGNAL, SP, 0, UNDEFINED, 0);
	make((const char *const[]){ "ret_from_fork_asm", "entry_SYSCALL_64_after_hwframe", NULL });
	for (unsigned i = 0; i < 2; i++) {
		registers[DW_RSP] = STACK;
		assert_true(step(TEXT + 0x100 * i, registers, &frame));
		assert_int_equal(registers[DW_RIP], MISSING);
		assert_false(frame_is_signal);
	}
}

static void code_without_rows_has_no_description(void **state)
{
	uint64_t registers[REGISTERS] = { 0 }, frame;

	(void)state;
	put_row(TEXT, CALL, SP, 8, UNDEFINED, 0);
	put_row(TEXT + 0x40, NO_ROW, UNDEFINED, 0, UNDEFINED, 0);
	put_row(TEXT + 0x60, CALL, SP, 8, UNDEFINED, 0);
	make_one("function");
	registers[DW_RSP] = STACK;
	assert_true(step(TEXT + 0x3f, registers, &frame));
	assert_false(step(TEXT + 0x40, registers, &frame));
	assert_false(step(TEXT + 0x5f, registers, &frame));
	registers[DW_RSP] = STACK;
	assert_true(step(TEXT + 0x60, registers, &frame));
	registers[DW_RSP] = STACK;
	assert_true(step(TEXT_END - 1, registers, &frame));
	assert_false(step(TEXT_END, registers, &frame));
}

static void each_function_has_its_own_though_a_row_goes_on(void **state)
{
	uint64_t registers[REGISTERS] = { [DW_RSP] = STACK }, frame;

	(void)state;
	put_row(TEXT, CALL, SP, 8, UNDEFINED, 0);
	make((const char *const[]){ "one", "two", "three", NULL });
	assert_int_equal(frames, 3);
	assert_true(step(TEXT + 0x180, registers, &frame));
	assert_int_equal(frame_start, TEXT + 0x100);
	assert_int_equal(frame_end, TEXT + 0x200);
}

/* The top word of OTHER_STACK leads back to STACK, where the caller's address is. */
static void assert_switched(bool is_signal)
{
	uint64_t registers[REGISTERS] = { [DW_RSP] = OTHER_STACK, [DW_RBP] = 55 }, frame;

	image_u64(image, OTHER_STACK, STACK);
	image_u64(image, STACK + 24, 0x1234);
	image_u64(image, STACK + 16, 77);
	assert_true(step(TEXT + 0x10, registers, &frame));
	assert_int_equal(frame, OTHER_STACK + 8);
	assert_int_equal(registers[DW_RSP], STACK + 32);
	assert_int_equal(registers[DW_RIP], 0x1234);
	assert_int_equal(registers[DW_RBP], 77);
	assert_int_equal(frame_is_signal, is_signal);
}

static void put_switch(void)
{
	put_row(TEXT, CALL, SP, 32, PREV_SP, -16);
	put_row(TEXT + 0x10, CALL, SP_INDIRECT, 32, PREV_SP, -16);
	put_row(TEXT + 0x20, CALL, SP, 32, PREV_SP, -16);
}

static void another_stack_leads_back_and_is_the_frames_own(void **state)
{
	(void)state;
	put_switch();
	make_one("sysvec_something");
	assert_switched(false);
}

static void a_function_on_two_stacks_is_marked_unless_an_interrupt_calls_it(void **state)
{
	(void)state;
	put_switch();
	make_one("do_softirq");
	assert_switched(true);
}

static void a_frame_whose_callee_is_on_another_stack_is_marked(void **state)
{
	uint64_t registers[REGISTERS] = { [DW_RSP] = OTHER_STACK, [DW_RBP] = STACK }, frame;

	(void)state;
	put_row(TEXT, CALL, SP, 8, UNDEFINED, 0);
	put_row(TEXT + 4, CALL, BP, 16, PREV_SP, -16);
	put_row(TEXT + 0x10, CALL, SP, 8, UNDEFINED, 0);
	make_one("asm_call_sysvec_on_stack");
	image_u64(image, STACK, 77);
	image_u64(image, STACK + 8, 0x1234);
	assert_true(step(TEXT + 8, registers, &frame));
	assert_true(frame_is_signal);
	assert_int_equal(frame, STACK + 16);
	assert_int_equal(registers[DW_RIP], 0x1234);
	assert_int_equal(registers[DW_RBP], 77);
	assert_true(step(TEXT + 0x10, registers, &frame));
	assert_false(frame_is_signal);
}

static void rows_out_of_order_and_beyond_the_text_are_left_out(void **state)
{
	uint64_t registers[REGISTERS] = { [DW_RSP] = STACK }, frame;

	(void)state;
	put_row(TEXT - 0x100, CALL, SP, 8, UNDEFINED, 0);
	put_row(TEXT + 0x40, CALL, SP, 16, UNDEFINED, 0);
	put_row(TEXT + 0x20, CALL, SP, 24, UNDEFINED, 0);
	put_row(TEXT + 0x60, CALL, SP, 32, UNDEFINED, 0);
	put_row(TEXT_END + 0x1000, CALL, SP, 40, UNDEFINED, 0);
	make_one("function");
	assert_true(step(TEXT + 0x3f, registers, &frame));
	assert_int_equal(frame, STACK + 8);
	assert_int_equal(frame_start, TEXT);
	registers[DW_RSP] = STACK;
	assert_true(step(TEXT + 0x5f, registers, &frame));
	assert_int_equal(frame, STACK + 16);
	assert_false(step(TEXT_END, registers, &frame));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_call_leads_to_the_address_below_the_frame),
		TEST(rows_within_a_function_begin_where_they_say),
		TEST(frame_pointers_are_where_rows_say),
		TEST(offsets_below_zero_are_no_large_ones),
		TEST(an_interrupt_left_all_registers),
		TEST(what_the_cpu_pushed_is_part_of_it),
		TEST(user_mode_is_not_led_to),
		TEST(an_end_and_a_system_calls_entry_have_no_caller),
		TEST(code_without_rows_has_no_description),
		TEST(each_function_has_its_own_though_a_row_goes_on),
		TEST(another_stack_leads_back_and_is_the_frames_own),
		TEST(a_function_on_two_stacks_is_marked_unless_an_interrupt_calls_it),
		TEST(a_frame_whose_callee_is_on_another_stack_is_marked),
		TEST(rows_out_of_order_and_beyond_the_text_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
