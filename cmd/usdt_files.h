/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The files in which usdt looks for probes: of processes, of a command, by path; each once. */
#ifndef DILL_USDT_FILES_H
#define DILL_USDT_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "usdt_probes.h"

struct error;

struct usdt_file {
	struct elf_object *object; /* NULL: nothing in it was wanted */
	struct usdt_probes *probes;
	uint64_t device, inode;    /* by fstat(2) */
	uint64_t map_device, map_inode; /* as memory maps name it, which differs on overlayfs and btrfs; 0: not met there */
};

struct usdt_files {
	struct usdt_file *list;
	size_t count;
	bool wants_functions; /* not notes, but the C library's functions: usdt_functions_read() */
	char *library;        /* path of a C library that was among them; NULL: none */
	bool library_has_probes;
	size_t damaged;       /* probes left out */
};

/* What a file has is kept, if it has any. -ENOENT …: it can't be opened, or is no ELF file. */
int usdt_files_add_path(struct usdt_files *files, const char *path, struct error *err);
/* Whatever @pid maps to run. Files that can't be read are passed over. */
int usdt_files_add_process(struct usdt_files *files, pid_t pid, struct error *err);
/* All that anybody maps to run. */
int usdt_files_add_all(struct usdt_files *files, struct error *err);
/* A program that is to be started, its dynamic linker, and the libraries that this says it would load. */
int usdt_files_add_command(struct usdt_files *files, const char *word, struct error *err);
void usdt_files_deinit(struct usdt_files *files);

#endif
