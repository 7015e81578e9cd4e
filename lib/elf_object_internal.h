/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What an ELF object is made of: for elf_object*.c only. */
#ifndef DILL_ELF_OBJECT_INTERNAL_H
#define DILL_ELF_OBJECT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define BUILD_ID_LIMIT 64U /* SHA-1 has 20 bytes, SHA-512 64 */

struct segment {
	uint64_t vaddr, file_offset, file_size, memory_size;
	bool is_executable;
};

struct elf_object {
	unsigned int refs;
	int fd;
	char *path;
	struct root_directory *root;
	struct stat opened; /* as it was then */
	bool is_mappable;   /* see elf_object_begin_elf() */
	unsigned int machine;
	bool is_64bit, is_pie, is_static;
	char *interpreter;
	uint8_t build_id[BUILD_ID_LIMIT];
	size_t build_id_size;
	struct segment *segments; /* PT_LOAD only, in the file's order */
	size_t segment_count;
	uint64_t base_vaddr;
	const struct debug_search *search;
	struct elf_symbols *exported; /* .dynsym; NULL until asked */
	struct elf_symbols *symbols;  /* everything; NULL until asked */
	struct elf_object *debug_file;
	bool has_looked_for_debug_file;
};

#endif
