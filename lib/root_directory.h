/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The root directory of another process: files as they are seen in its mount namespace and chroot.
 *
 * Held open by descriptor, so that a container's files can still be found after its last process has exited.
 * Holding it keeps the container's root file system busy: let go of it when the process is forgotten.
 */
#ifndef DILL_ROOT_DIRECTORY_H
#define DILL_ROOT_DIRECTORY_H

#include <stdbool.h>
#include <sys/types.h>

struct root_directory;

/*
 * Opens /proc/PID/root, which needs the right to ptrace the process. *@ret_root is NULL when it is our own
 * root.
 */
int root_directory_open(pid_t pid, struct root_directory **ret_root);

/* Counted; both accept NULL. */
struct root_directory *root_directory_ref(struct root_directory *root);
void root_directory_unref(struct root_directory *root);

/*
 * Open an absolute path below @root (NULL: our own) for reading, close-on-exec. Symbolic links, absolute ones
 * and ".." too, are followed inside @root and never lead out of it (openat2(2), RESOLVE_IN_ROOT, Linux 5.6;
 * -ENOSYS before).
 *
 * Only regular files are opened, so that a FIFO or a device in the way can neither block nor be set off:
 * -EINVAL for anything else. Returns a descriptor or a negative errno.
 */
int root_directory_open_file(const struct root_directory *root, const char *path);

/* Reopen an O_PATH descriptor for reading, under the same rule. @path_fd stays the caller's. */
int root_directory_reopen(int path_fd);

#endif
