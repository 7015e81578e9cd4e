// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Several CPUs meet watchpoints at once, of which the target tells one: the others are found by where they stand,
 * and what can't be found is counted. Code that CPUs stand behind lies in the target's memory here.
 */
#include "heap_trace_fixture.h"

#define CODE (BASE + 0xe000)
#define ELSEWHERE 0xffffffff81400000ULL

/* A CPU stands right behind these instructions; rip is @within bytes into them. */
static void stand_in(unsigned cpu, const char *bytes, size_t size, size_t within)
{
	put(CODE + 0x100 * cpu, bytes, size);
	registers[cpu].rip = CODE + 0x100 * cpu + within;
}

#define STAND_BEHIND(cpu, bytes) stand_in(cpu, bytes, sizeof(bytes) - 1, sizeof(bytes) - 1)

static void stand_still(unsigned cpu)
{
	struct stub_stop stop = { .kind = STUB_STOP_OTHER, .cpu = cpu };
	enum stub_verdict found;

	assert_int_equal(heap_trace_on_trap(trace, NULL, &stop, &found, NULL), 0);
}

static uint64_t lost(void)
{
	return heap_trace_counts(trace)->lost;
}

static void another_cpus_switch_is_noticed_at_once(void **state)
{
	(void)state;
	start("42");
	meet(0, STUB_WATCH_WRITE, CURRENT(0));
	put_u64(CURRENT(1), TASK(1));
	registers[1].rip = ELSEWHERE;
	meet(0, STUB_WATCH_WRITE, CURRENT(0));
	assert_true(has_trap(STUB_WATCH_READ, MASK));
	assert_int_equal(step_count, 1);
	assert_int_equal(stepped_cpu, 1);
	meet(1, STUB_WATCH_WRITE, CURRENT(1)); /* told after the step */
	assert_int_equal(step_count, 1);
	assert_int_equal(lost(), 0);
}

static void another_cpus_new_name_is_noticed_at_once(void **state)
{
	(void)state;
	start("ls");
	switch_to(1, 2);
	put_task(2, 7, "ls");
	registers[1].rip = ELSEWHERE;
	meet(0, STUB_WATCH_WRITE, CURRENT(0));
	assert_true(has_trap(STUB_WATCH_READ, MASK));
	assert_int_equal(stepped_cpu, 1);
}

static void a_watchpoint_stays_until_its_hit_is_told(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	begin_allocation(SLOT);
	registers[0].rip = CALLER;
	registers[0].general[INSN_RSP] = SLOT + 8;
	registers[0].general[INSN_RAX] = OBJECT;
	put_u64(CURRENT(0), TASK(2)); /* nobody is followed now */
	size_t before = trap_count;
	meet(1, STUB_WATCH_WRITE, CURRENT(1));
	assert_int_equal(event_count, 1);
	assert_int_equal(step_count, 1);
	assert_int_equal(traps_at_step, before);
	assert_false(has_trap(STUB_WATCH_READ, SLOT) || has_trap(STUB_WATCH_READ, MASK));
}

static void a_trap_that_is_needed_again_stays(void **state)
{
	(void)state;
	start("ls");
	switch_to(0, 2);
	/* The task goes from one CPU to the other, and both are seen at one stop. */
	put_u64(CURRENT(0), TASK(0));
	put_u64(CURRENT(1), TASK(2));
	registers[1].rip = ELSEWHERE;
	meet(0, STUB_WATCH_WRITE, CURRENT(0));
	assert_true(has_trap(STUB_WATCH_WRITE, TASK(2) + T_COMM));
	switch_to(1, 0);
	assert_false(has_trap(STUB_WATCH_WRITE, TASK(2) + T_COMM));
}

static void a_name_is_watched_while_any_cpu_runs_its_task(void **state)
{
	(void)state;
	start("ls");
	switch_to(0, 2);
	switch_to(1, 2);
	switch_to(0, 0);
	assert_true(has_trap(STUB_WATCH_WRITE, TASK(2) + T_COMM));
	switch_to(1, 0);
	assert_false(has_trap(STUB_WATCH_WRITE, TASK(2) + T_COMM));
}

static void what_is_told_of_a_cpu_that_met_nothing_is_lost(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	begin_allocation(SLOT);
	registers[0].rip = ELSEWHERE;
	meet(0, STUB_WATCH_READ, SLOT);
	assert_int_equal(lost(), 1);
	meet(0, STUB_WATCH_READ, SLOT); /* it has not moved */
	assert_int_equal(lost(), 1);
	registers[1].rip = ELSEWHERE + 1; /* nobody follows what runs there */
	meet(1, STUB_WATCH_READ, SLOT);
	assert_int_equal(lost(), 1);
}

static void whoever_reads_a_watched_word_has_met_it(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	begin_allocation(SLOT);
	STAND_BEHIND(0, "\x48\x8b\x44\x24\x40"); /* mov 0x40(%rsp),%rax */
	registers[0].general[INSN_RSP] = SLOT - 0x40;
	meet(0, STUB_WATCH_READ, SLOT);
	STAND_BEHIND(0, "\x90\x90\x90\x48\x8b\x00"); /* mov (%rax),%rax */
	registers[0].general[INSN_RAX] = CALLER;
	meet(0, STUB_WATCH_READ, SLOT);
	STAND_BEHIND(0, "\x90\x90\x90\x90\x90\x90\x58"); /* pop %rax */
	registers[0].general[INSN_RSP] = SLOT + 8;
	meet(0, STUB_WATCH_READ, SLOT);
	STAND_BEHIND(0, "\x90\x90\x90\x90\x90\x90\x90\x48\x8b\x04\xd3"); /* mov (%rbx,%rdx,8),%rax */
	registers[0].general[INSN_RBX] = SLOT - 80;
	registers[0].general[INSN_RDX] = 10;
	meet(0, STUB_WATCH_READ, SLOT);
	assert_int_equal(lost(), 0);
	STAND_BEHIND(0, "\x90\x90\x90\x48\x8b\x44\x24\x48"); /* mov 0x48(%rsp),%rax: another word */
	registers[0].general[INSN_RSP] = SLOT - 0x40;
	meet(0, STUB_WATCH_READ, SLOT);
	assert_int_equal(lost(), 1);
}

static void an_unheard_reader_is_stepped_whoever_runs_there(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	begin_allocation(SLOT);
	meet(0, STUB_WATCH_READ, MASK);
	STAND_BEHIND(1, "\x48\x8b\x44\x24\x40");
	registers[1].general[INSN_RSP] = SLOT - 0x40;
	meet(0, STUB_WATCH_READ, MASK);
	assert_int_equal(step_count, 1);
	assert_int_equal(stepped_cpu, 1);
	STAND_BEHIND(1, "\x48\x89\x44\x24\x40\x90"); /* a write is none */
	meet(0, STUB_WATCH_READ, MASK);
	assert_int_equal(step_count, 1);
}

static void a_store_that_repeats_is_met_where_it_stands(void **state)
{
	(void)state;
	start("ls");
	switch_to(1, 2);
	registers[1].general[INSN_RDI] = TASK(2) + T_COMM + 3;
	stand_in(1, "\xf3\xa4\x90", 3, 0); /* rep movsb, of the same name */
	meet(0, STUB_WATCH_WRITE, CURRENT(0));
	assert_int_equal(step_count, 1);
	assert_int_equal(stepped_cpu, 1);
}

static void a_place_that_an_interrupt_returns_to_is_not_met_again(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	stand_at(0, AT_FREE, SLOT);
	registers[0].general[INSN_RSI] = OBJECT;
	struct stub_registers before = registers[0];
	meet(0, STUB_WATCH_READ, MASK);
	stand_at(0, AT_FREE, SLOT - 0x200); /* in the interrupt */
	meet(0, STUB_WATCH_READ, MASK);
	registers[0] = before;
	meet(1, STUB_WATCH_WRITE, CURRENT(1));
	assert_int_equal(event_count, 2);
	assert_int_equal(step_count, 0);
	stand_at(0, AT_ALLOC, SLOT); /* the next call of the function that it was called by */
	meet(0, STUB_WATCH_READ, MASK);
	registers[0] = before;
	meet(1, STUB_WATCH_WRITE, CURRENT(1));
	assert_int_equal(event_count, 3);
	assert_int_equal(step_count, 1);
}

static void a_call_like_the_one_before_is_another_one(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	begin_allocation(SLOT);
	struct stub_registers before = registers[0];
	come_back(0, SLOT, OBJECT);
	registers[0] = before;
	meet(1, STUB_WATCH_WRITE, CURRENT(1));
	assert_int_equal(step_count, 1);
	assert_true(has_trap(STUB_WATCH_READ, SLOT));
}

static void what_a_step_meets_is_handled_too(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	begin_allocation(SLOT);
	stand_at(0, AT_FREE, SLOT - 0x200);
	registers[0].general[INSN_RSI] = OBJECT;
	trace->sites->sites[2].ip_after = AT_FREE + 3; /* where the step leads */
	meet(1, STUB_WATCH_WRITE, CURRENT(1));
	assert_int_equal(event_count, 1);
	assert_true(has_trap(STUB_WATCH_READ, SLOT - 0x200));
	meet(0, STUB_WATCH_READ, MASK); /* what QEMU tells of the step */
	assert_int_equal(event_count, 1);
	assert_int_equal(lost(), 0);
}

static void a_task_that_cant_be_read_yet_may_be_the_followed_one(void **state)
{
	uint64_t at = percpu[1];

	(void)state;
	percpu[1] = BASE + 2 * sizeof(memory_bytes); /* as a CPU sees it that is in user mode */
	start("42");
	assert_true(has_trap(STUB_WATCH_READ, MASK));
	percpu[1] = at;
	trace->cpus[1].current_address = CURRENT(1);
	meet(0, STUB_WATCH_WRITE, CURRENT(0));
	assert_false(has_trap(STUB_WATCH_READ, MASK));
}

static void a_cpu_in_user_mode_has_met_nothing(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	meet(1, STUB_WATCH_WRITE, CURRENT(1));
	stand_at(0, AT_FREE, SLOT);
	registers[0].general[INSN_RSI] = OBJECT;
	registers[0].cs = 0x33;
	meet(1, STUB_WATCH_WRITE, CURRENT(1));
	assert_int_equal(event_count + step_count, 0);
}

static void what_was_met_when_the_target_was_stopped_is_handled(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	stand_at(0, AT_FREE, SLOT);
	registers[0].general[INSN_RSI] = OBJECT;
	stand_still(0);
	assert_int_equal(event_count, 1);
	assert_int_equal(step_count, 1);
	stand_at(0, AT_FREE, SLOT);
	registers[0].general[INSN_RSI] = OBJECT + 64;
	stand_still(1);
	assert_int_equal(event_count, 2);
	assert_int_equal(heap_trace_counts(trace)->stops, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(another_cpus_switch_is_noticed_at_once),
		TEST(another_cpus_new_name_is_noticed_at_once),
		TEST(a_watchpoint_stays_until_its_hit_is_told),
		TEST(a_trap_that_is_needed_again_stays),
		TEST(a_name_is_watched_while_any_cpu_runs_its_task),
		TEST(what_is_told_of_a_cpu_that_met_nothing_is_lost),
		TEST(whoever_reads_a_watched_word_has_met_it),
		TEST(an_unheard_reader_is_stepped_whoever_runs_there),
		TEST(a_store_that_repeats_is_met_where_it_stands),
		TEST(a_place_that_an_interrupt_returns_to_is_not_met_again),
		TEST(a_call_like_the_one_before_is_another_one),
		TEST(what_a_step_meets_is_handled_too),
		TEST(a_task_that_cant_be_read_yet_may_be_the_followed_one),
		TEST(a_cpu_in_user_mode_has_met_nothing),
		TEST(what_was_met_when_the_target_was_stopped_is_handled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
