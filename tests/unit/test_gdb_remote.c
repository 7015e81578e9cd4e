// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The client of gdb's remote protocol: what it brings is right, whatever happens to packets on their way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "faulty_stub.h"
#include "gdb_packet.h"
#include "gdb_remote.h"

#define TIMEOUT_MS 300

static int start(struct stub *stub, struct gdb_remote **ret_remote)
{
	int pair[2];
	struct error err = { 0 };
	int status;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	stub->fd = pair[1];
	assert_int_equal(pthread_create(&stub->thread, NULL, serve, stub), 0);
	status = gdb_remote_open_fd(pair[0], TIMEOUT_MS, NULL, NULL, ret_remote, &err);
	if (status)
		assert_true(err.code == status && err.text[0]);
	return status;
}

static void finish(struct stub *stub, struct gdb_remote *remote)
{
	gdb_remote_close(remote);
	pthread_join(stub->thread, NULL);
	close(stub->fd);
}

/* Read @count pieces of @size, 5000 bytes apart, and compare. */
static int read_pieces(struct gdb_remote *remote, size_t count, size_t size, bool is_compared)
{
	struct memory_read *reads = calloc(count, sizeof(*reads));
	uint8_t *buffer = malloc(count * size);
	struct error err = { 0 };
	int status;

	assert_true(reads && buffer);
	for (size_t i = 0; i < count; i++)
		reads[i] = (struct memory_read){ .address = 100 + i * 5000,
						 .buffer = buffer + i * size,
						 .size = size };
	status = gdb_remote_read(remote, reads, count, &err);
	for (size_t i = 0; !status && is_compared && i < count; i++) {
		assert_int_equal(reads[i].result, 0);
		for (size_t j = 0; j < size; j++)
			assert_int_equal(((uint8_t *)reads[i].buffer)[j], byte_at(reads[i].address + j));
	}
	if (status)
		assert_true(err.code == status && err.text[0]);
	free(reads);
	free(buffer);
	return status;
}

static void reads_bring_the_bytes_of_their_addresses(void **state)
{
	static const struct stub kinds[] = { { .is_qemu = true },
					     { .has_no_ack = true },
					     { .is_qemu = false } };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct stub stub = kinds[i];
		struct gdb_remote *remote;

		assert_int_equal(start(&stub, &remote), 0);
		assert_int_equal(gdb_remote_traits(remote)->is_pipelined, i < 2);
		assert_int_equal(read_pieces(remote, 150, 4096, true), 0);
		assert_int_equal(read_pieces(remote, 1, 7, true), 0);
		assert_int_equal(gdb_remote_counts(remote)->memory_bytes, 150 * 4096 + 7);
		assert_int_equal(gdb_remote_counts(remote)->memory_reads, 301);
		assert_int_equal(gdb_remote_counts(remote)->repeats, 0);
		finish(&stub, remote);
	}
}

static void what_is_not_there_is_efault_and_the_rest_is_read(void **state)
{
	struct stub stub = { .is_qemu = true };
	struct gdb_remote *remote;
	char buffer[5][6000];
	struct memory_read reads[5] = {
		{ .address = 0, .buffer = buffer[0], .size = 6000 },
		{ .address = MEMORY_END - 3000, .buffer = buffer[1], .size = 6000 },
		{ .address = MEMORY_END + 1, .buffer = buffer[2], .size = 1 },
		{ .address = UINT64_MAX - 3, .buffer = buffer[3], .size = 6000 },
		{ .address = MEMORY_END - 6000, .buffer = buffer[4], .size = 6000 },
	};

	(void)state;
	assert_int_equal(start(&stub, &remote), 0);
	assert_int_equal(gdb_remote_read(remote, reads, 5, NULL), 0);
	assert_int_equal(reads[0].result, 0);
	assert_int_equal(reads[1].result, -EFAULT);
	assert_int_equal(reads[2].result, -EFAULT);
	assert_int_equal(reads[3].result, -EFAULT);
	assert_int_equal(reads[4].result, 0);
	assert_int_equal((uint8_t)buffer[4][5999], byte_at(MEMORY_END - 1));
	finish(&stub, remote);
}

/* Every fault that can be mended is, wherever it hits, and never gives a wrong byte. */
static void lost_and_damaged_answers_are_asked_for_again(void **state)
{
	static const enum fault faults[] = { WRONG_SUM,		NAK,
					     STOP_EATS_REQUEST, SILENCE_EATS_REQUEST,
					     ANSWERS_TWICE,	SHORT_ANSWERS,
					     TOO_MUCH_DATA };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		for (unsigned int at = 0; at < 40; at += 13) {
			struct stub stub = { .is_qemu = true, .fault = faults[i], .at = at };
			struct gdb_remote *remote;

			assert_int_equal(start(&stub, &remote), 0);
			assert_int_equal(read_pieces(remote, 20, 4096, true), 0);
			if (faults[i] != SHORT_ANSWERS)
				assert_true(gdb_remote_counts(remote)->repeats > 0);
			finish(&stub, remote);
		}
	}
}

static void without_pipelining_damage_is_mended_too(void **state)
{
	static const struct stub kinds[] = { { .fault = WRONG_SUM, .at = 3 }, { .fault = NAK, .at = 3 },
					     { .fault = NO_FENCE, .at = 1000 } };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct stub stub = kinds[i];
		struct gdb_remote *remote;

		assert_int_equal(start(&stub, &remote), 0);
		assert_false(gdb_remote_traits(remote)->is_pipelined);
		assert_int_equal(read_pieces(remote, 20, 4096, true), 0);
		finish(&stub, remote);
	}
}

static void a_target_that_ran_is_another_generation(void **state)
{
	static const enum fault faults[] = { STOP_EATS_REQUEST, SILENCE_EATS_REQUEST };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct stub stub = { .is_qemu = true, .fault = faults[i], .at = 5 };
		struct gdb_remote *remote;
		uint64_t before;

		assert_int_equal(start(&stub, &remote), 0);
		before = gdb_remote_generation(remote);
		assert_int_equal(read_pieces(remote, 1, 2048, true), 0);
		assert_int_equal(gdb_remote_generation(remote), before);
		assert_int_equal(read_pieces(remote, 20, 2048, true), 0);
		assert_int_not_equal(gdb_remote_generation(remote), before);
		finish(&stub, remote);
	}
}

static void what_cannot_be_mended_ends_with_a_message(void **state)
{
	static const enum fault faults[] = { ENDLESS_PACKET, ENDLESS_STOPS, CLOSES_IN_PACKET };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct stub stub = { .is_qemu = i % 2, .fault = faults[i], .at = 2 };
		struct gdb_remote *remote;

		assert_int_equal(start(&stub, &remote), 0);
		assert_true(read_pieces(remote, 20, 4096, false) < 0);
		/* And stays so. */
		assert_int_equal(read_pieces(remote, 1, 8, false), -ECONNRESET);
		finish(&stub, remote);
	}
}

static void a_stub_without_memory_reads_nothing(void **state)
{
	struct stub stub = { .is_qemu = true, .fault = EMPTY_DATA };
	struct gdb_remote *remote;
	char byte;
	struct memory_read read = { .address = 0, .buffer = &byte, .size = 1 };

	(void)state;
	assert_int_equal(start(&stub, &remote), 0);
	assert_int_equal(gdb_remote_read(remote, &read, 1, NULL), 0);
	assert_int_equal(read.result, -EFAULT);
	finish(&stub, remote);
}

static void a_stub_that_never_answers_is_given_up(void **state)
{
	struct stub stub = { .fault = NO_ANSWER };
	struct gdb_remote *remote = NULL;

	(void)state;
	assert_true(start(&stub, &remote) < 0);
	assert_null(remote);
	finish(&stub, NULL);
}

static void run_lengths_are_expanded(void **state)
{
	struct stub stub = { .is_qemu = true, .fault = RUN_LENGTHS };
	struct gdb_remote *remote;
	char buffer[4096], zeros[4096] = "";
	struct memory_read read = { .address = 0, .buffer = buffer, .size = sizeof(buffer) };

	(void)state;
	memset(buffer, 1, sizeof(buffer));
	assert_int_equal(start(&stub, &remote), 0);
	assert_int_equal(gdb_remote_read(remote, &read, 1, NULL), 0);
	assert_int_equal(read.result, 0);
	assert_memory_equal(buffer, zeros, sizeof(buffer));
	finish(&stub, remote);
}

static void a_stop_reply_at_the_connection_tells_that_it_ran(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct stub stub = { .is_qemu = true, .was_running = i };
		struct gdb_remote *remote;

		assert_int_equal(start(&stub, &remote), 0);
		assert_int_equal(gdb_remote_traits(remote)->was_running, i);
		assert_int_equal(read_pieces(remote, 3, 100, true), 0);
		finish(&stub, remote);
	}
}

static void a_target_is_let_go_by_its_process_where_the_stub_has_processes(void **state)
{
	(void)state;
	for (int is_multiprocess = 0; is_multiprocess < 2; is_multiprocess++) {
		struct stub stub = { .is_qemu = true, .is_multiprocess = is_multiprocess };
		struct gdb_remote *remote;

		assert_int_equal(start(&stub, &remote), 0);
		assert_int_equal(gdb_remote_detach(remote, NULL), 0);
		finish(&stub, remote);
		assert_true(stub.has_let_go);
	}
}

static void monitor_answers_come_whole(void **state)
{
	struct stub stub = { .is_qemu = true };
	struct gdb_remote *remote;
	char *text = NULL;

	(void)state;
	assert_int_equal(start(&stub, &remote), 0);
	assert_int_equal(gdb_remote_monitor(remote, "say", &text, NULL), 0);
	assert_string_equal(text, "hello\n");
	free(text);
	finish(&stub, remote);
}

static void writes_say_where_and_what(void **state)
{
	struct stub stub = { .is_qemu = true };
	struct gdb_remote *remote;

	(void)state;
	assert_int_equal(start(&stub, &remote), 0);
	assert_int_equal(gdb_remote_write(remote, 0x1234, "\x01\xff$", 3, NULL), 0);
	finish(&stub, remote);
	assert_string_equal(stub.written, "M1234,3:01ff24");
}

static void escapes_are_made_and_undone(void **state)
{
	char frame[32];
	size_t size = gdb_encode("a$#}*b", 6, frame, sizeof(frame));

	(void)state;
	assert_int_equal(size, 14);
	/* 61+7d+04+7d+03+7d+5d+7d+0a+62 = 0x325 */
	assert_memory_equal(frame, "$a}\x04}\x03}\x5d}\x0a" "b#25", 14);
	assert_int_equal(gdb_unescape(frame + 1, 10), 6);
	assert_memory_equal(frame + 1, "a$#}*b", 6);
	assert_int_equal(gdb_encode("abc", 3, frame, 9), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_bring_the_bytes_of_their_addresses),
		cmocka_unit_test(what_is_not_there_is_efault_and_the_rest_is_read),
		cmocka_unit_test(lost_and_damaged_answers_are_asked_for_again),
		cmocka_unit_test(without_pipelining_damage_is_mended_too),
		cmocka_unit_test(a_target_that_ran_is_another_generation),
		cmocka_unit_test(what_cannot_be_mended_ends_with_a_message),
		cmocka_unit_test(a_stub_without_memory_reads_nothing),
		cmocka_unit_test(a_stub_that_never_answers_is_given_up),
		cmocka_unit_test(run_lengths_are_expanded),
		cmocka_unit_test(a_stop_reply_at_the_connection_tells_that_it_ran),
		cmocka_unit_test(a_target_is_let_go_by_its_process_where_the_stub_has_processes),
		cmocka_unit_test(monitor_answers_come_whole),
		cmocka_unit_test(writes_say_where_and_what),
		cmocka_unit_test(escapes_are_made_and_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
