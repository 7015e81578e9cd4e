// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Opening BTF from bytes and files, with the check that makes it safe to walk. Layout:
 * Documentation/bpf/btf.rst. Lookups are in the other kernel_types_*.c.
 *
 * libbpf 1.1 refuses the whole when one record is unknown or damaged. Here the type section is cut before
 * that record: what comes first keeps its numbers, and a reference to what was cut finds nothing.
 */
#include "kernel_types.h"

#include <errno.h>
#include <fcntl.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "kernel_types_private.h"

#define BTF_RESERVED_INFO_BITS 0x60ff0000u /* of btf_type.info: not vlen, kind or kind_flag */

DEFINE_CLEANUP(types, struct kernel_types *, kernel_types_close(v));
DEFINE_CLEANUP(elf, Elf *, elf_end(v));

/* Bytes of the record at @type, at least those of the head; 0 for a kind that isn't known. */
static size_t record_size(const struct btf_type *type)
{
	size_t count = btf_vlen(type);

	if (type->info & BTF_RESERVED_INFO_BITS)
		return 0;
	switch (btf_kind(type)) {
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return sizeof(*type);
	case BTF_KIND_INT:
		return sizeof(*type) + sizeof(uint32_t);
	case BTF_KIND_ARRAY:
		return sizeof(*type) + sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return sizeof(*type) + count * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return sizeof(*type) + count * sizeof(struct btf_enum);
	case BTF_KIND_FUNC_PROTO:
		return sizeof(*type) + count * sizeof(struct btf_param);
	case BTF_KIND_VAR:
		return sizeof(*type) + sizeof(struct btf_var);
	case BTF_KIND_DATASEC:
		return sizeof(*type) + count * sizeof(struct btf_var_secinfo);
	case BTF_KIND_DECL_TAG:
		return sizeof(*type) + sizeof(struct btf_decl_tag);
	case BTF_KIND_ENUM64:
		return sizeof(*type) + count * sizeof(struct btf_enum64);
	default:
		return 0;
	}
}

/* Bytes of whole records of known kinds at the start of a type section. */
static size_t usable_bytes(const uint8_t *section, size_t size, uint32_t *ret_count, bool *ret_signed_enums)
{
	bool has_signed_enums = false;
	uint32_t count = 0;
	size_t at = 0;

	while (size - at >= sizeof(struct btf_type)) {
		const struct btf_type *type = (const void *)(section + at);
		size_t length = record_size(type);

		if (!length || length > size - at)
			break;
		if (btf_is_enum(type) && btf_kflag(type))
			has_signed_enums = true;
		at += length;
		count++;
	}
	*ret_count = count;
	*ret_signed_enums = has_signed_enums;
	return at;
}

/* The sections must lie within @size, as libbpf 1.1 checks only for headers of 24 bytes. */
static int check_header(const struct btf_header *header, size_t size, struct error *err)
{
	size_t room;

	if (header->magic != BTF_MAGIC)
		return error_set(err, -EBADMSG, "no BTF: it starts with 0x%04x", header->magic);
	if (header->hdr_len < sizeof(*header) || header->hdr_len > size)
		return error_set(err, -EBADMSG, "damaged BTF: a header of %u bytes", header->hdr_len);
	room = size - header->hdr_len;
	if (header->type_off % 4 || header->type_off > room || header->type_len > room - header->type_off ||
	    header->str_off > room || header->str_len > room - header->str_off || !header->str_len ||
	    header->type_off + header->type_len > header->str_off)
		return error_set(
			err, -EBADMSG,
			"damaged or cut BTF: types at %u, %u bytes, names at %u, %u bytes, all in %zu",
			header->type_off, header->type_len, header->str_off, header->str_len, room);
	return 0;
}

static int parse(struct kernel_types *types, const uint8_t *bytes, size_t size, struct error *err)
{
	CLEANUP(free) uint8_t *copy = NULL;
	struct btf_header header;
	uint32_t count;
	size_t usable;
	int status;

	if (size < sizeof(header))
		return error_set(err, -EBADMSG, "no BTF: only %zu bytes", size);
	if (size > BTF_BYTES_MAX)
		return error_set(err, -EBADMSG, "no BTF: %zu bytes are too many", size);
	/* libbpf reads words where the bytes lie, so they must lie well. */
	copy = malloc(size);
	if (!copy)
		return error_set(err, -ENOMEM, "no memory for %zu bytes of types", size);
	memcpy(copy, bytes, size);
	memcpy(&header, copy, sizeof(header));
	status = check_header(&header, size, err);
	if (status)
		return status;
	usable = usable_bytes(copy + header.hdr_len + header.type_off, header.type_len, &count,
			      &types->has_signed_enums);
	if (!count)
		return error_set(err, -EBADMSG, "damaged BTF: no type can be read");
	((struct btf_header *)copy)->type_len = usable;
	/* A string that is cut or has no end would be read past it. */
	copy[header.hdr_len + header.str_off] = '\0';
	copy[header.hdr_len + header.str_off + header.str_len - 1] = '\0';
	types->btf = btf__new(copy, size);
	if (!types->btf)
		return error_set(err, -EBADMSG, "libbpf refuses the BTF: %s", strerror(errno));
	return 0;
}

int kernel_types_open(const void *bytes, size_t size, const char *origin, struct kernel_types **ret_types,
		      struct error *err)
{
	CLEANUP(types) struct kernel_types *types = calloc(1, sizeof(*types));
	int status;

	if (!types || !(types->origin = strdup(origin)))
		return error_set(err, -ENOMEM, "no memory for types");
	status = parse(types, bytes, size, err);
	if (status)
		return status;
	*ret_types = TAKE_PTR(types);
	return 0;
}

static int read_all(int fd, size_t limit, uint8_t **ret_bytes, size_t *ret_size)
{
	CLEANUP(free) uint8_t *bytes = NULL;
	size_t size = 0, room = 0;

	for (;;) {
		ssize_t got;

		if (size == room) {
			uint8_t *more;

			if (room >= limit)
				return -EFBIG;
			room = room ? room * 2 : 8u << 20;
			more = realloc(bytes, room);
			if (!more)
				return -ENOMEM;
			bytes = more;
		}
		got = read(fd, bytes + size, room - size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		size += got;
	}
	*ret_bytes = TAKE_PTR(bytes);
	*ret_size = size;
	return 0;
}

int kernel_types_open_file(const char *path, struct kernel_types **ret_types, struct error *err)
{
	CLEANUP(free) uint8_t *bytes = NULL;
	CLEANUP(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char magic[SELFMAG];
	size_t size = 0;
	int status;

	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (pread(fd, magic, sizeof(magic), 0) == sizeof(magic) && !memcmp(magic, ELFMAG, SELFMAG))
		return kernel_types_open_elf(path, ret_types, err);
	status = read_all(fd, BTF_BYTES_MAX, &bytes, &size);
	if (status)
		return error_set(err, status, "%s: %s", path, strerror(-status));
	status = kernel_types_open(bytes, size, path, ret_types, err);
	return status ? error_context(err, "%s", path), status : 0;
}

static int open_section(Elf *elf, const char *path, struct kernel_types **ret_types, struct error *err)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return error_set(err, -EBADMSG, "no sections: %s", elf_errmsg(-1));
	while ((section = elf_nextscn(elf, section))) {
		Elf64_Shdr *header = elf64_getshdr(section);
		const char *name = header ? elf_strptr(elf, names, header->sh_name) : NULL;
		Elf_Data *data;

		if (!name || strcmp(name, ".BTF") || header->sh_type == SHT_NOBITS)
			continue;
		data = elf_rawdata(section, NULL);
		if (!data || !data->d_buf)
			return error_set(err, -EBADMSG, "section .BTF: %s", elf_errmsg(-1));
		return kernel_types_open(data->d_buf, data->d_size, path, ret_types, err);
	}
	return error_set(err, -ENOENT, "no section .BTF: the types of this kernel aren't in it");
}

int kernel_types_open_elf(const char *path, struct kernel_types **ret_types, struct error *err)
{
	CLEANUP(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(elf) Elf *elf = NULL;
	int status;

	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF)
		return error_set(err, -EBADMSG, "%s: no ELF file", path);
	status = open_section(elf, path, ret_types, err);
	return status ? error_context(err, "%s", path), status : 0;
}

void kernel_types_close(struct kernel_types *types)
{
	if (!types)
		return;
	btf__free(types->btf);
	type_names_deinit(&types->type_index);
	type_names_deinit(&types->enumerator_index);
	free(types->alignments[0]);
	free(types->alignments[1]);
	free(types->origin);
	free(types);
}

const char *kernel_types_origin(const struct kernel_types *types)
{
	return types->origin;
}

const struct btf *kernel_types_btf(const struct kernel_types *types)
{
	return types->btf;
}
