// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * swap_trips [cgroup=DIRECTORY] [private=MIB] [shared=MIB] [zeros=MIB] [huge=MIB] [ahead=MIB]
 *
 * Memory of each kind, in the order of the words: all of it is written, then given to swap by MADV_PAGEOUT, then read.
 * After MADV_PAGEOUT to a slow device pages are in memory still: with `cgroup` that (v2) is made small for a moment.
 * `zeros` are pages of nothing but zeros, `ahead` is asked for by MADV_WILLNEED before it is read. Says `pid N`, then `trip
 * KIND PAGES swapped` for each, with the pages that pagemap shows in swap before they are read (of `shared`: 0, it can't
 * tell). What was swapped indeed is in the kernel's books.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#define PAGE 4096UL
#define HUGE (2UL << 20)

static volatile uint64_t sink;

/* Different in each page, and not all of it: a compressor has something to do, and something to gain. */
static void fill(char *place, size_t pages)
{
	uint64_t state = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < pages; i++) {
		uint64_t *words = (uint64_t *)(place + i * PAGE);

		for (size_t word = 0; word < PAGE / sizeof(*words); word++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			words[word] = word % 4 ? i : state;
		}
	}
}

static size_t count_swapped(const char *place, size_t pages)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t swapped = 0;

	for (size_t i = 0; i < pages; i++) {
		uint64_t entry = 0;

		if (pread(fd, &entry, sizeof(entry), ((uintptr_t)place / PAGE + i) * sizeof(entry)) != sizeof(entry))
			exit(4);
		swapped += entry >> 62 & 1; /* Documentation/admin-guide/mm/pagemap.rst */
	}
	close(fd);
	return swapped;
}

static uint64_t under_way(void)
{
	FILE *refresh = fopen("/proc/sys/vm/stat_refresh", "re"), *file;
	uint64_t count = 0, sum = 0;
	char name[64];

	if (refresh) { /* adds up what CPUs have apart */
		fgetc(refresh);
		fclose(refresh);
	}
	file = fopen("/proc/vmstat", "re");

	while (file && fscanf(file, "%63s %lu", name, &count) == 2)
		sum += strcmp(name, "nr_writeback") == 0 ? count : 0;
	if (file)
		fclose(file);
	return sum;
}

static void write_limit(const char *cgroup, const char *limit)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/memory.high", cgroup);
	file = fopen(path, "we");
	if (!file || fputs(limit, file) < 0 || fclose(file)) {
		perror(path);
		exit(4);
	}
}

static void trip(const char *cgroup, const char *kind, size_t bytes)
{
	int is_huge = strcmp(kind, "huge") == 0, flags = strcmp(kind, "shared") == 0 ? MAP_SHARED : MAP_PRIVATE;
	char *area = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
	char *place = (char *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1));

	if (area == MAP_FAILED) {
		perror("mmap");
		exit(4);
	}
	madvise(place, bytes, is_huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	if (strcmp(kind, "zeros") == 0)
		for (size_t i = 0; i < bytes; i += PAGE)
			((volatile char *)place)[i] = 0;
	else
		fill(place, bytes / PAGE);
	if (madvise(place, bytes, MADV_PAGEOUT)) {
		perror("MADV_PAGEOUT");
		exit(4);
	}
	printf("trip %s %zu swapped\n", kind, count_swapped(place, bytes / PAGE));
	while (cgroup && under_way())
		usleep(20000);
	if (cgroup) {
		write_limit(cgroup, "256K");
		write_limit(cgroup, "max");
	}
	if (strcmp(kind, "ahead") == 0)
		madvise(place, bytes, MADV_WILLNEED);
	for (size_t i = 0; i < bytes; i += PAGE)
		sink = *(volatile uint64_t *)(place + i);
	munmap(area, bytes + HUGE);
}

int main(int argc, char **argv)
{
	const char *cgroup = NULL;

	printf("pid %d\n", getpid());
	for (int i = 1; i < argc; i++) {
		char *size = strchr(argv[i], '=');

		if (!size) {
			fprintf(stderr, "usage: swap_trips [cgroup=DIRECTORY] [private=MIB] [shared=MIB] [zeros=MIB] [huge=MIB] [ahead=MIB]\n");
			return 2;
		}
		*size = '\0';
		if (strcmp(argv[i], "cgroup") == 0)
			cgroup = size + 1;
		else
			trip(cgroup, argv[i], strtoul(size + 1, NULL, 10) << 20);
	}
	return 0;
}
