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

#include "orc_cfi_fixture.h"

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
