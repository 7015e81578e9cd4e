// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Sizes of types, members by path, and the tables of members that models load. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel_types_private.h"

#define POINTER_SIZE 8

uint32_t type_resolve(const struct kernel_types *types, uint32_t id)
{
	for (int i = 0; i < TYPE_CHAIN_MAX; i++) {
		const struct btf_type *type = type_at(types, id);

		if (!type)
			return 0;
		if (!btf_is_mod(type) && !btf_is_typedef(type) && !btf_is_type_tag(type))
			return id;
		id = type->type;
	}
	return 0;
}

const struct btf_type *type_resolved(const struct kernel_types *types, uint32_t id)
{
	id = type_resolve(types, id);
	return id ? type_at(types, id) : NULL;
}

int kernel_type_size(struct kernel_types *types, uint32_t id, size_t *ret_size)
{
	uint64_t elements = 1, size;

	for (int i = 0; i < TYPE_CHAIN_MAX; i++) {
		const struct btf_type *type = type_resolved(types, id);

		if (!type)
			return -ENOENT;
		switch (btf_kind(type)) {
		case BTF_KIND_ARRAY:
			id = btf_array(type)->type;
			if (__builtin_mul_overflow(elements, (uint64_t)btf_array(type)->nelems, &elements))
				return -EBADMSG;
			continue;
		case BTF_KIND_VAR:
			id = type->type;
			continue;
		case BTF_KIND_PTR:
			size = POINTER_SIZE;
			break;
		case BTF_KIND_INT:
		case BTF_KIND_FLOAT:
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
		case BTF_KIND_DATASEC:
			size = type->size;
			break;
		default:
			return -ENOENT;
		}
		if (__builtin_mul_overflow(size, elements, &size))
			return -EBADMSG;
		*ret_size = size;
		return 0;
	}
	return -EBADMSG;
}

size_t kernel_sizeof(struct kernel_types *types, const char *name)
{
	size_t size = 0;
	uint32_t id;

	return kernel_type_find(types, name, &id) || kernel_type_size(types, id, &size) ? 0 : size;
}

void type_member_place(const struct kernel_types *types, const struct btf_type *type, uint32_t index,
		       uint32_t *ret_bit_offset, uint32_t *ret_bit_size)
{
	const struct btf_member *member = &btf_members(type)[index];
	const struct btf_type *storage;

	*ret_bit_offset = btf_member_bit_offset(type, index);
	*ret_bit_size = btf_member_bitfield_size(type, index);
	if (btf_kflag(type))
		return;
	/* The older form: an int that says how many of its bits count, and from which on. */
	storage = type_resolved(types, member->type);
	if (storage && btf_is_int(storage) &&
	    (btf_int_bits(storage) != storage->size * 8 || btf_int_offset(storage))) {
		*ret_bit_offset += btf_int_offset(storage);
		*ret_bit_size = btf_int_bits(storage);
	}
}

/* A place within the type that a path starts from. */
struct place {
	uint32_t type_id;
	uint64_t bit_offset;
	uint32_t bit_size;
};

/* Members that one name is compared with; the largest types have a few thousand. */
#define MEMBERS_COMPARED_MAX (1u << 20)

/* What is looked for. Damaged types may nest without end, or have more members than atoms. */
struct member_search {
	const struct kernel_types *types;
	const char *name;
	size_t length;
	unsigned depth, compared;
};

/* Find a named member, those of nameless members included. False: none. */
static bool find_named(struct member_search *search, const struct place *outer, struct place *ret_place)
{
	const struct kernel_types *types = search->types;
	const struct btf_type *type = type_resolved(types, outer->type_id);

	bool is_found = false;

	if (!type || !btf_is_composite(type) || search->depth > TYPE_DEPTH_MAX)
		return false;
	for (uint32_t i = 0; i < btf_vlen(type) && !is_found; i++) {
		const struct btf_member *member = &btf_members(type)[i];
		const char *known = name_at(types, member->name_off);
		uint32_t bit_offset, bit_size;
		struct place place;

		if (++search->compared > MEMBERS_COMPARED_MAX)
			return false;
		if (*known && (strncmp(known, search->name, search->length) || known[search->length]))
			continue;
		type_member_place(types, type, i, &bit_offset, &bit_size);
		place = (struct place){ member->type, outer->bit_offset + bit_offset, bit_size };
		if (*known) {
			*ret_place = place;
			return true;
		}
		search->depth++;
		is_found = find_named(search, &place, ret_place);
		search->depth--;
	}
	return is_found;
}

/* One element further in. @rest points behind '[' and is moved behind ']'. */
static int step_index(struct kernel_types *types, const char *path, const char **rest, struct place *place,
		      struct error *err)
{
	const struct btf_type *type = type_resolved(types, place->type_id);
	uint64_t index = 0, offset;
	size_t digits = strspn(*rest, "0123456789"), size;

	for (size_t i = 0; i < digits && digits < 12; i++)
		index = index * 10 + (*rest)[i] - '0';
	if (!digits || digits >= 12 || (*rest)[digits] != ']')
		return error_set(err, -ENOENT, "'%s': an index is a number in brackets", path);
	*rest += digits + 1;
	if (!type || !btf_is_array(type))
		return error_set(err, -ENOENT, "'%s': an index, and no array", path);
	/* An array of none is flexible: it has as many as there was room for. */
	if (btf_array(type)->nelems && index >= btf_array(type)->nelems)
		return error_set(err, -ENOENT, "'%s': the array has %u elements", path,
				 btf_array(type)->nelems);
	if (kernel_type_size(types, btf_array(type)->type, &size) ||
	    __builtin_mul_overflow(index * 8, (uint64_t)size, &offset))
		return error_set(err, -EBADMSG, "'%s': elements without a size", path);
	*place = (struct place){ btf_array(type)->type, place->bit_offset + offset, 0 };
	return 0;
}

static int step_name(struct kernel_types *types, const char *path, const char **rest, struct place *place,
		     struct error *err)
{
	size_t length = strcspn(*rest, ".[");
	const char *name = *rest;
	struct member_search search = { .types = types, .name = name, .length = length };

	if (!length)
		return error_set(err, -ENOENT, "'%s': a name is missing", path);
	if (!find_named(&search, place, place))
		return error_set(err, -ENOENT, "no member '%.*s'", (int)(name + length - path), path);
	*rest += length;
	return 0;
}

int kernel_member_find(struct kernel_types *types, uint32_t id, const char *path,
		       struct kernel_member *ret_member, struct error *err)
{
	struct place place = { .type_id = id };
	const char *rest = path;
	size_t size = 0;
	int status = 0;

	while (*rest && !status) {
		if (*rest == '[') {
			rest++;
			status = step_index(types, path, &rest, &place, err);
		} else {
			rest += rest > path && *rest == '.';
			status = step_name(types, path, &rest, &place, err);
		}
		if (!status && place.bit_offset > UINT32_MAX)
			status = error_set(err, -EBADMSG, "'%s': beyond 512 MiB", path);
	}
	if (status)
		return status;
	if (kernel_type_size(types, place.type_id, &size))
		size = 0;
	*ret_member = (struct kernel_member){ place.type_id, place.bit_offset, place.bit_size, size };
	return 0;
}

static struct field field_of(const struct kernel_member *member)
{
	struct field field = { .offset = member->bit_offset / 8 };

	if (member->bit_size) {
		/* The bytes that the bits touch, and none beyond: the next one may not be mapped. */
		field.bit_shift = member->bit_offset % 8;
		field.bit_size = member->bit_size;
		field.size = (field.bit_shift + member->bit_size + 7) / 8;
	} else {
		field.size = member->size > UINT16_MAX ? UINT16_MAX : member->size;
	}
	return field;
}

static bool find_first(struct kernel_types *types, uint32_t id, const char *paths, struct field *ret_field)
{
	struct kernel_member member;
	char path[128];

	for (const char *at = paths; *at;) {
		size_t length = strcspn(at, "|");

		if (length < sizeof(path)) {
			snprintf(path, sizeof(path), "%.*s", (int)length, at);
			if (!kernel_member_find(types, id, path, &member, NULL) &&
			    (member.size || member.bit_size)) {
				*ret_field = field_of(&member);
				return true;
			}
		}
		at += length + (at[length] == '|');
	}
	return false;
}

int fields_load(struct kernel_types *types, const struct field_spec *specs, size_t count, void *layout,
		struct error *err)
{
	const char *type = "";
	bool is_known = false;
	uint32_t id = 0;

	if (!types)
		return error_set(
			err, -ENOENT,
			"the kernel's types are not known: no BTF in its memory; --btf takes a file");
	for (size_t i = 0; i < count; i++) {
		struct field field = { 0 };

		if (strcmp(type, specs[i].type)) {
			type = specs[i].type;
			is_known = !kernel_type_find(types, type, &id);
		}
		if ((!is_known || !find_first(types, id, specs[i].path, &field)) && specs[i].is_required)
			return error_set(err, -ENOENT, "this kernel has no %s.%s", type, specs[i].path);
		memcpy((char *)layout + specs[i].at, &field, sizeof(field));
	}
	return 0;
}

uint64_t field_decode(const struct field *field, const uint8_t *bytes)
{
	uint64_t value = 0;

	memcpy(&value, bytes, field->size < sizeof(value) ? field->size : sizeof(value));
	if (!field->bit_size)
		return value;
	value >>= field->bit_shift;
	/* A field of 58 bits or more can touch nine bytes. */
	if (field->size > sizeof(value))
		value |= (uint64_t)bytes[8] << (64 - field->bit_shift);
	return field->bit_size < 64 ? value & ((UINT64_C(1) << field->bit_size) - 1) : value;
}

uint64_t field_get(const struct field *field, const void *object, size_t size)
{
	if (!field->size || field->offset > size || field->size > size - field->offset)
		return 0;
	return field_decode(field, (const uint8_t *)object + field->offset);
}
