// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Any bytes as what a gdb stub says: to the packet decoder (whole and byte by byte must agree), to the
 * readers of target descriptions and monitor text, and as a whole conversation. libFuzzer target; with
 * -DFUZZ_REPLAY it runs the files named on its command line.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "gdb_packet.h"
#include "gdb_registers.h"
#include "gdb_remote.h"
#include "qemu_monitor.h"

static void check_decoder(const uint8_t *data, size_t size)
{
	struct gdb_decoder whole, single;
	size_t at = 0, at_single = 0;

	CHECK(gdb_decoder_init(&whole, 600) == 0 && gdb_decoder_init(&single, 600) == 0);
	while (at < size) {
		enum gdb_event event, event_single = GDB_NEED_MORE;
		size_t used;

		event = gdb_decode(&whole, data + at, size - at, &used);
		CHECK(used > 0 && used <= size - at);
		at += used;
		while (at_single < at) {
			CHECK(event_single == GDB_NEED_MORE);
			event_single = gdb_decode(&single, data + at_single, 1, &used);
			CHECK(used == 1);
			at_single++;
		}
		CHECK(event == event_single);
		CHECK(whole.size == single.size && whole.size <= whole.capacity);
		if (event == GDB_PACKET) {
			CHECK(memcmp(whole.packet, single.packet, whole.size + 1) == 0);
			CHECK(gdb_unescape(whole.packet, whole.size) <= whole.size);
		}
	}
	gdb_decoder_deinit(&whole);
	gdb_decoder_deinit(&single);
}

static void check_frame(const uint8_t *data, size_t size)
{
	char frame[1200];
	size_t payload = size < 512 ? size : 512,
	       framed = gdb_encode((const char *)data, payload, frame, sizeof(frame)), used;
	struct gdb_decoder decoder;

	CHECK(framed >= payload + 4);
	CHECK(gdb_decoder_init(&decoder, sizeof(frame)) == 0);
	CHECK(gdb_decode(&decoder, frame, framed, &used) == GDB_PACKET && used == framed);
	CHECK(gdb_unescape(decoder.packet, decoder.size) == payload &&
	      memcmp(decoder.packet, data, payload) == 0);
	gdb_decoder_deinit(&decoder);
}

static void check_texts(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), name[32];
	struct gdb_register_map map = { 0 };
	struct cpu_registers registers = { 0 }, *cpus = NULL;
	struct qemu_ram *ram = NULL;
	size_t count;

	CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	gdb_register_map_add(&map, text);
	CHECK(map.count <= sizeof(map.registers) / sizeof(map.registers[0]));
	gdb_registers_decode(&map, text, size, &registers);
	for (size_t i = 0; i < 8; i++)
		gdb_description_include(text, i, name, sizeof(name));
	CHECK(qemu_parse_registers(text, &cpus, &count) == 0);
	free(cpus);
	CHECK(qemu_parse_memory(text, &ram, &count) == 0);
	for (size_t i = 1; i < count; i++)
		CHECK(ram[i].start >= ram[i - 1].start + ram[i - 1].size);
	free(ram);
	free(text);
}

/* All that the stub ever says is there from the start; then it hangs up. */
static void check_conversation(const uint8_t *data, size_t size)
{
	struct gdb_remote *remote = NULL;
	struct cpu_registers *cpus = NULL;
	uint8_t bytes[5000];
	struct memory_read reads[2] = { { .address = 4096, .buffer = bytes, .size = 4096 },
					{ .address = UINT64_MAX - 4, .buffer = bytes + 4096, .size = 5 } };
	int pair[2];
	char *text = NULL;
	size_t count;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	if (send(pair[1], data, size < 60000 ? size : 60000, MSG_NOSIGNAL) < 0 ||
	    shutdown(pair[1], SHUT_WR) < 0)
		abort();
	if (gdb_remote_open_fd(pair[0], 1000, NULL, NULL, &remote, NULL) == 0) {
		if (gdb_registers_read(gdb_remote_link(remote), gdb_remote_traits(remote)->is_qemu, &cpus, &count, NULL) == 0)
			CHECK(count >= 1);
		free(cpus);
		if (gdb_remote_monitor(remote, "info", &text, NULL) == 0)
			free(text);
		if (gdb_remote_read(remote, reads, 2, NULL) == 0)
			CHECK(reads[0].result == 0 || reads[0].result == -EFAULT);
		gdb_remote_close(remote);
	}
	close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_decoder(data, size);
	check_frame(data, size);
	check_texts(data, size);
	check_conversation(data, size);
	return 0;
}
