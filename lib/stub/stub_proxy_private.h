/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the files of stub_proxy.h share. */
#ifndef DILL_STUB_PROXY_PRIVATE_H
#define DILL_STUB_PROXY_PRIVATE_H

#include "stub_proxy.h"
#include "stub_target_private.h"
#include "target_guard.h"

#define STUB_RESUME_BYTES 1024
#define STUB_STOP_BYTES 1024

/*
 * What the guard says to a QEMU should this process be killed: "#00#00" brings the stub's parser back from
 * wherever it is and stops a guest that runs. Then "?", at which QEMU takes away all traps (it is a new
 * debugger's first word), and, if gdb had let the guest run, D, after which it runs.
 */
#define STUB_FAREWELL_STOPPED "#00#00$?#3f"
#define STUB_FAREWELL_RUNNING(target) \
	((target)->is_multiprocess ? STUB_FAREWELL_STOPPED "$D;1#b0" : STUB_FAREWELL_STOPPED "$D#44")

/*
 * What gdb waits for.
 *
 *             request                 resume
 *   IDLE ──────────────▶ ASKED    IDLE ──────▶ RUNNING
 *        ◀──────────────               ◀──────
 *             answer                  stop that gdb is told of
 *
 * In RUNNING the target also stands still at times, without gdb's knowledge: while a stop is handled.
 *
 * Ctrl-C (0x03) is answered by one stop, whenever it comes. Stubs hear it while their target runs only; so what
 * becomes of it is decided here:
 *
 *   RUNNING         goes to the stub. Whatever stop comes then is told as SIGINT, if it isn't a trap of gdb's: also
 *                   one of ours, and the end of a step, from which gdb may mean to go on by itself.
 *   IDLE, ASKED     gdb 13 sends it for a Ctrl-C between `continue` and its request to run, and waits for a stop
 *                   ever after: it is kept for a moment, in which that request is answered at once. (`interrupt`
 *                   at gdb's prompt sends it as well, and wants nothing.)
 *   IDLE, and gdb   It crossed the stop that gdb was told of, which answers it. Not so the end of a step, see above:
 *   has said        then it is kept as well.
 *   nothing since
 */
enum stub_proxy_state { STUB_IDLE, STUB_ASKED, STUB_RUNNING };

struct stub_proxy {
	struct stub_target *target;
	struct stub_stream gdb;
	int control_fd; /* owned; -1: none */
	struct stub_handlers handlers;
	struct target_guard guard;
	bool gdb_acks;
	char *last; /* frame sent to gdb, for when it says NAK */
	size_t last_size, last_capacity;

	enum stub_proxy_state state;
	/* Of STUB_ASKED. */
	enum stub_word asked;
	bool asked_is_set;
	struct stub_trap asked_trap;
	struct stub_trap *kept; /* traps of ours to be set again after the answer, owned */
	size_t kept_count;
	/* Of STUB_RUNNING: gdb's request, and what is sent to go on with it. */
	char again[STUB_RESUME_BYTES];
	size_t again_size;
	char stop_text[STUB_STOP_BYTES]; /* the stop reply in hand, as the stub said it */
	bool has_yet_to_go;   /* what is handled was met before gdb's request: it ends no step */
	bool is_interrupted;  /* gdb sent 0x03 since it let the target run */
	uint64_t kept_ns;     /* when gdb sent 0x03 for its next request to run, or 0 */
	bool has_said;        /* gdb did say something since it was told of a stop */
	bool has_told_step;   /* that stop was the end of a step */
	bool wants_control;   /* we did, for on_control() */
	bool owes_interrupt;  /* a 0x03 that came too late may still stop the target: for nobody */

	/* gdb's choice of threads (Hg, Hc). */
	struct stub_selection selected;
	struct stub_thread selected_run;
	/* One of our breakpoints where this CPU stands was handled when gdb was told of the stop. */
	bool has_told;
	unsigned told_cpu;
	uint64_t told_rip;

	bool is_deaf;     /* a handler failed: packets pass, no more */
	bool is_detached; /* gdb let the target go */
	bool is_leaving;

	char *say;
	size_t say_size, said_size; /* bytes in it, and how many of them gdb was sent */
	uint64_t say_since_ns, dropped_lines;
	struct stub_proxy_counts counts;
};

/* stub_proxy_gdb.c: what comes from gdb. */
int stub_take_from_gdb(struct stub_proxy *proxy, const struct stub_frame *frame, struct error *err);
int stub_take_answer(struct stub_proxy *proxy, const struct stub_frame *frame, struct error *err);
/* A frame as it is, or a payload to be framed, to gdb. -EPIPE: gdb has stopped reading. */
int stub_pass_to_gdb(struct stub_proxy *proxy, const char *frame, size_t size);
int stub_tell_gdb(struct stub_proxy *proxy, const char *payload);

/* stub_proxy_stop.c: the target stops, and goes on. */
int stub_take_stop(struct stub_proxy *proxy, const struct stub_frame *frame, struct error *err);
int stub_resume(struct stub_proxy *proxy, const struct stub_frame *frame, struct error *err);
/* The target stands still: let on_control() read. */
int stub_control(struct stub_proxy *proxy, struct error *err);
/* After a handler failed with @failure. 0, or negative when the connection is lost as well. */
int stub_become_deaf(struct stub_proxy *proxy, const struct error *failure, struct error *err);

/* stub_proxy_say.c */
int stub_say_init(struct stub_proxy *proxy);
/* Send what is due, or all there is. */
int stub_say_flush(struct stub_proxy *proxy, bool is_last);
/* Milliseconds until something is due, −1 when nothing is. */
int stub_say_wait_ms(const struct stub_proxy *proxy);

uint64_t stub_now_ns(void);

#endif
