// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What handlers may ask of a target, and the words of the protocol that the proxy must understand. */
#include "stub_fixture.h"
#include "packet_link.h"
#include "stub_traps.h"
#include "stub_words.h"

static const struct scripted_stub qemu = { .is_qemu = true, .uses_acks = true };
static const struct scripted_stub plain = { .uses_acks = true };

/* Each of these runs in the proxy's thread, as a handler does. */
static void see_registers(struct stand *stand, struct stub_target *target)
{
	struct stub_registers registers;

	(void)stand;
	must(stub_cpu_count(target) == 2);
	must(stub_is_translated(target));
	must(stub_registers_read(target, 1, &registers, NULL) == 0);
	must(registers.general[0] == 0x2000); /* rax */
	must(registers.general[3] == 0x2001); /* rbx */
	must(registers.general[4] == 0x2007); /* rsp */
	must(registers.rip == 0x2008);
	must(registers.rflags == SANE_FLAGS);
	must(registers.cr3 == 0x200a);
	must(registers.gs_base == 0);
	must(stub_registers_read(target, 2, &registers, NULL) == -EINVAL);
}

static void registers_are_found_by_the_description(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	control(stand, see_registers);
	stub_was_asked(stand, "Hgp01.02 g ");
	stand_close(stand);
}

static void jump_there(struct stand *stand, struct stub_target *target)
{
	struct stub_registers registers;

	must(stub_registers_jump(target, 0, 0xffffffff81234567, 0xffffc90000001000, NULL) == 0);
	must(stub_registers_read(target, 0, &registers, NULL) == 0);
	must(registers.rip == 0xffffffff81234567);
	must(registers.general[4] == 0xffffc90000001000);
	must(registers.general[0] == 0x1000);
	must(stand->stub.registers[0][AT_RSP] == 0xffffc90000001000);
	must(stand->stub.registers[0][AT_RIP] == 0xffffffff81234567);
}

static void a_cpu_is_moved_register_by_register_or_all_at_once(void **state)
{
	struct scripted_stub stub = qemu;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct stand *stand;

		stub.has_no_p = i;
		stand = stand_open(stub);
		control(stand, jump_there);
		stand_close(stand);
	}
}

static void read_pieces(struct stand *stand, struct stub_target *target)
{
	static uint8_t big[40000], small[3], none[8];
	struct memory_read reads[] = { { .address = 0x1234, .buffer = big, .size = sizeof(big), .result = -1 },
				       { .address = 0xbad, .buffer = none, .size = 8 },
				       { .address = 0x77, .buffer = none, .size = 0, .result = -1 },
				       { .address = 0x99, .buffer = small, .size = 3, .result = -1 } };

	(void)stand;
	must(stub_memory_read(target, 1, reads, 4, NULL) == 0);
	must(reads[0].result == 0);
	must(reads[1].result == -EFAULT);
	must(reads[2].result == 0);
	must(reads[3].result == 0);
	for (size_t i = 0; i < sizeof(big); i++)
		must(big[i] == fake_byte(1, 0x1234 + i));
	must(small[2] == fake_byte(1, 0x9b));
}

static void memory_of_any_size_is_read_in_one_call(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	control(stand, read_pieces);
	stand_close(stand);
}

/* One CPU, with no thread to select, and packets of 400 bytes. */
static void read_plainly(struct stand *stand, struct stub_target *target)
{
	static uint8_t bytes[1000];
	struct memory_read read = { .address = 0x1234, .buffer = bytes, .size = sizeof(bytes), .result = -1 };

	(void)stand;
	must(stub_cpu_count(target) == 1);
	must(!stub_is_translated(target));
	must(stub_memory_read(target, 0, &read, 1, NULL) == 0);
	must(read.result == 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		must(bytes[i] == fake_byte(0, 0x1234 + i));
}

static void a_plain_stub_is_asked_for_less_at_a_time(void **state)
{
	struct stand *stand = stand_open(plain);

	(void)state;
	control(stand, read_plainly);
	stub_was_asked(stand, "m1234,c0 m12f4,c0 m13b4,c0 m1474,c0 m1534,c0 m15f4,28 ");
	stand_close(stand);
}

/* After which all answers before it are there. */
static void read_byte(struct stub_target *target)
{
	uint8_t byte;
	struct memory_read read = { .address = 0, .buffer = &byte, .size = 1 };

	must(stub_memory_read(target, 1, &read, 1, NULL) == 0);
}

static void change_traps(struct stand *stand, struct stub_target *target)
{
	struct stub_trap first[] = { { .kind = STUB_WATCH_READ, .address = 0x100, .size = 8, .result = 1 },
				     { .kind = STUB_BREAK, .address = 0x200, .size = 1, .result = 1 },
				     { .kind = STUB_WATCH_READ, .address = 0x100, .size = 8, .result = 1 } };
	struct stub_trap second[] = { { .kind = STUB_WATCH_READ, .address = 0x300, .size = 4, .result = 1 } };
	struct stub_trap absent[] = { { .kind = STUB_BREAK, .address = 0x999, .size = 1, .result = 1 } };

	must(stub_traps_change(target, absent, 1, first, 3, NULL) == 0);
	for (int i = 0; i < 3; i++)
		must(first[i].result == 0);
	must(absent[0].result == 0);
	must(stub_trap_count(target) == 2);
	must(stub_traps_change(target, first, 1, second, 1, NULL) == 0);
	must(second[0].result == 0);
	must(stub_trap_count(target) == 2);
	read_byte(target);
	/* What is refused after it was hoped for isn't there. */
	stand->stub.refuses_traps = true;
	second[0].address = 0x400;
	must(stub_traps_change(target, NULL, 0, second, 1, NULL) == 0);
	must(second[0].result == 0);
	read_byte(target);
	must(stub_trap_count(target) == 2);
	second[0] = (struct stub_trap){ .kind = STUB_BREAK_HARDWARE, .address = 0x500, .size = 1 };
	must(stub_traps_change(target, NULL, 0, second, 1, NULL) == 0);
	must(second[0].result == -ENOSPC);
	stand->stub.refuses_traps = false;
}

static void traps_are_counted_as_the_stub_has_them(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	control(stand, change_traps);
	stub_was_asked(stand, "Z3,100,8 Z0,200,1 z3,100,8 Z3,300,4 Hgp01.02 m0,1 Z3,400,4 m0,1 Z1,500,1 ");
	assert_int_equal(stand->stub.trap_count, 2);
	stand_close(stand);
}

static void ask_by_link(struct stand *stand, struct stub_target *target)
{
	struct packet_link *link = stub_packet_link(target);
	char reply[64];
	size_t size;

	(void)stand;
	must(link->ask(link, "echo", reply, sizeof(reply), &size, NULL) == 0);
	must(size == 9);
	must(strcmp(reply, "0000001#}") == 0);
	must(link->ask(link, "qRcmd,696e666f206b766d", reply, sizeof(reply), &size, NULL) == 0);
	must(strcmp(reply, "6b766d20737570706f72743a2064697361626c65640d0aOK") == 0);
	must(link->ask(link, "Hgp1.2", reply, sizeof(reply), &size, NULL) == 0);
	must(link->ask(link, "m0,40", reply, sizeof(reply), &size, NULL) == -ENOSPC);
}

static void a_link_undoes_what_the_wire_needs(void **state)
{
	struct stand *stand = stand_open(qemu);

	(void)state;
	control(stand, ask_by_link);
	gdb_ask(stand, "m100,1", "01"); /* of gdb's thread again */
	stand_close(stand);
}

/* Words ------------------------------------------------------------------------------------------------------- */

static void threads_are_understood(void **state)
{
	static const struct {
		const char *text;
		bool is_good;
		int64_t process, thread;
	} cases[] = { { "p1.2", true, 1, 2 },	{ "p01.0a", true, 1, 10 }, { "p1.-1", true, 1, -1 }, { "p2", true, 2, -1 },
		      { "-1", true, 0, -1 },	{ "0", true, 0, 0 },	   { "", false, 0, 0 },	     { "p", false, 0, 0 },
		      { "p1.", false, 0, 0 },	{ "1x", false, 0, 0 },	   { "-", false, 0, 0 },
		      { "11112222333344445", false, 0, 0 } };
	struct stub_thread thread;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(stub_thread_parse(cases[i].text, strlen(cases[i].text), &thread), cases[i].is_good);
		if (cases[i].is_good) {
			assert_int_equal(thread.process, cases[i].process);
			assert_int_equal(thread.thread, cases[i].thread);
		}
	}
}

static void what_a_request_does_with_a_thread(void **state)
{
	static const struct {
		const char *text, *again;
		char first, second; /* threads p1.1, p1.2; Hc says p1.2 */
	} cases[] = { { "vCont;c", "vCont;c", 'c', 'c' },
		      { "vCont;s:p1.1", "vCont;s:p1.1", 's', 0 },
		      { "vCont;s:p1.1;c", "vCont;s:p1.1;c", 's', 'c' },
		      { "vCont;c;s:p1.2", "vCont;c;s:p1.2", 'c', 's' },
		      { "vCont;S05:1;C0b:p1.-1", "vCont;s:1;c:p1.-1", 's', 'c' },
		      { "vCont;r1000,2000:p1.2", "vCont;r1000,2000:p1.2", 0, 'r' },
		      { "vCont;C05;", "vCont;c;", 'c', 'c' },
		      { "vCont;", "vCont;", 0, 0 },
		      { "c", "c", 'c', 'c' },
		      { "C05", "c", 'c', 'c' },
		      { "s1000", "s", 'c', 's' },
		      { "S05;1000", "s", 'c', 's' } };
	static const struct stub_thread first = { 1, 1 }, second = { 1, 2 };
	char again[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t size = strlen(cases[i].text);

		assert_int_equal(stub_resume_action(cases[i].text, size, &second, &first), cases[i].first);
		assert_int_equal(stub_resume_action(cases[i].text, size, &second, &second), cases[i].second);
		assert_int_equal(stub_resume_again(cases[i].text, size, again, sizeof(again)), strlen(cases[i].again));
		assert_string_equal(again, cases[i].again);
		assert_int_equal(stub_resume_again(cases[i].text, size, again, size), 0);
	}
}

static void stop_replies_are_told_from_answers(void **state)
{
	static const char *const others[] = { "OK", "E01", "", "T", "T0", "Tx5", "00112233", "O6869", "l", "m1,2", "QC1" };
	struct stub_stop_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(stub_stop_parse(others[i], strlen(others[i]), &reply));
	assert_true(stub_stop_parse("T05thread:p01.02;awatch:ffff800000000010;", 41, &reply));
	assert_int_equal(reply.signal, 5);
	assert_true(reply.has_watch && reply.trap == STUB_WATCH_ACCESS && reply.address == 0xffff800000000010);
	assert_string_equal(reply.thread, "p01.02");
	assert_true(stub_stop_parse("T0506:0000;watch:;core:1;thread:1", 33, &reply));
	assert_false(reply.has_watch);
	assert_string_equal(reply.thread, "1");
	assert_true(stub_stop_parse("S02", 3, &reply));
	assert_int_equal(reply.signal, 2);
	assert_true(stub_stop_parse("W00;process:1", 13, &reply));
	assert_true(reply.is_end);
	/* A thread that is longer than any is none. */
	assert_true(stub_stop_parse("T05thread:1111111111111111111111111111111111111111111;", 54, &reply));
	assert_string_equal(reply.thread, "");
}

static void trap_requests_are_understood(void **state)
{
	static const char *const bad[] = { "Z", "Z0,", "Z0,1", "Z5,1,1", "Z0,x,1", "Z0,1,", "z2;1,1", "Z0,1,111111111" };
	struct stub_trap trap;
	bool is_set;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(stub_trap_parse(bad[i], strlen(bad[i]), &is_set, &trap));
	assert_true(stub_trap_parse("Z0,ffffffff81000000,1;X3,220027;cmds:0", 38, &is_set, &trap));
	assert_true(is_set && trap.kind == STUB_BREAK && trap.address == 0xffffffff81000000 && trap.size == 1);
	assert_true(stub_trap_parse("z4,10,8", 7, &is_set, &trap));
	assert_true(!is_set && trap.kind == STUB_WATCH_ACCESS && trap.size == 8);
}

static void a_stop_may_meet_traps_of_both(void **state)
{
	struct stub_traps traps = { 0 };
	struct stub_trap ours = { .kind = STUB_WATCH_READ, .address = 0x100, .size = 8 };
	struct stub_trap overlaps = { .kind = STUB_WATCH_ACCESS, .address = 0x0fe, .size = 4 };
	struct stub_trap beside = { .kind = STUB_WATCH_ACCESS, .address = 0x108, .size = 4 };
	struct stub_trap gdbs;

	(void)state;
	assert_int_equal(stub_traps_add(&traps, &ours, STUB_OURS), 0);
	assert_int_equal(stub_traps_add(&traps, &beside, STUB_GDBS), 0);
	assert_int_equal(stub_traps_met(&traps, STUB_WATCH_READ, 0x100, &gdbs), STUB_OURS);
	assert_int_equal(stub_traps_met(&traps, STUB_WATCH_READ, 0x104, &gdbs), STUB_OURS);
	assert_int_equal(stub_traps_met(&traps, STUB_WATCH_WRITE, 0x100, &gdbs), 0);
	assert_int_equal(stub_traps_add(&traps, &overlaps, STUB_GDBS), 0);
	assert_int_equal(stub_traps_met(&traps, STUB_WATCH_READ, 0x100, &gdbs), STUB_OURS | STUB_GDBS);
	assert_true(gdbs.address == 0x0fe && gdbs.kind == STUB_WATCH_ACCESS);
	assert_int_equal(traps.our_count, 1);
	stub_traps_remove(&traps, &ours, STUB_GDBS);
	assert_int_equal(traps.our_count, 1);
	stub_traps_remove(&traps, &ours, STUB_OURS);
	stub_traps_remove(&traps, &ours, STUB_OURS);
	assert_int_equal(traps.our_count, 0);
	assert_int_equal(traps.count, 2);
	stub_traps_deinit(&traps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_are_found_by_the_description),
		cmocka_unit_test(a_cpu_is_moved_register_by_register_or_all_at_once),
		cmocka_unit_test(memory_of_any_size_is_read_in_one_call),
		cmocka_unit_test(a_plain_stub_is_asked_for_less_at_a_time),
		cmocka_unit_test(traps_are_counted_as_the_stub_has_them),
		cmocka_unit_test(a_link_undoes_what_the_wire_needs),
		cmocka_unit_test(threads_are_understood),
		cmocka_unit_test(what_a_request_does_with_a_thread),
		cmocka_unit_test(stop_replies_are_told_from_answers),
		cmocka_unit_test(trap_requests_are_understood),
		cmocka_unit_test(a_stop_may_meet_traps_of_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
