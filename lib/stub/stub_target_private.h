/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the files of stub_target.h share with each other and with the proxy. */
#ifndef DILL_STUB_TARGET_PRIVATE_H
#define DILL_STUB_TARGET_PRIVATE_H

#include "gdb_packet.h"
#include "gdb_registers.h"
#include "packet_link.h"
#include "stub_stream.h"
#include "stub_target.h"
#include "stub_traps.h"
#include "stub_words.h"

/* Requests ahead of their answers: so many answers of 4 KiB fit into the buffer of a Unix socket. */
#define STUB_WINDOW 24
#define STUB_REQUEST_BYTES 512

/* An answer that nobody waits for. */
struct stub_deferred {
	bool is_trap; /* a trap was set in the hope that it works: found to be refused too late for its result */
	struct stub_trap trap;
};

struct stub_cpu {
	char text[STUB_THREAD_TEXT]; /* as the stub writes the thread */
	struct stub_thread thread;
	bool is_cached; /* @cached is how it stands */
	struct stub_registers cached;
	bool has_odd_flags; /* so they were read since it stopped */
	/* A stop that a step of ours met: still to be handled. */
	bool has_pending;
	struct stub_stop_reply pending;
};

/* The thread that Hg selected. */
struct stub_selection {
	bool is_known;
	struct stub_thread thread;
	char text[STUB_THREAD_TEXT];
};

struct stub_target {
	struct stub_stream stream;
	struct packet_link link;
	struct gdb_decoder decoder; /* answers with run lengths */
	int timeout_ms;

	/* What the stub is. */
	bool uses_acks, is_qemu, is_multiprocess, is_pipelined, is_translated, has_vcont;
	size_t packet_size;
	struct stub_cpu *cpus;
	unsigned cpu_count;
	struct gdb_register_map map;
	int rip_number, rsp_number; /* for P; -1 */
	bool has_p; /* P was accepted before */
	bool has_kind[STUB_WATCH_ACCESS + 1]; /* traps of this kind were accepted before */

	/* How it is now. */
	bool is_lost;
	bool is_non_stop;   /* it runs while gdb asks: no traps of ours then */
	bool is_physical;   /* gdb itself set the stub's reads to physical memory */
	struct stub_selection selected; /* what the stub has; gdb's own is the proxy's */
	struct stub_traps traps;
	struct stub_deferred deferred[STUB_WINDOW];
	unsigned deferred_at, deferred_count;
	char last_request[STUB_REQUEST_BYTES]; /* framed, for a stub that says NAK */
	size_t last_size;
	unsigned repeats;

	/* The CPU that a handler moved since the proxy last set this to -1. */
	int moved_cpu;
	int told_cpu; /* stub_tell_cpu(); -1 */
};

/* The connection is taken over in any case. As stub_proxy_open(). */
int stub_target_open(int fd, struct stub_target **ret_target, struct error *err);
/* NULL is fine. */
void stub_target_close(struct stub_target *target);

/* Send a request. Its answer must be awaited, in the order of the requests. */
int stub_send(struct stub_target *target, const char *request, struct error *err);
/* The same for a request whose answer nobody waits for, if the stub lets us. @trap: see stub_deferred; or NULL. */
int stub_send_deferred(struct stub_target *target, const char *request, const struct stub_trap *trap,
		       struct error *err);
/* The next packet that answers nothing deferred, and what to do with acknowledgements, without waiting. */
void stub_next(struct stub_target *target, struct stub_frame *ret_frame);
/* The same, waiting for it. */
int stub_await(struct stub_target *target, struct stub_frame *ret_frame, struct error *err);
/* An answer as text with run lengths expanded. It stays until the next call of this kind. */
int stub_await_text(struct stub_target *target, const char **ret_text, size_t *ret_size, struct error *err);
int stub_ask(struct stub_target *target, const char *request, const char **ret_text, size_t *ret_size,
	     struct error *err);
/* A stop reply, whatever is said before it. */
int stub_await_stop(struct stub_target *target, struct stub_stop_reply *ret_reply, struct error *err);
/* The target stopped with @reply: what was known of it is void, and the stub has selected a thread. */
void stub_target_stopped(struct stub_target *target, const struct stub_stop_reply *reply);
int stub_fail(struct stub_target *target, struct error *err, int code, const char *text);

/* Select the thread of @cpu for reads, if it isn't. */
int stub_select(struct stub_target *target, unsigned cpu, struct error *err);
int stub_select_thread(struct stub_target *target, const struct stub_selection *wanted, struct error *err);
/* What was known of the CPUs' registers is void. */
void stub_registers_forget(struct stub_target *target);
/* What no x86 has, see stub_flags.c. */
bool stub_flags_are_odd(const struct stub_registers *registers);
/* Before the target goes on: take CPUs whose registers were read to where their flags make sense. */
int stub_flags_settle(struct stub_target *target, struct error *err);
/* A CPU with has_pending, or NULL. */
struct stub_cpu *stub_pending_cpu(struct stub_target *target);

/* The CPU of a thread in a stop reply. */
unsigned stub_cpu_of(struct stub_target *target, const char *thread);
/* A stop reply in the terms of handlers. */
void stub_stop_of(struct stub_target *target, const struct stub_stop_reply *reply, struct stub_stop *ret_stop);

/* Tell what kind of stub it is, its CPUs and registers. */
int stub_greet(struct stub_target *target, struct error *err);

/* The request for a trap. */
void stub_trap_request(const struct stub_trap *trap, bool is_set, char *request, size_t size);

extern const struct gdb_register_name stub_register_names[];
extern const size_t stub_register_name_count;

#endif
