/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A connection to a stub or a monitor: Unix socket or TCP. No protocol here. */
#ifndef DILL_TARGET_SOCKET_H
#define DILL_TARGET_SOCKET_H

#include <sys/types.h>

#include "error.h"

/*
 * Connect to @address: a path (it contains a '/'), "HOST:PORT", "[IPV6]:PORT" or ":PORT" (this machine).
 * Waits for up to @timeout_ms. The descriptor doesn't block and isn't inherited by exec. Errors name the
 * address: -EINVAL when it is neither form.
 */
int target_connect(const char *address, int timeout_ms, int *ret_fd, struct error *err);
/* The same; @prepare is called with each socket before it is connected. Its failure (< 0, message set) ends
 * it. */
int target_connect_prepared(const char *address, int timeout_ms,
			    int (*prepare)(int fd, void *context, struct error *err), void *context,
			    int *ret_fd, struct error *err);

/* The process at the other end of a Unix socket, by SO_PEERCRED (unix(7)). -ENOENT for TCP. */
int target_peer(int fd, pid_t *ret_pid);

/* Milliseconds of CLOCK_MONOTONIC, to make deadlines of. */
long long target_now_ms(void);
/* Wait for @events (poll(2)) until @deadline_ms. 0, -ETIMEDOUT or another errno. */
int target_wait(int fd, short events, long long deadline_ms);

#endif
