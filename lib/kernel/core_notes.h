/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The notes of a kernel's dump: VMCOREINFO and what the CPUs' registers held. */
#ifndef DILL_CORE_NOTES_H
#define DILL_CORE_NOTES_H

#include <stddef.h>
#include <stdint.h>

#include "memory_source.h"

struct core_notes {
	char *vmcoreinfo; /* owned; NULL: no such note */
	/*
	 * By their order in the dump; owned. QEMU's own notes where there are some, else NT_PRSTATUS, which tells
	 * rip, rsp and rbp only.
	 */
	struct cpu_registers *cpus;
	size_t cpu_count;
};

/*
 * Read ELF notes (Elf64_Nhdr, name and contents padded to 4 bytes) out of @size bytes. What is cut off or makes
 * no sense ends it; what came before is kept. Notes add to what @notes has. -ENOMEM or 0.
 * Layouts: System V ABI (gABI 4.1, Note Section); struct elf_prstatus of include/linux/elfcore.h; QEMUCPUState
 * of QEMU, target/i386/arch_dump.c; VMCOREINFO: Documentation/admin-guide/kdump/vmcoreinfo.rst.
 */
int core_notes_parse(const void *bytes, size_t size, struct core_notes *notes);
void core_notes_deinit(struct core_notes *notes);

#endif
