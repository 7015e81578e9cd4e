// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* From struct file to what /proc calls it. */
#include "kernel_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel.h"

#define PATH_BYTES 4096
/* Mounts on mounts: each step of a path adds a byte to it, a step from mount to mount need not. */
#define MOUNTS_MAX 4096

#define AT(member) offsetof(struct path_layout, member)

static const struct field_spec specs[] = {
	{ "file", "f_path.mnt", AT(file.mnt), true },
	{ "file", "f_path.dentry", AT(file.dentry), true },
	{ "file", "f_inode", AT(file.inode), true },
	{ "file", "f_flags", AT(file.flags), false },
	{ "file", "f_mode", AT(file.mode), false },
	{ "file", "f_pos", AT(file.pos), false },
	{ "dentry", "d_parent", AT(dentry.parent), true },
	{ "dentry", "d_name.name", AT(dentry.name), true },
	{ "dentry", "d_name.len", AT(dentry.length), true },
	{ "dentry", "d_hash.pprev", AT(dentry.hash), false },
	{ "dentry", "d_inode", AT(dentry.inode), true },
	{ "dentry", "d_sb", AT(dentry.sb), true },
	{ "inode", "i_ino", AT(inode.ino), true },
	{ "inode", "i_mode", AT(inode.mode), false },
	{ "inode", "i_sb", AT(inode.sb), false },
	{ "inode", "i_private", AT(inode.private_data), false },
	{ "super_block", "s_dev", AT(sb_dev), false },
	{ "super_block", "s_type", AT(sb_type), false },
	{ "file_system_type", "name", AT(type_name), false },
	{ "vfsmount", "mnt_root", AT(vfsmount_root), true },
	{ "mount", "mnt", AT(mount.vfsmount), true },
	{ "mount", "mnt_parent", AT(mount.parent), true },
	{ "mount", "mnt_mountpoint", AT(mount.mountpoint), true },
	{ "ns_common", "ops", AT(ns_ops), false },
	{ "ns_common", "inum", AT(ns_inum), false },
	{ "proc_ns_operations", "name", AT(ns_ops_name), false },
};

int path_layout_load(struct kernel *kernel, struct path_layout *ret_layout, struct error *err)
{
	struct path_layout layout = { 0 };
	int status = fields_load(kernel->types, specs, sizeof(specs) / sizeof(*specs), &layout, err);

	if (status)
		return status;
	for (size_t i = 0; i < sizeof(specs) / sizeof(*specs); i++) {
		const struct field *field = (const void *)((const char *)&layout + specs[i].at);
		size_t end = (size_t)field->offset + field->size;

		if (!strcmp(specs[i].type, "file") && end > layout.file.read_size)
			layout.file.read_size = end;
		if (!strcmp(specs[i].type, "dentry") && end > layout.dentry.read_size)
			layout.dentry.read_size = end;
	}
	*ret_layout = layout;
	return 0;
}

/* A path is written from its end. */
struct path_buffer {
	char bytes[PATH_BYTES];
	size_t start;
};

static int prepend(struct path_buffer *path, const char *text, size_t length)
{
	if (length > path->start)
		return -EBADMSG;
	path->start -= length;
	memcpy(path->bytes + path->start, text, length);
	return 0;
}

static int prepend_name(struct kernel *kernel, const struct path_layout *layout, uint64_t dentry,
			struct path_buffer *path)
{
	uint64_t name, length;
	int status = field_read(kernel, &layout->dentry.name, dentry, &name);

	if (!status)
		status = field_read(kernel, &layout->dentry.length, dentry, &length);
	if (status)
		return status;
	if (!length || length > path->start)
		return -EBADMSG;
	status = kernel_read(kernel, name, path->bytes + path->start - length, length);
	if (status)
		return status;
	if (memchr(path->bytes + path->start - length, '\0', length))
		return -EBADMSG;
	path->start -= length;
	return 0;
}

/* From @dentry up to the root of the mount tree. */
static int prepend_path(struct kernel *kernel, const struct path_layout *layout, uint64_t dentry,
			uint64_t vfsmount, struct path_buffer *path)
{
	uint64_t mount, root, parent;
	size_t mounts = 0;
	int status;

	for (;;) {
		status = field_read(kernel, &layout->vfsmount_root, vfsmount, &root);
		if (!status && dentry == root) {
			mount = vfsmount - layout->mount.vfsmount.offset;
			status = field_read(kernel, &layout->mount.parent, mount, &parent);
			if (!status && (!parent || parent == mount))
				return 0;
			if (!status)
				status = field_read(kernel, &layout->mount.mountpoint, mount, &dentry);
			vfsmount = parent + layout->mount.vfsmount.offset;
			if (!status && ++mounts > MOUNTS_MAX)
				return -EBADMSG;
			if (status)
				return status;
			continue;
		}
		if (!status)
			status = field_read(kernel, &layout->dentry.parent, dentry, &parent);
		if (status)
			return status;
		if (parent == dentry) /* a root that is mounted nowhere */
			return 0;
		status = prepend_name(kernel, layout, dentry, path);
		if (!status)
			status = prepend(path, "/", 1);
		if (status)
			return status;
		dentry = parent;
	}
}

/* "net" of net:[4026531840]: the inode of nsfs leads to the namespace. */
static int read_namespace_kind(struct kernel *kernel, const struct path_layout *layout, uint64_t inode,
			       uint64_t ino, char *name, size_t size)
{
	uint64_t ns, inum, ops, text;
	int status = field_read(kernel, &layout->inode.private_data, inode, &ns);

	if (!status)
		status = field_read(kernel, &layout->ns_inum, ns, &inum);
	if (!status && (uint32_t)ino != (uint32_t)inum)
		status = -EBADMSG;
	if (!status)
		status = field_read(kernel, &layout->ns_ops, ns, &ops);
	if (!status)
		status = field_read(kernel, &layout->ns_ops_name, ops, &text);
	return status ? status : kernel_read_string(kernel, text, name, size);
}

/*
 * Files that no path leads to: their file system makes up a name (d_dname()). @type is that file system's.
 * What isn't known by its file system is a file of tmpfs or hugetlbfs (simple_dname()).
 */
static int name_pseudo_file(struct kernel *kernel, const struct path_layout *layout, uint64_t dentry,
			    const char *type, struct path_buffer *path)
{
	uint64_t inode = 0, ino = 0;
	char text[64], name[16];
	int status = field_read(kernel, &layout->dentry.inode, dentry, &inode);

	if (!status && inode)
		status = field_read(kernel, &layout->inode.ino, inode, &ino);
	if (status)
		return status;
	if (!strcmp(type, "pipefs") || !strcmp(type, "sockfs")) {
		snprintf(text, sizeof(text), "%s:[%llu]", type[0] == 'p' ? "pipe" : "socket",
			 (unsigned long long)ino);
		return prepend(path, text, strlen(text));
	}
	if (!strcmp(type, "nsfs")) {
		status = read_namespace_kind(kernel, layout, inode, ino, name, sizeof(name));
		if (status)
			return status;
		snprintf(text, sizeof(text), "%s:[%llu]", name, (unsigned long long)ino);
		return prepend(path, text, strlen(text));
	}
	if (!strcmp(type, "pidfs"))
		return prepend(path, "anon_inode:[pidfd]", strlen("anon_inode:[pidfd]"));
	if (!strcmp(type, "anon_inodefs")) {
		status = prepend_name(kernel, layout, dentry, path);
		return status ? status : prepend(path, "anon_inode:", strlen("anon_inode:"));
	}
	status = prepend(path, " (deleted)", strlen(" (deleted)"));
	if (!status)
		status = prepend_name(kernel, layout, dentry, path);
	return status ? status : prepend(path, "/", 1);
}

/* The name of the dentry's file system type, "" when it can't be had. */
static void read_type_name(struct kernel *kernel, const struct path_layout *layout, uint64_t dentry,
			   char *name, size_t size)
{
	uint64_t sb, type, text;

	name[0] = '\0';
	if (!field_read(kernel, &layout->dentry.sb, dentry, &sb) &&
	    !field_read(kernel, &layout->sb_type, sb, &type) &&
	    !field_read(kernel, &layout->type_name, type, &text) &&
	    kernel_read_string(kernel, text, name, size))
		name[0] = '\0';
}

/* Their dentries are roots (d_alloc_pseudo()) or hang below one that isn't mounted, but not mounts' roots. */
static bool is_named_by_type(const char *type)
{
	static const char *const types[] = { "pipefs", "sockfs", "nsfs", "pidfs", "anon_inodefs" };

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(type, types[i]))
			return true;
	return false;
}

int kernel_path_read(struct kernel *kernel, const struct path_layout *layout, uint64_t dentry,
		     uint64_t vfsmount, char **ret_path)
{
	struct path_buffer path = { .start = PATH_BYTES - 1 };
	uint64_t parent, root, hash = 1;
	char type[32];
	int status = field_read(kernel, &layout->dentry.parent, dentry, &parent);

	if (!status)
		status = field_read(kernel, &layout->vfsmount_root, vfsmount, &root);
	if (status)
		return status;
	read_type_name(kernel, layout, dentry, type, sizeof(type));
	if (dentry != root && (parent == dentry || is_named_by_type(type))) {
		status = name_pseudo_file(kernel, layout, dentry, type, &path);
	} else {
		if (parent != dentry && !field_read(kernel, &layout->dentry.hash, dentry, &hash) && !hash)
			status = prepend(&path, " (deleted)", strlen(" (deleted)"));
		if (!status)
			status = prepend_path(kernel, layout, dentry, vfsmount, &path);
		if (!status && path.bytes[path.start] != '/')
			status = prepend(&path, "/", 1);
	}
	if (status)
		return status;
	*ret_path = strdup(path.bytes + path.start);
	return *ret_path ? 0 : -ENOMEM;
}

static enum file_kind kind_of_mode(uint64_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return FILE_REGULAR;
	case S_IFDIR:
		return FILE_DIRECTORY;
	case S_IFCHR:
		return FILE_CHARACTER;
	case S_IFBLK:
		return FILE_BLOCK;
	case S_IFIFO:
		return FILE_FIFO;
	case S_IFSOCK:
		return FILE_SOCKET;
	case S_IFLNK:
		return FILE_LINK;
	default:
		return FILE_ANONYMOUS;
	}
}

int kernel_file_read(struct kernel *kernel, const struct path_layout *layout, uint64_t address,
		     struct kernel_file *ret_file)
{
	struct kernel_file file = { .addr = address };
	uint64_t mnt, dentry, value;
	int status = field_read(kernel, &layout->file.inode, address, &file.inode);

	if (!status)
		status = field_read(kernel, &layout->file.mnt, address, &mnt);
	if (!status)
		status = field_read(kernel, &layout->file.dentry, address, &dentry);
	if (status)
		return status;
	if (!field_read(kernel, &layout->file.flags, address, &value))
		file.flags = (uint32_t)value;
	if (!field_read(kernel, &layout->file.mode, address, &value))
		file.mode = (uint32_t)value;
	field_read(kernel, &layout->file.pos, address, &file.pos);
	file.kind = field_read(kernel, &layout->inode.mode, file.inode, &value) ? FILE_ANONYMOUS
										: kind_of_mode(value);
	field_read(kernel, &layout->inode.ino, file.inode, &file.ino);
	if (!field_read(kernel, &layout->inode.sb, file.inode, &value) &&
	    !field_read(kernel, &layout->sb_dev, value, &value))
		file.dev = (uint32_t)value;
	status = kernel_path_read(kernel, layout, dentry, mnt, &file.path);
	if (status == -ENOMEM)
		return status;
	/* fd749a7c66c1 and others (6.16) gave these a type. */
	if (file.path && !strncmp(file.path, "anon_inode:", strlen("anon_inode:")))
		file.kind = FILE_ANONYMOUS;
	*ret_file = file;
	return 0;
}

void kernel_file_deinit(struct kernel_file *file)
{
	free(file->path);
	memset(file, 0, sizeof(*file));
}

const char *file_kind_name(enum file_kind kind)
{
	static const char *const names[] = { "regular", "directory", "character", "block",
					     "fifo",    "socket",    "link",      "anonymous" };

	return names[kind];
}
