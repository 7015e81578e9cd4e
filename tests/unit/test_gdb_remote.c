// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The client of gdb's remote protocol against a stub in another thread, honest or with one fault, whose
 * memory is a function of the address: a byte from the wrong place shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "gdb_packet.h"
#include "gdb_registers.h"
#include "gdb_remote.h"
#include "qemu_monitor.h"
#include "target_guard.h"

#define TIMEOUT_MS 300
#define MEMORY_END 0x100000ULL

enum fault {
	HONEST,
	WRONG_SUM,      /* of one answer */
	NAK,            /* for one request */
	SHORT_ANSWERS,  /* never more than 100 bytes */
	EMPTY_DATA,     /* packets without memory in them */
	ENDLESS_PACKET,
	ENDLESS_STOPS,
	CLOSES_IN_PACKET,
	STOP_EATS_REQUEST,
	SILENCE_EATS_REQUEST,
	ANSWERS_TWICE,
	RUN_LENGTHS,
	TOO_MUCH_DATA,
	NO_ANSWER,
	NO_FENCE, /* doesn't know qC */
};

struct stub {
	int fd;
	enum fault fault;
	unsigned int at;  /* the fault hits the memory request of this number, from 0 */
	bool is_qemu, was_running, has_no_ack, is_multiprocess, has_let_go;
	unsigned int memory_requests;
	char written[1024];
	char last[64];
	pthread_t thread;
};

static uint8_t byte_at(uint64_t address)
{
	return (uint8_t)(address * 7 ^ address >> 8 ^ address >> 16);
}

static void put(const struct stub *stub, const char *bytes, size_t size)
{
	if (send(stub->fd, bytes, size, MSG_NOSIGNAL) < 0)
		return;
}

static void answer(const struct stub *stub, const char *payload, unsigned int wrong)
{
	char frame[20000];
	unsigned int sum = 0;
	int size;

	for (const char *at = payload; *at; at++)
		sum += (uint8_t)*at;
	size = snprintf(frame, sizeof(frame), "$%s#%02x", payload, (sum + wrong) & 255);
	put(stub, frame, (size_t)size);
}

/* "c*" and a count: the run of zeros that begins @text. */
static void answer_zeros(const struct stub *stub, size_t digits)
{
	char text[8192];
	size_t at = 0;

	while (digits) {
		size_t run = digits < 90 ? digits : 90;

		text[at++] = '0';
		if (run > 3 && run - 1 + 29 != '#' && run - 1 + 29 != '$') {
			text[at++] = '*';
			text[at++] = (char)(run - 1 + 29);
			digits -= run;
		} else {
			digits--;
		}
	}
	text[at] = '\0';
	answer(stub, text, 0);
}

static void endless(const struct stub *stub, const char *piece)
{
	char block[4096];
	size_t length = strlen(piece);

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = piece[i % length];
	while (send(stub->fd, block, sizeof(block) / length * length, MSG_NOSIGNAL) > 0)
		;
}

static void answer_memory(struct stub *stub, const char *request)
{
	unsigned long long address, size;
	char text[8193] = "";
	bool is_hit = stub->memory_requests++ == stub->at;

	assert_int_equal(sscanf(request, "m%llx,%llx", &address, &size), 2);
	if (size > 2048) {
		answer(stub, "E22", 0);
		return;
	}
	if (stub->fault == SHORT_ANSWERS && size > 100)
		size = 100;
	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", byte_at(address + i));
	if (address + size > MEMORY_END) {
		answer(stub, "E14", 0);
		return;
	}
	if (stub->fault == EMPTY_DATA) {
		answer(stub, "", 0);
	} else if (stub->fault == RUN_LENGTHS) {
		answer_zeros(stub, 2 * size);
	} else if (!is_hit) {
		answer(stub, text, 0);
	} else if (stub->fault == WRONG_SUM) {
		answer(stub, text, 1);
		snprintf(stub->last, sizeof(stub->last), "%s", request); /* for the NAK */
	} else if (stub->fault == ENDLESS_PACKET) {
		put(stub, "$", 1);
		endless(stub, "00");
	} else if (stub->fault == ENDLESS_STOPS) {
		endless(stub, "$T02thread:01;#04");
	} else if (stub->fault == CLOSES_IN_PACKET) {
		put(stub, "$0102", 5);
		shutdown(stub->fd, SHUT_RDWR);
	} else if (stub->fault == STOP_EATS_REQUEST) {
		answer(stub, "T02thread:01;", 0);
	} else if (stub->fault == ANSWERS_TWICE) {
		answer(stub, text, 0);
		answer(stub, text, 0);
	} else if (stub->fault == TOO_MUCH_DATA) {
		snprintf(text + 2 * size, 3, "00");
		answer(stub, text, 0);
	} else if (stub->fault == HONEST) {
		answer(stub, text, 0);
	}
}

static void answer_request(struct stub *stub, const char *request)
{
	if (request[0] == 'm' && stub->fault == NAK && stub->memory_requests == stub->at) {
		stub->memory_requests++;
		put(stub, "-", 1);
		return;
	}
	if (!stub->has_no_ack)
		put(stub, "+", 1);
	if (request[0] == 'm')
		answer_memory(stub, request);
	else if (strncmp(request, "qSupported", 10) == 0)
		answer(stub, stub->has_no_ack ? "PacketSize=1000;QStartNoAckMode+" : "PacketSize=1000", 0);
	else if (strcmp(request, "QStartNoAckMode") == 0)
		answer(stub, "OK", 0);
	else if (strcmp(request, "qC") == 0)
		answer(stub, stub->fault == NO_FENCE ? "" : stub->is_multiprocess ? "QCp0a.01" : "QC01", 0);
	else if (request[0] == 'D') {
		stub->has_let_go = strcmp(request, stub->is_multiprocess ? "D;a" : "D") == 0;
		answer(stub, stub->has_let_go ? "OK" : "E22", 0);
	}
	else if (strcmp(request, "qqemu.PhyMemMode") == 0)
		answer(stub, stub->is_qemu ? "0" : "", 0);
	else if (strncmp(request, "qRcmd,", 6) == 0) {
		answer(stub, "O68656c6c", 0);
		answer(stub, "O6f0a", 0);
		answer(stub, "OK", 0);
	} else if (request[0] == 'M') {
		snprintf(stub->written, sizeof(stub->written), "%s", request);
		answer(stub, "OK", 0);
	} else if (strcmp(request, "?") == 0)
		answer(stub, "T05thread:01;", 0);
	else
		answer(stub, "", 0);
}

/* Requests as they come; a NAK asks for the last answer again. */
static void *serve(void *context)
{
	struct stub *stub = context;
	char request[1024];
	size_t size = 0;
	int digits = -1; /* of the sum that are still to come; −1: between packets, −2: within one */
	char bytes[4096];
	ssize_t got;

	if (stub->was_running)
		answer(stub, "T02thread:01;", 0);
	while ((got = recv(stub->fd, bytes, sizeof(bytes), 0)) > 0 && stub->fault != NO_ANSWER) {
		for (ssize_t i = 0; i < got; i++) {
			if (digits == -1 && bytes[i] == '-' && stub->last[0]) {
				stub->memory_requests = stub->at + 1;
				answer_memory(stub, stub->last);
			} else if (digits == -1 && bytes[i] == '$') {
				size = 0;
				digits = -2;
			} else if (digits == -2 && bytes[i] == '#') {
				digits = 2;
			} else if (digits == -2 && size < sizeof(request) - 1) {
				request[size++] = bytes[i];
			} else if (digits > 0 && --digits == 0) {
				request[size] = '\0';
				digits = -1;
				if (stub->fault == SILENCE_EATS_REQUEST && request[0] == 'm' &&
				    stub->memory_requests == stub->at)
					stub->memory_requests++;
				else
					answer_request(stub, request);
			}
		}
	}
	shutdown(stub->fd, SHUT_RDWR);
	return NULL;
}

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

static void registers_are_found_by_name_in_the_description(void **state)
{
	static const char core[] =
		"<!-- <reg name=\"cr3\" bitsize=\"64\"/> -->\n<feature name=\"core\">"
		"<reg name=\"rax\" bitsize=\"64\" regnum=\"0\"/><reg name=\"eflags\" bitsize=\"32\"/>"
		"<reg bitsize='64' name='cr3' type=\"int\"/><reg name=\"k_gs_base\" "
		"bitsize=\"64\"/></feature>";
	struct gdb_register_map map = { 0 };
	struct cpu_registers registers = { 0 };
	char name[64];

	(void)state;
	gdb_register_map_add(&map, core);
	assert_int_equal(map.count, 2);
	gdb_registers_decode(&map,
			     "0000000000000000"
			     "00000000"
			     "8877665544332211"
			     "xxxxxxxxxxxxxxxx",
			     56, &registers);
	assert_int_equal(registers.cr3, 0x1122334455667788);
	assert_int_equal(registers.kernel_gs_base, 0);
	assert_true(gdb_description_include(
		"<target><xi:include href=\"a.xml\"/><xi:include href=\"b.xml\"/>", 1, name, sizeof(name)));
	assert_string_equal(name, "b.xml");
	assert_false(gdb_description_include("<xi:include href=\"a:0,1\"/>", 0, name, sizeof(name)));
	assert_false(gdb_description_include("<xi:include href=\"", 0, name, sizeof(name)));
}

static void monitor_text_gives_registers(void **state)
{
	static const char text[] =
		"\r\nCPU#0\r\nRIP=ffffffff95617a0b RFL=00000246 [---Z-P-] CPL=0\r\n"
		"GS =0000 ff42a44c1f000000 00000000 00000000\r\nIDT=     fffffe0000000000 00000fff\r\n"
		"CR0=80050033 CR2=00000000311362e8 CR3=000000001ff9a000 CR4=00751eb0\r\n"
		"\r\nCPU#1\r\nEFER=0000000000000d01\r\n";
	struct cpu_registers *cpus;
	size_t count;

	(void)state;
	assert_int_equal(qemu_parse_registers(text, &cpus, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(cpus[0].rip, 0xffffffff95617a0b);
	assert_int_equal(cpus[0].gs_base, 0xff42a44c1f000000);
	assert_int_equal(cpus[0].idt_base, 0xfffffe0000000000);
	assert_int_equal(cpus[0].cr0, 0x80050033);
	assert_int_equal(cpus[0].cr3, 0x1ff9a000);
	assert_int_equal(cpus[0].cr4, 0x751eb0);
	assert_int_equal(cpus[1].efer, 0xd01);
	assert_int_equal(cpus[1].cr3, 0);
	free(cpus);
}

static void monitor_text_gives_ram_and_no_devices(void **state)
{
	static const char text[] =
		"FlatView #0\r\n AS \"I/O\", root: io\r\n Root memory region: io\r\n"
		"  0000000000000000-0000000000000007 (prio 0, ram): trap\r\n\r\n"
		"FlatView #1\r\n AS \"memory\", root: system\r\n AS \"cpu-memory-0\", root: system\r\n"
		"  0000000000000000-00000000000c2fff (prio 0, ram): pc.ram\r\n"
		"  00000000000c3000-00000000000fffff (prio 0, rom): pc.ram @00000000000c3000\r\n"
		"  0000000000100000-00000000bfffffff (prio 0, ram): pc.ram @0000000000100000\r\n"
		"  00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic\r\n"
		"  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios\r\n"
		"  0000000100000000-000000013fffffff (prio 0, ram): pc.ram @00000000c0000000\r\n\r\n"
		"FlatView #2\r\n AS \"memory\", root: other\r\n  0000000200000000-00000002ffffffff (prio 0, "
		"ram): x\r\n";
	struct qemu_ram *ram;
	struct memory_range *ranges;
	size_t count;

	(void)state;
	assert_int_equal(qemu_parse_memory(text, &ram, &count), 0);
	assert_int_equal(count, 4);
	assert_int_equal(ram[3].start, 0x100000000);
	assert_int_equal(ram[3].block_offset, 0xc0000000);
	assert_string_equal(ram[3].block, "pc.ram");
	assert_int_equal(qemu_ram_ranges(ram, count, &ranges, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(ranges[0].size, 0xc0000000);
	assert_int_equal(ranges[1].start, 0x100000000);
	assert_int_equal(ranges[1].size, 0x40000000);
	free(ranges);
	free(ram);
}

enum life { DIES, ENDS_GUARD, RELEASES_GUARD, DECIDES, DECIDES_NOTHING };

/* A process that starts a guard and dies. Returns what the peer got, which said @words. */
static size_t farewell_of(enum life life, const char *cue, const char *words, char *text, size_t size)
{
	int pair[2];
	pid_t child;
	size_t got = 0;
	ssize_t part;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	child = fork();
	if (child == 0) {
		struct target_guard guard;

		close(pair[1]);
		if (target_guard_start(pair[0], "#00$D#44", cue, &guard, NULL))
			_exit(1);
		if (life == ENDS_GUARD)
			target_guard_end(&guard);
		if (life == RELEASES_GUARD)
			target_guard_release(&guard);
		if (life == DECIDES || life == DECIDES_NOTHING)
			target_guard_decide(&guard, life == DECIDES ? "other" : "");
		raise(SIGKILL);
	}
	close(pair[0]);
	if (send(pair[1], words, strlen(words), MSG_NOSIGNAL) < 0)
		return 0; /* it has ended already */
	while (got < size && (part = read(pair[1], text + got, size - got)) > 0)
		got += (size_t)part;
	close(pair[1]);
	waitpid(child, NULL, 0);
	return got;
}

static void a_killed_process_says_farewell(void **state)
{
	char text[32];

	(void)state;
	assert_int_equal(farewell_of(DIES, NULL, "", text, sizeof(text)), 8);
	assert_memory_equal(text, "#00$D#44", 8);
	assert_int_equal(farewell_of(RELEASES_GUARD, NULL, "", text, sizeof(text)), 8);
	assert_int_equal(farewell_of(ENDS_GUARD, NULL, "", text, sizeof(text)), 0);
}

static void until_it_is_decided_the_farewell_waits_for_its_cue(void **state)
{
	char text[32];

	(void)state;
	assert_int_equal(farewell_of(DIES, "$T", "+$T02thread:01;#04", text, sizeof(text)), 8);
	assert_int_equal(farewell_of(DIES, "$T", "$OK#9a", text, sizeof(text)), 0);
	assert_int_equal(farewell_of(DECIDES, "$T", "$OK#9a", text, sizeof(text)), 5);
	assert_memory_equal(text, "other", 5);
	assert_int_equal(farewell_of(DECIDES_NOTHING, "$T", "$T02#00", text, sizeof(text)), 0);
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
		cmocka_unit_test(registers_are_found_by_name_in_the_description),
		cmocka_unit_test(monitor_text_gives_registers),
		cmocka_unit_test(monitor_text_gives_ram_and_no_devices),
		cmocka_unit_test(a_killed_process_says_farewell),
		cmocka_unit_test(until_it_is_decided_the_farewell_waits_for_its_cue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
