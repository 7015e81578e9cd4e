/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Whatever a gdb stub answers, for tests that stand in gdb's place: QEMU's, with physical memory from 0 on,
 * or one that only has virtual memory. Keeps books of what it was asked, and fails when it is told to.
 */
#ifndef DILL_TESTS_STUB_HOST_H
#define DILL_TESTS_STUB_HOST_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gdb_packet.h"

#define STUB_PIECE 2048

struct stub_host {
	const uint8_t *physical; /* NULL: the stub is no QEMU's */
	size_t physical_size;
	const char *monitor_memory, *monitor_registers; /* "": the stub has no monitor */
	uint64_t cr3[2]; /* of two CPUs */
	/* Virtual memory is [virtual_start, + virtual_size), of bytes 0x90. */
	uint64_t virtual_start, virtual_size;
	size_t largest; /* bytes that one m packet may ask for; 0: STUB_PIECE */

	bool is_physical;
	char thread[32]; /* selected by Hg */
	unsigned packets, memory_packets, outside_reads;
	int failure;         /* given by the next answer to m … */
	unsigned fails_after; /* … after so many */
	unsigned refusals;    /* times that Qqemu.PhyMemMode:0 fails with -EINTR */
};

static inline int64_t stub_text(char *reply, size_t capacity, const char *text)
{
	size_t size = strlen(text);

	if (size >= capacity)
		return -ENOSPC;
	memcpy(reply, text, size + 1);
	return (int64_t)size;
}

static inline int64_t stub_memory(struct stub_host *stub, const char *request, char *reply, size_t capacity)
{
	unsigned long long address, size;

	stub->memory_packets++;
	if (stub->failure && stub->fails_after-- == 0) {
		int failure = stub->failure;

		stub->failure = 0;
		return failure;
	}
	if (sscanf(request, "m%llx,%llx", &address, &size) != 2 ||
	    size > (stub->largest ? stub->largest : STUB_PIECE) || 2 * size >= capacity)
		return stub_text(reply, capacity, "E22");
	if (stub->is_physical && (address >= stub->physical_size || size > stub->physical_size - address)) {
		stub->outside_reads++;
		return stub_text(reply, capacity, "E14");
	}
	if (!stub->is_physical && (address < stub->virtual_start ||
				   address + size > stub->virtual_start + stub->virtual_size))
		return stub_text(reply, capacity, "E14");
	if (stub->is_physical) {
		gdb_hex_encode(stub->physical + address, size, reply);
	} else {
		memset(reply, '9', 2 * size);
		for (size_t i = 1; i < 2 * size; i += 2)
			reply[i] = '0';
		reply[2 * size] = '\0';
	}
	return (int64_t)(2 * size);
}

static inline int64_t stub_monitor(struct stub_host *stub, const char *hexadecimal, char *reply,
				   size_t capacity)
{
	char line[128] = "";
	const char *text;
	size_t size = strlen(hexadecimal);

	if (size / 2 >= sizeof(line) || !gdb_hex_decode(hexadecimal, size, line))
		return stub_text(reply, capacity, "E01");
	text = !strncmp(line, "info mtree", 10) ? stub->monitor_memory : stub->monitor_registers;
	if (!text || !*text)
		return stub_text(reply, capacity, "");
	if (2 * strlen(text) + 3 > capacity)
		return -ENOSPC;
	gdb_hex_encode(text, strlen(text), reply);
	strcat(reply, "OK");
	return (int64_t)strlen(reply);
}

/* Two registers, so that the g packet is short: cr3 (64 bits), rip (64 bits). */
#define STUB_DESCRIPTION                                                                                   \
	"l<?xml version=\"1.0\"?><target><feature name=\"x\"><reg name=\"cr3\" bitsize=\"64\"/>"          \
	"<reg name=\"rip\" bitsize=\"64\"/></feature></target>"

static inline int64_t stub_registers(const struct stub_host *stub, char *reply, size_t capacity)
{
	uint64_t values[2] = { stub->cr3[strcmp(stub->thread, "p01.02") == 0], 0 };

	(void)capacity;
	gdb_hex_encode(values, sizeof(values), reply);
	return (int64_t)strlen(reply);
}

static inline int64_t stub_answer(struct stub_host *stub, const char *request, char *reply, size_t capacity)
{
	bool is_qemu = stub->physical;

	stub->packets++;
	if (request[0] == 'm')
		return stub_memory(stub, request, reply, capacity);
	if (is_qemu && !strcmp(request, "qqemu.PhyMemMode"))
		return stub_text(reply, capacity, stub->is_physical ? "1" : "0");
	if (is_qemu && !strncmp(request, "Qqemu.PhyMemMode:", 17)) {
		if (request[17] == '0' && stub->refusals && stub->refusals--)
			return -EINTR;
		stub->is_physical = request[17] == '1';
		return stub_text(reply, capacity, "OK");
	}
	if (is_qemu && !strncmp(request, "qRcmd,", 6))
		return stub_monitor(stub, request + 6, reply, capacity);
	if (is_qemu && !strncmp(request, "qXfer:features:read:target.xml:0,", 33))
		return stub_text(reply, capacity, STUB_DESCRIPTION);
	if (!strcmp(request, "qfThreadInfo"))
		return stub_text(reply, capacity, "mp01.01,p01.02");
	if (!strcmp(request, "qsThreadInfo"))
		return stub_text(reply, capacity, "l");
	if (!strcmp(request, "g"))
		return stub_registers(stub, reply, capacity);
	if (!strncmp(request, "Hg", 2)) {
		snprintf(stub->thread, sizeof(stub->thread), "%s", request + 2);
		return stub_text(reply, capacity, "OK");
	}
	return stub_text(reply, capacity, "");
}

#endif
