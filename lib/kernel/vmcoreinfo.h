/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * VMCOREINFO: lines KEY=VALUE that the kernel keeps for crash tools, in a note of a dump or in a page of its
 * own in RAM. Looks values up; what they mean is the caller's part.
 *
 * Source: kernel/vmcore_info.c, arch/x86/kernel/vmcore_info_64.c (crash_core.c and machine_kexec_64.c before
 * 6.9); Documentation/admin-guide/kdump/vmcoreinfo.rst.
 */
#ifndef DILL_VMCOREINFO_H
#define DILL_VMCOREINFO_H

#include <stddef.h>
#include <stdint.h>

/* What the text begins with, at the start of a page. */
#define VMCOREINFO_MAGIC "OSRELEASE="
#define VMCOREINFO_PAGE 4096 /* VMCOREINFO_BYTES: that page in RAM */

/* The value of the line that begins "@key=", up to the end of the line; its length in *@ret_length. NULL: none. */
const char *vmcoreinfo_find(const char *text, const char *key, size_t *ret_length);
/* The same, copied and cut to @size bytes with NUL. -ENOENT. */
int vmcoreinfo_text(const char *text, const char *key, char *buffer, size_t size);
/* SYMBOL(@name)=hex. -ENOENT, -EBADMSG when it isn't a number. */
int vmcoreinfo_symbol(const char *text, const char *name, uint64_t *ret_address);
/* NUMBER(@name)=decimal, which may be negative, or 0xhex; LENGTH, SIZE and OFFSET likewise with their words. */
int vmcoreinfo_number(const char *text, const char *name, int64_t *ret_value);
int vmcoreinfo_entry(const char *text, const char *kind, const char *name, int64_t *ret_value);
/* KERNELOFFSET=hex: how far KASLR moved the image. */
int vmcoreinfo_kernel_offset(const char *text, uint64_t *ret_offset);

#endif
