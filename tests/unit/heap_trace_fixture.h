/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A heap trace under test and what it stands on, made here: a target with two CPUs whose registers and memory each test
 * sets and whose traps are only noted, and a kernel with three slab functions. The functions of stub_target.h that the
 * trace uses are this file's own.
 */
#ifndef HEAP_TRACE_FIXTURE_H
#define HEAP_TRACE_FIXTURE_H

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
static size_t trap_count, step_count, traps_at_step;
static unsigned stepped_cpu;
static bool is_translated;
static int told_cpu = -1; /* stub_tell_cpu() */

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

int stub_registers_read_all(struct stub_target *target, struct error *err)
{
	(void)target;
	(void)err;
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

static inline size_t find_trap(enum stub_trap_kind kind, uint64_t address)
{
	size_t i = 0;

	while (i < trap_count && (traps[i].kind != kind || traps[i].address != address))
		i++;
	return i;
}

static inline bool has_trap(enum stub_trap_kind kind, uint64_t address)
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

void stub_tell_cpu(struct stub_target *target, unsigned cpu)
{
	(void)target;
	told_cpu = (int)cpu;
}

int stub_step(struct stub_target *target, unsigned cpu, struct error *err)
{
	(void)target;
	(void)err;
	step_count++;
	traps_at_step = trap_count;
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

static inline void put(uint64_t address, const void *bytes, size_t size)
{
	memcpy(memory_bytes + (address - BASE), bytes, size);
}

static inline void put_u64(uint64_t address, uint64_t value)
{
	put(address, &value, sizeof(value));
}

static inline void put_task(unsigned number, int32_t pid, const char *comm)
{
	char name[16] = "";

	snprintf(name, sizeof(name), "%s", comm);
	put(TASK(number) + T_PID, &pid, sizeof(pid));
	put(TASK(number) + T_TGID, &pid, sizeof(pid));
	put(TASK(number) + T_COMM, name, sizeof(name));
}

static inline enum heap_verdict on_event(void *context, const struct heap_event *event)
{
	(void)context;
	assert_true(event_count < sizeof(events) / sizeof(*events));
	events[event_count++] = *event;
	return verdict;
}

static inline struct value_place in(uint8_t number)
{
	return (struct value_place){ .kind = PLACE_REGISTER, .number = number };
}

static inline struct heap_sites *make_sites(void)
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

static inline struct field member(uint32_t offset, uint16_t size)
{
	return (struct field){ .offset = offset, .size = size };
}

static inline int set_up(void **state)
{
	(void)state;
	memset(memory_bytes, 0, sizeof(memory_bytes));
	memset(registers, 0, sizeof(registers));
	memset(&filter, 0, sizeof(filter));
	trap_count = step_count = traps_at_step = event_count = 0;
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
	trace->codes = calloc(HEAP_CODES_MAX, sizeof(*trace->codes));
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

static inline int tear_down(void **state)
{
	(void)state;
	heap_trace_destroy(trace);
	kernel->percpu_offsets = NULL;
	kernel_close(kernel);
	return 0;
}

static inline enum stub_verdict meet(unsigned cpu, enum stub_trap_kind kind, uint64_t address)
{
	struct stub_stop stop = { .kind = STUB_STOP_WATCH, .trap = kind, .address = address, .cpu = cpu };
	enum stub_verdict found;

	if (kind == STUB_BREAK)
		stop = (struct stub_stop){ .kind = STUB_STOP_BREAK, .cpu = cpu };
	assert_int_equal(heap_trace_on_trap(trace, NULL, &stop, &found, NULL), 0);
	return found;
}

static inline void switch_to(unsigned cpu, unsigned task)
{
	put_u64(CURRENT(cpu), TASK(task));
	meet(cpu, STUB_WATCH_WRITE, CURRENT(cpu));
}

static inline void start(const char *process)
{
	if (process)
		assert_int_equal(heap_filter_add_process(&filter, process, NULL), 0);
	assert_int_equal(heap_trace_start(trace, NULL, NULL), 0);
}

static inline void start_followed_on_cpu_0(void)
{
	start("42");
	switch_to(0, 1);
}

/* A CPU stands at a site, of a call whose return address is at @slot. */
static inline void stand_at(unsigned cpu, uint64_t site, uint64_t slot)
{
	registers[cpu].rip = site;
	registers[cpu].general[INSN_RBP] = slot - 8;
	registers[cpu].general[INSN_RSP] = slot - 64;
	registers[cpu].general[INSN_RDI] = CACHE;
	put_u64(slot, CALLER);
}

static inline void begin_allocation(uint64_t slot)
{
	stand_at(0, AT_ALLOC, slot);
	meet(0, STUB_WATCH_READ, MASK);
}

static inline enum stub_verdict come_back(unsigned cpu, uint64_t slot, uint64_t result)
{
	registers[cpu].rip = CALLER;
	registers[cpu].general[INSN_RSP] = slot + 8;
	registers[cpu].general[INSN_RAX] = result;
	return meet(cpu, STUB_WATCH_READ, slot);
}

#endif
