// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* memory_counters: which event stands for a counter, sums and scaling; over counters that the test makes up. */
#include <errno.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "elf_fixture.h"
#include "memory_counters.h"

#define EVENTS 64

/* A processor that refuses what the test says; descriptors count from 100. */
struct machine {
	int (*refuse)(const struct perf_event_attr *attr);
	struct perf_event_attr attrs[EVENTS];
	pid_t threads[EVENTS];
	struct counter_reading readings[EVENTS];
	int opened, closed;
};

static int fake_open(void *context, struct perf_event_attr *attr, pid_t thread)
{
	struct machine *machine = context;
	int error = machine->refuse ? machine->refuse(attr) : 0;

	if (error)
		return error;
	assert_true(machine->opened < EVENTS);
	machine->attrs[machine->opened] = *attr;
	machine->threads[machine->opened] = thread;
	return 100 + machine->opened++;
}

static int fake_read(void *context, int fd, struct counter_reading *ret_reading)
{
	*ret_reading = ((struct machine *)context)->readings[fd - 100];
	return 0;
}

static void fake_close(void *context, int fd)
{
	(void)fd;
	((struct machine *)context)->closed++;
}

static struct machine machine;
static const struct counter_calls calls = { fake_open, fake_read, fake_close, &machine };

static struct memory_counters try_machine(int (*refuse)(const struct perf_event_attr *attr))
{
	struct memory_counters counters;

	memset(&machine, 0, sizeof(machine));
	machine.refuse = refuse;
	assert_int_equal(memory_counters_try(&calls, "/nowhere", NULL, &counters, NULL), 0);
	assert_int_equal(machine.opened, machine.closed);
	machine.opened = machine.closed = 0;
	return counters;
}

static int refuse_hardware(const struct perf_event_attr *attr)
{
	return attr->type == PERF_TYPE_SOFTWARE ? 0 : attr->type == PERF_TYPE_HARDWARE ? -ENOENT : -EOPNOTSUPP;
}

static int refuse_last_level(const struct perf_event_attr *attr)
{
	return attr->type == PERF_TYPE_HW_CACHE && (attr->config & 0xff) == PERF_COUNT_HW_CACHE_LL ? -ENOENT : 0;
}

static int refuse_kernel_part(const struct perf_event_attr *attr)
{
	return attr->exclude_kernel ? 0 : -EACCES;
}

static int refuse_thread_inheritance(const struct perf_event_attr *attr)
{
	return attr->inherit_thread ? -EINVAL : 0;
}

static void a_machine_without_counters_has_the_kernels_own(void **state)
{
	struct memory_counters counters = try_machine(refuse_hardware);

	(void)state;
	assert_int_equal(memory_counters_hardware_count(&counters), 0);
	assert_int_equal(counters.choices[COUNTER_CYCLES].error, -ENOENT);
	assert_int_equal(counters.choices[COUNTER_DTLB_MISSES].error, -EOPNOTSUPP);
	assert_int_equal(counters.choices[COUNTER_MINOR_FAULTS].error, 0);
}

static void what_stands_in_for_a_counter_says_so(void **state)
{
	struct memory_counters counters = try_machine(refuse_last_level);

	(void)state;
	assert_int_equal(memory_counters_hardware_count(&counters), COUNTER_HARDWARE_COUNT);
	assert_string_equal(counters.choices[COUNTER_LLC_MISSES].event, "cache-misses");
	assert_non_null(counters.choices[COUNTER_LLC_MISSES].note);
	assert_string_equal(counters.choices[COUNTER_DTLB_MISSES].event, "dTLB-load-misses");
	assert_null(counters.choices[COUNTER_DTLB_MISSES].note);
	assert_false(counters.is_user_only);
	assert_true(counters.has_thread_inheritance);
}

static void where_the_kernels_part_is_forbidden_the_users_is_counted(void **state)
{
	struct memory_counters counters = try_machine(refuse_kernel_part);

	(void)state;
	assert_true(counters.is_user_only);
	assert_int_equal(counters.choices[COUNTER_CYCLES].error, 0);
}

static void counters_are_scaled_to_the_time_that_they_were_wanted(void **state)
{
	const struct counter_reading before = { 1000, 500, 100 }, now = { 4000, 1500, 350 }, none = { 4000, 2500, 350 };
	double value = -1;

	(void)state;
	assert_true(counter_scale(&before, &now, &value));
	assert_true(value == 12000); /* 3000 in a quarter of the time */
	value = -1;
	assert_false(counter_scale(&now, &none, &value));
	assert_true(value == -1);
}

static void sums_are_over_threads_and_since_the_last_reading(void **state)
{
	struct memory_counters counters = try_machine(NULL);
	struct counted_threads threads = { 0 };
	struct counter_sum sums[COUNTERS];

	(void)state;
	assert_int_equal(counted_threads_add(&counters, 7, false, false, true, &threads), 0);
	assert_int_equal(counted_threads_add(&counters, 8, false, false, true, &threads), 0);
	assert_int_equal(threads.count, 2 * COUNTERS);
	for (int i = 0; i < machine.opened; i++) {
		assert_int_equal(machine.threads[i], i < COUNTERS ? 7 : 8);
		assert_true(machine.attrs[i].inherit && machine.attrs[i].inherit_thread && !machine.attrs[i].disabled);
		machine.readings[i] = (struct counter_reading){ 10 * (i + 1), 100, i < COUNTERS ? 100 : 50 };
	}
	assert_int_equal(counted_threads_read(&counters, &threads, sums), 0);
	assert_true(sums[COUNTER_CYCLES].value == 10 + 2 * 10 * (COUNTERS + 1)); /* the second was counted half of the time */
	assert_int_equal(sums[COUNTER_CYCLES].enabled_ns, 200);
	assert_int_equal(sums[COUNTER_CYCLES].running_ns, 150);
	machine.readings[COUNTER_CYCLES].value += 5;
	machine.readings[COUNTER_CYCLES].enabled_ns += 10;
	machine.readings[COUNTER_CYCLES].running_ns += 10;
	assert_int_equal(counted_threads_read(&counters, &threads, sums), 0);
	assert_true(sums[COUNTER_CYCLES].value == 5);
	assert_int_equal(sums[COUNTER_INSTRUCTIONS].running_ns, 0);
	counted_threads_deinit(&counters, &threads);
	assert_int_equal(machine.closed, machine.opened);
}

static void a_command_is_counted_from_its_exec_on_with_its_children(void **state)
{
	struct memory_counters counters = try_machine(NULL);
	struct counted_threads threads = { 0 };

	(void)state;
	assert_int_equal(counted_threads_add(&counters, 7, true, true, false, &threads), 0);
	assert_int_equal(threads.count, COUNTER_HARDWARE_COUNT);
	assert_true(machine.attrs[0].disabled && machine.attrs[0].enable_on_exec && machine.attrs[0].inherit);
	assert_false(machine.attrs[0].inherit_thread);
	counted_threads_deinit(&counters, &threads);
	counters = try_machine(refuse_thread_inheritance);
	assert_false(counters.has_thread_inheritance);
	assert_int_equal(counted_threads_add(&counters, 7, false, false, false, &threads), 0);
	assert_false(machine.attrs[0].inherit_thread);
	counted_threads_deinit(&counters, &threads);
}

static int refuse_ended_thread(const struct perf_event_attr *attr)
{
	return machine.opened == 3 && attr->inherit ? -ESRCH : 0;
}

static void a_thread_that_ends_meanwhile_leaves_no_events(void **state)
{
	struct memory_counters counters = try_machine(NULL);
	struct counted_threads threads = { 0 };

	(void)state;
	machine.refuse = refuse_ended_thread;
	assert_int_equal(counted_threads_add(&counters, 7, false, true, false, &threads), -ESRCH);
	assert_int_equal(threads.count, 0);
	assert_int_equal(machine.closed, 3);
	counted_threads_deinit(&counters, &threads);
}

static void make_pmu(void)
{
	run("mkdir -p pmu/format pmu/events && echo 4 >pmu/type && echo config:0-7 >pmu/format/event && "
	    "echo config:8-15 >pmu/format/umask && echo config:24-31 >pmu/format/cmask && echo config1:0-15 >pmu/format/ldlat && "
	    "echo config:0-7,32-35 >pmu/format/split && echo config:18 >pmu/format/edge && echo garbage:1 >pmu/format/odd && "
	    "echo event=0xa3,umask=0x14,cmask=0x14 >pmu/events/mem-stalls");
}

static void events_are_put_together_by_the_format_files(void **state)
{
	uint64_t configs[3];
	const char *pmu = fixture_path("pmu");

	(void)state;
	make_pmu();
	assert_int_equal(counter_event_parse(pmu, "event=0xcd,umask=0x1,ldlat=3", configs), 0);
	assert_int_equal(configs[0], 0x1cd);
	assert_int_equal(configs[1], 3);
	assert_int_equal(counter_event_parse(pmu, "split=0xabc,edge", configs), 0);
	assert_int_equal(configs[0], 0xa000400bc);
	assert_int_equal(counter_event_parse(pmu, "event=0x100", configs), -ERANGE);
	assert_int_equal(counter_event_parse(pmu, "nothing=1", configs), -ENOENT);
	assert_int_equal(counter_event_parse(pmu, "odd=1", configs), -EINVAL);
	assert_int_equal(counter_event_parse(pmu, "event=", configs), -EINVAL);
	assert_int_equal(counter_event_parse(pmu, "../type=1", configs), -EINVAL);
	assert_int_equal(counter_event_parse(pmu, ",", configs), -EINVAL);
}

static void stalls_for_memory_alone_come_first(void **state)
{
	struct memory_counters counters;
	const struct counter_choice *stalls = &counters.choices[COUNTER_STALL_CYCLES];

	(void)state;
	memset(&machine, 0, sizeof(machine));
	assert_int_equal(memory_counters_try(&calls, fixture_path("pmu"), NULL, &counters, NULL), 0);
	assert_string_equal(stalls->event, "mem-stalls");
	assert_null(stalls->note);
	assert_int_equal(stalls->type, 4);
	assert_int_equal(stalls->config, 0x140014a3);
	assert_int_equal(memory_counters_try(&calls, fixture_path("pmu"), "event=7", &counters, NULL), 0);
	assert_int_equal(stalls->config, 7);
	assert_int_equal(memory_counters_try(&calls, fixture_path("pmu"), "unheard-of", &counters, NULL), -EINVAL);
	assert_int_equal(memory_counters_try(&calls, "/nowhere", NULL, &counters, NULL), 0);
	assert_string_equal(stalls->event, "stalled-cycles-backend");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_without_counters_has_the_kernels_own),
		cmocka_unit_test(what_stands_in_for_a_counter_says_so),
		cmocka_unit_test(where_the_kernels_part_is_forbidden_the_users_is_counted),
		cmocka_unit_test(counters_are_scaled_to_the_time_that_they_were_wanted),
		cmocka_unit_test(sums_are_over_threads_and_since_the_last_reading),
		cmocka_unit_test(a_command_is_counted_from_its_exec_on_with_its_children),
		cmocka_unit_test(a_thread_that_ends_meanwhile_leaves_no_events),
		cmocka_unit_test(events_are_put_together_by_the_format_files),
		cmocka_unit_test(stalls_for_memory_alone_come_first),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
