// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* One request after the other, each answered before the next. Many at once are the link's own business. */
#include "packet_requests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "gdb_packet.h"
#include "gdb_registers.h"
#include "packet_link.h"

#define MOST_TEXT_BYTES (4u << 20)
#define TRANSFER_BYTES 2000
#define REPLY_BYTES 69632
/*
 * Memory at once. Many a QEMU refuses more than the less (MAX_PACKET_LENGTH / 2); others bring as much as
 * they can.
 */
#define PIECE_BYTES_MOST 32768
#define PIECE_BYTES_SAFE 2048

static int out_of_memory(struct error *err)
{
	return error_set(err, -ENOMEM, "gdb stub: out of memory");
}

int packet_monitor(struct packet_link *link, const char *line, char **ret_text, struct error *err)
{
	size_t capacity = 2 * MOST_TEXT_BYTES, size, length = strlen(line);
	CLEANUP(free) char *reply = malloc(capacity);
	char request[512] = "qRcmd,", *grown;
	int status;

	if (!reply)
		return out_of_memory(err);
	if (length > (sizeof(request) - 8) / 2)
		return error_set(err, -EINVAL, "gdb stub: the command is too long");
	gdb_hex_encode(line, length, request + strlen(request));
	status = link->ask(link, request, reply, capacity, &size, err);
	if (status)
		return status;
	/* An answer without any text is the OK itself. */
	if (size >= 2 && strcmp(reply + size - 2, "OK") == 0)
		size -= 2;
	else if (size == 0 || gdb_is_error(reply, size))
		return error_set(err, -EOPNOTSUPP, "gdb stub: it has no monitor");
	if (!gdb_hex_decode(reply, size, reply))
		return error_set(err, -EOPNOTSUPP, "gdb stub: its monitor makes no sense");
	reply[size / 2] = '\0';
	grown = realloc(reply, size / 2 + 1);
	if (grown)
		reply = grown;
	*ret_text = TAKE_PTR(reply);
	return 0;
}

int packet_transfer(struct packet_link *link, const char *object, const char *annex, char **ret_text,
		    struct error *err)
{
	CLEANUP(free) char *reply = malloc(REPLY_BYTES);
	CLEANUP(free) char *text = NULL;
	size_t size = 0, got;

	if (!reply)
		return out_of_memory(err);
	do {
		char request[512];
		char *grown;
		int status;

		if (snprintf(request, sizeof(request), "qXfer:%s:read:%s:%zx,%x", object, annex, size,
			     TRANSFER_BYTES) >= (int)sizeof(request))
			return error_set(err, -EINVAL, "gdb stub: a name is too long");
		status = link->ask(link, request, reply, REPLY_BYTES, &got, err);
		if (status)
			return status;
		if (got == 0 || (reply[0] != 'm' && reply[0] != 'l'))
			return error_set(err, -ENOENT, "gdb stub: it has no %s %s", object, annex);
		if (size + got > MOST_TEXT_BYTES || (reply[0] == 'm' && got == 1))
			return error_set(err, -EBADMSG, "gdb stub: %s %s has no end", object, annex);
		grown = realloc(text, size + got);
		if (!grown)
			return out_of_memory(err);
		text = grown;
		memcpy(text + size, reply + 1, got - 1);
		size += got - 1;
		text[size] = '\0';
	} while (reply[0] == 'm');
	*ret_text = TAKE_PTR(text);
	return 0;
}

/* One m packet, of as many bytes as the stub takes. 0 bytes: they can't be read. */
static int read_piece(struct packet_link *link, uint64_t address, void *buffer, size_t size, char *reply,
		      size_t *ret_size, struct error *err)
{
	size_t most = link->piece_bytes ? link->piece_bytes : PIECE_BYTES_MOST;
	size_t part = size < most ? size : most, got;
	char request[64];
	int status;

	snprintf(request, sizeof(request), "m%llx,%zx", (unsigned long long)address, part);
	status = link->ask(link, request, reply, REPLY_BYTES, &got, err);
	if (status)
		return status;
	if (got == 0)
		return error_set(err, -EIO, "gdb stub: a request for memory has no answer");
	*ret_size = 0;
	if (gdb_is_error(reply, got)) {
		if (part <= PIECE_BYTES_SAFE)
			return 0;
		/* That was too much at once, or can't be read: the same in smaller pieces tells. */
		link->piece_bytes = PIECE_BYTES_SAFE;
		return read_piece(link, address, buffer, size, reply, ret_size, err);
	}
	if (got / 2 <= part && gdb_hex_decode(reply, got, buffer))
		*ret_size = got / 2;
	return 0;
}

/* The stub may bring less than it was asked for. */
static int read_one(struct packet_link *link, struct memory_read *read, char *reply, struct error *err)
{
	size_t done = 0;

	read->result = 0;
	if (read->size && read->address + (read->size - 1) < read->address)
		read->result = -EFAULT;
	while (done < read->size && !read->result) {
		size_t size;
		int status = read_piece(link, read->address + done, (char *)read->buffer + done,
					read->size - done, reply, &size, err);

		if (status)
			return status;
		if (size == 0)
			read->result = -EFAULT;
		done += size;
	}
	return 0;
}

int packet_read(struct packet_link *link, struct memory_read *reads, size_t count, struct error *err)
{
	CLEANUP(free) char *reply = NULL;
	int status = 0;

	if (link->read)
		return link->read(link, reads, count, err);
	reply = malloc(REPLY_BYTES);
	if (!reply)
		return out_of_memory(err);
	for (size_t i = 0; i < count && !status; i++)
		status = read_one(link, &reads[i], reply, err);
	return status;
}

static bool is_ram(const struct memory_range *ram, size_t count, const struct memory_read *read)
{
	for (size_t i = 0; i < count; i++)
		if (read->address - ram[i].start < ram[i].size &&
		    read->size <= ram[i].size - (read->address - ram[i].start))
			return true;
	return count == 0;
}

int packet_read_ram(struct packet_link *link, const struct memory_range *ram, size_t ram_count,
		    struct memory_read *reads, size_t count, struct error *err)
{
	for (size_t from = 0, to; from < count; from = to) {
		int status;

		for (to = from; to < count && is_ram(ram, ram_count, &reads[to]); to++)
			;
		status = to > from ? packet_read(link, reads + from, to - from, err) : 0;
		if (status)
			return status;
		for (; to < count && !is_ram(ram, ram_count, &reads[to]); to++)
			reads[to].result = -EFAULT;
	}
	return 0;
}

int packet_set_physical(struct packet_link *link, bool is_physical, struct error *err)
{
	char reply[16];
	size_t size;
	int status = link->ask(link, is_physical ? "Qqemu.PhyMemMode:1" : "Qqemu.PhyMemMode:0", reply,
			       sizeof(reply), &size, err);

	if (!status && strcmp(reply, "OK") != 0)
		status = error_set(err, -EOPNOTSUPP, "gdb stub: it doesn't read physical memory");
	return status;
}

int packet_find_kind(struct packet_link *link, struct packet_facts *facts, struct error *err)
{
	char reply[64];
	size_t size;
	int status = link->ask(link, "qqemu.PhyMemMode", reply, sizeof(reply), &size, err);

	if (status)
		return status;
	facts->was_physical = strcmp(reply, "1") == 0;
	facts->is_qemu = facts->was_physical || strcmp(reply, "0") == 0;
	return 0;
}

/* What only QEMU's monitor has. */
static int find_idt(struct packet_link *link, struct packet_facts *facts, struct error *err)
{
	CLEANUP(free) char *text = NULL;
	CLEANUP(free) struct cpu_registers *cpus = NULL;
	size_t count;
	int status = packet_monitor(link, QEMU_COMMAND_REGISTERS, &text, err);

	if (status)
		return status == -EOPNOTSUPP ? 0 : status;
	if (qemu_parse_registers(text, &cpus, &count))
		return 0;
	for (size_t i = 0; i < count && i < facts->cpu_count; i++)
		facts->cpus[i].idt_base = cpus[i].idt_base;
	return 0;
}

int packet_find_cpus(struct packet_link *link, struct packet_facts *facts, struct error *err)
{
	struct cpu_registers *cpus;
	size_t count;
	int status = link->begin ? link->begin(link, err) : 0;

	if (status)
		return status;
	status = gdb_registers_read(link, facts->is_qemu, &cpus, &count, err);
	if (link->end)
		link->end(link);
	if (status)
		return status;
	free(facts->cpus);
	facts->cpus = cpus;
	facts->cpu_count = count;
	return facts->is_qemu ? find_idt(link, facts, err) : 0;
}

int packet_find_ram(struct packet_link *link, struct packet_facts *facts, struct error *err)
{
	CLEANUP(free) char *text = NULL;
	int status = packet_monitor(link, QEMU_COMMAND_MEMORY, &text, err);

	if (status)
		return status == -EOPNOTSUPP ? 0 : status;
	if (qemu_parse_memory(text, &facts->blocks, &facts->block_count) ||
	    qemu_ram_ranges(facts->blocks, facts->block_count, &facts->ram, &facts->ram_count))
		return out_of_memory(err);
	return 0;
}

void packet_facts_deinit(struct packet_facts *facts)
{
	free(facts->cpus);
	free(facts->blocks);
	free(facts->ram);
	*facts = (struct packet_facts){ 0 };
}
