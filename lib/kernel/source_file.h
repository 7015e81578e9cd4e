/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Memory sources that are files: ELF cores ("elf"), kdump-compressed dumps ("kdump"), raw physical RAM ("raw").
 */
#ifndef DILL_SOURCE_FILE_H
#define DILL_SOURCE_FILE_H

#include "error.h"
#include "memory_source.h"

/*
 * Open a dump; its first bytes tell of what kind it is.
 *
 * ELF core: kdump's /proc/vmcore and what makedumpfile -E makes of it, QEMU's dump-guest-memory with paging on
 * and off, copies of /proc/kcore. Physical memory, and virtual memory where a part of it has no physical address
 * in the headers. Facts: vmcoreinfo, mappings, ram, cpus (with cr3 and the like only from QEMU).
 *
 * kdump-compressed, flattened or not: through libkdumpfile in a child of its own (dump_reader.h). Physical memory.
 * Facts: vmcoreinfo, ram, cpus. -EOPNOTSUPP when dill was built without libkdumpfile.
 *
 * All else of whole pages is taken for the RAM of a machine, physical address 0 at offset 0, as QEMU's pmemsave
 * writes it. Facts: ram, which is the whole file but for large holes where it is sparse (they read as zeros).
 *
 * What lies behind the end of a truncated file is unreadable (-EFAULT in a read); the rest can be read. In a
 * truncated kdump the one page that the end cuts through may end in zeros: libkdumpfile 0.5.1 fills it up.
 * -ENOENT, -EPERM: it can't be opened; -EBADMSG: it is no dump, or one whose headers are beyond use; -EIO.
 */
int source_file_open(const char *path, struct memory_source **ret_source, struct error *err);

#endif
