/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What shmsnoop's programs and user space share. */
#ifndef DILL_SHMSNOOP_H
#define DILL_SHMSNOOP_H

#include "trace_event.h"

#define SHM_NAME_BYTES 128

enum shm_call { SHM_GET, SHM_AT, SHM_DT, SHM_CTL, SHM_OPEN, SHM_UNLINK, SHM_MEMFD, SHM_CALLS };

struct shm_event {
	struct trace_head head;
	__u32 call; /* enum shm_call */
	__u32 is_32bit;
	/*
	 * shmget: key, size, flags; shmat: id, address, flags; shmdt: address; shmctl: id, command, buffer; shm_open: flags,
	 * mode; memfd_create: flags.
	 */
	__u64 arguments[3];
	__s64 result;
	char name[SHM_NAME_BYTES]; /* POSIX: below /dev/shm, or the memfd's */
};

#endif
