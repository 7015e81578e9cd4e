/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The memory mappings of a process as /proc/PID/maps states them (proc_pid_maps(5)).
 *
 * Only the text is understood here. What lies behind a mapping is elf_object.h's business.
 */
#ifndef DILL_PROC_MAPS_H
#define DILL_PROC_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

struct mapping {
	uint64_t start, end;  /* [start, end) in the process's address space */
	uint64_t file_offset; /* byte in the file that lies at start; 0 when anonymous */
	uint32_t dev_major, dev_minor;
	uint64_t inode; /* 0: no file */
	bool is_executable;
	bool is_deleted; /* the kernel's " (deleted)" was taken off the path */
	/*
	 * As the process's mount namespace names it, raw bytes; "" when anonymous; "[vdso]", "[heap]" and so
	 * on for the kernel's own. A newline in a file name, which the kernel writes as \012, is a newline
	 * again. Nothing else is undone, because the kernel escapes nothing else (fs/proc/task_mmu.c,
	 * show_map_vma).
	 */
	char *path;
};

/* Sorted by start, without overlaps. A zeroed one is empty. */
struct proc_maps {
	struct mapping *list;
	size_t count;
};

/*
 * Read /proc/PID/maps. -ESRCH when the process is gone or has no user memory any more (a zombie's file is
 * empty, a kernel thread's too), -EACCES when it may not be looked at. Give @ret_maps to proc_maps_deinit().
 *
 * The kernel hands the file out piece by piece: a process that maps meanwhile can show an entry twice. What
 * overlaps an earlier entry is dropped.
 */
int proc_maps_read(pid_t pid, struct proc_maps *ret_maps, struct error *err);

/* The same from text. -EBADMSG, with the line number, for a line that doesn't have the form. */
int proc_maps_parse(const char *text, size_t size, struct proc_maps *ret_maps, struct error *err);

void proc_maps_deinit(struct proc_maps *maps);

/* The mapping that covers @address, or NULL. */
const struct mapping *proc_maps_find(const struct proc_maps *maps, uint64_t address);

#endif
