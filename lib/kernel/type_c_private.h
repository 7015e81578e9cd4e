/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What type_c.c, which orders definitions, and type_c_body.c, which writes what stands in braces, share. */
#ifndef DILL_TYPE_C_PRIVATE_H
#define DILL_TYPE_C_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "kernel_types_private.h"
#include "type_text.h"

#define TYPE_C_NEST_MAX 128
#define TYPE_C_STEPS_MAX (1u << 18)

struct emitter {
	struct kernel_types *types;
	struct type_naming naming;
	uint8_t *states, *is_renamed; /* by id */
	void *tags, *names;           /* trees of struct claim */
	FILE *out;
	unsigned nest, indent, pads;
	unsigned steps;     /* members and types looked at, in all */
	bool is_after_line; /* what was written last stands on one line */
	int status; /* the first failure */
	uint32_t culprit;
};

/* Keeps the first failure. Always false. */
bool type_c_fail(struct emitter *emitter, int code, uint32_t id);

/*
 * @id gets @name, a @word such as "struct", in @tree: emitter's tags or names. @id 0: it is declared only.
 * False: another has the name.
 */
bool type_c_claim(struct emitter *emitter, void **tree, const char *name, uint32_t id, const char *word);

/* "struct", "union" or "enum". */
const char *type_c_word(const struct btf_type *type);

/*
 * What stands in braces, and attributes behind: also what struct type_naming asks for where a type without a
 * name stands. @context: the emitter. Owned by the caller; NULL without memory. type_c_body.c.
 */
char *type_c_body(void *context, uint32_t id);

#endif
