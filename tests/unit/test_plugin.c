// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * libdill-gdb.so as gdb/dill.py uses it, with a made-up machine behind a made-up gdb: what gdb's user sees,
 * and that gdb stays as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "cleanup.h"
#include "kernel_memory.h"
#include "plugin.h"
#include "stub_host.h"

#define SIZE (8ULL << 20)
#define ROOT 0x2000ULL
#define OTHER_ROOT 0x6000ULL
#define IMAGE 0x400000ULL
#define BASE 0xffffffff9d800000ULL
#define OTHER_BASE 0xffffffff8c200000ULL
#define DIRECT 0xffff95b740000000ULL
#define VMEMMAP 0xffffe5c680000000ULL
#define MTREE                                                                    \
	"FlatView #0\n AS \"memory\", root: system\n Root memory region: system\n" \
	"  0000000000000000-00000000007fffff (prio 0, ram): pc.ram\n\n"

static struct memory *memory;
static struct stub_host stub;
static struct dill_gdb *session;
static const struct dill_gdb_style plain;

/* What gdb's user sees. */
static char shown[65536], complained[65536];
static unsigned writes, writes_left;
static bool is_pressed; /* Ctrl-C */
static unsigned presses_after; /* … after so many writes; 0: never */
static bool was_cut;    /* a text that didn't end with a line */

static int64_t host_ask(const char *request, char *reply, size_t capacity)
{
	return stub_answer(&stub, request, reply, capacity);
}

static int host_write(const char *text, size_t size, int is_error)
{
	char *to = is_error ? complained : shown;

	writes++;
	if (writes_left && --writes_left == 0)
		return -EINTR;
	is_pressed |= presses_after && writes == presses_after;
	was_cut |= text[size - 1] != '\n';
	assert_true(strlen(to) + size < sizeof(shown));
	strncat(to, text, size);
	return 0;
}

static int host_is_interrupted(void)
{
	return is_pressed;
}

static void make_kernel(uint64_t root, uint64_t base)
{
	memory_map(memory, root, 4, base, IMAGE, 2);
	memory_map(memory, root, 4, base + (2 << 20), IMAGE + (2 << 20), 2);
	memory_map(memory, root, 4, DIRECT, 0, 3);
	memory_map(memory, root, 4, VMEMMAP, 0x200000, 2);
}

static int set_up(void **state)
{
	const struct dill_gdb_host host = {
		.ask = host_ask,
		.write = host_write,
		.is_interrupted = host_is_interrupted,
	};

	(void)state;
	memory = memory_create(SIZE, 0);
	memory->next_table = 0x10000;
	make_kernel(ROOT, BASE);
	stub = (struct stub_host){
		.physical = memory->bytes[SPACE_PHYSICAL],
		.physical_size = SIZE,
		.monitor_memory = MTREE,
		.monitor_registers = "",
		.cr3 = { ROOT, ROOT },
	};
	shown[0] = complained[0] = '\0';
	writes = writes_left = presses_after = 0;
	is_pressed = was_cut = false;
	session = dill_gdb_create(&host);
	return session ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	dill_gdb_destroy(session);
	memory_close(&memory->source);
	return 0;
}

static int run(const char *first, const char *second, const char *third)
{
	const char *const words[] = { first, second, third, NULL };

	shown[0] = complained[0] = '\0';
	writes = 0;
	return dill_gdb_run(session, words, &plain);
}

static void a_command_shows_gdbs_target(void **state)
{
	(void)state;
	assert_int_equal(run("kbase", NULL, NULL), 3); /* this kernel has no symbols */
	assert_non_null(strstr(shown, "kernel_base: 0xffffffff9d800000\n"));
	assert_non_null(strstr(complained, "dill kbase: incomplete: no symbols"));
	assert_string_equal(dill_gdb_error(session), "");
	assert_false(was_cut);
	assert_false(stub.is_physical);
}

static void nothing_goes_to_the_processs_own_output(void **state)
{
	CLEANUP(fclose) FILE *file = tmpfile();
	int old = dup(STDOUT_FILENO), old_errors = dup(STDERR_FILENO);
	struct rlimit before, after;

	(void)state;
	fflush(stdout);
	getrlimit(RLIMIT_MEMLOCK, &before);
	dup2(fileno(file), STDOUT_FILENO);
	dup2(fileno(file), STDERR_FILENO);
	run("kbase", NULL, NULL);
	run("kbase", "--nonsense", NULL);
	run("kcache", "--help", NULL);
	fflush(stdout);
	dup2(old, STDOUT_FILENO);
	dup2(old_errors, STDERR_FILENO);
	close(old);
	close(old_errors);
	getrlimit(RLIMIT_MEMLOCK, &after);
	assert_int_equal(lseek(fileno(file), 0, SEEK_END), 0);
	assert_int_equal(after.rlim_cur, before.rlim_cur);
	assert_non_null(strstr(shown, "usage: dill kcache"));
}

static void a_wrong_option_is_a_usage_error(void **state)
{
	(void)state;
	assert_int_equal(run("kbase", "--jsom", NULL), 2);
	assert_string_equal(complained, "dill kbase: unknown option '--jsom': did you mean '--json'?\n");
	assert_string_equal(shown, "");
}

static void commands_that_trace_are_not_offered(void **state)
{
	(void)state;
	assert_int_equal(run("memleak", NULL, NULL), 2);
	assert_non_null(strstr(complained, "unknown command 'memleak'"));
	assert_null(dill_gdb_help("memleak"));
}

static void another_target_is_opened_by_its_name(void **state)
{
	(void)state;
	assert_int_equal(run("kbase", "--target", "/nonexistent/dump"), 3);
	assert_non_null(strstr(complained, "/nonexistent/dump"));
	assert_int_equal(stub.packets, 0);
}

static void the_kernel_is_kept_until_the_target_ran(void **state)
{
	unsigned packets;

	(void)state;
	run("kbase", NULL, NULL);
	packets = stub.packets;
	run("kbase", NULL, NULL);
	assert_int_equal(stub.packets, packets);
	dill_gdb_forget(session, false);
	run("kbase", NULL, NULL);
	assert_true(stub.packets > packets);
}

static void another_kernel_after_a_reboot_is_noticed(void **state)
{
	(void)state;
	run("kbase", NULL, NULL);
	make_kernel(OTHER_ROOT, OTHER_BASE);
	stub.cr3[0] = stub.cr3[1] = OTHER_ROOT;
	memset(memory->bytes[SPACE_PHYSICAL] + ROOT, 0, PAGE);
	dill_gdb_forget(session, false);
	run("kbase", NULL, NULL);
	assert_non_null(strstr(shown, "kernel_base: 0xffffffff8c200000\n"));
}

static void ctrl_c_ends_a_command_and_the_next_one_works(void **state)
{
	(void)state;
	stub.failure = -EINTR;
	stub.fails_after = 5;
	assert_int_equal(run("kbase", NULL, NULL), -EINTR);
	assert_string_equal(shown, "");
	assert_string_equal(complained, "");
	assert_false(stub.is_physical);
	is_pressed = true;
	assert_int_equal(run("kbase", NULL, NULL), -EINTR);
	is_pressed = false;
	assert_int_equal(run("kbase", NULL, NULL), 3);
	assert_non_null(strstr(shown, "kernel_base: 0xffffffff9d800000\n"));
}

static void who_leaves_the_pager_sees_no_more(void **state)
{
	(void)state;
	writes_left = 2;
	assert_int_equal(run("kbase", NULL, NULL), -EINTR);
	assert_int_equal(writes, 2);
	assert_string_equal(complained, "");
	assert_int_equal(run("kbase", NULL, NULL), 3);
	assert_true(writes > 2);
}

static void ctrl_c_ends_what_is_being_written(void **state)
{
	(void)state;
	run("kbase", NULL, NULL);
	assert_true(writes > 4);
	presses_after = 2;
	assert_int_equal(run("kbase", NULL, NULL), -EINTR);
	assert_int_equal(writes, 2);
}

/* What failed once would fail for ever: the kernel remembers it. */
static void after_ctrl_c_in_an_opened_kernel_the_next_command_works(void **state)
{
	uint64_t value = 0;

	(void)state;
	memory_put(memory, 0x345678, 0xffff95b740123450);
	run("kbase", NULL, NULL);
	stub.failure = -EINTR;
	stub.fails_after = 0;
	assert_int_equal(run("kwhat", "*0xffff95b740345678", NULL), -EINTR);
	assert_int_equal(stub.failure, 0);
	run("kwhat", "*0xffff95b740345678", NULL);
	assert_non_null(strstr(shown, "physical 0x123450"));
	assert_int_equal(dill_gdb_base(session, &value), 0);
}

static void a_lost_connection_is_said_and_the_next_one_is_tried(void **state)
{
	(void)state;
	stub.failure = -EIO;
	stub.fails_after = 5;
	assert_int_equal(run("kbase", NULL, NULL), 3);
	assert_non_null(strstr(complained, "connection to the stub is gone"));
	assert_int_equal(run("kbase", NULL, NULL), 3);
	assert_non_null(strstr(shown, "kernel_base: 0xffffffff9d800000\n"));
}

static void a_target_that_is_no_kernel_is_refused(void **state)
{
	(void)state;
	stub.physical = NULL;
	stub.virtual_start = 0x400000;
	stub.virtual_size = 0x1000;
	assert_int_equal(run("kcache", NULL, NULL), 3);
	assert_non_null(strstr(complained, "no x86-64 Linux kernel"));
	assert_string_equal(shown, "");
}

static void values_are_given_or_refused_with_a_reason(void **state)
{
	uint64_t address = 7;

	(void)state;
	assert_int_equal(dill_gdb_base(session, &address), 0);
	assert_int_equal(address, BASE);
	assert_int_equal(dill_gdb_symbol(session, "init_task", &address), -ENOENT);
	assert_string_equal(dill_gdb_error(session), "the kernel tells no symbol 'init_task'");
	assert_int_equal(dill_gdb_percpu(session, 0x1000, 77, &address), -ENOENT);
	assert_true(dill_gdb_task(session, "bash", &address) < 0);
	assert_true(dill_gdb_cache(session, "kmalloc-64", &address) < 0);
	assert_int_equal(address, BASE);
}

static void errors_are_safe_to_print(void **state)
{
	uint64_t address;

	(void)state;
	dill_gdb_symbol(session, "a\033[31m\nb", &address);
	assert_null(strchr(dill_gdb_error(session), '\033'));
	assert_null(strchr(dill_gdb_error(session), '\n'));
}

static void expect_completion(const char *kind, const char *of, const char *prefix, const char *expected)
{
	char *text = dill_gdb_complete(session, kind, of, prefix);

	if (expected)
		assert_string_equal(text, expected);
	else
		assert_null(text);
	dill_gdb_free(text);
}

static void commands_and_options_are_completed(void **state)
{
	(void)state;
	expect_completion("command", NULL, "kb", "kbase\nkbuddy\n");
	expect_completion("command", NULL, "mem", NULL);
	expect_completion("option", "kcache", "--ob", "--objects\n");
	expect_completion("option", "kcache", "--js", "--json\n");
	expect_completion("option", "nonesuch", "--", NULL);
	expect_completion("nonsense", NULL, "a", NULL);
	assert_int_equal(stub.packets, 0);
	expect_completion("cache", NULL, "kma", NULL); /* the kernel doesn't tell */
}

static void help_says_whose_target_is_meant(void **state)
{
	char *text = dill_gdb_help("kcache");

	(void)state;
	assert_non_null(text);
	assert_non_null(strstr(text, "instead of the debugger's"));
	dill_gdb_free(text);
}

static void lists_that_can_not_change_are_not_repeated(void **state)
{
	(void)state;
	assert_int_equal(run("kcache", "-i", "1"), 2);
	assert_non_null(strstr(complained, "stands still"));
}

static int trace(const char *first, const char *second)
{
	const char *const words[] = { first, second, NULL };

	shown[0] = complained[0] = '\0';
	return dill_gdb_trace(session, words, &plain);
}

static void words_of_the_trace_need_a_connection_but_help_does_not(void **state)
{
	(void)state;
	assert_int_equal(trace("help", NULL), 0);
	assert_non_null(strstr(shown, "dill run"));
	assert_int_equal(trace("filter", "nonsense"), -EINVAL);
	assert_string_not_equal(dill_gdb_error(session), "");
	assert_int_equal(trace("run", NULL), -ENOTCONN);
	assert_non_null(strstr(dill_gdb_error(session), "target remote"));
	assert_int_equal(stub.packets, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_command_shows_gdbs_target),
		TEST(nothing_goes_to_the_processs_own_output),
		TEST(a_wrong_option_is_a_usage_error),
		TEST(commands_that_trace_are_not_offered),
		TEST(another_target_is_opened_by_its_name),
		TEST(the_kernel_is_kept_until_the_target_ran),
		TEST(another_kernel_after_a_reboot_is_noticed),
		TEST(ctrl_c_ends_a_command_and_the_next_one_works),
		TEST(who_leaves_the_pager_sees_no_more),
		TEST(ctrl_c_ends_what_is_being_written),
		TEST(after_ctrl_c_in_an_opened_kernel_the_next_command_works),
		TEST(a_lost_connection_is_said_and_the_next_one_is_tried),
		TEST(a_target_that_is_no_kernel_is_refused),
		TEST(values_are_given_or_refused_with_a_reason),
		TEST(errors_are_safe_to_print),
		TEST(commands_and_options_are_completed),
		TEST(help_says_whose_target_is_meant),
		TEST(words_of_the_trace_need_a_connection_but_help_does_not),
		TEST(lists_that_can_not_change_are_not_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
