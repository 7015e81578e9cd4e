/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A man in the middle between gdb and the stub that it debugs through. He has traps of his own: when one is
 * met he is asked what it means, and the target runs on at once while gdb still thinks that it runs. All else
 * passes through as it is. So traps cost a round trip or two on a local socket, and none of gdb's work for a
 * stop (registers, frames, Python, stepping over).
 *
 * gdb's own breakpoints, steps and Ctrl-C work as without him: a stop that is gdb's too is handled here first
 * and then passed on.
 *
 * How it ends:
 * - gdb detaches or kills: traps of ours are taken away before the stub hears of it.
 * - gdb's connection ends without that. Did gdb wait for the target, the target is set free (D): it runs, with
 *   nobody's traps. Did it stand still, ours are taken away and it stands still for the next debugger, as after
 *   gdb's `disconnect`.
 * - The target's connection ends: so does gdb's.
 * - This process is killed: gdb's connection ends, and a guard (target_guard.h) does for a QEMU what is said for
 *   the end of gdb's connection, except that gdb's own traps are gone as well in any case. Other stubs see the
 *   end of their connection only.
 */
#ifndef DILL_STUB_PROXY_H
#define DILL_STUB_PROXY_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "stub_target.h"

struct stub_proxy;

enum stub_verdict {
	STUB_GO_ON,    /* the target runs on; gdb hears nothing */
	STUB_TELL_GDB, /* gdb gets a stop (SIGTRAP) on that CPU */
};

/* What happens, told while the target stands still. All may use @target freely. */
struct stub_handlers {
	void *context;
	/*
	 * One of our traps was met, once for each time. From a breakpoint the handler may move the CPU on
	 * (stub_registers_jump(), stub_step()), unless stop->is_gdbs; where it doesn't, the proxy steps past it.
	 * Negative: the tracer can't go on; the proxy clears all traps and passes packets only, from then on; @err
	 * is said to gdb's user.
	 * STUB_STOP_OTHER: none was met, but the target stands still for another reason while there are traps of
	 * ours. CPUs may have met some in the same moment, of which the stub doesn't tell.
	 */
	int (*on_trap)(void *context, struct stub_target *target, const struct stub_stop *stop,
		       enum stub_verdict *ret_verdict, struct error *err);
	/* gdb is about to let the target run or step. Memory and registers may have been changed by hand. */
	int (*on_resume)(void *context, struct stub_target *target, struct error *err);
	/*
	 * Something can be read from @control_fd. The target stands still for it: if it was running it was stopped
	 * for this, and runs on afterwards, unnoticed by gdb. Negative: leave (see stub_proxy_run()).
	 */
	int (*on_control)(void *context, struct stub_target *target, int control_fd);
};

/*
 * Stand between @gdb_fd and @target_fd (connected stream sockets; taken over in any case) at a moment when gdb
 * waits for nothing and the target stands still. Finds out on its own whether acknowledgements are in use.
 * -EBUSY: gdb is not idle; -EPROTO: what answers there is no stub.
 */
int stub_proxy_open(int gdb_fd, int target_fd, int control_fd, const struct stub_handlers *handlers,
		    struct stub_proxy **ret_proxy, struct error *err);
/* Closes both connections. NULL is fine. */
void stub_proxy_close(struct stub_proxy *proxy);

struct stub_target *stub_proxy_target(struct stub_proxy *proxy);

/*
 * Pass packets and handle traps until gdb or the target is gone, or on_control() says so. 0: in order, nothing
 * of ours is left in the target.
 */
int stub_proxy_run(struct stub_proxy *proxy, struct error *err);

/*
 * After stub_proxy_run() gave 0: the connection to the target, fit to be used without us, if on_control() ended it;
 * -1 if gdb did. Borrowed: to be duplicated before stub_proxy_close().
 */
int stub_proxy_target_fd(const struct stub_proxy *proxy);
/* As if gdb's connection had ended, for when nobody takes the target. 0 or negative. */
int stub_proxy_abandon(struct stub_proxy *proxy, struct error *err);

/*
 * Text for gdb's user, shown while the target runs for gdb (an O packet); kept until then otherwise, up to a
 * bound, beyond which lines are dropped and counted in a last line that says so.
 */
void stub_proxy_say(struct stub_proxy *proxy, const char *text, size_t size);

/* Since the beginning. */
struct stub_proxy_counts {
	uint64_t traps;     /* of ours that were met */
	uint64_t told;      /* of them, those at which gdb got a stop as well */
	uint64_t gdb_stops; /* gdb's own: breakpoints, steps, Ctrl-C, whether also ours or not */
	uint64_t ghosts;    /* of traps: watchpoints that nobody had set, see stub_stop.address */
	uint64_t busy_ns;   /* host time in which the target stood still for our traps */
};
const struct stub_proxy_counts *stub_proxy_counts(const struct stub_proxy *proxy);

#endif
