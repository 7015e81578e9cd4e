/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The control socket between libdill-gdb.so in gdb and dill-tracer: a request is words, its answer is text
 * and an exit code. Both ends are here. What the words mean is trace_words.h's.
 *
 * A socket pair of SOCK_SEQPACKET keeps the borders of messages, so that neither end can lose step: an answer
 * that comes after its asker has given up is told by its number and dropped.
 */
#ifndef DILL_GDB_CONTROL_H
#define DILL_GDB_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum {
	CONTROL_WORDS_MAX = 256,
	CONTROL_REQUEST_MAX = 32 * 1024,    /* bytes of all words and the directory */
	CONTROL_ANSWER_MAX = 64 * 1024 * 1024, /* bytes of text; what is beyond is cut, and said to be */
};

/* Both ends, close-on-exec and not blocking. Errors as socketpair(2). */
int control_pair(int ret_fds[2], struct error *err);

struct control_request {
	const char *const *words; /* NULL-terminated, without "dill" */
	size_t word_count;
	const char *directory; /* that relative file names are in; NULL or "": the tracer's own */
	bool is_coloured;
	unsigned columns; /* of the terminal; 0: unlimited */
};

/* ---- gdb's end ---- */

struct control_answer {
	int exit_code;   /* enum exit_code */
	char *text;      /* owned, @size bytes and a NUL: for host.write */
	size_t size;
	char *complaint; /* owned; "" or why it failed: one line without newline, escaped for a terminal */
};
void control_answer_deinit(struct control_answer *answer);

struct control_asker {
	int fd; /* borrowed */
	uint32_t sequence;
};

/*
 * Ask, and wait for the answer. @is_interrupted (may be NULL) is called a few times a second; once it says
 * so, the tracer is told to give up and has some seconds to answer that it did.
 * -EINTR: interrupted; -ETIMEDOUT: nothing came for @silence_ms; -EPIPE: the tracer is gone; -E2BIG; -EPROTO:
 * it is another version. After all of them but -EPIPE and -EPROTO one may ask again.
 */
int control_ask(struct control_asker *asker, const struct control_request *request,
		int (*is_interrupted)(void), int silence_ms, struct control_answer *ret_answer,
		struct error *err);

/* ---- the tracer's end ---- */

struct control_received {
	struct control_request request; /* points into @bytes */
	uint32_t sequence;
	char *bytes;        /* owned */
	const char **words; /* owned */
};
void control_received_deinit(struct control_received *received);

/* What is there now. -EAGAIN: no request; -EPIPE: gdb's end is gone; -EPROTO: no request of ours. */
int control_receive(int fd, struct control_received *ret_received, struct error *err);
/* @complaint may be NULL. Gives up (-ETIMEDOUT) when the other end takes nothing for some seconds. */
int control_answer(int fd, uint32_t sequence, int exit_code, const char *text, size_t size,
		   const char *complaint);
/*
 * Whether the asker has given up or gone, to be called now and then by what takes long. Takes that message
 * off the socket, so whoever has heard true must give up.
 */
bool control_is_cancelled(int fd);

#endif
