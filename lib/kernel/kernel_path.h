/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Names of open files as /proc/PID/fd and /proc/PID/maps show them: dentries and mounts walked up to the root
 * of the mount tree. Knows nothing of chroot: a path is that from the initial root, or from the root of the
 * mount namespace that the file was opened in.
 */
#ifndef DILL_KERNEL_PATH_H
#define DILL_KERNEL_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "kernel_types.h"

struct kernel;

struct path_layout {
	struct {
		struct field mnt, dentry, inode, flags, mode, pos;
		size_t read_size;
	} file;
	struct {
		struct field parent, name, length, hash, inode, sb;
		size_t read_size;
	} dentry;
	struct {
		struct field ino, mode, sb, private_data;
	} inode;
	struct field sb_dev, sb_type, type_name;
	struct field vfsmount_root;
	struct {
		struct field vfsmount, parent, mountpoint;
	} mount;
	struct field ns_ops, ns_inum, ns_ops_name;
};

enum file_kind {
	FILE_REGULAR,
	FILE_DIRECTORY,
	FILE_CHARACTER,
	FILE_BLOCK,
	FILE_FIFO, /* named, or a pipe */
	FILE_SOCKET,
	FILE_LINK,
	FILE_ANONYMOUS, /* no type: eventfd, epoll, … */
};

/* An open file. */
struct kernel_file {
	uint64_t addr, inode; /* of struct file and struct inode */
	enum file_kind kind;
	uint32_t dev; /* kernel's dev_t: major << 20 | minor */
	uint64_t ino;
	uint32_t flags; /* O_* */
	uint32_t mode;  /* FMODE_READ 1, FMODE_WRITE 2, … */
	uint64_t pos;
	char *path; /* NULL: can't be read. Owned: kernel_file_deinit() */
};

/* -ENOENT names what this kernel's types lack. */
int path_layout_load(struct kernel *kernel, struct path_layout *ret_layout, struct error *err);

/*
 * The path of a dentry in a mount, as d_path() would give it (fs/d_path.c). At most 4096 bytes. -EFAULT,
 * -EBADMSG: a chain without end or with impossible names. Free *ret_path.
 */
int kernel_path_read(struct kernel *kernel, const struct path_layout *layout, uint64_t dentry,
		     uint64_t vfsmount, char **ret_path);

/* What struct file @address is. -EFAULT, -EBADMSG, -ENOMEM; a path that can't be read is NULL and no failure.
 */
int kernel_file_read(struct kernel *kernel, const struct path_layout *layout, uint64_t address,
		     struct kernel_file *ret_file);
void kernel_file_deinit(struct kernel_file *file);
/* "regular", "directory", "character", "block", "fifo", "socket", "link", "anonymous". */
const char *file_kind_name(enum file_kind kind);

#endif
