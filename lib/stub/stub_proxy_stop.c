// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The target stops: whose stop is it, what becomes of it, and how does the target go on?
 *
 * A breakpoint is met when its instruction is about to run, a watchpoint when its instruction has run. gdb's
 * step ends before the next instruction: a breakpoint there isn't met yet, and a step from there doesn't meet
 * it either, so it is handled before such a step.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stub_proxy_private.h"

#define SIGNAL_INT 2
#define SIGNAL_TRAP 5

/* From gdb's 0x03 to its request to run there are some packets, on a machine that may be busy. */
#define KEPT_NS 2000000000u

/* One stop of the target while it runs for gdb. */
struct stop {
	struct stub_stop_reply reply;
	struct stub_stop what;
	bool is_step_done; /* gdb's step, which this ends */
	unsigned owners;
	struct stub_trap gdbs; /* the watchpoint of gdb's that was met */
	uint64_t rip;          /* of a breakpoint of ours */
};

/* Telling gdb --------------------------------------------------------------------------------------------- */

static void say_stop(char *text, size_t size, unsigned signal, const char *thread, const struct stub_trap *watch)
{
	static const char *const names[] = { [STUB_WATCH_WRITE] = "watch", [STUB_WATCH_READ] = "rwatch",
					     [STUB_WATCH_ACCESS] = "awatch" };
	int at = snprintf(text, size, thread[0] ? "T%02xthread:%s;" : "S%02x%s", signal, thread);

	if (watch && thread[0] && (size_t)at < size)
		snprintf(text + at, size - (size_t)at, "%s:%llx;", names[watch->kind],
			 (unsigned long long)watch->address);
}

/* gdb takes the thread that it is told of for the selected one. */
static int tell(struct stub_proxy *proxy, const char *text, const char *thread)
{
	int status = stub_say_flush(proxy, true);

	if (thread[0]) {
		snprintf(proxy->selected.text, sizeof(proxy->selected.text), "%s", thread);
		proxy->selected.is_known = stub_thread_parse(thread, strlen(thread), &proxy->selected.thread);
	}
	proxy->state = STUB_IDLE;
	proxy->has_said = proxy->has_told_step = false;
	if (proxy->target->is_qemu)
		target_guard_decide(&proxy->guard, STUB_FAREWELL_STOPPED);
	return status ? status : stub_tell_gdb(proxy, text);
}

static int tell_stop(struct stub_proxy *proxy, const struct stop *stop, bool is_as_said)
{
	bool is_gdbs_watch = stop->what.kind == STUB_STOP_WATCH && stop->owners & STUB_GDBS;
	const char *thread = stop->reply.thread;
	char text[STUB_STOP_BYTES];

	if (is_gdbs_watch && (stop->gdbs.kind != stop->reply.trap || stop->gdbs.address != stop->reply.address)) {
		say_stop(text, sizeof(text), SIGNAL_TRAP, stop->reply.thread, &stop->gdbs);
		return tell(proxy, text, stop->reply.thread);
	}
	if (is_as_said)
		return tell(proxy, proxy->stop_text, stop->reply.thread);
	/* Ours alone: of the CPU that met it. */
	if (proxy->target->told_cpu >= 0)
		thread = proxy->target->cpus[proxy->target->told_cpu].text;
	say_stop(text, sizeof(text), SIGNAL_TRAP, thread, NULL);
	return tell(proxy, text, thread);
}

static int tell_interrupt(struct stub_proxy *proxy, const char *thread)
{
	char text[STUB_STOP_BYTES];

	say_stop(text, sizeof(text), SIGNAL_INT, thread, NULL);
	return tell(proxy, text, thread);
}

/* A stop that gdb hears of, or that came in place of gdb's interrupt; or neither. */
static int tell_of_both(struct stub_proxy *proxy, const struct stop *stop, bool tells, bool is_as_said)
{
	bool is_step = stop->is_step_done && !(stop->owners & STUB_GDBS);
	int status = 0;

	if (tells && !(is_step && proxy->is_interrupted)) {
		status = tell_stop(proxy, stop, is_as_said);
		proxy->has_told_step = is_step;
	} else if (tells || proxy->is_interrupted) {
		/* It came too late to stop the target. QEMU throws it away then; others keep it for the next run. */
		proxy->owes_interrupt = !proxy->target->is_qemu;
		status = tell_interrupt(proxy, stop->reply.thread);
	}
	return status;
}

static int tell_step(struct stub_proxy *proxy, const char *text, const char *thread)
{
	int status = tell(proxy, text, thread);

	proxy->has_told_step = true;
	return status;
}

/* gdb has interrupted the request to run that comes now. */
static bool take_kept_interrupt(struct stub_proxy *proxy)
{
	bool is_kept = proxy->kept_ns && stub_now_ns() - proxy->kept_ns < KEPT_NS;

	proxy->kept_ns = 0;
	return is_kept;
}

/* The target has stood still. */
static int tell_kept_interrupt(struct stub_proxy *proxy)
{
	const struct stub_selection *selected = &proxy->selected;
	bool is_one = selected->is_known && selected->thread.thread > 0;

	return tell_interrupt(proxy, is_one ? selected->text : proxy->target->cpus[0].text);
}

/* Handlers ------------------------------------------------------------------------------------------------- */

int stub_become_deaf(struct stub_proxy *proxy, const struct error *failure, struct error *err)
{
	char line[640];

	if (proxy->target->is_lost)
		return error_set(err, failure->code ? failure->code : -EIO, "%s", failure->text);
	proxy->is_deaf = true;
	snprintf(line, sizeof(line), "dill: tracing has ended: %s\n", failure->text);
	stub_proxy_say(proxy, line, strlen(line));
	return stub_traps_clear(proxy->target, err);
}

static int handle(struct stub_proxy *proxy, const struct stub_stop *what, enum stub_verdict *ret_verdict,
		  struct error *err)
{
	struct error failure = { 0 };
	int status;

	*ret_verdict = STUB_GO_ON;
	proxy->counts.traps += what->kind != STUB_STOP_OTHER;
	proxy->target->moved_cpu = proxy->target->told_cpu = -1;
	if (!proxy->handlers.on_trap)
		return 0;
	status = proxy->handlers.on_trap(proxy->handlers.context, proxy->target, what, ret_verdict, &failure);
	return status < 0 ? stub_become_deaf(proxy, &failure, err) : 0;
}

int stub_control(struct stub_proxy *proxy, struct error *err)
{
	proxy->wants_control = false;
	if (proxy->handlers.on_control(proxy->handlers.context, proxy->target, proxy->control_fd) >= 0)
		return 0;
	proxy->is_leaving = true;
	return stub_traps_clear(proxy->target, err);
}

/* Going on ------------------------------------------------------------------------------------------------- */

static char action_of(const struct stub_proxy *proxy, unsigned cpu)
{
	return stub_resume_action(proxy->again, proxy->again_size, &proxy->selected_run,
				  &proxy->target->cpus[cpu].thread);
}

static bool is_step(char action)
{
	return action == 's' || action == 'r';
}

static int handle_stop(struct stub_proxy *proxy, const struct stub_stop_reply *reply, bool *ret_goes_on,
		       struct error *err);

/* What a step of ours met, as if the target had stopped for it. */
static int handle_pending(struct stub_proxy *proxy, bool *ret_goes_on, struct error *err)
{
	struct stub_cpu *met = stub_pending_cpu(proxy->target);
	struct stub_stop_reply reply = met->pending;
	struct stub_trap watch = { .kind = reply.trap, .address = reply.address };

	met->has_pending = false;
	say_stop(proxy->stop_text, sizeof(proxy->stop_text), reply.signal, reply.thread,
		 reply.has_watch ? &watch : NULL);
	return handle_stop(proxy, &reply, ret_goes_on, err);
}

/*
 * gdb lets @cpu run from a breakpoint of ours: it is handled, if it wasn't, and stepped past. Stubs go on from
 * a breakpoint in different ways, so nothing is left to them.
 */
static int leave_breakpoint(struct stub_proxy *proxy, unsigned cpu, bool *ret_goes_on, struct error *err)
{
	struct stub_stop what = { .kind = STUB_STOP_BREAK, .cpu = cpu, .is_gdbs = true };
	char action = action_of(proxy, cpu), text[STUB_STOP_BYTES];
	struct stub_registers registers;
	enum stub_verdict verdict;
	bool was_told;
	int status = stub_registers_read(proxy->target, cpu, &registers, err);

	if (status || !(stub_traps_at(&proxy->target->traps, registers.rip) & STUB_OURS))
		return status;
	was_told = proxy->has_told && proxy->told_cpu == cpu && proxy->told_rip == registers.rip;
	if (!action || (!was_told && !is_step(action)))
		return 0;
	if (!was_told)
		status = handle(proxy, &what, &verdict, err);
	if (!status)
		status = stub_step(proxy->target, cpu, err);
	if (status || !is_step(action))
		return status;
	*ret_goes_on = false;
	if (stub_pending_cpu(proxy->target))
		return handle_pending(proxy, ret_goes_on, err);
	say_stop(text, sizeof(text), SIGNAL_TRAP, proxy->target->cpus[cpu].text, NULL);
	return tell_step(proxy, text, proxy->target->cpus[cpu].text);
}

static int leave_breakpoints(struct stub_proxy *proxy, bool *ret_goes_on, struct error *err)
{
	struct stub_target *target = proxy->target;
	bool is_told = proxy->has_told;
	int status = 0;

	for (unsigned cpu = 0; !status && *ret_goes_on && cpu < target->cpu_count; cpu++)
		if (target->traps.our_break_count &&
		    ((is_told && proxy->told_cpu == cpu) || is_step(action_of(proxy, cpu))))
			status = leave_breakpoint(proxy, cpu, ret_goes_on, err);
	proxy->has_told = false;
	return status;
}

/* Let it run as gdb wants it, once whatever a step of ours met is handled. */
static int go_on(struct stub_proxy *proxy, const char *packet, size_t size, struct error *err)
{
	struct stub_target *target = proxy->target;
	bool goes_on = true;
	int status;

	while (stub_pending_cpu(target)) {
		proxy->has_yet_to_go = true;
		status = handle_pending(proxy, &goes_on, err);
		proxy->has_yet_to_go = false;
		if (status || !goes_on)
			return status;
	}
	stub_registers_forget(target);
	return stub_stream_put(&target->stream, packet, size) ? stub_fail(target, err, -ENOMEM, "out of memory") : 0;
}

static int go_on_again(struct stub_proxy *proxy, struct error *err)
{
	char frame[2 * STUB_RESUME_BYTES + 4];
	size_t size = gdb_encode(proxy->again, proxy->again_size, frame, sizeof(frame));
	bool steps = false;
	int status = 0;

	for (unsigned cpu = 0; cpu < proxy->target->cpu_count; cpu++)
		steps |= is_step(action_of(proxy, cpu));
	if (!steps)
		status = stub_flags_settle(proxy->target, err);
	return status ? status : go_on(proxy, frame, size, err);
}

int stub_resume(struct stub_proxy *proxy, const struct stub_frame *frame, struct error *err)
{
	struct error failure = { 0 };
	bool goes_on = true;
	int status = 0;

	proxy->again_size = stub_resume_again(frame->body, frame->body_size, proxy->again, sizeof(proxy->again));
	if (!proxy->again_size)
		return error_set(err, -EMSGSIZE, "gdb's request to run is too long");
	proxy->state = STUB_RUNNING;
	proxy->is_interrupted = false;
	if (take_kept_interrupt(proxy))
		return tell_kept_interrupt(proxy);
	stub_registers_forget(proxy->target);
	if (!proxy->is_deaf && proxy->handlers.on_resume)
		status = proxy->handlers.on_resume(proxy->handlers.context, proxy->target, &failure);
	status = status < 0 ? stub_become_deaf(proxy, &failure, err) : 0;
	if (!status)
		status = leave_breakpoints(proxy, &goes_on, err);
	if (status || !goes_on)
		return status;
	if (proxy->target->is_qemu)
		target_guard_decide(&proxy->guard, STUB_FAREWELL_RUNNING(proxy->target));
	/* QEMU is asked for the selected thread anew when it stops. */
	status = proxy->target->has_vcont ? 0 : stub_select_thread(proxy->target, &proxy->selected, err);
	return status ? status : go_on(proxy, frame->bytes, frame->size, err);
}

/* Stops ---------------------------------------------------------------------------------------------------- */

static int find_owners(struct stub_proxy *proxy, struct stop *stop, struct error *err)
{
	const struct stub_traps *traps = &proxy->target->traps;
	char action = proxy->has_yet_to_go ? 0 : action_of(proxy, stop->what.cpu);
	struct stub_registers registers;
	int status;

	stop->is_step_done = is_step(action) && stop->what.kind == STUB_STOP_BREAK;
	if (stop->what.kind == STUB_STOP_WATCH) {
		stop->owners = stub_traps_met(traps, stop->what.trap, stop->what.address, &stop->gdbs);
		/* The step's one instruction has met it; a step within a range goes on. */
		stop->is_step_done = action == 's';
	}
	if (stop->what.kind != STUB_STOP_BREAK || stop->is_step_done ||
	    !(traps->our_break_count || (proxy->target->is_qemu && stub_trap_count(proxy->target))))
		return 0;
	status = stub_registers_read(proxy->target, stop->what.cpu, &registers, err);
	if (status)
		return status;
	stop->rip = registers.rip;
	stop->owners = stub_traps_at(traps, registers.rip);
	return 0;
}

static int handle_ours(struct stub_proxy *proxy, struct stop *stop, bool *ret_tells, struct error *err)
{
	enum stub_verdict verdict = STUB_GO_ON;
	bool is_break = stop->what.kind == STUB_STOP_BREAK;
	int status;

	stop->what.is_gdbs = *ret_tells;
	status = handle(proxy, &stop->what, &verdict, err);
	if (status)
		return status;
	*ret_tells |= verdict == STUB_TELL_GDB;
	if (!is_break || proxy->target->moved_cpu == (int)stop->what.cpu)
		return 0;
	if (!*ret_tells && !proxy->is_interrupted)
		return stub_step(proxy->target, stop->what.cpu, err);
	proxy->has_told = true;
	proxy->told_cpu = stop->what.cpu;
	proxy->told_rip = stop->rip;
	return 0;
}

/* A stop that isn't ours: CPUs that have met traps of ours unheard are looked at before anybody else does. */
static int handle_unheard(struct stub_proxy *proxy, const struct stop *stop, bool *ret_tells, struct error *err)
{
	struct stub_stop what = { .kind = STUB_STOP_OTHER, .cpu = stop->what.cpu,
				  .is_gdbs = stop->what.kind != STUB_STOP_OTHER };
	enum stub_verdict verdict = STUB_GO_ON;
	int status;

	if (proxy->is_deaf || !stub_trap_count(proxy->target))
		return 0;
	status = handle(proxy, &what, &verdict, err);
	*ret_tells |= verdict == STUB_TELL_GDB;
	return status;
}

/*
 * A watchpoint that nobody set. QEMU keeps a pointer to the one that a CPU has met (CPUState.watchpoint_hit)
 * until that CPU's stop is told; is it taken away meanwhile, because another CPU's stop came first, the pointer
 * stays, and at some later access to a watched page it is told as what was met, whatever is there by then.
 * Seen in 7.2.
 */
static bool is_ghost(const struct stub_proxy *proxy, const struct stop *stop)
{
	if (stop->owners || !proxy->target->is_qemu)
		return false;
	/* Two CPUs met one in the same moment: QEMU stops once more when it goes on, for nothing. */
	if (stop->what.kind == STUB_STOP_BREAK)
		return !stop->is_step_done && stub_trap_count(proxy->target);
	return stop->what.kind == STUB_STOP_WATCH;
}

/* @ret_goes_on: whether the target is to run on, which is left to the caller. */
static int handle_stop(struct stub_proxy *proxy, const struct stub_stop_reply *reply, bool *ret_goes_on,
		       struct error *err)
{
	struct stop stop = { .reply = *reply };
	bool is_ours, tells, is_as_said;
	int status;

	*ret_goes_on = false;
	stub_stop_of(proxy->target, reply, &stop.what);
	status = find_owners(proxy, &stop, err);
	if (status)
		return status;
	if (is_ghost(proxy, &stop)) {
		proxy->counts.ghosts++;
		stop.what.kind = STUB_STOP_WATCH;
		stop.what.trap = STUB_WATCH_ACCESS; /* what it says of that is as little true */
		stop.what.address = 0;
		stop.owners = STUB_OURS;
	}
	is_ours = stop.owners & STUB_OURS;
	tells = !is_ours || stop.owners & STUB_GDBS || stop.is_step_done;
	if (reply->signal == SIGNAL_INT && !proxy->is_interrupted && (proxy->wants_control || proxy->owes_interrupt)) {
		proxy->owes_interrupt &= proxy->wants_control;
		tells = false;
	} else if (proxy->wants_control) {
		proxy->owes_interrupt = !proxy->target->is_qemu;
	}
	proxy->counts.gdb_stops += tells;
	is_as_said = tells && (!is_ours || stop.owners & STUB_GDBS);
	if (is_ours)
		status = handle_ours(proxy, &stop, &tells, err);
	else
		status = handle_unheard(proxy, &stop, &tells, err);
	if (!status)
		status = tell_of_both(proxy, &stop, tells, is_as_said);
	proxy->counts.told += is_ours && proxy->state == STUB_IDLE;
	*ret_goes_on = proxy->state == STUB_RUNNING;
	return status;
}

int stub_take_stop(struct stub_proxy *proxy, const struct stub_frame *frame, struct error *err)
{
	uint64_t since_ns = stub_now_ns();
	struct stub_stop_reply reply;
	bool goes_on = false;
	int status;

	if (!stub_stop_parse(frame->body, frame->body_size, &reply) || frame->body_size >= STUB_STOP_BYTES ||
	    reply.is_end) {
		proxy->state = STUB_IDLE;
		return stub_pass_to_gdb(proxy, frame->bytes, frame->size);
	}
	memcpy(proxy->stop_text, frame->body, frame->body_size);
	proxy->stop_text[frame->body_size] = '\0';
	stub_target_stopped(proxy->target, &reply);
	status = handle_stop(proxy, &reply, &goes_on, err);
	if (!status && proxy->wants_control)
		status = stub_control(proxy, err);
	if (!status && goes_on)
		status = go_on_again(proxy, err);
	proxy->counts.busy_ns += stub_now_ns() - since_ns;
	return status;
}
