// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A stopped CPU: its registers, memory as it sees it, one step of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "insn_x86.h"
#include "stub_target_private.h"

#define GENERAL(n) offsetof(struct stub_registers, general[n])

const struct gdb_register_name stub_register_names[] = {
	{ "rax", GENERAL(INSN_RAX) },
	{ "rcx", GENERAL(INSN_RCX) },
	{ "rdx", GENERAL(INSN_RDX) },
	{ "rbx", GENERAL(INSN_RBX) },
	{ "rsp", GENERAL(INSN_RSP) },
	{ "rbp", GENERAL(INSN_RBP) },
	{ "rsi", GENERAL(INSN_RSI) },
	{ "rdi", GENERAL(INSN_RDI) },
	{ "r8", GENERAL(8) },
	{ "r9", GENERAL(9) },
	{ "r10", GENERAL(10) },
	{ "r11", GENERAL(11) },
	{ "r12", GENERAL(12) },
	{ "r13", GENERAL(13) },
	{ "r14", GENERAL(14) },
	{ "r15", GENERAL(15) },
	{ "rip", offsetof(struct stub_registers, rip) },
	{ "eflags", offsetof(struct stub_registers, rflags) },
	{ "cs", offsetof(struct stub_registers, cs) },
	{ "gs_base", offsetof(struct stub_registers, gs_base) },
	{ "k_gs_base", offsetof(struct stub_registers, kernel_gs_base) },
	{ "cr3", offsetof(struct stub_registers, cr3) },
};
const size_t stub_register_name_count = sizeof(stub_register_names) / sizeof(stub_register_names[0]);

void stub_registers_forget(struct stub_target *target)
{
	for (unsigned cpu = 0; cpu < target->cpu_count; cpu++)
		target->cpus[cpu].is_cached = false;
}

static int take_registers(struct stub_target *target, unsigned cpu, struct error *err)
{
	struct stub_cpu *at = &target->cpus[cpu];
	const char *text;
	size_t size;
	int status = stub_await_text(target, &text, &size, err);

	if (status)
		return status;
	if (gdb_is_error(text, size))
		return stub_fail(target, err, -EBADMSG, "it doesn't say a CPU's registers");
	memset(&at->cached, 0, sizeof(at->cached));
	gdb_registers_decode(&target->map, text, size, &at->cached);
	at->is_cached = true;
	at->has_odd_flags = stub_flags_are_odd(&at->cached);
	return 0;
}

static int ask_registers(struct stub_target *target, unsigned cpu, struct error *err)
{
	int status = stub_select(target, cpu, err);

	if (!status)
		status = stub_send(target, "g", err);
	return status ? status : take_registers(target, cpu, err);
}

/* A round of those that are not known: the selection's answer, then the registers. */
static int ask_some(struct stub_target *target, unsigned first, unsigned end, struct error *err)
{
	char request[STUB_THREAD_TEXT + 2];
	const char *text;
	size_t size;
	int status = 0;

	for (unsigned cpu = first; cpu < end && !status; cpu++) {
		snprintf(request, sizeof(request), "Hg%s", target->cpus[cpu].text);
		status = stub_send(target, request, err);
		if (!status)
			status = stub_send(target, "g", err);
	}
	for (unsigned cpu = first; cpu < end && !status; cpu++) {
		status = stub_await_text(target, &text, &size, err);
		if (!status)
			status = take_registers(target, cpu, err);
	}
	target->selected.is_known = false;
	return status;
}

int stub_registers_read_all(struct stub_target *target, struct error *err)
{
	enum { ROUND = STUB_WINDOW / 2 };
	bool is_pipelined = target->is_pipelined && target->cpu_count > 1, is_known = true;
	int status = 0;

	for (unsigned cpu = 0; cpu < target->cpu_count; cpu++)
		is_known &= target->cpus[cpu].is_cached;
	if (is_known)
		return 0;
	for (unsigned cpu = 0; cpu < target->cpu_count && !status && is_pipelined; cpu += ROUND)
		status = ask_some(target, cpu, cpu + ROUND < target->cpu_count ? cpu + ROUND : target->cpu_count, err);
	for (unsigned cpu = 0; cpu < target->cpu_count && !status && !is_pipelined; cpu++)
		status = target->cpus[cpu].is_cached ? 0 : ask_registers(target, cpu, err);
	return status;
}

int stub_registers_read(struct stub_target *target, unsigned cpu, struct stub_registers *ret_registers,
			struct error *err)
{
	int status = 0;

	if (cpu >= target->cpu_count)
		return error_set(err, -EINVAL, "there is no CPU %u", cpu);
	if (!target->cpus[cpu].is_cached)
		status = ask_registers(target, cpu, err);
	if (!status)
		*ret_registers = target->cpus[cpu].cached;
	return status;
}

static void value_text(uint64_t value, char *text)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	gdb_hex_encode(bytes, sizeof(bytes), text);
}

/* For stubs that don't know P: all registers, with two changed. */
static int write_all(struct stub_target *target, uint64_t rip, uint64_t rsp, struct error *err)
{
	CLEANUP(free) char *request = NULL;
	const char *text;
	size_t size;
	int status = stub_ask(target, "g", &text, &size, err);

	if (status)
		return status;
	request = malloc(size + 2);
	if (!request)
		return error_set(err, -ENOMEM, "gdb stub: out of memory");
	snprintf(request, size + 2, "G%.*s", (int)size, text);
	for (size_t i = 0; i < target->map.count; i++) {
		const struct gdb_register *one = &target->map.registers[i];
		bool is_rip = one->member == offsetof(struct stub_registers, rip);
		char value[17];

		if (one->size != 8 || 2 * ((size_t)one->offset + 8) > size ||
		    (!is_rip && one->member != GENERAL(INSN_RSP)))
			continue;
		value_text(is_rip ? rip : rsp, value);
		memcpy(request + 1 + 2 * (size_t)one->offset, value, 16);
	}
	status = stub_ask(target, request, &text, &size, err);
	if (!status && (size != 2 || memcmp(text, "OK", 2) != 0))
		status = stub_fail(target, err, -EBADMSG, "it doesn't change a CPU's registers");
	return status;
}

static int write_one(struct stub_target *target, int number, uint64_t value, bool *ret_works, struct error *err)
{
	char request[48], text_of_value[17];
	const char *text;
	size_t size;
	int status;

	value_text(value, text_of_value);
	snprintf(request, sizeof(request), "P%x=%s", (unsigned)number, text_of_value);
	if (target->has_p && target->is_qemu)
		return stub_send_deferred(target, request, NULL, err);
	status = stub_ask(target, request, &text, &size, err);
	if (!status)
		*ret_works = size == 2 && memcmp(text, "OK", 2) == 0;
	return status;
}

int stub_registers_jump(struct stub_target *target, unsigned cpu, uint64_t rip, uint64_t rsp, struct error *err)
{
	bool has_rip = true, has_rsp = true;
	int status = stub_select(target, cpu, err);

	if (!status && target->rip_number >= 0 && target->rsp_number >= 0) {
		status = write_one(target, target->rip_number, rip, &has_rip, err);
		if (!status && has_rip)
			status = write_one(target, target->rsp_number, rsp, &has_rsp, err);
		target->has_p = has_rip && has_rsp;
	}
	if (!status && !target->has_p)
		status = write_all(target, rip, rsp, err);
	if (status)
		return status;
	target->moved_cpu = (int)cpu;
	target->cpus[cpu].cached.rip = rip;
	target->cpus[cpu].cached.general[INSN_RSP] = rsp;
	return 0;
}

/* Memory ------------------------------------------------------------------------------------------------- */

/* A place in a list of reads, which are asked for in pieces of @chunk bytes. */
struct cursor {
	struct memory_read *reads;
	size_t count, chunk;
	size_t index, at;
};

static bool next_piece(struct cursor *cursor, struct memory_read **ret_read, size_t *ret_at, size_t *ret_size)
{
	while (cursor->index < cursor->count && cursor->at >= cursor->reads[cursor->index].size) {
		cursor->index++;
		cursor->at = 0;
	}
	if (cursor->index == cursor->count)
		return false;
	*ret_read = &cursor->reads[cursor->index];
	*ret_at = cursor->at;
	*ret_size = (*ret_read)->size - cursor->at;
	if (*ret_size > cursor->chunk)
		*ret_size = cursor->chunk;
	cursor->at += *ret_size;
	return true;
}

static int take_piece(struct stub_target *target, struct memory_read *read, size_t at, size_t size,
		      struct error *err)
{
	const char *text;
	size_t text_size;
	int status = stub_await_text(target, &text, &text_size, err);

	if (!status && (text_size != 2 * size || !gdb_hex_decode(text, text_size, (char *)read->buffer + at)))
		read->result = -EFAULT;
	return status;
}

/* As the stub is set to: by thread and address space. */
static int read_pieces(struct stub_target *target, struct memory_read *reads, size_t count, struct error *err)
{
	struct cursor sent = { .reads = reads, .count = count, .chunk = (target->packet_size - 4) / 2 & ~7ul };
	struct cursor taken = sent;
	size_t window = target->is_pipelined ? STUB_WINDOW : 1, outstanding = 0, at, size;
	struct memory_read *read;
	bool has_more = true, is_filling = false;
	int status = 0;

	for (size_t i = 0; i < count; i++)
		reads[i].result = 0;
	while (!status && (has_more || outstanding)) {
		char request[64];

		/* Many requests in one go cost fewer switches between the stub and us than each as its turn comes. */
		while (!status && has_more && (outstanding <= window / 2 || is_filling) && outstanding < window) {
			has_more = is_filling = next_piece(&sent, &read, &at, &size);
			if (!has_more)
				break;
			snprintf(request, sizeof(request), "m%llx,%zx", (unsigned long long)(read->address + at), size);
			status = stub_send(target, request, err);
			outstanding++;
		}
		is_filling = false;
		if (status || !outstanding || !next_piece(&taken, &read, &at, &size))
			break;
		status = take_piece(target, read, at, size, err);
		outstanding--;
	}
	return status;
}

int stub_memory_read(struct stub_target *target, unsigned cpu, struct memory_read *reads, size_t count,
		     struct error *err)
{
	int status = stub_select(target, cpu, err);

	if (!status && target->is_physical)
		status = stub_send_deferred(target, "Qqemu.PhyMemMode:0", NULL, err);
	if (!status)
		status = read_pieces(target, reads, count, err);
	if (!status && target->is_physical)
		status = stub_send_deferred(target, "Qqemu.PhyMemMode:1", NULL, err);
	return status;
}

/* Link --------------------------------------------------------------------------------------------------- */

static struct stub_target *target_of(struct packet_link *link)
{
	return (struct stub_target *)((char *)link - offsetof(struct stub_target, link));
}

static int link_ask(struct packet_link *link, const char *request, char *reply, size_t capacity, size_t *ret_size,
		    struct error *err)
{
	struct stub_target *target = target_of(link);
	bool has_texts = strncmp(request, "qRcmd,", 6) == 0, is_done = false;
	size_t at = 0, size;
	const char *text;
	int status = stub_send(target, request, err);

	if (strncmp(request, "Hg", 2) == 0)
		target->selected.is_known = false;
	while (!status && !is_done) {
		status = stub_await_text(target, &text, &size, err);
		if (status)
			break;
		is_done = !has_texts || size < 2 || text[0] != 'O' || text[1] == 'K';
		text += !is_done;
		size -= !is_done;
		if (size >= capacity - at)
			return error_set(err, -ENOSPC, "gdb stub: an answer of more than %zu bytes", capacity - 1);
		memcpy(reply + at, text, size);
		at += gdb_unescape(reply + at, size);
	}
	if (status)
		return status == -ECONNRESET ? -EIO : status;
	reply[at] = '\0';
	*ret_size = at;
	return 0;
}

static int link_read(struct packet_link *link, struct memory_read *reads, size_t count, struct error *err)
{
	return read_pieces(target_of(link), reads, count, err);
}

struct packet_link *stub_packet_link(struct stub_target *target)
{
	target->link.ask = link_ask;
	target->link.read = link_read;
	return &target->link;
}
