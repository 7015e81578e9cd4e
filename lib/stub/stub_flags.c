// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Flags that no x86 has, in QEMU's translated CPUs.
 *
 * QEMU 7.2 runs cmpxchg8b and cmpxchg16b with the wrong idea of where the flags are (target/i386/tcg/translate.c,
 * case 0x1c7, calls a helper that reads CC_OP without gen_update_cc_op()): until the next instruction that sets
 * flags, all of them are what an earlier operand happened to be. Nobody sees that, as the branch behind it is
 * right; but an interrupt in between saves them, and returns to code with the trap flag, the direction flag or
 * nested task set. A kernel copies backwards then, and is lost. SLUB uses cmpxchg16b for every second thing.
 *
 * An interrupt comes between blocks of translated code. Our stops end blocks anywhere, and there is nearly always
 * one waiting when the target goes on, as its clock does not stand still with it. So CPUs that stand between are
 * stepped out of there first, which QEMU does without interrupts.
 */
#include "stub_target_private.h"

/* Reserved, and what a kernel in 64-bit mode never sets: TF, IOPL, NT, VM, VIF, VIP. RF, AC and ID do no harm. */
#define ODD_ALWAYS 0xffffffffffda8028ULL
#define ODD_IN_KERNEL 0x7100ULL
#define ODD_IN_USER 0x4000ULL
#define USER_MODE 3

/* Instructions until flags are set again. */
enum { STEPS_MAX = 16 };

bool stub_flags_are_odd(const struct stub_registers *registers)
{
	uint64_t odd = ODD_ALWAYS | (registers->cs & USER_MODE ? ODD_IN_USER : ODD_IN_KERNEL);

	return registers->rflags & odd;
}

static int settle_cpu(struct stub_target *target, unsigned cpu, struct error *err)
{
	struct stub_registers registers;
	int status = stub_registers_read(target, cpu, &registers, err);

	/* A step passes over breakpoints, and what it meets must be handled before the next one. */
	for (int i = 0; i < STEPS_MAX && !status && stub_flags_are_odd(&registers) && !target->cpus[cpu].has_pending &&
			!stub_traps_at(&target->traps, registers.rip); i++) {
		status = stub_step(target, cpu, err);
		if (!status)
			status = stub_registers_read(target, cpu, &registers, err);
	}
	return status;
}

int stub_flags_settle(struct stub_target *target, struct error *err)
{
	int status = 0;

	for (unsigned cpu = 0; cpu < target->cpu_count && !status; cpu++) {
		if (target->is_translated && target->cpus[cpu].has_odd_flags)
			status = settle_cpu(target, cpu, err);
		target->cpus[cpu].has_odd_flags = false;
	}
	return status;
}
