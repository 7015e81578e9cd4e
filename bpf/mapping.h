/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What a process's address belongs to, as programs tell it (mapping.bpf.h) and user space names it (trace_mappings.h). */
#ifndef DILL_BPF_MAPPING_H
#define DILL_BPF_MAPPING_H

#include "file_path.h"
#include "trace_event.h"

enum mapping_class {
	MAPPING_UNKNOWN,
	MAPPING_FILE,
	MAPPING_HEAP,  /* what brk(2) moves */
	MAPPING_STACK, /* of the main thread, or memory around the thread's stack pointer */
	MAPPING_ANONYMOUS,
	MAPPING_SPECIAL, /* the kernel's own: vdso, vvar */
	MAPPING_CLASSES,
};

/* A file by its number: memfds, shared memory and hugetlbfs have one, too. 0 where the class is another. */
struct mapping_id {
	__u64 inode;
	__u32 device; /* as the kernel encodes it: major << 20 | minor */
	__u32 class;  /* enum mapping_class */
};

/* A file was met for the first time: its path. */
#define TRACE_NOTE_FILE (TRACE_NOTE | 0x100)
struct trace_file_note {
	struct trace_head head;
	struct mapping_id id;
	struct file_path path;
};

#endif
