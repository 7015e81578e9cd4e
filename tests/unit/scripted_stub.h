/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A gdb stub, QEMU's or a plain one, in a thread of its own. It has two CPUs, memory that is a function of the
 * address, and stops that the test says beforehand; it logs what it was asked, and notes as its fault when a trap is
 * set twice or taken away when it isn't there.
 */
#ifndef SCRIPTED_STUB_H
#define SCRIPTED_STUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define STUB_STOPS 16
#define STUB_LOG 65536
#define WAITS { .text = "" } /* a stop: for 0x03 */

static const char target_xml[] =
	"<target><xi:include href=\"core.xml\"/></target>";
static const char core_xml[] =
	"<feature><reg name=\"rax\" bitsize=\"64\"/><reg name=\"rbx\" bitsize=\"64\"/>"
	"<reg name=\"rcx\" bitsize=\"64\"/><reg name=\"rdx\" bitsize=\"64\"/><reg name=\"rsi\" bitsize=\"64\"/>"
	"<reg name=\"rdi\" bitsize=\"64\"/><reg name=\"rbp\" bitsize=\"64\"/><reg name=\"rsp\" bitsize=\"64\"/>"
	"<reg name=\"rip\" bitsize=\"64\"/><reg name=\"eflags\" bitsize=\"32\"/><reg name=\"cr3\" bitsize=\"64\"/></feature>";

struct scripted_stub {
	int fd;
	bool is_qemu, uses_acks, is_non_stop, has_no_p, refuses_traps;
	/* What happens when it runs, in turn; WAITS for 0x03. Each with the rip that its CPU has then. */
	struct {
		char text[64];
		uint64_t rip;
		bool closes;
	} stops[STUB_STOPS];
	unsigned stop_count, stop_at;
	char step_stop[64];   /* instead of the usual answer to the next step */
	unsigned nak_count;   /* requests that it says NAK to first */
	unsigned damaged_count; /* answers that it damages first */
	uint64_t registers[2][11];
	unsigned odd_steps[2]; /* so many until its flags are sane again */
	/* gdb's Ctrl-C: sent by gdb's end of the connection when the so manieth request is here, or is answered. */
	int interrupt_fd;
	unsigned interrupt_at, request_count; /* 0: never */
	bool interrupts_before;
	unsigned selected;
	bool is_running, owes_interrupt, is_dead;
	char traps[64][40];
	unsigned trap_count;
	char log[STUB_LOG], acks[STUB_LOG];
	size_t log_size, ack_count;
	const char *fault; /* what a stub would not stand */
	char last[8192];
	pthread_t thread;
	pthread_mutex_t lock;
};

enum { AT_RSP = 7, AT_RIP = 8, AT_FLAGS = 9, AT_COUNT = 11, SANE_FLAGS = 0x246, ODD_FLAGS = 0x8138a666 };

static inline uint8_t fake_byte(unsigned cpu, uint64_t address)
{
	return (uint8_t)(address * 7 + cpu * 100 + (address >> 8));
}

static inline void fake_put(struct scripted_stub *stub, const char *payload, unsigned wrong)
{
	unsigned sum = 0;
	int size;

	for (const char *at = payload; *at; at++)
		sum += (uint8_t)*at;
	size = snprintf(stub->last, sizeof(stub->last), "$%s#%02x", payload, sum & 255);
	if (wrong) {
		stub->last[size - 1] ^= 1;
		(void)!send(stub->fd, stub->last, (size_t)size, MSG_NOSIGNAL);
		stub->last[size - 1] ^= 1;
		return;
	}
	(void)!send(stub->fd, stub->last, (size_t)size, MSG_NOSIGNAL);
}

static inline void fake_answer(struct scripted_stub *stub, const char *payload)
{
	bool is_damaged = stub->damaged_count > 0;

	stub->damaged_count -= is_damaged;
	fake_put(stub, payload, is_damaged);
}

static inline void fake_log(struct scripted_stub *stub, const char *request)
{
	pthread_mutex_lock(&stub->lock);
	stub->log_size += (size_t)snprintf(stub->log + stub->log_size, STUB_LOG - stub->log_size, "%s ", request);
	pthread_mutex_unlock(&stub->lock);
}

static inline void fake_hex(char *text, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		snprintf(text + 2 * i, 3, "%02x", (unsigned)(value >> 8 * i) & 255);
}

static inline uint64_t fake_unhex(const char *text)
{
	uint64_t value = 0;

	for (int i = 7; i >= 0; i--) {
		unsigned byte = 0;

		sscanf(text + 2 * i, "%2x", &byte);
		value = value << 8 | byte;
	}
	return value;
}

static inline void fake_registers_text(const struct scripted_stub *stub, char *text)
{
	size_t at = 0;

	for (int i = 0; i < AT_COUNT; i++) {
		unsigned bytes = i == 9 ? 4 : 8;

		fake_hex(text + at, stub->registers[stub->selected][i], bytes);
		at += 2 * (size_t)bytes;
	}
}

static inline void fake_write_registers(struct scripted_stub *stub, const char *text)
{
	for (int i = 0; i < AT_RIP + 1; i++)
		stub->registers[stub->selected][i] = fake_unhex(text + 16 * i);
}

static inline void fake_trap(struct scripted_stub *stub, const char *request)
{
	unsigned at = 0;

	while (at < stub->trap_count && strcmp(stub->traps[at], request + 1) != 0)
		at++;
	if (stub->refuses_traps) {
		fake_answer(stub, "E22");
		return;
	}
	if (request[0] == 'Z') {
		if (at < stub->trap_count)
			stub->fault = "a trap was set twice";
		snprintf(stub->traps[stub->trap_count++], sizeof(stub->traps[0]), "%.39s", request + 1);
	} else if (at == stub->trap_count) {
		stub->fault = "a trap was taken away that wasn't there";
	} else {
		memmove(stub->traps[at], stub->traps[at + 1], (stub->trap_count - at - 1) * sizeof(stub->traps[0]));
		stub->trap_count--;
	}
	fake_answer(stub, "OK");
}

static inline void fake_stop(struct scripted_stub *stub, const char *text)
{
	const char *thread = strstr(text, "thread:");

	stub->is_running = false;
	if (thread)
		stub->selected = strstr(thread, "2;") ? 1 : 0;
	fake_put(stub, text, 0);
}

static inline void fake_run(struct scripted_stub *stub)
{
	if (stub->owes_interrupt) {
		stub->owes_interrupt = false;
		fake_stop(stub, "T02thread:p01.01;");
		return;
	}
	if (stub->stop_at == stub->stop_count) {
		stub->is_running = true;
		return;
	}
	if (stub->stops[stub->stop_at].closes) {
		shutdown(stub->fd, SHUT_RDWR);
		stub->is_dead = true;
		return;
	}
	if (stub->stops[stub->stop_at].text[0]) {
		const char *text = stub->stops[stub->stop_at].text;

		stub->registers[strstr(text, "2;") ? 1 : 0][AT_RIP] = stub->stops[stub->stop_at].rip;
		stub->stop_at++;
		fake_stop(stub, text);
	} else {
		stub->stop_at++;
		stub->is_running = true;
	}
}

static inline void fake_step(struct scripted_stub *stub, unsigned cpu)
{
	char text[64];

	stub->registers[cpu][AT_RIP]++;
	if (stub->odd_steps[cpu] && !--stub->odd_steps[cpu])
		stub->registers[cpu][AT_FLAGS] = SANE_FLAGS;
	snprintf(text, sizeof(text), "T05thread:p01.%02u;", cpu + 1);
	fake_stop(stub, stub->step_stop[0] ? stub->step_stop : text);
	stub->step_stop[0] = '\0';
}

static inline void fake_memory(struct scripted_stub *stub, const char *request)
{
	unsigned long long address, size;
	char text[8193] = "";

	if (sscanf(request, "m%llx,%llx", &address, &size) != 2 || size > 2048 || address == 0xbad) {
		fake_answer(stub, "E14");
		return;
	}
	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", fake_byte(stub->selected, address + i));
	fake_answer(stub, text);
}

static inline void fake_transfer(struct scripted_stub *stub, const char *request)
{
	const char *text = strstr(request, "target.xml") ? target_xml : core_xml;
	unsigned long offset, size;
	char reply[4200];

	if (sscanf(strrchr(request, ':') + 1, "%lx,%lx", &offset, &size) != 2 || offset > strlen(text))
		offset = size = 0;
	text += offset;
	size = size < 64 ? size : 64; /* in pieces */
	snprintf(reply, sizeof(reply), "%c%.*s", strlen(text) > size ? 'm' : 'l', (int)size, text);
	fake_answer(stub, reply);
}

static inline void fake_request(struct scripted_stub *stub, const char *request)
{
	char text[1024] = "";

	if (strcmp(request, "qC") == 0)
		fake_answer(stub, "QCp01.01");
	else if (strcmp(request, "qqemu.PhyMemMode") == 0)
		fake_answer(stub, stub->is_qemu ? "0" : "");
	else if (strcmp(request, "vCont?") == 0)
		fake_answer(stub, "vCont;c;C;s;S");
	else if (strcmp(request, "qfThreadInfo") == 0)
		fake_answer(stub, "mp01.01,p01.02");
	else if (strcmp(request, "qsThreadInfo") == 0)
		fake_answer(stub, "l");
	else if (strncmp(request, "qXfer", 5) == 0)
		fake_transfer(stub, request);
	else if (strcmp(request, "qRcmd,696e666f206b766d") == 0) { /* info kvm */
		fake_answer(stub, "O6b766d20737570706f72743a2064697361626c65640d0a");
		fake_answer(stub, "OK");
	} else if (strcmp(request, "g") == 0) {
		fake_registers_text(stub, text);
		fake_answer(stub, text);
	} else if (request[0] == 'G') {
		fake_write_registers(stub, request + 1);
		fake_answer(stub, "OK");
	} else if (request[0] == 'P') {
		unsigned number = 0;

		sscanf(request, "P%x=", &number);
		if (!stub->has_no_p && number < AT_COUNT)
			stub->registers[stub->selected][number] = fake_unhex(strchr(request, '=') + 1);
		fake_answer(stub, stub->has_no_p ? "" : "OK");
	} else if (request[0] == 'm')
		fake_memory(stub, request);
	else if (request[0] == 'Z' || request[0] == 'z')
		fake_trap(stub, request);
	else if (request[0] == 'H') {
		if (request[1] == 'g')
			stub->selected = request[strlen(request) - 1] == '2';
		fake_answer(stub, "OK");
	} else if (strncmp(request, "vCont;s", 7) == 0 && !strstr(request, ";c"))
		fake_step(stub, request[strlen(request) - 1] == '2');
	else if (strncmp(request, "vCont;", 6) == 0 || strchr("csCS", request[0]))
		fake_run(stub);
	else if (strcmp(request, "?") == 0) {
		stub->trap_count = stub->is_qemu ? 0 : stub->trap_count;
		fake_answer(stub, "T05thread:p01.01;");
	} else if (request[0] == 'k')
		stub->is_dead = true;
	else if (request[0] == 'D' || strncmp(request, "QNonStop", 8) == 0 || strncmp(request, "Qqemu", 5) == 0)
		fake_answer(stub, "OK");
	else if (strcmp(request, "echo") == 0)
		fake_answer(stub, "0*\"1}\x03}");
	else
		fake_answer(stub, "");
}

static inline void fake_interrupt(struct scripted_stub *stub, bool is_before)
{
	if (stub->interrupt_at == stub->request_count && stub->interrupts_before == is_before)
		(void)!send(stub->interrupt_fd, "\x03", 1, MSG_NOSIGNAL);
}

static inline void fake_byte_taken(struct scripted_stub *stub, int byte, char *request, size_t *size, int *tail)
{
	if (*size == 0 && byte == '+') {
		stub->ack_count++;
		if (!stub->uses_acks)
			stub->fault = "an acknowledgement that nobody wants";
	}
	if (*size == 0 && stub->is_running && byte == 0x03) {
		fake_stop(stub, "T02thread:p01.01;");
		return;
	}
	if (*size == 0 && stub->is_running && stub->is_qemu)
		stub->fault = "a byte stopped the guest";
	if (*size == 0 && byte == 0x03)
		stub->owes_interrupt = !stub->is_qemu;
	if (*size == 0 && byte == '-')
		(void)!send(stub->fd, stub->last, strlen(stub->last), MSG_NOSIGNAL);
	if (*size == 0 && byte != '$')
		return;
	request[(*size)++] = (char)byte;
	*tail = byte == '#' ? 1 : *tail ? *tail + 1 : 0;
	if (*tail < 3)
		return;
	request[*size - 3] = '\0';
	*size = 0;
	*tail = 0;
	if (stub->nak_count) {
		stub->nak_count--;
		(void)!send(stub->fd, "-", 1, MSG_NOSIGNAL);
		return;
	}
	fake_log(stub, request + 1);
	stub->request_count++;
	fake_interrupt(stub, true);
	if (stub->uses_acks)
		(void)!send(stub->fd, "+", 1, MSG_NOSIGNAL);
	fake_request(stub, request + 1);
	fake_interrupt(stub, false);
}

static inline void *fake_main(void *argument)
{
	struct scripted_stub *stub = argument;
	char request[16384], bytes[4096];
	size_t size = 0;
	int tail = 0;
	ssize_t got;

	while (!stub->is_dead && (got = recv(stub->fd, bytes, sizeof(bytes), 0)) > 0)
		for (ssize_t i = 0; i < got && !stub->is_dead && size < sizeof(request) - 1; i++)
			fake_byte_taken(stub, (uint8_t)bytes[i], request, &size, &tail);
	shutdown(stub->fd, SHUT_RDWR);
	return NULL;
}

#endif
