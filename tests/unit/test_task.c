// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Tasks of a kernel that the test builds: whole lists and damaged ones, names, states, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "task_image.h"

static struct task_image *image;
static struct tasks tasks;
static struct error error;

/* Five processes with pids 11 to 15. */
static int set_up(void **state)
{
	static const char *const names[] = { "eleven", "twelve", "thirteen", "fourteen", "fifteen-letters" };

	(void)state;
	image = image_create(NULL);
	for (unsigned i = 1; i <= 5; i++)
		image_process(image, i, 10 + i, names[i - 1]);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tasks_deinit(&tasks);
	image_destroy(image);
	return 0;
}

static void read_tasks(unsigned flags)
{
	tasks_deinit(&tasks);
	assert_int_equal(tasks_read(image->kernel, flags, &tasks, &error), 0);
}

static void assert_pids(const int *pids, size_t count)
{
	assert_int_equal(tasks.count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(tasks.list[i].pid, pids[i]);
}
#define ASSERT_PIDS(...) \
	assert_pids((const int[]){ __VA_ARGS__ }, sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

static void processes_come_by_pid_without_init_task(void **state)
{
	(void)state;
	read_tasks(0);
	ASSERT_PIDS(11, 12, 13, 14, 15);
	assert_string_equal(tasks.list[0].comm, "eleven");
	assert_string_equal(tasks.list[4].comm, "fifteen-letters");
	assert_int_equal(tasks.damage, LIST_INTACT);
	assert_int_equal(tasks.process_count, 5);
}

static void threads_stand_behind_their_leader(void **state)
{
	(void)state;
	image_thread(image, 6, 99, 2, 12, "worker");
	image_thread(image, 7, 16, 2, 12, "helper");
	read_tasks(0);
	assert_int_equal(tasks.count, 5);
	read_tasks(TASKS_THREADS);
	ASSERT_PIDS(11, 12, 16, 99, 13, 14, 15);
	assert_false(tasks.list[2].is_leader);
	assert_int_equal(tasks.process_count, 5);
}

static void idle_tasks_are_read_when_asked_for(void **state)
{
	(void)state;
	image_u32(image, TASK_AT(0) + T_FLAGS, 0x200002);
	read_tasks(TASKS_IDLE);
	ASSERT_PIDS(11, 12, 13, 14, 15, 0);
	assert_true(tasks.list[5].is_idle && tasks.list[5].is_kernel_thread);
}

static void a_list_cut_forwards_is_read_from_its_end_too(void **state)
{
	(void)state;
	image_u64(image, TASK_AT(2) + T_TASKS, 0xdead000000000100);
	read_tasks(0);
	ASSERT_PIDS(11, 12, 13, 14, 15);
	assert_int_equal(tasks.damage, LIST_UNREADABLE);
	assert_int_equal(tasks.damaged_node, TASK_AT(2) + T_TASKS);
}

static void a_list_cut_both_ways_keeps_what_can_be_reached(void **state)
{
	(void)state;
	image_u64(image, TASK_AT(2) + T_TASKS, 0);
	image_u64(image, TASK_AT(5) + T_TASKS + 8, 0);
	read_tasks(0);
	ASSERT_PIDS(11, 12, 15);
	assert_int_equal(tasks.damage, LIST_UNREADABLE);
}

static void a_list_that_loops_ends_with_a_report(void **state)
{
	(void)state;
	image_u64(image, TASK_AT(4) + T_TASKS, TASK_AT(2) + T_TASKS);
	read_tasks(0);
	ASSERT_PIDS(11, 12, 13, 14, 15);
	assert_int_equal(tasks.damage, LIST_LOOP);
}

static void what_cannot_be_a_task_is_counted(void **state)
{
	(void)state;
	image_u32(image, TASK_AT(3) + T_PID, 0x7fffffff);
	read_tasks(0);
	ASSERT_PIDS(11, 12, 14, 15);
	assert_int_equal(tasks.impossible, 1);
	image_u32(image, TASK_AT(3) + T_PID, 13);
	image_u64(image, TASK_AT(3) + T_SIGNAL, 0x1234);
	kernel_forget(image->kernel);
	read_tasks(0);
	assert_int_equal(tasks.impossible, 1);
	assert_int_equal(tasks.count, 4);
}

static void a_damaged_list_of_threads_leaves_other_processes_alone(void **state)
{
	(void)state;
	image_thread(image, 6, 16, 2, 12, "first");
	image_thread(image, 7, 17, 3, 13, "second");
	image_u64(image, TASK_AT(6) + T_THREAD_NODE, TASK_AT(6) + T_THREAD_NODE);
	read_tasks(TASKS_THREADS);
	ASSERT_PIDS(11, 12, 16, 13, 17, 14, 15);
	assert_int_equal(tasks.damaged_groups, 1);
	assert_int_equal(tasks.damage, LIST_INTACT);
}

static void no_task_at_all_is_an_error(void **state)
{
	(void)state;
	image_u64(image, TASK_AT(0) + T_TASKS, 0);
	image_u64(image, TASK_AT(0) + T_TASKS + 8, 0);
	assert_int_equal(tasks_read(image->kernel, 0, &tasks, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "leads to no task"));
}

static void a_kernel_without_init_task_is_an_error(void **state)
{
	struct kernel_symbols *named = image->kernel->symbols;

	(void)state;
	assert_int_equal(kernel_symbols_create(&image->kernel->symbols), 0);
	assert_int_equal(tasks_read(image->kernel, 0, &tasks, &error), -ENOENT);
	assert_non_null(strstr(error.text, "init_task"));
	kernel_symbols_destroy(image->kernel->symbols);
	image->kernel->symbols = named;
}

static void counters_of_all_cpus_are_added_up(void **state)
{
	uint64_t mm = MM_AT(1), counters = PERCPU_AT;

	(void)state;
	image_u64(image, TASK_AT(1) + T_MM, mm);
	image_u64(image, mm, 1000);
	for (uint64_t i = 0; i < 4; i++) { /* file, anonymous, swap, shared */
		image_u64(image, mm + 8 + 16 * i, 10 * (i + 1));
		image_u64(image, mm + 16 + 16 * i, counters + 4 * i);
	}
	image_u32(image, counters + PERCPU_OF(0), 5);
	image_u32(image, counters + PERCPU_OF(1), -7);
	image_u32(image, counters + 4 + PERCPU_OF(1), 1);
	image_u32(image, counters + 12 + PERCPU_OF(0), -100);
	read_tasks(0);
	assert_true(tasks.list[0].has_memory);
	assert_int_equal(tasks.list[0].vsize_bytes, 1000 * 4096);
	assert_int_equal(tasks.list[0].rss_file_bytes, 8 * 4096);
	assert_int_equal(tasks.list[0].rss_anon_bytes, 21 * 4096);
	assert_int_equal(tasks.list[0].swap_bytes, 30 * 4096);
	assert_int_equal(tasks.list[0].rss_shmem_bytes, 0); /* below zero is none */
	assert_false(tasks.list[1].has_memory);
	assert_int_equal(tasks.incomplete, 0);
}

static void parts_that_cannot_be_read_are_named(void **state)
{
	char text[128];

	(void)state;
	image_u64(image, TASK_AT(1) + T_MM, 0xffff888f00000000);
	image_u64(image, TASK_AT(1) + T_CRED, 0xffff888f00000000);
	read_tasks(0);
	assert_int_equal(tasks.incomplete, 1);
	task_missing_text(tasks.list[0].missing, text, sizeof(text));
	assert_string_equal(text, "credentials, memory");
	assert_string_equal(tasks.list[0].comm, "eleven");
}

static void pids_are_told_for_each_namespace(void **state)
{
	(void)state;
	image_u64(image, TASK_AT(1) + T_THREAD_PID, PID_AT(1));
	image_u32(image, PID_AT(1), 1);
	image_u32(image, PID_AT(1) + 8, 11);
	image_u64(image, PID_AT(1) + 16, PID_AT(1) + 0x80);
	image_u32(image, PID_AT(1) + 24, 1);
	image_u64(image, PID_AT(1) + 32, PID_AT(1) + 0x90);
	image_u32(image, PID_AT(1) + 0x80, 4026531836);
	image_u32(image, PID_AT(1) + 0x90, 4026532116);
	read_tasks(0);
	assert_int_equal(tasks.list[0].pid_count, 2);
	assert_int_equal(tasks.list[0].pids[1].pid, 1);
	assert_int_equal(tasks.list[0].pids[1].inum, 4026532116);
	assert_int_equal(tasks.list[0].namespaces[TASK_NS_PID], 4026532116);
}

static void more_namespaces_than_there_can_be_are_not_believed(void **state)
{
	(void)state;
	image_u64(image, TASK_AT(1) + T_THREAD_PID, PID_AT(1));
	image_u32(image, PID_AT(1), 1000000);
	read_tasks(0);
	assert_int_equal(tasks.list[0].pid_count, 0);
	assert_int_equal(tasks.list[0].missing, TASK_MISSING_PIDS);
}

static void a_task_is_found_by_any_address_in_it(void **state)
{
	(void)state;
	read_tasks(TASKS_BRIEF);
	assert_int_equal(tasks_at(&tasks, TASK_AT(3))->pid, 13);
	assert_int_equal(tasks_at(&tasks, TASK_AT(3) + T_SIZE - 1)->pid, 13);
	assert_null(tasks_at(&tasks, TASK_AT(3) + T_SIZE));
	assert_int_equal(tasks_at(&tasks, STACK_AT(4) + 0x3fff)->pid, 14);
	assert_null(tasks_at(&tasks, STACK_AT(1) - 1));
}

static void long_names_are_compared_as_the_kernel_cut_them(void **state)
{
	(void)state;
	read_tasks(TASKS_BRIEF);
	assert_true(task_is_called(&tasks.list[4], "fifteen-letters"));
	assert_true(task_is_called(&tasks.list[4], "fifteen-letters-and-more"));
	assert_false(task_is_called(&tasks.list[4], "fifteen"));
	assert_false(task_is_called(&tasks.list[0], ""));
}

static void states_have_the_words_of_proc(void **state)
{
	static const struct {
		uint32_t state, exit_state;
		char letter;
		const char *name;
	} wanted[] = {
		{ 0, 0, 'R', "running" },       { 1, 0, 'S', "sleeping" },
		{ 2, 0, 'D', "disk sleep" },    { 0x102, 0, 'D', "disk sleep" },
		{ 4, 0, 'T', "stopped" },       { 0x104, 0, 'T', "stopped" },
		{ 8, 0, 't', "tracing stop" },  { 0x80, 0x10, 'X', "dead" },
		{ 0x80, 0x20, 'Z', "zombie" },  { 0x40, 0, 'P', "parked" },
		{ 0x402, 0, 'I', "idle" },      { 0x2402, 0, 'I', "idle" },
		{ 0x2001, 0, 'S', "sleeping" }, { 0x8000, 0, 'D', "disk sleep" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		struct task task = { .state = wanted[i].state, .exit_state = wanted[i].exit_state };

		assert_int_equal(task_state_letter(&task), wanted[i].letter);
		assert_string_equal(task_state_name(&task), wanted[i].name);
	}
}

static void flags_are_names_and_what_is_ambiguous_a_number(void **state)
{
	char text[256], small[24];

	(void)state;
	task_flags_text(0x00200040 | 0x10000, text, sizeof(text));
	assert_string_equal(text, "PF_FORKNOEXEC|PF_KTHREAD|0x10000");
	task_flags_text(0, text, sizeof(text));
	assert_string_equal(text, "");
	task_flags_text(0xffffffff, small, sizeof(small));
	assert_true(strlen(small) < sizeof(small));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(processes_come_by_pid_without_init_task),
		TEST(threads_stand_behind_their_leader),
		TEST(idle_tasks_are_read_when_asked_for),
		TEST(a_list_cut_forwards_is_read_from_its_end_too),
		TEST(a_list_cut_both_ways_keeps_what_can_be_reached),
		TEST(a_list_that_loops_ends_with_a_report),
		TEST(what_cannot_be_a_task_is_counted),
		TEST(a_damaged_list_of_threads_leaves_other_processes_alone),
		TEST(no_task_at_all_is_an_error),
		TEST(a_kernel_without_init_task_is_an_error),
		TEST(counters_of_all_cpus_are_added_up),
		TEST(parts_that_cannot_be_read_are_named),
		TEST(pids_are_told_for_each_namespace),
		TEST(more_namespaces_than_there_can_be_are_not_believed),
		TEST(a_task_is_found_by_any_address_in_it),
		TEST(long_names_are_compared_as_the_kernel_cut_them),
		TEST(states_have_the_words_of_proc),
		TEST(flags_are_names_and_what_is_ambiguous_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
