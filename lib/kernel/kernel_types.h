/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The kernel's types, from BTF: find a type by name, a member by path. The one type engine of dill.
 *
 * Members of members that have no name are found as if they were the outer type's, whether the type of the
 * nameless one has a name (-fms-extensions: struct slab since 6.19) or not.
 *
 * Lookups by name take NULL for a kernel whose types are not known, and find nothing.
 */
#ifndef DILL_KERNEL_TYPES_H
#define DILL_KERNEL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct btf;
struct kernel;
struct kernel_types;

/*
 * Parse raw BTF of @size bytes (copied). -EBADMSG with a message. Where a record is damaged or of a kind that
 * is too new, the types before it are there and the others are not.
 */
int kernel_types_open(const void *bytes, size_t size, const char *origin, struct kernel_types **ret_types,
		      struct error *err);
int kernel_types_open_file(const char *path, struct kernel_types **ret_types, struct error *err);
/* Out of the kernel's own memory: between __start_BTF and __stop_BTF, else by a scan of the image. */
int kernel_types_open_memory(struct kernel *kernel, struct kernel_types **ret_types, struct error *err);
/* The .BTF section of an ELF vmlinux. */
int kernel_types_open_elf(const char *path, struct kernel_types **ret_types, struct error *err);
void kernel_types_close(struct kernel_types *types);
const char *kernel_types_origin(const struct kernel_types *types);
/* Bytes of them that couldn't be read (only from memory): some types are not known. */
size_t kernel_types_missing(const struct kernel_types *types);
/* libbpf's handle, for walks over all types. Borrowed. */
const struct btf *kernel_types_btf(const struct kernel_types *types);

/*
 * A struct, union, enum or typedef by name: "task_struct", "struct page", "pid_t". A bare name means, in this
 * order: struct, union, typedef, enum. The first lookup builds an index of names; forward declarations are
 * not found. -ENOENT.
 */
int kernel_type_find(struct kernel_types *types, const char *name, uint32_t *ret_id);
/* Bytes, through typedefs and qualifiers. -ENOENT for void, functions and what is only declared. */
int kernel_type_size(struct kernel_types *types, uint32_t id, size_t *ret_size);

/* A member, as found by a path. */
struct kernel_member {
	uint32_t type_id;    /* of the member itself, not resolved */
	uint32_t bit_offset; /* from the start of the outermost type */
	uint32_t bit_size;   /* 0: not a bit-field */
	size_t size;         /* bytes; of the storage type for bit-fields; 0 for flexible arrays */
};

/*
 * @path: "list.next", "objects", "node[3]", "per_node[1].node"; "" is the type itself. -ENOENT with a
 * message. A flexible array has any element.
 */
int kernel_member_find(struct kernel_types *types, uint32_t id, const char *path,
		       struct kernel_member *ret_member, struct error *err);

/*
 * What models use: a table of members, loaded once. A field that the kernel hasn't got has size 0: ask with
 * field_exists(), never a version. Of a flexible array ask for the first element, "objects[0]".
 */
struct field {
	uint32_t offset;   /* bytes */
	uint16_t size;     /* bytes; 0: absent. Zero-size members count as absent too */
	uint8_t bit_shift; /* of a bit-field within the little-endian storage at offset */
	uint8_t bit_size;  /* 0: not a bit-field */
};

struct field_spec {
	const char *type;
	const char *path; /* alternatives, first found wins: "slab_list|lru" */
	size_t at;        /* offsetof the struct field in the layout */
	bool is_required;
};

/* Fill a layout. -ENOENT names the first required member that is missing. */
int fields_load(struct kernel_types *types, const struct field_spec *specs, size_t count, void *layout,
		struct error *err);

static inline bool field_exists(const struct field *field)
{
	return field->size != 0;
}

/* The field's value in @object, a copy of the structure of @size bytes. 0 when absent or beyond @size. */
uint64_t field_get(const struct field *field, const void *object, size_t size);
/* Read one field of the structure at @address. 0, -ENOENT (absent), -EFAULT. */
int field_read(struct kernel *kernel, const struct field *field, uint64_t address, uint64_t *ret_value);

/* An enumerator's value by its name, in any enum: "__SLAB_POISON". First lookup builds an index. -ENOENT. */
int kernel_enumerator(struct kernel_types *types, const char *name, int64_t *ret_value);

/* An enum's values. */
struct kernel_enumeration {
	const struct kernel_types *types;
	const void *record; /* libbpf's */
	uint32_t count;
	unsigned size;
	bool is_signed;
};

/* Through typedefs and qualifiers. -ENOENT when @id is no enum. */
int kernel_enumeration(struct kernel_types *types, uint32_t id, struct kernel_enumeration *ret_enumeration);
/* The value and name (borrowed) at @index < count; as unsigned where !is_signed. */
int64_t kernel_enumerator_at(const struct kernel_enumeration *enumeration, uint32_t index,
			     const char **ret_name);

/* sizeof by name; 0 when there is no such type. */
size_t kernel_sizeof(struct kernel_types *types, const char *name);

#endif
