// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* function_exits on functions of this program, written in assembly so that their exits are known by label. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "elf_object.h"
#include "error.h"
#include "function_exits.h"

/* Each `exits_NAME` has its expected exits at the labels exit_NAME_1, exit_NAME_2 … */
__asm__(".text\n"
	".globl exits_branchy\n.type exits_branchy,@function\n"
	"exits_branchy:\n"
	"	test %rdi,%rdi\n"
	"	je 1f\n"
	"	call exits_branchy\n"
	".globl exit_branchy_1\nexit_branchy_1: ret\n"
	"1:	xor %eax,%eax\n"
	".globl exit_branchy_2\nexit_branchy_2: ret\n"
	".size exits_branchy,.-exits_branchy\n"

	".globl exits_tail\n.type exits_tail,@function\n"
	"exits_tail:\n"
	"	cmp $8,%rdi\n"
	"	ja exits_branchy\n"
	"	jmp exits_loop\n"
	".size exits_tail,.-exits_tail\n"

	".globl exits_loop\n.type exits_loop,@function\n"
	"exits_loop:\n"
	"2:	dec %rdi\n"
	"	jne 2b\n"
	".globl exit_loop_1\nexit_loop_1: ret\n"
	".size exits_loop,.-exits_loop\n"

	".globl exits_indirect\n.type exits_indirect,@function\n"
	"exits_indirect:\n"
	"	test %rdi,%rdi\n"
	"	je 3f\n"
	"	ret\n"
	"3:	jmp *%rax\n"
	".size exits_indirect,.-exits_indirect\n"

	".globl exits_never\n.type exits_never,@function\n"
	"exits_never:\n"
	"	ud2\n"
	".size exits_never,.-exits_never\n"

	".globl exits_endless\n.type exits_endless,@function\n"
	"exits_endless:\n"
	"4:	jmp 4b\n"
	".size exits_endless,.-exits_endless\n");

static struct elf_object *program(void)
{
	struct elf_object *object;

	assert_int_equal(elf_object_open_path("/proc/self/exe", &object, NULL), 0);
	return object;
}

/* The linker knows where labels lie within a function. */
static uint64_t offset_of(struct elf_object *object, const void *label, const char *function, const void *function_label)
{
	struct elf_function found;

	assert_int_equal(elf_object_find_function(object, function, &found, NULL), 0);
	return found.file_offset + (uint64_t)((const char *)label - (const char *)function_label);
}

extern const char exits_branchy[], exits_tail[], exits_loop[], exit_branchy_1[], exit_branchy_2[], exit_loop_1[];

static int find(struct elf_object *object, const char *name, struct function_exits *ret_exits)
{
	struct elf_function function;
	struct error err = { 0 };

	assert_int_equal(elf_object_find_function(object, name, &function, NULL), 0);
	return function_exits_find(object, function.vaddr, ret_exits, &err);
}

static void every_return_is_found_and_calls_are_stepped_over(void **state)
{
	struct elf_object *object = program();
	struct function_exits exits;

	(void)state;
	assert_int_equal(find(object, "exits_branchy", &exits), 0);
	assert_int_equal(exits.count, 2);
	assert_int_equal(exits.file_offsets[0], offset_of(object, exit_branchy_1, "exits_branchy", exits_branchy));
	assert_int_equal(exits.file_offsets[1], offset_of(object, exit_branchy_2, "exits_branchy", exits_branchy));
	function_exits_deinit(&exits);
	elf_object_unref(object);
}

static void tail_calls_are_followed(void **state)
{
	struct elf_object *object = program();
	struct function_exits exits;

	(void)state;
	assert_int_equal(find(object, "exits_tail", &exits), 0);
	assert_int_equal(exits.count, 3);
	assert_int_equal(exits.file_offsets[2], offset_of(object, exit_loop_1, "exits_loop", exits_loop));
	function_exits_deinit(&exits);
	elf_object_unref(object);
}

static void an_indirect_jump_makes_the_answer_unknown(void **state)
{
	struct elf_object *object = program();
	struct function_exits exits = { 0 };

	(void)state;
	assert_int_equal(find(object, "exits_indirect", &exits), -EOPNOTSUPP);
	assert_int_equal(exits.count, 0);
	elf_object_unref(object);
}

static void a_function_that_never_returns_has_no_exit(void **state)
{
	struct elf_object *object = program();
	struct function_exits exits;

	(void)state;
	assert_int_equal(find(object, "exits_never", &exits), 0);
	assert_int_equal(exits.count, 0);
	function_exits_deinit(&exits);
	assert_int_equal(find(object, "exits_endless", &exits), 0);
	assert_int_equal(exits.count, 0);
	function_exits_deinit(&exits);
	elf_object_unref(object);
}

static void an_address_outside_the_code_is_refused(void **state)
{
	struct elf_object *object = program();
	struct function_exits exits;

	(void)state;
	assert_int_equal(function_exits_find(object, UINT64_MAX - 64, &exits, NULL), -EOPNOTSUPP);
	elf_object_unref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_return_is_found_and_calls_are_stepped_over),
		cmocka_unit_test(tail_calls_are_followed),
		cmocka_unit_test(an_indirect_jump_makes_the_answer_unknown),
		cmocka_unit_test(a_function_that_never_returns_has_no_exit),
		cmocka_unit_test(an_address_outside_the_code_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
