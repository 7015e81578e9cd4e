/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A target behind a gdb stub, asked about its CPUs while it stands still: registers, memory as a CPU sees it,
 * traps. The connection is stub_proxy.h's; whoever gets a struct stub_target in a handler may use this.
 *
 * Requests go out together wherever no answer is needed for the next: each call is one round trip, whatever
 * its counts.
 *
 * After a negative return the connection is lost, or the stub speaks another language: nothing more can be
 * asked. What the stub refuses is a result of its own.
 */
#ifndef DILL_STUB_TARGET_H
#define DILL_STUB_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "memory_source.h"

struct stub_target;

/* Z0 to Z4 of the protocol: the values are its numbers. */
enum stub_trap_kind {
	STUB_BREAK,
	STUB_BREAK_HARDWARE,
	STUB_WATCH_WRITE,
	STUB_WATCH_READ,
	STUB_WATCH_ACCESS,
};

struct stub_trap {
	enum stub_trap_kind kind;
	uint64_t address;
	uint32_t size; /* bytes watched; 1 for STUB_BREAK* */
	int result;    /* filled in: 0, -EOPNOTSUPP (unknown kind), -ENOSPC (refused) */
};

struct stub_registers {
	uint64_t general[16]; /* by enum insn_register (insn_x86.h) */
	uint64_t rip, rflags, cs;
	uint64_t gs_base, kernel_gs_base, cr3; /* 0 where the stub hasn't got them (KGDB) */
};

/* Why the target stopped. */
enum stub_stop_kind {
	STUB_STOP_BREAK, /* SIGTRAP without a watched address: a breakpoint, or a step that is done */
	STUB_STOP_WATCH,
	STUB_STOP_OTHER, /* interrupted, or a signal of the target's own */
};

struct stub_stop {
	enum stub_stop_kind kind;
	enum stub_trap_kind trap; /* of STUB_STOP_WATCH */
	/*
	 * Watched, as it was set. 0, and STUB_WATCH_ACCESS: QEMU names one that isn't there. It may as well name
	 * a wrong one (heap_met.c says when): only rip is sure.
	 */
	uint64_t address;
	unsigned cpu;             /* 0-based; QEMU's threads p1.1, p1.2 … are CPUs 0, 1 … */
	/* gdb is told where this CPU is (it has a trap there, or steps): the CPU must stay there. */
	bool is_gdbs;
};

/* How many CPUs (threads) the target has. At least 1. */
unsigned stub_cpu_count(const struct stub_target *target);
/* True when guest code is translated (QEMU's TCG): watchpoints are cheap there and there are any number. */
bool stub_is_translated(const struct stub_target *target);

int stub_registers_read(struct stub_target *target, unsigned cpu, struct stub_registers *ret_registers,
			struct error *err);
/* Ask for those of all CPUs at once, where the stub can be asked so: stub_registers_read() has them then. */
int stub_registers_read_all(struct stub_target *target, struct error *err);
/* rip and rsp; the others stay. */
int stub_registers_jump(struct stub_target *target, unsigned cpu, uint64_t rip, uint64_t rsp, struct error *err);

/*
 * @reads at kernel virtual addresses, through the page tables that @cpu uses now. Results as in
 * memory_source_ops.read.
 */
int stub_memory_read(struct stub_target *target, unsigned cpu, struct memory_read *reads, size_t count,
		     struct error *err);

/*
 * Take away and set traps, in this order, while the target stands still. Ours are apart from gdb's own: both
 * may have one at the same place. Which of ours are set is remembered, for stub_traps_clear().
 *
 * Taking away costs no round trip where the stub takes requests ahead of their answers; nor does setting, with
 * a translated target and a kind that was accepted before: the result is then 0, and should the stub refuse it
 * after all, the trap is as if it had never been set. In gdb's non-stop mode all are refused (-EOPNOTSUPP).
 */
int stub_traps_change(struct stub_target *target, struct stub_trap *removed, size_t removed_count,
		      struct stub_trap *added, size_t added_count, struct error *err);
int stub_traps_clear(struct stub_target *target, struct error *err);
size_t stub_trap_count(const struct stub_target *target);

/*
 * Let @cpu run one instruction, the others none, with no breakpoint there. Waits for it. A watchpoint that it
 * meets is handled as a stop of its own, after the one in hand; of each CPU one is.
 */
int stub_step(struct stub_target *target, unsigned cpu, struct error *err);

/*
 * Should gdb be told of the stop in hand, it is told of @cpu's: another CPU's than the one that the stub named met
 * what matters. Forgotten at the next stop.
 */
void stub_tell_cpu(struct stub_target *target, unsigned cpu);

/* For source_packets.h, which reads everything else of the kernel over the same connection. */
struct packet_link *stub_packet_link(struct stub_target *target);

#endif
