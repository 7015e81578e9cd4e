// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* kernel_targets: what the running kernel has to attach to. Ground truth are tracefs, /proc/kallsyms and this machine. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernel_targets.h"

static struct kernel_targets *targets;

static int open_targets(void **state)
{
	(void)state;
	return kernel_targets_open(&targets, NULL) ? -1 : 0;
}

static int close_targets(void **state)
{
	(void)state;
	kernel_targets_close(targets);
	return 0;
}

static bool has(const char *names)
{
	return kernel_targets_have(targets, names, NULL, 0);
}

static void tracepoints_are_known_by_every_kind_of_section(void **state)
{
	static const char *const prefixes[] = { "raw_tp/", "tp_btf/", "raw_tracepoint/", "tp/sched/", "tracepoint/sched/" };
	char name[64];

	(void)state;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		snprintf(name, sizeof(name), "%ssched_process_exit", prefixes[i]);
		assert_true(has(name));
		snprintf(name, sizeof(name), "%ssched_process_exits", prefixes[i]);
		assert_false(has(name));
	}
}

static void functions_are_known_and_are_no_tracepoints(void **state)
{
	(void)state;
	assert_true(has("kprobe/vfs_read"));
	assert_true(has("kretprobe/vfs_read"));
	assert_true(has("fentry/vfs_read"));
	assert_true(has("fexit/vfs_read"));
	assert_false(has("fentry/no_such_function_of_any_kernel"));
	assert_false(has("kprobe/no_such_function_of_any_kernel"));
	assert_false(has("raw_tp/vfs_read"));
	assert_false(has("fentry/sched_process_exit"));
}

static void all_words_must_be_there_and_one_alternative_of_each(void **state)
{
	char missing[64] = "untouched";

	(void)state;
	assert_true(has(""));
	assert_true(has("raw_tp/sched_process_exit kprobe/vfs_read"));
	assert_true(has("raw_tp/nothing|raw_tp/sched_process_exit|raw_tp/nothing_too"));
	assert_true(has("  raw_tp/sched_process_exit  "));
	assert_false(kernel_targets_have(targets, "raw_tp/sched_process_exit raw_tp/a|raw_tp/b raw_tp/c", missing, sizeof(missing)));
	assert_string_equal(missing, "raw_tp/a|raw_tp/b");
	assert_false(kernel_targets_have(targets, "raw_tp/a_long_name_of_a_tracepoint", missing, 8));
	assert_string_equal(missing, "raw_tp/");
}

static void what_is_no_kernel_target_is_there(void **state)
{
	(void)state;
	assert_true(has("uprobe//bin/sh:main"));
	assert_true(has("iter/task"));
	assert_true(has("tp/syscalls/sys_enter_brk")); /* told apart when attached */
}

static void arguments_are_found_by_name(void **state)
{
	(void)state;
	assert_int_equal(kernel_targets_argument(targets, "sched_switch", "preempt"), 0);
	assert_int_equal(kernel_targets_argument(targets, "sched_switch", "prev"), 1);
	assert_int_equal(kernel_targets_argument(targets, "sched_switch", "next"), 2);
	assert_int_equal(kernel_targets_argument(targets, "sched_switch", "__data"), -ENOENT);
	assert_int_equal(kernel_targets_argument(targets, "sched_switch", "nobody"), -ENOENT);
	assert_int_equal(kernel_targets_argument(targets, "no_such_tracepoint", "prev"), -ENOENT);
}

static void enumerators_are_found_by_value(void **state)
{
	(void)state;
	assert_string_equal(kernel_targets_enumerator(targets, "pid_type", 0), "PIDTYPE_PID");
	assert_string_equal(kernel_targets_enumerator(targets, "pid_type", 1), "PIDTYPE_TGID");
	assert_null(kernel_targets_enumerator(targets, "pid_type", 1000));
	assert_null(kernel_targets_enumerator(targets, "pid_type", -1));
	assert_null(kernel_targets_enumerator(targets, "no_such_enum", 0));
	assert_null(kernel_targets_enumerator(targets, "task_struct", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tracepoints_are_known_by_every_kind_of_section),
		cmocka_unit_test(functions_are_known_and_are_no_tracepoints),
		cmocka_unit_test(all_words_must_be_there_and_one_alternative_of_each),
		cmocka_unit_test(what_is_no_kernel_target_is_there),
		cmocka_unit_test(arguments_are_found_by_name),
		cmocka_unit_test(enumerators_are_found_by_value),
	};

	if (open_targets(NULL)) {
		printf("SKIP: the kernel's types cannot be read\n");
		return 77;
	}
	close_targets(NULL);
	return cmocka_run_group_tests(tests, open_targets, close_targets);
}
