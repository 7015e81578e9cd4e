// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * event_flood --call=NAME [--count=N] [--threads=T] [--children=C]
 *
 * One event after the other, as fast as it goes: N (default 1000) in each of T threads (default 1), or in each of C
 * children that come one after the other. Nothing else of the kind happens from the start mark on. NAME is
 *
 *     munmap, shmdt   a call that fails, which is all that it does
 *     brk             the break is moved up by a page, and back by the next call: one thread only
 *     mmap            a page is mapped, and unmapped by the next call
 *     fault           a page is touched for the first time: 256 by turns, given back by madvise
 *
 * and then `made NAME EVENTS`.
 */
#include "truth.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE 4096L
#define TURN 256 /* faults between two madvise */
#define MOST_THREADS 64

static void flood_munmap(long count)
{
	for (long i = 0; i < count; i++)
		truth_require(syscall(SYS_munmap, 1, PAGE) == -1);
}

static void flood_shmdt(long count)
{
	for (long i = 0; i < count; i++)
		truth_require(shmdt((void *)1) == -1);
}

static void flood_brk(long count)
{
	long first = syscall(SYS_brk, 0); /* a question, which is no event of brkstack's */

	for (long i = 0; i < count; i++)
		truth_require(syscall(SYS_brk, first + (i % 2 ? 0 : PAGE)) == first + (i % 2 ? 0 : PAGE));
}

static void flood_mmap(long count)
{
	void *page = NULL;

	for (long i = 0; i < count; i++) {
		if (i % 2)
			truth_require(!munmap(page, PAGE));
		else
			page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		truth_require(page != MAP_FAILED);
	}
}

static char *areas[MOST_THREADS];
static void flood_fault(long count, char *area)
{
	for (long i = 0; i < count; i++) {
		if (i % TURN == 0)
			truth_require(!madvise(area, TURN * PAGE, MADV_DONTNEED));
		*(volatile char *)(area + i % TURN * PAGE) = 1;
	}
}

static const char *call;
static long events; /* of each thread or child */

static void flood(long thread)
{
	if (!strcmp(call, "munmap"))
		flood_munmap(events);
	else if (!strcmp(call, "shmdt"))
		flood_shmdt(events);
	else if (!strcmp(call, "brk"))
		flood_brk(events);
	else if (!strcmp(call, "mmap"))
		flood_mmap(events);
	else if (!strcmp(call, "fault"))
		flood_fault(events, areas[thread]);
	else
		truth_usage(call);
}

static pthread_barrier_t start;

static void *run_thread(void *number)
{
	pthread_barrier_wait(&start);
	flood((long)number);
	return NULL;
}

/* Threads begin before the start mark: making them maps their stacks. */
static long flood_by_threads(long count)
{
	pthread_t threads[MOST_THREADS];

	for (long i = 0; i < count; i++) {
		areas[i] = mmap(NULL, TURN * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		truth_require(areas[i] != MAP_FAILED && !madvise(areas[i], TURN * PAGE, MADV_NOHUGEPAGE));
	}
	truth_require(!pthread_barrier_init(&start, NULL, (unsigned int)count));
	for (long i = 1; i < count; i++)
		truth_require(!pthread_create(&threads[i], NULL, run_thread, (void *)i));
	truth_ready();
	run_thread((void *)0L);
	for (long i = 1; i < count; i++)
		truth_require(!pthread_join(threads[i], NULL));
	return count * events;
}

static long flood_by_children(long count)
{
	truth_ready();
	for (long i = 0; i < count; i++) {
		int status;
		pid_t child = fork();

		if (!child) {
			flood(0);
			_exit(0);
		}
		truth_require(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	}
	return count * events;
}

TRUTH_SITE(main);
int main(int argc, char **argv)
{
	long threads, children, made;

	truth_init(argc, argv);
	call = truth_text("--call");
	events = truth_option("--count", 1000);
	threads = truth_option("--threads", 1);
	children = truth_option("--children", 0);
	if (!call || threads < 1 || threads > MOST_THREADS)
		truth_usage("--call, --threads");
	made = children ? flood_by_children(children) : flood_by_threads(threads);
	truth_say("made %s %ld", call, made);
	site_main.seen = site_main.freed = 1;
	truth_end("");
	return 0;
}
