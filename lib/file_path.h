/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The path of a file as BPF programs hand it over (bpf/file_path.bpf.h): the names from the file up to the root of its
 * mount namespace, and as text.
 */
#ifndef DILL_FILE_PATH_H
#define DILL_FILE_PATH_H

#include <linux/types.h>

#define FILE_PATH_NAME_BYTES 256  /* NAME_MAX and the NUL */
#define FILE_PATH_BYTES 512       /* a name begins below that */
#define FILE_PATH_NAMES 24

enum file_path_flag {
	FILE_PATH_CUT = 1,     /* more names or bytes than there is room for: the upper end is missing */
	FILE_PATH_DELETED = 2, /* the file has no name in its folder any more, or never had one */
};

struct file_path {
	__u32 length; /* of @names in use; 0: no file */
	__u32 flags;  /* enum file_path_flag */
	char names[FILE_PATH_BYTES + FILE_PATH_NAME_BYTES]; /* each with its NUL, the file's own first */
};

#ifndef __bpf__
#include <stddef.h>

/*
 * The path as /proc/PID/maps writes it: "/usr/bin/cat", "/tmp/x (deleted)", "…/x" when the upper end is missing. Always
 * terminated, cut to @size. Returns @text, or NULL when @path has no names.
 */
const char *file_path_text(const struct file_path *path, char *text, size_t size);
#endif

#endif
