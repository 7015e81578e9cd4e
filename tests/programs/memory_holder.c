// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * memory_holder [--anonymous=MIB] [--shared=MIB] [--uid=N] [--pieces] [--hold] [--stopped]
 *
 * Becomes user N, takes so much memory and writes to every page of it: private, then shared with nobody (shmem). Says
 * `held PID` when it has it all, and is done, or waits for a signal. The kernel's counters of such memory are known in
 * advance: whatever the program has besides is less than 1 MiB. With --pieces it gives back every second page of what is
 * private, which leaves free memory in pieces. With --stopped it stops itself before, until it gets SIGCONT.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIECE ((size_t)64 << 20) /* a single mapping greater than the machine's memory would be refused */

static void take(long mebibytes, int kind, int in_pieces)
{
	for (size_t left = (size_t)mebibytes << 20; left;) {
		size_t size = left < PIECE ? left : PIECE;
		char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);

		if (at == MAP_FAILED) {
			perror("mmap");
			exit(4);
		}
		madvise(at, size, MADV_NOHUGEPAGE); /* page by page, whatever the machine's setting */
		for (size_t i = 0; i < size; i += 4096)
			((volatile char *)at)[i] = 1;
		for (size_t i = 0; in_pieces && i < size; i += 2 * 4096)
			madvise(at + i, 4096, MADV_DONTNEED);
		left -= size;
	}
}

int main(int argc, char **argv)
{
	long anonymous = 0, shared = 0, uid = 0;
	int holds = 0, in_pieces = 0, is_stopped = 0;

	for (int i = 1; i < argc; i++) {
		if (sscanf(argv[i], "--anonymous=%ld", &anonymous) == 1 || sscanf(argv[i], "--shared=%ld", &shared) == 1 ||
		    sscanf(argv[i], "--uid=%ld", &uid) == 1)
			continue;
		if (strcmp(argv[i], "--hold") == 0) {
			holds = 1;
		} else if (strcmp(argv[i], "--pieces") == 0) {
			in_pieces = 1;
		} else if (strcmp(argv[i], "--stopped") == 0) {
			is_stopped = 1;
		} else {
			fprintf(stderr, "usage: memory_holder [--anonymous=MIB] [--shared=MIB] [--uid=N] [--pieces] [--hold] [--stopped]\n");
			return 2;
		}
	}
	if (is_stopped)
		raise(SIGSTOP);
	if (uid && setuid((uid_t)uid)) {
		perror("setuid");
		return 4;
	}
	take(shared, MAP_SHARED, 0);
	take(anonymous, MAP_PRIVATE, in_pieces);
	printf("held %d\n", getpid());
	fflush(stdout);
	while (holds)
		pause();
	return 0;
}
