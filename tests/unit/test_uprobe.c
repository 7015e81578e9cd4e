// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Attaching, on every mechanism that this kernel allows us: each test counts in a BPF map how often a program
 * ran, and knows how often it called. Skips where BPF or uprobes are refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf_insn.h"
#include "bpf_syscall.h"
#include "error.h"
#include "kernel_caps.h"
#include "uprobe.h"
#include "uprobe_target.h"

#define ARGUMENT_CALL "--call-target" /* this program run with it calls the target three times */
#define CALLS_AFTER_EXEC 3

/* map[0] counts runs, map[1] sums cookies. */
struct fixture {
	enum uprobe_rung rung;
	bool has_cookies;
	int map_fd, program_fd;
	struct uprobe_target_file file;
};

/* r0 = &map[key]; if (r0) *r0 += r6; the key is built on the stack at r10-8 */
#define ADD_R6_TO(map_fd, key)                                                                              \
	BPF_INSN_STORE_IMM(10, -8, key), BPF_INSN_MAP_FD(1, map_fd), BPF_INSN_MOV(2, 10),                   \
		BPF_INSN_ADD_IMM(2, -8), BPF_INSN_CALL(BPF_FUNC_map_lookup_elem), BPF_INSN_JUMP_ZERO(0, 1), \
		BPF_INSN_ATOMIC_ADD(0, 0, 6, 0)

static int load_counter(enum uprobe_rung rung, bool has_cookies, int map_fd, int *ret_fd)
{
	const struct bpf_insn plain[] = {
		BPF_INSN_MOV_IMM(6, 1),
		ADD_R6_TO(map_fd, 0),
		BPF_INSN_MOV_IMM(0, 0),
		BPF_INSN_EXIT(),
	};
	const struct bpf_insn summing[] = {
		BPF_INSN_CALL(BPF_FUNC_get_attach_cookie),
		BPF_INSN_MOV(6, 0),
		ADD_R6_TO(map_fd, 1),
		BPF_INSN_MOV_IMM(6, 1),
		ADD_R6_TO(map_fd, 0),
		BPF_INSN_MOV_IMM(0, 0),
		BPF_INSN_EXIT(),
	};
	const struct bpf_program_spec spec = {
		.type = BPF_PROG_TYPE_KPROBE,
		.expected_attach_type = rung == UPROBE_MULTI ? BPF_SYSCALL_TRACE_UPROBE_MULTI : 0,
		.insns = has_cookies ? summing : plain,
		.insn_count = (has_cookies ? sizeof(summing) : sizeof(plain)) / sizeof(plain[0]),
	};

	return bpf_syscall_program_load(&spec, NULL, 0, ret_fd);
}

static int setup(void **state, enum uprobe_rung rung)
{
	static const struct bpf_map_spec map = {
		.type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 2,
	};
	enum kernel_cap_id needed = rung == UPROBE_MULTI ? KERNEL_CAP_UPROBE_MULTI : KERNEL_CAP_UPROBE_PERF;
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct kernel_caps caps;

	kernel_caps_init(&caps);
	if (!fixture || kernel_caps_get(&caps, needed)->state != CAP_YES) {
		free(fixture);
		return 0; /* *state stays NULL: begin() skips */
	}
	fixture->rung = rung;
	fixture->has_cookies = kernel_caps_get(&caps, KERNEL_CAP_BPF_COOKIE)->state == CAP_YES;
	if (bpf_syscall_map_create(&map, &fixture->map_fd) ||
	    load_counter(rung, fixture->has_cookies, fixture->map_fd, &fixture->program_fd) ||
	    uprobe_target_open(&fixture->file, NULL))
		return -1;
	*state = fixture;
	return 0;
}

static int setup_multi(void **state)
{
	return setup(state, UPROBE_MULTI);
}

static int setup_perf(void **state)
{
	return setup(state, UPROBE_PERF);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	if (fixture) {
		close(fixture->map_fd);
		close(fixture->program_fd);
		close(fixture->file.fd);
	}
	free(fixture);
	return 0;
}

static struct fixture *begin(void **state)
{
	if (!*state)
		skip();
	return *state;
}

static uint64_t read_map(const struct fixture *fixture, uint32_t key)
{
	uint64_t value;

	assert_int_equal(bpf_syscall_map_lookup(fixture->map_fd, &key, &value), 0);
	return value;
}

static uint64_t runs(const struct fixture *fixture)
{
	return read_map(fixture, 0);
}

static struct uprobe_link *attach(const struct fixture *fixture, pid_t pid, bool is_return,
				  bool follows_children)
{
	const struct uprobe_point point = { .file_offset = fixture->file.emulated_offset };
	struct uprobe_link *link = NULL;
	struct error err = { 0 };

	if (uprobe_attach(fixture->rung, fixture->program_fd, fixture->file.fd, pid, is_return,
			  follows_children, &point, 1, &link, &err))
		fail_msg("%s", err.text);
	return link;
}

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

struct waiting_thread {
	int wait_fd, done_fd;
};

static void *call_when_told(void *arg)
{
	struct waiting_thread *thread = arg;
	char byte;

	while (read(thread->wait_fd, &byte, 1) == 1) {
		uprobe_target_emulated();
		if (write(thread->done_fd, &byte, 1) != 1)
			break;
	}
	return NULL;
}

static void thread_older_than_the_attach_is_traced(void **state)
{
	struct fixture *fixture = begin(state);
	struct waiting_thread thread;
	struct kernel_caps caps;
	struct uprobe_link *link;
	int to[2], from[2];
	pthread_t id;
	char byte = 0;

	kernel_caps_init(&caps);
	if (fixture->rung == UPROBE_MULTI &&
	    kernel_caps_get(&caps, KERNEL_CAP_UPROBE_MULTI_THREADS)->state == CAP_NO)
		skip();
	assert_int_equal(pipe(to) | pipe(from), 0);
	thread = (struct waiting_thread){ to[0], from[1] };
	assert_int_equal(pthread_create(&id, NULL, call_when_told, &thread), 0);
	assert_int_equal(write(to[1], &byte, 1), 1);
	assert_int_equal(read(from[0], &byte, 1), 1);

	link = attach(fixture, getpid(), false, false);
	assert_int_equal(write(to[1], &byte, 1), 1);
	assert_int_equal(read(from[0], &byte, 1), 1);
	assert_int_equal(runs(fixture), 1);

	close(to[1]);
	pthread_join(id, NULL);
	uprobe_detach(link);
	close(to[0]);
	close(from[0]);
	close(from[1]);
}

/* A child that can't outlive a test that failed. */
static pid_t fork_child(void)
{
	pid_t child = fork();

	if (!child)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

/* A child that calls the target @calls times; 0: runs this program, which calls it CALLS_AFTER_EXEC times. */
static void run_child(unsigned int calls)
{
	pid_t child = fork_child();
	int status;

	if (!child) {
		if (!calls)
			execl("/proc/self/exe", "test_uprobe", ARGUMENT_CALL, NULL);
		for (unsigned int i = 0; i < calls; i++)
			uprobe_target_emulated();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void child_is_traced_only_when_followed(void **state)
{
	struct fixture *fixture = begin(state);
	struct uprobe_link *link = attach(fixture, getpid(), false, false);

	run_child(2);
	run_child(0);
	assert_int_equal(runs(fixture), 0);
	uprobe_detach(link);

	link = attach(fixture, getpid(), false, true);
	run_child(2);
	assert_int_equal(runs(fixture), 2);
	run_child(0);
	assert_int_equal(runs(fixture), 2 + CALLS_AFTER_EXEC);
	uprobe_detach(link);
}

static void process_stays_traced_over_exec(void **state)
{
	struct fixture *fixture = begin(state);
	struct uprobe_link *link;
	int to[2], status;
	pid_t child;
	char byte = 0;

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	child = fork_child();
	if (!child) {
		if (read(to[0], &byte, 1) == 1) {
			uprobe_target_emulated();
			execl("/proc/self/exe", "test_uprobe", ARGUMENT_CALL, NULL);
		}
		_exit(1);
	}
	link = attach(fixture, child, false, false);
	uprobe_target_emulated(); /* not our process's business */
	assert_int_equal(write(to[1], &byte, 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(runs(fixture), 1 + CALLS_AFTER_EXEC);
	uprobe_detach(link);
	close(to[0]);
	close(to[1]);
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
		{ fixture->file.emulated_offset, 1ull << 40 },
		{ fixture->file.single_stepped_offset, 5 },
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
	const struct uprobe_point points[] = { { fixture->file.emulated_offset, 0 }, { 1ull << 40, 0 } };
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

static void *call_and_exit(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* the main thread's goes with it */
	call_when_told(arg);
	_exit(0);
}

/* The process's main thread exits, another goes on. */
static pid_t fork_without_main_thread(const struct waiting_thread *thread)
{
	char path[64], line[512] = "";
	pid_t child = fork_child();
	pthread_t id;
	FILE *file;

	if (!child) {
		if (pthread_create(&id, NULL, call_and_exit, (void *)(uintptr_t)thread))
			_exit(1);
		pthread_exit(NULL);
	}
	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	while (!strstr(line, ") Z")) {
		file = fopen(path, "r");
		assert_non_null(file);
		assert_non_null(fgets(line, sizeof(line), file));
		fclose(file);
	}
	return child;
}

static void process_whose_main_thread_is_gone_is_traced_or_refused(void **state)
{
	struct fixture *fixture = begin(state);
	const struct uprobe_point point = { .file_offset = fixture->file.emulated_offset };
	int to[2], from[2], status, rc;
	struct uprobe_link *link = NULL;
	pid_t child;
	char byte = 0;

	assert_int_equal(pipe(to) | pipe(from), 0);
	child = fork_without_main_thread(&(struct waiting_thread){ to[0], from[1] });
	rc = uprobe_attach(fixture->rung, fixture->program_fd, fixture->file.fd, child, false, false, &point,
			   1, &link, NULL);
	if (fixture->rung == UPROBE_MULTI) {
		assert_int_equal(rc, -ESRCH);
	} else {
		assert_int_equal(rc, 0);
		assert_int_equal(write(to[1], &byte, 1), 1);
		assert_int_equal(read(from[0], &byte, 1), 1);
		assert_int_equal(runs(fixture), 1);
	}
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	uprobe_detach(link);
	close(to[0]);
	close(to[1]);
	close(from[0]);
	close(from[1]);
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

#define ON_BOTH(test)                                             \
	{ #test " (multi)", test, setup_multi, teardown, NULL },  \
	{                                                         \
#test " (perf)", test, setup_perf, teardown, NULL \
	}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(program_runs_once_a_call_until_detached),
		ON_BOTH(detaching_restores_the_instruction),
		ON_BOTH(thread_older_than_the_attach_is_traced),
		ON_BOTH(child_is_traced_only_when_followed),
		ON_BOTH(process_stays_traced_over_exec),
		ON_BOTH(file_that_has_no_name_is_probed),
		ON_BOTH(return_probe_runs_when_the_function_returns),
		ON_BOTH(each_point_hands_its_own_cookie_over),
		ON_BOTH(joined_links_are_detached_together),
		ON_BOTH(offset_beyond_the_file_is_refused_with_a_message),
		ON_BOTH(killed_tracer_leaves_the_target_as_it_was),
		ON_BOTH(process_whose_main_thread_is_gone_is_traced_or_refused),
		ON_BOTH(calibration_measures_and_leaves_nothing),
	};

	if (argc == 2 && !strcmp(argv[1], ARGUMENT_CALL)) {
		for (int i = 0; i < CALLS_AFTER_EXEC; i++)
			uprobe_target_emulated();
		return 0;
	}
	return cmocka_run_group_tests_name("uprobe", tests, NULL, NULL);
}
