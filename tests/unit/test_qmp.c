// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * QEMU's monitor, played by another thread, honest or with one fault; and guest memory found in a process:
 * this one, whose "guest" is a mapping with contents that we know.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "qemu_process.h"
#include "qmp.h"
#include "qmp_window.h"

#define TIMEOUT_MS 300

enum fault {
	HONEST,
	NO_GREETING,
	OTHER_GREETING,
	ENDLESS_LINE,
	ENDLESS_EVENTS,
	CLOSES_IN_LINE,
	NO_JSON,
	NO_OBJECT,
	OTHER_ID,
	DEEP,
	WRONG_TYPES,
	REFUSES,
};

struct monitor {
	int fd;
	enum fault fault;
	bool is_running, resumes;
	unsigned int saves;
	bool refuses_proc;
	char last[512];
	pthread_t thread;
};

static bool put(const struct monitor *monitor, const char *text)
{
	return send(monitor->fd, text, strlen(text), MSG_NOSIGNAL) > 0;
}

static void endless(const struct monitor *monitor, const char *piece)
{
	while (put(monitor, piece))
		;
}

/* What the guest has at @address. */
static uint8_t byte_at(uint64_t address)
{
	return (uint8_t)(address * 5 ^ address >> 12 ^ address >> 20);
}

/* pmemsave, as QEMU does it: fopen("wb"). */
static bool save(struct monitor *monitor, const char *line)
{
	unsigned long long address = strtoull(strstr(line, "\"val\":") + 6, NULL, 10);
	unsigned long long size = strtoull(strstr(line, "\"size\":") + 7, NULL, 10);
	char path[256] = "";
	FILE *file;

	sscanf(strstr(line, "\"filename\":") + 11, "\"%255[^\"]", path);
	monitor->saves++;
	if (monitor->refuses_proc && strncmp(path, "/proc/", 6) == 0)
		return false;
	file = fopen(path, "wb");
	if (!file)
		return false;
	for (unsigned long long i = 0; i < size; i++)
		fputc(byte_at(address + i), file);
	return fclose(file) == 0;
}

static const char *misbehave(const struct monitor *monitor)
{
	static char deep[9000];

	switch (monitor->fault) {
	case ENDLESS_LINE:
		put(monitor, "{\"return\": \"");
		endless(monitor,
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
		return "";
	case ENDLESS_EVENTS:
		endless(monitor, "{\"event\": \"X\"}\n");
		return "";
	case CLOSES_IN_LINE:
		put(monitor, "{\"return\":");
		shutdown(monitor->fd, SHUT_RDWR);
		return "";
	case NO_JSON:
		return "what?\r\n";
	case NO_OBJECT:
		return "[1, 2]\r\n";
	case OTHER_ID:
		return "{\"return\": {}, \"id\": 77777}\r\n";
	case DEEP:
		memset(deep, '[', sizeof(deep) - 2);
		deep[sizeof(deep) - 2] = '\n';
		return deep;
	default:
		return NULL;
	}
}

static void answer(struct monitor *monitor, const char *line)
{
	const char *id = strstr(line, "\"id\":"), *value = "{}", *bad = misbehave(monitor);
	char text[4096];

	if (bad) {
		put(monitor, bad);
		return;
	}
	if (strstr(line, "query-status"))
		value = monitor->fault == WRONG_TYPES ? "{\"running\": \"yes\"}" :
			monitor->is_running	      ? "{\"running\": true}" : "{\"running\": false}";
	else if (strstr(line, "human-monitor-command"))
		value = monitor->fault == WRONG_TYPES ? "[]" : "\"a \\u00e9\\r\\nb\"";
	if (monitor->fault == REFUSES || (strstr(line, "pmemsave") && !save(monitor, line)))
		snprintf(text, sizeof(text),
			 "{\"error\": {\"class\": \"GenericError\", \"desc\": \"never\"}, \"id\": %d}\r\n",
			 atoi(id + 5));
	else
		snprintf(text, sizeof(text), "%s{\"return\": %s, \"id\": %d}\r\n",
			 monitor->resumes ? "{\"event\": \"RESUME\"}\r\n" : "", value, atoi(id + 5));
	put(monitor, text);
}

static void *serve(void *context)
{
	struct monitor *monitor = context;
	size_t size = 0;
	ssize_t got;

	if (monitor->fault == OTHER_GREETING)
		put(monitor, "{\"HELLO\": 1}\r\n");
	else if (monitor->fault != NO_GREETING)
		put(monitor, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n");
	while ((got = recv(monitor->fd, monitor->last + size, sizeof(monitor->last) - 1 - size, 0)) > 0) {
		char *newline;

		size += (size_t)got;
		monitor->last[size] = '\0';
		newline = strchr(monitor->last, '\n');
		if (!newline)
			continue;
		*newline = '\0';
		if (monitor->fault == NO_GREETING)
			continue;
		if (strstr(monitor->last, "qmp_capabilities")) {
			enum fault fault = monitor->fault;

			monitor->fault = HONEST;
			answer(monitor, monitor->last);
			monitor->fault = fault;
		} else {
			answer(monitor, monitor->last);
		}
		size = 0;
	}
	shutdown(monitor->fd, SHUT_RDWR);
	return NULL;
}

static int start(struct monitor *monitor, struct qmp **ret_qmp)
{
	int pair[2], status;
	struct error err = { 0 };

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	monitor->fd = pair[1];
	assert_int_equal(pthread_create(&monitor->thread, NULL, serve, monitor), 0);
	status = qmp_open_fd(pair[0], TIMEOUT_MS, ret_qmp, &err);
	if (status)
		assert_true(err.code == status && err.text[0]);
	return status;
}

static void finish(struct monitor *monitor, struct qmp *qmp)
{
	qmp_close(qmp);
	pthread_join(monitor->thread, NULL);
	close(monitor->fd);
}

static void commands_get_their_answers(void **state)
{
	struct monitor monitor = { .is_running = true };
	struct qmp *qmp;
	bool is_running = false;
	char *text;

	(void)state;
	assert_int_equal(start(&monitor, &qmp), 0);
	assert_int_equal(qmp_is_running(qmp, &is_running, NULL), 0);
	assert_true(is_running);
	monitor.is_running = false;
	assert_int_equal(qmp_is_running(qmp, &is_running, NULL), 0);
	assert_false(is_running);
	assert_int_equal(qmp_monitor(qmp, "info \"x\"\\", &text, NULL), 0);
	assert_string_equal(text, "a \xc3\xa9\r\nb");
	free(text);
	finish(&monitor, qmp);
	assert_non_null(strstr(monitor.last, "\"command-line\":\"info \\\"x\\\"\\\\\""));
}

static void a_resumed_guest_is_noticed(void **state)
{
	struct monitor monitor = { .resumes = false };
	struct qmp *qmp;
	uint64_t before, after;

	(void)state;
	assert_int_equal(start(&monitor, &qmp), 0);
	assert_int_equal(qmp_resumes_seen(qmp, &before, NULL), 0);
	assert_int_equal(before, 0);
	monitor.resumes = true;
	assert_int_equal(qmp_execute(qmp, "stop", NULL), 0);
	assert_int_equal(qmp_resumes_seen(qmp, &after, NULL), 0);
	assert_int_equal(after, 1);
	/* One that comes while nothing is asked. */
	assert_true(put(&monitor, "{\"event\": \"STOP\"}\r\n\r\n{\"event\": \"RESUME\"}\r\n"));
	assert_int_equal(qmp_resumes_seen(qmp, &after, NULL), 0);
	assert_int_equal(after, 2);
	finish(&monitor, qmp);
}

static void who_is_no_monitor_is_refused(void **state)
{
	static const enum fault faults[] = { NO_GREETING, OTHER_GREETING };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct monitor monitor = { .fault = faults[i] };
		struct qmp *qmp = NULL;

		assert_int_equal(start(&monitor, &qmp), i ? -EBADMSG : -ETIMEDOUT);
		assert_null(qmp);
		finish(&monitor, NULL);
	}
}

static void nonsense_and_silence_end_with_a_message(void **state)
{
	static const enum fault faults[] = { ENDLESS_LINE, ENDLESS_EVENTS, CLOSES_IN_LINE, NO_JSON,
					     NO_OBJECT,	   OTHER_ID,	   DEEP };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct monitor monitor = { .fault = faults[i] };
		struct error err = { 0 };
		struct qmp *qmp;
		bool is_running;
		int status;

		assert_int_equal(start(&monitor, &qmp), 0);
		status = qmp_is_running(qmp, &is_running, &err);
		assert_true(status < 0 && err.code == status && err.text[0]);
		/* And stays so. */
		assert_int_equal(qmp_execute(qmp, "stop", NULL), -ECONNRESET);
		finish(&monitor, qmp);
	}
}

static void a_refusal_is_told_in_the_monitors_words(void **state)
{
	struct monitor monitor = { .fault = REFUSES };
	struct error err = { 0 };
	struct qmp *qmp;

	(void)state;
	assert_int_equal(start(&monitor, &qmp), 0);
	assert_int_equal(qmp_execute(qmp, "stop", &err), -EBADMSG);
	assert_string_equal(err.text, "QEMU monitor: stop: never");
	/* The connection lives on. */
	monitor.fault = HONEST;
	assert_int_equal(qmp_execute(qmp, "stop", &err), 0);
	finish(&monitor, qmp);
}

static void answers_of_another_type_are_refused(void **state)
{
	struct monitor monitor = { .fault = WRONG_TYPES };
	struct qmp *qmp;
	bool is_running;
	char *text;

	(void)state;
	assert_int_equal(start(&monitor, &qmp), 0);
	assert_int_equal(qmp_is_running(qmp, &is_running, NULL), -EBADMSG);
	assert_int_equal(qmp_monitor(qmp, "x", &text, NULL), -EBADMSG);
	finish(&monitor, qmp);
}

/* Windows over two ranges of RAM, by the anonymous file and by temporary ones. */
static void saved_windows_have_the_bytes_of_their_addresses(void **state)
{
	static const struct memory_range ram[] = { { 0x1000, 0x180000 }, { 0x40000000, 0x5000 } };

	(void)state;
	for (int refuses = 0; refuses < 2; refuses++) {
		struct monitor monitor = { .refuses_proc = refuses };
		struct qmp_windows *windows;
		struct qmp *qmp;
		uint8_t near[3000], border[4], far[0x5000], none[2];
		struct memory_read reads[] = {
			{ .address = 0xff000, .buffer = near, .size = sizeof(near) },
			{ .address = 0xffffe, .buffer = border, .size = sizeof(border) },
			{ .address = 0x40000000, .buffer = far, .size = sizeof(far) },
			{ .address = 0x180fff, .buffer = none, .size = sizeof(none) },
			{ .address = 0, .buffer = none, .size = 1 },
		};

		assert_int_equal(start(&monitor, &qmp), 0);
		assert_int_equal(qmp_windows_create(qmp, ram, 2, &windows), 0);
		assert_int_equal(qmp_windows_read(windows, reads, 5, NULL), 0);
		for (size_t i = 0; i < 3; i++) {
			assert_int_equal(reads[i].result, 0);
			for (size_t j = 0; j < reads[i].size; j++)
				assert_int_equal(((uint8_t *)reads[i].buffer)[j],
						 byte_at(reads[i].address + j));
		}
		/* RAM ends at 0x181000. */
		assert_int_equal(reads[3].result, -EFAULT);
		assert_int_equal(reads[4].result, -EFAULT);
		assert_int_equal(monitor.saves, 3 + refuses);
		qmp_windows_forget(windows);
		assert_int_equal(qmp_windows_read(windows, reads, 1, NULL), 0);
		assert_int_equal(monitor.saves, 4 + refuses);
		qmp_windows_destroy(windows);
		finish(&monitor, qmp);
	}
}

/* Guest memory in this process: two pieces of one block with a hole between them. ------------------------ */

#define BLOCK_BYTES (8ULL << 20)
static const struct qemu_ram pieces[] = {
	{ 0, 6ULL << 20, 0, "ram" },
	{ 0x100000000, 2ULL << 20, 6ULL << 20, "ram" },
};

static uint64_t block_offset_of(uint64_t address)
{
	return address < 0x100000000 ? address : address - 0x100000000 + (6ULL << 20);
}

/* @context: whether the guest is all zeros. */
static int sample(void *context, uint64_t address, void *buffer, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)buffer)[i] = *(bool *)context ? 0 : byte_at(block_offset_of(address) + i);
	return 0;
}

/* Among mappings of the same and other sizes, with guard pages as QEMU has them. */
static uint8_t *map_block(bool is_filled)
{
	uint8_t *at = mmap(NULL, BLOCK_BYTES + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(at != MAP_FAILED);
	at += 4096;
	assert_int_equal(mprotect(at, BLOCK_BYTES, PROT_READ | PROT_WRITE), 0);
	for (size_t i = 0; is_filled && i < BLOCK_BYTES; i++)
		at[i] = byte_at(i);
	return at;
}

static void unmap_block(uint8_t *at)
{
	munmap(at - 4096, BLOCK_BYTES + 8192);
}

static void guest_memory_is_found_among_other_mappings(void **state)
{
	uint8_t *other = map_block(false), *block = map_block(true), buffers[3][5000];
	struct qemu_process *process;
	bool is_empty = false;
	struct memory_read reads[] = {
		{ .address = 0x1234, .buffer = buffers[0], .size = 5000 },
		{ .address = 0x100000010, .buffer = buffers[1], .size = 5000 },
		{ .address = (6ULL << 20) - 4, .buffer = buffers[2], .size = 8 },
		{ .address = 0x100001000, .buffer = buffers[2], .size = 5000 },
	};

	(void)state;
	assert_int_equal(qemu_process_open(getpid(), pieces, 2, sample, &is_empty, &process, NULL), 0);
	assert_int_equal(qemu_process_read(process, reads, 4, NULL), 0);
	assert_int_equal(reads[2].result, -EFAULT);
	for (size_t i = 0; i < 4; i++) {
		if (i == 2)
			continue;
		assert_int_equal(reads[i].result, 0);
		for (size_t j = 0; j < reads[i].size; j++)
			assert_int_equal(((uint8_t *)reads[i].buffer)[j],
					 byte_at(block_offset_of(reads[i].address) + j));
	}
	qemu_process_close(process);
	unmap_block(block);
	unmap_block(other);
}

static void two_equal_blocks_are_not_guessed_between(void **state)
{
	uint8_t *one = map_block(true), *two = map_block(true);
	struct qemu_process *process = NULL;
	bool is_empty = false;

	(void)state;
	assert_int_equal(qemu_process_open(getpid(), pieces, 2, sample, &is_empty, &process, NULL), -ENOENT);
	unmap_block(two);
	/* One byte tells them apart: wherever it is sampled it must be right. */
	one[4096 * 2] ^= 1;
	one[0] ^= 1;
	assert_int_equal(qemu_process_open(getpid(), pieces, 2, sample, &is_empty, &process, NULL), -ENOENT);
	unmap_block(one);
}

static void an_empty_guest_proves_nothing(void **state)
{
	uint8_t *block = map_block(false);
	struct qemu_process *process = NULL;
	bool is_empty = true;

	(void)state;
	assert_int_equal(qemu_process_open(getpid(), pieces, 2, sample, &is_empty, &process, NULL), -ENOENT);
	unmap_block(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_get_their_answers),
		cmocka_unit_test(a_resumed_guest_is_noticed),
		cmocka_unit_test(who_is_no_monitor_is_refused),
		cmocka_unit_test(nonsense_and_silence_end_with_a_message),
		cmocka_unit_test(a_refusal_is_told_in_the_monitors_words),
		cmocka_unit_test(answers_of_another_type_are_refused),
		cmocka_unit_test(saved_windows_have_the_bytes_of_their_addresses),
		cmocka_unit_test(guest_memory_is_found_among_other_mappings),
		cmocka_unit_test(two_equal_blocks_are_not_guessed_between),
		cmocka_unit_test(an_empty_guest_proves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
