// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Opening and identifying an ELF file, and its segments. Verifying that a file is the one a process has
 * mapped is elf_object_mapping.c's business, functions are elf_object_functions.c's.
 */
#include "elf_object.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "elf_object_internal.h"
#include "elf_symbols.h"
#include "error.h"
#include "file_read.h"
#include "root_directory.h"

#define PAGE 4096ULL
#define DYNAMIC_LIMIT (1U << 20) /* bytes of PT_DYNAMIC looked at */
/* A large file may be this many times what it takes on disk; file systems that compress don't get there. */
#define LARGE_FILE (256LL << 20)
#define SPARSE_RATIO 8

struct elf_object *elf_object_ref(struct elf_object *object)
{
	object->refs++;
	return object;
}

void elf_object_unref(struct elf_object *object)
{
	if (!object || --object->refs)
		return;
	elf_object_unref(object->debug_file);
	elf_symbols_destroy(object->exported);
	elf_symbols_destroy(object->symbols);
	root_directory_unref(object->root);
	free(object->segments);
	free(object->interpreter);
	free(object->path);
	close(object->fd);
	free(object);
}

DEFINE_CLEANUP(elf, Elf *, elf_end(v));
DEFINE_CLEANUP(elf_object, struct elf_object *, elf_object_unref(v));

Elf *elf_object_begin_elf(const struct elf_object *object)
{
	elf_version(EV_CURRENT);
	return elf_begin(object->fd, object->is_mappable ? ELF_C_READ_MMAP_PRIVATE : ELF_C_READ, NULL);
}

/* What the dynamic section says that tells programs from libraries. */
struct dynamic_facts {
	bool has_needed, has_soname, says_pie;
};

static struct dynamic_facts read_dynamic(Elf *elf, const GElf_Phdr *header)
{
	struct dynamic_facts facts = {0};
	size_t entry = gelf_fsize(elf, ELF_T_DYN, 1, EV_CURRENT);
	size_t size = header->p_filesz < DYNAMIC_LIMIT ? header->p_filesz : DYNAMIC_LIMIT;
	Elf_Data *data;
	GElf_Dyn dyn;

	if (!entry || size < entry || header->p_offset > INT64_MAX)
		return facts;
	data = elf_getdata_rawchunk(elf, (int64_t)header->p_offset, size - size % entry, ELF_T_DYN);
	if (!data)
		return facts;
	for (size_t i = 0; i < size / entry; i++) {
		if (!gelf_getdyn(data, (int)i, &dyn) || dyn.d_tag == DT_NULL)
			break;
		facts.has_needed |= dyn.d_tag == DT_NEEDED;
		facts.has_soname |= dyn.d_tag == DT_SONAME;
		facts.says_pie |= dyn.d_tag == DT_FLAGS_1 && (dyn.d_un.d_val & DF_1_PIE);
	}
	return facts;
}

static void read_interpreter(struct elf_object *object, const GElf_Phdr *header)
{
	char path[4096];
	size_t size = header->p_filesz < sizeof(path) ? header->p_filesz : sizeof(path) - 1;

	if (object->interpreter || elf_object_read(object, header->p_offset, path, size))
		return;
	path[size] = '\0';
	object->interpreter = strdup(path);
}

static void add_segment(struct elf_object *object, const GElf_Phdr *header)
{
	struct segment segment = {
		.vaddr = header->p_vaddr,
		.file_offset = header->p_offset,
		.file_size = header->p_filesz,
		.memory_size = header->p_memsz,
		.is_executable = header->p_flags & PF_X,
	};

	/*
	 * A separate debug file keeps its program's headers without the contents, so only overflow is
	 * refused.
	 */
	if (segment.file_size > UINT64_MAX - segment.vaddr ||
	    segment.memory_size > UINT64_MAX - segment.vaddr ||
	    segment.file_size > UINT64_MAX - segment.file_offset - PAGE ||
	    segment.file_offset > UINT64_MAX - PAGE)
		return;
	if (!object->segment_count || (segment.vaddr & -PAGE) < object->base_vaddr)
		object->base_vaddr = segment.vaddr & -PAGE;
	object->segments[object->segment_count++] = segment;
}

static int read_program_headers(struct elf_object *object, Elf *elf, unsigned int type)
{
	struct dynamic_facts facts = {0};
	size_t count;

	/* libelf holds the count against the file's size; more than e_phnum can say is for core files. */
	if (elf_getphdrnum(elf, &count) || count >= PN_XNUM)
		return -EBADMSG;
	object->segments = calloc(count ? count : 1, sizeof(*object->segments));
	if (!object->segments)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(elf, (int)i, &header))
			return -EBADMSG;
		if (header.p_type == PT_LOAD)
			add_segment(object, &header);
		else if (header.p_type == PT_DYNAMIC)
			facts = read_dynamic(elf, &header);
		else if (header.p_type == PT_INTERP)
			read_interpreter(object, &header);
	}
	object->is_pie = type == ET_DYN && (facts.says_pie || (object->interpreter && !facts.has_soname));
	object->is_static = !object->interpreter && !facts.has_needed;
	return 0;
}

static int read_headers(struct elf_object *object)
{
	CLEANUP(elf) Elf *elf = elf_object_begin_elf(object);
	const void *build_id;
	GElf_Ehdr header;
	ssize_t size;
	int r;

	if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header))
		return -EBADMSG;
	object->machine = header.e_machine;
	object->is_64bit = gelf_getclass(elf) == ELFCLASS64;
	r = read_program_headers(object, elf, header.e_type);
	if (r)
		return r;
	size = dwelf_elf_gnu_build_id(elf, &build_id);
	if (size > 0 && (size_t)size <= sizeof(object->build_id)) {
		memcpy(object->build_id, build_id, (size_t)size);
		object->build_id_size = (size_t)size;
	}
	return 0;
}

int elf_object_open_fd(int fd, const char *path, struct root_directory *root, struct elf_object **ret_object,
		       struct error *err)
{
	CLEANUP(elf_object) struct elf_object *object = calloc(1, sizeof(*object));
	struct stat *st;
	int r;

	if (!object) {
		close(fd);
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	}
	object->refs = 1;
	object->fd = fd;
	object->root = root_directory_ref(root);
	object->path = strdup(path);
	if (!object->path)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	st = &object->opened;
	if (fstat(fd, st))
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st->st_mode))
		return error_set(err, -EINVAL, "%s: not a regular file", path);
	object->is_mappable =
		!root && (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & (S_IWGRP | S_IWOTH));
	if (!object->is_mappable && st->st_size > LARGE_FILE &&
	    st->st_size / SPARSE_RATIO > st->st_blocks * 512)
		return error_set(err, -EFBIG, "%s: a file of holes", path);
	r = read_headers(object);
	if (r)
		return error_set(err, r, "%s: %s", path,
				 r == -EBADMSG ? "not a usable ELF file" : strerror(-r));
	*ret_object = TAKE_PTR(object);
	return 0;
}

int elf_object_open_path(const char *path, struct elf_object **ret_object, struct error *err)
{
	int fd = root_directory_open_file(NULL, path);

	if (fd == -EINVAL)
		return error_set(err, fd, "%s: not a regular file", path);
	if (fd < 0)
		return error_set(err, fd, "%s: %s", path, strerror(-fd));
	return elf_object_open_fd(fd, path, NULL, ret_object, err);
}

int elf_object_fd(const struct elf_object *object)
{
	return object->fd;
}

const char *elf_object_path(const struct elf_object *object)
{
	return object->path;
}

struct root_directory *elf_object_root(const struct elf_object *object)
{
	return object->root;
}

uint64_t elf_object_file_size(const struct elf_object *object)
{
	return (uint64_t)object->opened.st_size;
}

const uint8_t *elf_object_build_id(const struct elf_object *object, size_t *ret_size)
{
	*ret_size = object->build_id_size;
	return object->build_id_size ? object->build_id : NULL;
}

bool elf_object_is_mappable(const struct elf_object *object)
{
	return object->is_mappable;
}

bool elf_object_has_changed(const struct elf_object *object)
{
	const struct timespec *then = &object->opened.st_mtim;
	struct stat now;

	return fstat(object->fd, &now) || now.st_size != object->opened.st_size ||
	       now.st_mtim.tv_sec != then->tv_sec || now.st_mtim.tv_nsec != then->tv_nsec;
}

unsigned int elf_object_machine(const struct elf_object *object)
{
	return object->machine;
}

bool elf_object_is_64bit(const struct elf_object *object)
{
	return object->is_64bit;
}

bool elf_object_is_pie(const struct elf_object *object)
{
	return object->is_pie;
}

bool elf_object_is_static(const struct elf_object *object)
{
	return object->is_static;
}

const char *elf_object_interpreter(const struct elf_object *object)
{
	return object->interpreter;
}

uint64_t elf_object_base_vaddr(const struct elf_object *object)
{
	return object->base_vaddr;
}

/*
 * The segment whose bytes hold @file_offset; with @is_rounded also those that share its first and last page.
 */
static const struct segment *segment_at_offset(const struct elf_object *object, uint64_t file_offset,
					       bool is_rounded)
{
	const struct segment *found = NULL;

	for (size_t i = 0; i < object->segment_count; i++) {
		const struct segment *segment = &object->segments[i];
		uint64_t start = segment->file_offset, end = start + segment->file_size;

		if (is_rounded) {
			start &= -PAGE;
			end = (end + PAGE - 1) & -PAGE;
		}
		if (file_offset < start || file_offset >= end)
			continue;
		if (segment->is_executable)
			return segment;
		if (!found)
			found = segment;
	}
	return found;
}

int elf_object_offset_to_vaddr(const struct elf_object *object, uint64_t file_offset, uint64_t *ret_vaddr)
{
	const struct segment *segment = segment_at_offset(object, file_offset, false);

	if (!segment)
		segment = segment_at_offset(object, file_offset, true);
	if (!segment)
		return -ENOENT;
	*ret_vaddr = segment->vaddr + file_offset - segment->file_offset;
	return 0;
}

int elf_object_vaddr_to_offset(const struct elf_object *object, uint64_t vaddr, uint64_t *ret_file_offset)
{
	for (size_t i = 0; i < object->segment_count; i++) {
		const struct segment *segment = &object->segments[i];

		if (vaddr >= segment->vaddr && vaddr - segment->vaddr < segment->file_size) {
			*ret_file_offset = segment->file_offset + (vaddr - segment->vaddr);
			return 0;
		}
	}
	return -ENOENT;
}

bool elf_object_is_code(const struct elf_object *object, uint64_t vaddr)
{
	for (size_t i = 0; i < object->segment_count; i++) {
		const struct segment *segment = &object->segments[i];

		if (segment->is_executable && vaddr >= segment->vaddr &&
		    vaddr - segment->vaddr < segment->memory_size)
			return true;
	}
	return false;
}

int elf_object_read(const struct elf_object *object, uint64_t file_offset, void *buffer, size_t size)
{
	return file_read_at(object->fd, file_offset, buffer, size) == size ? 0 : -EFAULT;
}
