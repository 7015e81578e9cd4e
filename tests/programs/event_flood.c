// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * event_flood --call=NAME [--count=N] [--threads=T] [--children=C] [--serve] [--file=PATH]
 *
 * One event after the other, as fast as it goes: N (default 1000) in each of T threads (default 1), or in each of C
 * children that come one after the other. Nothing else of the kind happens from the start mark on. With --serve, after
 * `ready`, each line N on stdin is a round of N that ends in `round N`. NAME is
 *
 *     munmap, shmdt   a call that fails, which is all that it does
 *     brk             the break is moved up by a page, and back by the next call: one thread only
 *     mmap            a page is mapped, and unmapped by the next call; of the file, if one is named
 *     shmat           a segment is attached, and detached by the next call
 *     fault           a page is touched for the first time: 256 by turns, given back by madvise
 *     read            256 KiB of the file are read, from its beginning again when it is over
 *
 * and then `made NAME EVENTS`.
 */
#include "truth.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/ipc.h>
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

static int file = -1;
static void flood_mmap(long count)
{
	int flags = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE;
	void *page = NULL;

	for (long i = 0; i < count; i++) {
		if (i % 2)
			truth_require(!munmap(page, PAGE));
		else
			page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, file, 0);
		truth_require(page != MAP_FAILED);
	}
}

static int segment = -1;
static void flood_shmat(long count)
{
	void *at = NULL;

	for (long i = 0; i < count; i++) {
		if (i % 2)
			truth_require(!shmdt(at));
		else
			at = shmat(segment, NULL, 0);
		truth_require(at != (void *)-1);
	}
}

static void flood_read(long count)
{
	static char piece[1 << 18];

	for (long i = 0; i < count; i++)
		while (read(file, piece, sizeof(piece)) < (ssize_t)sizeof(piece))
			truth_require(lseek(file, 0, SEEK_SET) == 0);
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
	else if (!strcmp(call, "shmat"))
		flood_shmat(events);
	else if (!strcmp(call, "read"))
		flood_read(events);
	else if (!strcmp(call, "fault"))
		flood_fault(events, areas[thread]);
	else
		truth_usage(call);
}

static void flood_round(long count)
{
	events = count;
	flood(0);
	truth_say("round %ld", count);
}

static pthread_barrier_t start;

static void *run_thread(void *number)
{
	pthread_barrier_wait(&start);
	flood((long)number);
	return NULL;
}

static void prepare(long threads)
{
	const char *path = truth_text("--file");

	for (long i = 0; i < threads; i++) {
		areas[i] = mmap(NULL, TURN * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		truth_require(areas[i] != MAP_FAILED && !madvise(areas[i], TURN * PAGE, MADV_NOHUGEPAGE));
	}
	if (path)
		truth_require((file = open(path, O_RDONLY | O_CLOEXEC)) >= 0);
	if (strcmp(call, "shmat") != 0)
		return;
	segment = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);
	truth_require(segment >= 0 && shmat(segment, NULL, 0) != (void *)-1); /* which keeps it until this process ends */
	truth_require(!shmctl(segment, IPC_RMID, NULL));
}

/* Threads begin before the start mark: making them maps their stacks. */
static long flood_by_threads(long count)
{
	pthread_t threads[MOST_THREADS];

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
	prepare(threads);
	if (truth_flag("--serve")) {
		truth_serve(flood_round);
		return 0;
	}
	made = children ? flood_by_children(children) : flood_by_threads(threads);
	truth_say("made %s %ld", call, made);
	site_main.seen = site_main.freed = 1;
	truth_end("");
	return 0;
}
