// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Which threads and processes a probe is for: threads, children, exec, a main thread that is gone. */
#include "uprobe_fixture.h"

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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(thread_older_than_the_attach_is_traced),
		ON_BOTH(child_is_traced_only_when_followed),
		ON_BOTH(process_stays_traced_over_exec),
		ON_BOTH(process_whose_main_thread_is_gone_is_traced_or_refused),
	};

	if (call_target_when_asked(argc, argv))
		return 0;
	return cmocka_run_group_tests_name("uprobe_process", tests, NULL, NULL);
}
