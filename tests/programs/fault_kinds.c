// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A child that touches known numbers of pages in known ways; the parent tells what the kernel counted for it:
 *
 *     made KIND MODE PAGES          one way of touching, in the order of the work
 *     also pid=N                    a child of the child, which ends at once
 *     usage pid=N minor=N major=N   of both, by wait4(2)
 *
 * `fault_kinds FILE`: FILE is made, and mapped. Pages that are to be swapped in are those that pagemap shows in swap.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#define PAGE 4096UL
#define HUGE (2UL << 20)
#define CHECK(claim) \
	do { \
		if (!(claim)) { \
			printf("broken %s:%d: %s\n", __FILE__, __LINE__, #claim); \
			fflush(stdout); \
			_exit(4); \
		} \
	} while (0)

static volatile char sink;

static char *map(size_t pages, int flags, int fd)
{
	char *place = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

	CHECK(place != MAP_FAILED);
	madvise(place, pages * PAGE, MADV_NOHUGEPAGE); /* -EINVAL: there are none */
	return place;
}

static void write_pages(char *place, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		place[i * PAGE] = 1;
}

static void read_pages(const char *place, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		sink = place[i * PAGE];
}

static void made(const char *kind, const char *mode, size_t pages)
{
	printf("made %s %s %zu\n", kind, mode, pages);
}

static size_t count_swapped(const char *place, size_t pages)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	size_t swapped = 0;

	CHECK(fd >= 0);
	for (size_t i = 0; i < pages; i++) {
		uint64_t entry;

		CHECK(pread(fd, &entry, 8, ((uintptr_t)place / PAGE + i) * 8) == 8);
		swapped += entry >> 62 & 1;
	}
	close(fd);
	return swapped;
}

static void touch_swap(void)
{
	char *place = map(300, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	size_t swapped;

	write_pages(place, 300);
	made("anonymous", "user", 300);
	madvise(place, 300 * PAGE, MADV_PAGEOUT);
	swapped = count_swapped(place, 300);
	read_pages(place, 300);
	made("swap-in", "user", swapped);
}

static void touch_huge(void)
{
	char *place = mmap(NULL, 5 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *aligned = (char *)(((uintptr_t)place + HUGE - 1) & -HUGE);

	CHECK(place != MAP_FAILED);
	if (madvise(aligned, 4 * HUGE, MADV_HUGEPAGE))
		return;
	for (size_t i = 0; i < 4; i++)
		aligned[i * HUGE] = 1;
	made("huge", "user", 4);
}

static void touch_after_fork(void)
{
	char *place = map(400, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	pid_t child;

	write_pages(place, 400);
	made("anonymous", "user", 400);
	fflush(stdout);
	child = fork();
	CHECK(child >= 0);
	if (!child)
		_exit(0);
	CHECK(waitpid(child, NULL, 0) == child);
	printf("also pid=%d\n", (int)child);
	write_pages(place, 400);
	made("copy-on-write", "user", 400);
}

static void touch_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *place;

	CHECK(fd >= 0);
	for (size_t i = 0; i < 1000; i++) {
		char page[PAGE];

		memset(page, 'x', sizeof(page));
		CHECK(write(fd, page, sizeof(page)) == sizeof(page));
	}
	place = map(600, MAP_PRIVATE, fd);
	read_pages(place, 600); /* several at once where the kernel faults around */
	made("file", "user", 600);
	place = map(700, MAP_PRIVATE, fd);
	madvise(place, 700 * PAGE, MADV_RANDOM);
	write_pages(place, 700);
	made("copy-on-write", "user", 700);
	place = map(800, MAP_SHARED, fd);
	write_pages(place, 800);
	made("shared", "user", 800);
	close(fd);
}

static void work(const char *path)
{
	char *place;
	int zero = open("/dev/zero", O_RDONLY);

	CHECK(zero >= 0);
	write_pages(map(2000, MAP_PRIVATE | MAP_ANONYMOUS, -1), 2000);
	made("anonymous", "user", 2000);
	place = sbrk(0);
	CHECK(sbrk(128 * PAGE) == place);
	madvise((char *)(((uintptr_t)place + PAGE - 1) & -PAGE), 127 * PAGE, MADV_NOHUGEPAGE);
	write_pages((char *)(((uintptr_t)place + PAGE - 1) & -PAGE), 127);
	made("anonymous", "user", 127);
	place = map(250, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	for (size_t i = 0; i < 250; i++)
		CHECK(read(zero, place + i * PAGE, PAGE) == (ssize_t)PAGE);
	made("anonymous", "kernel", 250);
	place = map(350, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	CHECK(mlock(place, 350 * PAGE) == 0);
	made("anonymous", "pinned", 350);
	touch_after_fork();
	touch_file(path);
	touch_swap();
	touch_huge();
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	struct rusage usage;
	int status;
	pid_t child;

	if (argc != 2) {
		fprintf(stderr, "usage: fault_kinds FILE\n");
		return 2;
	}
	child = fork();
	CHECK(child >= 0);
	if (!child)
		work(argv[1]);
	CHECK(wait4(child, &status, 0, &usage) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	printf("usage pid=%d minor=%ld major=%ld\n", (int)child, usage.ru_minflt, usage.ru_majflt);
	return 0;
}
