// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Uses huge pages in known ways, and tells of each what it did:
 *
 *     pid=N
 *     made KIND RESULT COUNT        faults, collapses or splits, by hfaults' names
 *     mapped NAME BYTES             at the end, as the kernel's smaps_rollup has it
 *
 * `huge_pages [--wait] SCENE… [--hold]`; scenes are the words of main()'s table. `hugetlb` needs a pool of 2 MiB pages of which
 * four are free and not reserved. What this kernel can't do is not done, and not told. --wait and --hold wait for a line.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MFD_HUGETLB
#define MFD_HUGETLB 0x4U
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define PAGE 4096UL
#define HUGE (2UL << 20)
#define CHECK(claim) \
	do { \
		if (!(claim)) { \
			printf("broken %s:%d: %s: %s\n", __FILE__, __LINE__, #claim, strerror(errno)); \
			fflush(stdout); \
			_exit(4); \
		} \
	} while (0)

static volatile char sink;
static sigjmp_buf after_fault;

static void made(const char *kind, const char *result, size_t count)
{
	printf("made %s %s %zu\n", kind, result, count);
}

static char *map_hugetlb(size_t pages, int flags)
{
	char *place = mmap(NULL, pages * HUGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	CHECK(place != MAP_FAILED);
	return place;
}

static char *map_aligned(size_t pages, int advice)
{
	char *place = mmap(NULL, (pages + 1) * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(place != MAP_FAILED);
	place = (char *)(((uintptr_t)place + HUGE - 1) & -HUGE);
	CHECK(madvise(place, pages * HUGE, advice) == 0);
	return place;
}

static void on_sigbus(int number)
{
	(void)number;
	siglongjmp(after_fault, 1);
}

static bool takes_sigbus(const char *place, bool is_write)
{
	if (sigsetjmp(after_fault, 1))
		return true;
	if (is_write)
		*(volatile char *)place = 1;
	else
		sink = *place;
	return false;
}

/* A file of one page, mapped again, copied, read beyond its end. */
static void hugetlb_file(void)
{
	int fd = memfd_create("pool", MFD_HUGETLB);
	char *place;

	CHECK(fd >= 0 && ftruncate(fd, HUGE) == 0);
	place = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(place != MAP_FAILED);
	place[0] = 1;
	made("hugetlb", "allocated", 1);
	place = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(place != MAP_FAILED);
	place[0] = 1;
	made("hugetlb", "mapped", 1);
	place = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(place != MAP_FAILED);
	sink = place[0];
	made("hugetlb", "mapped", 1);
	place[0] = 1;
	made("hugetlb", "copied", 1);
	place = mmap(NULL, 2 * HUGE, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
	CHECK(place != MAP_FAILED);
	CHECK(takes_sigbus(place + HUGE, false));
	made("hugetlb", "sigbus", 1);
}

/* Three pages, of which one is kept; a file's; then more than there are. */
static void hugetlb(void)
{
	char *place = map_hugetlb(3, MAP_PRIVATE), *beyond;
	size_t taken = 0;

	signal(SIGBUS, on_sigbus);
	for (size_t i = 0; i < 3; i++)
		place[i * HUGE] = 1;
	made("hugetlb", "allocated", 3);
	munmap(place + HUGE, 2 * HUGE);
	hugetlb_file();
	beyond = map_hugetlb(64, MAP_PRIVATE | MAP_NORESERVE);
	while (taken < 64 && !takes_sigbus(beyond + taken * HUGE, true))
		taken++;
	CHECK(taken < 64);
	made("hugetlb", "allocated", taken);
	made("hugetlb", "sigbus", 1);
	munmap(beyond, 64 * HUGE);
}

static void thp(void)
{
	char *place = map_aligned(4, MADV_HUGEPAGE), *zero = map_aligned(2, MADV_HUGEPAGE);

	for (size_t i = 0; i < 4; i++)
		place[i * HUGE + 12345] = 1;
	made("thp", "allocated", 4);
	for (size_t i = 0; i < 2; i++)
		sink = zero[i * HUGE];
	made("thp", "zero-page", 2);
}

/* Half of a huge page is given back, so that its entry is split. */
static void unmap(void)
{
	char *place = map_aligned(3, MADV_HUGEPAGE);

	for (size_t i = 0; i < 3; i++)
		place[i * HUGE] = 1;
	made("thp", "allocated", 3);
	for (size_t i = 0; i < 3; i++)
		CHECK(madvise(place + i * HUGE, HUGE / 2, MADV_DONTNEED) == 0);
	made("unmap", "done", 3);
}

/* Small pages, made huge when asked for. */
static void collapse(void)
{
	char *place = map_aligned(2, MADV_NOHUGEPAGE);
	int result;

	for (size_t i = 0; i < 2 * HUGE / PAGE; i++)
		place[i * PAGE] = 1;
	CHECK(madvise(place, 2 * HUGE, MADV_HUGEPAGE) == 0);
	/* "Try again" while some CPU has pages in a batch that is not yet on a list (madvise(2)). */
	for (int tries = 0; (result = madvise(place, 2 * HUGE, MADV_COLLAPSE)) && errno == EAGAIN && tries < 100; tries++)
		usleep(20000);
	if (result == 0)
		made("collapse", "done", 2);
	else
		CHECK(errno == EINVAL);
}

/* Small pages that khugepaged is to make huge: waits until it has. */
static void khugepaged(void)
{
	char *place = map_aligned(2, MADV_NOHUGEPAGE);
	char line[256];
	long kilobytes = 0, before = 0;

	for (int round = 0; round < 3000 && kilobytes - before < 4096; round++) {
		FILE *file = fopen("/proc/self/smaps_rollup", "re");

		CHECK(file);
		while (fgets(line, sizeof(line), file))
			sscanf(line, "AnonHugePages: %ld kB", &kilobytes);
		fclose(file);
		if (!round) {
			before = kilobytes;
			for (size_t i = 0; i < 2 * HUGE / PAGE; i++)
				place[i * PAGE] = 1;
			CHECK(madvise(place, 2 * HUGE, MADV_HUGEPAGE) == 0);
		}
		usleep(100000);
	}
	CHECK(kilobytes - before == 4096);
	made("collapse", "done", 2);
}

/* Shared memory of huge pages, mapped by two faults (shmem_enabled decides: "advise" or more is needed). */
static void shmem(void)
{
	char *place = mmap(NULL, 3 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(place != MAP_FAILED);
	place = (char *)(((uintptr_t)place + HUGE - 1) & -HUGE);
	CHECK(madvise(place, 2 * HUGE, MADV_HUGEPAGE) == 0);
	place[0] = place[HUGE] = 1;
	made("thp-map", "mapped", 2);
}

/* What can't be had: the caller has made it so. */
static void fallback(void)
{
	char *place = map_aligned(2, MADV_HUGEPAGE);

	place[0] = place[HUGE] = 1;
	made("thp", "fallback", 2);
}

static void tell_mapped(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	char line[256], name[32];
	unsigned long long kilobytes;

	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%31[A-Za-z_]: %llu kB", name, &kilobytes) == 2 &&
		    (strstr(name, "uge") || strstr(name, "Pmd")))
			printf("mapped %s %llu\n", name, kilobytes * 1024);
	fclose(file);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*play)(void);
	} scenes[] = { { "hugetlb", hugetlb }, { "thp", thp }, { "unmap", unmap }, { "collapse", collapse },
		       { "khugepaged", khugepaged }, { "shmem", shmem }, { "fallback", fallback } };
	char line[16];

	printf("pid=%d\n", getpid());
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--wait") == 0) {
			printf("ready\n");
			fflush(stdout);
			CHECK(fgets(line, sizeof(line), stdin));
			continue;
		}
		for (size_t scene = 0; scene < sizeof(scenes) / sizeof(*scenes); scene++)
			if (strcmp(argv[i], scenes[scene].name) == 0)
				scenes[scene].play();
	}
	tell_mapped();
	fflush(stdout);
	if (argc > 1 && strcmp(argv[argc - 1], "--hold") == 0)
		CHECK(fgets(line, sizeof(line), stdin));
	return 0;
}
