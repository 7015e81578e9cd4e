// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The man in the middle between a gdb that the test plays and a scripted stub (stub_fixture.h). */
#include "stub_fixture.h"

#define GLOBAL 0xffffffff88c6a550
#define WATCHED "3,ffffffff88c6a550,8"
#define MET "T05thread:p01.01;rwatch:ffffffff88c6a550;"

static const struct scripted_stub qemu = { .is_qemu = true, .uses_acks = true };
static const struct scripted_stub plain = { .uses_acks = true };

static struct stub_trap watch = { .kind = STUB_WATCH_READ, .address = GLOBAL, .size = 8 };
static struct stub_trap breakpoint = { .kind = STUB_BREAK, .address = 0x4000, .size = 1 };

static void set_watch(struct stand *stand, struct stub_target *target)
{
	struct stub_trap trap = watch;

	(void)stand;
	must(stub_traps_change(target, NULL, 0, &trap, 1, NULL) == 0);
	must(trap.result == 0);
}

static void set_break(struct stand *stand, struct stub_target *target)
{
	struct stub_trap trap = breakpoint;

	(void)stand;
	must(stub_traps_change(target, NULL, 0, &trap, 1, NULL) == 0);
	must(trap.result == 0);
}

static void clear_traps(struct stand *stand, struct stub_target *target)
{
	(void)stand;
	must(stub_traps_clear(target, NULL) == 0);
}

/* Passing through --------------------------------------------------------------------------------------------- */

static void packets_pass_byte_by_byte(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	gdb_ask(stand, "echo", "0*\"1}\x03}");
	gdb_ask(stand, "X1000,3:\x03}\x03", "");
	gdb_ask(stand, "mbad,4", "E14");
	gdb_ask(stand, "qRcmd,696e666f206b766d", "O6b766d20737570706f72743a2064697361626c65640d0a");
	gdb_expect(stand, "OK");
	stub_was_asked(stand, "echo X1000,3:\x03}\x03 mbad,4 qRcmd,696e666f206b766d ");
	stand_close(stand);
}

static void a_stub_without_acknowledgements_gets_none(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){ .is_qemu = false });

	(void)state;
	gdb_ask(stand, "echo", "0*\"1}\x03}");
	control(stand, set_watch);
	stand_close(stand); /* which looks for the stub's faults */
}

static void what_was_damaged_is_said_again_on_both_sides(void **state)
{
	struct stand *stand = stand_open(plain);
	char byte;

	(void)state;
	stand->stub.nak_count = 2;
	gdb_ask(stand, "echo", "0*\"1}\x03}");
	stand->stub.damaged_count = 1;
	gdb_ask(stand, "echo", "0*\"1}\x03}");
	assert_int_equal(send(stand->gdb, "-", 1, 0), 1);
	gdb_expect(stand, "0*\"1}\x03}");
	assert_int_equal(send(stand->gdb, "$echo#00", 8, 0), 8);
	assert_int_equal(recv(stand->gdb, &byte, 1, 0), 1);
	assert_int_equal(byte, '-');
	stand_close(stand);
}

static void an_idle_connection_is_a_condition(void **state)
{
	int gdb[2], target[2];
	struct stub_handlers none = { 0 };
	struct stub_proxy *proxy;
	struct error err = { 0 };

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, gdb), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, target), 0);
	assert_int_equal(send(target[0], "$T05#b9", 7, 0), 7);
	assert_int_equal(stub_proxy_open(gdb[1], target[1], -1, &none, &proxy, &err), -EBUSY);
	close(gdb[0]);
	close(target[0]);
}

/* Traps ------------------------------------------------------------------------------------------------------- */

static void our_stops_are_handled_and_gdb_hears_nothing(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { MET, 1, 0 }, { MET, 2, 0 }, { "" } }, .stop_count = 3 });

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
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;watch:00005580deadbeef;", 1, 0 }, { "" } },
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
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;", 0x5000, 0 }, { "" } },
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
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;", 0x4000, 0 }, { "" } }, .stop_count = 2 });

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
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;", 0x4000, 0 }, { "" } }, .stop_count = 2 });

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
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;", 0x4000, 0 }, { "" } }, .stop_count = 2 });

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
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.01;", 0x4000, 0 }, { "" } }, .stop_count = 2,
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

static void other_stubs_step_with_the_breakpoint_taken_away(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.uses_acks = true, .stops = { { "T05thread:p01.02;", 0x4000, 0 }, { "" } }, .stop_count = 2 });

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
		.is_qemu = true, .uses_acks = true, .stops = { { MET, 1, 0 }, { "" } }, .stop_count = 2 });

	(void)state;
	control(stand, set_watch);
	stand->during_trap = press_ctrl_c;
	gdb_ask(stand, "vCont;c", "T02thread:p01.01;");
	assert_int_equal(stand->stop_count, 1);
	stand_close(stand);
}

static void ctrl_c_that_meets_a_trap_is_told_as_an_interrupt(void **state)
{
	struct scripted_stub stub = { .is_qemu = true, .uses_acks = true, .stops = { { "" }, { "" } }, .stop_count = 2 };

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

/* Threads and modes ------------------------------------------------------------------------------------------- */

static void read_other_cpu(struct stand *stand, struct stub_target *target)
{
	uint8_t bytes[4];
	struct memory_read read = { .address = 0x100, .buffer = bytes, .size = 4 };

	(void)stand;
	must(stub_memory_read(target, 1, &read, 1, NULL) == 0);
	must(read.result == 0);
	must(bytes[1] == fake_byte(1, 0x101));
}

static void gdbs_thread_is_selected_again(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	control(stand, read_other_cpu);
	gdb_ask(stand, "m100,1", "01");
	gdb_ask(stand, "Hgp1.2", "OK");
	control(stand, read_other_cpu);
	gdb_ask(stand, "m100,1", "65");
	stub_was_asked(stand, "Hgp01.02 m100,4 Hgp01.01 m100,1 Hgp1.2 m100,4 m100,1 ");
	stand_close(stand);
}

static void gdb_has_the_thread_that_it_was_told_of(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.02;", 0x5000, 0 } }, .stop_count = 1 });

	(void)state;
	gdb_ask(stand, "vCont;c", "T05thread:p01.02;");
	gdb_ask(stand, "m100,1", "65");
	stub_was_asked(stand, "vCont;c m100,1 ");
	stand_close(stand);
}

static void memory_is_virtual_for_us_whatever_gdb_set(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	gdb_ask(stand, "Qqemu.PhyMemMode:1", "OK");
	control(stand, read_other_cpu);
	gdb_ask(stand, "m100,1", "01");
	stub_was_asked(stand, "Qqemu.PhyMemMode:1 Hgp01.02 Qqemu.PhyMemMode:0 m100,4 Qqemu.PhyMemMode:1 Hgp01.01 "
			      "m100,1 ");
	stand_close(stand);
}

static void be_refused(struct stand *stand, struct stub_target *target)
{
	struct stub_trap trap = watch;

	(void)stand;
	must(stub_traps_change(target, NULL, 0, &trap, 1, NULL) == 0);
	must(trap.result == -EOPNOTSUPP);
}

static void non_stop_mode_passes_and_has_no_traps(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	control(stand, set_watch);
	gdb_ask(stand, "QNonStop:1", "OK");
	stub_was_asked(stand, "Z" WATCHED " z" WATCHED " QNonStop:1 ");
	control(stand, be_refused);
	gdb_ask(stand, "echo", "0*\"1}\x03}");
	assert_int_equal(send(stand->stub.fd, "%Stop:T05#2f", 12, 0), 12);
	usleep(20000);
	gdb_ask(stand, "QNonStop:0", "OK");
	stand_close(stand);
}

static void a_new_debuggers_question_leaves_our_traps_set(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	control(stand, set_watch);
	gdb_ask(stand, "?", "T05thread:p01.01;");
	gdb_ask(stand, "echo", "0*\"1}\x03}");
	assert_int_equal(stand->stub.trap_count, 1);
	stand_close(stand);
}

/* Failing and ending ------------------------------------------------------------------------------------------ */

static void a_handler_that_fails_is_asked_no_more(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { MET, 1, 0 }, { "T05thread:p01.01;", 2, 0 } }, .stop_count = 2 });

	(void)state;
	control(stand, set_watch);
	stand->fails = -EBADMSG;
	gdb_send(stand, "vCont;c");
	/* "dill: tracing has ended: the books are lost\n" */
	gdb_expect(stand, "O64696c6c3a2074726163696e672068617320656e6465643a2074686520626f6f6b7320617265206c6f73740a");
	gdb_expect(stand, "T05thread:p01.01;");
	assert_int_equal(stand->stop_count, 1);
	assert_int_equal(stand->stub.trap_count, 0);
	stand_close(stand);
}

static void detaching_takes_our_traps_away_first(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	control(stand, set_watch);
	gdb_ask(stand, "D;1", "OK");
	stub_was_asked(stand, "Z" WATCHED " z" WATCHED " D;1 ");
	shutdown(stand->gdb, SHUT_RDWR);
	assert_int_equal(stand_join(stand, false), 0);
	stub_was_asked(stand, "");
	stand_close(stand);
}

static void nothing_is_said_to_a_target_that_was_let_go(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	control(stand, set_watch);
	gdb_ask(stand, "D;1", "OK");
	assert_int_equal(stand_join(stand, true), 0);
	assert_int_equal(stub_proxy_target_fd(stand->proxy), -1);
	assert_int_equal(stand->control_count, 1);
	stub_was_asked(stand, "Z" WATCHED " z" WATCHED " D;1 ");
	stand_close(stand);
}

static void killing_takes_our_traps_away_first(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	control(stand, set_watch);
	gdb_send(stand, "k");
	gdb_expect(stand, "(end)");
	assert_int_equal(stand_join(stand, false), 0);
	stub_was_asked(stand, "Z" WATCHED " z" WATCHED " k ");
	stand_close(stand);
}

static void a_gdb_that_dies_while_it_waits_sets_the_target_free(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "" } }, .stop_count = 1 });

	(void)state;
	control(stand, set_watch);
	gdb_send(stand, "vCont;c");
	stub_is_asked(stand, "vCont;c ");
	shutdown(stand->gdb, SHUT_RDWR);
	assert_int_equal(stand_join(stand, false), 0);
	stub_was_asked(stand, "Z" WATCHED " vCont;c z" WATCHED " D;1 ");
	stand_close(stand);
}

static void a_gdb_that_goes_leaves_a_stopped_target_stopped(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	control(stand, set_watch);
	shutdown(stand->gdb, SHUT_RDWR);
	assert_int_equal(stand_join(stand, false), 0);
	stub_was_asked(stand, "Z" WATCHED " z" WATCHED " qC ");
	stand_close(stand);
}

static void a_target_that_dies_in_a_trap_is_an_error_and_gdbs_end(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { MET, 1, 0 }, { .closes = true } }, .stop_count = 2 });

	(void)state;
	control(stand, set_watch);
	gdb_send(stand, "vCont;c");
	gdb_expect(stand, "(end)");
	assert_int_equal(stand_join(stand, false), -ECONNRESET);
	assert_string_equal(stand->err.text, "gdb stub: closed the connection");
	stand_close(stand);
}

static void control_words_while_it_runs_go_unnoticed(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "" }, { "" }, { "" } }, .stop_count = 3 });

	(void)state;
	gdb_send(stand, "vCont;c");
	stub_is_asked(stand, "vCont;c ");
	control(stand, set_watch);
	control(stand, clear_traps);
	stub_is_asked(stand, "vCont;c Z" WATCHED " vCont;c z" WATCHED " vCont;c ");
	gdb_hears_nothing(stand);
	assert_int_equal(send(stand->gdb, "\x03", 1, 0), 1);
	gdb_expect(stand, "T02thread:p01.01;");
	stand_close(stand);
}

static void leaving_hands_the_target_over_as_it_was(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	gdb_ask(stand, "Hgp1.1", "OK");
	control(stand, set_watch);
	control(stand, read_other_cpu);
	assert_int_equal(stand_join(stand, true), 0);
	assert_true(stub_proxy_target_fd(stand->proxy) >= 0);
	stub_was_asked(stand, "Hgp1.1 Z" WATCHED " Hgp01.02 m100,4 z" WATCHED " Hgp1.1 qC ");
	stand_close(stand);
}

static void leaving_while_it_runs_lets_it_run(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "" }, { "" } }, .stop_count = 2 });

	(void)state;
	control(stand, set_watch);
	gdb_send(stand, "vCont;c");
	stub_is_asked(stand, "vCont;c ");
	assert_int_equal(stand_join(stand, true), 0);
	stub_is_asked(stand, "vCont;c z" WATCHED " vCont;c ");
	stand_close(stand);
}

/* Texts ------------------------------------------------------------------------------------------------------- */

static void say_hello(struct stand *stand, struct stub_target *target)
{
	(void)target;
	stub_proxy_say(stand->proxy, "hello\n", 6);
}

static void texts_are_said_while_gdb_waits_and_before_a_stop(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { MET, 1, 0 }, { "T02thread:p01.01;", 2, 0 } }, .stop_count = 2 });

	(void)state;
	control(stand, set_watch);
	control(stand, say_hello);
	gdb_hears_nothing(stand);
	stand->during_trap = say_hello;
	gdb_send(stand, "vCont;c");
	gdb_expect(stand, "O68656c6c6f0a"); /* it was due */
	gdb_expect(stand, "O68656c6c6f0a"); /* it may not come after the stop */
	gdb_expect(stand, "T02thread:p01.01;");
	stand_close(stand);
}

static void say_much(struct stand *stand, struct stub_target *target)
{
	char line[1001];

	(void)target;
	memset(line, 'x', 999);
	line[999] = '\n';
	for (int i = 0; i < 100; i++)
		stub_proxy_say(stand->proxy, line, 1000);
	/* For which there is room: but nothing comes behind a gap that wasn't told. */
	stub_proxy_say(stand->proxy, "short\n", 6);
}

static void texts_beyond_the_bound_are_counted(void **state)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { "T05thread:p01.01;", 2, 0 } }, .stop_count = 1 });
	size_t characters = 0;
	const char *packet;
	bool says_so = false;

	(void)state;
	control(stand, say_much);
	gdb_send(stand, "vCont;c");
	while ((packet = gdb_receive(stand))[0] == 'O') {
		characters += strlen(packet + 1) / 2;
		says_so |= strncmp(packet, "O64696c6c3a203336206c696e6573", 29) == 0; /* dill: 36 lines */
	}
	assert_string_equal(packet, "T05thread:p01.01;");
	assert_true(says_so);
	assert_in_range(characters, 65000, 65536);
	stand_close(stand);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_pass_byte_by_byte),
		cmocka_unit_test(a_stub_without_acknowledgements_gets_none),
		cmocka_unit_test(what_was_damaged_is_said_again_on_both_sides),
		cmocka_unit_test(an_idle_connection_is_a_condition),
		cmocka_unit_test(our_stops_are_handled_and_gdb_hears_nothing),
		cmocka_unit_test(signals_and_addresses_are_not_said_twice),
		cmocka_unit_test(a_verdict_gives_gdb_a_stop),
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
		cmocka_unit_test(other_stubs_step_with_the_breakpoint_taken_away),
		cmocka_unit_test(ctrl_c_while_a_trap_is_handled_stops_the_target),
		cmocka_unit_test(ctrl_c_that_meets_a_trap_is_told_as_an_interrupt),
		cmocka_unit_test(gdbs_thread_is_selected_again),
		cmocka_unit_test(gdb_has_the_thread_that_it_was_told_of),
		cmocka_unit_test(memory_is_virtual_for_us_whatever_gdb_set),
		cmocka_unit_test(non_stop_mode_passes_and_has_no_traps),
		cmocka_unit_test(a_new_debuggers_question_leaves_our_traps_set),
		cmocka_unit_test(a_handler_that_fails_is_asked_no_more),
		cmocka_unit_test(detaching_takes_our_traps_away_first),
		cmocka_unit_test(nothing_is_said_to_a_target_that_was_let_go),
		cmocka_unit_test(killing_takes_our_traps_away_first),
		cmocka_unit_test(a_gdb_that_dies_while_it_waits_sets_the_target_free),
		cmocka_unit_test(a_gdb_that_goes_leaves_a_stopped_target_stopped),
		cmocka_unit_test(a_target_that_dies_in_a_trap_is_an_error_and_gdbs_end),
		cmocka_unit_test(control_words_while_it_runs_go_unnoticed),
		cmocka_unit_test(leaving_hands_the_target_over_as_it_was),
		cmocka_unit_test(leaving_while_it_runs_lets_it_run),
		cmocka_unit_test(texts_are_said_while_gdb_waits_and_before_a_stop),
		cmocka_unit_test(texts_beyond_the_bound_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
