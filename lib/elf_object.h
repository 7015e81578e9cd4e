/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One ELF file: opened once, identified, and asked about its layout and its functions.
 *
 * Everything in the file may be hostile: no offset or count is believed before it has been held against the
 * file's size. Source lines are dwarf_lines.h's business. An object is not safe to use from two threads at
 * once.
 *
 * Addresses here are the file's own ("vaddr", as the program headers and `nm` show them), never a process's.
 */
#ifndef DILL_ELF_OBJECT_H
#define DILL_ELF_OBJECT_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct debug_search;
struct elf_object;
struct elf_symbols;
struct error;
struct mapping;
struct root_directory;

/*
 * Open the file behind a mapping of a process, and make sure that it is that file.
 *
 * Tried in this order: /proc/PID/map_files/START-END, which is the mapped file itself even when deleted but
 * needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE; the path below the process's root; /proc/PID/exe, which also
 * reaches a deleted program. A file is taken when its inode number is the mapping's. The device is not
 * compared: stat(2) names another one than the memory map on btrfs and overlayfs. Where the inode differs too
 * (overlayfs again), the file is taken when it isn't deleted and its bytes are those in the process's memory:
 * the page of the ELF header, with the build-id, or failing that a page of the text, in which breakpoints are
 * let pass.
 *
 * "[vdso]" is copied out of the process's memory.
 *
 * -ENOENT: no file that could be verified. -EINVAL: mapped, but not a regular file. -EBADMSG: no usable ELF.
 */
int elf_object_open_mapping(pid_t pid, const struct mapping *mapping, struct elf_object **ret_object,
			    struct error *err);

int elf_object_open_path(const char *path, struct elf_object **ret_object, struct error *err);

/*
 * Take over an open regular file, also on failure. @path is for show and for finding debug data by it; @root
 * (own reference taken, may be NULL) is where that path counts. -EFBIG for somebody else's file that is
 * mostly holes: it could make its reader's memory overflow for nothing.
 */
int elf_object_open_fd(int fd, const char *path, struct root_directory *root, struct elf_object **ret_object,
		       struct error *err);

/* Counted; unref accepts NULL. */
struct elf_object *elf_object_ref(struct elf_object *object);
void elf_object_unref(struct elf_object *object);

/* Stays open as long as the object: uprobes can be attached through /proc/self/fd/N. */
int elf_object_fd(const struct elf_object *object);
const char *elf_object_path(const struct elf_object *object);
/* NULL when the path counts below our own root. Borrowed. */
struct root_directory *elf_object_root(const struct elf_object *object);
uint64_t elf_object_file_size(const struct elf_object *object);
/* NULL and 0 when there is none. */
const uint8_t *elf_object_build_id(const struct elf_object *object, size_t *ret_size);
/* True when the file on disk is no longer what was opened: written to since. */
bool elf_object_has_changed(const struct elf_object *object);

/* EM_X86_64 and so on, and whether it is ELFCLASS64. */
unsigned int elf_object_machine(const struct elf_object *object);
bool elf_object_is_64bit(const struct elf_object *object);
/* A position-independent executable, as opposed to a shared library or one with fixed addresses. */
bool elf_object_is_pie(const struct elf_object *object);
/* No interpreter and no needed library. Says something about a program only: ld.so fits this too. */
bool elf_object_is_static(const struct elf_object *object);
/* Path of the dynamic linker, or NULL. */
const char *elf_object_interpreter(const struct elf_object *object);

/* The lowest PT_LOAD's p_vaddr, aligned down to the page: a process's load address less this is the bias. */
uint64_t elf_object_base_vaddr(const struct elf_object *object);
/*
 * Through the PT_LOAD headers; -ENOENT when none covers it. An offset that two segments share, as happens in
 * the page where one ends and the next begins, means the executable one; an offset that only the rounding to
 * pages maps is found too.
 */
int elf_object_offset_to_vaddr(const struct elf_object *object, uint64_t file_offset, uint64_t *ret_vaddr);
int elf_object_vaddr_to_offset(const struct elf_object *object, uint64_t vaddr, uint64_t *ret_file_offset);
/* True when [@vaddr, @vaddr + 1) lies in an executable segment. */
bool elf_object_is_code(const struct elf_object *object, uint64_t vaddr);

struct elf_function {
	uint64_t vaddr, size; /* size 0: not stated */
	uint64_t file_offset;
	const char *name; /* without @version, mangled, raw bytes; lives as long as the object */
	bool is_ifunc, is_weak;
	bool is_dynamic; /* from .dynsym: other objects can bind to it */
};

/*
 * Find a defined function by its exact name (given without @version). .dynsym is asked first, so that an
 * exported function is found without reading the rest; then .symtab, .gnu_debugdata and the separate debug
 * file. Of several versions the default one is found. -ENOENT when there is none.
 */
int elf_object_find_function(struct elf_object *object, const char *name, struct elf_function *ret_function,
			     struct error *err);
/* The same, but only what the object exports: never looks for debug data. */
int elf_object_find_exported(struct elf_object *object, const char *name, struct elf_function *ret_function,
			     struct error *err);
/*
 * All functions of all tables, aliases too, by address. Stops when @visit returns non-zero, and returns that.
 */
int elf_object_each_function(struct elf_object *object,
			     int (*visit)(const struct elf_function *function, void *context), void *context,
			     struct error *err);

/* Read exactly @size bytes at a file offset; -EFAULT when the file ends before. */
int elf_object_read(const struct elf_object *object, uint64_t file_offset, void *buffer, size_t size);

/* All symbols, read at first use. Borrowed. */
int elf_object_symbols(struct elf_object *object, struct elf_symbols **ret_symbols, struct error *err);

/*
 * Where to look for separate debug data (debug_file.h), borrowed; before the first question about functions.
 */
void elf_object_set_debug_search(struct elf_object *object, const struct debug_search *search);
/* The object's separate debug file, looked for once; NULL when there is none. Borrowed. */
struct elf_object *elf_object_debug_file(struct elf_object *object);

/*
 * A fresh libelf handle on the file, for reading, to be closed with elf_end(); NULL when libelf refuses.
 *
 * A mapped file that somebody truncates kills its reader by SIGBUS. So libelf maps only what no one but root
 * and we can write, and reads everything else.
 */
Elf *elf_object_begin_elf(const struct elf_object *object);
bool elf_object_is_mappable(const struct elf_object *object);

#endif
