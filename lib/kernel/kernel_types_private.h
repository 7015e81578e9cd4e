/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What the files of the type engine share. BTF may come out of a damaged dump: type ids, string offsets and
 * chains of types are believed nowhere; that each record lies within the type section was seen at opening.
 */
#ifndef DILL_KERNEL_TYPES_PRIVATE_H
#define DILL_KERNEL_TYPES_PRIVATE_H

#include <bpf/btf.h>

#include "kernel_types.h"

/* Longest chain of typedefs, qualifiers and array dimensions, deepest nest of types that is followed. */
#define TYPE_CHAIN_MAX 64
#define TYPE_DEPTH_MAX 32

#define BTF_BYTES_MAX (256u << 20)

/* An open hash of names; a name points into the BTF. Type ids start with 1: 0 is a free slot. */
struct type_name {
	uint32_t hash, name_offset;
	uint32_t id;
	uint32_t detail; /* types: enum name_class; enumerators: which one of the enum */
};

struct type_names {
	struct type_name *slots;
	uint32_t capacity; /* power of two */
	bool is_built;
};

struct kernel_types {
	struct btf *btf;
	char *origin;
	size_t missing_bytes; /* of the BTF, in memory that can't be read: what lies there is lost */
	bool has_signed_enums; /* enums say whether they are signed (since pahole 1.24, Linux 6.0) */
	struct type_names type_index, enumerator_index;
	uint8_t *alignments[2]; /* by type id, made when first asked for: type_walk.c */
	unsigned align_depth;
};

/* NULL: no such type. */
static inline const struct btf_type *type_at(const struct kernel_types *types, uint32_t id)
{
	return btf__type_by_id(types->btf, id);
}

/* Never NULL. */
static inline const char *name_at(const struct kernel_types *types, uint32_t offset)
{
	const char *name = btf__str_by_offset(types->btf, offset);

	return name ? name : "";
}

/*
 * Skip typedefs, qualifiers and tags. Void (id 0) or a type of another kind; 0 as well where the chain is
 * broken or longer than TYPE_CHAIN_MAX.
 */
uint32_t type_resolve(const struct kernel_types *types, uint32_t id);
/* The same, as a record: NULL for void. */
const struct btf_type *type_resolved(const struct kernel_types *types, uint32_t id);

/*
 * The @index-th member of a struct or union: where it lies in bits from the start, and its bits (0: no
 * field).
 */
void type_member_place(const struct kernel_types *types, const struct btf_type *type, uint32_t index,
		       uint32_t *ret_bit_offset, uint32_t *ret_bit_size);

/* The value of the @index-th enumerator of an enum of 32 or 64 bits, and its name. */
int64_t type_enumerator(const struct kernel_types *types, const struct btf_type *type, uint32_t index,
			const char **ret_name);

/* The value in the field's own @bytes. */
uint64_t field_decode(const struct field *field, const uint8_t *bytes);

void type_names_deinit(struct type_names *names);

#endif
