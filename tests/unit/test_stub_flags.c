// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* CPUs that stand where QEMU has their flags wrong are stepped out of there before the target goes on. */
#include "proxy_fixture.h"

static void look_at_both(struct stand *stand, struct stub_target *target)
{
	must(stub_registers_read_all(target, NULL) == 0);
	stand->during_trap = NULL;
}

static struct stand *meet_once(uint64_t flags, unsigned steps)
{
	struct stand *stand = stand_open((struct scripted_stub){
		.is_qemu = true, .uses_acks = true, .stops = { { MET, 1, 0 }, { "T05thread:p01.02;", 0x5000, 0 } },
		.stop_count = 2 });

	stand->stub.registers[1][AT_FLAGS] = flags;
	stand->stub.odd_steps[1] = steps;
	control(stand, set_watch);
	stand->during_trap = look_at_both;
	return stand;
}

static void a_cpu_with_impossible_flags_is_stepped_until_they_make_sense(void **state)
{
	struct stand *stand = meet_once(ODD_FLAGS, 3);

	(void)state;
	gdb_ask(stand, "Z0,5000,1", "OK");
	gdb_ask(stand, "vCont;c", "T05thread:p01.02;");
	assert_int_equal(stand->stub.registers[1][AT_FLAGS], SANE_FLAGS);
	stub_is_asked(stand, "vCont;s:p01.02 g vCont;s:p01.02 g vCont;s:p01.02 g vCont;c ");
	stand_close(stand);
}

static void other_cpus_are_left_alone(void **state)
{
	/* Direction, overflow, resume, alignment check, identification. */
	struct stand *stand = meet_once(0x250ed7, 0);

	(void)state;
	gdb_ask(stand, "Z0,5000,1", "OK");
	gdb_ask(stand, "vCont;c", "T05thread:p01.02;");
	assert_null(strstr(stand->stub.log, "vCont;s"));
	stand_close(stand);
}

static void steps_have_an_end(void **state)
{
	struct stand *stand = meet_once(ODD_FLAGS, 0);
	unsigned steps = 0;

	(void)state;
	gdb_ask(stand, "Z0,5000,1", "OK");
	gdb_ask(stand, "vCont;c", "T05thread:p01.02;");
	for (const char *at = stand->stub.log; (at = strstr(at, "vCont;s")); at++)
		steps++;
	assert_int_equal(steps, 16);
	stand_close(stand);
}

static void a_breakpoint_is_not_stepped_over(void **state)
{
	struct stand *stand = meet_once(ODD_FLAGS, 3);

	(void)state;
	stand->stub.registers[1][AT_RIP] = 0x4fff;
	gdb_ask(stand, "Z0,5000,1", "OK");
	gdb_ask(stand, "vCont;c", "T05thread:p01.02;");
	stub_is_asked(stand, "vCont;s:p01.02 g vCont;c ");
	stand_close(stand);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cpu_with_impossible_flags_is_stepped_until_they_make_sense),
		cmocka_unit_test(other_cpus_are_left_alone),
		cmocka_unit_test(steps_have_an_end),
		cmocka_unit_test(a_breakpoint_is_not_stepped_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
