/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The path of an open file, by its dentries and mounts. bpf_d_path() would do it, but only in functions of a list of the
 * kernel's. The walk takes no lock: a file that is renamed meanwhile can come out with a mixture of names.
 */
#ifndef DILL_BPF_FILE_PATH_BPF_H
#define DILL_BPF_FILE_PATH_BPF_H

#include "file_path.h"
#include "kernel_types.h"

/* The current task's open file @fd; NULL: none. */
static __always_inline struct file *file_of_descriptor(s64 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd), *file = NULL;

	if (fd < 0 || (u64)fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), &files[fd]);
	return file;
}

/*
 * Up to the root of the mount namespace. For a file without name the kernel's own word comes: "memfd:x", "[perf]".
 * Length and flags are kept in @path only, so that all ways through a round look the same to the verifier.
 */
static __always_inline void file_path_read(struct file *file, struct file_path *path)
{
	volatile struct file_path *state = path;
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry), *parent;
	struct mount *mount = (struct mount *)((u64)BPF_CORE_READ(file, f_path.mnt) - bpf_core_field_offset(struct mount, mnt));

	state->length = 0;
	state->flags = FILE_PATH_CUT | (BPF_CORE_READ(dentry, d_hash.pprev) ? 0 : FILE_PATH_DELETED);
	for (u32 i = 0; i < FILE_PATH_NAMES; i++) {
		u64 place = state->length;
		s64 bytes;

		if (place >= FILE_PATH_BYTES)
			return;
		if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
			struct mount *above = BPF_CORE_READ(mount, mnt_parent);

			if (above == mount) {
				state->flags &= ~FILE_PATH_CUT;
				return;
			}
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = above;
			continue;
		}
		parent = BPF_CORE_READ(dentry, d_parent);
		bytes = bpf_probe_read_kernel_str(path->names + place, FILE_PATH_NAME_BYTES,
						  BPF_CORE_READ(dentry, d_name.name));
		if (bytes <= 0)
			return;
		state->length += bytes;
		if (parent == dentry) { /* its own root: a file of no file system's tree */
			state->flags &= ~FILE_PATH_CUT;
			return;
		}
		dentry = parent;
	}
}

#endif
