/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What a kernel knows about itself, as an ELF file that gdb takes for its vmlinux: symbols, how stacks are
 * unwound (orc_cfi.h), and types (btf_dwarf.h). All of it is at the addresses of the running kernel, KASLR
 * included: no offset is to be given.
 *
 * Sections have places and no contents (SHT_NOBITS), as in a file that `objcopy --only-keep-debug` made:
 * whoever wants the kernel's bytes reads its memory, where code is as it was patched.
 */
#ifndef DILL_KERNEL_ELF_H
#define DILL_KERNEL_ELF_H

#include <stddef.h>

#include "byte_writer.h"
#include "error.h"

struct kernel;

struct kernel_elf {
	struct byte_writer file;
	size_t symbol_count, function_count; /* functions are symbols, too */
	size_t frame_count;                  /* descriptions of frames; 0: the kernel has no ORC tables */
	size_t type_count;                   /* 0: the kernel has no BTF */
};

/*
 * Make the file in memory. -ENOENT: the kernel's symbols or its place are not known. What else is not
 * known is left out. Bounded by what a kernel can have: kallsyms.h, symbol_table.h.
 */
int kernel_elf_make(struct kernel *kernel, struct kernel_elf *ret_elf, struct error *err);
void kernel_elf_deinit(struct kernel_elf *elf);

#endif
