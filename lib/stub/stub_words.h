/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What packets of gdb's remote protocol say, as far as the man in the middle must know: which of gdb's
 * requests let the target run, set traps or select threads, and why the target stopped. Text to values; no
 * connection. Source: "Debugging with GDB", appendix E "gdb Remote Serial Protocol".
 */
#ifndef DILL_STUB_WORDS_H
#define DILL_STUB_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stub_target.h"

enum stub_word {
	STUB_WORD_PLAIN,        /* has one answer, changes nothing that we know of */
	STUB_WORD_RESUME,       /* c s C S vCont: the answer is a stop reply, when there is one */
	STUB_WORD_RESUME_BACK,  /* bc bs */
	STUB_WORD_TRAP,         /* Z z */
	STUB_WORD_SELECT,       /* Hg */
	STUB_WORD_SELECT_RUN,   /* Hc */
	STUB_WORD_STATUS,       /* ?: QEMU forgets all traps at it */
	STUB_WORD_DETACH,       /* D */
	STUB_WORD_KILL,         /* k vKill R: an answer is not certain */
	STUB_WORD_PHYSICAL,     /* Qqemu.PhyMemMode */
	STUB_WORD_NO_ACK,       /* QStartNoAckMode */
	STUB_WORD_NON_STOP,     /* QNonStop */
	STUB_WORD_MONITOR,      /* qRcmd: texts (O) come before its answer */
	STUB_WORD_FILE_ANSWER,  /* F: to a request of the stub's, while the target runs */
};

enum stub_word stub_word_of(const char *body, size_t size);

/* "p1.2", "2", "p1.-1", "-1", "0". 0 is any, -1 all. Without a process, it is 0. */
struct stub_thread {
	int64_t process, thread;
};
bool stub_thread_parse(const char *text, size_t size, struct stub_thread *ret_thread);
/* Whether @pattern, which may say "all" or "any", takes in @thread. */
bool stub_thread_matches(const struct stub_thread *pattern, const struct stub_thread *thread);

enum { STUB_THREAD_TEXT = 40 };

struct stub_stop_reply {
	bool is_end; /* W X: the target is no more */
	unsigned signal;
	bool has_watch;
	enum stub_trap_kind trap;
	uint64_t address;
	char thread[STUB_THREAD_TEXT]; /* as the stub writes it; "" when it doesn't say */
};
/* False for what is no stop reply. */
bool stub_stop_parse(const char *body, size_t size, struct stub_stop_reply *ret_reply);

/* Z or z with its trap. Conditions and commands for the stub to evaluate are passed over. */
bool stub_trap_parse(const char *body, size_t size, bool *ret_is_set, struct stub_trap *ret_trap);

/* What a request to run does with @thread: 'c', 's', 'r' (steps within a range), or 0. @selected is that of Hc. */
char stub_resume_action(const char *body, size_t size, const struct stub_thread *selected,
			const struct stub_thread *thread);
/*
 * The same request for when the target has run and goes on: without signals and addresses to go on at. Returns
 * its size; 0 when it doesn't fit.
 */
size_t stub_resume_again(const char *body, size_t size, char *again, size_t capacity);

#endif
