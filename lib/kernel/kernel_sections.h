/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * How a kernel's part of the address space is cut into sections: its image at the symbols that the linker
 * script (arch/x86/kernel/vmlinux.lds.S) has around its parts, and the parts of its modules.
 *
 *     _text | .text | _etext … __start_rodata | .rodata | __end_rodata … _sdata | .data | _edata …
 *
 * What lies between two parts of the image is a section of its own, called .image.
 */
#ifndef DILL_KERNEL_SECTIONS_H
#define DILL_KERNEL_SECTIONS_H

#include <stddef.h>
#include <stdint.h>

struct kernel;

#define SECTION_NAME_BYTES 80

struct kernel_section {
	char name[SECTION_NAME_BYTES]; /* ".text"; of modules "ext4.text": printable */
	uint64_t start, end;
	uint64_t flags;  /* SHF_EXECINSTR, SHF_WRITE */
	uint32_t number; /* the caller's */
};

struct kernel_sections {
	struct kernel_section *list; /* ascending. Those of the image have no gaps between them. Owned */
	size_t count, room;
};

/* Cut [@start, @end), where the image is, and add modules. -ENOMEM: too many, too. */
int kernel_sections_make(struct kernel *kernel, uint64_t start, uint64_t end, struct kernel_sections *ret_sections);
void kernel_sections_deinit(struct kernel_sections *sections);

/* Names go to terminals as they are: those of a kernel that means harm must not steer them. */
void make_printable(char *name);

#endif
