/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Arguments of the calls for shared memory in words: the kernel's ABI (include/uapi/linux/shm.h, ipc.h, memfd.h). Bits
 * without a name come as a number. The size of huge pages is a number in bits 26 to 31, not a flag each.
 */
#ifndef DILL_SHM_NAMES_H
#define DILL_SHM_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* "IPC_RMID"; "unknown". */
const char *shmctl_command_name(uint64_t command);
/* "IPC_CREAT|SHM_HUGETLB|SHM_HUGE_2MB|0600": permissions in octal. @text is always terminated. */
void shmget_flags_text(uint64_t flags, char *text, size_t size);
void shmat_flags_text(uint64_t flags, char *text, size_t size);
void memfd_flags_text(uint64_t flags, char *text, size_t size);
/* What a caller of shm_open(3) chooses, and the permissions when it creates. */
void shm_open_flags_text(uint64_t flags, uint64_t mode, char *text, size_t size);

#endif
