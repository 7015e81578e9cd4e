/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Dumps that tests write themselves. Each 8-byte word of a dump's memory holds its own physical address plus
 * WORD_MARK, so that a read tells where its bytes came from. Include after <cmocka.h>.
 */
#ifndef DILL_TESTS_DUMP_FIXTURE_H
#define DILL_TESTS_DUMP_FIXTURE_H

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "memory_source.h"
#include "source_file.h"

#define WORD_MARK 0x5a00000000000000ULL
#define DIRECT_MAP 0xffff888000000000ULL

struct image {
	uint8_t *bytes;
	size_t size, capacity;
};

struct load_spec {
	uint64_t virtual_start, physical_start, file_size, memory_size;
};

struct note_spec {
	const char *name;
	uint32_t type;
	const void *contents;
	uint32_t size;
};

static inline void image_append(struct image *image, const void *bytes, size_t size)
{
	if (image->capacity < image->size + size) {
		image->capacity = 2 * (image->size + size);
		image->bytes = realloc(image->bytes, image->capacity);
		assert_non_null(image->bytes);
	}
	memcpy(image->bytes + image->size, bytes, size);
	image->size += size;
}

static inline void image_memory(struct image *image, uint64_t physical, uint64_t size)
{
	for (uint64_t at = 0; at < size; at += 8) {
		uint64_t word = WORD_MARK + physical + at;

		image_append(image, &word, 8);
	}
}

static inline struct image image_notes(const struct note_spec *notes, size_t count)
{
	struct image image = { 0 };

	for (size_t i = 0; i < count; i++) {
		Elf64_Nhdr header = { (uint32_t)strlen(notes[i].name) + 1, notes[i].size, notes[i].type };

		image_append(&image, &header, sizeof(header));
		image_append(&image, notes[i].name, header.n_namesz);
		image_append(&image, "\0\0\0", -header.n_namesz & 3);
		image_append(&image, notes[i].contents, notes[i].size);
		image_append(&image, "\0\0\0", -notes[i].size & 3);
	}
	return image;
}

static inline Elf64_Ehdr elf_header(void)
{
	Elf64_Ehdr header = { .e_type = ET_CORE,
			      .e_machine = EM_X86_64,
			      .e_version = EV_CURRENT,
			      .e_phoff = sizeof(header),
			      .e_ehsize = sizeof(header),
			      .e_phentsize = sizeof(Elf64_Phdr) };

	memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = ELFCLASS64;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	header.e_ident[EI_VERSION] = EV_CURRENT;
	return header;
}

/* One PT_NOTE with all @notes, then the PT_LOADs; their memory in the same order. */
static inline struct image image_core(const struct load_spec *loads, size_t load_count,
				      const struct note_spec *notes, size_t note_count)
{
	struct image image = { 0 }, note_image = image_notes(notes, note_count);
	uint64_t offset = sizeof(Elf64_Ehdr) + (load_count + 1) * sizeof(Elf64_Phdr);
	Elf64_Ehdr header = elf_header();
	Elf64_Phdr note = { .p_type = PT_NOTE, .p_offset = offset, .p_filesz = note_image.size };

	header.e_phnum = (uint16_t)(load_count + 1);
	image_append(&image, &header, sizeof(header));
	image_append(&image, &note, sizeof(note));
	offset += note_image.size;
	for (size_t i = 0; i < load_count; i++) {
		Elf64_Phdr load = { .p_type = PT_LOAD,
				    .p_offset = offset,
				    .p_vaddr = loads[i].virtual_start,
				    .p_paddr = loads[i].physical_start,
				    .p_filesz = loads[i].file_size,
				    .p_memsz = loads[i].memory_size };

		image_append(&image, &load, sizeof(load));
		offset += loads[i].file_size;
	}
	if (note_image.size)
		image_append(&image, note_image.bytes, note_image.size);
	for (size_t i = 0; i < load_count; i++)
		image_memory(&image, loads[i].physical_start, loads[i].file_size);
	free(note_image.bytes);
	return image;
}

/* A file of these bytes in memory: its path, good until the next call; close @ret_fd when done with it. */
static inline const char *image_file(const void *bytes, size_t size, int *ret_fd)
{
	static char path[64];

	*ret_fd = memfd_create("dump", MFD_CLOEXEC);
	assert_true(*ret_fd >= 0);
	for (size_t done = 0; done < size;) {
		ssize_t wrote = write(*ret_fd, (const char *)bytes + done, size - done);

		assert_true(wrote > 0);
		done += (size_t)wrote;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *ret_fd);
	return path;
}

static inline int image_open(const struct image *image, struct memory_source **ret_source, struct error *err)
{
	int fd, status;

	status = source_file_open(image_file(image->bytes, image->size, &fd), ret_source, err);
	close(fd);
	return status;
}

/* The word at @address, or 0 when it can't be read. */
static inline uint64_t word_at(struct memory_source *source, enum address_space space, uint64_t address)
{
	uint64_t word = 0;

	return memory_source_read(source, space, address, &word, 8, NULL) ? 0 : word;
}

static inline void assert_physical(struct memory_source *source, uint64_t start, uint64_t size)
{
	for (uint64_t at = start; at < start + size; at += 8)
		assert_int_equal(word_at(source, SPACE_PHYSICAL, at), WORD_MARK + at);
}

static inline void assert_unreadable(struct memory_source *source, uint64_t address, size_t size)
{
	char *buffer = malloc(size);

	assert_int_equal(memory_source_read(source, SPACE_PHYSICAL, address, buffer, size, NULL), -EFAULT);
	free(buffer);
}

#endif
