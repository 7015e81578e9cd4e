/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A gdb stub in another thread, honest or with one fault, whose memory is a function of the address: a byte from the
 * wrong place shows.
 */
#ifndef FAULTY_STUB_H
#define FAULTY_STUB_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

static inline uint8_t byte_at(uint64_t address)
{
	return (uint8_t)(address * 7 ^ address >> 8 ^ address >> 16);
}

static inline void put(const struct stub *stub, const char *bytes, size_t size)
{
	if (send(stub->fd, bytes, size, MSG_NOSIGNAL) < 0)
		return;
}

static inline void answer(const struct stub *stub, const char *payload, unsigned int wrong)
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
static inline void answer_zeros(const struct stub *stub, size_t digits)
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

static inline void endless(const struct stub *stub, const char *piece)
{
	char block[4096];
	size_t length = strlen(piece);

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = piece[i % length];
	while (send(stub->fd, block, sizeof(block) / length * length, MSG_NOSIGNAL) > 0)
		;
}

static inline void answer_memory(struct stub *stub, const char *request)
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

static inline void answer_request(struct stub *stub, const char *request)
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
static inline void *serve(void *context)
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

#endif
