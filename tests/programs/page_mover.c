// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * page_mover [--balance]
 *
 * Has the kernel move pages between nodes 0 and 1, for each reason that a program can give it, and says how many by what
 * the kernel answers afterwards about where each page is: `moved REASON PAGES`, `stayed REASON PAGES`.
 * --balance: touches pages on node 1 from a CPU of node 0 until NUMA balancing has brought half of them there, which is
 * `moved numa_misplaced PAGES`, or for 100 s.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define HUGE (512 * PAGE)
#define MOVED 200    /* pages, by each call */
#define PINNED 16
#define BALANCED 64

static void fail(const char *what)
{
	perror(what);
	exit(4);
}

static void set_policy(int mode, unsigned long nodes)
{
	if (syscall(SYS_set_mempolicy, mode, nodes ? &nodes : NULL, nodes ? 64UL : 0UL))
		fail("set_mempolicy");
}

/* @size bytes, aligned to @align, every page touched, on @node. */
static char *take(size_t size, size_t align, int advice, int node)
{
	char *at = mmap(NULL, size + align, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		fail("mmap");
	at += (align - (unsigned long)at % align) % align;
	madvise(at, size, advice);
	set_policy(MPOL_BIND, 1UL << node);
	for (size_t i = 0; i < size; i += PAGE)
		at[i] = 1;
	set_policy(MPOL_DEFAULT, 0);
	return at;
}

static size_t count_on(char *at, size_t pages, int node)
{
	size_t sum = 0;

	for (size_t i = 0; i < pages; i++) {
		void *address = at + i * PAGE;
		int status = -1;

		if (syscall(SYS_move_pages, 0, 1UL, &address, NULL, &status, 0))
			fail("move_pages that asks");
		sum += status == node;
	}
	return sum;
}

static void move(char *at, size_t pages, size_t step, int node)
{
	void **addresses = calloc(pages, sizeof(*addresses));
	int *nodes = calloc(pages, sizeof(*nodes)), *status = calloc(pages, sizeof(*status));

	for (size_t i = 0; i < pages; i++) {
		addresses[i] = at + i * step;
		nodes[i] = node;
	}
	if (syscall(SYS_move_pages, 0, pages, addresses, nodes, status, MPOL_MF_MOVE) < 0 && errno != EBUSY)
		fail("move_pages");
	free(addresses);
	free(nodes);
	free(status);
}

static void say(const char *reason, char *at, size_t pages, int node)
{
	size_t there = count_on(at, pages, node);

	printf("moved %s %zu\n", reason, there);
	if (there != pages)
		printf("stayed %s %zu\n", reason, pages - there);
}

static void move_by_calls(void)
{
	unsigned long both[2] = { 1UL << 0, 1UL << 1 };
	char *pages = take(MOVED * PAGE, PAGE, MADV_NOHUGEPAGE, 0), *more = take(MOVED * PAGE, PAGE, MADV_NOHUGEPAGE, 0);
	char *pinned = take(PINNED * PAGE, PAGE, MADV_NOHUGEPAGE, 0), *huge = take(2 * HUGE, HUGE, MADV_HUGEPAGE, 0);
	struct iovec all = { pinned, PINNED * PAGE };
	int pipe_ends[2];

	move(pages, MOVED, PAGE, 1);
	say("syscall", pages, MOVED, 1);
	if (pipe(pipe_ends) || vmsplice(pipe_ends[1], &all, 1, 0) != PINNED * PAGE) /* the pipe holds them */
		fail("vmsplice");
	move(pinned, PINNED, PAGE, 1);
	say("syscall", pinned, PINNED, 1);
	move(huge, 2, HUGE, 1);
	say("syscall", huge, 2 * HUGE / PAGE, 1);
	if (syscall(SYS_mbind, more, MOVED * PAGE, MPOL_BIND, &both[1], 64UL, MPOL_MF_MOVE))
		fail("mbind");
	say("mempolicy_mbind", more, MOVED, 1);
	if (syscall(SYS_migrate_pages, 0, 64UL, &both[1], &both[0]) < 0)
		fail("migrate_pages");
	say("syscall", pages, MOVED, 0);
}

static void be_balanced(void)
{
	char *pages = take(BALANCED * PAGE, PAGE, MADV_NOHUGEPAGE, 1);
	time_t begun = time(NULL);
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first))
		fail("sched_setaffinity");
	do {
		for (int n = 0; n < 200; n++)
			for (size_t i = 0; i < BALANCED; i++)
				((volatile char *)pages)[i * PAGE]++;
	} while (count_on(pages, BALANCED, 0) < BALANCED / 2 && time(NULL) - begun < 100);
	say("numa_misplaced", pages, BALANCED, 0);
}

int main(int argc, char **argv)
{
	if (argc == 1) {
		move_by_calls();
	} else if (argc == 2 && strcmp(argv[1], "--balance") == 0) {
		be_balanced();
	} else {
		fprintf(stderr, "usage: page_mover [--balance]\n");
		return 2;
	}
	return 0;
}
