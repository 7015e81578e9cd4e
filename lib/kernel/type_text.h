/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A type, or the declaration of something of that type, as C writes it. */
#ifndef DILL_TYPE_TEXT_H
#define DILL_TYPE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

struct btf_type;
struct kernel_types;

/* "struct", "union", "enum" or "typedef"; NULL: @type is of no kind that has a name of its own. */
const char *type_kind_word(const struct btf_type *type);

/*
 * "int (*run)(struct thing *, void *)", "char comm[16]", "struct {...} x"; with "" as @name the type alone:
 * "int (*)(struct thing *, void *)", "char[16]". What is wanting in damaged types is "...". Owned by the
 * caller. -ENOMEM or 0.
 */
int type_declaration(const struct kernel_types *types, uint32_t id, const char *name, char **ret_text);

/* How names are to be written. Members may be NULL. */
struct type_naming {
	const uint8_t *is_renamed; /* by type id: "NAME__ID" instead of "NAME" */
	bool is_plain; /* identifiers only: other bytes become '_', tags such as __rcu are left out */
	/*
	 * The body of a struct, union or enum that has no name, "{ … }"; NULL: "{...}". NULL result: no
	 * memory.
	 */
	char *(*body)(void *context, uint32_t id);
	void *context;
};

int type_declaration_as(const struct kernel_types *types, uint32_t id, const char *name,
			const struct type_naming *naming, char **ret_text);

#endif
