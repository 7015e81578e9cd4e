// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The sandboxed reader with decoders that do their worst: whatever becomes of the child, the caller gets an error,
 * in bounded time. Where something failed to be bounded, the test's alarm ends it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dump_reader.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MEMORY_BYTES (24ULL << 20)
#define DATA_BYTES (4U << 20) /* of the shared memory: one batch */

static const struct dump_limits quick = { 300, 300, 256 << 20 };
static const struct dump_limits patient = { 60000, 60000, 256 << 20 };

/* Well-behaved: 24 MiB of words that are their own address plus one, with a hole of a page at 1 MiB. */
static int good_open(int fd, void **ret_dump, struct error *err)
{
	(void)fd;
	(void)err;
	*ret_dump = NULL;
	return 0;
}

static int good_read(void *dump, uint64_t address, void *buffer, size_t size)
{
	(void)dump;
	if (address >= MEMORY_BYTES || size > MEMORY_BYTES - address || (address >> 12) == 256)
		return -EFAULT;
	for (size_t i = 0; i + 8 <= size; i += 8)
		memcpy((char *)buffer + i, &(uint64_t){ address + i + 1 }, 8);
	return 0;
}

static size_t good_ranges(void *dump, struct memory_range *ranges, size_t limit)
{
	(void)dump;
	assert_true(limit > 2);
	ranges[0] = (struct memory_range){ 0, 1 << 20 };
	ranges[1] = (struct memory_range){ 0x101000, MEMORY_BYTES - 0x101000 };
	return 2;
}

static struct dump_reader *start(const struct dump_decoder *decoder, const struct dump_limits *limits)
{
	struct dump_reader *reader = NULL;
	struct error err = { 0 };

	if (dump_reader_start(decoder, 0, limits, &reader, &err))
		fail_msg("%s", err.text);
	return reader;
}

static int read_one(struct dump_reader *reader, uint64_t address, void *buffer, size_t size, struct error *err)
{
	struct memory_read read = { address, buffer, size, 77 };
	int status = dump_reader_read(reader, &read, 1, err);

	return status ? status : read.result;
}

static const struct dump_decoder good = { good_open, good_read, good_ranges };

static void reads_are_served_whatever_their_size(void **state)
{
	struct dump_reader *reader = start(&good, &patient);
	uint64_t *words = malloc(16 << 20);
	static const size_t sizes[] = { 8, 4096, DATA_BYTES - 8, DATA_BYTES, DATA_BYTES + 8, 16 << 20 };

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		memset(words, 0, sizes[i]);
		assert_int_equal(read_one(reader, 0x200000, words, sizes[i], NULL), 0);
		for (size_t word = 0; word < sizes[i] / 8; word++)
			assert_int_equal(words[word], 0x200000 + 8 * word + 1);
	}
	assert_int_equal(read_one(reader, 0x200000, words, 0, NULL), 0);
	assert_int_equal(read_one(reader, 0x100000, words, 8, NULL), -EFAULT);
	assert_int_equal(read_one(reader, UINT64_MAX - 3, words, 8, NULL), -EFAULT);
	assert_int_equal(read_one(reader, MEMORY_BYTES - (8 << 20), words, 16 << 20, NULL), -EFAULT);
	free(words);
	dump_reader_stop(reader);
}

static void each_read_of_a_batch_has_its_own_result(void **state)
{
	enum { READS = 5000 };
	struct dump_reader *reader = start(&good, &patient);
	struct memory_read *reads = calloc(READS, sizeof(*reads));
	uint64_t (*pages)[512] = calloc(READS, sizeof(*pages));

	(void)state;
	for (size_t i = 0; i < READS; i++)
		reads[i] = (struct memory_read){ i << 12, pages[i], i % 3 ? 4096 : 8, 77 };
	reads[100].size = 0;
	assert_int_equal(dump_reader_read(reader, reads, READS, NULL), 0);
	for (size_t i = 0; i < READS; i++) {
		assert_int_equal(reads[i].result, i == 256 ? -EFAULT : 0);
		if (i == 256 || i == 100)
			continue;
		assert_int_equal(pages[i][0], (i << 12) + 1);
		assert_int_equal(pages[i][511], i % 3 ? (i << 12) + 4089 : 0);
	}
	free(pages);
	free(reads);
	dump_reader_stop(reader);
}

static void ranges_are_what_the_decoder_says(void **state)
{
	struct dump_reader *reader = start(&good, &patient);
	const struct memory_range *ranges;
	size_t count;

	(void)state;
	ranges = dump_reader_ranges(reader, &count);
	assert_int_equal(count, 2);
	assert_int_equal(ranges[0].size, 1 << 20);
	assert_int_equal(ranges[1].start, 0x101000);
	dump_reader_stop(reader);
}

/* Misbehaviour, by the address that is asked for. */
enum { CRASH, LOOP, EXIT, STOP, SCRIBBLE };

static int bad_read(void *dump, uint64_t address, void *buffer, size_t size)
{
	uint8_t *bytes = buffer;

	(void)dump;
	switch (address) {
	case CRASH:
		*(volatile int *)NULL = 1;
		break;
	case LOOP:
		for (;;)
			*(volatile uint8_t *)bytes = 1;
	case EXIT:
		_exit(0);
	case STOP: /* a byte too many, as if it had answered twice */
		return write(4, "", 1) == 1 ? 0 : -EIO;
	case SCRIBBLE: /* all that is shared: requests, sizes, results, counts */
		memset(bytes - 20000, 0xff, 20000 + DATA_BYTES);
		return 0;
	}
	memset(buffer, 1, size);
	return 0;
}

static const struct dump_decoder bad = { good_open, bad_read, good_ranges };

static void assert_gone(struct dump_reader *reader, uint64_t address, const char *reason)
{
	struct error err = { 0 };
	uint64_t word;

	assert_int_equal(read_one(reader, address, &word, 8, &err), -EIO);
	if (!strstr(err.text, reason))
		fail_msg("no '%s' in: %s", reason, err.text);
	/* And for good, with the same reason. */
	err = (struct error){ 0 };
	assert_int_equal(read_one(reader, 0x1000, &word, 8, &err), -EIO);
	assert_non_null(strstr(err.text, reason));
	dump_reader_stop(reader);
}

static void a_decoder_that_crashes_is_an_error(void **state)
{
	(void)state;
	assert_gone(start(&bad, &patient), CRASH, "signal 11");
}

static void a_decoder_that_loops_is_an_error(void **state)
{
	(void)state;
	assert_gone(start(&bad, &quick), LOOP, "did not answer");
}

static void a_decoder_that_ends_is_an_error(void **state)
{
	(void)state;
	assert_gone(start(&bad, &patient), EXIT, "ended");
}

static void a_child_killed_from_outside_is_an_error(void **state)
{
	struct dump_reader *reader = start(&good, &patient);

	(void)state;
	assert_int_equal(kill(dump_reader_pid(reader), SIGKILL), 0);
	assert_gone(reader, 0, "signal 9");
}

static void a_child_that_is_stopped_is_an_error(void **state)
{
	struct dump_reader *reader = start(&good, &quick);

	(void)state;
	assert_int_equal(kill(dump_reader_pid(reader), SIGSTOP), 0);
	assert_gone(reader, 0, "did not answer");
}

static void what_a_child_scribbles_over_does_no_harm(void **state)
{
	struct dump_reader *reader = start(&bad, &quick);
	struct memory_read reads[100];
	uint64_t words[100];

	(void)state;
	for (size_t i = 0; i < COUNT(reads); i++)
		reads[i] = (struct memory_read){ i == 0 ? SCRIBBLE : i == 50 ? STOP : 0x1000, &words[i], 8, 77 };
	/* Whether it answers or not: nothing is written but the words, and it ends. */
	dump_reader_read(reader, reads, COUNT(reads), NULL);
	dump_reader_read(reader, reads, COUNT(reads), NULL);
	dump_reader_stop(reader);
}

static int crash_open(int fd, void **ret_dump, struct error *err)
{
	(void)fd, (void)ret_dump, (void)err;
	*(volatile int *)NULL = 1;
	return 0;
}

static int loop_open(int fd, void **ret_dump, struct error *err)
{
	(void)fd, (void)ret_dump, (void)err;
	for (volatile int i = 0; i >= 0; i = 0)
		;
	return 0;
}

static int refuse_open(int fd, void **ret_dump, struct error *err)
{
	(void)fd, (void)ret_dump;
	return error_set(err, -EBADMSG, "is damaged: bitmap");
}

static int refuse_silently(int fd, void **ret_dump, struct error *err)
{
	(void)fd, (void)ret_dump, (void)err;
	return 12345;
}

static void a_failing_open_is_an_error(void **state)
{
	static const struct {
		int (*open)(int fd, void **ret_dump, struct error *err);
		int status;
		const char *reason;
	} cases[] = {
		{ crash_open, -EIO, "signal 11" },
		{ loop_open, -EIO, "did not answer" },
		{ refuse_open, -EBADMSG, "is damaged: bitmap" },
		{ refuse_silently, -EIO, "without a reason" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct dump_decoder decoder = { cases[i].open, good_read, good_ranges };
		struct dump_reader *reader = NULL;
		struct error err = { 0 };

		assert_int_equal(dump_reader_start(&decoder, 0, &quick, &reader, &err), cases[i].status);
		assert_int_equal(err.code, cases[i].status);
		assert_non_null(strstr(err.text, cases[i].reason));
		assert_null(reader);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, dead or alive */
	assert_int_equal(errno, ECHILD);
}

static size_t lying_ranges(void *dump, struct memory_range *ranges, size_t limit)
{
	(void)dump, (void)limit;
	ranges[0] = (struct memory_range){ 0x1000, 0 };
	ranges[1] = (struct memory_range){ 0x1000, 0x1000 };
	ranges[2] = (struct memory_range){ 0x1800, 0x1000 };
	ranges[3] = (struct memory_range){ 0x3000, UINT64_MAX };
	ranges[4] = (struct memory_range){ 0x3000, 0x1000 };
	ranges[5] = (struct memory_range){ 0, 0x1000 };
	return SIZE_MAX;
}

static void lies_about_ranges_are_left_out(void **state)
{
	struct dump_decoder decoder = { good_open, good_read, lying_ranges };
	struct dump_reader *reader = start(&decoder, &patient);
	const struct memory_range *ranges;
	size_t count;

	(void)state;
	ranges = dump_reader_ranges(reader, &count);
	assert_int_equal(count, 2);
	assert_int_equal(ranges[0].start, 0x1000);
	assert_int_equal(ranges[1].start, 0x3000);
	assert_int_equal(ranges[1].size, 0x1000);
	dump_reader_stop(reader);
}

/* Tries what is forbidden; which of it could be done is the answer. */
static int escaping_read(void *dump, uint64_t address, void *buffer, size_t size)
{
	uint64_t done = 0;
	struct stat stat;
	char *argv[] = { "true", NULL };

	(void)dump, (void)address, (void)size;
	done |= (uint64_t)(open("/etc/passwd", O_RDONLY) >= 0) << 0;
	done |= (uint64_t)(socket(AF_INET, SOCK_STREAM, 0) >= 0) << 1;
	done |= (uint64_t)(kill(getppid(), 0) == 0) << 2;
	done |= (uint64_t)(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) << 3;
	done |= (uint64_t)(execv("/bin/true", argv) == 0) << 4;
	done |= (uint64_t)(write(1, "", 0) == 0) << 5;
	done |= (uint64_t)(dup(0) >= 0) << 6;
	done |= (uint64_t)(prctl(PR_SET_PDEATHSIG, 0) == 0) << 7;
	done |= (uint64_t)(unlink("/nonexistent") == 0 || errno != EPERM) << 8;
	done |= (uint64_t)(mprotect((void *)((uintptr_t)buffer & ~4095UL), 4096, PROT_READ | PROT_EXEC) == 0) << 9;
	for (int number = 5; number < 200; number++)
		done |= (uint64_t)(fstat(number, &stat) == 0) << 10;
	done |= (uint64_t)(fork() >= 0) << 11;
	/* And what must be possible. */
	done |= (uint64_t)(fstat(3, &stat) != 0 || lseek(3, 0, SEEK_SET) < 0) << 12;
	memcpy(buffer, &done, 8);
	return 0;
}

static void the_child_can_do_nothing_but_read(void **state)
{
	static const struct dump_decoder decoder = { good_open, escaping_read, good_ranges };
	int file = open("/proc/self/exe", O_RDONLY), others[8];
	struct dump_reader *reader = NULL;
	uint64_t done = 77;

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++)
		others[i] = open("/dev/null", O_RDONLY);
	assert_int_equal(dump_reader_start(&decoder, file, &patient, &reader, NULL), 0);
	assert_int_equal(read_one(reader, 0, &done, 8, NULL), 0);
	assert_int_equal(done, 0);
	dump_reader_stop(reader);
	for (size_t i = 0; i < COUNT(others); i++)
		close(others[i]);
	close(file);
}

static int greedy_read(void *dump, uint64_t address, void *buffer, size_t size)
{
	uint64_t total = 0;

	(void)dump, (void)address, (void)size;
	/* mmap, not malloc: sanitizers end the process when malloc fails. */
	while (total < (1ULL << 34) && mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED)
		total += 16 << 20;
	memcpy(buffer, &total, 8);
	return 0;
}

static void memory_is_limited(void **state)
{
	static const struct dump_decoder decoder = { good_open, greedy_read, good_ranges };
	struct dump_reader *reader = start(&decoder, &patient);
	uint64_t total = 0;

	(void)state;
	assert_int_equal(read_one(reader, 0, &total, 8, NULL), 0);
	assert_true(total > 0 && total <= patient.memory_bytes);
	dump_reader_stop(reader);
}

static void the_child_dies_with_its_parent(void **state)
{
	int pipes[2];
	pid_t middle, child = 0;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* so that the orphan can be waited for */
	assert_int_equal(pipe(pipes), 0);
	middle = fork();
	if (middle == 0) {
		struct dump_reader *reader = start(&good, &patient);

		child = dump_reader_pid(reader);
		_exit(write(pipes[1], &child, sizeof(child)) != sizeof(child));
	}
	assert_int_equal(read(pipes[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(waitpid(middle, NULL, 0), middle);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(pipes[0]);
	close(pipes[1]);
}

static int count_files(void)
{
	int count = 0;

	for (int number = 0; number < 256; number++)
		count += fcntl(number, F_GETFD) >= 0;
	return count;
}

static void starting_and_stopping_leaves_nothing_behind(void **state)
{
	int before = count_files();

	(void)state;
	for (int i = 0; i < 20; i++)
		dump_reader_stop(start(&good, &patient));
	assert_int_equal(count_files(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_are_served_whatever_their_size),
		cmocka_unit_test(each_read_of_a_batch_has_its_own_result),
		cmocka_unit_test(ranges_are_what_the_decoder_says),
		cmocka_unit_test(a_decoder_that_crashes_is_an_error),
		cmocka_unit_test(a_decoder_that_loops_is_an_error),
		cmocka_unit_test(a_decoder_that_ends_is_an_error),
		cmocka_unit_test(a_child_killed_from_outside_is_an_error),
		cmocka_unit_test(a_child_that_is_stopped_is_an_error),
		cmocka_unit_test(what_a_child_scribbles_over_does_no_harm),
		cmocka_unit_test(a_failing_open_is_an_error),
		cmocka_unit_test(lies_about_ranges_are_left_out),
		cmocka_unit_test(the_child_can_do_nothing_but_read),
		cmocka_unit_test(memory_is_limited),
		cmocka_unit_test(the_child_dies_with_its_parent),
		cmocka_unit_test(starting_and_stopping_leaves_nothing_behind),
	};

	alarm(120);
	return cmocka_run_group_tests_name("dump_reader", tests, NULL, NULL);
}
