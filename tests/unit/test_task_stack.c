// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Stacks of a kernel of three functions, with tables of each layout, and without: outer() calls middle()
 * calls inner(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "orc_table.h"
#include "task_image.h"
#include "task_stack.h"

#define TEXT (MEMORY_VIRTUAL + 0x20000)
#define INNER TEXT
#define MIDDLE (TEXT + 0x100)
#define OUTER (TEXT + 0x200)
#define TEXT_END (TEXT + 0x300)
#define IPS (MEMORY_VIRTUAL + 0x30000)
#define ROWS (MEMORY_VIRTUAL + 0x31000)
#define SAVED (STACK_AT(1) + 0x3000) /* the saved stack pointer */

static struct task_image *image;
static struct stack_unwinder *unwinder;
static struct task_stack stack;
static struct task task;
static struct error error;
static bool is_old; /* the layout with end, and two bits of type */

static void add_types(struct btf *btf, int u32, int u64)
{
	int s16 = btf__add_int(btf, "short", 2, BTF_INT_SIGNED);

	IMAGE_STRUCT(btf, "inactive_task_frame", 56, { "bp", u64, 40 }, { "ret_addr", u64, 48 });
	IMAGE_STRUCT(btf, "pt_regs", 168, { "bp", u64, 32 }, { "ip", u64, 128 }, { "cs", u64, 136 },
		     { "sp", u64, 152 });
	assert(btf__add_struct(btf, "orc_entry", 6) > 0);
	assert(!btf__add_field(btf, "sp_offset", s16, 0, 0) &&
	       !btf__add_field(btf, "bp_offset", s16, 16, 0) && !btf__add_field(btf, "sp_reg", u32, 32, 4) &&
	       !btf__add_field(btf, "bp_reg", u32, 36, 4) &&
	       !btf__add_field(btf, "type", u32, 40, is_old ? 2 : 3) &&
	       !btf__add_field(btf, is_old ? "end" : "signal", u32, is_old ? 42 : 43, 1));
}

static void put_row(unsigned number, uint64_t ip, int sp_offset, unsigned sp_register, unsigned type)
{
	int16_t offsets[2] = { sp_offset, 0 };
	uint16_t bits = sp_register | type << 8;

	image_u32(image, IPS + 4 * number, (uint32_t)(ip - (IPS + 4 * number)));
	image_put(image, ROWS + 6 * number, offsets, sizeof(offsets));
	image_put(image, ROWS + 6 * number + 4, &bits, sizeof(bits));
}

/* inner's frame is 32 bytes, middle's 16; outer ends the stack. */
static void put_tables(unsigned sp, unsigned call, unsigned end)
{
	put_row(0, INNER, 32, sp, call);
	put_row(1, MIDDLE, 16, sp, call);
	put_row(2, OUTER, 0, 0, end);
	put_row(3, TEXT_END, 0, 0, 0);
	kernel_symbols_add(image->kernel->symbols, "__start_orc_unwind_ip", IPS);
	kernel_symbols_add(image->kernel->symbols, "__stop_orc_unwind_ip", IPS + 16);
	kernel_symbols_add(image->kernel->symbols, "__start_orc_unwind", ROWS);
}

static void add_functions(void)
{
	char path[] = "/tmp/dill-test-stack-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	dprintf(fd, "%llx T _stext\n%llx T inner\n%llx T middle\n%llx T outer\n%llx T _etext\n", TEXT - 16,
		INNER, MIDDLE, OUTER, TEXT_END);
	close(fd);
	assert_int_equal(kernel_symbols_add_text(image->kernel->symbols, path, 0, &error), 0);
	unlink(path);
}

static int set_up(void **state)
{
	(void)state;
	image = image_create(add_types);
	add_functions();
	image_u64(image, SAVED + 48, INNER + 0x10);
	image_u64(image, SAVED + 56 + 24, MIDDLE + 0x20);
	image_u64(image, SAVED + 56 + 32 + 8, OUTER + 0x30);
	task = (struct task){ .pid = 1, .stack = STACK_AT(1), .stack_size = 0x4000, .sp = SAVED };
	return 0;
}

static int set_up_old(void **state)
{
	is_old = true;
	set_up(state);
	is_old = false;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	task_stack_deinit(&stack);
	stack_unwinder_close(unwinder);
	unwinder = NULL;
	image_destroy(image);
	return 0;
}

static void walk(void)
{
	assert_int_equal(stack_unwinder_open(image->kernel, &unwinder, &error), 0);
	assert_int_equal(task_stack_read(unwinder, &task, &stack, &error), 0);
}

static void assert_whole(enum stack_method method)
{
	static const char *const names[] = { "inner", "middle", "outer" };

	assert_int_equal(stack.method, method);
	assert_int_equal(stack.count, 3);
	assert_false(stack.is_truncated);
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(stack.frames[i].symbol, names[i]);
		assert_int_equal(stack.frames[i].offset, 0x10 * (i + 1));
	}
}

static void rows_lead_from_caller_to_caller(void **state)
{
	(void)state;
	put_tables(5, 2, 1);
	walk();
	assert_whole(STACK_ORC);
}

static void registers_that_were_numbered_anew_are_recognised(void **state)
{
	(void)state;
	put_tables(3, 2, 1);
	walk();
	assert_whole(STACK_ORC);
}

static void older_rows_have_other_types_and_an_end_bit(void **state)
{
	(void)state;
	put_tables(5, 0, 4);
	walk();
	assert_whole(STACK_ORC);
}

static void registers_of_user_mode_end_the_stack(void **state)
{
	uint64_t regs = SAVED + 56 + 32 + 16;

	(void)state;
	put_tables(5, 2, 3); /* outer's rows are of the type that has saved registers */
	put_row(2, OUTER, 0, 5, 3);
	image_u64(image, regs + 128, 0x401000);
	image_u64(image, regs + 136, 0x33);
	walk();
	assert_whole(STACK_ORC);
}

static void a_return_address_that_is_none_truncates(void **state)
{
	(void)state;
	put_tables(5, 2, 1);
	image_u64(image, SAVED + 56 + 32 + 8, 0x1234);
	walk();
	assert_int_equal(stack.method, STACK_ORC);
	assert_int_equal(stack.count, 2);
	assert_true(stack.is_truncated);
}

static void without_tables_frame_pointers_lead(void **state)
{
	(void)state;
	image_u64(image, SAVED + 40, SAVED + 56 + 16);
	image_u64(image, SAVED + 56 + 16, SAVED + 56 + 32);
	image_u64(image, SAVED + 56 + 32, 0);
	walk();
	assert_whole(STACK_FRAME_POINTERS);
}

static void without_anything_the_stack_is_scanned(void **state)
{
	(void)state;
	image_put(image, MIDDLE + 0x20 - 5, "\xe8", 1); /* a call ends there */
	image_u64(image, SAVED + 56, INNER + 0x40);     /* no call: not taken */
	image_put(image, OUTER + 0x30 - 2, "\xff\xd0", 2);
	walk();
	assert_whole(STACK_SCAN);
}

static void a_saved_stack_pointer_outside_of_the_stack_is_refused(void **state)
{
	(void)state;
	assert_int_equal(stack_unwinder_open(image->kernel, &unwinder, &error), 0);
	task.sp = STACK_AT(1) + 0x4000 - 8;
	assert_int_equal(task_stack_read(unwinder, &task, &stack, &error), -EBADMSG);
	task.sp = SAVED + 1;
	assert_int_equal(task_stack_read(unwinder, &task, &stack, &error), -EBADMSG);
}

static void a_running_task_needs_its_cpus_registers(void **state)
{
	struct cpu_registers registers = { .gs_base = PERCPU_OF(1), .rip = INNER + 0x10, .rsp = SAVED + 56 };

	(void)state;
	put_tables(5, 2, 1);
	task.is_on_cpu = true;
	task.cpu = 1;
	walk();
	assert_int_equal(stack.method, STACK_RUNNING);
	image->memory->source.cpus = &registers;
	image->memory->source.cpu_count = 1;
	assert_int_equal(task_stack_read(unwinder, &task, &stack, &error), 0);
	assert_whole(STACK_ORC);
	registers.rip = 0x401000;
	task_stack_deinit(&stack);
	assert_int_equal(task_stack_read(unwinder, &task, &stack, &error), 0);
	assert_int_equal(stack.method, STACK_USER_MODE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define OLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_old, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_lead_from_caller_to_caller),
		TEST(registers_that_were_numbered_anew_are_recognised),
		OLD_TEST(older_rows_have_other_types_and_an_end_bit),
		TEST(registers_of_user_mode_end_the_stack),
		TEST(a_return_address_that_is_none_truncates),
		TEST(without_tables_frame_pointers_lead),
		TEST(without_anything_the_stack_is_scanned),
		TEST(a_saved_stack_pointer_outside_of_the_stack_is_refused),
		TEST(a_running_task_needs_its_cpus_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
