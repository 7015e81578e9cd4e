// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Bytes of the kernel's memory as values of its types. */
#include "kernel_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "kernel_types_private.h"

#define PAGE_BYTES 4096u
#define BYTES_SHOWN_MAX 64u
#define KERNEL_IMAGE_START 0xffffffff80000000 /* below are no symbols but offsets of per-CPU variables */
#define SYMBOL_REACH (64u << 10) /* an "offset" beyond is a gap between symbols, not a place in one */

DEFINE_CLEANUP(object, struct kernel_object, kernel_object_deinit(&v));

void kernel_object_deinit(struct kernel_object *object)
{
	free(object->bytes);
	free(object->is_absent);
	*object = (struct kernel_object){ 0 };
}

static size_t page_of(const struct kernel_object *object, size_t offset)
{
	return (object->address % PAGE_BYTES + offset) / PAGE_BYTES;
}

int kernel_object_read(struct kernel *kernel, uint64_t address, size_t size, struct kernel_object *ret_object,
		       struct error *err)
{
	CLEANUP(object) struct kernel_object object = { .address = address, .size = size };
	size_t pages, part;

	if (size > KERNEL_OBJECT_BYTES_MAX)
		return error_set(err, -ENOMEM, "%zu bytes at once are too many", size);
	pages = size ? page_of(&object, size - 1) + 1 : 0;
	object.bytes = calloc(1, size + 1);
	object.is_absent = calloc(1, pages + 1);
	if (!object.bytes || !object.is_absent)
		return error_set(err, -ENOMEM, "no memory for %zu bytes", size);
	for (size_t at = 0; at < size; at += part) {
		part = PAGE_BYTES - (address + at) % PAGE_BYTES;
		if (part > size - at)
			part = size - at;
		if (!kernel_read(kernel, address + at, object.bytes + at, part))
			continue;
		memset(object.bytes + at, 0, part);
		object.is_absent[page_of(&object, at)] = 1;
		object.absent_pages++;
	}
	if (size && object.absent_pages == pages)
		return error_set(err, -EFAULT, "nothing can be read at 0x%" PRIx64, address);
	*ret_object = object;
	object = (struct kernel_object){ 0 };
	return 0;
}

bool kernel_object_has(const struct kernel_object *object, size_t offset, size_t size)
{
	if (offset > object->size || size > object->size - offset)
		return false;
	for (size_t page = page_of(object, offset); size && page <= page_of(object, offset + size - 1);
	     page++)
		if (object->is_absent[page])
			return false;
	return true;
}

static uint64_t sign_extend(uint64_t number, unsigned bits)
{
	uint64_t sign = UINT64_C(1) << (bits - 1);

	return bits < 64 ? ((number & ((sign << 1) - 1)) ^ sign) - sign : number;
}

/* Flags that together make up the number: "A | B". False where some bit has no name. */
static bool put_flags(const struct kernel_enumeration *enumeration, uint64_t number, char *to, size_t size)
{
	uint64_t rest = number;
	size_t length = 0;

	to[0] = '\0';
	for (uint32_t i = 0; i < enumeration->count && rest; i++) {
		const char *name;
		uint64_t flag = kernel_enumerator_at(enumeration, i, &name);

		/* Names of several bits are masks. */
		if (!flag || (flag & (flag - 1)) || !(rest & flag))
			continue;
		rest &= ~flag;
		length += snprintf(to + length, size - length, "%s%s", length ? " | " : "", name);
		if (length >= size)
			break;
	}
	if (!rest && length < size)
		return true;
	to[0] = '\0';
	return false;
}

static void decode_enum(struct kernel_types *types, uint32_t id, unsigned bits, struct value *value)
{
	struct kernel_enumeration enumeration;
	bool is_flags = true;

	value->kind = VALUE_ENUM;
	if (kernel_enumeration(types, id, &enumeration))
		return;
	if (enumeration.is_signed)
		value->number = sign_extend(value->number, bits);
	for (uint32_t i = 0; i < enumeration.count; i++) {
		const char *name;
		int64_t known = kernel_enumerator_at(&enumeration, i, &name);

		/* Three values in a row, or negative ones, are a count and no set of bits. */
		is_flags &= known >= 0 && known != 3;
		if ((uint64_t)known != value->number)
			continue;
		snprintf(value->name, sizeof(value->name), "%s", name);
		return;
	}
	if (is_flags)
		put_flags(&enumeration, value->number, value->name, sizeof(value->name));
}

/*
 * The length of what may be a string: no control characters but usual ones, well-formed or Latin otherwise.
 */
static bool is_text(const uint8_t *bytes, size_t size, size_t *ret_length)
{
	size_t length = strnlen((const char *)bytes, size);

	for (size_t i = 0; i < length; i++)
		if ((bytes[i] < 0x20 && bytes[i] != '\t' && bytes[i] != '\n') || bytes[i] >= 0x7f)
			return false;
	*ret_length = length;
	return true;
}

/* Runs of one byte are folded: "00 x16". */
static void put_bytes(const uint8_t *bytes, size_t size, char *to, size_t room)
{
	size_t length = 0, shown = 0, run;

	to[0] = '\0';
	for (size_t at = 0; at < size && length + 32 < room; at += run, shown++) {
		for (run = 1; at + run < size && bytes[at + run] == bytes[at]; run++)
			;
		if (shown == BYTES_SHOWN_MAX) {
			snprintf(to + length, room - length, " ...");
			return;
		}
		if (run < 4)
			run = 1;
		length += snprintf(to + length, room - length, "%s%02x", at ? " " : "", bytes[at]);
		if (run > 1)
			length += snprintf(to + length, room - length, " x%zu", run);
	}
}

static void decode_array(struct kernel_types *types, const struct btf_type *array, const uint8_t *bytes,
			 size_t size, struct value *value)
{
	const struct btf_type *element = type_resolved(types, btf_array(array)->type);
	size_t length;
	bool is_char;

	if (!element || !btf_is_int(element) || element->size != 1 ||
	    btf_int_encoding(element) & BTF_INT_BOOL)
		return;
	is_char = !strcmp(name_at(types, element->name_off), "char");
	if (is_text(bytes, size, &length) && (is_char || length > 2) && length < sizeof(value->text)) {
		value->kind = VALUE_TEXT;
		memcpy(value->text, bytes, length);
		value->text[length] = '\0';
	} else if (size) {
		value->kind = VALUE_BYTES;
		put_bytes(bytes, size, value->text, sizeof(value->text));
	}
}

static bool points_to_char(struct kernel_types *types, const struct btf_type *pointer)
{
	const struct btf_type *target = type_resolved(types, pointer->type);

	return target && btf_is_int(target) && target->size == 1 &&
	       !strcmp(name_at(types, target->name_off), "char");
}

static uint64_t take_bits(const uint8_t *bytes, uint64_t bit_offset, uint32_t bits)
{
	const struct field field = {
		.size = (bit_offset % 8 + bits + 7) / 8,
		.bit_shift = bit_offset % 8,
		.bit_size = bits,
	};

	return field_decode(&field, bytes);
}

static void decode_float(const uint8_t *bytes, size_t size, struct value *value)
{
	float narrow;

	if (size != sizeof(narrow) && size != sizeof(value->real))
		return;
	value->kind = VALUE_FLOAT;
	if (size == sizeof(value->real)) {
		memcpy(&value->real, bytes, size);
		return;
	}
	memcpy(&narrow, bytes, size);
	value->real = narrow;
}

static void decode_int(const struct btf_type *type, unsigned bits, const uint8_t *bytes, struct value *value)
{
	unsigned encoding = btf_int_encoding(type);

	if (type->size > 8) {
		value->kind = VALUE_BYTES;
		put_bytes(bytes, type->size, value->text, sizeof(value->text));
		return;
	}
	value->kind = encoding & BTF_INT_BOOL && value->number <= 1 ? VALUE_BOOL
		      : encoding & BTF_INT_SIGNED		    ? VALUE_SIGNED
								    : VALUE_UNSIGNED;
	if (value->kind == VALUE_SIGNED)
		value->number = sign_extend(value->number, bits);
}

void value_decode(struct kernel_types *types, uint32_t id, uint64_t bit_offset, uint32_t bit_size,
		  const struct kernel_object *object, struct value *ret_value)
{
	const struct btf_type *type = type_resolved(types, id);
	uint64_t offset = bit_offset / 8;
	size_t size = 0, bytes_used;
	unsigned bits;

	ret_value->kind = VALUE_NONE;
	ret_value->number = 0;
	ret_value->name[0] = ret_value->text[0] = '\0';
	ret_value->is_char_pointer = false;
	if (!type || btf_is_composite(type) || kernel_type_size(types, id, &size))
		return;
	ret_value->size = size;
	bits = bit_size ? bit_size : size * 8;
	bytes_used = bit_size ? (bit_offset % 8 + bit_size + 7) / 8 : size;
	/* Only numbers can be bit-fields; damaged types say anything. */
	if (!bytes_used ||
	    (bit_size && (bits > 64 || size > 8 || !(btf_is_int(type) || btf_is_any_enum(type)))))
		return;
	if (!kernel_object_has(object, offset, bytes_used)) {
		ret_value->kind = VALUE_UNREADABLE;
		return;
	}
	if (bits <= 64)
		ret_value->number = take_bits(object->bytes + offset, bit_offset, bits);
	if (btf_is_array(type))
		decode_array(types, type, object->bytes + offset, size, ret_value);
	else if (btf_is_int(type))
		decode_int(type, bits, object->bytes + offset, ret_value);
	else if (btf_is_float(type))
		decode_float(object->bytes + offset, size, ret_value);
	else if (btf_is_any_enum(type) && bits <= 64)
		decode_enum(types, id, bits, ret_value);
	else if (btf_is_ptr(type))
		ret_value->kind = VALUE_POINTER;
	if (ret_value->kind == VALUE_POINTER)
		ret_value->is_char_pointer = points_to_char(types, type);
}

/*
 * Marks where a section begins or ends: nothing lies in it. They are near where the names of data are hidden.
 */
static bool is_label(const char *name)
{
	static const char *const beginnings[] = { "__start_", "__stop_", "__bss_",
						  "__init_",  "__end_",	 "__brk_" };

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(*beginnings); i++)
		if (!strncmp(name, beginnings[i], strlen(beginnings[i])))
			return true;
	return !strcmp(name, "_end") || !strcmp(name, "_etext") || !strcmp(name, "_sdata") ||
	       !strcmp(name, "_edata") || !strcmp(name, "_sinittext") || !strcmp(name, "_einittext");
}

int value_symbol(struct kernel *kernel, uint64_t address, char *to, size_t size)
{
	char name[256];
	uint64_t offset;

	if (address < KERNEL_IMAGE_START ||
	    kernel_symbol_at(kernel, address, name, sizeof(name), &offset) || offset >= SYMBOL_REACH ||
	    (offset && is_label(name)))
		return -ENOENT;
	if (offset)
		snprintf(to, size, "%s+0x%" PRIx64, name, offset);
	else
		snprintf(to, size, "%s", name);
	return 0;
}

void value_number_text(const struct value *value, char *to, size_t size)
{
	uint64_t width_mask = value->size < 8 ? (UINT64_C(1) << value->size * 8) - 1 : UINT64_MAX;

	if (value->kind == VALUE_SIGNED && (int64_t)value->number < 0)
		snprintf(to, size, "%" PRId64, (int64_t)value->number);
	else if (value->number >= UINT64_C(1) << 48)
		snprintf(to, size, "0x%" PRIx64, value->number);
	else if (value->number >= 4096)
		snprintf(to, size, "%" PRIu64 " (0x%" PRIx64 ")", value->number, value->number & width_mask);
	else
		snprintf(to, size, "%" PRIu64, value->number);
}
