// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The real dill-tracer put between a connection of this process, as of gdb's, and a scripted stub. */
#include "stub_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>

#include "interpose.h"

static char tracer[PATH_MAX + 32];

static int find_tracer(void **state)
{
	char self[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);

	(void)state;
	if (size <= 0)
		return -1;
	self[size] = '\0';
	for (int i = 0; i < 3; i++) /* BUILD/tests/unit/test_interpose */
		*strrchr(self, '/') = '\0';
	snprintf(tracer, sizeof(tracer), "%s/gdb/dill-tracer", self);
	return access(tracer, X_OK);
}

/* A stub, and gdb's connection to it: stand->gdb. */
static struct stand *connect_stub(void)
{
	struct stand *stand = calloc(1, sizeof(*stand));
	int pair[2];

	assert_non_null(stand);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	stand->stub = (struct scripted_stub){ .is_qemu = true, .uses_acks = true, .fd = pair[0] };
	pthread_mutex_init(&stand->stub.lock, NULL);
	assert_int_equal(pthread_create(&stand->stub.thread, NULL, fake_main, &stand->stub), 0);
	stand->gdb = pair[1];
	return stand;
}

static void end_stub(struct stand *stand)
{
	close(stand->gdb);
	pthread_join(stand->stub.thread, NULL);
	close(stand->stub.fd);
	assert_null(stand->stub.fault);
	free(stand);
}

static unsigned count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static ino_t inode(int fd)
{
	struct stat stat;

	assert_int_equal(fstat(fd, &stat), 0);
	return stat.st_ino;
}

/* Nobody may reap it here: a zombie is as good as gone. */
static void is_gone(pid_t pid)
{
	for (int i = 0; i < WAIT_MS; i++) {
		char path[64], line[256] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		file = fopen(path, "r");
		if (!file)
			return;
		(void)!fgets(line, sizeof(line), file);
		fclose(file);
		if (strstr(line, ") Z ") || strstr(line, ") X "))
			return;
		usleep(1000);
	}
	fail_msg("process %d doesn't end", (int)pid);
}

static void gdb_talks_through_the_tracer_and_then_itself_again(void **state)
{
	struct stand *stand = connect_stub();
	unsigned descriptors = count_descriptors();
	ino_t before = inode(stand->gdb);
	struct interpose *interpose;
	struct error err = { 0 };
	pid_t pid;

	(void)state;
	assert_int_equal(interpose_start(stand->gdb, 0, tracer, &interpose, &err), 0);
	assert_true(inode(stand->gdb) != before);
	assert_int_equal(fcntl(stand->gdb, F_GETFD), FD_CLOEXEC);
	pid = interpose_tracer(interpose);
	assert_true(getsid(pid) != getsid(0));
	gdb_ask(stand, "echo", "0*\"1}\x03}");
	gdb_ask(stand, "Hgp1.2", "OK");
	assert_int_equal(interpose_check(interpose, &err), 0);
	assert_true(interpose_control_fd(interpose) >= 0);
	assert_int_equal(interpose_stop(interpose, &err), 0);
	assert_true(inode(stand->gdb) == before);
	assert_int_equal(fcntl(stand->gdb, F_GETFD), FD_CLOEXEC);
	is_gone(pid);
	gdb_ask(stand, "echo", "0*\"1}\x03}");
	assert_int_equal(count_descriptors(), descriptors);
	/* It can be done again. */
	assert_int_equal(interpose_start(stand->gdb, 0, tracer, &interpose, &err), 0);
	gdb_ask(stand, "echo", "0*\"1}\x03}");
	assert_int_equal(interpose_stop(interpose, &err), 0);
	end_stub(stand);
}

static void a_tracer_that_is_killed_ends_gdbs_connection_and_is_told_of(void **state)
{
	struct stand *stand = connect_stub();
	struct interpose *interpose;
	struct error err = { 0 };
	char number[32], byte;
	pid_t pid;

	(void)state;
	assert_int_equal(interpose_start(stand->gdb, 0, tracer, &interpose, &err), 0);
	pid = interpose_tracer(interpose);
	assert_int_equal(kill(pid, SIGKILL), 0);
	is_gone(pid);
	assert_int_equal(recv(stand->gdb, &byte, 1, 0), 0);
	assert_int_equal(interpose_check(interpose, &err), -EPIPE);
	snprintf(number, sizeof(number), "(process %d) has ended", (int)pid);
	assert_non_null(strstr(err.text, number));
	assert_int_equal(interpose_stop(interpose, &err), -EPIPE);
	/* The guard has taken all traps away, and nobody else holds the connection: it ends. */
	stub_is_asked(stand, "? ");
	end_stub(stand);
}

static void a_tracer_that_does_not_start_leaves_all_as_it_was(void **state)
{
	static const struct {
		const char *program;
		int status;
	} cases[] = { { "/nonexistent", -ENOENT }, { "/dev/null", -EACCES }, { "/bin/true", -EPIPE } };
	struct stand *stand = connect_stub();
	unsigned descriptors = count_descriptors();
	ino_t before = inode(stand->gdb);
	struct interpose *interpose;
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(interpose_start(stand->gdb, 0, cases[i].program, &interpose, &err), cases[i].status);
		assert_true(err.text[0] != '\0');
		assert_true(inode(stand->gdb) == before);
		assert_int_equal(count_descriptors(), descriptors);
	}
	gdb_ask(stand, "echo", "0*\"1}\x03}");
	end_stub(stand);
}

static void a_busy_connection_is_left_alone(void **state)
{
	struct stand *stand = connect_stub();
	ino_t before = inode(stand->gdb);
	struct interpose *interpose;
	struct error err = { 0 };

	(void)state;
	fake_put(&stand->stub, "T05thread:p01.01;", 0);
	assert_int_equal(interpose_start(stand->gdb, 0, tracer, &interpose, &err), -EBUSY);
	assert_string_equal(err.text, "gdb's connection is busy");
	assert_true(inode(stand->gdb) == before);
	end_stub(stand);
}

static void what_gdb_opened_under_that_number_later_is_left_alone(void **state)
{
	struct stand *stand = connect_stub();
	struct interpose *interpose;
	struct error err = { 0 };
	int other;
	ino_t opened;
	pid_t pid;

	(void)state;
	assert_int_equal(interpose_start(stand->gdb, 0, tracer, &interpose, &err), 0);
	other = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(dup2(other, stand->gdb), stand->gdb);
	opened = inode(stand->gdb);
	pid = interpose_tracer(interpose);
	assert_int_equal(interpose_stop(interpose, &err), 0);
	is_gone(pid);
	assert_true(inode(stand->gdb) == opened);
	close(other);
	end_stub(stand);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gdb_talks_through_the_tracer_and_then_itself_again),
		cmocka_unit_test(a_tracer_that_is_killed_ends_gdbs_connection_and_is_told_of),
		cmocka_unit_test(a_tracer_that_does_not_start_leaves_all_as_it_was),
		cmocka_unit_test(a_busy_connection_is_left_alone),
		cmocka_unit_test(what_gdb_opened_under_that_number_later_is_left_alone),
	};

	return cmocka_run_group_tests(tests, find_tracer, NULL);
}
