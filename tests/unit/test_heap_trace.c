// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The heap trace against a target that is made here: two CPUs whose registers and memory each test sets, and
 * traps that are only noted. The functions of stub_target.h that the trace uses are this file's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heap_trace_private.h"
#include "insn_x86.h"
#include "kernel.h"
#include "kernel_memory.h"

#define BASE MEMORY_VIRTUAL
#define CURRENT(cpu) (BASE + 0x1000 * ((cpu) + 1ULL) + 0x100)
#define TASK(number) (BASE + 0x4000 + 0x100ULL * (number))
#define CACHE (BASE + 0x6000)
#define NAME (BASE + 0x6100)
#define ARRAY (BASE + 0x6200)
#define SLOT (BASE + 0x8000)
#define OBJECT (BASE + 0xc0c0)
#define MASK 0xffffffff83000000ULL
#define ALLOC 0xffffffff81000000ULL
#define FREE 0xffffffff81001000ULL
#define BULK 0xffffffff81002000ULL
#define AT_ALLOC (ALLOC + 0x20)
#define AT_FREE (FREE + 0x20)
#define AT_BULK (BULK + 0x20)
#define CALLER 0xffffffff81100005ULL
#define PF_KTHREAD 0x200000
#define FOLLOWED 42
enum { T_FLAGS = 0, T_PID = 8, T_TGID = 12, T_COMM = 16, TRAPS_MAX = 600 };

static uint8_t memory_bytes[0x10000];
static struct stub_registers registers[2];
static struct stub_trap traps[TRAPS_MAX];
static size_t trap_count, step_count;
static unsigned stepped_cpu;
static bool is_translated;

/* The target ------------------------------------------------------------------------------------------------ */

unsigned stub_cpu_count(const struct stub_target *target)
{
	(void)target;
	return 2;
}

bool stub_is_translated(const struct stub_target *target)
{
	(void)target;
	return is_translated;
}

int stub_registers_read(struct stub_target *target, unsigned cpu, struct stub_registers *ret_registers,
			struct error *err)
{
	(void)target;
	(void)err;
	*ret_registers = registers[cpu];
	return 0;
}

int stub_registers_jump(struct stub_target *target, unsigned cpu, uint64_t rip, uint64_t rsp, struct error *err)
{
	(void)target;
	(void)err;
	registers[cpu].rip = rip;
	registers[cpu].general[INSN_RSP] = rsp;
	return 0;
}

int stub_memory_read(struct stub_target *target, unsigned cpu, struct memory_read *reads, size_t count,
		     struct error *err)
{
	(void)target;
	(void)cpu;
	(void)err;
	for (size_t i = 0; i < count; i++) {
		uint64_t at = reads[i].address - BASE;

		reads[i].result = at > sizeof(memory_bytes) || reads[i].size > sizeof(memory_bytes) - at ? -EFAULT : 0;
		if (!reads[i].result)
			memcpy(reads[i].buffer, memory_bytes + at, reads[i].size);
	}
	return 0;
}

static size_t find_trap(enum stub_trap_kind kind, uint64_t address)
{
	size_t i = 0;

	while (i < trap_count && (traps[i].kind != kind || traps[i].address != address))
		i++;
	return i;
}

static bool has_trap(enum stub_trap_kind kind, uint64_t address)
{
	return find_trap(kind, address) < trap_count;
}

int stub_traps_change(struct stub_target *target, struct stub_trap *removed, size_t removed_count,
		      struct stub_trap *added, size_t added_count, struct error *err)
{
	(void)target;
	(void)err;
	for (size_t i = 0; i < removed_count; i++) {
		size_t at = find_trap(removed[i].kind, removed[i].address);

		assert_true(at < trap_count);
		traps[at] = traps[--trap_count];
	}
	for (size_t i = 0; i < added_count; i++) {
		assert_false(has_trap(added[i].kind, added[i].address));
		assert_true(trap_count < TRAPS_MAX);
		added[i].result = 0;
		traps[trap_count++] = added[i];
	}
	return 0;
}

int stub_traps_clear(struct stub_target *target, struct error *err)
{
	(void)target;
	(void)err;
	trap_count = 0;
	return 0;
}

int stub_step(struct stub_target *target, unsigned cpu, struct error *err)
{
	(void)target;
	(void)err;
	step_count++;
	stepped_cpu = cpu;
	registers[cpu].rip += 3;
	return 0;
}

/* A kernel with three functions ------------------------------------------------------------------------------ */

static struct kernel *kernel;
static struct heap_filter filter;
static struct heap_trace *trace;
static struct heap_event events[600];
static size_t event_count;
static enum heap_verdict verdict;
static uint64_t percpu[2] = { BASE + 0x1000, BASE + 0x2000 };

static void put(uint64_t address, const void *bytes, size_t size)
{
	memcpy(memory_bytes + (address - BASE), bytes, size);
}

static void put_u64(uint64_t address, uint64_t value)
{
	put(address, &value, sizeof(value));
}

static void put_task(unsigned number, int32_t pid, const char *comm)
{
	char name[16] = "";

	snprintf(name, sizeof(name), "%s", comm);
	put(TASK(number) + T_PID, &pid, sizeof(pid));
	put(TASK(number) + T_TGID, &pid, sizeof(pid));
	put(TASK(number) + T_COMM, name, sizeof(name));
}

static enum heap_verdict on_event(void *context, const struct heap_event *event)
{
	(void)context;
	assert_true(event_count < sizeof(events) / sizeof(*events));
	events[event_count++] = *event;
	return verdict;
}

static struct value_place in(uint8_t number)
{
	return (struct value_place){ .kind = PLACE_REGISTER, .number = number };
}

static struct heap_sites *make_sites(void)
{
	struct heap_sites *sites = calloc(1, sizeof(*sites));

	sites->function_count = sites->site_count = 3;
	sites->functions = calloc(3, sizeof(*sites->functions));
	sites->sites = calloc(3, sizeof(*sites->sites));
	sites->globals = calloc(1, sizeof(*sites->globals));
	sites->global_count = 1;
	sites->globals[0] = (struct heap_global){ "gfp_allowed_mask", MASK, 4 };
	sites->functions[0] = (struct heap_function){ .name = "kmem_cache_alloc", .start = ALLOC, .end = ALLOC + 0x100 };
	sites->functions[1] = (struct heap_function){ .name = "kfree", .start = FREE, .end = FREE + 0x100,
						      .call = HEAP_CALL_FREE };
	sites->functions[2] = (struct heap_function){ .name = "kmem_cache_alloc_bulk", .start = BULK, .end = BULK + 0x100,
						      .call = HEAP_CALL_ALLOC_BULK };
	for (uint32_t i = 0; i < 3; i++) {
		sites->functions[i].at_entry.cache = in(INSN_RDI);
		sites->sites[i] = (struct heap_site){ .ip_after = sites->functions[i].start + 0x20, .function = i,
						      .frame_register = INSN_RBP, .frame_offset = 8 };
		sites->sites[i].arguments.cache = in(INSN_RDI);
	}
	sites->sites[1].arguments.object = in(INSN_RSI);
	sites->sites[2].arguments.array = in(INSN_RCX);
	return sites;
}

static struct field member(uint32_t offset, uint16_t size)
{
	return (struct field){ .offset = offset, .size = size };
}

static int set_up(void **state)
{
	(void)state;
	memset(memory_bytes, 0, sizeof(memory_bytes));
	memset(registers, 0, sizeof(registers));
	memset(&filter, 0, sizeof(filter));
	trap_count = step_count = event_count = 0;
	is_translated = true;
	verdict = HEAP_EVENT_GO_ON;
	kernel = memory_kernel(memory_create(0, PAGE), 0, 0);
	kernel->percpu_offsets = percpu;
	kernel->cpu_count = 2;
	assert_int_equal(kernel_symbols_add(kernel->symbols, "current_task", 0x100), 0);
	trace = calloc(1, sizeof(*trace));
	trace->kernel = kernel;
	trace->filter = &filter;
	trace->sites = make_sites();
	trace->on_event = on_event;
	trace->symbols = calloc(HEAP_SYMBOLS_MAX, sizeof(*trace->symbols));
	trace->names = calloc(HEAP_NAMES_MAX, sizeof(*trace->names));
	trace->traps = calloc(8, sizeof(*trace->traps));
	trace->task_layout = (struct heap_task_layout){ member(T_PID, 4), member(T_TGID, 4), member(T_COMM, 16),
							member(T_FLAGS, 4) };
	trace->slab_layout.cache.name = member(0, 8);
	trace->slab_layout.cache.object_size = member(8, 4);
	trace->slab_layout.page.size = 64;
	put_u64(CACHE, NAME);
	put_u64(CACHE + 8, 192);
	put(NAME, "filp", 5);
	put_task(0, 0, "swapper");
	put(TASK(0) + T_FLAGS, &(uint32_t){ PF_KTHREAD }, sizeof(uint32_t));
	put_task(1, FOLLOWED, "followed");
	put_task(2, 7, "other");
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		put_u64(CURRENT(cpu), TASK(0));
		registers[cpu].gs_base = percpu[cpu];
		registers[cpu].rip = 0xffffffff81200000 + cpu;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	heap_trace_destroy(trace);
	kernel->percpu_offsets = NULL;
	kernel_close(kernel);
	return 0;
}

static enum stub_verdict meet(unsigned cpu, enum stub_trap_kind kind, uint64_t address)
{
	struct stub_stop stop = { .kind = STUB_STOP_WATCH, .trap = kind, .address = address, .cpu = cpu };
	enum stub_verdict found;

	if (kind == STUB_BREAK)
		stop = (struct stub_stop){ .kind = STUB_STOP_BREAK, .cpu = cpu };
	assert_int_equal(heap_trace_on_trap(trace, NULL, &stop, &found, NULL), 0);
	return found;
}

static void switch_to(unsigned cpu, unsigned task)
{
	put_u64(CURRENT(cpu), TASK(task));
	meet(cpu, STUB_WATCH_WRITE, CURRENT(cpu));
}

static void start(const char *process)
{
	if (process)
		assert_int_equal(heap_filter_add_process(&filter, process, NULL), 0);
	assert_int_equal(heap_trace_start(trace, NULL, NULL), 0);
}

static void start_followed_on_cpu_0(void)
{
	start("42");
	switch_to(0, 1);
}

/* A CPU stands at a site, of a call whose return address is at @slot. */
static void stand_at(unsigned cpu, uint64_t site, uint64_t slot)
{
	registers[cpu].rip = site;
	registers[cpu].general[INSN_RBP] = slot - 8;
	registers[cpu].general[INSN_RSP] = slot - 64;
	registers[cpu].general[INSN_RDI] = CACHE;
	put_u64(slot, CALLER);
}

static void begin_allocation(uint64_t slot)
{
	stand_at(0, AT_ALLOC, slot);
	meet(0, STUB_WATCH_READ, MASK);
}

static enum stub_verdict come_back(unsigned cpu, uint64_t slot, uint64_t result)
{
	registers[cpu].rip = CALLER;
	registers[cpu].general[INSN_RSP] = slot + 8;
	registers[cpu].general[INSN_RAX] = result;
	return meet(cpu, STUB_WATCH_READ, slot);
}

/* Tests ------------------------------------------------------------------------------------------------------ */

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
	/* Without having moved it stands there at the next stops too. */
	registers[0].rip = AT_FREE;
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
		TEST(what_the_filter_can_tell_by_the_cache_is_not_waited_for),
		TEST(an_inner_call_is_its_outer_ones_where_that_is_met),
		TEST(a_caches_name_is_the_one_it_has_now),
		TEST(a_watched_object_is_told_whoever_releases_it),
		TEST(without_watchpoints_returns_are_met_by_breakpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
