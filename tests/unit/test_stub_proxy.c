// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The man in the middle between a gdb that the test plays and a scripted stub: what passes, and as whose. */
#include "proxy_fixture.h"

static const struct scripted_stub plain = { .uses_acks = true };

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

/* Threads and modes ------------------------------------------------------------------------------------------- */

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
		cmocka_unit_test(gdbs_thread_is_selected_again),
		cmocka_unit_test(gdb_has_the_thread_that_it_was_told_of),
		cmocka_unit_test(memory_is_virtual_for_us_whatever_gdb_set),
		cmocka_unit_test(non_stop_mode_passes_and_has_no_traps),
		cmocka_unit_test(a_new_debuggers_question_leaves_our_traps_set),
		cmocka_unit_test(texts_are_said_while_gdb_waits_and_before_a_stop),
		cmocka_unit_test(texts_beyond_the_bound_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
