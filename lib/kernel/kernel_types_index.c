// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Types and enumerators by name. A kernel has 130,000 types, and libbpf's search looks at each: one pass
 * makes a hash instead, when the first name is asked for. Of equal names the first counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_types_private.h"
#include "name_hash.h"

/* In the order in which a bare name finds them. */
enum name_class {
	NAME_STRUCT,
	NAME_UNION,
	NAME_TYPEDEF,
	NAME_ENUM,
	NAME_BASE, /* int, float */
	NAME_CLASSES,
};

static const char *const class_words[NAME_CLASSES] = { "struct", "union", "typedef", "enum", "" };

/* NAME_CLASSES: not found by name. */
static enum name_class class_of(const struct btf_type *type)
{
	switch (btf_kind(type)) {
	case BTF_KIND_STRUCT:
		return NAME_STRUCT;
	case BTF_KIND_UNION:
		return NAME_UNION;
	case BTF_KIND_TYPEDEF:
		return NAME_TYPEDEF;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return NAME_ENUM;
	case BTF_KIND_INT:
	case BTF_KIND_FLOAT:
		return NAME_BASE;
	default:
		return NAME_CLASSES;
	}
}

static int type_names_init(struct type_names *names, size_t count)
{
	uint32_t capacity = 64;

	while (capacity < 2 * count)
		capacity *= 2;
	names->slots = calloc(capacity, sizeof(*names->slots));
	if (!names->slots)
		return -ENOMEM;
	names->capacity = capacity;
	return 0;
}

void type_names_deinit(struct type_names *names)
{
	free(names->slots);
	*names = (struct type_names){ 0 };
}

#define ANY_DETAIL UINT32_MAX

/* The slot of @name, or the free one where it would go. @detail: ANY_DETAIL or the one that must be equal. */
static struct type_name *find_slot(const struct kernel_types *types, const struct type_names *names,
				   const char *name, size_t length, uint32_t detail)
{
	uint32_t hash = name_hash(name, length);
	uint32_t at = hash;

	/* At most half full: there is always a free one. */
	for (;; at++) {
		struct type_name *slot = &names->slots[at & (names->capacity - 1)];
		const char *known;

		if (!slot->id)
			return slot;
		if (slot->hash != hash || (detail != ANY_DETAIL && slot->detail != detail))
			continue;
		known = name_at(types, slot->name_offset);
		if (!strncmp(known, name, length) && !known[length])
			return slot;
	}
}

static void add_name(const struct kernel_types *types, struct type_names *names, uint32_t name_offset,
		     uint32_t id, uint32_t detail, bool is_by_detail)
{
	const char *name = name_at(types, name_offset);
	size_t length = strlen(name);
	struct type_name *slot;

	if (!length)
		return;
	slot = find_slot(types, names, name, length, is_by_detail ? detail : ANY_DETAIL);
	if (!slot->id)
		*slot = (struct type_name){ name_hash(name, length), name_offset, id, detail };
}

static int build_types(struct kernel_types *types)
{
	uint32_t count = btf__type_cnt(types->btf), named = 0;
	int status;

	for (uint32_t id = 1; id < count; id++)
		named += class_of(type_at(types, id)) != NAME_CLASSES;
	status = type_names_init(&types->type_index, named);
	if (status)
		return status;
	for (uint32_t id = 1; id < count; id++) {
		const struct btf_type *type = type_at(types, id);

		if (class_of(type) != NAME_CLASSES)
			add_name(types, &types->type_index, type->name_off, id, class_of(type), true);
	}
	types->type_index.is_built = true;
	return 0;
}

static int build_enumerators(struct kernel_types *types)
{
	uint32_t count = btf__type_cnt(types->btf);
	size_t named = 0;
	int status;

	for (uint32_t id = 1; id < count; id++)
		if (class_of(type_at(types, id)) == NAME_ENUM)
			named += btf_vlen(type_at(types, id));
	status = type_names_init(&types->enumerator_index, named);
	if (status)
		return status;
	for (uint32_t id = 1; id < count; id++) {
		const struct btf_type *type = type_at(types, id);

		if (class_of(type) != NAME_ENUM)
			continue;
		for (uint32_t i = 0; i < btf_vlen(type); i++)
			add_name(types, &types->enumerator_index,
				 btf_is_enum(type) ? btf_enum(type)[i].name_off
						   : btf_enum64(type)[i].name_off,
				 id, i, false);
	}
	types->enumerator_index.is_built = true;
	return 0;
}

/* Take "struct " and the like off @name. NAME_CLASSES: there is none of them. */
static enum name_class take_class(const char **name)
{
	for (enum name_class class = NAME_STRUCT; class < NAME_BASE; class++) {
		size_t length = strlen(class_words[class]);

		if (strncmp(*name, class_words[class], length) || (*name)[length] != ' ')
			continue;
		*name += length + strspn(*name + length, " ");
		return class;
	}
	return NAME_CLASSES;
}

int kernel_type_find(struct kernel_types *types, const char *name, uint32_t *ret_id)
{
	enum name_class asked;
	size_t length;

	if (!types)
		return -ENOENT;
	name += strspn(name, " ");
	asked = take_class(&name);
	length = strlen(name);
	while (length && name[length - 1] == ' ')
		length--;
	if (!length)
		return -ENOENT;
	if (!types->type_index.is_built && build_types(types))
		return -ENOMEM;
	for (enum name_class class = NAME_STRUCT; class < NAME_CLASSES; class++) {
		const struct type_name *slot;

		if (asked != NAME_CLASSES && class != asked)
			continue;
		slot = find_slot(types, &types->type_index, name, length, class);
		if (!slot->id)
			continue;
		*ret_id = slot->id;
		return 0;
	}
	return -ENOENT;
}

int64_t type_enumerator(const struct kernel_types *types, const struct btf_type *type, uint32_t index,
			const char **ret_name)
{
	const struct btf_enum *narrow;

	if (btf_is_enum64(type)) {
		*ret_name = name_at(types, btf_enum64(type)[index].name_off);
		return btf_enum64_value(&btf_enum64(type)[index]);
	}
	narrow = &btf_enum(type)[index];
	*ret_name = name_at(types, narrow->name_off);
	/*
	 * Where no enum says that it is signed, none can: small negative numbers are more usual than large
	 * ones.
	 */
	return btf_kflag(type) || !types->has_signed_enums ? narrow->val : (int64_t)(uint32_t)narrow->val;
}

int kernel_enumerator(struct kernel_types *types, const char *name, int64_t *ret_value)
{
	const struct type_name *slot;

	if (!types || !*name)
		return -ENOENT;
	if (!types->enumerator_index.is_built && build_enumerators(types))
		return -ENOMEM;
	slot = find_slot(types, &types->enumerator_index, name, strlen(name), ANY_DETAIL);
	if (!slot->id)
		return -ENOENT;
	*ret_value = type_enumerator(types, type_at(types, slot->id), slot->detail, &name);
	return 0;
}

int kernel_enumeration(struct kernel_types *types, uint32_t id, struct kernel_enumeration *ret_enumeration)
{
	const struct btf_type *type = type_resolved(types, id);
	bool is_negative = false;

	if (!type || class_of(type) != NAME_ENUM)
		return -ENOENT;
	for (uint32_t i = 0; !types->has_signed_enums && btf_is_enum(type) && i < btf_vlen(type); i++)
		is_negative |= btf_enum(type)[i].val < 0;
	*ret_enumeration = (struct kernel_enumeration){
		.types = types,
		.record = type,
		.count = btf_vlen(type),
		.size = type->size,
		.is_signed = btf_kflag(type) || is_negative,
	};
	return 0;
}

int64_t kernel_enumerator_at(const struct kernel_enumeration *enumeration, uint32_t index,
			     const char **ret_name)
{
	return type_enumerator(enumeration->types, enumeration->record, index, ret_name);
}
