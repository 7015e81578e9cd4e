/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The members of a type in the order in which they lie, members of members too, and the gaps between them. */
#ifndef DILL_TYPE_WALK_H
#define DILL_TYPE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct kernel_types;

enum type_step_kind {
	STEP_MEMBER,
	STEP_HOLE,    /* unused between two members */
	STEP_PADDING, /* unused behind the last one */
};

#define TYPE_PATH_MAX 512

struct type_step {
	enum type_step_kind kind;
	unsigned level;      /* 0: in the type itself */
	uint32_t type_id;    /* as declared; 0 for gaps */
	const char *name; /* "" for gaps and for what has none; "[3]" for elements. Borrowed for the visit */
	const char *path; /* from the outermost type, "list.next": what has no name adds nothing. Borrowed */
	uint64_t bit_offset; /* from the outermost type */
	uint64_t bit_count;  /* of a gap: its bits */
	uint32_t bit_size;   /* 0: not a bit-field */
	size_t size;         /* bytes; of the storage type for bit-fields; 0 for flexible arrays */
	bool is_opened;      /* its members follow, one level deeper */
	bool is_in_union;
};

/*
 * Return 0 to go on, TYPE_WALK_SKIP to leave out the members of this one (is_opened says whether there are
 * any), anything else to end the walk with it.
 */
#define TYPE_WALK_SKIP 1
typedef int (*type_visit)(const struct type_step *step, void *context);

/*
 * Walk the members of @id down to @depth levels (0: all), offsets from @bit_offset and paths from @path on.
 * Of an array of structures the members of the first element stand for all. A type without members gives
 * nothing. Returns what @visit ended it with; -EBADMSG for types that nest beyond reason.
 */
int type_walk(struct kernel_types *types, uint32_t id, const char *path, uint64_t bit_offset, unsigned depth,
	      type_visit visit, void *context);

/* True for a structure or union, or an array of them: what a walk opens. @ret_id (may be NULL): that one. */
bool type_has_members(const struct kernel_types *types, uint32_t id, uint32_t *ret_id);

/* Through typedefs and qualifiers. @ret_element, @ret_count may be NULL. */
bool type_is_array(const struct kernel_types *types, uint32_t id, uint32_t *ret_element, uint64_t *ret_count);

/*
 * Alignment in bytes, 1 for void. BTF doesn't tell: it is the members' own, made larger where a gap tells of
 * an attribute, and 1 for what is packed. @natural: as a compiler would have it without attributes, but
 * packed.
 */
unsigned type_alignment(struct kernel_types *types, uint32_t id);
unsigned type_natural_alignment(struct kernel_types *types, uint32_t id);

/* What a walk over the type itself (not deeper than nameless members) would tell, in sum. */
struct type_summary {
	size_t size;
	unsigned alignment;
	uint32_t members; /* those of nameless members counted in their place */
	uint32_t holes;
	uint64_t hole_bits, padding_bits;
};
int type_summarize(struct kernel_types *types, uint32_t id, struct type_summary *ret_summary);

#endif
