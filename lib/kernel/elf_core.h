/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The headers of a kernel's ELF core: /proc/kcore, kdump's /proc/vmcore and copies of it, QEMU's
 * dump-guest-memory. No field of them is believed without a check; damage costs what it hit.
 */
#ifndef DILL_ELF_CORE_H
#define DILL_ELF_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core_notes.h"
#include "error.h"
#include "file_extents.h"

struct elf_core {
	struct file_extents physical;
	/* The kernel's half: all PT_LOADs that state an address there. */
	struct file_extents virtual;
	/* What is at both a virtual and a physical address by one PT_LOAD, by virtual address, neighbours joined. */
	struct memory_mapping *mappings;
	size_t mapping_count;
	/* Some virtual memory has no physical address: only reads of virtual memory reach all there is. */
	bool has_virtual_only;
	struct core_notes notes;
};

enum elf_core_kind {
	ELF_CORE_DUMP,
	/* File offsets beyond the file's stated size are fine; the kernel image's own PT_LOAD isn't physical memory. */
	ELF_CORE_KCORE,
};

/*
 * Read the headers of @fd (not taken over). -EBADMSG: not an ELF core of a kernel, or nothing is left of it;
 * -EOPNOTSUPP: of another machine; -ENOMEM.
 */
int elf_core_read(int fd, enum elf_core_kind kind, struct elf_core *ret_core, struct error *err);
void elf_core_deinit(struct elf_core *core);

#endif
