// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The malloc family of libslub-malloc.so, linked into this program: cmocka and the C library run on it as well.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "slub.h"

void free_sized(void *memory, size_t size);
void free_aligned_sized(void *memory, size_t align, size_t size);

/* What the compiler may not see through: memory that nobody uses, sizes that can't be had. */
static void *volatile kept;
static volatile size_t most = SIZE_MAX;

static void malloc_is_ours(void **state)
{
	void *memory = memset(malloc(100), 1, 100);

	(void)state;
	assert_int_equal(slub_ksize(memory), 112);
	free(memory);
}

static void every_size_is_aligned_and_wastes_little(void **state)
{
	(void)state;
	for (size_t size = 1; size < 40000; size += 1 + size / 100) {
		void *memory = malloc(size);
		size_t usable = malloc_usable_size(memory);

		assert_true((uintptr_t)memory % 16 == 0);
		assert_true(usable >= size);
		assert_true(usable - size < 16 || (usable - size) * 4 <= usable || size > 8192);
		memset(memory, 0x5a, usable);
		free(memory);
	}
}

static void alignments_up_to_chunks_and_beyond_are_kept(void **state)
{
	static const size_t sizes[] = { 0, 1, 17, 100, 4096, 5000, 8192, 8193, 100000, 5000000 };

	(void)state;
	for (size_t align = 1; align <= 64u << 20; align *= 2) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			char *memory = aligned_alloc(align, sizes[i]);

			assert_non_null(memory);
			assert_int_equal((uintptr_t)memory & (align - 1), 0);
			assert_true(malloc_usable_size(memory) >= sizes[i]);
			memset(memory, 1, sizes[i]);
			free_aligned_sized(memory, align, sizes[i]);
		}
	}
}

static void nonsense_is_refused_with_errno(void **state)
{
	void *memory = NULL;

	(void)state;
	errno = 0;
	assert_null(kept = malloc(most / 2));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(kept = calloc(most / 4, 8));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(kept = reallocarray(NULL, most / 4, 8));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(kept = aligned_alloc(most / 2, 48));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(kept = pvalloc(most));
	assert_int_equal(errno, ENOMEM);
	errno = 7;
	assert_int_equal(posix_memalign(&memory, 4, 8), EINVAL);
	assert_int_equal(posix_memalign(&memory, 64, most / 2), ENOMEM);
	assert_null(memory);
	assert_int_equal(errno, 7);
}

static void a_failed_realloc_leaves_the_memory(void **state)
{
	char *memory = malloc(32);
	void *volatile same = memory;

	(void)state;
	memset(memory, 3, 32);
	assert_null(kept = realloc(same, most / 2));
	for (int i = 0; i < 32; i++)
		assert_int_equal(memory[i], 3);
	free_sized(memory, 32);
}

static void realloc_keeps_contents_up_and_down(void **state)
{
	unsigned char *memory = NULL;
	size_t had = 0;

	(void)state;
	for (int round = 0; round < 400; round++) {
		size_t size = 1 + (size_t)round * 7919 % (round % 3 ? 9000 : 3000000);

		memory = realloc(memory, size);
		for (size_t i = 0; i < had && i < size; i++)
			assert_true(memory[i] == (unsigned char)(i * 13));
		for (size_t i = 0; i < size; i++)
			memory[i] = (unsigned char)(i * 13);
		had = size;
	}
	assert_null(kept = realloc(memory, 0));
}

static void zeroed_memory_is_zero(void **state)
{
	(void)state;
	for (int round = 0; round < 200; round++) {
		size_t size = 1 + (size_t)round * 104729 % 200000;
		unsigned char *memory = calloc(1, size);

		for (size_t i = 0; i < size; i++)
			assert_int_equal(memory[i], 0);
		memset(memory, 0xee, size);
		free(memory);
	}
}

static void *allocate_and_end(void *argument)
{
	void *memory[16];

	(void)argument;
	for (size_t i = 0; i < 16; i++)
		memory[i] = malloc(i * 40);
	for (size_t i = 0; i < 15; i++)
		free(memory[i]);
	return memory[15];
}

static void ten_thousand_threads_come_and_go(void **state)
{
	pthread_t threads[50];
	void *memory;

	(void)state;
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 50; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, allocate_and_end, NULL), 0);
		for (int i = 0; i < 50; i++) {
			pthread_join(threads[i], &memory);
			free(memory);
		}
	}
}

static void trimming_gives_memory_back(void **state)
{
	static void *memory[20000];

	(void)state;
	for (int i = 0; i < 20000; i++)
		memory[i] = memset(malloc(500), 1, 500);
	for (int i = 0; i < 20000; i++)
		free(memory[i]);
	assert_int_equal(malloc_trim(0), 1);
	assert_non_null(kept = malloc(500));
	free(kept);
}

static void what_malloc_has_and_holds_is_told_truly(void **state)
{
	struct mallinfo2 before = mallinfo2(), with, after;
	void *small[1000];

	(void)state;
	kept = malloc(3u << 20);
	for (int i = 0; i < 1000; i++)
		small[i] = malloc(1000);
	with = mallinfo2();
	// The sheaves that hold freed objects are objects too.
	assert_in_range(with.uordblks - before.uordblks, 1000 * 1024, 1000 * 1024 + 8192);
	assert_int_equal(with.hblks - before.hblks, 1);
	assert_int_equal(with.hblkhd - before.hblkhd, 3u << 20);
	assert_int_equal(with.fordblks, with.arena - with.uordblks);
	for (int i = 0; i < 1000; i++)
		free(small[i]);
	free(kept);
	after = mallinfo2();
	assert_in_range(after.uordblks - before.uordblks, 0, 32768);
	assert_int_equal(after.hblks, before.hblks);
	assert_int_equal(mallopt(M_MMAP_THRESHOLD, 100000), 1);
	assert_int_equal(mallopt(12345, 1), 0);
}

static void two_growing_blocks_do_not_copy_each_other_away(void **state)
{
	uint64_t *grown[2] = { malloc(16384), malloc(16384) };
	size_t moves = 0;

	(void)state;
	for (size_t size = 16384; size <= 48u << 20; size += 16384) {
		for (int i = 0; i < 2; i++) {
			uint64_t *now = realloc(grown[i], size);

			assert_non_null(now);
			moves += now != grown[i];
			grown[i] = now;
			for (size_t at = size - 16384; at < size; at += 4096)
				grown[i][at / 8] = at + (size_t)i;
		}
	}
	// Each move makes room for a quarter more: 37 of them lead from 16 KiB to 48 MiB.
	assert_in_range(moves, 1, 2 * 50);
	for (size_t at = 0; at < 48u << 20; at += 4096) {
		for (size_t i = 0; i < 2; i++)
			assert_int_equal(grown[i][at / 8], at + i);
	}
	free(grown[0]);
	free(grown[1]);
}

/* This program again with SLUB_DEBUG=FZPU; its wait status, and what it says on standard error. */
static int run_debugged(const char *deed, const char *on_error, char *ret_said, size_t bytes)
{
	size_t length = 0;
	int pipes[2], status;
	ssize_t got;
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (!child) {
		dup2(pipes[1], STDERR_FILENO);
		close(pipes[1]);
		if (!freopen("/dev/null", "w", stdout))
			_exit(3);
		setenv("SLUB_DEBUG", "FZPU", 1);
		setenv("SLUB_ON_ERROR", on_error, 1);
		execl("/proc/self/exe", "test_slub_malloc", deed, NULL);
		_exit(2);
	}
	close(pipes[1]);
	while (length < bytes - 1 && (got = read(pipes[0], ret_said + length, bytes - 1 - length)) > 0)
		length += (size_t)got;
	ret_said[length] = 0;
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void debugging_keeps_alignment_and_contents(void **state)
{
	char said[4096];

	(void)state;
	assert_int_equal(run_debugged("all", "abort", said, sizeof(said)), 0);
}

static void misuse(const char *deed)
{
	char *volatile memory = malloc(90);
	char *volatile another = malloc(300);

	if (!strcmp(deed, "overflow"))
		memory[90] = 0x41;
	free(memory);
	if (!strcmp(deed, "twice")) {
		free(another);
		free(memory);
		return;
	}
	if (!strcmp(deed, "late"))
		*(volatile char *)(memory + 40) = 0x42;
	// It is looked at again when its place is taken.
	for (int i = 0; i < 200; i++)
		kept = malloc(90);
}

/* The same words, whether the process may go on or not. */
static void tells(const char *deed, const char *words, const char *more)
{
	char said[16384];

	assert_int_equal(run_debugged(deed, "abort", said, sizeof(said)), SIGABRT);
	if (!strstr(said, words) || !strstr(said, more) || !strstr(said, "  allocated by thread "))
		fail_msg("not said: %s, %s, but:\n%s", words, more, said);
	assert_int_equal(run_debugged(deed, "continue", said, sizeof(said)), 0);
	assert_non_null(strstr(said, words));
}

static void misuse_is_told_under_debugging(void **state)
{
	(void)state;
	tells("overflow", "slub: malloc-96: right red zone overwritten at 0x", "the first byte is 0x41, not 0xcc");
	tells("late", "slub: malloc-96: poison overwritten at 0x", "the first byte is 0x42, not 0x6b");
	tells("twice", "slub: malloc-96: double free at 0x", "  freed by thread ");
}

int main(int count, char **words)
{
	const struct CMUnitTest under_debugging[] = {
		cmocka_unit_test(every_size_is_aligned_and_wastes_little),
		cmocka_unit_test(alignments_up_to_chunks_and_beyond_are_kept),
		cmocka_unit_test(realloc_keeps_contents_up_and_down),
		cmocka_unit_test(zeroed_memory_is_zero),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malloc_is_ours),
		cmocka_unit_test(every_size_is_aligned_and_wastes_little),
		cmocka_unit_test(alignments_up_to_chunks_and_beyond_are_kept),
		cmocka_unit_test(nonsense_is_refused_with_errno),
		cmocka_unit_test(a_failed_realloc_leaves_the_memory),
		cmocka_unit_test(realloc_keeps_contents_up_and_down),
		cmocka_unit_test(zeroed_memory_is_zero),
		cmocka_unit_test(ten_thousand_threads_come_and_go),
		cmocka_unit_test(trimming_gives_memory_back),
		cmocka_unit_test(what_malloc_has_and_holds_is_told_truly),
		cmocka_unit_test(two_growing_blocks_do_not_copy_each_other_away),
		cmocka_unit_test(debugging_keeps_alignment_and_contents),
		cmocka_unit_test(misuse_is_told_under_debugging),
	};

	if (count > 1 && !strcmp(words[1], "all"))
		return cmocka_run_group_tests(under_debugging, NULL, NULL);
	if (count > 1) {
		misuse(words[1]);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
