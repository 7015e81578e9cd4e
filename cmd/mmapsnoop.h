/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What mmapsnoop's programs and user space share. */
#ifndef DILL_MMAPSNOOP_H
#define DILL_MMAPSNOOP_H

#include "file_path.h"
#include "trace_event.h"

enum mapping_call {
	MAPPING_MMAP, MAPPING_MUNMAP, MAPPING_MREMAP, MAPPING_MPROTECT, MAPPING_MADVISE, MAPPING_BRK, MAPPING_CALLS
};

struct mapping_event {
	struct trace_head head;
	__u32 call;         /* enum mapping_call */
	__u32 is_32bit;
	__u64 arguments[6]; /* as of mmap, munmap … on 64 bits: mmap's offset in bytes */
	__s64 result;
	__u64 vm_pages;     /* the process's mapped pages after the call */
	__s64 net_pages;    /* the difference to before the first call that was seen of it */
};

/* The same of an mmap of a file. */
struct file_mapping_event {
	struct mapping_event mapping;
	struct file_path path;
};

/* With --summary: of one process. The kernel has one per CPU; user space adds them up. */
struct mapping_sums {
	__u64 calls[MAPPING_CALLS];
	__u64 failed;
	__u64 mapped, unmapped; /* bytes that mmap, mremap asked for; that munmap, mremap gave back */
	__u64 last_ns, vm_pages;
	__s64 net_pages;        /* as of last_ns */
	char comm[TRACE_COMM_BYTES];
};

#endif
