// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* How the proxy ends, by whoever goes first: what becomes of our traps and of the target. */
#include "proxy_fixture.h"

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
		.is_qemu = true, .uses_acks = true, .stops = { WAITS }, .stop_count = 1 });

	(void)state;
	control(stand, set_watch);
	gdb_send(stand, "vCont;c");
	stub_is_asked(stand, "vCont;c ");
	shutdown(stand->gdb, SHUT_RDWR);
	assert_int_equal(stand_join(stand, false), 0);
	stub_was_asked(stand, "Z" WATCHED " vCont;c z" WATCHED " qC D;1 ");
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
		.is_qemu = true, .uses_acks = true, .stops = { WAITS, WAITS, WAITS }, .stop_count = 3 });

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
		.is_qemu = true, .uses_acks = true, .stops = { WAITS, WAITS }, .stop_count = 2 });

	(void)state;
	control(stand, set_watch);
	gdb_send(stand, "vCont;c");
	stub_is_asked(stand, "vCont;c ");
	assert_int_equal(stand_join(stand, true), 0);
	stub_is_asked(stand, "vCont;c z" WATCHED " vCont;c ");
	stand_close(stand);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
