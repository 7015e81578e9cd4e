/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A scripted stub, the proxy in a thread of its own, and gdb's end of the connection for the test. */
#ifndef STUB_FIXTURE_H
#define STUB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "scripted_stub.h"
#include "stub_proxy.h"

#define WAIT_MS 10000

struct stand {
	struct scripted_stub stub;
	int gdb, control;
	struct stub_proxy *proxy;
	pthread_t thread;
	bool runs;
	int status;
	struct error err;
	/* Handlers: what they are to do, and what happened. */
	struct stub_stop stops[STUB_STOPS];
	unsigned stop_count, resume_count, control_count;
	unsigned unheard_count; /* STUB_STOP_OTHER */
	enum stub_verdict verdict;
	int fails;
	void (*during_trap)(struct stand *stand, struct stub_target *target);
	void (*during_control)(struct stand *stand, struct stub_target *target);
};

static inline int stand_on_trap(void *context, struct stub_target *target, const struct stub_stop *stop,
			 enum stub_verdict *ret_verdict, struct error *err)
{
	struct stand *stand = context;

	if (stop->kind == STUB_STOP_OTHER) {
		stand->unheard_count++;
		*ret_verdict = STUB_GO_ON;
		return 0;
	}
	if (stand->stop_count < STUB_STOPS)
		stand->stops[stand->stop_count] = *stop;
	stand->stop_count++;
	if (stand->during_trap)
		stand->during_trap(stand, target);
	*ret_verdict = stand->verdict;
	return stand->fails ? error_set(err, stand->fails, "the books are lost") : 0;
}

static inline int stand_on_resume(void *context, struct stub_target *target, struct error *err)
{
	struct stand *stand = context;

	(void)target;
	(void)err;
	stand->resume_count++;
	return 0;
}

/* A byte is one call of during_control; 'x' leaves. */
static inline int stand_on_control(void *context, struct stub_target *target, int control_fd)
{
	struct stand *stand = context;
	char byte = 'x';

	(void)!read(control_fd, &byte, 1);
	stand->control_count++;
	if (byte != 'x' && stand->during_control)
		stand->during_control(stand, target);
	if (byte != 'x')
		(void)!send(control_fd, "k", 1, MSG_NOSIGNAL);
	return byte == 'x' ? -ECONNRESET : 0;
}

static inline void *stand_main(void *argument)
{
	struct stand *stand = argument;

	stand->status = stub_proxy_run(stand->proxy, &stand->err);
	/* As the tracer does: gdb sees the end. */
	if (stub_proxy_target_fd(stand->proxy) < 0)
		shutdown(stand->gdb, SHUT_RDWR);
	return NULL;
}

static inline struct stand *stand_open(struct scripted_stub stub)
{
	static const struct stub_handlers handlers = { .on_trap = stand_on_trap,
						       .on_resume = stand_on_resume,
						       .on_control = stand_on_control };
	struct stand *stand = calloc(1, sizeof(*stand));
	struct stub_handlers ours = handlers;
	int gdb[2], target[2], control[2];

	assert_non_null(stand);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, gdb), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, target), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, control), 0);
	stand->stub = stub;
	stand->stub.fd = target[0];
	pthread_mutex_init(&stand->stub.lock, NULL);
	for (unsigned cpu = 0; cpu < 2; cpu++)
		for (unsigned i = 0; i < AT_COUNT; i++)
			stand->stub.registers[cpu][i] = i == AT_FLAGS ? SANE_FLAGS : 0x1000 * (cpu + 1) + i;
	assert_int_equal(pthread_create(&stand->stub.thread, NULL, fake_main, &stand->stub), 0);
	stand->gdb = gdb[0];
	stand->control = control[0];
	ours.context = stand;
	assert_int_equal(stub_proxy_open(gdb[1], target[1], control[1], &ours, &stand->proxy, &stand->err), 0);
	pthread_mutex_lock(&stand->stub.lock);
	stand->stub.log_size = 0;
	stand->stub.log[0] = '\0';
	pthread_mutex_unlock(&stand->stub.lock);
	assert_int_equal(pthread_create(&stand->thread, NULL, stand_main, stand), 0);
	stand->runs = true;
	return stand;
}

/* Waits for stub_proxy_run() to return by itself, or tells it to leave. */
static inline int stand_join(struct stand *stand, bool is_told)
{
	if (is_told)
		assert_int_equal(send(stand->control, "x", 1, MSG_NOSIGNAL), 1);
	if (stand->runs)
		pthread_join(stand->thread, NULL);
	stand->runs = false;
	return stand->status;
}

static inline void stand_close(struct stand *stand)
{
	if (stand->runs)
		stand_join(stand, true);
	if (stand->stub.fault)
		fail_msg("%s: %s", stand->stub.fault, stand->stub.log);
	stub_proxy_close(stand->proxy);
	pthread_join(stand->stub.thread, NULL);
	close(stand->stub.fd);
	close(stand->gdb);
	close(stand->control);
	free(stand);
}

static inline void gdb_send(struct stand *stand, const char *payload)
{
	char frame[4096];
	unsigned sum = 0;

	for (const char *at = payload; *at; at++)
		sum += (uint8_t)*at;
	snprintf(frame, sizeof(frame), "$%s#%02x", payload, sum & 255);
	assert_int_equal(send(stand->gdb, frame, strlen(frame), MSG_NOSIGNAL), (ssize_t)strlen(frame));
}

/* The next packet to gdb, without its frame; its acknowledgement is sent when that is the custom. */
static inline const char *gdb_receive(struct stand *stand)
{
	static char packet[16384];
	size_t size = 0;
	int tail = 0;

	while (tail < 3) {
		struct pollfd peer = { .fd = stand->gdb, .events = POLLIN };
		char byte;

		if (poll(&peer, 1, WAIT_MS) <= 0)
			fail_msg("nothing comes; the stub was asked: %s", stand->stub.log);
		if (recv(stand->gdb, &byte, 1, 0) != 1)
			return "(end)";
		if (size == 0 && byte != '$')
			continue;
		assert_true(size < sizeof(packet) - 1);
		packet[size++] = byte;
		tail = byte == '#' ? 1 : tail ? tail + 1 : 0;
	}
	packet[size - 3] = '\0';
	if (stand->stub.uses_acks)
		(void)!send(stand->gdb, "+", 1, MSG_NOSIGNAL);
	return packet + 1;
}

static inline void gdb_expect(struct stand *stand, const char *payload)
{
	assert_string_equal(gdb_receive(stand), payload);
}

static inline void gdb_ask(struct stand *stand, const char *request, const char *answer)
{
	gdb_send(stand, request);
	gdb_expect(stand, answer);
}

static inline void gdb_hears_nothing(struct stand *stand)
{
	struct pollfd peer = { .fd = stand->gdb, .events = POLLIN };
	char byte;

	while (poll(&peer, 1, 50) > 0) {
		assert_int_equal(recv(stand->gdb, &byte, 1, 0), 1);
		assert_int_equal(byte, '+');
	}
}

/* One call of during_control, done when this returns. */
static inline void control(struct stand *stand, void (*during)(struct stand *stand, struct stub_target *target))
{
	char byte;

	stand->during_control = during;
	assert_int_equal(send(stand->control, "c", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(stand->control, &byte, 1, 0), 1);
}

/* For handlers: cmocka's own can't be used outside of the test's thread. */
#define must(condition)                                                                       \
	do {                                                                                  \
		if (!(condition)) {                                                           \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                              \
		}                                                                             \
	} while (0)

/* Waits until the stub was asked that. */
static inline void stub_is_asked(struct stand *stand, const char *wanted)
{
	for (int i = 0; i < WAIT_MS; i++) {
		bool has_it;

		pthread_mutex_lock(&stand->stub.lock);
		has_it = strstr(stand->stub.log, wanted) != NULL;
		pthread_mutex_unlock(&stand->stub.lock);
		if (has_it)
			return;
		usleep(1000);
	}
	fail_msg("the stub was not asked '%s': %s", wanted, stand->stub.log);
}

static inline void stub_was_asked(struct stand *stand, const char *all)
{
	pthread_mutex_lock(&stand->stub.lock);
	assert_string_equal(stand->stub.log, all);
	stand->stub.log_size = 0;
	stand->stub.log[0] = '\0';
	pthread_mutex_unlock(&stand->stub.lock);
}

#endif
