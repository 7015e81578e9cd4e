/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What QEMU's human monitor prints, taken apart: registers and the map of guest memory. Text in, values out;
 * whoever asks (the gdb stub's qRcmd, QMP) is not of interest here. Hostile text gives nothing, or too
 * little.
 */
#ifndef DILL_QEMU_MONITOR_H
#define DILL_QEMU_MONITOR_H

#include <stddef.h>
#include <stdint.h>

#include "memory_source.h"

#define QEMU_COMMAND_REGISTERS "info registers -a"
#define QEMU_COMMAND_MEMORY "info mtree -f"

/* A piece of a RAM block in the guest's physical memory. */
struct qemu_ram {
	uint64_t start, size;
	uint64_t block_offset; /* where in its block it begins */
	char block[64];
};

/* CPUs out of "info registers -a" (target/i386/cpu-dump.c; no kernel_gs_base there). 0 or -ENOMEM; to be
 * freed. */
int qemu_parse_registers(const char *text, struct cpu_registers **ret_cpus, size_t *ret_count);

/*
 * RAM out of "info mtree -f" (softmmu/memory.c, mtree_print_flatview()): that of the address space "memory",
 * by address. Read-only pieces count where their block is RAM elsewhere: shadowed parts of the first MiB.
 */
int qemu_parse_memory(const char *text, struct qemu_ram **ret_ram, size_t *ret_count);

/* The ranges that @ram covers, adjacent ones joined. */
int qemu_ram_ranges(const struct qemu_ram *ram, size_t count, struct memory_range **ret_ranges,
		    size_t *ret_count);

#endif
