// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Whose is a stop: gdb's, ours, or nobody's; and how the target goes on after it. */
#include "proxy_fixture.h"

/* Traps ------------------------------------------------------------------------------------------------------- */

static void our_stops_are_handled_and_gdb_hears_nothing(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { MET, 1, 0 }, { MET, 2, 0 }, WAITS }, .stop_count = 3 });

	(void)state;
	control(stand, set_watch);
	gdb_send(stand, "vCont;c:p1.-1");
	stub_is_asked(stand, "vCont;c:p1.-1 vCont;c:p1.-1 vCont;c:p1.-1 ");
	gdb_hears_nothing(stand);
	stub_was_asked(stand, "Z" WATCHED " vCont;c:p1.-1 vCont;c:p1.-1 vCont;c:p1.-1 ");
	assert_int_equal(stand->resume_count, 1);
	assert_int_equal(stand->stop_count, 2);
	assert_int_equal(stand->stops[1].kind, STUB_STOP_WATCH);
	assert_int_equal(stand->stops[1].trap, STUB_WATCH_READ);
	assert_true(stand->stops[1].address == GLOBAL);
	assert_int_equal(stand->stops[1].cpu, 0);
	assert_int_equal(stub_proxy_counts(stand->proxy)->traps, 2);
	assert_int_equal(send(stand->gdb, "\x03", 1, 0), 1);
	gdb_expect(stand, "T02thread:p01.01;");
	stand_close(stand);
}

static void signals_and_addresses_are_not_said_twice(void **state)
{
	static const struct {
		const char *first, *again;
	} forms[] = { { "vCont;C05:p1.1;c", "vCont;c:p1.1;c" }, { "c1000", "c" }, { "C05;1000", "c" }, { "S05", "s" } };

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct stand *stand = stand_open((struct scripted_stub){
			.uses_acks = true, .stops = { { "T05thread:p01.02;rwatch:ffffffff88c6a550;", 1, 0 } }, .stop_count = 1 });
		char all[128];

		/* s would be done with the CPU that it is of: it is of the other. */
		control(stand, set_watch);
		gdb_ask(stand, "Hcp1.1", "OK");
		gdb_send(stand, forms[i].first);
		snprintf(all, sizeof(all), "Z" WATCHED " Hcp1.1 %s %s ", forms[i].first, forms[i].again);
		stub_is_asked(stand, all);
		assert_int_equal(stand->stop_count, 1);
		stand_close(stand);
	}
}

static void a_verdict_gives_gdb_a_stop(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;rwatch:ffffffff88c6a550;", 1, 0 } },
		.stop_count = 1 });

	(void)state;
	control(stand, set_watch);
	stand->verdict = STUB_TELL_GDB;
	gdb_ask(stand, "vCont;c", "T05thread:p01.02;");
	stand_close(stand);
}

static void tell_of_the_first(struct stand *stand, struct stub_target *target)
{
	(void)stand;
	stub_tell_cpu(target, 0);
}

static void a_verdict_on_another_cpu_gives_gdb_that_one(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;rwatch:ffffffff88c6a550;", 1, 0 } },
		.stop_count = 1 });

	(void)state;
	control(stand, set_watch);
	stand->verdict = STUB_TELL_GDB;
	stand->during_trap = tell_of_the_first;
	gdb_ask(stand, "vCont;c", "T05thread:p01.01;");
	stand_close(stand);
}

static void traps_of_both_are_set_once_and_told_once(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { MET, 1, 0 }, { MET, 1, 0 } }, .stop_count = 2 });

	(void)state;
	control(stand, set_watch);
	gdb_ask(stand, "Z" WATCHED, "OK");
	gdb_ask(stand, "vCont;c", MET);
	assert_int_equal(stand->stop_count, 1);
	assert_true(stand->stops[0].is_gdbs);
	gdb_ask(stand, "z" WATCHED, "OK");
	stub_was_asked(stand, "Z" WATCHED " vCont;c ");
	/* And the other way round: gdb's stays when ours goes. */
	gdb_ask(stand, "Z" WATCHED, "OK");
	control(stand, clear_traps);
	gdb_ask(stand, "vCont;c", MET);
	assert_int_equal(stand->stop_count, 1);
	gdb_ask(stand, "z" WATCHED, "OK");
	stub_was_asked(stand, "vCont;c z" WATCHED " ");
	stand_close(stand);
}

static void gdb_is_told_of_its_own_watchpoint_where_the_stub_names_ours(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { MET, 1, 0 }, { MET, 1, 0 } }, .stop_count = 2 });

	(void)state;
	control(stand, set_watch);
	gdb_ask(stand, "Z4,ffffffff88c6a554,4", "OK");
	gdb_ask(stand, "vCont;c", "T05thread:p01.01;awatch:ffffffff88c6a554;");
	assert_int_equal(stand->stop_count, 1);
	/* A write watchpoint isn't met by a read. */
	gdb_ask(stand, "z4,ffffffff88c6a554,4", "OK");
	gdb_ask(stand, "Z2,ffffffff88c6a550,8", "OK");
	gdb_send(stand, "vCont;c");
	stub_is_asked(stand, "Z2,ffffffff88c6a550,8 vCont;c vCont;c ");
	assert_int_equal(stand->stop_count, 2);
	stand_close(stand);
}

static void watchpoints_that_nobody_set_are_not_gdbs(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;watch:00005580deadbeef;", 1, 0 }, WAITS },
		.stop_count = 2 });

	(void)state;
	control(stand, set_watch);
	gdb_send(stand, "vCont;c");
	stub_is_asked(stand, "vCont;c vCont;c ");
	assert_int_equal(stand->stop_count, 1);
	assert_true(stand->stops[0].address == 0);
	assert_int_equal(stub_proxy_counts(stand->proxy)->ghosts, 1);
	stand_close(stand);
}

static void a_stop_for_nothing_while_watching_is_not_gdbs(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;", 0x5000, 0 }, WAITS },
		.stop_count = 2 });

	(void)state;
	control(stand, set_watch);
	gdb_send(stand, "vCont;c");
	stub_is_asked(stand, "vCont;c g vCont;c ");
	assert_int_equal(stand->stop_count, 1);
	assert_int_equal(stub_proxy_counts(stand->proxy)->ghosts, 1);
	stand_close(stand);
}

static void gdbs_own_stops_pass(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true,
		.stops = { { "T05thread:p01.02;", 0x5000, 0 }, { "T0bthread:p01.01;x:1;", 0x4000, 0 } }, .stop_count = 2 });

	(void)state;
	control(stand, set_break);
	gdb_ask(stand, "Z0,5000,1", "OK");
	gdb_ask(stand, "vCont;c", "T05thread:p01.02;");
	gdb_ask(stand, "vCont;c", "T0bthread:p01.01;x:1;");
	assert_int_equal(stand->stop_count, 0);
	assert_int_equal(stub_proxy_counts(stand->proxy)->gdb_stops, 2);
	stand_close(stand);
}

/* Breakpoints ------------------------------------------------------------------------------------------------- */

static void our_breakpoint_is_stepped_past(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;", 0x4000, 0 }, WAITS }, .stop_count = 2 });

	(void)state;
	control(stand, set_break);
	gdb_send(stand, "vCont;c");
	stub_is_asked(stand, "vCont;s:p01.02 vCont;c ");
	assert_int_equal(stand->stop_count, 1);
	assert_int_equal(stand->stops[0].kind, STUB_STOP_BREAK);
	assert_int_equal(stand->stops[0].cpu, 1);
	gdb_hears_nothing(stand);
	stand_close(stand);
}

static void jump(struct stand *stand, struct stub_target *target)
{
	struct stub_registers registers;
	unsigned cpu = stand->stops[stand->stop_count - 1].cpu;

	must(stub_registers_read(target, cpu, &registers, NULL) == 0);
	must(stub_registers_jump(target, cpu, registers.rip + 5, registers.general[4] - 8, NULL) == 0);
}

static void a_handler_that_moves_the_cpu_is_not_helped(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;", 0x4000, 0 }, WAITS }, .stop_count = 2 });

	(void)state;
	stand->during_trap = jump;
	control(stand, set_break);
	gdb_send(stand, "vCont;c");
	stub_is_asked(stand, "g P8=0540000000000000 P7=ff1f000000000000 vCont;c ");
	assert_int_equal(stand->stub.registers[1][AT_RIP], 0x4005);
	stand_close(stand);
}

static void a_breakpoint_of_both_is_met_once(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;", 0x4000, 0 } }, .stop_count = 1 });

	(void)state;
	control(stand, set_break);
	gdb_ask(stand, "Z0,4000,1", "OK");
	gdb_ask(stand, "vCont;c", "T05thread:p01.02;");
	assert_int_equal(stand->stub.registers[1][AT_RIP], 0x4000);
	/* gdb steps over its own. */
	gdb_ask(stand, "z0,4000,1", "OK");
	gdb_ask(stand, "vCont;s:p1.2", "T05thread:p01.02;");
	assert_int_equal(stand->stub.registers[1][AT_RIP], 0x4001);
	assert_int_equal(stand->stop_count, 1);
	stand_close(stand);
}

static void gdb_goes_on_from_a_stop_at_ours_without_meeting_it_again(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;", 0x4000, 0 }, WAITS }, .stop_count = 2 });

	(void)state;
	control(stand, set_break);
	stand->verdict = STUB_TELL_GDB;
	gdb_ask(stand, "vCont;c", "T05thread:p01.02;");
	gdb_send(stand, "vCont;c");
	stub_is_asked(stand, "vCont;s:p01.02 vCont;c ");
	assert_int_equal(stand->stop_count, 1);
	stand_close(stand);
}

static void a_step_onto_ours_is_gdbs_and_a_step_from_there_is_handled_first(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	control(stand, set_break);
	stand->stub.registers[0][AT_RIP] = 0x3fff;
	gdb_ask(stand, "vCont;s:p1.1", "T05thread:p01.01;");
	assert_int_equal(stand->stop_count, 0);
	gdb_ask(stand, "vCont;s:p1.1", "T05thread:p01.01;");
	assert_int_equal(stand->stop_count, 1);
	assert_true(stand->stops[0].is_gdbs);
	assert_int_equal(stand->stub.registers[0][AT_RIP], 0x4001);
	stand_close(stand);
}

static void a_step_that_meets_our_watchpoint_is_done(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	control(stand, set_watch);
	snprintf(stand->stub.step_stop, sizeof(stand->stub.step_stop), MET);
	gdb_ask(stand, "vCont;s:p1.1", "T05thread:p01.01;");
	assert_int_equal(stand->stop_count, 1);
	stub_was_asked(stand, "Z" WATCHED " vCont;s:p1.1 ");
	stand_close(stand);
}

static void what_a_step_of_ours_meets_is_handled_after_it(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.01;", 0x4000, 0 }, WAITS }, .stop_count = 2,
		.step_stop = MET });

	(void)state;
	control(stand, set_break);
	control(stand, set_watch);
	gdb_send(stand, "vCont;c");
	stub_is_asked(stand, "vCont;s:p01.01 vCont;c ");
	assert_int_equal(stand->stop_count, 2);
	assert_int_equal(stand->stops[1].kind, STUB_STOP_WATCH);
	gdb_hears_nothing(stand);
	stand_close(stand);
}

static void step_the_first(struct stand *stand, struct stub_target *target)
{
	if (stand->stop_count == 1)
		must(stub_step(target, 0, NULL) == 0);
}

static void what_a_step_of_ours_met_is_no_end_of_gdbs_next_step(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;rwatch:ffffffff88c6a550;", 1, 0 } },
		.stop_count = 1, .step_stop = MET });

	(void)state;
	control(stand, set_watch);
	stand->verdict = STUB_TELL_GDB;
	stand->during_trap = step_the_first;
	gdb_ask(stand, "vCont;c", "T05thread:p01.02;");
	stand->verdict = STUB_GO_ON;
	gdb_ask(stand, "vCont;s:p1.1", "T05thread:p01.01;");
	assert_int_equal(stand->stop_count, 2);
	stub_was_asked(stand, "Z" WATCHED " vCont;c vCont;s:p01.01 vCont;s:p1.1 ");
	stand_close(stand);
}

static void other_stubs_step_with_the_breakpoint_taken_away(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.uses_acks = true, .stops = { { "T05thread:p01.02;", 0x4000, 0 }, WAITS }, .stop_count = 2 });

	(void)state;
	control(stand, set_break);
	gdb_send(stand, "vCont;c");
	stub_is_asked(stand, "z0,4000,1 vCont;s:p01.02 Z0,4000,1 vCont;c ");
	stand_close(stand);
}

/* Interrupts -------------------------------------------------------------------------------------------------- */

static struct stand *interrupted;

static void press_ctrl_c(struct stand *stand, struct stub_target *target)
{
	(void)target;
	must(send(stand->gdb, "\x03", 1, 0) == 1);
	interrupted = stand;
}

static void ctrl_c_while_a_trap_is_handled_stops_the_target(void **state)
{
	/* The target stands still when it comes: it runs on into the next stop, or the interrupt. */
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { MET, 1, 0 }, WAITS }, .stop_count = 2 });

	(void)state;
	control(stand, set_watch);
	stand->during_trap = press_ctrl_c;
	gdb_ask(stand, "vCont;c", "T02thread:p01.01;");
	assert_int_equal(stand->stop_count, 1);
	stand_close(stand);
}

static void ctrl_c_that_meets_a_trap_is_told_as_an_interrupt(void **state)
{
	struct scripted_stub stub = { .is_qemu = true, .uses_acks = true, .stops = { WAITS, WAITS }, .stop_count = 2 };

	(void)state;
	for (int is_qemu = 0; is_qemu < 2; is_qemu++) {
		struct stand *stand;

		stub.is_qemu = is_qemu;
		stand = stand_open(stub);
		control(stand, set_watch);
		gdb_send(stand, "vCont;c");
		stub_is_asked(stand, "vCont;c ");
		/* The stub says the trap in the same moment, and gets the 0x03 afterwards. */
		pthread_mutex_lock(&stand->stub.lock);
		stand->stub.is_running = false;
		pthread_mutex_unlock(&stand->stub.lock);
		assert_int_equal(send(stand->gdb, "\x03", 1, 0), 1);
		usleep(50000);
		fake_put(&stand->stub, MET, 0);
		gdb_expect(stand, "T02thread:p01.01;");
		assert_int_equal(stand->stop_count, 1);
		/* The stub that kept the interrupt says it at the next run: nobody asked for that. */
		gdb_send(stand, "vCont;c");
		stub_is_asked(stand, is_qemu ? "vCont;c vCont;c " : "vCont;c vCont;c vCont;c ");
		gdb_hears_nothing(stand);
		stand_close(stand);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_stops_are_handled_and_gdb_hears_nothing),
		cmocka_unit_test(signals_and_addresses_are_not_said_twice),
		cmocka_unit_test(a_verdict_gives_gdb_a_stop),
		cmocka_unit_test(a_verdict_on_another_cpu_gives_gdb_that_one),
		cmocka_unit_test(traps_of_both_are_set_once_and_told_once),
		cmocka_unit_test(gdb_is_told_of_its_own_watchpoint_where_the_stub_names_ours),
		cmocka_unit_test(watchpoints_that_nobody_set_are_not_gdbs),
		cmocka_unit_test(a_stop_for_nothing_while_watching_is_not_gdbs),
		cmocka_unit_test(gdbs_own_stops_pass),
		cmocka_unit_test(our_breakpoint_is_stepped_past),
		cmocka_unit_test(a_handler_that_moves_the_cpu_is_not_helped),
		cmocka_unit_test(a_breakpoint_of_both_is_met_once),
		cmocka_unit_test(gdb_goes_on_from_a_stop_at_ours_without_meeting_it_again),
		cmocka_unit_test(a_step_onto_ours_is_gdbs_and_a_step_from_there_is_handled_first),
		cmocka_unit_test(a_step_that_meets_our_watchpoint_is_done),
		cmocka_unit_test(what_a_step_of_ours_meets_is_handled_after_it),
		cmocka_unit_test(what_a_step_of_ours_met_is_no_end_of_gdbs_next_step),
		cmocka_unit_test(other_stubs_step_with_the_breakpoint_taken_away),
		cmocka_unit_test(ctrl_c_while_a_trap_is_handled_stops_the_target),
		cmocka_unit_test(ctrl_c_that_meets_a_trap_is_told_as_an_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
