/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Taking the ELF file out of a .gnu_debugdata section (gdb manual, "MiniDebugInfo"). */
#ifndef DILL_ELF_MINIDEBUGINFO_H
#define DILL_ELF_MINIDEBUGINFO_H

#include <libelf.h>
#include <stddef.h>

/*
 * *@ret_image is the decompressed file, to be freed. -ENOENT when there is no such section, -EBADMSG when it
 * is no valid xz stream, -EFBIG when it would grow beyond 256 MiB: a few KiB can ask for that.
 */
int elf_minidebuginfo_extract(Elf *elf, void **ret_image, size_t *ret_size);

#endif
