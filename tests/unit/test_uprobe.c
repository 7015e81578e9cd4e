// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Attaching, on every mechanism that this kernel allows us: each test counts in a BPF map how often a program
 * ran, and knows how often it called. Skips where BPF or uprobes are refused.
 */
#include "uprobe_fixture.h"

static void program_runs_once_a_call_until_detached(void **state)
{
	struct fixture *fixture = begin(state);
	struct uprobe_link *link = attach(fixture, getpid(), false, false);

	uprobe_target_emulated();
	uprobe_target_emulated();
	assert_int_equal(runs(fixture), 2);
	uprobe_target_single_stepped();
	assert_int_equal(runs(fixture), 2);
	uprobe_detach(link);
	uprobe_target_emulated();
	assert_int_equal(runs(fixture), 2);
}

static void detaching_restores_the_instruction(void **state)
{
	struct fixture *fixture = begin(state);
	volatile const uint8_t *code = (const uint8_t *)(uintptr_t)uprobe_target_emulated;
	uint8_t original = *code;
	struct uprobe_link *link = attach(fixture, getpid(), false, false);

	assert_int_not_equal(*code, original);
	uprobe_detach(link);
	assert_int_equal(*code, original);
}

/* A copy of this program, unlinked: nothing but a descriptor leads to its file. */
static void file_that_has_no_name_is_probed(void **state)
{
	struct fixture *fixture = begin(state);
	char path[] = "/tmp/test_uprobe.XXXXXX", command[128];
	struct fixture unlinked = *fixture;
	struct uprobe_link *link;
	int status;
	pid_t child;

	close(mkstemp(path));
	snprintf(command, sizeof(command), "cp /proc/%d/exe %s && chmod 700 %s", getpid(), path, path);
	assert_int_equal(system(command), 0);
	unlinked.file.fd = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	assert_true(unlinked.file.fd >= 0);

	link = attach(&unlinked, 0, false, false);
	child = fork_child();
	if (!child) {
		snprintf(command, sizeof(command), "/proc/self/fd/%d", unlinked.file.fd);
		execl(command, "test_uprobe", ARGUMENT_CALL, NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(runs(fixture), CALLS_AFTER_EXEC);
	uprobe_detach(link);
	close(unlinked.file.fd);
}

/* Tells that it has been entered, and returns when it is told to. */
static __attribute__((noinline)) void *enter_and_wait(void *arg)
{
	struct waiting_thread *thread = arg;
	char byte = 0;

	if (write(thread->done_fd, &byte, 1) == 1 && read(thread->wait_fd, &byte, 1) == 1)
		return NULL;
	return arg;
}

static void return_probe_runs_when_the_function_returns(void **state)
{
	struct fixture *fixture = begin(state);
	const struct uprobe_point point = {
		.file_offset = fixture->file.emulated_offset + (uint64_t)(uintptr_t)enter_and_wait -
			       (uint64_t)(uintptr_t)uprobe_target_emulated,
	};
	struct waiting_thread thread;
	struct uprobe_link *link;
	int to[2], from[2];
	void *result;
	pthread_t id;
	char byte;

	assert_int_equal(pipe(to) | pipe(from), 0);
	thread = (struct waiting_thread){ to[0], from[1] };
	assert_int_equal(uprobe_attach(fixture->rung, fixture->program_fd, fixture->file.fd, 0, true, false,
				       &point, 1, &link, NULL),
			 0);
	assert_int_equal(pthread_create(&id, NULL, enter_and_wait, &thread), 0);
	assert_int_equal(read(from[0], &byte, 1), 1);
	assert_int_equal(runs(fixture), 0);
	assert_int_equal(write(to[1], &byte, 1), 1);
	assert_int_equal(pthread_join(id, &result), 0);
	assert_null(result);
	assert_int_equal(runs(fixture), 1);
	uprobe_detach(link);
	close(to[0]);
	close(to[1]);
	close(from[0]);
	close(from[1]);
}

static void each_point_hands_its_own_cookie_over(void **state)
{
	struct fixture *fixture = begin(state);
	const struct uprobe_point points[] = {
		{ .file_offset = fixture->file.emulated_offset, .cookie = 1ull << 40 },
		{ .file_offset = fixture->file.single_stepped_offset, .cookie = 5 },
	};
	struct uprobe_link *link;

	if (!fixture->has_cookies)
		skip();
	assert_int_equal(uprobe_attach(fixture->rung, fixture->program_fd, fixture->file.fd, getpid(), false,
				       false, points, 2, &link, NULL),
			 0);
	uprobe_target_single_stepped();
	assert_int_equal(read_map(fixture, 1), 5);
	uprobe_target_emulated();
	assert_int_equal(read_map(fixture, 1), 5 + (1ull << 40));
	uprobe_detach(link);
}

static void joined_links_are_detached_together(void **state)
{
	struct fixture *fixture = begin(state);
	struct uprobe_link *link = attach(fixture, getpid(), false, false);

	link = uprobe_link_join(NULL, link);
	link = uprobe_link_join(link, attach(fixture, getpid(), false, false));
	link = uprobe_link_join(link, NULL);
	uprobe_target_emulated();
	assert_int_equal(runs(fixture), 2);
	uprobe_detach(link);
	uprobe_target_emulated();
	assert_int_equal(runs(fixture), 2);
}

static void offset_beyond_the_file_is_refused_with_a_message(void **state)
{
	struct fixture *fixture = begin(state);
	const struct uprobe_point points[] = { { .file_offset = fixture->file.emulated_offset },
						{ .file_offset = 1ull << 40 } };
	struct uprobe_link *link = (void *)1;
	struct error err = { 0 };

	assert_true(uprobe_attach(fixture->rung, fixture->program_fd, fixture->file.fd, getpid(), false,
				  false, points, 2, &link, &err) < 0);
	assert_ptr_equal(link, (void *)1);
	assert_true(strlen(err.text) > 0);
	uprobe_target_emulated();
	assert_int_equal(runs(fixture), 0);
}

/* Nothing may stay in a target when its tracer dies without a chance to clean up. */
static void killed_tracer_leaves_the_target_as_it_was(void **state)
{
	struct fixture *fixture = begin(state);
	volatile const uint8_t *code = (const uint8_t *)(uintptr_t)uprobe_target_emulated;
	const struct uprobe_point point = { .file_offset = fixture->file.emulated_offset };
	struct uprobe_link *link;
	uint8_t original = *code;
	int from[2], status;
	pid_t tracer;
	char byte;

	assert_int_equal(pipe(from), 0);
	tracer = fork_child();
	if (!tracer) {
		if (!uprobe_attach(fixture->rung, fixture->program_fd, fixture->file.fd, getppid(), false,
				   false, &point, 1, &link, NULL) &&
		    write(from[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(from[1]);
	assert_int_equal(read(from[0], &byte, 1), 1);
	assert_int_not_equal(*code, original);
	uprobe_target_emulated();
	assert_int_equal(runs(fixture), 1);
	kill(tracer, SIGKILL);
	assert_int_equal(waitpid(tracer, &status, 0), tracer);
	assert_int_equal(*code, original);
	uprobe_target_emulated();
	assert_int_equal(runs(fixture), 1);
	close(from[0]);
}

static void calibration_measures_and_leaves_nothing(void **state)
{
	struct fixture *fixture = begin(state);
	volatile const uint8_t *code = (const uint8_t *)(uintptr_t)uprobe_target_single_stepped;
	uint8_t original = *code;
	struct uprobe_costs costs = { 0 };
	struct uprobe_link *link = NULL;

	assert_int_equal(uprobe_calibrate(fixture->rung, &costs, &link, NULL), 0);
	assert_int_not_equal(costs.emulated_ns, 0);
	assert_int_not_equal(costs.single_step_ns, 0);
	assert_int_not_equal(costs.return_ns, 0);
	assert_int_not_equal(*code, original);
	uprobe_detach(link);
	assert_int_equal(*code, original);
	assert_int_equal(uprobe_calibrate(fixture->rung, &costs, NULL, NULL), 0);
	assert_int_equal(*code, original);
}

static void map_tells_the_memory_that_it_occupies(void **state)
{
	const struct bpf_map_spec large = {
		.type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 1024,
	};
	struct fixture *fixture = begin(state);
	uint64_t small_bytes, large_bytes;
	int fd;

	assert_int_equal(bpf_syscall_map_create(&large, &fd), 0);
	assert_int_equal(bpf_syscall_map_memory(fixture->map_fd, &small_bytes), 0);
	assert_int_equal(bpf_syscall_map_memory(fd, &large_bytes), 0);
	assert_true(large_bytes >= 8 * 1024 && small_bytes < large_bytes);
	assert_int_equal(bpf_syscall_map_memory(fixture->file.fd, &large_bytes), -ENOENT);
	close(fd);
}

static void program_without_recursion_has_no_misses(void **state)
{
	struct fixture *fixture = begin(state);
	struct bpf_program_stats stats = { .recursion_misses = 1 };

	assert_int_equal(bpf_syscall_program_stats(fixture->program_fd, &stats), 0);
	assert_int_equal(stats.recursion_misses, 0);
	assert_true(bpf_syscall_program_stats(fixture->file.fd, &stats) < 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(program_runs_once_a_call_until_detached),
		ON_BOTH(detaching_restores_the_instruction),
		ON_BOTH(file_that_has_no_name_is_probed),
		ON_BOTH(return_probe_runs_when_the_function_returns),
		ON_BOTH(each_point_hands_its_own_cookie_over),
		ON_BOTH(joined_links_are_detached_together),
		ON_BOTH(offset_beyond_the_file_is_refused_with_a_message),
		ON_BOTH(killed_tracer_leaves_the_target_as_it_was),
		ON_BOTH(calibration_measures_and_leaves_nothing),
		ON_BOTH(map_tells_the_memory_that_it_occupies),
		ON_BOTH(program_without_recursion_has_no_misses),
	};

	if (call_target_when_asked(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("uprobe", tests, NULL, NULL);
}
