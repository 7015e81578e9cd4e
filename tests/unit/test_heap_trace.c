// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The heap trace: whose calls are told, when, and what is lost. */
#include "heap_trace_fixture.h"

static void traps_are_set_only_while_a_followed_task_is_on_a_cpu(void **state)
{
	(void)state;
	start("42");
	assert_false(has_trap(STUB_WATCH_READ, MASK));
	switch_to(1, 1);
	assert_true(has_trap(STUB_WATCH_READ, MASK));
	switch_to(0, 2);
	assert_true(has_trap(STUB_WATCH_READ, MASK));
	switch_to(1, 0);
	assert_false(has_trap(STUB_WATCH_READ, MASK));
	assert_int_equal(heap_trace_counts(trace)->switches, 2);
	assert_int_equal(heap_trace_stop(trace, NULL, NULL), 0);
	assert_int_equal(trap_count, 0);
}

static void an_allocation_is_told_at_its_return(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	begin_allocation(SLOT);
	assert_true(has_trap(STUB_WATCH_READ, SLOT));
	registers[0].rip = ALLOC + 0x40; /* the function looks at its own return address */
	meet(0, STUB_WATCH_READ, SLOT);
	registers[0].general[INSN_RSP] = SLOT + 8; /* somebody else stands there */
	meet(0, STUB_WATCH_READ, SLOT);
	assert_int_equal(event_count, 0);
	come_back(0, SLOT, OBJECT);
	assert_int_equal(event_count, 1);
	assert_false(has_trap(STUB_WATCH_READ, SLOT));
	assert_int_equal(events[0].kind, HEAP_ALLOC);
	assert_true(events[0].object == OBJECT && events[0].cache_address == CACHE && events[0].caller == CALLER);
	assert_string_equal(events[0].cache, "filp");
	assert_string_equal(events[0].comm, "followed");
	assert_int_equal(events[0].pid, FOLLOWED);
	assert_int_equal(events[0].object_size_bytes, 192);
}

static void a_release_is_told_at_once(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	stand_at(0, AT_FREE, SLOT);
	registers[0].general[INSN_RSI] = OBJECT;
	meet(0, STUB_WATCH_READ, MASK);
	assert_int_equal(event_count, 1);
	assert_int_equal(events[0].kind, HEAP_FREE);
	assert_true(events[0].object == OBJECT);
	registers[0].general[INSN_RSI] = 16; /* ZERO_SIZE_PTR */
	meet(0, STUB_WATCH_READ, MASK);
	assert_int_equal(event_count, 1);
}

static void other_tasks_calls_are_nobodys(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	put_u64(CURRENT(1), TASK(2));
	stand_at(1, AT_FREE, SLOT);
	registers[1].general[INSN_RSI] = OBJECT;
	meet(1, STUB_WATCH_READ, MASK);
	assert_int_equal(event_count, 0);
}

static void a_call_may_sleep_and_come_back_on_another_cpu(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	begin_allocation(SLOT);
	registers[0].rip = 0xffffffff81200000;
	switch_to(0, 2);
	assert_false(has_trap(STUB_WATCH_READ, MASK));
	assert_true(has_trap(STUB_WATCH_READ, SLOT));
	switch_to(1, 1);
	come_back(1, SLOT, OBJECT);
	assert_int_equal(event_count, 1);
	assert_int_equal(events[0].cpu, 1);
	assert_int_equal(events[0].pid, FOLLOWED);
}

static void calls_within_calls_end_in_their_order(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	begin_allocation(SLOT);
	begin_allocation(SLOT - 0x200); /* an interrupt's */
	come_back(0, SLOT - 0x200, OBJECT + 0x100);
	come_back(0, SLOT, OBJECT);
	assert_int_equal(event_count, 2);
	assert_true(events[0].object == OBJECT + 0x100 && events[1].object == OBJECT);
	assert_int_equal(heap_trace_counts(trace)->lost, 0);
}

static void a_task_is_followed_from_when_it_is_called_so(void **state)
{
	(void)state;
	start("ls");
	switch_to(0, 2);
	assert_false(has_trap(STUB_WATCH_READ, MASK));
	assert_true(has_trap(STUB_WATCH_WRITE, TASK(2) + T_COMM));
	put_task(2, 7, "ls");
	meet(0, STUB_WATCH_WRITE, TASK(2) + T_COMM);
	assert_true(has_trap(STUB_WATCH_READ, MASK));
	switch_to(0, 0);
	assert_false(has_trap(STUB_WATCH_WRITE, TASK(2) + T_COMM));
}

static void a_switch_that_was_not_told_is_noticed_at_the_next_stop(void **state)
{
	(void)state;
	start("42");
	put_u64(CURRENT(0), TASK(1));
	meet(0, STUB_WATCH_READ, 0);
	assert_true(has_trap(STUB_WATCH_READ, MASK));
}

static void a_cpu_that_met_a_watchpoint_unheard_is_looked_at_once(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	stand_at(0, AT_FREE, SLOT);
	registers[0].general[INSN_RSI] = OBJECT;
	meet(1, STUB_WATCH_WRITE, CURRENT(1));
	assert_int_equal(event_count, 1);
	assert_int_equal(events[0].cpu, 0);
	assert_int_equal(step_count, 1);
	assert_int_equal(stepped_cpu, 0);
	/* It stays where the step took it. */
	meet(1, STUB_WATCH_WRITE, CURRENT(1));
	meet(1, STUB_WATCH_WRITE, CURRENT(1));
	meet(0, STUB_WATCH_READ, MASK);
	assert_int_equal(event_count, 1);
}

static void the_same_call_again_is_another_event(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	stand_at(0, AT_FREE, SLOT);
	registers[0].general[INSN_RSI] = OBJECT;
	meet(0, STUB_WATCH_READ, MASK);
	registers[0].rip = 0xffffffff81300000;
	meet(0, STUB_WATCH_READ, MASK);
	registers[0].rip = AT_FREE;
	meet(0, STUB_WATCH_READ, MASK);
	assert_int_equal(event_count, 2);
}

static void calls_that_never_return_are_counted_as_lost(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	for (uint64_t i = 0; i < HEAP_CALLS_MAX + 3; i++) {
		begin_allocation(SLOT + 16 * i);
	}
	assert_int_equal(heap_trace_counts(trace)->lost, 3);
	stand_at(0, AT_ALLOC, SLOT + 16 * HEAP_CALLS_MAX); /* the stack is used again */
	registers[0].general[INSN_RBX] = 1;
	meet(0, STUB_WATCH_READ, MASK);
	assert_int_equal(heap_trace_counts(trace)->lost, 4);
	heap_trace_stop(trace, NULL, NULL);
	assert_int_equal(heap_trace_counts(trace)->lost, 4 + HEAP_CALLS_MAX);
}

static void a_bulk_call_is_an_event_for_each_object(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	stand_at(0, AT_BULK, SLOT);
	registers[0].general[INSN_RCX] = ARRAY;
	meet(0, STUB_WATCH_READ, MASK);
	for (uint64_t i = 0; i < 3; i++)
		put_u64(ARRAY + 8 * i, OBJECT + 192 * i);
	come_back(0, SLOT, 3);
	assert_int_equal(event_count, 3);
	assert_true(events[2].object == OBJECT + 2 * 192);
}

static void a_bulk_call_that_only_says_it_was_done_is_all_of_its_objects(void **state)
{
	(void)state;
	for (size_t i = 0; i < trace->sites->site_count; i++)
		trace->sites->sites[i].arguments.count =
			(struct value_place){ .kind = PLACE_REGISTER, .number = INSN_RDX };
	start_followed_on_cpu_0();
	for (uint64_t i = 0; i < 3; i++)
		put_u64(ARRAY + 8 * i, OBJECT + 192 * i);
	for (uint64_t turn = 0; turn < 3; turn++) {
		static const uint64_t results[] = { 0xffff888100000001, 0xffff888100000000, 3 };

		stand_at(0, AT_BULK, SLOT);
		registers[0].general[INSN_RCX] = ARRAY;
		registers[0].general[INSN_RDX] = 3;
		meet(0, STUB_WATCH_READ, MASK);
		come_back(0, SLOT, results[turn]);
		assert_int_equal(event_count, turn < 2 ? 3 : 6);
	}
}

static void what_the_filter_can_tell_by_the_cache_is_not_waited_for(void **state)
{
	(void)state;
	assert_int_equal(heap_filter_add_cache(&filter, "dentry", NULL), 0);
	start_followed_on_cpu_0();
	begin_allocation(SLOT);
	assert_false(has_trap(STUB_WATCH_READ, SLOT));
}

static void an_inner_call_is_its_outer_ones_where_that_is_met(void **state)
{
	(void)state;
	trace->sites->functions[0].is_inner = true;
	start_followed_on_cpu_0();
	stand_at(0, AT_ALLOC, SLOT);
	put_u64(SLOT, BULK + 0x50);
	meet(0, STUB_WATCH_READ, MASK);
	assert_true(has_trap(STUB_WATCH_READ, SLOT)); /* another kind of call */
	trace->sites->functions[2].call = HEAP_CALL_ALLOC;
	stand_at(0, AT_ALLOC, SLOT + 0x100);
	put_u64(SLOT + 0x100, BULK + 0x50);
	meet(0, STUB_WATCH_READ, MASK);
	assert_false(has_trap(STUB_WATCH_READ, SLOT + 0x100));
	trace->sites->site_count = 2; /* the outer one can't be met */
	registers[0].general[INSN_RBX] = 1;
	meet(0, STUB_WATCH_READ, MASK);
	assert_true(has_trap(STUB_WATCH_READ, SLOT + 0x100));
}

static void a_caches_name_is_the_one_it_has_now(void **state)
{
	(void)state;
	start_followed_on_cpu_0();
	for (int i = 0; i < 2; i++) {
		begin_allocation(SLOT);
		come_back(0, SLOT, OBJECT);
		put(NAME, "other", 6);
	}
	assert_string_equal(events[0].cache, "filp");
	assert_string_equal(events[1].cache, "other");
}

static void a_watched_object_is_told_whoever_releases_it(void **state)
{
	(void)state;
	assert_int_equal(heap_trace_watch(trace, OBJECT, NULL), 0);
	verdict = HEAP_EVENT_STOP;
	start("42");
	assert_true(has_trap(STUB_WATCH_READ, MASK));
	stand_at(1, AT_FREE, SLOT);
	registers[1].general[INSN_RSI] = OBJECT + 192;
	assert_int_equal(meet(1, STUB_WATCH_READ, MASK), STUB_GO_ON);
	registers[1].general[INSN_RSI] = OBJECT;
	assert_int_equal(meet(1, STUB_WATCH_READ, MASK), STUB_TELL_GDB);
	assert_int_equal(event_count, 1);
}

static void without_watchpoints_returns_are_met_by_breakpoints(void **state)
{
	(void)state;
	is_translated = false;
	start("42");
	assert_true(has_trap(STUB_BREAK, ALLOC));
	put_u64(CURRENT(0), TASK(1));
	put_u64(CURRENT(1), TASK(2));
	stand_at(1, ALLOC, SLOT + 0x400);
	registers[1].general[INSN_RSP] = SLOT + 0x400;
	meet(1, STUB_BREAK, 0);
	assert_false(has_trap(STUB_BREAK, CALLER));
	stand_at(0, ALLOC, SLOT);
	registers[0].general[INSN_RSP] = SLOT;
	meet(0, STUB_BREAK, 0);
	assert_true(has_trap(STUB_BREAK, CALLER));
	registers[1].rip = CALLER; /* another task comes by */
	registers[1].general[INSN_RSP] = SLOT + 0x408;
	meet(1, STUB_BREAK, 0);
	assert_int_equal(event_count, 0);
	registers[0].rip = CALLER;
	registers[0].general[INSN_RSP] = SLOT + 8;
	registers[0].general[INSN_RAX] = OBJECT;
	meet(0, STUB_BREAK, 0);
	assert_int_equal(event_count, 1);
	assert_false(has_trap(STUB_BREAK, CALLER));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(traps_are_set_only_while_a_followed_task_is_on_a_cpu),
		TEST(an_allocation_is_told_at_its_return),
		TEST(a_release_is_told_at_once),
		TEST(other_tasks_calls_are_nobodys),
		TEST(a_call_may_sleep_and_come_back_on_another_cpu),
		TEST(calls_within_calls_end_in_their_order),
		TEST(a_task_is_followed_from_when_it_is_called_so),
		TEST(a_switch_that_was_not_told_is_noticed_at_the_next_stop),
		TEST(a_cpu_that_met_a_watchpoint_unheard_is_looked_at_once),
		TEST(the_same_call_again_is_another_event),
		TEST(calls_that_never_return_are_counted_as_lost),
		TEST(a_bulk_call_is_an_event_for_each_object),
		TEST(a_bulk_call_that_only_says_it_was_done_is_all_of_its_objects),
		TEST(what_the_filter_can_tell_by_the_cache_is_not_waited_for),
		TEST(an_inner_call_is_its_outer_ones_where_that_is_met),
		TEST(a_caches_name_is_the_one_it_has_now),
		TEST(a_watched_object_is_told_whoever_releases_it),
		TEST(without_watchpoints_returns_are_met_by_breakpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
