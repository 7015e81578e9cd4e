// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * tracefs is often not mounted in containers and small systems. A detached mount gives the same files without
 * changing anybody's view of the file tree.
 */
#include "kernel_tracefs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "cleanup.h"
#include "error.h"

static int open_mounted(const char *path, const char *has, int *ret_fd)
{
	CLEANUP(close) int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || faccessat(fd, has, F_OK, 0))
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int open_detached(const char *type, int *ret_fd)
{
	CLEANUP(close) int context_fd = fsopen(type, FSOPEN_CLOEXEC);
	int fd;

	if (context_fd < 0 || fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	fd = fsmount(context_fd, FSMOUNT_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int pseudo_fs_open(const char *type, const char *const paths[], const char *has, int *ret_fd)
{
	int denied = 0, rc;

	for (; *paths; paths++) {
		rc = open_mounted(*paths, has, ret_fd);
		if (!rc)
			return 0;
		if (rc == -EACCES || rc == -EPERM)
			denied = rc;
	}
	rc = open_detached(type, ret_fd);
	return rc && denied ? denied : rc;
}

int kernel_tracefs_open(int *ret_fd, struct error *err)
{
	static const char *const paths[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing", NULL };
	int rc = pseudo_fs_open("tracefs", paths, "events", ret_fd);

	if (rc == -ENODEV)
		return error_set(err, -ENOENT, "this kernel has no tracefs (CONFIG_FTRACE)");
	if (rc)
		return error_set(err, rc, "tracefs: %s", strerror(-rc));
	return 0;
}

int kernel_tracepoint_id(int tracefs_fd, const char *category, const char *name, unsigned int *ret_id,
			 struct error *err)
{
	CLEANUP(close) int fd = -1;
	char path[256], text[32];
	ssize_t size;
	int length = snprintf(path, sizeof(path), "events/%s/%s/id", category, name);

	if (length < 0 || (size_t)length >= sizeof(path))
		return error_set(err, -ENAMETOOLONG, "tracepoint %s:%s: name too long", category, name);
	fd = openat(tracefs_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, "tracepoint %s:%s: %s", category, name, strerror(errno));
	size = read(fd, text, sizeof(text) - 1);
	if (size < 0)
		return error_set(err, -errno, "tracepoint %s:%s: %s", category, name, strerror(errno));
	text[size] = '\0';
	if (sscanf(text, "%u", ret_id) != 1)
		return error_set(err, -EBADMSG, "tracepoint %s:%s: no number in its id file", category, name);
	return 0;
}
