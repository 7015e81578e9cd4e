/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Reaching tracefs, mounted or not, and the ids of its tracepoints. Nothing is ever written there.
 */
#ifndef DILL_KERNEL_TRACEFS_H
#define DILL_KERNEL_TRACEFS_H

struct error;

/*
 * Open a pseudo file system's root directory for openat(2): the first of @paths (NULL-terminated) that holds
 * an entry @has, else an instance of @type mounted nowhere (fsmount(2): needs CAP_SYS_ADMIN, goes with the
 * descriptor). Close @ret_fd. Without a message.
 */
int pseudo_fs_open(const char *type, const char *const paths[], const char *has, int *ret_fd);

/* The root of tracefs. Close @ret_fd. -EACCES, -EPERM: its directories are for root alone by default. */
int kernel_tracefs_open(int *ret_fd, struct error *err);

/* A tracepoint's number for perf_event_open(2), PERF_TYPE_TRACEPOINT. -ENOENT: this kernel hasn't got it. */
int kernel_tracepoint_id(int tracefs_fd, const char *category, const char *name, unsigned int *ret_id,
			 struct error *err);

#endif
