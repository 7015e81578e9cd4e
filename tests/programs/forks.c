// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A process and four children. Each child frees some of the blocks that it inherited (which the parent still
 * has), allocates at what are often the same addresses, frees some of that, leaks the rest and exits. A fifth
 * child execs this program anew, which leaks at a site of its own.
 *
 * Every process prints its own site and truth lines: a child counts from its fork on, and frees of inherited
 * blocks are not in `freed` but in inherited_freed. The children come one after the other. With --hold the
 * fourth child stays, work done, as long as the parent does. With --ask each says `asks PID` and reads a byte of
 * stdin before it does anything.
 */
#include "truth.h"

#include <sys/wait.h>

enum { INHERITED = 100, INHERITED_SIZE = 100, CHILDREN = 4 };

TRUTH_SITE(parent_before_fork);
TRUTH_SITE(parent_after_fork);
TRUTH_SITE(child_keep);
TRUTH_SITE(child_release);
TRUTH_SITE(leak_after_exec);

static void *inherited[INHERITED];

SITE static void parent_before_fork(int i)
{
	inherited[i] = malloc(INHERITED_SIZE);
	truth_require(inherited[i]);
	truth_alloc(&site_parent_before_fork, INHERITED_SIZE);
}

SITE static void parent_after_fork(void)
{
	KEEP(malloc(77));
	truth_alloc(&site_parent_after_fork, 77);
}

SITE static void child_keep(size_t size)
{
	KEEP(malloc(size));
	truth_alloc(&site_child_keep, size);
}

SITE static void child_release(void)
{
	void *block = malloc(INHERITED_SIZE);

	KEEP(block);
	truth_alloc(&site_child_release, INHERITED_SIZE);
	free(block);
	truth_free(&site_child_release, INHERITED_SIZE);
}

SITE static void leak_after_exec(void)
{
	KEEP(malloc(55));
	truth_alloc(&site_leak_after_exec, 55);
}

static bool asks;

/* Lets a tracer of children attach to this one first. */
static void ask(void)
{
	if (!asks)
		return;
	truth_say("asks %d", (int)getpid());
	truth_wait_byte();
}

/* Frees 10, 20, 30 or 40 inherited blocks, then takes some of that memory again at both sites. */
SITE static void child_work(int index)
{
	char more[100];
	int inherited_freed = 10 * (index + 1);

	ask();
	truth_reset();
	for (int i = 0; i < inherited_freed; i++)
		free(inherited[i]);
	for (int i = 0; i < 20; i++) {
		child_keep(INHERITED_SIZE - 1 - (size_t)index);
		child_release();
	}
	snprintf(more, sizeof(more), "role=child index=%d inherited_freed=%d", index, inherited_freed);
	truth_print(more);
}

/* Waits for the end of the pipe: the parent's copy of the other end goes when the parent does. */
static void child_stay(const int *parent_stays)
{
	char byte;

	close(parent_stays[1]);
	while (read(parent_stays[0], &byte, 1) < 0 && errno == EINTR)
		;
}

/* The last child of a held run outlives this function; every other one is over when it returns. */
static void run_child(int index, const int *parent_stays)
{
	bool stays = truth_holds && index == CHILDREN - 1;
	int told[2];
	char byte;
	pid_t child;

	truth_require(pipe(told) == 0);
	child = fork();
	truth_require(child >= 0);
	if (child == 0) {
		child_work(index);
		truth_require(write(told[1], "x", 1) == 1);
		if (stays)
			child_stay(parent_stays);
		_exit(0);
	}
	truth_require(read(told[0], &byte, 1) == 1);
	close(told[0]);
	close(told[1]);
	if (!stays)
		truth_require(waitpid(child, NULL, 0) == child);
}

static void run_exec_child(char *program)
{
	char path[500];
	char role[] = "--after-exec";
	char *const arguments[] = { program, role, NULL };
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	pid_t child;

	truth_require(length > 0);
	path[length] = '\0';
	child = fork();
	truth_require(child >= 0);
	if (child == 0) {
		ask();
		execv(path, arguments);
		_exit(4);
	}
	truth_require(waitpid(child, NULL, 0) == child);
}

int main(int argc, char **argv)
{
	int parent_stays[2];

	truth_init(argc, argv);
	asks = truth_flag("--ask");
	if (truth_flag("--after-exec")) {
		for (int i = 0; i < 5; i++)
			leak_after_exec();
		truth_print("role=exec");
		return 0;
	}
	truth_ready();
	truth_require(pipe(parent_stays) == 0);
	for (int i = 0; i < INHERITED; i++)
		parent_before_fork(i);
	for (int i = 0; i < CHILDREN; i++)
		run_child(i, parent_stays);
	run_exec_child(argv[0]);
	for (int i = 0; i < 3; i++) {
		free(inherited[i]);
		truth_free(&site_parent_before_fork, INHERITED_SIZE);
		parent_after_fork();
	}
	truth_end("role=parent");
	return 0;
}
