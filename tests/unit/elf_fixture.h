/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Programs that tests build with the machine's compiler and run: a temporary directory, shell commands in it,
 * and children that print a line and then wait. Include after <cmocka.h>.
 */
#ifndef DILL_TESTS_ELF_FIXTURE_H
#define DILL_TESTS_ELF_FIXTURE_H

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char fixture_directory[64];

static inline int fixture_setup(void **state)
{
	(void)state;
	strcpy(fixture_directory, "/tmp/dill-elf-XXXXXX");
	return mkdtemp(fixture_directory) ? 0 : -1;
}

static inline const char *fixture_path(const char *name)
{
	static char paths[8][256];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", fixture_directory, name);
	return path;
}

static inline char *fixture_format(const char *format, va_list args)
{
	char *command, *inside;

	assert_true(vasprintf(&inside, format, args) >= 0);
	assert_true(asprintf(&command, "cd %s && { %s\n}", fixture_directory, inside) >= 0);
	free(inside);
	return command;
}

/* Run a shell command in the directory; its failure is the test's. */
__attribute__((format(printf, 1, 2))) static inline void run(const char *format, ...)
{
	va_list args;
	char *command;

	va_start(args, format);
	command = fixture_format(format, args);
	va_end(args);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
	free(command);
}

/* What a shell command in the directory prints, to be freed. */
__attribute__((format(printf, 1, 2))) static inline char *output_of(const char *format, ...)
{
	size_t size = 0, capacity = 1 << 16;
	char *text = malloc(capacity);
	va_list args;
	char *command;
	FILE *pipe;

	va_start(args, format);
	command = fixture_format(format, args);
	va_end(args);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	for (size_t n; (n = fread(text + size, 1, capacity - size - 1, pipe)) > 0;) {
		size += n;
		if (capacity - size < 4096)
			text = realloc(text, capacity *= 2);
	}
	text[size] = '\0';
	if (pclose(pipe) != 0)
		fail_msg("failed: %s", command);
	free(command);
	return text;
}

static inline void write_file(const char *name, const char *text)
{
	FILE *file = fopen(fixture_path(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
}

static inline int fixture_teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", fixture_directory);
	return system(command);
}

/* A child that has printed a line and now waits for its end. */
struct child {
	pid_t pid;
	char line[512];
};

/* Start `sh -c COMMAND` in the directory; the command should exec, so that the pid is the program's. */
static inline struct child child_start(const char *command)
{
	struct child child = {0};
	int pipes[2];
	FILE *pipe;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		/*
		 * A test that fails leaves the rest of its function out: the child goes when the program
		 * does.
		 */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(pipes[1], STDOUT_FILENO);
		if (chdir(fixture_directory))
			_exit(126);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	pipe = fdopen(pipes[0], "r");
	assert_non_null(pipe);
	if (!fgets(child.line, sizeof(child.line), pipe))
		fail_msg("no output from %s", command);
	fclose(pipe);
	return child;
}

static inline void child_end(struct child *child)
{
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	child->pid = 0;
}

#endif
