/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A process that can compute, read two files and nothing else: for libraries that crash on hostile files. */
#ifndef DILL_DUMP_SANDBOX_H
#define DILL_DUMP_SANDBOX_H

#include <stdint.h>
#include <sys/types.h>

/* The descriptors of the sandboxed process. */
enum { SANDBOX_FILE = 3, SANDBOX_SOCKET = 4 };

/*
 * For a child that was just forked by @parent: never to be taken back. Afterwards it has @file and @socket (moved
 * to the numbers above) open and no other file, @memory_bytes of address space more than it had, default signals,
 * and dies with the thread that forked it. Seccomp denies (-EPERM) all system calls but reading, writing to
 * the socket, and the management of its own memory, in which nothing can be made executable.
 * 0, or a negative errno: the child must exit.
 */
int dump_sandbox_enter(pid_t parent, int file, int socket, uint64_t memory_bytes);

#endif
