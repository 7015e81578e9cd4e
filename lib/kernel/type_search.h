/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Searches over all types that have a name: by pattern, size, or what they contain; and names near a wrong
 * one.
 */
#ifndef DILL_TYPE_SEARCH_H
#define DILL_TYPE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct kernel_types;

/* All that are given must hold. */
struct type_filter {
	const char
		*pattern; /* extended regular expression (regex(7)), found anywhere in the name; NULL: any */
	bool has_size;
	size_t size;
	/*
	 * Structures and unions with a member of this type, or an array of them: "list_head", "struct page
	 * *". NULL: any.
	 */
	const char *containing;
};

struct type_match {
	uint32_t id;
	const char *kind; /* "struct", "union", "enum", "typedef" */
	const char *name; /* borrowed from the types */
	size_t size;
	uint32_t members; /* of a struct, union or enum; of what a typedef of a nameless one stands for */
	/* With @containing, a match for each such member: */
	char *path;
	uint32_t offset; /* bytes */
	uint32_t member_type;
};

struct type_matches {
	struct type_match *list; /* by name, then offset */
	size_t count;
};

/* -EINVAL: no regular expression. -ENOENT: @containing is no type. Nothing found is 0 with a count of 0. */
int type_search(struct kernel_types *types, const struct type_filter *filter,
		struct type_matches *ret_matches, struct error *err);
void type_matches_deinit(struct type_matches *matches);

/*
 * Up to @max names that @name was probably meant to be, best first, borrowed from the types. Returns how
 * many.
 */
size_t type_names_near(struct kernel_types *types, const char *name, const char **ret_names, size_t max);
/* The same among the members of @id, those of nameless members included. */
size_t member_names_near(struct kernel_types *types, uint32_t id, const char *name, const char **ret_names,
			 size_t max);

#endif
