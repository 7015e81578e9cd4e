// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Text for gdb's user. gdb shows O packets only while it waits for the target; they are put together for some
 * milliseconds, because each costs gdb a good deal more than it costs us.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stub_proxy_private.h"

#define SAY_BYTES 65536
/* The end of it is for the line that says how much was dropped. */
#define LAST_LINE_BYTES 128
#define PIECE_BYTES 1024
#define DELAY_NS 20000000u
/* So much that gdb hasn't taken yet means that it is too slow. */
#define UNSENT_BYTES 65536

uint64_t stub_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int stub_say_init(struct stub_proxy *proxy)
{
	proxy->say = malloc(SAY_BYTES);
	return proxy->say ? 0 : -ENOMEM;
}

static bool append(struct stub_proxy *proxy, const char *text, size_t size, size_t capacity)
{
	if (proxy->said_size) {
		memmove(proxy->say, proxy->say + proxy->said_size, proxy->say_size - proxy->said_size);
		proxy->say_size -= proxy->said_size;
		proxy->said_size = 0;
	}
	if (size > capacity - proxy->say_size)
		return false;
	if (!proxy->say_size)
		proxy->say_since_ns = stub_now_ns();
	memcpy(proxy->say + proxy->say_size, text, size);
	proxy->say_size += size;
	return true;
}

static size_t count_lines(const char *text, size_t size)
{
	size_t lines = 0;

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	return lines ? lines : 1;
}

void stub_proxy_say(struct stub_proxy *proxy, const char *text, size_t size)
{
	/* Once something was dropped nothing follows until that is said. */
	if (proxy->dropped_lines || !append(proxy, text, size, SAY_BYTES - LAST_LINE_BYTES))
		proxy->dropped_lines += count_lines(text, size);
}

int stub_say_wait_ms(const struct stub_proxy *proxy)
{
	uint64_t age_ns;

	if (proxy->state != STUB_RUNNING || proxy->say_size == proxy->said_size ||
	    stub_stream_unsent(&proxy->gdb) > UNSENT_BYTES)
		return -1;
	age_ns = stub_now_ns() - proxy->say_since_ns;
	return age_ns >= DELAY_NS ? 0 : (int)((DELAY_NS - age_ns) / 1000000u) + 1;
}

static int send_piece(struct stub_proxy *proxy, const char *text, size_t size)
{
	char payload[2 * PIECE_BYTES + 2] = "O";

	gdb_hex_encode(text, size, payload + 1);
	return stub_tell_gdb(proxy, payload);
}

int stub_say_flush(struct stub_proxy *proxy, bool is_last)
{
	bool is_due = is_last || proxy->say_size - proxy->said_size >= 2 * PIECE_BYTES ||
		      stub_say_wait_ms(proxy) == 0;
	int status = 0;

	if (proxy->state != STUB_RUNNING || !is_due || proxy->say_size == proxy->said_size)
		return 0;
	while (!status && proxy->said_size < proxy->say_size && stub_stream_unsent(&proxy->gdb) < UNSENT_BYTES) {
		size_t size = proxy->say_size - proxy->said_size;

		size = size < PIECE_BYTES ? size : PIECE_BYTES;
		status = send_piece(proxy, proxy->say + proxy->said_size, size);
		proxy->said_size += size;
	}
	if (!status && proxy->said_size == proxy->say_size && proxy->dropped_lines) {
		char line[LAST_LINE_BYTES];

		snprintf(line, sizeof(line), "dill: %llu lines were dropped: gdb didn't take them in time\n",
			 (unsigned long long)proxy->dropped_lines);
		proxy->dropped_lines = 0;
		status = send_piece(proxy, line, strlen(line));
	}
	return status;
}
