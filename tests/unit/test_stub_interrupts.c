// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* gdb's Ctrl-C at every point of the exchange between gdb, the man in the middle and the stub: one stop, no more. */
#include <limits.h>

#include "proxy_fixture.h"

/* The run ends in a stop that only an interrupt gives; so does the next one. */
static const struct scripted_stub met_thrice = {
	.uses_acks = true,
	.stops = { { MET, 1, 0 }, { "T05thread:p01.02;", 0x4000, 0 }, { MET, 1, 0 }, WAITS, WAITS },
	.stop_count = 5,
};

static void press_ctrl_c(struct stand *stand)
{
	assert_int_equal(send(stand->gdb, "\x03", 1, 0), 1);
}

static void hears_stop(struct stand *stand, const char *signal)
{
	const char *stop = gdb_receive(stand);

	/* S or T: a stub of one CPU needn't say of which one. */
	if (strncmp(stop + 1, signal, strlen(signal)) != 0)
		fail_msg("%s instead of %s; the stub was asked: %s", stop, signal, stand->stub.log);
}

static void stub_runs(struct stand *stand)
{
	for (int i = 0; i < WAIT_MS && !stand->stub.is_running; i++)
		usleep(1000);
	if (!stand->stub.is_running)
		fail_msg("the target doesn't run: %s", stand->stub.log);
}

/* What gdb has said so far is done with: no other stop comes, and the next Ctrl-C is answered by one as well. */
static void next_run_is_stopped_by_ctrl_c_alone(struct stand *stand)
{
	gdb_ask(stand, "qC", "QCp01.01");
	gdb_send(stand, "vCont;c");
	stub_runs(stand);
	press_ctrl_c(stand);
	hears_stop(stand, "02");
	gdb_ask(stand, "qC", "QCp01.01");
}

static void look_at_cpu(struct stand *stand, struct stub_target *target)
{
	struct stub_registers registers;

	(void)stand;
	must(stub_registers_read(target, 0, &registers, NULL) == 0);
}

static struct stand *stand_with_traps(struct scripted_stub stub)
{
	struct stand *stand = stand_open(stub);

	stand->during_trap = stub.is_qemu ? read_other_cpu : look_at_cpu;
	control(stand, set_watch);
	control(stand, set_break);
	return stand;
}

static void interrupt_at(struct stand *stand, unsigned request, bool is_before)
{
	stand->stub.interrupt_fd = stand->gdb;
	stand->stub.interrupts_before = is_before;
	stand->stub.request_count = 0;
	stand->stub.interrupt_at = request ? request : UINT_MAX;
}

/* Returns how many requests the stub got before the target ran for good. */
static unsigned interrupted_at(struct scripted_stub stub, unsigned request, bool is_before)
{
	struct stand *stand = stand_with_traps(stub);
	unsigned requests = 0;

	interrupt_at(stand, request, is_before);
	gdb_ask(stand, "Z0,5000,1", "OK");
	gdb_send(stand, "vCont;c");
	if (!request) {
		stub_runs(stand);
		requests = stand->stub.request_count;
		press_ctrl_c(stand);
	}
	hears_stop(stand, "02");
	next_run_is_stopped_by_ctrl_c_alone(stand);
	stand_close(stand);
	return requests;
}

static void at_every_point(struct scripted_stub stub)
{
	unsigned requests = interrupted_at(stub, 0, false);

	assert_true(requests > 10);
	for (unsigned request = 1; request <= requests; request++) {
		interrupted_at(stub, request, true);
		interrupted_at(stub, request, false);
	}
}

static void one_stop_whatever_the_stub_was_asked_last(void **state)
{
	struct scripted_stub stub = met_thrice;

	(void)state;
	at_every_point(stub);
	stub.uses_acks = false;
	at_every_point(stub);
	stub.is_qemu = true;
	at_every_point(stub);
	stub.uses_acks = true;
	at_every_point(stub);
}

static void ctrl_c_between_gdbs_request_and_its_request_to_run_answers_that_at_once(void **state)
{
	struct stand *stand = stand_with_traps(
		(struct scripted_stub){ .is_qemu = true, .uses_acks = true, .stops = { WAITS, WAITS }, .stop_count = 2 });

	(void)state;
	/* As gdb 13 does for a Ctrl-C that comes when it has shown "Continuing.". */
	gdb_ask(stand, "Hgp1.2", "OK");
	press_ctrl_c(stand);
	gdb_ask(stand, "vCont?", "vCont;c;C;s;S");
	gdb_ask(stand, "vCont;c:p1.-1", "T02thread:p1.2;");
	assert_int_equal(stand->resume_count, 0);
	assert_false(stand->stub.is_running);
	next_run_is_stopped_by_ctrl_c_alone(stand);
	stand_close(stand);
}

static void ctrl_c_long_before_a_request_to_run_was_for_nothing(void **state)
{
	struct stand *stand = stand_with_traps(
		(struct scripted_stub){ .is_qemu = true, .uses_acks = true, .stops = { WAITS }, .stop_count = 1 });

	(void)state;
	gdb_ask(stand, "qC", "QCp01.01");
	press_ctrl_c(stand);
	sleep(3);
	next_run_is_stopped_by_ctrl_c_alone(stand);
	stand_close(stand);
}

static void ctrl_c_that_crosses_a_stop_is_answered_by_it(void **state)
{
	struct stand *stand = stand_with_traps((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;", 0x5000, 0 }, WAITS },
		.stop_count = 2 });

	(void)state;
	gdb_ask(stand, "Z0,5000,1", "OK");
	gdb_send(stand, "vCont;c");
	hears_stop(stand, "05");
	press_ctrl_c(stand);
	next_run_is_stopped_by_ctrl_c_alone(stand);
	stand_close(stand);
}

/* gdb steps past a breakpoint by itself when it is to continue. */
static void ctrl_c_around_a_step_is_answered_then_or_by_the_next_request(void **state)
{
	static const uint64_t places[] = { 0x3000, 0x4000 }; /* there is one of our breakpoints, which is stepped past */

	(void)state;
	for (unsigned i = 0; i < 2 * 6; i++) {
		struct stand *stand = stand_with_traps((struct scripted_stub){
			.is_qemu = true, .uses_acks = true, .stops = { WAITS, WAITS }, .stop_count = 2 });
		const char *stop;

		stand->stub.registers[0][AT_RIP] = places[i / 6];
		interrupt_at(stand, 1 + i % 6 / 2, i % 2 == 0);
		gdb_ask(stand, "qC", "QCp01.01");
		gdb_send(stand, "vCont;s:p1.1");
		stop = gdb_receive(stand);
		if (strncmp(stop, "T05", 3) == 0) {
			if (stand->stub.interrupt_at > stand->stub.request_count)
				press_ctrl_c(stand);
			gdb_send(stand, "vCont;c");
			hears_stop(stand, "02");
		} else {
			assert_memory_equal(stop, "T02", 3);
		}
		next_run_is_stopped_by_ctrl_c_alone(stand);
		stand_close(stand);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_stop_whatever_the_stub_was_asked_last),
		cmocka_unit_test(ctrl_c_between_gdbs_request_and_its_request_to_run_answers_that_at_once),
		cmocka_unit_test(ctrl_c_long_before_a_request_to_run_was_for_nothing),
		cmocka_unit_test(ctrl_c_that_crosses_a_stop_is_answered_by_it),
		cmocka_unit_test(ctrl_c_around_a_step_is_answered_then_or_by_the_next_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
