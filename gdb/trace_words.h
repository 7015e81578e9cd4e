/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The words of `dill …` in gdb, as dill-tracer runs them: run, stop, on, off, status, filter, record, log,
 * watch, break, or processes to follow. Holds what they set (filter, record, log …) before, during and after
 * a trace, and shows events. Sets no traps itself: that is heap_trace.h's.
 *
 * To use it, give a struct trace_host, and put the three trace_session_on_…() into struct stub_handlers with
 * the session as their context:
 *
 *     trace_session_create(&host, &session);
 *     handlers = (struct stub_handlers){ session, trace_session_on_trap, trace_session_on_resume,
 *                                        trace_session_on_control };
 *     stub_proxy_open(gdb_fd, target_fd, control_fd, &handlers, &proxy, &err);
 *     stub_proxy_run(proxy, &err);
 *     trace_session_destroy(session);
 */
#ifndef DILL_GDB_TRACE_WORDS_H
#define DILL_GDB_TRACE_WORDS_H

#include <stddef.h>

#include "control.h"
#include "error.h"
#include "heap_trace.h"
#include "stub_proxy.h"

struct kernel;
struct trace_session;

/* What the tracer gives its words. Copied by trace_session_create(). */
struct trace_host {
	void *context;
	/*
	 * The kernel of the target, which stands still: opened when `run` first asks, then kept as long as it
	 * is the same one. It must live until the next call or trace_session_destroy(), whichever comes
	 * first. Whoever reads for it may ask control_is_cancelled(), and fail with -EINTR.
	 */
	int (*open_kernel)(void *context, struct stub_target *target, struct kernel **ret_kernel,
			   struct error *err);
	/* Text for gdb's user outside of an answer: stub_proxy_say(). */
	void (*say)(void *context, const char *text, size_t size);
	/* stub_proxy_counts(); never NULL. */
	const struct stub_proxy_counts *(*counts)(void *context);
};

int trace_session_create(const struct trace_host *host, struct trace_session **ret_session);
/* Closes the log and forgets the trace; the target is not touched: stub_proxy_run() has cleaned it. */
void trace_session_destroy(struct trace_session *session);

/* For struct stub_handlers: @session is the struct trace_session. */
int trace_session_on_trap(void *session, struct stub_target *target, const struct stub_stop *stop,
			  enum stub_verdict *ret_verdict, struct error *err);
int trace_session_on_resume(void *session, struct stub_target *target, struct error *err);
/* Receives a request, runs it and answers. Negative: gdb's end of @control_fd is gone. */
int trace_session_on_control(void *session, struct stub_target *target, int control_fd);

/*
 * Run @request. Its output is in @ret_text (owned by the session, until the next call), and its failure in
 * @err. Returns an exit code (enum exit_code). @target may be NULL: words that need one say so.
 */
int trace_session_say(struct trace_session *session, struct stub_target *target,
		      const struct control_request *request, const char **ret_text, size_t *ret_size,
		      struct error *err);

#endif
