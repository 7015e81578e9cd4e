// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The loader maps an ELF file's beginning, where its program headers are, with the first segment. All that is read here
 * is the process's and may be anything: sizes have bounds, and what doesn't fit is passed over.
 */
#include "slub_find.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "proc_maps.h"
#include "slub_inspection.h"

#define SEGMENTS_MAX 128
#define NOTES_BYTES_MAX 65536
#define COPIES_MAX 64

DEFINE_CLEANUP(proc_maps, struct proc_maps, proc_maps_deinit(&v));

struct search {
	struct memory_source *source;
	struct slub_copies copies;
	size_t programs, old_programs; /* ELF files met, and how many of them have 32 bits */
	struct error *err;
};

/* 1: read; 0: not there; negative: the process is gone. */
static int get(struct search *search, uint64_t address, void *buffer, size_t size)
{
	struct error error = { 0 };
	int status = memory_source_read(search->source, SPACE_VIRTUAL, address, buffer, size, &error);

	if (status && error.code)
		return error_set(search->err, error.code, "%s", error.text);
	return status == 0;
}

static int keep(struct search *search, uint64_t description, const char *file)
{
	struct slub_copies *copies = &search->copies;
	struct slub_copy *larger;

	for (size_t i = 0; i < copies->count; i++)
		if (copies->list[i].description == description)
			return 0;
	if (copies->count == COPIES_MAX)
		return 0;
	larger = realloc(copies->list, (copies->count + 1) * sizeof(*larger));
	if (!larger)
		return error_set(search->err, -ENOMEM, "out of memory");
	copies->list = larger;
	larger[copies->count] = (struct slub_copy){ description, strdup(file) };
	if (!larger[copies->count].file)
		return error_set(search->err, -ENOMEM, "out of memory");
	copies->count++;
	return 0;
}

static bool is_ours(const Elf64_Nhdr *note, const char *name)
{
	return note->n_type == SLUB_INSPECTION_NOTE_TYPE && note->n_descsz >= sizeof(int64_t) &&
	       note->n_namesz == sizeof(SLUB_INSPECTION_NOTE_NAME) &&
	       !memcmp(name, SLUB_INSPECTION_NOTE_NAME, sizeof(SLUB_INSPECTION_NOTE_NAME));
}

static uint64_t padded(uint64_t size, uint64_t align)
{
	return (size + align - 1) & ~(align - 1);
}

/* The notes of one segment: header, name and contents, the latter two padded to 4 or 8 bytes (elf(5)). */
static int look_at_notes(struct search *search, uint64_t address, const char *bytes, size_t size, uint64_t align,
			 const char *file)
{
	for (uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= size;) {
		uint64_t name = at + sizeof(Elf64_Nhdr), contents;
		Elf64_Nhdr note;
		int64_t distance;

		memcpy(&note, bytes + at, sizeof(note));
		contents = padded(name + note.n_namesz, align);
		if (contents > size || note.n_descsz > size - contents)
			return 0;
		if (is_ours(&note, bytes + name)) {
			memcpy(&distance, bytes + contents, sizeof(distance));
			return keep(search, address + contents + (uint64_t)distance, file);
		}
		at = padded(contents + note.n_descsz, align);
	}
	return 0;
}

static int look_at_segments(struct search *search, uint64_t base, const Elf64_Phdr *segments, size_t count,
			    const char *file)
{
	uint64_t bias = base;
	int status = 1;

	for (size_t i = 0; i < count; i++)
		if (segments[i].p_type == PT_LOAD) {
			bias = base - (segments[i].p_vaddr & ~UINT64_C(4095));
			break;
		}
	for (size_t i = 0; i < count && status >= 0; i++) {
		uint64_t size = segments[i].p_filesz;
		CLEANUP(free) char *bytes = NULL;

		if (segments[i].p_type != PT_NOTE || size > NOTES_BYTES_MAX)
			continue;
		bytes = malloc(size + 1);
		if (!bytes)
			return error_set(search->err, -ENOMEM, "out of memory");
		status = get(search, bias + segments[i].p_vaddr, bytes, size);
		if (status > 0)
			status = look_at_notes(search, bias + segments[i].p_vaddr, bytes, size,
					       segments[i].p_align == 8 ? 8 : 4, file);
	}
	return status < 0 ? status : 0;
}

static int look_at_file(struct search *search, const struct mapping *mapping)
{
	Elf64_Phdr segments[SEGMENTS_MAX];
	Elf64_Ehdr header;
	int status = get(search, mapping->start, &header, sizeof(header));

	if (status <= 0)
		return status;
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return 0;
	search->programs++;
	search->old_programs += header.e_ident[EI_CLASS] == ELFCLASS32;
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(segments[0]) || !header.e_phnum ||
	    header.e_phnum > SEGMENTS_MAX)
		return 0;
	status = get(search, mapping->start + header.e_phoff, segments, header.e_phnum * sizeof(segments[0]));
	return status <= 0 ? status
			   : look_at_segments(search, mapping->start, segments, header.e_phnum, mapping->path);
}

int slub_find(struct memory_source *source, pid_t pid, struct slub_copies *ret_copies, struct error *err)
{
	CLEANUP(proc_maps) struct proc_maps maps = { 0 };
	struct search search = { .source = source, .err = err };
	int status = proc_maps_read(pid, &maps, err);

	for (size_t i = 0; i < maps.count && !status; i++)
		if (maps.list[i].inode && !maps.list[i].file_offset)
			status = look_at_file(&search, &maps.list[i]);
	if (status >= 0 && search.programs && search.programs == search.old_programs)
		status = error_set(err, -EOPNOTSUPP, "process %d is a 32-bit program: libslub is for 64 bits",
				   (int)pid);
	if (status < 0) {
		slub_copies_deinit(&search.copies);
		return status;
	}
	*ret_copies = search.copies;
	return 0;
}

void slub_copies_deinit(struct slub_copies *copies)
{
	for (size_t i = 0; i < copies->count; i++)
		free(copies->list[i].file);
	free(copies->list);
	*copies = (struct slub_copies){ 0 };
}
