/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Which object of a process provides its memory allocator, and where to probe its functions.
 *
 * The dynamic linker binds malloc to the first object in load order that exports it: the program, then
 * preloaded libraries, then the needed ones, where the C library comes last. ELF gABI, "Shared Object
 * Dependencies".
 */
#ifndef DILL_ALLOCATOR_H
#define DILL_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe_site.h"

struct elf_object;
struct error;
struct mapping;
struct proc_maps;

/* Shapes of functions: which arguments hold what. In the order in which they should be probed. */
enum allocator_function {
	ALLOCATOR_FREE,           /* (block, …): free, cfree, free_sized, operator delete */
	ALLOCATOR_NEW,            /* (size, …): operator new that throws; its returns are probed by `exits` */
	ALLOCATOR_MALLOC,         /* (size, …): malloc, valloc, pvalloc, operator new(nothrow) */
	ALLOCATOR_CALLOC,         /* (count, size) */
	ALLOCATOR_REALLOC,        /* (block, size) */
	ALLOCATOR_REALLOCARRAY,   /* (block, count, size) */
	ALLOCATOR_MEMALIGN,       /* (alignment, size): memalign, aligned_alloc */
	ALLOCATOR_POSIX_MEMALIGN, /* (result, alignment, size) */
	ALLOCATOR_MUNMAP,         /* (address, size) */
	ALLOCATOR_MMAP,           /* (address, size, …) */
	ALLOCATOR_MREMAP,         /* (address, old size, new size, …) */
	ALLOCATOR_FUNCTIONS,
};

struct allocator_site {
	enum allocator_function function;
	const char *name;        /* static */
	uint64_t function_offset; /* file offset of the function */
	uint64_t file_offset;    /* of the instruction to probe */
	struct probe_site site;
};

/* An object of the process with the sites found in it. */
struct allocator {
	struct elf_object *object; /* a reference of its own */
	struct allocator_site *sites;
	size_t count;
	uint64_t *exits; /* file offsets of the `ret`s of ALLOCATOR_NEW functions, each once */
	size_t exit_count;
	unsigned int skipped; /* operators left out, since not all of their returns could be found */
};

struct allocator_set {
	struct allocator list[2]; /* the heap's, and when that is another one the C library for mmap() and munmap() */
	size_t count;
	bool has_heap; /* some list entry provides an allocation function and free */
};

struct allocator_choice {
	const char *object; /* only objects whose path ends in this; NULL: find out */
	const char *prefix; /* before each name: "je_" */
	bool may_move_args; /* the probe can read an argument from any register */
	bool wants_operators; /* C++ operator new and delete, where they don't go through malloc */
	bool wants_mappings;
};

/*
 * Look at the objects that process @pid has mapped. -ENOENT when none provides what @choice names. Without
 * a heap and
 * without @choice->object: success with has_heap false, since the loader may not have mapped the C library yet.
 */
int allocator_find(pid_t pid, const struct proc_maps *maps, const struct allocator_choice *choice,
		   struct allocator_set *ret_set, struct error *err);
void allocator_set_deinit(struct allocator_set *set);

#endif
