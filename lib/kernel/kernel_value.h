/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What stands in a member, by its type: numbers, enumerators, pointers, texts. Walks nothing, prints nothing.
 */
#ifndef DILL_KERNEL_VALUE_H
#define DILL_KERNEL_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct kernel;
struct kernel_types;

/* A copy of a structure, and which parts of it could be read. */
struct kernel_object {
	uint64_t address;
	uint8_t *bytes; /* owned; zeros where nothing could be read */
	size_t size;
	uint8_t *is_absent; /* owned; by page of the kernel's memory, the first is that of @address */
	size_t absent_pages;
};

#define KERNEL_OBJECT_BYTES_MAX (64u << 20)

/* -EFAULT: none of it can be read. -ENOMEM: larger than KERNEL_OBJECT_BYTES_MAX, or no memory. */
int kernel_object_read(struct kernel *kernel, uint64_t address, size_t size, struct kernel_object *ret_object,
		       struct error *err);
void kernel_object_deinit(struct kernel_object *object);
bool kernel_object_has(const struct kernel_object *object, size_t offset, size_t size);

enum value_kind {
	VALUE_NONE,       /* a structure, an array of other than bytes, nothing */
	VALUE_UNREADABLE,
	VALUE_SIGNED,     /* number */
	VALUE_UNSIGNED,
	VALUE_BOOL,
	VALUE_ENUM,       /* number, name ("" if none has it) */
	VALUE_POINTER,
	VALUE_TEXT,       /* text: an array of characters that looks like a string */
	VALUE_BYTES,      /* text: "00 ff …" */
	VALUE_FLOAT,
};

#define VALUE_TEXT_MAX 4096

struct value {
	enum value_kind kind;
	uint64_t number;  /* sign-extended where signed */
	double real;
	size_t size;      /* of the type */
	char name[256];   /* "STATE_BUSY", "FLAG_A | FLAG_B" */
	char text[VALUE_TEXT_MAX];
	bool is_char_pointer;
};

/* The member of type @id at @bit_offset of @object; @bit_size 0: no bit-field. */
void value_decode(struct kernel_types *types, uint32_t id, uint64_t bit_offset, uint32_t bit_size,
		  const struct kernel_object *object, struct value *ret_value);

/*
 * "handle_mm_fault+0x10", for an address within the kernel's image or a module. -ENOENT: no symbol is there.
 */
int value_symbol(struct kernel *kernel, uint64_t address, char *to, size_t size);

/* The number as a person reads it: decimal, and hexadecimal where that tells more. */
void value_number_text(const struct value *value, char *to, size_t size);

#endif
