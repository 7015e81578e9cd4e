// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Watchpoints that CPUs met, told or not.
 *
 * A CPU that meets one stops; the others run on until QEMU's main loop comes to stop them all, and may meet one
 * as well. QEMU tells of the last of them only (CPUState.watchpoint_hit of gdbserver_state.c_cpu). In each other
 * one the pointer stays. It makes that CPU's next access to a page with any watchpoint in it, wherever that is, a
 * hit, told under the old one's name at the end of the block of code: what that access met is never told. And
 * when the old watchpoint is taken away, what is told is made of freed memory; QEMU may even take it for a debug
 * register of the guest's and tell nothing. (7.2, softmmu/physmem.c cpu_check_watchpoint(), gdbstub.c
 * gdb_vm_state_change(), target/i386/tcg/sysemu/bpt_helper.c breakpoint_handler().)
 *
 * So at each stop all CPUs are looked at. Did one meet something, which its place tells, it is handled right
 * there, where its registers still say all; and it is stepped by one instruction, after which QEMU tells of the
 * old hit and forgets it. That comes as a stop of its own, for which nothing is left to do. Watchpoints are taken
 * away after that only.
 */
#include <string.h>

#include "heap_trace_private.h"

#define SLOT_BYTES 8
#define CODE_BYTES INSN_X86_MAX_BYTES

int heap_met_look(struct heap_trace *trace, struct heap_stop *stop, struct error *err)
{
	int status = stub_registers_read_all(stop->target, err);

	for (unsigned i = 0; i < trace->cpu_count && !status; i++) {
		struct heap_cpu *cpu = &trace->cpus[i];
		struct stub_registers before = cpu->now;

		status = stub_registers_read(stop->target, i, &cpu->now, err);
		cpu->has_moved = !cpu->is_seen || memcmp(&before, &cpu->now, sizeof(before)) != 0;
		cpu->is_seen = true;
	}
	if (!status)
		stop->registers = trace->cpus[stop->cpu].now;
	return status;
}

/* What an instruction accesses ------------------------------------------------------------------------------- */

static bool overlaps(uint64_t address, uint64_t size, const struct stub_trap *trap)
{
	return trap->address - address < size || address - trap->address < trap->size;
}

/* Some watchpoint that is set, of the kind, covers part of the bytes. */
static bool is_watched(const struct heap_trace *trace, uint64_t address, uint64_t size, bool is_store)
{
	bool is_it = false;

	for (size_t i = 0; i < trace->trap_count && trace->is_armed && !is_store; i++)
		is_it |= trace->traps[i].kind == STUB_WATCH_READ && overlaps(address, size, &trace->traps[i]);
	for (size_t i = 0; i < trace->call_count && !is_store; i++)
		is_it |= trace->calls[i].trap.kind == STUB_WATCH_READ &&
			 overlaps(address, size, &trace->calls[i].trap);
	for (size_t i = 0; i < trace->cpu_count && is_store; i++)
		is_it |= trace->cpus[i].comm.size && overlaps(address, size, &trace->cpus[i].comm);
	return is_it;
}

/* A return address of a call under way: what loading from its place gives. */
static bool is_return_address(const struct heap_trace *trace, uint64_t value)
{
	bool is_one = false;

	for (size_t i = 0; i < trace->call_count; i++)
		is_one |= trace->calls[i].return_address == value;
	return is_one;
}

static bool is_changed(const struct insn_x86 *insn, uint8_t number)
{
	return number < INSN_REGISTER_COUNT && insn->writes >> number & 1;
}

/* The memory operand is watched; not if it was made of a register that the instruction changed. */
static bool is_operand_watched(const struct heap_trace *trace, const struct insn_x86 *insn,
			       const struct stub_registers *registers, bool is_store)
{
	uint64_t size = insn->operand_size ? insn->operand_size : 16, address;
	bool is_it = false;

	if (insn_x86_fixed_address(insn, registers->rip - insn->length, &address))
		return is_watched(trace, address, size, is_store);
	if (is_changed(insn, insn->base) || is_changed(insn, insn->index))
		return false;
	address = (uint64_t)(int64_t)insn->displacement;
	if (insn->base < INSN_REGISTER_COUNT)
		address += registers->general[insn->base];
	if (insn->index >= INSN_REGISTER_COUNT)
		return is_watched(trace, address, size, is_store);
	for (unsigned scale = 1; scale <= 8; scale *= 2)
		is_it |= is_watched(trace, address + scale * registers->general[insn->index], size, is_store);
	return is_it;
}

static bool may_have_met(const struct heap_trace *trace, const struct insn_x86 *insn,
			 const struct stub_registers *registers)
{
	bool is_pop = insn->map == INSN_MAP_ONE_BYTE && (insn->opcode & 0xf8) == 0x58;

	if (is_pop)
		return is_watched(trace, registers->general[INSN_RSP] - SLOT_BYTES, SLOT_BYTES, false);
	if (!insn->has_memory || insn->is_elsewhere)
		return false;
	if ((insn->loads && is_operand_watched(trace, insn, registers, false)) ||
	    (insn->stores && is_operand_watched(trace, insn, registers, true)))
		return true;
	/* It went over the address with what it loaded. */
	return insn->loads && insn->operand_size == SLOT_BYTES && insn->reg < INSN_REGISTER_COUNT &&
	       (insn->base == insn->reg || insn->index == insn->reg) &&
	       is_return_address(trace, registers->general[insn->reg]);
}

/* movs and stos with a prefix that repeats them: the CPU stays there until the last one. */
static bool may_repeat(const struct heap_trace *trace, const uint8_t *code, const struct stub_registers *registers)
{
	uint8_t opcode = (code[1] & 0xf0) == 0x40 ? code[2] : code[1]; /* behind REX */

	return code[0] == 0xf3 && ((opcode & 0xfe) == 0xa4 || (opcode & 0xfe) == 0xaa) &&
	       is_watched(trace, registers->general[INSN_RDI] - SLOT_BYTES, SLOT_BYTES, true);
}

/* Kernel code whose memory accesses change while it is in use is none that we know of: it is read once. */
static int read_code(struct heap_trace *trace, struct heap_stop *stop, const struct heap_code **ret_code,
		     struct error *err)
{
	uint64_t rip = stop->registers.rip;
	struct heap_code *code = &trace->codes[(rip * 0x9e3779b97f4a7c15ULL) >> 40 & (HEAP_CODES_MAX - 1)];
	struct memory_read read = heap_read(rip - CODE_BYTES, code->before, CODE_BYTES + sizeof(code->at));
	int status = 0;

	_Static_assert(offsetof(struct heap_code, at) == offsetof(struct heap_code, before) + CODE_BYTES,
		       "one piece");
	if (code->address != rip)
		status = stub_memory_read(stop->target, stop->cpu, &read, 1, err);
	if (!status && read.result)
		memset(code, 0, sizeof(*code));
	else if (!status)
		code->address = rip;
	*ret_code = code;
	return status;
}

int heap_met_may_have(struct heap_trace *trace, struct heap_stop *stop, bool *ret_may, struct error *err)
{
	const struct heap_code *code;
	struct insn_x86 insn;
	bool may = false;
	int status = read_code(trace, stop, &code, err);

	/* Where the instruction begins isn't known: each that ends here. */
	for (size_t size = 1; size <= CODE_BYTES && !status && code->address; size++) {
		const uint8_t *start = code->before + CODE_BYTES - size;

		if (!insn_x86_decode(start, size, &insn) && insn.length == size)
			may |= may_have_met(trace, &insn, &stop->registers);
	}
	if (!status)
		*ret_may = may || may_repeat(trace, code->at, &stop->registers);
	return status;
}

/* Places that were handled ----------------------------------------------------------------------------------- */

/* THREAD_SIZE with KASAN; others are smaller. */
#define STACK_BYTES 0x8000

/*
 * An interrupt may come right behind the read, and a stop of another CPU right behind the interrupt: then a CPU
 * stands at a place that was handled, and has met nothing there. That ends when the call returns, or its stack is
 * used by another one, of the same depth or less.
 */
void heap_met_forget_handled(struct heap_trace *trace, uint64_t slot)
{
	for (size_t i = 0; i < HEAP_HANDLED_MAX; i++)
		if (slot - trace->handled[i].general[INSN_RSP] < STACK_BYTES)
			trace->handled[i].rip = 0;
}

void heap_met_note_handled(struct heap_trace *trace, const struct heap_stop *stop, uint64_t slot)
{
	struct heap_handled *place = &trace->handled[trace->handled_count++ % HEAP_HANDLED_MAX];

	heap_met_forget_handled(trace, slot);
	place->rip = stop->registers.rip;
	memcpy(place->general, stop->registers.general, sizeof(place->general));
}

static bool was_handled(const struct heap_trace *trace, const struct stub_registers *registers)
{
	bool was = false;

	for (size_t i = 0; i < HEAP_HANDLED_MAX; i++)
		was |= trace->handled[i].rip == registers->rip &&
		       !memcmp(trace->handled[i].general, registers->general, sizeof(registers->general));
	return was;
}

/* Other CPUs ------------------------------------------------------------------------------------------------- */

static int look_at(struct heap_trace *trace, struct heap_stop *stop, bool *ret_has_met, struct error *err)
{
	struct heap_cpu *cpu = &trace->cpus[stop->cpu];
	int status = 0;

	if (!cpu->has_moved || stop->registers.cs & 3 || was_handled(trace, &stop->registers))
		return 0;
	*ret_has_met = cpu->has_changed;
	status = heap_trace_at_place(trace, stop, ret_has_met, err);
	if (!status && !*ret_has_met && (trace->is_armed || trace->call_count || cpu->comm.size))
		status = heap_met_may_have(trace, stop, ret_has_met, err);
	return status;
}

/* QEMU tells of the hit, and what the one instruction meets in turn is handled here as well. */
static int step(struct heap_trace *trace, struct heap_stop *stop, struct error *err)
{
	struct heap_cpu *cpu = &trace->cpus[stop->cpu];
	bool is_ours = false;
	int status = stub_step(stop->target, stop->cpu, err);

	if (!status)
		status = stub_registers_read(stop->target, stop->cpu, &cpu->now, err);
	stop->registers = cpu->now;
	return status ? status : heap_trace_at_place(trace, stop, &is_ours, err);
}

int heap_met_others(struct heap_trace *trace, struct heap_stop *first, bool is_first_unheard, struct error *err)
{
	int status = 0;

	for (unsigned i = 0; i < trace->cpu_count && !status; i++) {
		struct heap_stop stop = { .target = first->target, .cpu = i, .is_gdbs = true,
					  .registers = trace->cpus[i].now };
		bool has_met = false;

		if (i == first->cpu && !is_first_unheard)
			continue;
		status = look_at(trace, &stop, &has_met, err);
		if (!status && has_met)
			status = step(trace, &stop, err);
		if (stop.verdict == HEAP_EVENT_STOP) {
			first->verdict = HEAP_EVENT_STOP;
			stub_tell_cpu(stop.target, i);
		}
	}
	return status;
}
