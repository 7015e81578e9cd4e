// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Names of bits and values in the kernel's ABI for shared memory. */
#include "shm_names.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "mapping_names.h"

/* Bits 26 to 31 are the logarithm of the huge pages' size, not flags. */
static const struct flag_name get_names[] = {
	{ 01000, 01000, "IPC_CREAT" }, { 02000, 02000, "IPC_EXCL" }, { 04000, 04000, "SHM_HUGETLB" },
	{ 010000, 010000, "SHM_NORESERVE" }, { 0 },
};
static const struct flag_name attach_names[] = {
	{ 010000, 010000, "SHM_RDONLY" }, { 020000, 020000, "SHM_RND" }, { 040000, 040000, "SHM_REMAP" },
	{ 0100000, 0100000, "SHM_EXEC" }, { 0 },
};
static const struct flag_name memfd_names[] = {
	{ 1, 1, "MFD_CLOEXEC" }, { 2, 2, "MFD_ALLOW_SEALING" }, { 4, 4, "MFD_HUGETLB" }, { 8, 8, "MFD_NOEXEC_SEAL" },
	{ 16, 16, "MFD_EXEC" }, { 0 },
};
static const struct flag_name open_names[] = {
	{ O_ACCMODE, O_RDONLY, "O_RDONLY" }, { O_ACCMODE, O_WRONLY, "O_WRONLY" }, { O_ACCMODE, O_RDWR, "O_RDWR" },
	{ O_CREAT, O_CREAT, "O_CREAT" }, { O_EXCL, O_EXCL, "O_EXCL" }, { O_TRUNC, O_TRUNC, "O_TRUNC" }, { 0 },
};
#define OPEN_SHOWN (O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC) /* shm_open() itself adds O_NOFOLLOW and others */
#define HUGE_SIZE_BITS (0x3fU << 26)

const char *shmctl_command_name(uint64_t command)
{
	static const char *const names[] = { [0] = "IPC_RMID", [1] = "IPC_SET", [2] = "IPC_STAT", [3] = "IPC_INFO",
					     [11] = "SHM_LOCK", [12] = "SHM_UNLOCK", [13] = "SHM_STAT", [14] = "SHM_INFO",
					     [15] = "SHM_STAT_ANY" };

	command &= ~0x100ULL; /* IPC_64, include/uapi/linux/ipc.h: 32-bit callers */
	return command < sizeof(names) / sizeof(*names) && names[command] ? names[command] : "unknown";
}

void shmget_flags_text(uint64_t flags, char *text, size_t size)
{
	uint32_t bits = (uint32_t)flags, huge = bits & 04000 ? bits & HUGE_SIZE_BITS : 0;
	size_t used;

	flag_names_text(get_names, bits & ~huge & ~0777U, text, size);
	huge_size_append(huge, "SHM_HUGE_", text, size);
	used = strcmp(text, "0") == 0 ? 0 : strlen(text);
	snprintf(text + used, size - used, "%s%#o", used ? "|" : "", bits & 0777);
}

void shmat_flags_text(uint64_t flags, char *text, size_t size)
{
	flag_names_text(attach_names, (uint32_t)flags, text, size);
}

void memfd_flags_text(uint64_t flags, char *text, size_t size)
{
	flag_names_text(memfd_names, (uint32_t)flags & ~HUGE_SIZE_BITS, text, size);
	huge_size_append(flags & HUGE_SIZE_BITS, "MFD_HUGE_", text, size);
}

void shm_open_flags_text(uint64_t flags, uint64_t mode, char *text, size_t size)
{
	size_t used;

	flag_names_text(open_names, flags & OPEN_SHOWN, text, size);
	used = strlen(text);
	if (flags & O_CREAT)
		snprintf(text + used, size - used, "|%#llo", (unsigned long long)mode);
}
