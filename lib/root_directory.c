// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Opening files below another process's root without leaving it. Knows nothing about what the files hold. */
#include "root_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"

struct root_directory {
	unsigned int refs;
	int fd; /* O_PATH */
};

/*
 * Two roots are the same place only when the mount namespace is the same too: a bind mount elsewhere may
 * hide.
 */
static bool is_our_root(pid_t pid, int fd)
{
	struct stat theirs, ours, their_mounts, our_mounts;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	if (stat(path, &their_mounts) || stat("/proc/self/ns/mnt", &our_mounts))
		return false;
	if (their_mounts.st_ino != our_mounts.st_ino || their_mounts.st_dev != our_mounts.st_dev)
		return false;
	return !fstat(fd, &theirs) && !stat("/", &ours) && theirs.st_ino == ours.st_ino &&
	       theirs.st_dev == ours.st_dev;
}

int root_directory_open(pid_t pid, struct root_directory **ret_root)
{
	CLEANUP(close) int fd = -1;
	struct root_directory *root;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (is_our_root(pid, fd)) {
		*ret_root = NULL;
		return 0;
	}
	root = malloc(sizeof(*root));
	if (!root)
		return -ENOMEM;
	root->refs = 1;
	root->fd = TAKE_FD(fd);
	*ret_root = root;
	return 0;
}

struct root_directory *root_directory_ref(struct root_directory *root)
{
	if (root)
		root->refs++;
	return root;
}

void root_directory_unref(struct root_directory *root)
{
	if (!root || --root->refs)
		return;
	close(root->fd);
	free(root);
}

int root_directory_reopen(int path_fd)
{
	struct stat st;
	char link[64];
	int fd;

	if (fstat(path_fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	fd = open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int open_below(int root_fd, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};

	return (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
}

int root_directory_open_file(const struct root_directory *root, const char *path)
{
	CLEANUP(close) int fd = root ? open_below(root->fd, path) : open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : root_directory_reopen(fd);
}
