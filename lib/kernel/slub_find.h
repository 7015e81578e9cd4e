/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Where libslub is in a process: a library, loaded at start or later, or in the program itself, stripped or not. Found
 * by its note (slub_inspection.h) in the process's own memory; no file is opened.
 */
#ifndef DILL_SLUB_FIND_H
#define DILL_SLUB_FIND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "memory_source.h"

/* One copy. */
struct slub_copy {
	uint64_t description; /* address of its struct slub_inspection */
	char *file;           /* owned; path of the library or program, raw bytes */
};

struct slub_copies {
	struct slub_copy *list; /* owned */
	size_t count;
};

/*
 * All copies in process @pid, which @source reads. None: an empty list. -ESRCH, -EACCES, -ENOMEM; -EOPNOTSUPP: a 32-bit
 * program.
 */
int slub_find(struct memory_source *source, pid_t pid, struct slub_copies *ret_copies, struct error *err);
void slub_copies_deinit(struct slub_copies *copies);

#endif
