// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What a stub is, found out on a connection that gdb has already agreed about: nothing that gdb set is asked
 * for in a way that would change it (no qSupported).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "stub_target_private.h"
#include "target_socket.h"

#define CPUS_MAX 4096
#define FILES_MAX 16
#define DESCRIPTION_MAX (1u << 20)
/* What QEMU takes and sends in all its versions, and what any stub does. */
#define QEMU_PACKET_BYTES 4096
#define LEAST_PACKET_BYTES 400

static bool is_text(const char *text, size_t size, const char *wanted)
{
	return size == strlen(wanted) && memcmp(text, wanted, size) == 0;
}

/* qC: whether acknowledgements come with answers, and how threads are written. */
static int find_manners(struct stub_target *target, struct error *err)
{
	long long deadline_ms = target_now_ms() + target->timeout_ms;
	struct stub_frame frame = { .kind = STUB_FRAME_NONE };
	int status = stub_stream_receive(&target->stream);

	if (status && status != -EAGAIN)
		return stub_fail(target, err, status, "closed the connection");
	do { /* acknowledgements of what gdb said last are nothing new */
		stub_stream_next(&target->stream, &frame);
	} while (frame.kind == STUB_FRAME_ACK);
	if (frame.kind != STUB_FRAME_NONE || target->stream.in_at < target->stream.in_size)
		return error_set(err, -EBUSY, "gdb's connection is busy");
	status = stub_send(target, "qC", err);
	while (!status && frame.kind != STUB_FRAME_PACKET) {
		stub_stream_next(&target->stream, &frame);
		target->uses_acks |= frame.kind == STUB_FRAME_ACK;
		if (frame.kind != STUB_FRAME_NONE)
			continue;
		status = stub_stream_flush(&target->stream);
		if (!status)
			status = target_wait(target->stream.fd, POLLIN, deadline_ms);
		if (!status)
			status = stub_stream_receive(&target->stream);
	}
	if (status)
		return stub_fail(target, err, status == -ETIMEDOUT ? -EPROTO : status, "no answer");
	if (frame.body_size && frame.body[0] != 'Q' && frame.body[0] != 'E')
		return stub_fail(target, err, -EPROTO, "its answers make no sense");
	target->is_multiprocess = frame.body_size > 2 && frame.body[2] == 'p';
	if (target->uses_acks)
		stub_stream_put(&target->stream, "+", 1);
	return 0;
}

static int find_kind(struct stub_target *target, struct error *err)
{
	const char *text;
	size_t size;
	int status = stub_ask(target, "qqemu.PhyMemMode", &text, &size, err);

	if (status)
		return status;
	target->is_qemu = is_text(text, size, "0") || is_text(text, size, "1");
	target->is_physical = is_text(text, size, "1");
	target->is_pipelined = target->is_qemu || !target->uses_acks;
	target->packet_size = target->is_qemu ? QEMU_PACKET_BYTES : LEAST_PACKET_BYTES;
	status = stub_ask(target, "vCont?", &text, &size, err);
	target->has_vcont = !status && size > 5 && memcmp(text, "vCont", 5) == 0;
	return status;
}

/* The texts before the answer to a monitor command hold @wanted. */
static int monitor_says(struct stub_target *target, const char *command, const char *wanted, bool *ret_says,
			struct error *err)
{
	char request[128] = "qRcmd,", told[4096] = "";
	size_t length = strlen(command), told_size = 0;
	const char *text;
	size_t size;
	int status;

	gdb_hex_encode(command, length, request + strlen(request));
	status = stub_send(target, request, err);
	while (!status) {
		status = stub_await_text(target, &text, &size, err);
		if (status || size < 2 || text[0] != 'O' || text[1] == 'K')
			break;
		if ((size - 1) / 2 < sizeof(told) - told_size && gdb_hex_decode(text + 1, size - 1, told + told_size))
			told_size += (size - 1) / 2;
	}
	*ret_says = !status && memmem(told, told_size, wanted, strlen(wanted));
	return status;
}

static int add_cpu(struct stub_target *target, const char *text, size_t size)
{
	struct stub_cpu *grown = reallocarray(target->cpus, target->cpu_count + 1, sizeof(*grown));
	struct stub_cpu *cpu;

	if (!grown)
		return -ENOMEM;
	target->cpus = grown;
	cpu = &grown[target->cpu_count];
	*cpu = (struct stub_cpu){ 0 };
	if (size && (size >= sizeof(cpu->text) || !stub_thread_parse(text, size, &cpu->thread)))
		return 0;
	snprintf(cpu->text, sizeof(cpu->text), "%.*s", (int)size, text);
	target->cpu_count++;
	return 0;
}

static int find_cpus(struct stub_target *target, struct error *err)
{
	const char *request = "qfThreadInfo", *text;
	size_t size;
	int status;

	for (; target->is_qemu && target->cpu_count < CPUS_MAX; request = "qsThreadInfo") {
		status = stub_ask(target, request, &text, &size, err);
		if (status)
			return status;
		if (size < 2 || text[0] != 'm')
			break;
		for (size_t at = 1, end; at < size && target->cpu_count < CPUS_MAX; at = end + 1) {
			const char *comma = memchr(text + at, ',', size - at);

			end = comma ? (size_t)(comma - text) : size;
			if (add_cpu(target, text + at, end - at))
				return error_set(err, -ENOMEM, "gdb stub: out of memory");
		}
	}
	if (!target->cpu_count && add_cpu(target, "", 0))
		return error_set(err, -ENOMEM, "gdb stub: out of memory");
	return 0;
}

/* A file of the target description, NUL-terminated, to be freed. Empty when the stub has none. */
static int transfer(struct stub_target *target, const char *name, char **ret_text, struct error *err)
{
	CLEANUP(free) char *whole = calloc(1, 1);
	size_t whole_size = 0, size;
	const char *text;

	while (whole && whole_size < DESCRIPTION_MAX) {
		char request[256], *grown;
		int status;

		snprintf(request, sizeof(request), "qXfer:features:read:%s:%zx,%zx", name, whole_size,
			 target->packet_size - 5);
		status = stub_ask(target, request, &text, &size, err);
		if (status)
			return status;
		if (size == 0 || (text[0] != 'm' && text[0] != 'l'))
			break;
		grown = realloc(whole, whole_size + size);
		if (!grown)
			break;
		whole = grown;
		memcpy(whole + whole_size, text + 1, size - 1);
		whole_size += gdb_unescape(whole + whole_size, size - 1);
		whole[whole_size] = '\0';
		if (text[0] == 'l' || size == 1)
			break;
	}
	if (!whole)
		return error_set(err, -ENOMEM, "gdb stub: out of memory");
	*ret_text = TAKE_PTR(whole);
	return 0;
}

static int find_registers(struct stub_target *target, struct error *err)
{
	CLEANUP(free) char *description = NULL;
	char name[128];
	int status;

	target->map.names = stub_register_names;
	target->map.name_count = stub_register_name_count;
	status = transfer(target, "target.xml", &description, err);
	for (size_t i = 0; !status && i < FILES_MAX; i++) {
		CLEANUP(free) char *file = NULL;

		if (!gdb_description_include(description, i, name, sizeof(name)))
			break;
		status = transfer(target, name, &file, err);
		if (!status)
			gdb_register_map_add(&target->map, file);
	}
	if (status)
		return status;
	gdb_register_map_add(&target->map, description);
	if (!target->map.count)
		gdb_register_map_default(&target->map);
	for (size_t i = 0; i < target->map.count; i++) {
		const struct gdb_register *one = &target->map.registers[i];

		if (one->member == offsetof(struct stub_registers, rip))
			target->rip_number = one->number;
		if (one->member == offsetof(struct stub_registers, general[4]))
			target->rsp_number = one->number;
	}
	return 0;
}

/*
 * gdb selected a thread for its reads (Hg) before we came, and nothing says which: it is the one whose
 * registers are those that are read without selecting any. CPUs with the same registers are the same to gdb.
 */
static int find_selected(struct stub_target *target, struct error *err)
{
	CLEANUP(free) char *before = NULL;
	const char *text;
	size_t size, before_size;
	int status;

	if (!target->is_qemu || target->cpu_count < 2)
		return 0;
	status = stub_ask(target, "g", &text, &before_size, err);
	if (status)
		return status;
	before = malloc(before_size + 1);
	if (!before)
		return error_set(err, -ENOMEM, "gdb stub: out of memory");
	memcpy(before, text, before_size);
	for (unsigned cpu = 0; cpu < target->cpu_count; cpu++) {
		status = stub_select(target, cpu, err);
		if (!status)
			status = stub_ask(target, "g", &text, &size, err);
		if (status || (size == before_size && memcmp(text, before, size) == 0))
			break;
	}
	return status;
}

int stub_greet(struct stub_target *target, struct error *err)
{
	int status = find_manners(target, err);

	if (!status)
		status = find_kind(target, err);
	if (!status)
		status = find_cpus(target, err);
	if (!status)
		status = find_registers(target, err);
	if (!status)
		status = find_selected(target, err);
	/* QEMU says "disabled" and "not compiled" alike when it translates. */
	if (!status && target->is_qemu) {
		bool is_kvm;

		status = monitor_says(target, "info kvm", "enabled", &is_kvm, err);
		target->is_translated = !is_kvm;
	}
	return status;
}
